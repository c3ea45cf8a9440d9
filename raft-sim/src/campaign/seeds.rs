//! Which seeds a campaign runs: a band of consecutive seeds, and the share of it that falls to one
//! machine of several.
//!
//! Invariant: a band holds at least one seed, and a shard's number is below the number of shards, so a
//! campaign that exists has something to run.

use std::fmt;
use std::hash::BuildHasher;
use std::num::NonZeroU64;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Consecutive seeds, `first..end`. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Bounds")]
pub struct Seeds {
    first: u64,
    end: u64,
}

/// What may be read as [`Seeds`].
#[derive(Deserialize)]
struct Bounds {
    first: u64,
    end: u64,
}

impl TryFrom<Bounds> for Seeds {
    type Error = SeedsError;

    fn try_from(Bounds { first, end }: Bounds) -> Result<Self, SeedsError> {
        Self::new(first..end)
    }
}

/// A band that is written down, or one that is to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedRequest {
    /// These seeds.
    Band(Seeds),
    /// So many seeds from a base that nobody chose.
    Fresh(NonZeroU64),
}

/// One part of a band that several machines share: every `of`th seed, from the `number`th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Part")]
pub struct Shard {
    /// Invariant: below `of`.
    number: u64,
    of: u64,
}

/// What may be read as a [`Shard`].
#[derive(Deserialize)]
struct Part {
    number: u64,
    of: u64,
}

impl TryFrom<Part> for Shard {
    type Error = ShardError;

    fn try_from(Part { number, of }: Part) -> Result<Self, ShardError> {
        let shard = Self { number, of };
        if number < of {
            Ok(shard)
        } else {
            Err(ShardError { text: format!("{number} of {of}, from 0,") })
        }
    }
}

/// Why a text names no seeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedsError {
    /// The range ends where it starts, or before.
    #[error(
        "the range {first}..{end} holds no seed: the end is not included and must be greater than the \
         start"
    )]
    Empty {
        /// Where it starts.
        first: u64,
        /// Where it ends.
        end: u64,
    },
    /// A count of zero.
    #[error("0 seeds would prove nothing: ask for at least 1")]
    Zero,
    /// Something is not a number.
    #[error(
        "`{part}` is not a number from 0 to 18446744073709551615: write a count (1000), a range (10..20) \
         or fresh:COUNT"
    )]
    NotANumber {
        /// What was found.
        part: String,
    },
}

/// Why a text names no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a shard: write I/N with I from 1 to N, as in 2/4")]
pub struct ShardError {
    text: String,
}

impl Seeds {
    /// The band of a range.
    ///
    /// # Errors
    /// When the range is empty.
    pub fn new(range: Range<u64>) -> Result<Self, SeedsError> {
        if range.start >= range.end {
            return Err(SeedsError::Empty { first: range.start, end: range.end });
        }
        Ok(Self { first: range.start, end: range.end })
    }

    /// Every seed from 0: for campaigns that end when their time is up.
    pub const fn all() -> Self {
        Self { first: 0, end: u64::MAX }
    }

    /// The first seed.
    pub const fn first(self) -> u64 {
        self.first
    }

    /// How many seeds.
    pub const fn count(self) -> u64 {
        self.end - self.first
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.end == u64::MAX {
            return write!(f, "{}..", self.first);
        }
        write!(f, "{}..{}", self.first, self.end)
    }
}

impl SeedRequest {
    /// The band, drawn if need be.
    #[expect(clippy::disallowed_types, reason = "a fresh base is the one thing that is to differ")]
    pub fn resolve(self) -> Seeds {
        match self {
            Self::Band(seeds) => seeds,
            Self::Fresh(count) => {
                // The standard library keys its hashers from the system's randomness. Forty bits keep
                // the seed short enough to be read out and exact in every JSON reader.
                let first = std::hash::RandomState::new().hash_one("a fresh band") >> 24;
                Seeds { first, end: first.saturating_add(count.get()) }
            }
        }
    }
}

fn number(part: &str) -> Result<u64, SeedsError> {
    let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = if plain { part.parse().ok() } else { None };
    parsed.ok_or_else(|| SeedsError::NotANumber { part: part.to_owned() })
}

impl FromStr for SeedRequest {
    type Err = SeedsError;

    fn from_str(text: &str) -> Result<Self, SeedsError> {
        if let Some(count) = text.strip_prefix("fresh:") {
            return NonZeroU64::new(number(count)?).map(Self::Fresh).ok_or(SeedsError::Zero);
        }
        if let Some((first, end)) = text.split_once("..") {
            return Seeds::new(number(first)?..number(end)?).map(Self::Band);
        }
        match number(text)? {
            0 => Err(SeedsError::Zero),
            count => Ok(Self::Band(Seeds { first: 0, end: count })),
        }
    }
}

impl Shard {
    /// The whole band.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// Every shard of a band that is shared by so many.
    pub fn all(of: u64) -> impl Iterator<Item = Self> {
        (0..of).map(move |number| Self { number, of })
    }

    /// How many shards there are.
    pub const fn of(self) -> u64 {
        self.of
    }

    /// The seed of this shard's `task`th run, if the band holds it.
    pub fn seed(self, seeds: Seeds, task: u64) -> Option<u64> {
        let index = task.checked_mul(self.of)?.checked_add(self.number)?;
        (index < seeds.count()).then(|| seeds.first + index)
    }

    /// How many runs of a band fall to this shard.
    pub fn runs(self, seeds: Seeds) -> u64 {
        seeds.count().saturating_sub(self.number).div_ceil(self.of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number + 1, self.of)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            Some((number.parse::<u64>().ok()?.checked_sub(1)?, of.parse::<u64>().ok()?))
        });
        match parts {
            Some((number, of)) if number < of => Ok(Self { number, of }),
            _ => Err(ShardError { text: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(first: u64, end: u64) -> SeedRequest {
        SeedRequest::Band(Seeds::new(first..end).expect("the test's band is not empty"))
    }

    /// Every way of naming seeds means what the help says.
    #[test]
    fn seeds_are_read() {
        assert_eq!("1000".parse(), Ok(band(0, 1000)));
        assert_eq!("7..9".parse(), Ok(band(7, 9)));
        assert_eq!("0..1".parse(), Ok(band(0, 1)));
        let count = NonZeroU64::new(5).expect("five is not zero");
        assert_eq!("fresh:5".parse(), Ok(SeedRequest::Fresh(count)));
        assert_eq!(SeedRequest::Fresh(count).resolve().count(), 5);
    }

    /// Impossible seeds are refused with the reason.
    #[test]
    fn impossible_seeds_are_refused() {
        let refused = |text: &str| text.parse::<SeedRequest>().expect_err(text);
        assert_eq!(refused("9..3"), SeedsError::Empty { first: 9, end: 3 });
        assert_eq!(refused("5..5"), SeedsError::Empty { first: 5, end: 5 });
        assert_eq!(refused("0"), SeedsError::Zero);
        assert_eq!(refused("fresh:0"), SeedsError::Zero);
        for text in [
            "x..y",
            "",
            "..",
            "3..",
            "..3",
            "-1",
            "+1",
            "1..2..3",
            "fresh:",
            "99999999999999999999",
        ] {
            assert!(matches!(refused(text), SeedsError::NotANumber { .. }), "{text}");
        }
    }

    /// The shards of a band share its seeds out: every seed falls to exactly one.
    #[test]
    fn shards_partition_a_band() {
        let seeds = Seeds::new(10..31).expect("the band is not empty");
        let mut all = Vec::new();
        for text in ["1/4", "2/4", "3/4", "4/4"] {
            let shard: Shard = text.parse().expect(text);
            let mine: Vec<u64> = (0..).map_while(|task| shard.seed(seeds, task)).collect();
            assert_eq!(mine.len() as u64, shard.runs(seeds));
            assert_eq!(shard.to_string(), text);
            all.extend(mine);
        }
        all.sort_unstable();
        assert_eq!(all, (10..31).collect::<Vec<u64>>());
    }

    /// A shard that is none is refused.
    #[test]
    fn impossible_shards_are_refused() {
        for text in ["0/4", "5/4", "1/0", "1", "a/b", "1/2/3", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
