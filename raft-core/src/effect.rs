//! Everything a node asks of its driver.

use alloc::collections::VecDeque;

use crate::apply::Apply;
use crate::fetch::Fetch;
use crate::message::Envelope;
use crate::persist::Persist;
use crate::request::{Outcome, Reply};
use crate::snapshot::{FetchSnapshot, ReadChunk, Restore, WriteChunk};
use crate::status::Role;
use crate::types::{LogIndex, LogPosition, NodeId, RequestId, Term, Ticks};

/// One thing to do. Every effect may be carried out as soon as it is emitted, and in any order with
/// respect to other kinds: what depends on durability is withheld until the receipt has come.
#[derive(Debug)]
pub enum Effect {
    /// Make a write durable, then step with its receipt. There is at most one at a time.
    Persist(Persist),
    /// Try to deliver a message. It may be lost, delayed, repeated, reordered.
    Send(Envelope),
    /// Apply committed entries in order, then step with the receipt. There is at most one at a time.
    Apply(Apply),
    /// Load the snapshot that counts into the machine, then step with the receipt. Part of the lane of `Apply`.
    Restore(Restore),
    /// Read entries from the log's store, then step with them. There is one for each reader at a time; one for a
    /// peer that is not answered for a few heartbeats is asked again, and so is one for the machine after an election
    /// timeout. The late answer is refused.
    Fetch(Fetch),
    /// Read some of a snapshot for a peer, then step with it. There is one for each peer at a time; one that is not
    /// answered for a few heartbeats, or that the peer has no use for any more, is asked again, and the late answer
    /// refused.
    ReadChunk(ReadChunk),
    /// Stage some of a snapshot that arrives, then step with the receipt. There is at most one of this or of
    /// `FetchSnapshot` at a time.
    WriteChunk(WriteChunk),
    /// Fetch a whole snapshot from elsewhere and stage it, then step with the receipt.
    FetchSnapshot(FetchSnapshot),
    /// Answer a caller.
    Reply(Reply),
    /// Something a person may want to see. Nothing needs to be done.
    Event(Event),
}

/// Something that happened inside the protocol, for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Event {
    /// The role changed.
    RoleChanged {
        /// The role until now.
        from: Role,
        /// The role from now on.
        to: Role,
        /// The term from now on.
        term: Term,
    },
    /// The node moved to a later term.
    TermChanged {
        /// The term until now.
        from: Term,
        /// The term from now on.
        to: Term,
    },
    /// The leader this node knows of changed.
    LeaderChanged {
        /// Who leads, if anyone is known to.
        leader: Option<NodeId>,
        /// In which term.
        term: Term,
    },
    /// No leader was heard for an election timeout.
    ElectionTimeout {
        /// The term that has gone quiet.
        term: Term,
    },
    /// This node gave its vote; it is not durable yet.
    Voted {
        /// To whom.
        candidate: NodeId,
        /// In which term.
        term: Term,
    },
    /// A leader gave up its office by itself.
    SteppedDown {
        /// The term it led.
        term: Term,
        /// Why.
        reason: StepDown,
    },
    /// Entries that another leader's log contradicts were removed.
    Truncated {
        /// The first that was removed.
        from: LogIndex,
    },
    /// The membership in force changed.
    MembershipChanged {
        /// The last index of the log at that moment.
        at: LogIndex,
    },
    /// A snapshot from the leader became the one that counts.
    SnapshotInstalled {
        /// Its position.
        position: LogPosition,
    },
    /// The log was compacted.
    Compacted {
        /// What lies before its first entry now.
        base: LogPosition,
    },
    /// A peer needs a snapshot, and its transfer begins.
    SnapshotStarted {
        /// The peer.
        peer: NodeId,
        /// The snapshot's position.
        position: LogPosition,
    },
    /// A transfer of leadership begins.
    TransferStarted {
        /// Who shall lead.
        to: NodeId,
    },
    /// A transfer of leadership ended without this node handing over: it took too long, the target is no voter any
    /// more, or somebody else leads.
    TransferAborted {
        /// Who was to lead.
        to: NodeId,
    },
    /// A heartbeat and its answer took more than half the election timeout.
    HeartbeatSlow {
        /// The peer.
        peer: NodeId,
        /// How long they took.
        round_trip: Ticks,
    },
}

/// Why a leader gave up its office by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum StepDown {
    /// It had not heard from a quorum for an election timeout (thesis §6.2).
    QuorumUnheard,
    /// Its own disk had not answered for an election timeout.
    DiskStalled,
    /// It is no voter any more, by a membership that is committed (thesis §4.2.2).
    Removed,
}

/// A queue of effects, made once and used for every step: in the steady state it allocates nothing.
#[derive(Debug, Default)]
pub struct Effects {
    queue: VecDeque<Effect>,
}

impl Effects {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { queue: VecDeque::new() }
    }

    /// Takes the oldest effect.
    #[must_use]
    pub fn pop(&mut self) -> Option<Effect> {
        self.queue.pop_front()
    }

    /// How many effects wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.queue.push_back(effect);
    }

    pub(crate) fn reply(&mut self, request: RequestId, outcome: Outcome) {
        self.push(Effect::Reply(Reply { request, outcome }));
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.push(Effect::Event(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Input;
    use crate::message::Envelope;

    /// Effects and inputs are moved about for every message: nothing rare makes them larger than one.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_effect_is_no_larger_than_a_message() {
        assert!(size_of::<Effect>() <= size_of::<Envelope>());
        assert!(size_of::<Input>() <= size_of::<Envelope>());
        assert!(size_of::<Envelope>() <= 104);
    }
}
