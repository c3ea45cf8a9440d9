//! What can be asked of the command, and how bad use of it is answered: in one line.

mod explore;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use raft_core::{Instant, NodeId};

use super::reports::ReportArguments;
use crate::campaign::{SeedRequest, Shard, Source};
use crate::units::exact;

pub(crate) use explore::ExploreArguments;

/// What is judged when, besides violations.
const PROOF: &str = "\
A campaign in which nothing was violated has failed all the same when it proved too little:
  20 seeds or more     nothing was committed
  100 seeds or more    a situation on the scorecard never occurred, and its minimum share of these seeds is 20 or more
  1,000 seeds or more  a situation occurred in fewer seeds than its minimum share
Situations are judged under the default profile only, and not with --allow-vacuous; oversize-entry never is, since
how large commands are is up to the state machine.";

/// Runs simulated Raft clusters through partitions, crashes and delays, and checks everything that must
/// hold.
///
/// Without arguments: a campaign of 2,000 seeds, and what it covered.
///
/// Exit status: 0 when everything held, 1 when something was violated (the last lines say what, and how
/// to replay it), a run was not what its scenario says, or too little was proved, 2 when the command was used wrongly.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_long_help = PROOF)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    run: RunArguments,
}

/// One thing to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Runs a campaign of seeds (the default)
    #[command(after_long_help = PROOF)]
    Run(RunArguments),
    /// Runs one seed, plan file or scenario again, and prints what happened
    Replay(ReplayArguments),
    /// Runs scenarios, and compares each run with what its scenario says of it
    Check(CheckArguments),
    /// Makes a failing seed or plan smaller, and prints what is left of it
    Shrink(ShrinkArguments),
    /// Makes one report of the shards of a campaign
    Merge(MergeArguments),
    /// Meets every state of a small scope, on the real core, and checks each step
    Explore(ExploreArguments),
    /// Measures how many events a second are simulated, checked and unchecked
    Bench(BenchArguments),
}

/// What `run` takes.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// A count, a range, or so many from a base that is drawn and printed
    #[arg(long, value_name = "COUNT|A..B|fresh:COUNT")]
    pub(crate) seeds: Option<SeedRequest>,
    /// Start no more seeds after this long (90s, 10m); without --seeds, run until then
    #[arg(long, value_name = "TIME", value_parser = wall_time)]
    pub(crate) time: Option<Duration>,
    /// Run only every Nth seed, from the Ith on: for N machines that share a campaign of the same seeds
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    pub(crate) shard: Shard,
    /// How many seeds to run at a time (default: one per core)
    #[arg(long, value_name = "JOBS", value_parser = threads)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// What kind of plans the seeds stand for
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) profile: String,
    /// Stop after so many failing seeds
    #[arg(long, value_name = "COUNT", default_value = "10")]
    pub(crate) max_failures: NonZeroU64,
    /// Count a seed as failed when it runs for longer than this
    #[arg(long, value_name = "TIME", value_parser = wall_time, default_value = "60s")]
    pub(crate) seed_time: Duration,
    #[command(flatten)]
    pub(crate) reports: ReportArguments,
    /// Check only that steps and messages are what the specification of Raft allows, and nothing else
    #[arg(long, hide = true)]
    pub(crate) only_specification: bool,
    /// Where the plans of failing runs are written, each as soon as its run has failed
    #[arg(long, value_name = "DIR", default_value = "raft-sim-failures")]
    pub(crate) failures: PathBuf,
}

/// What `merge` takes.
#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// What `run --shard I/N --json FILE` wrote, all N of them; a file may hold several; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reports: ReportArguments,
}

/// What `replay` takes.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// A seed, or a file: a plan, a scenario, the recorded life of a node, or a recorded run
    #[arg(value_name = "SEED|FILE")]
    pub(crate) what: Source,
    /// What kind of plan the seed stands for
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) profile: String,
    /// The version of the plan generator that the seed was found with
    #[arg(long, value_name = "VERSION")]
    pub(crate) generator: Option<u32>,
    /// Give the run up, as failed, when it takes longer than this
    #[arg(long, value_name = "TIME", value_parser = wall_time, default_value = "60s")]
    pub(crate) seed_time: Duration,
    /// Show only what happened until then, in simulated time (1.5s, 300ms, 1500000)
    #[arg(long, value_name = "TIME", value_parser = simulated_time)]
    pub(crate) until: Option<Instant>,
    /// Show only what concerns this node (2 or n2)
    #[arg(long, value_name = "NODE", value_parser = node)]
    pub(crate) node: Option<NodeId>,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
    /// Show every row, not only the last ones
    #[arg(long)]
    pub(crate) all: bool,
    /// How many of the last rows to show (default: 200; where something was violated, those that lead to it)
    #[arg(long, value_name = "COUNT", conflicts_with = "all")]
    pub(crate) rows: Option<NonZeroUsize>,
    /// Write the whole run as a page for a browser; `-` is standard output, which then has nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Record the run in this file, which `replay FILE` then compares with, event by event
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Go on where a recorded run is left, with the recorded fates of messages, and say how much of it happens again
    #[arg(long)]
    pub(crate) guided: bool,
}

/// What `check` takes.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Files with scenarios, or folders of files that are named `*.scenario`
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// What `shrink` takes.
#[derive(Debug, Args)]
pub(crate) struct ShrinkArguments {
    /// A seed, or a file with a plan or a scenario
    #[arg(value_name = "SEED|FILE")]
    pub(crate) what: Source,
    /// What kind of plan the seed stands for
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) profile: String,
    /// The version of the plan generator that the seed was found with
    #[arg(long, value_name = "VERSION")]
    pub(crate) generator: Option<u32>,
    /// Be content with what was found after this long
    #[arg(long, value_name = "TIME", value_parser = wall_time, default_value = "9s")]
    pub(crate) time: Duration,
    /// How many plans to run at a time (default: one per core)
    #[arg(long, value_name = "JOBS", value_parser = threads)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Write what is left, a scenario, to a file, and not to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write it as a Rust test too, ready to be pasted
    #[arg(long, value_name = "FILE.rs")]
    pub(crate) test: Option<PathBuf>,
    /// Write how it went as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What `bench` takes.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Run once with about so many events and all checks, for a profiler, instead of measuring
    #[arg(long, value_name = "COUNT")]
    pub(crate) events: Option<NonZeroU64>,
    /// How often to measure each
    #[arg(long, value_name = "COUNT", default_value = "7", conflicts_with = "events")]
    pub(crate) rounds: NonZeroUsize,
    /// Write the result as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// How a replay is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Rows for people
    Text,
    /// One JSON document: the run as a story (docs/STORY.md), up to --until
    Json,
    #[value(help = "Lines for ShiViz, each event with a vector clock")]
    Shiviz,
    /// What clients asked and were told, a JSON object a line, for outside checkers
    History,
}

/// What came of reading the command line.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Something to do.
    Action(Action),
    /// Help or version: text for standard output.
    Information(String),
    /// Bad use: one line.
    Wrong(String),
}

/// Reads the command line.
pub(crate) fn parse(words: impl IntoIterator<Item = std::ffi::OsString>, name: &str) -> Parsed {
    let command = Arguments::command().bin_name(name.to_owned()).display_name(name.to_owned());
    let parsed = command
        .try_get_matches_from(words)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(Arguments { action: Some(action), .. }) => Parsed::Action(action),
        Ok(Arguments { action: None, run }) => Parsed::Action(Action::Run(run)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Parsed::Information(error.render().to_string())
            }
            _ => Parsed::Wrong(one_line(&error.render().to_string(), name)),
        },
    }
}

/// The message of a rendered error on one line: without the usage, with the tips.
fn one_line(rendered: &str, name: &str) -> String {
    let message: Vec<&str> = rendered
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut line = String::new();
    for part in message {
        let part = part.strip_prefix("error: ").unwrap_or(part);
        if !line.is_empty() {
            line.push_str(if line.ends_with(':') { " " } else { "; " });
        }
        line.push_str(part.strip_prefix("tip: ").unwrap_or(part));
    }
    format!("{line} (see `{name} --help`)")
}

fn wall_time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    match exact(text, &units) {
        Some(0) => Err("no seed can run in no time: give a time above zero".to_owned()),
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        None => {
            Err("not a time: write a number and a unit, as in 500ms, 90s, 10m or 1h".to_owned())
        }
    }
}

fn simulated_time(text: &str) -> Result<Instant, String> {
    let units = [("", 1), ("us", 1), ("ms", 1_000), ("s", 1_000_000)];
    exact(text, &units).map(Instant).ok_or_else(|| {
        "not a time: write microseconds (1500000), or a number and a unit, as in 300ms or 1.5s"
            .to_owned()
    })
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= 1_024 => Ok(count),
        _ => Err("not a number of threads: write a number from 1 to 1024".to_owned()),
    }
}

fn node(text: &str) -> Result<NodeId, String> {
    let digits = text.strip_prefix('n').unwrap_or(text);
    match digits.parse() {
        Ok(id) if id > 0 => Ok(NodeId(id)),
        _ => Err("not a node: write its number, as in 2 or n2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::{BUSY_RUNS, COMMON, COMMON_RUNS, SEED_LIMIT, TELLING_RUNS};
    use crate::timeline::grouped;

    fn read(line: &str) -> Parsed {
        let words = std::iter::once("raft-sim").chain(line.split_whitespace());
        parse(words.map(Into::into), "raft-sim")
    }

    /// The declaration of the command line is consistent.
    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    /// `run` is what happens when no action is named, with its options or without.
    #[test]
    fn run_is_the_default() {
        assert!(matches!(read(""), Parsed::Action(Action::Run(_))));
        let Parsed::Action(Action::Run(arguments)) = read("--seeds 3..9 --time 1.5s") else {
            panic!("it is a run");
        };
        assert_eq!(arguments.seeds, Some("3..9".parse().expect("it is a range")));
        assert_eq!(arguments.time, Some(Duration::from_millis(1_500)));
    }

    /// Every refusal is one line that names what was wrong.
    #[test]
    fn bad_use_is_one_line() {
        let cases = [
            ("--sedes 10", "--sedes"),
            ("walk", "walk"),
            ("replay", "SEED|FILE"),
            ("run --seeds 9..3", "9..3"),
            ("run --time soon", "soon"),
            ("run --jobs 0", "--jobs"),
            ("run --shard 5/4", "5/4"),
            ("replay 1 --format shouted", "shouted"),
            ("replay 1 --until late", "late"),
            ("replay 1 --seed-time never", "never"),
            ("replay 1 --node 0", "--node"),
        ];
        for (line, named) in cases {
            let Parsed::Wrong(message) = read(line) else { panic!("`{line}` is accepted") };
            assert!(message.contains(named), "{message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }

    /// The help says what is judged when, with the numbers that are used.
    #[test]
    fn help_says_what_is_judged() {
        let rows =
            [(BUSY_RUNS, "nothing"), (COMMON_RUNS, "a situation"), (TELLING_RUNS, "a situation")];
        for line in ["--help", "run --help"] {
            let Parsed::Information(help) = read(line) else { panic!("`{line}` is no help") };
            for (runs, what) in rows {
                let row = format!("  {:19}  {what}", format!("{} seeds or more", grouped(runs)));
                assert!(help.contains(&row), "{line} does not say {row:?}: {help}");
            }
            assert!(help.contains(&format!("is {COMMON} or more")), "{help}");
        }
    }

    /// `run` and `replay` give a seed the same time, the one that a library's campaign gives.
    #[test]
    fn a_seed_has_the_same_time_everywhere() {
        let Parsed::Action(Action::Run(run)) = read("run") else { panic!("it is a run") };
        let Parsed::Action(Action::Replay(replay)) = read("replay 1") else {
            panic!("it is a replay")
        };
        assert_eq!((run.seed_time, replay.seed_time), (SEED_LIMIT, SEED_LIMIT));
    }

    /// Times are read exactly, with every unit.
    #[test]
    fn times_are_exact() {
        assert_eq!(simulated_time("1.5s"), Ok(Instant(1_500_000)));
        assert_eq!(simulated_time("300ms"), Ok(Instant(300_000)));
        assert_eq!(simulated_time("17"), Ok(Instant(17)));
        assert_eq!(wall_time("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "s", "1.s", ".5s", "1.2.3s", "5 s", "99999999999999999999", "1x"] {
            assert!(wall_time(text).is_err() && simulated_time(text).is_err(), "{text}");
        }
    }
}
