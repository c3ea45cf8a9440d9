//! The terms of a whole log, in a few bytes a leader change.
//!
//! A log in memory is this, and as many of the last entries as a budget allows: every question that the
//! protocol asks of old entries (does this log hold that position? what could be shared with that other log?)
//! is about terms alone.
//!
//! Invariants: the runs' first indexes and terms strictly rise, and lie after the base.

use alloc::collections::VecDeque;

use crate::types::{LogIndex, LogPosition, Term};

/// The terms of the entries after `base`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Terms {
    base: LogPosition,
    last: LogIndex,
    runs: VecDeque<Run>,
}

/// Entries of one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Run {
    first: LogIndex,
    term: Term,
}

impl Terms {
    pub(crate) fn after(base: LogPosition) -> Self {
        Self { base, last: base.index, runs: VecDeque::new() }
    }

    pub(crate) fn base(&self) -> LogPosition {
        self.base
    }

    pub(crate) fn last(&self) -> LogPosition {
        LogPosition::new(self.last_term(), self.last)
    }

    pub(crate) fn last_index(&self) -> LogIndex {
        self.last
    }

    pub(crate) fn last_term(&self) -> Term {
        self.runs.back().map_or(self.base.term, |run| run.term)
    }

    /// The term at `index`, also at the base; `None` outside the log.
    pub(crate) fn at(&self, index: LogIndex) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        if index < self.base.index || index > self.last {
            return None;
        }
        // Nearly every question is about the last term.
        match self.runs.back() {
            Some(run) if run.first <= index => Some(run.term),
            _ => {
                let after = self.runs.partition_point(|run| run.first <= index);
                self.runs.get(after.checked_sub(1)?).map(|run| run.term)
            }
        }
    }

    /// Whether the log holds `position`. What lies before the base is committed, so every leader holds
    /// it and it cannot differ.
    pub(crate) fn hold(&self, position: LogPosition) -> bool {
        position.index < self.base.index || self.at(position.index) == Some(position.term)
    }

    /// The last entry that could be shared with a log that holds `position`: at or before it, and of no
    /// later term. Both sides of a mismatch use it to skip whole terms at once (paper §5.3).
    pub(crate) fn last_agreeable(&self, position: LogPosition) -> LogPosition {
        let later = self.runs.partition_point(|run| run.term <= position.term);
        let of_no_later_term = self.runs.get(later).map_or(self.last, |run| run.first.previous());
        let index = of_no_later_term.min(position.index).max(self.base.index);
        let term = self.at(index).expect("the index lies between the base and the last entry");
        LogPosition::new(term, index)
    }

    pub(crate) fn push(&mut self, term: Term) {
        self.push_all([term]);
    }

    /// Adds the terms of entries that follow each other.
    pub(crate) fn push_all(&mut self, terms: impl IntoIterator<Item = Term>) {
        let mut last = self.runs.back().map(|run| run.term);
        for term in terms {
            self.last = self.last.next();
            if last != Some(term) {
                let before = last.unwrap_or(self.base.term);
                assert!(term >= before, "INV-1: the terms of a log never fall");
                self.runs.push_back(Run { first: self.last, term });
                last = Some(term);
            }
        }
    }

    /// Forgets everything after `keep`.
    pub(crate) fn truncate_after(&mut self, keep: LogIndex) {
        self.last = self.last.min(keep.max(self.base.index));
        let kept = self.runs.partition_point(|run| run.first <= self.last);
        self.runs.truncate(kept);
    }

    /// Begins after `base`, which must be in the log.
    pub(crate) fn compact(&mut self, base: LogPosition) {
        debug_assert!(self.at(base.index) == Some(base.term), "a log begins at one of its entries");
        let gone = self.runs.partition_point(|run| run.first <= base.index);
        if gone > 0 {
            self.runs.drain(..gone - 1);
            // The run that holds the base goes on after it, if it does.
            let next_first = self.runs.get(1).map_or(self.last.next(), |run| run.first);
            match self.runs.front_mut() {
                Some(run) if next_first > base.index.next() => run.first = base.index.next(),
                _ => drop(self.runs.pop_front()),
            }
        }
        self.base = base;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn at(term: u64, index: u64) -> LogPosition {
        LogPosition::new(Term(term), LogIndex(index))
    }

    fn terms_of(base: LogPosition, terms: &[u64]) -> Terms {
        let mut log = Terms::after(base);
        for term in terms {
            log.push(Term(*term));
        }
        log
    }

    /// Paper §5.3: the hint skips all entries of later terms.
    #[test]
    fn the_last_agreeable_entry_is_of_no_later_term() {
        let log = terms_of(LogPosition::ZERO, &[1, 1, 4, 4, 6]);
        let cases = [
            (at(6, 9), at(6, 5)),
            (at(5, 9), at(4, 4)),
            (at(5, 3), at(4, 3)),
            (at(3, 9), at(1, 2)),
            (at(9, 4), at(4, 4)),
            (at(0, 0), at(0, 0)),
        ];
        for (position, expected) in cases {
            assert_eq!(log.last_agreeable(position), expected, "{position}");
        }
        let log = terms_of(at(2, 10), &[2, 3]);
        assert_eq!(log.last_agreeable(at(9, 4)), at(2, 10));
    }

    /// Whatever is pushed, cut and compacted, the runs say what a list of terms says.
    #[test]
    fn runs_say_what_a_list_says() {
        let mut bits: u64 = 7;
        let mut below = |bound: u64| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (bits >> 33) % bound
        };
        let mut log = Terms::after(LogPosition::ZERO);
        // The term at each index; the base's too.
        let mut expected: Vec<u64> = Vec::from([0]);
        let mut base = 0_u64;
        for step in 0..5_000_u64 {
            let last = expected.len() as u64 - 1;
            match below(8) {
                0..=4 => {
                    let term = expected[expected.len() - 1] + below(3) / 2 + u64::from(last == 0);
                    log.push(Term(term));
                    expected.push(term);
                }
                5 | 6 => {
                    let keep = last - below(4).min(last - base);
                    log.truncate_after(LogIndex(keep));
                    expected.truncate(usize::try_from(keep).expect("small") + 1);
                }
                _ => {
                    base += below(last - base + 1).min(6);
                    let term = expected[usize::try_from(base).expect("small")];
                    log.compact(at(term, base));
                }
            }
            let last = expected.len() as u64 - 1;
            assert_eq!(log.last(), at(expected[expected.len() - 1], last), "step {step}");
            for index in base..=last {
                let term = expected[usize::try_from(index).expect("small")];
                assert_eq!(log.at(LogIndex(index)), Some(Term(term)), "step {step}, index {index}");
                assert!(log.hold(at(term, index)) && !log.hold(at(term + 1, index)));
            }
            let first = usize::try_from(base).expect("small");
            let again = terms_of(at(expected[first], base), &expected[first + 1..]);
            assert_eq!(log, again, "step {step}: it is as if it had begun there");
            assert_eq!(log.at(LogIndex(last + 1)), None);
            assert!(base == 0 || log.at(LogIndex(base - 1)).is_none());
        }
        assert!(base > 100);
    }

    /// A term costs one run, however many entries it has.
    #[test]
    fn a_long_term_costs_one_run() {
        let log = terms_of(LogPosition::ZERO, &[3; 1_000]);
        assert_eq!(log.runs.len(), 1);
    }
}
