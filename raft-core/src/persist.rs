//! Persistence as an obligation and a receipt.
//!
//! A node asks for one write at a time ([`Persist`]); later changes gather for the next. Whoever has made
//! a write durable turns it into the one [`Persisted`] receipt there can be for it. Neither type can be
//! cloned or deserialized, and but for replays ([`RecordedInput`](crate::RecordedInput)) a receipt comes from its write alone, so a
//! repeated or invented completion does not compile:
//!
//! ```compile_fail,E0382
//! fn twice(persist: raft_core::Persist) {
//!     let first = persist.done();
//!     let second = persist.done(); // error: use of moved value
//! }
//! ```
//!
//! ```compile_fail,E0599
//! fn copied(persist: &raft_core::Persist) -> raft_core::Persist {
//!     persist.clone() // error: `Persist` is not `Clone`
//! }
//! ```

use alloc::boxed::Box;

use crate::entry::Entries;
use crate::snapshot::SnapshotMeta;
use crate::token::Life;
use crate::types::{Incarnation, LogIndex, LogPosition, NodeId, Term, WriteNumber};

/// What must survive a crash beside the log (paper, Figure 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HardState {
    /// The latest term this node has seen.
    pub term: Term,
    /// Whom it voted for in that term.
    pub vote: Option<NodeId>,
    /// How many times it has been started.
    pub incarnation: Incarnation,
}

/// The contents of a write. Its parts must become durable in the order of the fields; a crash may leave
/// any prefix of them, and of the appended entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Write {
    /// Replaces the hard state.
    pub hard_state: Option<HardState>,
    /// Makes a snapshot whose bytes are durable already the one that counts; at bootstrap, the empty one that
    /// names the members. A log that does not hold its position is removed by the next part, and begins
    /// after it from then on.
    pub install: Option<SnapshotMeta>,
    /// Removes this entry and all after it; what is not there need not be removed.
    pub truncate_from: Option<LogIndex>,
    /// Adds entries at the end of what then remains.
    pub append: Option<Append>,
    /// A hint: up to here the log is committed. It may be lost without harm.
    pub commit: Option<LogIndex>,
    /// The log begins after this position from now on: removes the entry there and all before it.
    pub compact: Option<LogPosition>,
}

/// Entries to be added to the log on disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Append {
    /// The index of the first of `entries`.
    pub first: LogIndex,
    /// The entries; never none.
    pub entries: Entries,
}

impl Write {
    /// Whether there is nothing in it that must be written. A commit hint alone is not worth a write.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { hard_state, install, truncate_from, append, commit: _, compact } = self;
        let keeps_log = truncate_from.is_none() && append.is_none() && compact.is_none();
        hard_state.is_none() && install.is_none() && keeps_log
    }

    /// What it appends, by [`Entry::size`](crate::Entry::size).
    pub fn size(&self) -> u64 {
        self.append.as_ref().map_or(0, |append| append.entries.size())
    }
}

/// The obligation to make a [`Write`] durable. Hand back the receipt from [`Persist::done`] when it is.
///
/// When the write fails, drop the node and restart it from its disk; do not retry the sync.
#[derive(Debug)]
#[must_use = "the node waits for this write: make it durable, then step with `Input::Persisted(persist.done())`"]
pub struct Persist {
    /// Apart, so that moving effects about is cheap; the receipt brings the memory back.
    write: Box<Write>,
    life: Life,
    number: WriteNumber,
}

/// The receipt for a durable write.
#[derive(Debug)]
#[must_use = "the node waits for this receipt: step with `Input::Persisted(receipt)`"]
pub struct Persisted {
    pub(crate) life: Life,
    pub(crate) number: WriteNumber,
    /// The write, to be used again.
    pub(crate) spent: Option<Box<Write>>,
}

impl Persist {
    pub(crate) fn new(life: Life, number: WriteNumber, write: Box<Write>) -> Self {
        Self { write, life, number }
    }

    /// What to write.
    pub fn write(&self) -> &Write {
        &self.write
    }

    /// The write's number within this incarnation.
    pub fn number(&self) -> WriteNumber {
        self.number
    }

    /// States that the write is durable: synced, not merely handed to the operating system.
    pub fn done(self) -> Persisted {
        Persisted { life: self.life, number: self.number, spent: Some(self.write) }
    }
}

impl Persisted {
    /// The number of the write that became durable.
    pub fn number(&self) -> WriteNumber {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, Payload};

    /// A commit hint alone is not worth a write; everything else is.
    #[test]
    fn a_hint_alone_is_no_write() {
        let none = Write::default;
        let append = Append { first: LogIndex(1), entries: Entries::EMPTY };
        assert!(none().is_empty() && Write { commit: Some(LogIndex(1)), ..none() }.is_empty());
        let writes = [
            Write { hard_state: Some(HardState::default()), ..none() },
            Write { install: Some(SnapshotMeta::default()), ..none() },
            Write { truncate_from: Some(LogIndex(1)), ..none() },
            Write { append: Some(append), ..none() },
            Write { compact: Some(LogPosition::ZERO), ..none() },
        ];
        assert!(writes.iter().all(|write| !write.is_empty()));
    }

    /// A write has the size of what it appends.
    #[test]
    fn a_write_has_the_size_of_its_entries() {
        let entry = |command| Entry { term: Term(1), payload: Payload::command(command) };
        let entries: Entries = [entry("a"), entry("four")].into_iter().collect();
        let size = entries.iter().map(Entry::size).sum();
        let append = Some(Append { first: LogIndex(1), entries });
        assert_eq!(Write { append, ..Write::default() }.size(), size);
        assert_eq!(Write { commit: Some(LogIndex(1)), ..Write::default() }.size(), 0);
    }
}
