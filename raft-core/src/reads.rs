//! Reads of this node that wait: for the leader to say what must be applied, then for the machine to get there
//! (thesis §6.4).
//!
//! All reads that come in while a question is under way share the next one. A question may be asked again: the
//! answer to the later one is good for all before it.
//!
//! Invariant: `answered <= asked <= next`; what waits under a number is answered by it or by a later one.

use alloc::collections::VecDeque;

use crate::effect::Effects;
use crate::request::{Outcome, Refusal};
use crate::types::{Instant, LogIndex, NodeId, RequestId, Ticks};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Reads {
    /// The number of the last question.
    asked: u64,
    /// When it was asked last.
    asked_at: Instant,
    /// The number of the last question that was answered, or given up.
    answered: u64,
    /// Reads by the question they wait for: `asked`, or the one after it. Deadlines rise.
    waiting: VecDeque<Read<u64>>,
    /// Reads by what must be applied. Deadlines rise.
    ready: VecDeque<Read<LogIndex>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Read<K> {
    key: K,
    request: RequestId,
    deadline: Instant,
}

impl Reads {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.ready.len()
    }

    /// The number of the last question: those that were asked run from 1 to this.
    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    pub(crate) fn deadline(&self) -> Instant {
        let waiting = self.waiting.front().map_or(Instant::NEVER, |read| read.deadline);
        let ready = self.ready.front().map_or(Instant::NEVER, |read| read.deadline);
        waiting.min(ready)
    }

    pub(crate) fn add(&mut self, request: RequestId, deadline: Instant) {
        self.waiting.push_back(Read { key: self.asked + 1, request, deadline });
    }

    /// The number of a question to be asked now, if reads wait for one and none is under way.
    pub(crate) fn question(&mut self, now: Instant) -> Option<u64> {
        let is_due = self.answered == self.asked && !self.waiting.is_empty();
        is_due.then(|| {
            (self.asked, self.asked_at) = (self.asked + 1, now);
            self.asked
        })
    }

    /// The number of the question that is under way, if it was asked `patience` ago or earlier: it, or its answer,
    /// may be lost, and is asked again.
    pub(crate) fn overdue_question(&mut self, now: Instant, patience: Ticks) -> Option<u64> {
        let is_overdue = self.answered < self.asked && now.since(self.asked_at) >= patience;
        is_overdue.then(|| {
            self.asked_at = now;
            self.asked
        })
    }

    /// The leader says that everything the reads of a question must see lies up to `index`.
    pub(crate) fn answer(&mut self, sequence: u64, index: LogIndex) {
        if sequence <= self.answered || sequence > self.asked {
            return;
        }
        self.answered = sequence;
        while let Some(read) = take_first(&mut self.waiting, |read| read.key <= sequence) {
            self.ready.push_back(Read {
                key: index,
                request: read.request,
                deadline: read.deadline,
            });
        }
    }

    /// The machine holds everything up to `applied`.
    pub(crate) fn applied(&mut self, applied: LogIndex, effects: &mut Effects) {
        if !self.ready.is_empty() {
            self.answer_ready(applied, effects);
        }
    }

    fn answer_ready(&mut self, applied: LogIndex, effects: &mut Effects) {
        // A later question's answer may be lower, when it comes from another leader.
        self.ready.retain(|read| {
            let is_ready = read.key <= applied;
            if is_ready {
                effects.reply(read.request, Outcome::Readable { index: read.key });
            }
            !is_ready
        });
    }

    /// The leader that was asked leads no more. What it has answered stays true.
    pub(crate) fn abandon(&mut self, leader: Option<NodeId>, effects: &mut Effects) {
        self.answered = self.asked;
        for read in self.waiting.drain(..) {
            let refusal = Refusal::LeadershipLost;
            effects.reply(read.request, Outcome::Refused { refusal, leader });
        }
    }

    /// Answers what has waited too long. A read has no effect, so it was not done.
    pub(crate) fn expire(&mut self, now: Instant, effects: &mut Effects) {
        while let Some(read) = take_first(&mut self.waiting, |read| read.deadline <= now) {
            effects.reply(read.request, Outcome::Unknown);
        }
        while let Some(read) = take_first(&mut self.ready, |read| read.deadline <= now) {
            effects.reply(read.request, Outcome::Unknown);
        }
    }
}

fn take_first<K: Copy>(
    queue: &mut VecDeque<Read<K>>,
    is_it: impl Fn(&Read<K>) -> bool,
) -> Option<Read<K>> {
    queue.front().is_some_and(is_it).then(|| queue.pop_front()).flatten()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::effect::Effect;

    const NOW: Instant = Instant(10);
    const LATER: Instant = Instant(1_000);

    fn replies(effects: &mut Effects) -> Vec<(u64, Outcome)> {
        let mut replies = Vec::new();
        while let Some(effect) = effects.pop() {
            if let Effect::Reply(reply) = effect {
                replies.push((reply.request.0, reply.outcome));
            }
        }
        replies
    }

    /// Reads that come while a question is under way wait for the next: its answer may be older than they are.
    #[test]
    fn a_read_waits_for_a_question_asked_after_it() {
        let (mut reads, mut effects) = (Reads::default(), Effects::new());
        reads.add(RequestId(1), LATER);
        assert_eq!((reads.question(NOW), reads.question(NOW)), (Some(1), None));
        reads.add(RequestId(2), LATER);
        reads.answer(1, LogIndex(5));
        reads.applied(LogIndex(4), &mut effects);
        assert!(effects.is_empty());
        reads.applied(LogIndex(5), &mut effects);
        assert_eq!(replies(&mut effects), [(1, Outcome::Readable { index: LogIndex(5) })]);
        assert_eq!(reads.question(NOW), Some(2));
        assert_eq!(reads.overdue_question(Instant(14), Ticks(5)), None, "be patient");
        assert_eq!(reads.overdue_question(Instant(15), Ticks(5)), Some(2));
        reads.answer(1, LogIndex(9));
        assert_eq!(
            reads.overdue_question(Instant(20), Ticks(5)),
            Some(2),
            "it is not answered by that"
        );
        reads.answer(2, LogIndex(5));
        reads.applied(LogIndex(5), &mut effects);
        assert_eq!(replies(&mut effects), [(2, Outcome::Readable { index: LogIndex(5) })]);
        assert_eq!(reads.len(), 0);
    }

    /// A deposed leader's reads are refused, but for those that it had confirmed.
    #[test]
    fn what_is_confirmed_outlives_the_leader() {
        let (mut reads, mut effects) = (Reads::default(), Effects::new());
        reads.add(RequestId(1), LATER);
        assert_eq!(reads.question(NOW), Some(1));
        reads.answer(1, LogIndex(5));
        reads.add(RequestId(2), LATER);
        assert_eq!(reads.question(NOW), Some(2));
        reads.abandon(None, &mut effects);
        let refused = Outcome::Refused { refusal: Refusal::LeadershipLost, leader: None };
        assert_eq!(replies(&mut effects), [(2, refused)]);
        reads.answer(2, LogIndex(0));
        reads.applied(LogIndex(5), &mut effects);
        assert_eq!(replies(&mut effects), [(1, Outcome::Readable { index: LogIndex(5) })]);
        reads.add(RequestId(3), Instant(7));
        reads.expire(Instant(7), &mut effects);
        assert_eq!(replies(&mut effects), [(3, Outcome::Unknown)]);
    }
}
