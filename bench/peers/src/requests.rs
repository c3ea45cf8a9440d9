//! Requests that wait for their one answer.

use std::sync::Arc;

use raft_core::{
    Entry, Instant, LogIndex, LogPosition, Membership, NodeId, Outcome, Payload, Refusal, Reply,
    RequestId, Term,
};

use crate::library::place;

/// What a request waits for.
#[derive(Clone, Debug)]
pub(crate) enum Awaits {
    /// That the entry at this position is applied.
    Entry(LogPosition),
    /// That the leader is confirmed.
    Confirmation,
    /// That the machine has come so far.
    Machine(LogIndex),
    /// That the membership at this position is committed.
    Change(LogPosition, Arc<Membership>),
    /// That this node leads.
    Leader(NodeId),
}

#[derive(Clone, Debug)]
struct Waiting {
    id: RequestId,
    awaits: Awaits,
    until: Instant,
}

/// All of a node.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: Vec<Waiting>,
}

/// What a node has come to, as far as requests wait for it.
pub(crate) struct Progress<'a> {
    pub(crate) log: &'a [Entry],
    pub(crate) applied: LogIndex,
    pub(crate) commit: LogIndex,
    pub(crate) leader: Option<NodeId>,
    pub(crate) now: Instant,
}

impl Requests {
    pub(crate) fn len(&self) -> u64 {
        self.waiting.len() as u64
    }

    pub(crate) fn add(&mut self, id: RequestId, awaits: Awaits, until: Instant) {
        self.waiting.push(Waiting { id, awaits, until });
    }

    /// A read may be answered when the machine has come to `index`.
    pub(crate) fn confirmed(&mut self, id: RequestId, index: LogIndex) {
        let read = self.waiting.iter_mut().find(|waiting| waiting.id == id);
        if let Some(waiting) = read {
            waiting.awaits = Awaits::Machine(index);
        }
    }

    /// The request whose entry is at a position.
    pub(crate) fn at(&self, position: LogPosition) -> Option<RequestId> {
        let is_it = |awaits: &Awaits| matches!(awaits, Awaits::Entry(at) if *at == position);
        self.waiting.iter().find(|waiting| is_it(&waiting.awaits)).map(|waiting| waiting.id)
    }

    /// When the first of them is given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }

    /// The answers that are due.
    pub(crate) fn answers(&mut self, progress: &Progress<'_>) -> Vec<Reply> {
        let mut replies = Vec::new();
        self.waiting.retain(|waiting| match outcome(waiting, progress) {
            None => true,
            Some(outcome) => {
                replies.push(Reply { request: waiting.id, outcome });
                false
            }
        });
        replies
    }
}

fn outcome(waiting: &Waiting, progress: &Progress<'_>) -> Option<Outcome> {
    let Progress { log, applied, commit, leader, now } = *progress;
    let decided = match &waiting.awaits {
        Awaits::Entry(position) if position.index <= applied => Some(fate(log, *position)),
        Awaits::Machine(index) if *index <= applied => Some(Outcome::Readable { index: *index }),
        Awaits::Change(position, to) if position.index <= commit => {
            let entry = place(position.index).and_then(|place| log.get(place));
            let is_it = entry.is_some_and(|entry| entry.payload == Payload::Membership(to.clone()));
            let fate = fate(log, *position);
            // One step of several was taken.
            let is_one_of_more = !is_it && matches!(fate, Outcome::Done { .. });
            Some(if is_one_of_more { Outcome::Unknown } else { fate })
        }
        Awaits::Leader(target) if leader == Some(*target) => {
            Some(Outcome::Transferred { leader: *target })
        }
        _ => None,
    };
    let refused = |refusal| Outcome::Refused { refusal, leader };
    decided.or_else(|| {
        (now >= waiting.until).then_some(match waiting.awaits {
            Awaits::Confirmation | Awaits::Machine(_) => refused(Refusal::LeadershipLost),
            Awaits::Leader(_) => refused(Refusal::TransferAborted),
            Awaits::Entry(_) | Awaits::Change(..) => Outcome::Unknown,
        })
    })
}

/// What became of the entry that was proposed at a position, now that its index is committed.
fn fate(log: &[Entry], position: LogPosition) -> Outcome {
    let term = place(position.index).and_then(|place| log.get(place)).map(|entry| entry.term);
    if term.unwrap_or(Term::ZERO) == position.term {
        Outcome::Done { position }
    } else {
        Outcome::Lost { position }
    }
}
