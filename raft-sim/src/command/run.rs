//! `run`: a campaign, its progress and its report.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::arguments::RunArguments;
use super::{BadUse, Outcome, files, print};
use crate::campaign::{Campaign, Progress, SeedRequest, Seeds, Summary, catch};
use crate::machine::Machine;
use crate::plan::{Plan, Profile};
use crate::raft::Raft;
use crate::report::{self, Context, Vacuity};

/// How many seeds are run when nobody says.
const DEFAULT_SEEDS: u64 = 2_000;
/// A campaign this large is expected to have seen everything on the scorecard.
const TELLING_RUNS: u64 = 1_000;

/// From so many runs on, one at least must have committed something.
const FLOOR_RUNS: u64 = 20;

/// Runs a campaign and reports it.
pub(super) fn run<R, M>(arguments: &RunArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let campaign = campaign(arguments)?;
    check_outputs(arguments)?;
    if let Some(SeedRequest::Fresh(_)) = arguments.seeds {
        eprintln!("seeds {} (drawn afresh)", campaign.seeds);
    }
    let bar = bar(&campaign);
    let summary = campaign.run::<R, M>(|progress| show(&bar, progress));
    bar.finish_and_clear();
    // What was found is told whatever becomes of the files.
    let (plans, unwritten) = match write_plans(arguments, &summary) {
        Ok(plans) => (plans, None),
        Err(error) => (BTreeMap::new(), Some(error)),
    };
    let vacuity = vacuity(arguments, &summary);
    let context = Context { invocation: files::invocation(), plans, vacuity };
    let reported = write_reports(arguments, &summary, &context);
    // However few the runs: if no client was ever served, nothing was tested.
    let idle = summary.runs >= FLOOR_RUNS && summary.statistics.operations_committed == 0;
    if idle {
        eprintln!("error: {} runs committed no operation: they proved nothing", summary.runs);
    }
    let good = summary.clean() && !context.vacuity.condemns(&summary) && !idle;
    match unwritten.map_or(reported, Err) {
        Err(error) if good => Err(error),
        Err(BadUse(reason)) => {
            eprintln!("note: not everything was written: {reason}");
            Ok(Outcome::Violated)
        }
        Ok(()) => Ok(if good { Outcome::Clean } else { Outcome::Violated }),
    }
}

fn campaign(arguments: &RunArguments) -> Result<Campaign, BadUse> {
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
    let outputs = [
        ("--json", &arguments.json),
        ("--junit", &arguments.junit),
        ("--summary", &arguments.summary),
    ];
    for (option, path) in outputs {
        if let Some(path) = path {
            files::check_writable(option, path)?;
        }
    }
    files::check_directory("--failures", &arguments.failures)
}

fn vacuity(arguments: &RunArguments, summary: &Summary) -> Vacuity {
    // The minimum shares are those of the default profile: others leave things out on purpose.
    let telling = summary.runs >= TELLING_RUNS && summary.profile == Profile::Default;
    if telling && !arguments.allow_vacuous { Vacuity::Fails } else { Vacuity::Mentioned }
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

/// Writes the plan of every failing run, and says where.
fn write_plans(
    arguments: &RunArguments,
    summary: &Summary,
) -> Result<BTreeMap<u64, PathBuf>, BadUse> {
    let mut plans = BTreeMap::new();
    if summary.clean() {
        return Ok(plans);
    }
    let folder = &arguments.failures;
    fs::create_dir_all(folder).map_err(|error| {
        BadUse(format!("the directory `{}` cannot be made: {error}", folder.display()))
    })?;
    for failure in &summary.failures {
        // A seed whose plan cannot even be generated has none.
        let Ok(plan) = catch(|| Plan::generate(failure.seed, summary.profile)) else { continue };
        let path = folder.join(plan.file_name());
        files::write(&path, &plan.to_json())?;
        plans.insert(failure.seed, path);
    }
    Ok(plans)
}

fn write_reports(
    arguments: &RunArguments,
    summary: &Summary,
    context: &Context,
) -> Result<(), BadUse> {
    let text = report::text(summary, context);
    let reports = [&arguments.json, &arguments.junit];
    if reports.into_iter().flatten().any(|path| files::is_standard_output(path)) {
        // Standard output is for the machine that reads it.
        eprint!("{text}");
    } else {
        print(&text)?;
    }
    if let Some(path) = &arguments.junit {
        files::write(path, &report::junit(summary, context))?;
    }
    if let Some(path) = &arguments.summary {
        files::append(path, &report::markdown(summary, context))?;
    }
    if let Some(path) = &arguments.json {
        files::write(path, &report::json(summary, context))?;
    }
    Ok(())
}
