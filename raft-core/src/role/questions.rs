//! Questions to a leader: what must be applied for a read to see everything? (thesis §6.4)
//!
//! A leader may answer once it has committed an entry of its own term, since until then it does not know what
//! is committed; and once a quorum has answered a heartbeat that was sent after the question came, since until
//! then another may lead.
//!
//! Invariant: bounded: one question a member, the last; it stands for all that the member asked before.

use alloc::vec::Vec;

use crate::types::{Incarnation, LogIndex, NodeId, Round};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Questions {
    open: Vec<Question>,
    /// The last round that was begun for a question.
    begun: Round,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Question {
    pub(crate) from: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) sequence: u64,
    held: Option<Held>,
}

/// What a question waits for, once the leader knows what is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Held {
    /// The answer.
    index: LogIndex,
    /// The round that must be confirmed first.
    round: Round,
}

impl Questions {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Notes a question, unless it is an old one.
    pub(crate) fn ask(&mut self, from: NodeId, incarnation: Incarnation, sequence: u64) {
        let question = Question { from, incarnation, sequence, held: None };
        match self.open.iter_mut().find(|open| open.from == from) {
            None => self.open.push(question),
            Some(open) if (open.incarnation, open.sequence) < (incarnation, sequence) => {
                *open = question;
            }
            Some(_) => {}
        }
    }

    /// Everything up to `commit` is known to be committed: new questions wait for the round after `current`.
    pub(crate) fn hold(&mut self, commit: LogIndex, current: Round) {
        let round = Round(current.0 + 1);
        for question in self.open.iter_mut().filter(|question| question.held.is_none()) {
            question.held = Some(Held { index: commit, round });
        }
    }

    /// Whether a round is to be begun now: somebody waits for the one after `current`, and the last that was
    /// begun for questions is confirmed. (If its messages are lost, the next regular round does as well.)
    pub(crate) fn wants_round(&self, current: Round, confirmed: Round) -> bool {
        let waits = |held: Held| held.round > current;
        confirmed >= self.begun && self.open.iter().filter_map(|open| open.held).any(waits)
    }

    pub(crate) fn begin(&mut self, round: Round) {
        self.begun = round;
    }

    /// Takes a question that can be answered when everything up to the round `confirmed` is confirmed.
    pub(crate) fn take(&mut self, confirmed: Round) -> Option<(Question, LogIndex)> {
        let is_confirmed =
            |question: &Question| question.held.is_some_and(|held| held.round <= confirmed);
        let place = self.open.iter().position(is_confirmed)?;
        let question = self.open.swap_remove(place);
        question.held.map(|held| (question, held.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Incarnation = Incarnation(1);

    fn take(questions: &mut Questions, confirmed: u64) -> Option<(u64, u64)> {
        let (question, index) = questions.take(Round(confirmed))?;
        Some((question.sequence, index.0))
    }

    /// B22: a question is answered by a round that began after it came, not by one that was under way.
    #[test]
    fn an_answer_needs_a_round_begun_after_the_question() {
        let mut questions = Questions::default();
        questions.ask(NodeId(2), LIFE, 1);
        assert!(!questions.wants_round(Round(5), Round(5)), "nothing is known to be committed");
        questions.hold(LogIndex(7), Round(5));
        assert!(questions.wants_round(Round(5), Round(4)));
        assert_eq!(take(&mut questions, 5), None);
        assert_eq!(take(&mut questions, 6), Some((1, 7)));
    }

    /// One round at a time is begun for questions; those that come meanwhile share the next.
    #[test]
    fn questions_share_rounds() {
        let mut questions = Questions::default();
        questions.ask(NodeId(2), LIFE, 1);
        questions.hold(LogIndex(7), Round(5));
        questions.begin(Round(6));
        questions.ask(NodeId(3), LIFE, 1);
        questions.ask(NodeId(4), LIFE, 1);
        questions.hold(LogIndex(8), Round(6));
        assert!(!questions.wants_round(Round(6), Round(5)));
        assert_eq!(take(&mut questions, 6), Some((1, 7)));
        assert!(questions.wants_round(Round(6), Round(6)));
        assert_eq!(
            (take(&mut questions, 7), take(&mut questions, 7)),
            (Some((1, 8)), Some((1, 8)))
        );
        assert!(questions.is_empty());
    }

    /// A member has one question, its last; an old one that comes late changes nothing.
    #[test]
    fn a_member_has_one_question() {
        let mut questions = Questions::default();
        questions.ask(NodeId(2), LIFE, 2);
        questions.hold(LogIndex(7), Round(5));
        questions.ask(NodeId(2), LIFE, 1);
        questions.ask(NodeId(2), LIFE, 2);
        assert_eq!(take(&mut questions, 6), Some((2, 7)));
        questions.ask(NodeId(2), LIFE, 9);
        questions.ask(NodeId(2), Incarnation(2), 1);
        questions.hold(LogIndex(8), Round(6));
        assert_eq!((take(&mut questions, 7), take(&mut questions, 7)), (Some((1, 8)), None));
    }
}
