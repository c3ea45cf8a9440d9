//! `run`: a campaign, its progress and its report.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::arguments::RunArguments;
use super::{BadUse, Outcome, files, say};
use crate::campaign::{
    Campaign, Failure, News, Progress, SeedRequest, Seeds, Shard, catch, plan_of,
};
use crate::check::CheckLevel;
use crate::machine::Machine;
use crate::plan::{Plan, Profile};
use crate::raft::Raft;
use crate::report::{Context, Judgement};

/// How many seeds are run when nobody says.
const DEFAULT_SEEDS: u64 = 2_000;

/// Runs a campaign and reports it.
pub(super) fn run<R, M>(arguments: &RunArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let campaign = campaign(arguments)?;
    check_outputs(arguments)?;
    if let Some(SeedRequest::Fresh(_)) = arguments.seeds {
        say(&format!("seeds {} (drawn afresh)", campaign.seeds));
    }
    let bar = bar(&campaign);
    let mut plans = Plans::new(&arguments.failures, campaign.profile);
    let summary = campaign.run::<R, M>(|news| match news {
        News::Progress(progress) => show(&bar, progress),
        News::Failed(failure) => bar.suspend(|| say(&plans.keep::<R, M>(failure))),
    });
    bar.finish_and_clear();
    let vacuity = arguments.reports.vacuity();
    let context = Context { invocation: files::invocation(), plans: plans.kept, vacuity };
    // What was found is told whatever becomes of the files.
    let reported = arguments.reports.write(&summary, &context);
    let good = context.judge(&summary) == Judgement::Clean;
    match plans.trouble.map_or(reported, Err) {
        Err(error) if good => Err(error),
        Err(BadUse(reason)) => {
            say(&format!("note: not everything was written: {reason}"));
            Ok(Outcome::Violated)
        }
        Ok(()) => Ok(if good { Outcome::Clean } else { Outcome::Violated }),
    }
}

fn campaign(arguments: &RunArguments) -> Result<Campaign, BadUse> {
    if matches!(arguments.seeds, Some(SeedRequest::Fresh(_))) && arguments.shard != Shard::WHOLE {
        return Err(BadUse(format!(
            "--seeds fresh:COUNT draws another base on each machine, so --shard {} of it is no part of one \
             campaign: draw a base once (`run --seeds fresh:1` prints one), then give every machine \
             --seeds A..B from there",
            arguments.shard
        )));
    }
    let seeds = match (arguments.seeds, arguments.time) {
        (Some(request), _) => request.resolve(),
        (None, Some(_)) => Seeds::all(),
        (None, None) => {
            Seeds::new(0..DEFAULT_SEEDS).expect("the default number of seeds is not zero")
        }
    };
    let mut campaign = Campaign::new(seeds);
    campaign.shard = arguments.shard;
    campaign.profile = profile(&arguments.profile)?;
    campaign.jobs = arguments.jobs.unwrap_or(campaign.jobs);
    campaign.budget = arguments.time;
    campaign.seed_limit = arguments.seed_time;
    campaign.max_failures = arguments.max_failures;
    if arguments.only_specification {
        campaign.level = CheckLevel::Specification;
    }
    if campaign.planned() == 0 {
        return Err(BadUse(format!(
            "shard {} of seeds {seeds} holds no seed: use fewer shards or more seeds",
            arguments.shard
        )));
    }
    Ok(campaign)
}

/// The profile of a name.
pub(super) fn profile(name: &str) -> Result<Profile, BadUse> {
    Profile::named(name).map_err(|error| BadUse(format!("--profile: {error}")))
}

fn check_outputs(arguments: &RunArguments) -> Result<(), BadUse> {
    arguments.reports.check()?;
    files::check_directory("--failures", &arguments.failures)
}

/// A bar on a terminal; nothing elsewhere.
fn bar(campaign: &Campaign) -> ProgressBar {
    if campaign.budget.is_some() && campaign.seeds == Seeds::all() {
        let style =
            ProgressStyle::with_template("{spinner} {elapsed} {pos} seeds ({per_sec}) {msg}");
        return ProgressBar::new_spinner().with_style(style.expect("the template is a constant"));
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {pos}/{len} seeds ({per_sec}, {eta} left) {msg}");
    ProgressBar::new(campaign.planned()).with_style(style.expect("the template is a constant"))
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.runs);
    if progress.failures > 0 {
        bar.set_message(format!("{} failed", progress.failures));
    }
}

/// The files in which the plans of failing runs are kept, each written as soon as its failure is known: a
/// campaign that is killed leaves those it has found.
struct Plans<'a> {
    folder: &'a Path,
    profile: Profile,
    kept: BTreeMap<u64, PathBuf>,
    /// The first thing that went wrong.
    trouble: Option<BadUse>,
}

impl<'a> Plans<'a> {
    fn new(folder: &'a Path, profile: Profile) -> Self {
        Self { folder, profile, kept: BTreeMap::new(), trouble: None }
    }

    /// Writes the plan of a failing run, and says in a line what failed and where the plan is.
    fn keep<R: Raft, M: Machine>(&mut self, failure: &Failure) -> String {
        let Failure { seed, violation, .. } = failure;
        let failed = format!("seed {seed} violates {}", violation.property.name());
        // A seed whose plan cannot even be generated has none.
        let Ok(plan) = catch(|| plan_of::<R, M>(*seed, self.profile)) else {
            return format!("{failed}; its plan cannot be generated");
        };
        let path = self.folder.join(plan.file_name());
        match write_plan(self.folder, &path, &plan) {
            Ok(()) => {
                let line = format!("{failed}; its plan is in {}", path.display());
                self.kept.insert(*seed, path);
                line
            }
            Err(error) => {
                self.trouble.get_or_insert(error);
                failed
            }
        }
    }
}

fn write_plan(folder: &Path, path: &Path, plan: &Plan) -> Result<(), BadUse> {
    fs::create_dir_all(folder).map_err(|error| {
        BadUse(format!("the directory `{}` cannot be made: {error}", folder.display()))
    })?;
    files::write(path, &plan.to_json())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kv::Kv;
    use raft_core::Node;

    /// A campaign in which every run fails, since none ends in no time.
    fn hopeless() -> Campaign {
        let seeds = Seeds::new(0..6).expect("the band is not empty");
        Campaign { seed_limit: Duration::from_nanos(1), ..Campaign::new(seeds) }
    }

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("raft-sim-test-{name}-{}", std::process::id()))
    }

    /// Goal: when a failure is told its plan is written, and every failure of the summary has been told.
    #[test]
    fn plans_are_written_as_failures_are_told() {
        let folder = folder("plans");
        let mut plans = Plans::new(&folder, Profile::Default);
        let summary = hopeless().run::<Node, Kv>(|news| match news {
            News::Progress(progress) => assert!(plans.kept.len() as u64 >= progress.failures),
            News::Failed(failure) => {
                let line = plans.keep::<Node, Kv>(failure);
                let path = plans.kept.get(&failure.seed).expect("it is kept");
                assert!(line.ends_with(&format!("its plan is in {}", path.display())), "{line}");
                let text = fs::read_to_string(path).expect("it is written");
                let plan = Plan::generate(failure.seed, Profile::Default);
                assert_eq!(Plan::from_json(&text), Ok(plan));
            }
        });
        assert!(plans.kept.keys().eq(summary.failures.iter().map(|failure| &failure.seed)));
        assert_eq!((summary.failures.len(), plans.trouble), (6, None));
        fs::remove_dir_all(&folder).expect("the test's own directory can be removed");
    }

    /// Goal: a plan that cannot be written is remembered as such, and its failure is told all the same.
    #[test]
    fn a_plan_that_cannot_be_written_is_remembered() {
        let folder = folder("occupied");
        fs::write(&folder, "not a directory").expect("a file can be written");
        let mut plans = Plans::new(&folder, Profile::Default);
        let mut told = Vec::new();
        hopeless().run::<Node, Kv>(|news| {
            if let News::Failed(failure) = news {
                told.push(plans.keep::<Node, Kv>(failure));
            }
        });
        assert!(
            told.len() == 6 && told.iter().all(|line| line.ends_with("time-limit")),
            "{told:?}"
        );
        assert!(plans.kept.is_empty());
        assert!(plans.trouble.is_some_and(|error| error.0.contains("cannot be made")));
        fs::remove_file(&folder).expect("the test's own file can be removed");
    }
}
