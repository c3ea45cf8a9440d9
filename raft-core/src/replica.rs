//! The part of a node that does not depend on its role: what it remembers, and its lanes to the outside.
//!
//! Invariant: `hard_state.term` never falls, and the vote changes within a term from nobody to somebody
//! only.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::apply::{Applied, Apply};
use crate::config::Config;
use crate::effect::{Effect, Effects, Event};
use crate::entry::{Entry, Payload};
use crate::log::{Limits, Log};
use crate::membership::{Membership, Memberships};
use crate::message::{AppendEntries, Envelope, Message, WireVersion};
use crate::outbox::{Outbox, Receiver};
use crate::pending::Pending;
use crate::persist::{HardState, Life, Persisted};
use crate::rejection::{Rejection, Rejections};
use crate::rng::Jitter;
use crate::types::{Instant, LogIndex, LogPosition, NodeId, Term, Ticks};
use crate::write_lane::WriteLane;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    pub(crate) config: Config,
    /// The latest reading of the clock. Never falls.
    pub(crate) now: Instant,
    pub(crate) hard_state: HardState,
    pub(crate) log: Log,
    pub(crate) memberships: Memberships,
    pub(crate) lane: WriteLane,
    pub(crate) outbox: Outbox,
    pub(crate) pending: Pending,
    pub(crate) machine: MachineLane,
    pub(crate) jitter: Jitter,
    pub(crate) rejections: Rejections,
}

/// The state machine's progress. One batch is out at a time.
///
/// Invariant: `applied <= handed <= commit`, and `handed <= durable` when it rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MachineLane {
    /// Up to here the machine has reported.
    pub(crate) applied: LogIndex,
    /// Up to here it has been given entries.
    pub(crate) handed: LogIndex,
}

impl Replica {
    pub(crate) fn id(&self) -> NodeId {
        self.config.id
    }

    pub(crate) fn term(&self) -> Term {
        self.hard_state.term
    }

    pub(crate) fn life(&self) -> Life {
        self.lane.life()
    }

    pub(crate) fn membership(&self) -> &Arc<Membership> {
        self.memberships.active()
    }

    pub(crate) fn advance_clock(&mut self, now: Instant) {
        self.now = self.now.max(now.min(Instant::LAST));
    }

    pub(crate) fn draw_election_timeout(&mut self) -> Ticks {
        self.jitter.election_timeout(self.config.election_timeout)
    }

    /// Whether this node may stand for election now: it is a voter, terms are left, and its disk answers
    /// (a candidate whose vote cannot become durable would only disturb).
    pub(crate) fn may_campaign(&self) -> bool {
        self.membership().is_voter(self.id())
            && self.term() < Term::MAX
            && !self.lane.is_stalled(self.now, self.config.election_timeout)
    }

    /// Moves to a later term, in which nobody has this node's vote yet.
    pub(crate) fn enter(&mut self, term: Term) {
        assert!(term > self.term(), "INV-6: the term never falls");
        self.hard_state.term = term;
        self.hard_state.vote = None;
        self.outbox.enter(term);
    }

    pub(crate) fn vote_for(&mut self, candidate: NodeId, effects: &mut Effects) {
        assert!(
            self.hard_state.vote.is_none_or(|vote| vote == candidate),
            "INV-7: one vote a term (paper §5.2)"
        );
        if self.hard_state.vote.is_none() {
            self.hard_state.vote = Some(candidate);
            effects.event(Event::Voted { candidate, term: self.term() });
        }
    }

    /// Sends a message, now or when the hard state it was written under is durable.
    pub(crate) fn send(&mut self, to: NodeId, message: Message, effects: &mut Effects) {
        let envelope = Envelope {
            version: WireVersion::CURRENT,
            cluster: self.config.cluster,
            from: self.id(),
            to,
            term: self.term(),
            message,
        };
        match self.lane.covering(self.hard_state) {
            None => effects.push(Effect::Send(envelope)),
            Some(until) => {
                let receiver = if self.membership().contains(to) {
                    Receiver::Member
                } else {
                    Receiver::Stranger
                };
                self.outbox.withhold(until, envelope, receiver);
            }
        }
    }

    pub(crate) fn is_hard_state_durable(&self) -> bool {
        self.lane.covering(self.hard_state).is_none()
    }

    /// Appends an entry of this node's own making, as the leader of the current term.
    pub(crate) fn append(&mut self, payload: Payload, effects: &mut Effects) -> LogPosition {
        self.push_entry(Entry { term: self.term(), payload }, effects)
    }

    /// Takes the leader's entries after `previous`, which the log holds: skips those it has, removes what
    /// contradicts them, appends the rest (paper §5.3). Returns the last index up to which the log now
    /// equals the leader's, which is less than the message's when memory is short.
    pub(crate) fn take_entries(
        &mut self,
        append: &AppendEntries,
        effects: &mut Effects,
    ) -> LogIndex {
        let base = self.log.base().index;
        let mut index = append.previous.index;
        for entry in append.entries.iter() {
            let next = index.next();
            if next > base {
                match self.log.term_at(next) {
                    Some(term) if term == entry.term => {}
                    conflict => {
                        if conflict.is_some() {
                            self.truncate_from(next, effects);
                        }
                        if !self.has_room_for(entry) {
                            break;
                        }
                        self.push_entry(entry.clone(), effects);
                    }
                }
            }
            index = next;
        }
        index
    }

    /// Whether another entry may wait for the disk. One always may.
    fn has_room_for(&self, entry: &Entry) -> bool {
        let waiting = self.log.undurable_bytes();
        waiting == 0 || waiting + entry.size() <= self.config.max_undurable_bytes
    }

    fn push_entry(&mut self, entry: Entry, effects: &mut Effects) -> LogPosition {
        let membership = match &entry.payload {
            Payload::Membership(membership) => Some(membership.clone()),
            Payload::Blank | Payload::Command { .. } => None,
        };
        let position = self.log.append(entry);
        if let Some(membership) = membership {
            self.memberships.append(position.index, membership);
            effects.event(Event::MembershipChanged { at: position.index });
        }
        position
    }

    fn truncate_from(&mut self, first: LogIndex, effects: &mut Effects) {
        self.log.truncate_from(first);
        effects.event(Event::Truncated { from: first });
        if self.memberships.truncate_from(first) {
            effects.event(Event::MembershipChanged { at: self.log.last_index() });
        }
    }

    /// Takes the receipt of a write: the marks move, and what waited for it leaves.
    pub(crate) fn persisted(&mut self, receipt: &Persisted, effects: &mut Effects) {
        if self.lane.complete(receipt) {
            self.log.complete();
            self.outbox.release(receipt.number(), effects);
        } else {
            self.rejections.add(Rejection::ForeignReceipt);
        }
    }

    /// Takes the receipt of a batch: its requests are answered.
    pub(crate) fn applied(&mut self, receipt: &Applied, effects: &mut Effects) {
        let is_outstanding =
            self.machine.applied < self.machine.handed && receipt.last == self.machine.handed;
        if receipt.life == self.life() && is_outstanding {
            self.machine.applied = receipt.last;
            self.pending.applied(effects);
        } else {
            self.rejections.add(Rejection::ForeignReceipt);
        }
    }

    /// Hands the machine what is committed and durable here, if it is idle.
    pub(crate) fn hand_to_machine(&mut self, effects: &mut Effects) {
        let until = self.log.commit().min(self.log.durable());
        if self.machine.applied < self.machine.handed || until <= self.machine.handed {
            return;
        }
        let limits = Limits {
            until,
            bytes: self.config.max_batch_bytes,
            entries: self.config.max_batch_entries,
        };
        let first = self.machine.handed.next();
        let entries = self.log.batch_after(self.machine.handed, limits);
        self.machine.handed = self.machine.handed.advanced(entries.len());
        debug_assert!(
            self.machine.handed <= until,
            "INV-8: only what is committed and durable is applied"
        );
        let requests: Vec<_> = self.pending.applying(first, &entries, self.life(), effects);
        effects.push(Effect::Apply(Apply::new(self.life(), first, entries, requests)));
    }

    /// Starts the next write, if there is something to write and none is under way.
    pub(crate) fn start_write(&mut self, effects: &mut Effects) {
        if self.lane.is_due(self.hard_state, &self.log) {
            effects.push(Effect::Persist(self.lane.submit(
                self.hard_state,
                &mut self.log,
                self.now,
            )));
        }
    }
}
