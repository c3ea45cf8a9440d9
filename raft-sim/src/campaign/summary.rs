//! What a campaign showed, as plain data.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::run::{Failure, Judged};
use super::{Campaign, Seeds, Shard};
use crate::coverage::{MarkScore, Score, Scorecard, Searches, Situation};
use crate::draw::mix;
use crate::machine::Machine;
use crate::plan::{GENERATOR_VERSION, Profile};
use crate::verdict::Statistics;
use crate::violation::Property;

/// From so many runs on, at least one must have committed something.
pub const BUSY_RUNS: u64 = 20;
/// From so many runs on, every common situation must have occurred.
pub const COMMON_RUNS: u64 = 100;
/// From so many runs on, every situation must have occurred in its share of them.
pub const TELLING_RUNS: u64 = 1_000;
/// A situation is common in a campaign if so many of its runs or more should have met it: with that to
/// expect, chance hardly ever leaves none.
pub const COMMON: u64 = 20;

/// Why a campaign ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completion {
    /// Every seed was run.
    AllSeeds,
    /// The time was up.
    TimeUp,
    /// So many seeds failed that the rest was not run.
    TooManyFailures,
}

/// What a campaign showed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The version of the plan generator: seeds mean something only together with it.
    pub generator: u32,
    /// What kind of plans the seeds stood for.
    pub profile: Profile,
    /// The seeds that were asked for.
    pub seeds: Seeds,
    /// The share of them.
    pub shard: Shard,
    /// How long a run could take before it counted as failed, in milliseconds.
    pub seed_limit_ms: u64,
    /// Why it ended.
    pub completion: Completion,
    /// How many seeds were run.
    pub runs: u64,
    /// How long it took on the wall clock, in milliseconds.
    pub wall_ms: u64,
    /// All runs' digests in one: two campaigns saw the same if it is the same.
    #[serde(with = "hexadecimal")]
    pub digest: u64,
    /// What happened, in all runs together.
    pub statistics: Statistics,
    /// The middle of what happened in each run.
    pub medians: Medians,
    /// How many runs each situation occurred in.
    pub coverage: Vec<Score>,
    /// How many runs met each mark of the machine's own.
    #[serde(default)]
    pub marks: Vec<MarkScore>,
    /// How the searches for a linear order went.
    pub searches: Searches,
    /// The run that took longest.
    pub slowest: Option<Slowest>,
    /// The runs that violated something, in the order of seeds.
    pub failures: Vec<Failure>,
    /// The failures by property and cause, in the order of their first seeds.
    pub groups: Vec<Group>,
}

/// The medians over all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medians {
    /// Leaders elected.
    pub leader_changes: u64,
    /// Client operations committed.
    pub operations: u64,
    /// Faults injected.
    pub faults: u64,
}

/// The run that took longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slowest {
    /// Its seed.
    pub seed: u64,
    /// How long it took on the wall clock, in milliseconds.
    pub wall_ms: u64,
}

/// Failures with one property and cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The property.
    pub property: Property,
    /// What they have in common.
    pub cause: String,
    /// Their seeds, in order; never none.
    pub seeds: Vec<u64>,
}

/// A summary in the making. Runs are added in the order of seeds.
#[derive(Default)]
pub(super) struct Tally {
    runs: u64,
    digest: u64,
    statistics: Statistics,
    scorecard: Scorecard,
    leader_changes: Vec<u64>,
    operations: Vec<u64>,
    faults: Vec<u64>,
    slowest: Option<Slowest>,
    failures: Vec<Failure>,
}

impl Summary {
    /// Whether nothing was violated.
    pub fn clean(&self) -> bool {
        self.failures.is_empty()
    }

    /// Whether runs enough committed nothing: whatever else they showed, they proved nothing.
    pub fn idle(&self) -> bool {
        self.runs >= BUSY_RUNS && self.statistics.operations_committed == 0
    }

    /// The situations that occurred in fewer runs than they should have.
    pub fn too_rare(&self) -> impl Iterator<Item = &Score> {
        self.coverage.iter().filter(|score| score.seeds < score.demanded)
    }

    /// The marks of the machine's own for which this campaign proved too little, as [`Summary::vacuous`] says it of
    /// situations.
    pub fn vacuous_marks(&self) -> impl Iterator<Item = &MarkScore> {
        let too_rare = self.marks.iter().filter(|score| score.seeds < score.demanded);
        too_rare.filter(|score| self.counts(score.seeds, score.demanded))
    }

    /// Whether something that is too rare is held against the campaign.
    fn counts(&self, seeds: u64, demanded: u64) -> bool {
        match self.runs {
            _ if self.profile != Profile::Default => false,
            TELLING_RUNS.. => true,
            COMMON_RUNS..TELLING_RUNS => seeds == 0 && demanded >= COMMON,
            _ => false,
        }
    }

    /// The situations for which this campaign proved too little: in [`TELLING_RUNS`] or more, those that
    /// are too rare; in [`COMMON_RUNS`] or more, those that never occurred though [`COMMON`] runs or more
    /// should have met them; in fewer, none.
    ///
    /// Nor are there any under a profile other than the default one: the others leave things out on
    /// purpose, and the minimum shares are not theirs. And [`Situation::OversizeEntry`] is never among them:
    /// how large commands are is up to the machine.
    pub fn vacuous(&self) -> impl Iterator<Item = &Score> {
        let is_up_to_machine = |score: &&Score| score.situation == Situation::OversizeEntry;
        let too_rare = self.too_rare().filter(move |score| !is_up_to_machine(score));
        too_rare.filter(|score| self.counts(score.seeds, score.demanded))
    }
}

impl Tally {
    pub(super) const fn runs(&self) -> u64 {
        self.runs
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.len() as u64
    }

    pub(super) fn add(&mut self, judged: Judged) {
        self.failures.extend(judged.failure());
        let Judged { guarded, elapsed } = judged;
        let verdict = guarded.verdict;
        let wall_ms = milliseconds(elapsed);
        if self.slowest.is_none_or(|slowest| slowest.wall_ms < wall_ms) {
            self.slowest = Some(Slowest { seed: verdict.seed, wall_ms });
        }
        self.runs += 1;
        self.digest = mix(self.digest.rotate_left(7) ^ verdict.digest);
        self.leader_changes.push(verdict.statistics.leader_changes);
        self.operations.push(verdict.statistics.operations_committed);
        self.faults.push(verdict.statistics.fault_count());
        self.statistics.merge(&verdict.statistics);
        self.scorecard.add(&verdict.coverage);
    }

    pub(super) fn finish<M: Machine>(
        self,
        campaign: &Campaign,
        completion: Completion,
        wall: Duration,
    ) -> Summary {
        Summary {
            generator: GENERATOR_VERSION,
            profile: campaign.profile,
            seeds: campaign.seeds,
            shard: campaign.shard,
            seed_limit_ms: milliseconds(campaign.seed_limit),
            completion,
            runs: self.runs,
            wall_ms: milliseconds(wall),
            digest: self.digest,
            statistics: self.statistics,
            medians: Medians {
                leader_changes: median(self.leader_changes),
                operations: median(self.operations),
                faults: median(self.faults),
            },
            coverage: self.scorecard.scores().collect(),
            marks: self.scorecard.mark_scores(M::MARKS),
            searches: *self.scorecard.searches(),
            slowest: self.slowest,
            groups: groups(&self.failures),
            failures: self.failures,
        }
    }
}

pub(super) fn groups(failures: &[Failure]) -> Vec<Group> {
    let mut seeds: BTreeMap<(Property, &str), Vec<u64>> = BTreeMap::new();
    for failure in failures {
        seeds.entry((failure.violation.property, &failure.cause)).or_default().push(failure.seed);
    }
    let group = |((property, cause), seeds): ((Property, &str), Vec<u64>)| Group {
        property,
        cause: cause.to_owned(),
        seeds,
    };
    let mut groups: Vec<Group> = seeds.into_iter().map(group).collect();
    groups.sort_by_key(|group| group.seeds.first().copied());
    groups
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A digest as it is printed. As a number it would lose digits in many readers of JSON.
pub(super) mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(in crate::campaign) fn serialize<S: Serializer>(
        digest: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{digest:016x}"))
    }

    pub(in crate::campaign) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16)
            .map_err(|_| D::Error::custom(format!("`{text}` is no digest: 16 hexadecimal digits")))
    }
}

/// The lower median; zero of nothing.
pub(super) fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::violation::Violation;

    /// The median of an even number of values is the lower of the middle two.
    #[test]
    fn the_median_is_a_value_that_occurred() {
        assert_eq!(median(vec![]), 0);
        assert_eq!(median(vec![5]), 5);
        assert_eq!(median(vec![9, 1, 4, 2]), 2);
        assert_eq!(median(vec![9, 1, 4]), 4);
    }

    /// Failures with one property and one cause are one group, in the order of their first seeds.
    #[test]
    fn failures_are_grouped() {
        let failure = |seed, property, cause: &str| Failure {
            seed,
            digest: seed,
            violation: Violation::new(property, raft_core::Instant(1), &[], "it broke"),
            cause: cause.to_owned(),
        };
        let failures = [
            failure(3, Property::Panic, "a.rs:1"),
            failure(5, Property::Liveness, "no leader"),
            failure(8, Property::Panic, "a.rs:2"),
            failure(9, Property::Panic, "a.rs:1"),
        ];
        let seeds: Vec<Vec<u64>> = groups(&failures).into_iter().map(|group| group.seeds).collect();
        assert_eq!(seeds, [vec![3, 9], vec![5], vec![8]]);
    }
}
