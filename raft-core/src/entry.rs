//! Log entries and what they carry.
//!
//! Invariant: an entry's index is its place in the sequence that holds it; only its term travels
//! with it. Commands are [`Bytes`]: passing an entry on never copies its payload.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;

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
    pub fn size(&self) -> u64 {
        ENTRY_OVERHEAD_BYTES + self.payload.size()
    }
}

impl Payload {
    /// A command that was proposed where it is appended.
    pub fn command(data: impl Into<Bytes>) -> Self {
        Self::Command { data: data.into(), origin: None }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Blank => 0,
            Self::Command { data, .. } => data.len() as u64,
            Self::Membership(membership) => membership.size(),
        }
    }
}

/// A run of entries that all holders share: cloning it copies a pointer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entries(Option<Arc<[Entry]>>);

impl Entries {
    /// No entries; allocates nothing.
    pub const EMPTY: Self = Self(None);
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let entries = entries.into_iter();
        if entries.size_hint() == (0, Some(0)) {
            return Self::EMPTY;
        }
        let entries: Arc<[Entry]> = entries.collect();
        if entries.is_empty() { Self::EMPTY } else { Self(Some(entries)) }
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
