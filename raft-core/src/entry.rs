//! Log entries and what they carry.
//!
//! Invariant: an entry's index is its place in the sequence that holds it; only its term travels
//! with it. Commands are [`Bytes`]: passing an entry on never copies its payload.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, Range};

use bytes::Bytes;

use crate::membership::Membership;
use crate::types::{Incarnation, NodeId, Term};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry {
    /// The term of the leader that created it.
    pub term: Term,
    /// What it does.
    pub payload: Payload,
}

/// What an entry does when it is appended or applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Payload {
    /// Nothing: a new leader appends one to learn what is committed (paper §8).
    Blank,
    /// A command for the state machine.
    Command {
        /// As proposed.
        data: Bytes,
        /// Where it came from, when it was forwarded to the leader.
        origin: Option<Box<Origin>>,
    },
    /// A membership, in force from the moment it is appended (thesis §4.1).
    Membership(Arc<Membership>),
}

/// Names a forwarded proposal: by it the node that forwarded it knows its entry again when it is
/// applied, and the leader knows a repeated message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Origin {
    /// The node that forwarded it.
    pub node: NodeId,
    /// That node's incarnation at the time.
    pub incarnation: Incarnation,
    /// The forward's number within the incarnation, from 1.
    pub sequence: u64,
}

/// What an entry is charged beside its command, so that empty commands are not free.
const ENTRY_OVERHEAD_BYTES: u64 = 32;

impl Entry {
    /// What the entry counts against byte budgets: its payload and a fixed charge.
    #[inline]
    pub fn size(&self) -> u64 {
        ENTRY_OVERHEAD_BYTES + self.payload.size()
    }
}

impl Payload {
    /// A command that was proposed where it is appended.
    pub fn command(data: impl Into<Bytes>) -> Self {
        Self::Command { data: data.into(), origin: None }
    }

    #[inline]
    fn size(&self) -> u64 {
        match self {
            Self::Blank => 0,
            Self::Command { data, .. } => data.len() as u64,
            Self::Membership(membership) => membership.size(),
        }
    }
}

/// A run of entries that all holders share, or a part of one: cloning it copies a pointer.
///
/// Invariant: `start..end` lies in the run, and `bytes` is the sum over it.
#[derive(Clone)]
pub struct Entries {
    run: Option<Arc<[Entry]>>,
    start: u32,
    end: u32,
    bytes: u64,
}

impl Entries {
    /// No entries; allocates nothing.
    pub const EMPTY: Self = Self { run: None, start: 0, end: 0, bytes: 0 };

    /// How many there are.
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What the entries count against byte budgets.
    pub(crate) fn size(&self) -> u64 {
        self.bytes
    }

    /// The same for some of them.
    pub(crate) fn size_of(&self, part: Range<usize>) -> u64 {
        if part.len() == self.len() {
            return self.bytes;
        }
        let sum = |entries: &[Entry]| entries.iter().map(Entry::size).sum::<u64>();
        // Whichever takes less counting.
        if 2 * part.len() <= self.len() {
            sum(&self[part])
        } else {
            self.bytes - sum(&self[..part.start]) - sum(&self[part.end..])
        }
    }

    /// Without the first `skip`, and `most` at most.
    pub(crate) fn into_part(self, skip: usize, most: usize) -> Self {
        if skip == 0 && most >= self.len() {
            return self;
        }
        self.part(skip..skip.saturating_add(most).min(self.len()))
    }

    /// Some of the entries, shared.
    pub(crate) fn part(&self, part: Range<usize>) -> Self {
        if part.is_empty() {
            return Self::EMPTY;
        }
        let bytes = self.size_of(part.clone());
        let place = |offset: usize| self.start + u32::try_from(offset).unwrap_or(u32::MAX);
        let (start, end) = (place(part.start), place(part.end));
        Self { run: self.run.clone(), start, end, bytes }
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Entries {}

impl Hash for Entries {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        let run = self.run.as_deref().unwrap_or_default();
        &run[self.start as usize..self.end as usize]
    }
}

/// # Panics
/// With 2^32 entries or more.
impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let entries = entries.into_iter();
        if entries.size_hint() == (0, Some(0)) {
            return Self::EMPTY;
        }
        let run: Arc<[Entry]> = entries.collect();
        let end = u32::try_from(run.len()).expect("fewer than 2^32 entries at a time");
        let bytes = run.iter().map(Entry::size).sum();
        if end == 0 { Self::EMPTY } else { Self { run: Some(run), start: 0, end, bytes } }
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Entries {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        alloc::vec::Vec::deserialize(deserializer).map(Self::from_iter)
    }
}
