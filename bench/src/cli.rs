//! The command line.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{
    PossibleValuesParser, RangedI64ValueParser, RangedU64ValueParser, TypedValueParser,
};
use clap::{Args, Parser, Subcommand};
use raft_bench::allocations::uncounted;
use raft_bench::steps::{self, Step};

use crate::contestants::{ALL, Contestant, named};
use crate::measure::Case;
use crate::workload::Mode;
use crate::{guard, idle, plot, table};

/// Measures what an entry costs in raft-core and in other Rafts, and what single steps cost in raft-core.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    table: Table,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a table of all contestants (the default).
    Table(Table),
    /// Draws charts of what an entry costs.
    Plot(Plot),
    /// Counts the instructions of raft-core and compares them with a baseline. Ends with 1 when something takes over
    /// 5 % more, and with 3 when there is no valgrind.
    Guard(Guard),
    /// Measures groups of raft-core that have nothing to do.
    Idle(Idle),
    /// Carries out so many entries, and prints nothing.
    #[command(hide = true)]
    Once {
        #[arg(value_parser = contestant())]
        contestant: &'static Contestant,
        mode: Mode,
        #[arg(value_parser = nodes())]
        nodes: usize,
        #[arg(value_parser = size())]
        size: usize,
        #[arg(value_parser = entries())]
        entries: u64,
    },
    /// Takes a step so many times, and prints nothing.
    #[command(hide = true)]
    Step {
        #[arg(value_parser = step())]
        step: &'static Step,
        #[arg(value_parser = entries())]
        count: u64,
    },
    /// Does so with idle groups.
    #[command(hide = true)]
    IdleOnce {
        task: idle::Task,
        #[arg(value_parser = nodes())]
        nodes: usize,
        #[arg(value_parser = entries())]
        rounds: u64,
    },
}

#[derive(Args)]
pub(crate) struct Table {
    /// Nodes of a cluster.
    #[arg(long, default_value = "3", value_parser = nodes())]
    pub(crate) nodes: usize,
    /// Bytes of a command.
    #[arg(long, default_value = "16", value_parser = size())]
    pub(crate) size: usize,
    /// How often everything is timed.
    #[arg(long, default_value = "9", value_parser = rounds())]
    pub(crate) rounds: u32,
    /// Entries in each round and mode.
    #[arg(long, default_value = "20000", value_parser = entries())]
    pub(crate) entries: u64,
    #[command(flatten)]
    only: Only,
    /// Does not count instructions.
    #[arg(long)]
    pub(crate) no_instructions: bool,
}

#[derive(Args)]
pub(crate) struct Plot {
    /// How often everything is timed.
    #[arg(long, default_value = "3", value_parser = rounds())]
    pub(crate) rounds: u32,
    /// Entries of the longest log.
    #[arg(long, default_value = "10000000", value_parser = length())]
    pub(crate) longest: u64,
    /// The folder of the charts.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bench"))]
    pub(crate) into: PathBuf,
    #[command(flatten)]
    only: Only,
}

#[derive(Args)]
pub(crate) struct Guard {
    /// Writes the baseline anew.
    #[arg(long, conflicts_with = "only")]
    pub(crate) bless: bool,
    /// Only these scenarios.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = PossibleValuesParser::new(guard::names()))]
    pub(crate) only: Vec<String>,
    /// The file of the baseline.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.tsv"))]
    pub(crate) baseline: PathBuf,
}

#[derive(Args)]
pub(crate) struct Idle {
    /// How many groups.
    #[arg(long, default_value = "10000", value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000))]
    pub(crate) groups: u64,
    /// Nodes of a group.
    #[arg(long, default_value = "3", value_parser = nodes())]
    pub(crate) nodes: usize,
    /// How often everything is timed.
    #[arg(long, default_value = "25", value_parser = rounds())]
    pub(crate) rounds: u32,
}

#[derive(Args)]
struct Only {
    /// Only these contestants.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = contestant())]
    only: Vec<&'static Contestant>,
}

impl Only {
    fn contestants(&self) -> Vec<&'static Contestant> {
        let named = |one: &&Contestant| self.only.iter().any(|only| only.name == one.name);
        ALL.iter().filter(|one| self.only.is_empty() || named(one)).collect()
    }
}

impl Table {
    /// Those that can be clusters of so many nodes.
    pub(crate) fn contestants(&self) -> Vec<&'static Contestant> {
        let all = self.only.contestants().into_iter();
        all.filter(|contestant| contestant.can_have(self.nodes)).collect()
    }

    pub(crate) fn left_out(&self) -> impl Iterator<Item = &'static Contestant> {
        let all = self.only.contestants().into_iter();
        all.filter(|contestant| !contestant.can_have(self.nodes))
    }
}

impl Plot {
    pub(crate) fn contestants(&self) -> Vec<&'static Contestant> {
        self.only.contestants()
    }
}

fn contestant() -> impl TypedValueParser<Value = &'static Contestant> {
    let names = PossibleValuesParser::new(ALL.iter().map(|contestant| contestant.name));
    names.try_map(|name| named(&name).ok_or("there is no such contestant"))
}

fn step() -> impl TypedValueParser<Value = &'static Step> {
    let names = PossibleValuesParser::new(steps::ALL.iter().map(|step| step.name));
    names.try_map(|name| steps::named(&name).ok_or("there is no such step"))
}

fn nodes() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<usize>::new().range(1..=15)
}

/// A command begins with its number, of eight bytes.
fn size() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<usize>::new().range(8..=16 << 20)
}

fn rounds() -> impl TypedValueParser<Value = u32> {
    RangedI64ValueParser::<u32>::new().range(1..=10_000)
}

fn entries() -> impl TypedValueParser<Value = u64> {
    RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000)
}

fn length() -> impl TypedValueParser<Value = u64> {
    RangedU64ValueParser::<u64>::new().range(1_000..=1_000_000_000)
}

pub(crate) fn run() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    match arguments.command {
        None => table::print(&arguments.table)?,
        Some(Command::Table(table)) => table::print(&table)?,
        Some(Command::Plot(plot)) => plot::draw_all(&plot)?,
        Some(Command::Guard(guard)) => return guard::run(&guard),
        Some(Command::Idle(idle)) => idle::print(&idle)?,
        Some(Command::Once { contestant, mode, nodes, size, entries }) => {
            Case { contestant, nodes, size, burst: mode.burst() }.carry_out(entries);
        }
        Some(Command::Step { step, count }) => uncounted(|| step.prepare().repeat(count)),
        Some(Command::IdleOnce { task, nodes, rounds }) => {
            uncounted(|| idle::carry_out(task, nodes, rounds));
        }
    }
    Ok(ExitCode::SUCCESS)
}
