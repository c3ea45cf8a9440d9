//! Messages that wait for the disk.
//!
//! No message leaves before the hard state it was written under is durable. What waits is state, not a
//! queue: one slot a receiver and kind, the newest message in it, keyed by the write that covers it.
//! Losing a message here is what the network does every day.
//!
//! Invariant: bounded, whoever sends what; every message is of the current term.

use alloc::vec::Vec;
use core::mem::discriminant;

use crate::effect::{Effect, Effects};
use crate::message::{AppendReply, Envelope, Message};
use crate::types::{LogIndex, Term, WriteNumber};

/// More messages than this do not wait: enough for a vote request to each of a thousand voters.
const MAX_WITHHELD: usize = 1_024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Outbox {
    withheld: Vec<Withheld>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Withheld {
    /// The write that must be durable first.
    until: WriteNumber,
    envelope: Envelope,
}

/// Whether a message is for somebody of the membership in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    Member,
    Stranger,
}

impl Outbox {
    /// A stranger gets a slot only while most are free, so that members always find one.
    pub(crate) fn withhold(&mut self, until: WriteNumber, envelope: Envelope, receiver: Receiver) {
        let most = match receiver {
            Receiver::Member => MAX_WITHHELD,
            Receiver::Stranger => MAX_WITHHELD / 4,
        };
        let same_slot = |held: &&mut Withheld| {
            held.envelope.to == envelope.to
                && discriminant(&held.envelope.message) == discriminant(&envelope.message)
        };
        if let Some(slot) = self.withheld.iter_mut().find(same_slot) {
            *slot = Withheld { until, envelope };
        } else if self.withheld.len() < most {
            self.withheld.push(Withheld { until, envelope });
        }
    }

    /// Sends everything that waited for `durable` or an earlier write.
    pub(crate) fn release(&mut self, durable: WriteNumber, effects: &mut Effects) {
        let mut place = 0;
        while place < self.withheld.len() {
            if self.withheld[place].until <= durable {
                effects.push(Effect::Send(self.withheld.remove(place).envelope));
            } else {
                place += 1;
            }
        }
    }

    /// Forgets what was written in earlier terms.
    pub(crate) fn enter(&mut self, term: Term) {
        self.withheld.retain(|held| held.envelope.term >= term);
    }

    /// Entries from `first` on are removed: no acknowledgement of them leaves. (No honest leader lets a node remove what it
    /// has acknowledged in the leader's own term.)
    pub(crate) fn truncate_from(&mut self, first: LogIndex) {
        self.withheld.retain(|held| match &held.envelope.message {
            Message::AppendReply(AppendReply::Accepted { matched }) => *matched < first,
            _ => true,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.withheld.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Ballot, WireVersion};
    use crate::types::{ClusterId, NodeId};

    fn vote(to: u64, term: u64, ballot: Ballot) -> Envelope {
        Envelope {
            version: WireVersion::CURRENT,
            cluster: ClusterId(1),
            from: NodeId(1),
            to: NodeId(to),
            term: Term(term),
            message: Message::VoteReply { ballot },
        }
    }

    /// One slot a receiver and kind; the newest message stays, and waits for the write that covers it.
    #[test]
    fn a_slot_holds_the_newest() {
        let (mut outbox, mut effects) = (Outbox::default(), Effects::new());
        outbox.withhold(WriteNumber(1), vote(2, 1, Ballot::Refused), Receiver::Member);
        outbox.withhold(WriteNumber(2), vote(2, 1, Ballot::Granted), Receiver::Member);
        outbox.withhold(WriteNumber(1), vote(3, 1, Ballot::Refused), Receiver::Member);
        assert_eq!(outbox.len(), 2);
        outbox.release(WriteNumber(1), &mut effects);
        assert_eq!((outbox.len(), effects.len()), (1, 1));
        outbox.release(WriteNumber(2), &mut effects);
        drop(effects.pop());
        let Some(Effect::Send(sent)) = effects.pop() else { panic!("the other message") };
        assert_eq!(sent, vote(2, 1, Ballot::Granted));
    }

    /// A later term makes what waited pointless; the number of slots is bounded.
    #[test]
    fn slots_are_bounded() {
        let mut outbox = Outbox::default();
        for receiver in 0..5_000 {
            outbox.withhold(WriteNumber(1), vote(receiver, 1, Ballot::Refused), Receiver::Member);
        }
        assert_eq!(outbox.len(), MAX_WITHHELD);
        outbox.enter(Term(2));
        assert_eq!(outbox.len(), 0);
    }
}
