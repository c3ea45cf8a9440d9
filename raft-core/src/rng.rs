//! Election jitter: the only randomness of a node.
//!
//! Draws come from a `ChaCha` stream keyed by (seed, node, incarnation), so that nodes with the same
//! configuration do not split votes for ever, and a restarted node does not repeat its last life.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::token::Life;
use crate::types::Ticks;

/// A counter into the stream: cheap to keep, the cipher is set up for the rare draw.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Jitter {
    seed: u64,
    life: Life,
    draws: u64,
}

/// How many 32-bit words of the stream one draw takes.
const WORDS_PER_DRAW: u128 = 2;

impl Jitter {
    pub(crate) fn new(seed: u64, life: Life) -> Self {
        Self { seed, life, draws: 0 }
    }

    /// A timeout from `least` up to and without twice that (paper §5.2).
    pub(crate) fn election_timeout(&mut self, least: Ticks) -> Ticks {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&self.life.node.0.to_le_bytes());
        key[16..24].copy_from_slice(&self.life.incarnation.0.to_le_bytes());
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_word_pos(u128::from(self.draws) * WORDS_PER_DRAW);
        self.draws += 1;
        Ticks(least.0 + scale(stream.next_u64(), least.0))
    }
}

/// Maps 64 random bits to `0..bound`.
fn scale(bits: u64, bound: u64) -> u64 {
    let product = u128::from(bits) * u128::from(bound);
    u64::try_from(product >> 64).expect("the upper half of a 128-bit product has 64 bits")
}
