//! Many seeds, one after another on several threads, and what they showed together.
//!
//! Invariants: what a [`Summary`] says of runs does not depend on the number of threads, since verdicts
//! are taken in the order of seeds; a failure is told ([`News::Failed`]) as soon as its own run has ended,
//! whatever else still runs; a panic, an exhausted event budget or an endless run fails its own
//! seed and no other. Only times and where a time budget fell differ between two runs of a campaign.

mod merge;
mod panics;
mod pool;
mod run;
mod scenario;
mod seeds;
mod source;
mod summary;
mod wall;

use std::cell::RefCell;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::check::CheckLevel;
use crate::machine::Machine;
use crate::plan::Profile;
use crate::raft::Raft;

pub use merge::MergeError;
pub use run::{Failure, Guarded, replay, run_guarded, run_within};
pub use seeds::{SeedRequest, Seeds, SeedsError, Shard, ShardError};
pub use summary::{
    BUSY_RUNS, COMMON, COMMON_RUNS, Completion, Group, Medians, Slowest, Summary, TELLING_RUNS,
};

pub(crate) use panics::catch;
pub(crate) use run::plan_of;
#[cfg(feature = "command")]
pub(crate) use scenario::Complaint;
pub(crate) use scenario::{check_file, scenario_files};
#[cfg(feature = "command")]
pub(crate) use source::Named;
pub(crate) use source::Source;
pub(crate) use wall::now;

use pool::{Appetite, Ended, Work};
use summary::Tally;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The seeds.
    pub seeds: Seeds,
    /// The share of them to run here.
    pub shard: Shard,
    /// What kind of plans the seeds stand for.
    pub profile: Profile,
    /// How many seeds to run at a time.
    pub jobs: NonZeroUsize,
    /// No seed is started after this long.
    pub budget: Option<Duration>,
    /// A seed that takes longer than this on the wall clock has failed.
    pub seed_limit: Duration,
    /// The campaign stops after so many failures.
    pub max_failures: NonZeroU64,
    /// What is checked.
    pub level: CheckLevel,
}

/// How far a campaign has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Seeds that have been run.
    pub runs: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Seeds that are to be run, if time allows.
    pub planned: u64,
}

/// What a campaign tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// How far it has come: told now and then.
    Progress(Progress),
    /// A run has failed. Told as soon as it has ended, so not in the order of seeds. A campaign that stops
    /// for its failures may have told of runs that are no part of its summary any more.
    Failed(&'a Failure),
}

/// The longest a seed may take, unless told otherwise. Most take some milliseconds.
pub const SEED_LIMIT: Duration = Duration::from_secs(60);
/// How many failures end a campaign, unless told otherwise.
pub const MAX_FAILURES: NonZeroU64 = NonZeroU64::new(10).expect("ten is not zero");

impl Campaign {
    /// A campaign of these seeds on every core, under the default profile.
    pub fn new(seeds: Seeds) -> Self {
        Self {
            seeds,
            shard: Shard::WHOLE,
            profile: Profile::default(),
            jobs: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            budget: None,
            seed_limit: SEED_LIMIT,
            max_failures: MAX_FAILURES,
            level: CheckLevel::Full,
        }
    }

    /// How many seeds are to be run, if time allows.
    pub fn planned(&self) -> u64 {
        self.shard.runs(self.seeds)
    }

    /// Runs the campaign, telling `listener` what happens meanwhile.
    pub fn run<R, M>(&self, listener: impl FnMut(News<'_>)) -> Summary
    where
        R: Raft + 'static,
        M: Machine + 'static,
    {
        let (profile, level) = (self.profile, self.level);
        let work = Work {
            seeds: self.seeds,
            shard: self.shard,
            threads: self.jobs,
            budget: self.budget,
            limit: self.seed_limit,
            job: Arc::new(move |seed| run::seed::<R, M>(seed, profile, level)),
        };
        let started = now();
        let tally = RefCell::new(Tally::default());
        let listener = RefCell::new(listener);
        let tell = |news: News<'_>| (listener.borrow_mut())(news);
        let judge = |finished| {
            let judged = run::judged(finished, self.seed_limit);
            if let Some(failure) = judged.failure() {
                tell(News::Failed(&failure));
            }
            judged
        };
        let take = |judged| {
            let mut tally = tally.borrow_mut();
            tally.add(judged);
            let enough = tally.failures() >= self.max_failures.get();
            if enough { Appetite::Enough } else { Appetite::More }
        };
        let planned = self.planned();
        let tick = || {
            let (runs, failures) = (tally.borrow().runs(), tally.borrow().failures());
            tell(News::Progress(Progress { runs, failures, planned }));
        };
        let completion = match pool::run(work, judge, take, tick) {
            Ended::Exhausted => Completion::AllSeeds,
            Ended::TimeUp => Completion::TimeUp,
            Ended::Enough => Completion::TooManyFailures,
        };
        tally.into_inner().finish::<M>(self, completion, started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Kv;
    use raft_core::Node;

    /// Goal: what a campaign says does not depend on the number of threads, and is said of every seed.
    #[test]
    fn a_summary_does_not_depend_on_threads() {
        let summary = |jobs| {
            let seeds = Seeds::new(100..112).expect("the band is not empty");
            let jobs = NonZeroUsize::new(jobs).expect("there is a thread");
            let mut summary = Campaign { jobs, ..Campaign::new(seeds) }.run::<Node, Kv>(|_| ());
            // Only times may differ.
            (summary.wall_ms, summary.slowest) = (0, None);
            summary
        };
        let one = summary(1);
        assert_eq!(format!("{one:?}"), format!("{:?}", summary(2)));
        assert_eq!((one.runs, one.completion), (12, Completion::AllSeeds));
    }

    /// Goal: two shards of a campaign are the whole of it.
    #[test]
    fn shards_add_up() {
        let events = |shard: &str| {
            let seeds = Seeds::new(0..7).expect("the band is not empty");
            let shard = shard.parse().expect("it is a shard");
            let summary = Campaign { shard, ..Campaign::new(seeds) }.run::<Node, Kv>(|_| ());
            (summary.runs, summary.statistics.events)
        };
        let ((some, first), (more, second)) = (events("1/2"), events("2/2"));
        assert_eq!((some, more), (4, 3));
        assert_eq!((7, first + second), events("1/1"));
    }
}
