//! Reading back what the log in memory holds no more: an obligation and its answer.

use crate::entry::Entries;
use crate::token::Ticket;
use crate::types::{LogIndex, NodeId};

/// The obligation to read entries from the log's store. Give as many as there are from the first on, within
/// the limits; one at least, however large.
#[derive(Debug)]
#[must_use = "somebody waits for these entries: answer with `Input::Fetched`"]
pub struct Fetch {
    pub(crate) ticket: Ticket,
    pub(crate) reader: Reader,
    pub(crate) first: LogIndex,
    pub(crate) last: LogIndex,
    pub(crate) max_bytes: u64,
}

/// For whom entries are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reader {
    /// A follower that is far behind.
    Peer(NodeId),
    /// The state machine.
    Machine,
}

/// The answer to a [`Fetch`].
#[derive(Debug)]
#[must_use = "the node waits for this answer: step with `Input::Fetched(answer)`"]
pub struct Fetched {
    pub(crate) ticket: Ticket,
    pub(crate) reader: Reader,
    pub(crate) first: LogIndex,
    /// None when they could not be read.
    pub(crate) entries: Option<Entries>,
}

impl Fetch {
    /// For whom.
    pub fn reader(&self) -> Reader {
        self.reader
    }

    /// The first index to read.
    pub fn first(&self) -> LogIndex {
        self.first
    }

    /// The last index to read.
    pub fn last(&self) -> LogIndex {
        self.last
    }

    /// How many bytes of entries to read at most ([`Entry::size`](crate::Entry::size)), unless the first entry alone
    /// has more.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The entries from the first on.
    pub fn done(self, entries: Entries) -> Fetched {
        Fetched {
            ticket: self.ticket,
            reader: self.reader,
            first: self.first,
            entries: Some(entries),
        }
    }

    /// They could not be read. The node asks again later.
    pub fn failed(self) -> Fetched {
        Fetched { ticket: self.ticket, reader: self.reader, first: self.first, entries: None }
    }
}
