//! Everything that is drawn by chance, from a seed. (The same seed draws the same faults; when what happens to real
//! processes is another matter.)

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of chance.
#[derive(Clone, Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// One of the independent streams of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(stream);
        Self(chance)
    }

    /// A number below a limit that is not zero.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }

    /// So often in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.place(from.len())]
    }

    /// Several of several, in no particular order.
    pub(crate) fn pick_many<T: Copy>(&mut self, from: &[T], count: usize) -> Vec<T> {
        let mut left = from.to_vec();
        (0..count.min(from.len())).map(|_| left.swap_remove(self.place(left.len()))).collect()
    }

    /// A time between two others.
    pub(crate) fn time(&mut self, from: Duration, to: Duration) -> Duration {
        let micros = to.saturating_sub(from).as_micros().max(1);
        from + Duration::from_micros(self.below(u64::try_from(micros).expect("a short time")))
    }

    /// Bytes of any kind.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A place in something of a length that is not zero.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a length")
    }
}

/// The seed that `KV_FAULTS_SEED` gives, or another one each time.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("KV_FAULTS_SEED").ok();
    given.map_or_else(
        || getrandom::u64().expect("the system has random numbers") % 1_000_000,
        |text| text.parse().expect("KV_FAULTS_SEED is a number"),
    )
}

/// The time that a variable gives, such as `60s`.
pub(crate) fn time(variable: &str, usual: Duration) -> Duration {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |text| {
        humantime::parse_duration(&text)
            .unwrap_or_else(|error| panic!("{variable} is no time such as 60s: {error}"))
    })
}
