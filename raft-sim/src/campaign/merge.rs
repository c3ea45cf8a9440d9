//! One summary of the shards of a campaign that several machines have run.

use super::run::Failure;
use super::summary::{Completion, Medians, Summary, groups, median};
use super::{Seeds, Shard};
use crate::coverage::{MarkScore, Scorecard, Situation};
use crate::draw::mix;
use crate::verdict::Statistics;

/// Why summaries are not the parts of one campaign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There are none.
    #[error(
        "there is no summary to merge: give the JSON files that `run --shard I/N --json FILE` wrote"
    )]
    Nothing,
    /// Two summaries differ in what all shards have in common.
    #[error("one shard has {what} {one} and another has {other}: they are not of one campaign")]
    Different {
        /// In what.
        what: &'static str,
        /// What one has.
        one: String,
        /// What another has.
        other: String,
    },
    /// A shard is there twice.
    #[error("shard {shard} is there twice")]
    Twice {
        /// Which.
        shard: Shard,
    },
    /// Shards are not there.
    #[error("of {of} shards these are missing: {missing}; without them the campaign is not whole")]
    Missing {
        /// Which, in words.
        missing: String,
        /// How many there must be.
        of: u64,
    },
}

impl Summary {
    /// The summary of a whole campaign, from those of all its shards. Each took its time beside the others: the longest
    /// is taken. The medians are the middle ones of the shards' medians.
    ///
    /// # Errors
    /// When they are not all the shards of one campaign.
    pub fn merge(mut shards: Vec<Self>) -> Result<Self, MergeError> {
        shards.sort_by_key(|part| part.shard);
        let Some(first) = shards.first().cloned() else { return Err(MergeError::Nothing) };
        shards.iter().try_for_each(|part| agree(&first, part))?;
        all_there(&shards)?;
        let mut statistics = Statistics::default();
        let mut scorecard = Scorecard::default();
        let (mut runs, mut digest) = (0_u64, 0_u64);
        for part in &shards {
            runs = runs.saturating_add(part.runs);
            statistics.merge(&part.statistics);
            let counts = |situation: Situation| {
                let score = part.coverage.iter().find(|score| score.situation == situation);
                score.map_or((0, 0), |score| (score.seeds, score.total))
            };
            scorecard.add_counted(part.runs, counts, &part.searches);
            digest = mix(digest.rotate_left(7) ^ part.digest);
        }
        let middle =
            |of: fn(&Medians) -> u64| median(shards.iter().map(|part| of(&part.medians)).collect());
        let medians = Medians {
            leader_changes: middle(|medians| medians.leader_changes),
            operations: middle(|medians| medians.operations),
            faults: middle(|medians| medians.faults),
        };
        let marks = marks(&shards, runs);
        let slowest = shards.iter().filter_map(|part| part.slowest).max_by_key(|it| it.wall_ms);
        let wall_ms = shards.iter().map(|part| part.wall_ms).max().unwrap_or(0);
        let completion = completion(&shards);
        let mut failures: Vec<Failure> =
            shards.into_iter().flat_map(|part| part.failures).collect();
        failures.sort_by_key(|failure| failure.seed);
        Ok(Self {
            shard: Shard::WHOLE,
            completion,
            runs,
            wall_ms,
            digest,
            statistics,
            medians,
            coverage: scorecard.scores().collect(),
            marks,
            searches: *scorecard.searches(),
            slowest,
            groups: groups(&failures),
            failures,
            ..first
        })
    }
}

/// How the marks of the machine's own stand in all parts together.
fn marks(shards: &[Summary], runs: u64) -> Vec<MarkScore> {
    let sum = |score: &MarkScore| {
        let parts = shards.iter().flat_map(|part| &part.marks);
        let same = parts.filter(|other| other.mark == score.mark);
        let seeds = same.fold(0_u64, |sum, other| sum.saturating_add(other.seeds));
        MarkScore::new(&score.mark, score.minimum_per_million, seeds, runs)
    };
    shards.first().map(|part| part.marks.iter().map(sum).collect()).unwrap_or_default()
}

/// Whether two parts can be of one campaign.
fn agree(first: &Summary, other: &Summary) -> Result<(), MergeError> {
    let differ = |what, one: String, other: String| {
        if one == other { Ok(()) } else { Err(MergeError::Different { what, one, other }) }
    };
    let seeds = |seeds: Seeds| seeds.to_string();
    differ("seeds", seeds(first.seeds), seeds(other.seeds))?;
    differ("profile", first.profile.name().to_owned(), other.profile.name().to_owned())?;
    differ("plan generator", first.generator.to_string(), other.generator.to_string())?;
    differ(
        "a limit for a seed, in ms, of",
        first.seed_limit_ms.to_string(),
        other.seed_limit_ms.to_string(),
    )?;
    differ("a number of shards of", first.shard.of().to_string(), other.shard.of().to_string())
}

/// No more shards are named of those that are missing.
const MOST_NAMED: usize = 20;

/// Whether each shard is there once; they are in order.
fn all_there(shards: &[Summary]) -> Result<(), MergeError> {
    if let Some(pair) = shards.windows(2).find(|pair| pair[0].shard == pair[1].shard) {
        return Err(MergeError::Twice { shard: pair[0].shard });
    }
    let of = shards.first().map_or(0, |part| part.shard.of());
    // A file may claim any number of shards: no more of them are looked for than are named.
    let is_there = |shard: &Shard| shards.iter().any(|part| part.shard == *shard);
    let missing = Shard::all(of).filter(|shard| !is_there(shard)).take(MOST_NAMED + 1);
    let mut missing: Vec<String> = missing.map(|shard| shard.to_string()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if let Some(more) = missing.get_mut(MOST_NAMED) {
        "...".clone_into(more);
    }
    Err(MergeError::Missing { missing: missing.join(", "), of })
}

/// A campaign is over as its shards are: for the strongest reason that one of them had not to run all its seeds.
fn completion(shards: &[Summary]) -> Completion {
    let ended = |completion| shards.iter().any(|part| part.completion == completion);
    [Completion::TooManyFailures, Completion::TimeUp]
        .into_iter()
        .find(|completion| ended(*completion))
        .unwrap_or(Completion::AllSeeds)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::campaign::Campaign;
    use crate::kv::Kv;
    use crate::plan::FaultKind;
    use raft_core::Node;

    fn shard(text: &str) -> Summary {
        let seeds = Seeds::new(0..12).expect("twelve seeds");
        let shard = text.parse().expect("a shard");
        Campaign { shard, ..Campaign::new(seeds) }.run::<Node, Kv>(|_| ())
    }

    /// Goal: what shards showed together is what the whole campaign shows, but for times, medians and the digest.
    #[test]
    fn shards_make_the_whole() {
        let whole = shard("1/1");
        let shards = ["3/3", "1/3", "2/3"].map(shard);
        let written = shards.map(|part| serde_json::to_string(&part).expect("plain data"));
        let read = written.map(|text| serde_json::from_str(&text).expect("what was written"));
        let merged = Summary::merge(read.to_vec()).expect("all three");
        assert_eq!(
            (merged.runs, merged.shard, merged.completion),
            (12, Shard::WHOLE, whole.completion)
        );
        assert_eq!(merged.statistics, whole.statistics);
        assert_eq!(merged.coverage, whole.coverage);
        assert_eq!(merged.searches, whole.searches);
        assert_eq!((merged.failures, merged.groups), (whole.failures, whole.groups));
    }

    /// Goal: numbers that nobody can have counted are added up to the most that there is.
    #[test]
    fn sums_may_be_too_large() {
        let most = |text| {
            let mut part = shard(text);
            part.runs = u64::MAX;
            (part.statistics.events, part.searches.states) = (u64::MAX, u64::MAX);
            part.statistics.faults =
                BTreeMap::from([FaultKind::Crash, FaultKind::Pause].map(|kind| (kind, u64::MAX)));
            for score in &mut part.coverage {
                (score.seeds, score.total) = (u64::MAX, u64::MAX);
            }
            part
        };
        let merged = Summary::merge(vec![most("1/2"), most("2/2")]).expect("both");
        assert_eq!((merged.runs, merged.statistics.events), (u64::MAX, u64::MAX));
        assert_eq!(merged.statistics.fault_count(), u64::MAX);
        assert_eq!((merged.searches.states, merged.coverage[0].total), (u64::MAX, u64::MAX));
    }

    /// Goal: what is not all of one campaign is refused, and the reason names what is wrong.
    #[test]
    fn other_parts_are_refused() {
        let (first, second) = (shard("1/3"), shard("2/3"));
        let refused = |parts: &[&Summary]| {
            let parts = parts.iter().map(|part| (*part).clone()).collect();
            Summary::merge(parts).map(|_| ()).expect_err("no campaign").to_string()
        };
        assert!(refused(&[]).contains("no summary"));
        assert!(refused(&[&first, &second]).contains("missing: 3/3"));
        assert!(refused(&[&first, &second, &second]).contains("2/3 is there twice"));
        let other = Summary { seeds: Seeds::new(1..12).expect("eleven"), ..second.clone() };
        assert!(refused(&[&first, &other]).contains("seeds 0..12 and another has 1..12"));
        let one_of_many =
            Summary { shard: "7/9000000000".parse().expect("a shard"), ..first.clone() };
        let said = refused(&[&one_of_many]);
        assert!(said.contains("missing: 1/9000000000, ") && said.contains("21/9000000000, ...;"));
        let others = Summary { shard: "2/4".parse().expect("a shard"), ..second };
        assert!(refused(&[&first, &others]).contains("number of shards"));
    }
}
