//! Which forwarded proposals a leader has answered, so that a message that the network repeats is not
//! taken twice, nor taken after it was refused.
//!
//! Invariant: bounded: one window a member, of a fixed number of forwards.

use alloc::collections::BTreeMap;

use crate::types::{Incarnation, NodeId};

/// How far back forwards of one origin are remembered. Older ones are never taken.
const WINDOW: u64 = 1_024;
const WORD_BITS: u64 = 64;

/// The windows of all origins, for one leader in one term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Forwards {
    windows: BTreeMap<NodeId, Window>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Window {
    incarnation: Incarnation,
    /// The highest number seen.
    highest: u64,
    /// One bit for each of the last [`WINDOW`] numbers, by number modulo [`WINDOW`].
    seen: [u64; (WINDOW / WORD_BITS) as usize],
}

impl Forwards {
    /// Notes a forward; says whether it is seen for the first time, for certain.
    pub(crate) fn is_first(
        &mut self,
        from: NodeId,
        incarnation: Incarnation,
        sequence: u64,
    ) -> bool {
        let window = self.windows.entry(from).or_insert_with(|| Window::new(incarnation));
        if incarnation > window.incarnation {
            *window = Window::new(incarnation);
        }
        incarnation == window.incarnation && window.is_first(sequence)
    }
}

impl Window {
    fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, highest: 0, seen: [0; (WINDOW / WORD_BITS) as usize] }
    }

    fn is_first(&mut self, sequence: u64) -> bool {
        if sequence.saturating_add(WINDOW) <= self.highest {
            return false;
        }
        if sequence > self.highest {
            // The bits of the numbers in between come round again.
            for skipped in (self.highest + 1..=sequence).rev().take(self.seen.len() * 64) {
                self.clear(skipped);
            }
            self.highest = sequence;
        }
        let (word, bit) = place(sequence);
        let is_first = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        is_first
    }

    fn clear(&mut self, sequence: u64) {
        let (word, bit) = place(sequence);
        self.seen[word] &= !bit;
    }
}

fn place(sequence: u64) -> (usize, u64) {
    let number = sequence % WINDOW;
    let word = usize::try_from(number / WORD_BITS).expect("a window has few words");
    (word, 1 << (number % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repeated forward is not taken again, in whatever order forwards come.
    #[test]
    fn each_forward_is_first_once() {
        let mut forwards = Forwards::default();
        let mut is_first = |sequence| forwards.is_first(NodeId(2), Incarnation(1), sequence);
        assert!(is_first(1));
        assert!(is_first(3));
        assert!(is_first(2));
        assert!(!is_first(3));
        assert!(is_first(2_000));
        assert!(!is_first(2), "too old to be certain");
        assert!(is_first(1_999));
        assert!(!is_first(2_000));
        assert!(is_first(u64::MAX));
        assert!(!is_first(u64::MAX));
    }

    /// A restarted origin counts from 1 again; what its earlier life sent is not taken any more.
    #[test]
    fn a_new_incarnation_starts_over() {
        let mut forwards = Forwards::default();
        assert!(forwards.is_first(NodeId(2), Incarnation(1), 1));
        assert!(forwards.is_first(NodeId(2), Incarnation(2), 1));
        assert!(!forwards.is_first(NodeId(2), Incarnation(1), 2));
    }
}
