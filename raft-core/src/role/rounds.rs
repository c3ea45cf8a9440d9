//! Heartbeat rounds: their numbers, and when each began.
//!
//! What an answer proves (that the leader was followed, that a vote is promised) it proves from the moment the
//! round was *sent*: when the answer arrived says nothing (B26).

use alloc::collections::VecDeque;

use crate::types::{Instant, Round};

/// Answers to rounds further back than this prove nothing any more.
const REMEMBERED: usize = 64;

/// Invariant: rounds and their times rise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Rounds {
    current: Round,
    begun: VecDeque<Instant>,
}

impl Rounds {
    pub(crate) fn new(now: Instant) -> Self {
        Self { current: Round(1), begun: VecDeque::from([now]) }
    }

    pub(crate) fn current(&self) -> Round {
        self.current
    }

    pub(crate) fn begin(&mut self, now: Instant) -> Round {
        if self.begun.len() == REMEMBERED {
            self.begun.pop_front();
        }
        self.begun.push_back(now);
        self.current = Round(self.current.0 + 1);
        self.current
    }

    /// When a round began, if it is remembered.
    pub(crate) fn begun(&self, round: Round) -> Option<Instant> {
        let back = usize::try_from(self.current.0.checked_sub(round.0)?).ok()?;
        self.begun.len().checked_sub(back + 1).map(|place| self.begun[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_remembered_for_a_while() {
        let mut rounds = Rounds::new(Instant(0));
        for time in 1..=100 {
            rounds.begin(Instant(time));
        }
        assert_eq!(rounds.begun(Round(101)), Some(Instant(100)));
        assert_eq!(rounds.begun(Round(38)), Some(Instant(37)));
        assert_eq!((rounds.begun(Round(37)), rounds.begun(Round(102))), (None, None));
    }
}
