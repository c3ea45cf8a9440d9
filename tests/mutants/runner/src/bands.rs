//! The seeds that every mutant is run on: disjoint, fixed, and the same for all.

use std::fmt;

/// A range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    /// The first seed.
    pub(crate) start: u64,
    /// The first seed that is not in it.
    pub(crate) end: u64,
}

/// The bands, in the order of the table's columns. A mutant must be caught in each.
pub(crate) const ALL: [Band; 3] = [
    Band { start: 0, end: 5_000 },
    Band { start: 100_000, end: 105_000 },
    Band { start: 200_000, end: 205_000 },
];

impl Band {
    /// How many seeds were run when `seed` had been, in order; 0 for a seed before the band.
    pub(crate) fn seeds_until(self, seed: u64) -> u64 {
        debug_assert!(seed < self.end);
        (seed + 1).saturating_sub(self.start)
    }

    /// The last of so many seeds that were run in order.
    pub(crate) fn seed_at(self, seeds: u64) -> u64 {
        self.start + seeds.saturating_sub(1)
    }
}

/// As the command takes it.
impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
