//! Requests that wait for their one answer.
//!
//! A request waits in exactly one place: at a position of the log, when it was appended here; under a
//! forward's number, when it was passed on; in the batch that the machine is applying; for the end of a change
//! of membership, for another leader, or among the reads. It leaves with its answer, and every answer is given
//! here.
//!
//! Truncation is not an answer: the entry may live on elsewhere and commit later (paper Figure 8). It is
//! lost only when another entry is *committed* in its place.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::effect::Effects;
use crate::entry::{Entries, Payload};
use crate::membership::Membership;
use crate::reads::Reads;
use crate::request::{Outcome, Refusal};
use crate::token::Life;
use crate::types::{Instant, LogIndex, LogPosition, NodeId, RequestId, Term};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Pending {
    /// Appended here. Positions are given in rising order, and so are deadlines.
    appended: VecDeque<Waiting<LogPosition>>,
    /// Passed on to the leader. Numbers and deadlines rise.
    forwarded: VecDeque<Waiting<u64>>,
    /// How many forwards there have been.
    sequence: u64,
    /// In the batch that is being applied.
    applying: Vec<(LogPosition, RequestId)>,
    /// A change of membership whose joint configuration is committed; it waits for the final one.
    leaving_joint: Option<Waiting<LogPosition>>,
    /// A transfer of leadership, by its target.
    transfer: Option<Waiting<NodeId>>,
    pub(crate) reads: Reads,
}

/// A request that waits, by what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Waiting<K> {
    key: K,
    request: RequestId,
    deadline: Instant,
}

impl Pending {
    pub(crate) fn len(&self) -> usize {
        let changes =
            usize::from(self.leaving_joint.is_some()) + usize::from(self.transfer.is_some());
        let proposals = self.appended.len() + self.forwarded.len() + self.applying.len();
        proposals + changes + self.reads.len()
    }

    /// When the next request must be answered.
    pub(crate) fn deadline(&self) -> Instant {
        let appended = self.appended.front().map_or(Instant::NEVER, |waiting| waiting.deadline);
        let forwarded = self.forwarded.front().map_or(Instant::NEVER, |waiting| waiting.deadline);
        let leaving = self.leaving_joint.map_or(Instant::NEVER, |waiting| waiting.deadline);
        let transfer = self.transfer.map_or(Instant::NEVER, |waiting| waiting.deadline);
        appended.min(forwarded).min(leaving).min(transfer).min(self.reads.deadline())
    }

    /// How many proposals were passed on so far: their numbers run from 1 to this.
    pub(crate) fn forwards(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn appended(
        &mut self,
        position: LogPosition,
        request: RequestId,
        deadline: Instant,
    ) {
        debug_assert!(self.appended.back().is_none_or(|last| last.key < position));
        self.appended.push_back(Waiting { key: position, request, deadline });
    }

    /// Notes a proposal that is passed on, and numbers it.
    pub(crate) fn forward(&mut self, request: RequestId, deadline: Instant) -> u64 {
        self.sequence += 1;
        self.forwarded.push_back(Waiting { key: self.sequence, request, deadline });
        self.sequence
    }

    /// The leader will not take a forward.
    pub(crate) fn refuse(&mut self, sequence: u64, outcome: Outcome, effects: &mut Effects) {
        if let Some(waiting) = take(&mut self.forwarded, &sequence) {
            effects.reply(waiting.request, outcome);
        }
    }

    /// The leader is gone, and with it the knowledge of what became of the forwards.
    pub(crate) fn abandon_forwards(&mut self, effects: &mut Effects) {
        for waiting in self.forwarded.drain(..) {
            effects.reply(waiting.request, Outcome::Unknown);
        }
    }

    /// Notes a transfer that was begun.
    pub(crate) fn transfer(&mut self, to: NodeId, request: RequestId, deadline: Instant) {
        debug_assert!(self.transfer.is_none(), "one transfer is under way at a time");
        self.transfer = Some(Waiting { key: to, request, deadline });
    }

    pub(crate) fn is_transferring(&self) -> bool {
        self.transfer.is_some()
    }

    /// The transfer has come to nothing, for certain or as far as can be known.
    pub(crate) fn end_transfer(&mut self, outcome: Outcome, effects: &mut Effects) {
        if let Some(waiting) = self.transfer.take() {
            effects.reply(waiting.request, outcome);
        }
    }

    /// Another leader, or none, is known now.
    pub(crate) fn leader_changed(&mut self, leader: Option<NodeId>, effects: &mut Effects) {
        self.abandon_forwards(effects);
        self.reads.abandon(leader, effects);
        let Some((leader, transfer)) = leader.zip(self.transfer) else { return };
        if leader == transfer.key {
            self.end_transfer(Outcome::Transferred { leader }, effects);
        } else {
            let refusal = Refusal::TransferAborted;
            self.end_transfer(Outcome::Refused { refusal, leader: Some(leader) }, effects);
        }
    }

    /// Answers what has waited too long.
    pub(crate) fn expire(&mut self, now: Instant, effects: &mut Effects) {
        if self.len() == 0 {
            return;
        }
        expire(&mut self.appended, now, effects);
        expire(&mut self.forwarded, now, effects);
        self.reads.expire(now, effects);
        if let Some(waiting) = self.leaving_joint.take_if(|waiting| waiting.deadline <= now) {
            effects.reply(waiting.request, Outcome::Unknown);
        }
        if self.transfer.is_some_and(|waiting| waiting.deadline <= now) {
            self.end_transfer(Outcome::Unknown, effects);
        }
    }

    /// The machine skips to `restored` by a snapshot: what was at or before it cannot be known.
    pub(crate) fn skip(&mut self, restored: LogIndex, effects: &mut Effects) {
        self.appended.retain(|waiting| {
            let is_skipped = waiting.key.index <= restored;
            if is_skipped {
                effects.reply(waiting.request, Outcome::Unknown);
            }
            !is_skipped
        });
        if let Some(waiting) = self.leaving_joint.take() {
            effects.reply(waiting.request, Outcome::Unknown);
        }
    }

    /// Committed entries go to the machine: answers the requests that lost their place to one of them, and
    /// names those that it holds.
    pub(crate) fn applying(
        &mut self,
        first: LogIndex,
        entries: &Entries,
        life: Life,
        effects: &mut Effects,
    ) -> Vec<(LogIndex, RequestId)> {
        debug_assert!(self.applying.is_empty(), "one batch is out at a time");
        if self.appended.is_empty() && self.forwarded.is_empty() && self.leaving_joint.is_none() {
            return Vec::new();
        }
        for (offset, entry) in entries.iter().enumerate() {
            let position = LogPosition::new(entry.term, first.advanced(offset));
            let request = match &entry.payload {
                Payload::Command { origin: Some(origin), .. } => (origin.node == life.node
                    && origin.incarnation == life.incarnation)
                    .then(|| take(&mut self.forwarded, &origin.sequence))
                    .flatten()
                    .map(|waiting| waiting.request),
                Payload::Membership(membership) => self.changed(position, membership),
                _ => take(&mut self.appended, &position).map(|waiting| waiting.request),
            };
            self.applying.extend(request.map(|request| (position, request)));
        }
        let last = entries.last().map_or(Term::ZERO, |entry| entry.term);
        self.lose(first.advanced(entries.len()).previous(), last, effects);
        self.applying.iter().map(|(position, request)| (position.index, *request)).collect()
    }

    /// A membership is committed: says which request is done by it. The one that asked for a joint configuration
    /// goes on waiting, for whichever leader leaves it.
    fn changed(&mut self, position: LogPosition, membership: &Membership) -> Option<RequestId> {
        let waiting = take(&mut self.appended, &position);
        if membership.is_joint() {
            // No honest leader follows one with another: the first must be left before.
            self.leaving_joint = self.leaving_joint.or(waiting);
            None
        } else {
            waiting.or(self.leaving_joint.take()).map(|waiting| waiting.request)
        }
    }

    /// The machine has taken the batch, or was restored, and now holds everything up to `applied`.
    pub(crate) fn applied(&mut self, applied: LogIndex, effects: &mut Effects) {
        for (position, request) in self.applying.drain(..) {
            effects.reply(request, Outcome::Done { position });
        }
        self.reads.applied(applied, effects);
    }

    /// Everything up to `committed` is decided. What still waits there waits in vain: it was proposed in
    /// an earlier term than the entry that took its place.
    fn lose(&mut self, committed: LogIndex, term: Term, effects: &mut Effects) {
        if self.appended.front().is_some_and(|waiting| waiting.key.term < term) {
            self.appended.retain(|waiting| {
                let is_lost = waiting.key.index <= committed;
                if is_lost {
                    effects.reply(waiting.request, Outcome::Lost { position: waiting.key });
                }
                !is_lost
            });
        }
    }
}

#[inline]
fn take<K: Ord>(queue: &mut VecDeque<Waiting<K>>, key: &K) -> Option<Waiting<K>> {
    // As a rule it is the first: what was asked first is done first.
    if queue.front().is_some_and(|waiting| waiting.key == *key) {
        return queue.pop_front();
    }
    let place = queue.binary_search_by(|waiting| waiting.key.cmp(key)).ok()?;
    queue.remove(place)
}

/// Answers those of a queue whose time is up.
fn expire<K>(queue: &mut VecDeque<Waiting<K>>, now: Instant, effects: &mut Effects) {
    while let Some(waiting) = queue.front().filter(|waiting| waiting.deadline <= now) {
        effects.reply(waiting.request, Outcome::Unknown);
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;

    use super::*;
    use crate::effect::Effect;
    use crate::entry::{Entry, Origin};
    use crate::request::Reply;
    use crate::types::Incarnation;

    const LIFE: Life = Life { node: NodeId(1), incarnation: Incarnation(2), started: Instant(0) };
    const LATER: Instant = Instant(1_000);

    fn at(term: u64, index: u64) -> LogPosition {
        LogPosition::new(Term(term), LogIndex(index))
    }

    fn local(term: u64) -> Entry {
        Entry { term: Term(term), payload: Payload::command("x") }
    }

    fn forwarded(term: u64, incarnation: u64, sequence: u64) -> Entry {
        let incarnation = Incarnation(incarnation);
        let origin = Some(Box::new(Origin { node: LIFE.node, incarnation, sequence }));
        Entry { term: Term(term), payload: Payload::Command { data: "x".into(), origin } }
    }

    /// Applies entries; returns which requests the batch names.
    fn apply(
        pending: &mut Pending,
        first: u64,
        entries: impl IntoIterator<Item = Entry>,
        effects: &mut Effects,
    ) -> Vec<u64> {
        let entries: Entries = entries.into_iter().collect();
        let named = pending.applying(LogIndex(first), &entries, LIFE, effects);
        pending.applied(LogIndex(first).advanced(entries.len()).previous(), effects);
        named.into_iter().map(|(_, request)| request.0).collect()
    }

    fn replies(effects: &mut Effects) -> Vec<(u64, Outcome)> {
        let mut replies = Vec::new();
        while let Some(effect) = effects.pop() {
            if let Effect::Reply(Reply { request, outcome }) = effect {
                replies.push((request.0, outcome));
            }
        }
        replies
    }

    /// Fine point 2: lost are those whose index was taken by another term, and no others.
    #[test]
    fn lost_is_what_another_entry_replaced() {
        let (mut pending, mut effects) = (Pending::default(), Effects::new());
        for (index, request) in [(5, 50), (6, 60), (7, 70)] {
            pending.appended(at(1, index), RequestId(request), LATER);
        }
        pending.appended(at(3, 7), RequestId(71), LATER);
        assert_eq!(apply(&mut pending, 5, [local(1), local(2)], &mut effects), [50]);
        let expected = [
            (60, Outcome::Lost { position: at(1, 6) }),
            (50, Outcome::Done { position: at(1, 5) }),
        ];
        assert_eq!(replies(&mut effects), expected, "of 7 nothing is decided");
        assert_eq!(apply(&mut pending, 7, [local(3)], &mut effects), [71]);
        let expected = [
            (70, Outcome::Lost { position: at(1, 7) }),
            (71, Outcome::Done { position: at(3, 7) }),
        ];
        assert_eq!(replies(&mut effects), expected);
        assert_eq!(pending.len(), 0);
    }

    /// A forward is known again by its number and the life it was sent in.
    #[test]
    fn a_forward_is_known_by_its_life_and_number() {
        let (mut pending, mut effects) = (Pending::default(), Effects::new());
        assert_eq!(pending.forward(RequestId(10), LATER), 1);
        assert_eq!(pending.forward(RequestId(20), LATER), 2);
        let entries = [forwarded(1, 1, 1), forwarded(1, 2, 2), forwarded(1, 2, 9), local(1)];
        assert_eq!(apply(&mut pending, 1, entries, &mut effects), [20]);
        assert_eq!(replies(&mut effects), [(20, Outcome::Done { position: at(1, 2) })]);
        assert_eq!(pending.len(), 1);
    }

    /// Whatever ends a request ends it once.
    #[test]
    fn every_request_ends_once() {
        let (mut pending, mut effects) = (Pending::default(), Effects::new());
        pending.appended(at(1, 1), RequestId(1), Instant(10));
        let sequence = pending.forward(RequestId(2), Instant(20));
        pending.forward(RequestId(3), Instant(30));
        pending.refuse(sequence, Outcome::Unknown, &mut effects);
        pending.refuse(sequence, Outcome::Unknown, &mut effects);
        assert_eq!(pending.deadline(), Instant(10));
        pending.expire(Instant(9), &mut effects);
        pending.expire(Instant(10), &mut effects);
        pending.abandon_forwards(&mut effects);
        pending.abandon_forwards(&mut effects);
        pending.expire(Instant(99), &mut effects);
        let expected = [(2, Outcome::Unknown), (1, Outcome::Unknown), (3, Outcome::Unknown)];
        assert_eq!(replies(&mut effects), expected);
        assert!(apply(&mut pending, 1, [local(1), forwarded(1, 2, 2)], &mut effects).is_empty());
        assert_eq!((replies(&mut effects).len(), pending.deadline()), (0, Instant::NEVER));
    }
}
