//! Requests that wait for their one answer.
//!
//! A request waits in exactly one place: at a position of the log, when it was appended here; under a
//! forward's number, when it was passed on; or in the batch that the machine is applying. It leaves with
//! its answer, and every answer is given here.
//!
//! Truncation is not an answer: the entry may live on elsewhere and commit later (paper Figure 8). It is
//! lost only when another entry is *committed* in its place.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::effect::{Effect, Effects};
use crate::entry::{Entries, Payload};
use crate::persist::Life;
use crate::request::{Outcome, Reply};
use crate::types::{Instant, LogIndex, LogPosition, RequestId, Term};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    /// Appended here. Positions are given in rising order, and so are deadlines.
    appended: VecDeque<Waiting<LogPosition>>,
    /// Passed on to the leader. Numbers and deadlines rise.
    forwarded: VecDeque<Waiting<u64>>,
    /// How many forwards there have been.
    sequence: u64,
    /// In the batch that is being applied.
    applying: Vec<(LogPosition, RequestId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Waiting<K> {
    key: K,
    request: RequestId,
    deadline: Instant,
}

impl Pending {
    pub(crate) fn len(&self) -> usize {
        self.appended.len() + self.forwarded.len() + self.applying.len()
    }

    /// When the next request must be answered.
    pub(crate) fn deadline(&self) -> Instant {
        let appended = self.appended.front().map_or(Instant::NEVER, |waiting| waiting.deadline);
        let forwarded = self.forwarded.front().map_or(Instant::NEVER, |waiting| waiting.deadline);
        appended.min(forwarded)
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
        if let Some(request) = take(&mut self.forwarded, &sequence) {
            answer(request, outcome, effects);
        }
    }

    /// The leader is gone, and with it the knowledge of what became of the forwards.
    pub(crate) fn abandon_forwards(&mut self, effects: &mut Effects) {
        for waiting in self.forwarded.drain(..) {
            answer(waiting.request, Outcome::Unknown, effects);
        }
    }

    /// Answers what has waited too long.
    pub(crate) fn expire(&mut self, now: Instant, effects: &mut Effects) {
        expire(&mut self.appended, now, effects);
        expire(&mut self.forwarded, now, effects);
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
        if self.appended.is_empty() && self.forwarded.is_empty() {
            return Vec::new();
        }
        for (offset, entry) in entries.iter().enumerate() {
            let position = LogPosition::new(entry.term, first.advanced(offset));
            let request = match &entry.payload {
                Payload::Command { origin: Some(origin), .. } => (origin.node == life.node
                    && origin.incarnation == life.incarnation)
                    .then(|| take(&mut self.forwarded, &origin.sequence))
                    .flatten(),
                _ => take(&mut self.appended, &position),
            };
            self.applying.extend(request.map(|request| (position, request)));
        }
        let last = entries.last().map_or(Term::ZERO, |entry| entry.term);
        self.lose(first.advanced(entries.len()).previous(), last, effects);
        self.applying.iter().map(|(position, request)| (position.index, *request)).collect()
    }

    /// The machine has taken the batch.
    pub(crate) fn applied(&mut self, effects: &mut Effects) {
        for (position, request) in self.applying.drain(..) {
            answer(request, Outcome::Done { position }, effects);
        }
    }

    /// Everything up to `committed` is decided. What still waits there waits in vain: it was proposed in
    /// an earlier term than the entry that took its place.
    fn lose(&mut self, committed: LogIndex, term: Term, effects: &mut Effects) {
        if self.appended.front().is_some_and(|waiting| waiting.key.term < term) {
            self.appended.retain(|waiting| {
                let is_lost = waiting.key.index <= committed;
                if is_lost {
                    answer(waiting.request, Outcome::Lost { position: waiting.key }, effects);
                }
                !is_lost
            });
        }
    }
}

fn answer(request: RequestId, outcome: Outcome, effects: &mut Effects) {
    effects.push(Effect::Reply(Reply { request, outcome }));
}

fn take<K: Ord>(queue: &mut VecDeque<Waiting<K>>, key: &K) -> Option<RequestId> {
    let place = queue.binary_search_by(|waiting| waiting.key.cmp(key)).ok()?;
    queue.remove(place).map(|waiting| waiting.request)
}

fn expire<K>(queue: &mut VecDeque<Waiting<K>>, now: Instant, effects: &mut Effects) {
    while let Some(waiting) = queue.front().filter(|waiting| waiting.deadline <= now) {
        answer(waiting.request, Outcome::Unknown, effects);
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;

    use super::*;
    use crate::entry::{Entry, Origin};
    use crate::types::{Incarnation, NodeId};

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
        let entries = entries.into_iter().collect();
        let named = pending.applying(LogIndex(first), &entries, LIFE, effects);
        pending.applied(effects);
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
