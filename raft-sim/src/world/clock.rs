//! A node's clock: true time at a rate of its own.

use raft_core::Instant;

use crate::plan::TRUE_RATE;

/// A clock that never falls and is wrong by a constant rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    rate: u32,
}

/// Deadlines beyond this are never reached: no plan lasts that long.
const HORIZON: u64 = 1 << 43;

impl Clock {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate }
    }

    /// What the clock shows at a true time.
    pub(super) fn local(self, at: u64) -> Instant {
        if self.rate == TRUE_RATE {
            return Instant(at);
        }
        // Split so that no product overflows: true times stay below the horizon.
        let rate = u64::from(self.rate);
        let (whole, rest) = (at / u64::from(TRUE_RATE), at % u64::from(TRUE_RATE));
        Instant(whole * rate + rest * rate / u64::from(TRUE_RATE))
    }

    /// The first true time at which the clock shows `local` or later; `None` if that never comes.
    pub(super) fn reaches(self, local: Instant) -> Option<u64> {
        if local.0 >= HORIZON {
            return None;
        }
        if self.rate == TRUE_RATE {
            return Some(local.0);
        }
        let rate = u64::from(self.rate);
        let (whole, rest) = (local.0 / rate, local.0 % rate);
        Some(whole * u64::from(TRUE_RATE) + (rest * u64::from(TRUE_RATE)).div_ceil(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The true time of a deadline is the first at which the clock shows it.
    #[test]
    fn deadlines_are_met_exactly() {
        for rate in [500_000, 949_999, 999_999, 1_000_000, 1_000_001, 1_050_000, 2_000_000] {
            let clock = Clock::new(rate);
            for local in (0..5_000_000).step_by(4_999) {
                let at = clock.reaches(Instant(local)).expect("within the horizon");
                assert!(clock.local(at) >= Instant(local), "rate {rate}, local {local}");
                assert!(
                    at == 0 || clock.local(at - 1) < Instant(local),
                    "rate {rate}, local {local}"
                );
            }
        }
        assert_eq!(Clock::new(1_000_000).reaches(Instant::NEVER), None);
    }
}
