//! Keyed random numbers: a draw depends on what it is for, and on nothing else.
//!
//! There is no stream that all parts of a run share. Every draw is a hash of a seed and of a key that
//! says what is drawn, so adding a draw or a message kind changes no other draw. All of it is integer
//! arithmetic on 64 bits: the same on every machine.

/// A source of draws for one purpose. Cheap to make: it is a key and a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    key: u64,
    count: u64,
}

/// One round of mixing (the finalizer of `SplitMix64`): every bit of the input moves every bit of the output.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Draw {
    /// The source for a purpose: `domain` names it, `key` tells apart its instances.
    pub fn new(seed: u64, domain: Domain, key: &[u64]) -> Self {
        let mut state = mix(seed ^ (domain as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for part in key {
            state = mix(state.rotate_left(23) ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        Self { key: state, count: 0 }
    }

    /// The source for the `n`th instance of this purpose: the one that [`Draw::new`] makes of this one's key
    /// with `n` after it.
    #[must_use]
    pub fn fork(&self, n: u64) -> Self {
        Self {
            key: mix(self.key.rotate_left(23) ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            count: 0,
        }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.count += 1;
        mix(self.key ^ self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number from 0 up to and without `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` through `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True `per_million` times in a million.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// A number from `low` through `high` whose order of magnitude is uniform: as often between 1 and 2
    /// as between 1,000 and 2,000.
    pub fn log_uniform(&mut self, low: u64, high: u64) -> u64 {
        let (low, high) = (low.max(1), high.max(low).max(1));
        let octaves = u64::from(high.ilog2() - low.ilog2());
        let octave = self.below(octaves + 1);
        let start = low.saturating_mul(1 << octave).min(high);
        let end = start.saturating_mul(2).min(high);
        self.between(start, end)
    }

    /// One of `choices`.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let place = self.below(choices.len() as u64);
        &choices[usize::try_from(place).expect("a place in a slice fits its index")]
    }
}

/// What draws are for. The numbers are part of every seed's meaning: they are never reused or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// The shape of a plan.
    Plan = 1,
    /// The fate of a message on a link.
    Message = 2,
    /// How long a write takes.
    Disk = 3,
    /// What survives of a write in a crash.
    Tear = 4,
    /// What a client does.
    Client = 5,
    /// How long the state machine takes.
    Apply = 6,
    /// Who is meant by a symbolic target.
    Target = 7,
    /// For the machine under test.
    Machine = 8,
    /// How long after a step its effects are carried out.
    Host = 9,
    /// How long a driver's other work takes, and what comes of it.
    Chore = 10,
}
