//! A number made of everything that happens in a run.
//!
//! Invariant: only integers of fixed width go in, so it is the same on every machine.

use crate::draw::mix;

/// A running digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(u64);

impl Digest {
    /// Takes in a number. Order matters.
    pub(super) fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(25) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    pub(super) fn value(self) -> u64 {
        mix(self.0)
    }
}
