//! One question to the driver at a time.
//!
//! Invariant: an answer is taken once, and only the one to the question that was asked last.

use crate::types::{Instant, Ticks};

/// Where a question stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Slot {
    /// Nothing is asked.
    #[default]
    Free,
    /// The driver has been asked.
    Asked { number: u64, since: Instant },
    /// The last answer was of no use: no new question before then.
    Resting { until: Instant },
}

impl Slot {
    /// Whether a question may be asked now.
    pub(crate) fn is_free(&self, now: Instant) -> bool {
        match self {
            Self::Free => true,
            Self::Asked { .. } => false,
            Self::Resting { until } => *until <= now,
        }
    }

    pub(crate) fn ask(&mut self, number: u64, now: Instant) {
        *self = Self::Asked { number, since: now };
    }

    /// Takes an answer; says whether it is the one that is waited for.
    pub(crate) fn answer(&mut self, number: u64) -> bool {
        let is_awaited = matches!(self, Self::Asked { number: asked, .. } if *asked == number);
        if is_awaited {
            *self = Self::Free;
        }
        is_awaited
    }

    pub(crate) fn rest(&mut self, until: Instant) {
        *self = Self::Resting { until };
    }

    /// There is a reason to ask again at once.
    pub(crate) fn end_rest(&mut self) {
        if let Self::Resting { .. } = self {
            *self = Self::Free;
        }
    }

    /// Gives up a question that has not been answered for `patience`.
    pub(crate) fn give_up(&mut self, now: Instant, patience: Ticks) {
        if let Self::Asked { since, .. } = self {
            if now.since(*since) >= patience {
                *self = Self::Free;
            }
        }
    }

    /// Ends a rest that is over, so that nobody waits for its end any more.
    pub(crate) fn wake(&mut self, now: Instant) {
        if self.deadline() <= now {
            *self = Self::Free;
        }
    }

    /// When a question may be asked again.
    pub(crate) fn deadline(&self) -> Instant {
        match self {
            Self::Resting { until } => *until,
            Self::Free | Self::Asked { .. } => Instant::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One question, one answer; a late answer to an earlier question is not taken for it.
    #[test]
    fn an_answer_is_to_the_last_question() {
        let mut slot = Slot::default();
        assert!(slot.is_free(Instant(0)) && !slot.answer(0));
        slot.ask(1, Instant(10));
        assert!(!slot.is_free(Instant(99)));
        slot.give_up(Instant(14), Ticks(5));
        assert!(!slot.is_free(Instant(14)));
        slot.give_up(Instant(15), Ticks(5));
        slot.ask(2, Instant(15));
        assert!(!slot.answer(1), "too late");
        assert!(slot.answer(2) && !slot.answer(2));
        slot.rest(Instant(30));
        assert!(!slot.is_free(Instant(29)) && slot.is_free(slot.deadline()));
        slot.wake(Instant(29));
        assert_eq!(slot.deadline(), Instant(30));
        slot.wake(Instant(30));
        assert_eq!(slot.deadline(), Instant::NEVER, "or the node would be due for ever");
    }

    /// A rest can be ended; a question that is under way cannot.
    #[test]
    fn a_rest_can_be_ended() {
        let mut slot = Slot::default();
        slot.rest(Instant(30));
        slot.end_rest();
        assert!(slot.is_free(Instant(0)));
        slot.ask(1, Instant(0));
        slot.end_rest();
        assert!(!slot.is_free(Instant(99)) && slot.answer(1));
    }
}
