//! The state machine's lane: committed entries as an obligation and a receipt.
//!
//! One batch is out at a time, so a slow machine gets larger batches, and an application can neither be
//! skipped nor reported twice.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::entry::{Entries, Payload};
use crate::snapshot::Restore;
use crate::token::Life;
use crate::types::{LogIndex, LogPosition, RequestId};

/// The obligation to apply committed entries, in order. Hand back the receipt from [`Apply::done`]
/// when the machine has taken them all.
///
/// Everything in it is durable on this node.
#[derive(Debug)]
#[must_use = "the node waits for this batch: apply it, then step with `Input::Applied(apply.done())`"]
pub struct Apply {
    first: LogIndex,
    entries: Entries,
    /// The requests of this node among the entries, in log order.
    requests: Vec<(LogIndex, RequestId)>,
    life: Life,
}

/// The receipt for an applied batch.
#[derive(Debug)]
#[must_use = "the node waits for this receipt: step with `Input::Applied(receipt)`"]
pub struct Applied {
    pub(crate) last: LogIndex,
    pub(crate) life: Life,
}

/// One committed entry of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Committed<'a> {
    /// Where it is in the log.
    pub position: LogPosition,
    /// What it carries.
    pub payload: &'a Payload,
    /// The request through which it was proposed at this node, if it was and is still awaited: the
    /// driver keeps the machine's output for the [`Reply`](crate::Reply) that will follow.
    pub request: Option<RequestId>,
}

impl<'a> Committed<'a> {
    /// The command, or `None` for entries that are not for the state machine.
    pub fn command(&self) -> Option<&'a Bytes> {
        match self.payload {
            Payload::Command { data, .. } => Some(data),
            Payload::Blank | Payload::Membership(_) => None,
        }
    }
}

impl Apply {
    pub(crate) fn new(
        life: Life,
        first: LogIndex,
        entries: Entries,
        requests: Vec<(LogIndex, RequestId)>,
    ) -> Self {
        debug_assert!(!entries.is_empty());
        Self { first, entries, requests, life }
    }

    /// The index of the first entry.
    pub fn first(&self) -> LogIndex {
        self.first
    }

    /// The index of the last entry.
    pub fn last(&self) -> LogIndex {
        self.first.advanced(self.entries.len()).previous()
    }

    /// The entries, in log order.
    pub fn entries(&self) -> impl Iterator<Item = Committed<'_>> {
        let mut requests = self.requests.iter().peekable();
        self.entries.iter().enumerate().map(move |(offset, entry)| {
            let index = self.first.advanced(offset);
            let request = requests.next_if(|(at, _)| *at == index).map(|(_, request)| *request);
            Committed {
                position: LogPosition::new(entry.term, index),
                payload: &entry.payload,
                request,
            }
        })
    }

    /// States that the machine has applied every entry.
    pub fn done(self) -> Applied {
        Applied { last: self.last(), life: self.life }
    }
}

impl Restore {
    /// States that the machine holds the snapshot and nothing else.
    pub fn done(self) -> Applied {
        Applied { last: self.index(), life: self.life }
    }
}

impl Applied {
    /// The last index that was applied.
    pub fn last(&self) -> LogIndex {
        self.last
    }
}
