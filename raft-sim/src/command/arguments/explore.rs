//! What `explore` takes.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{threads, wall_time};
use crate::explore::{Beginning, Scope};

/// What `explore` takes.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ExploreArguments {
    /// How many nodes there are (1 to 5)
    #[arg(long, value_name = "COUNT", default_value = "3")]
    nodes: u64,
    /// How many of them found the cluster, from n1; the others wait to be added (default: all)
    #[arg(long, value_name = "COUNT")]
    founders: Option<u64>,
    /// Begin with n1 in office in term 1, all at rest, and not in term 0
    #[arg(long)]
    led: bool,
    /// The last term in which somebody may stand
    #[arg(long, value_name = "COUNT", default_value = "2")]
    terms: u64,
    /// How often somebody is told to stand (default: as often as there are terms)
    #[arg(long, value_name = "COUNT")]
    campaigns: Option<u8>,
    /// Anybody may be told to stand as often as terms allow
    #[arg(long, conflicts_with = "campaigns")]
    any_campaigns: bool,
    /// How many commands are proposed
    #[arg(long, value_name = "COUNT", default_value = "1")]
    entries: u8,
    /// How many crashes there are; what is on the disk then is any prefix of the write under way
    #[arg(long, value_name = "COUNT", default_value = "1")]
    crashes: u8,
    /// How many messages are lost by an event of their own; without any, all losses are explored too, as messages that
    /// never arrive
    #[arg(long, value_name = "COUNT", default_value = "0")]
    losses: u8,
    /// How many messages arrive twice
    #[arg(long, value_name = "COUNT", default_value = "0")]
    duplicates: u8,
    /// How many heartbeats are due; with each, a leader repeats what was not answered
    #[arg(long, value_name = "COUNT", default_value = "0")]
    heartbeats: u8,
    /// How many changes of membership are asked for: to any voters, the others as learners or not at all
    #[arg(long, value_name = "COUNT", default_value = "0")]
    changes: u8,
    /// How many snapshots are taken; each shortens a log
    #[arg(long, value_name = "COUNT", default_value = "0")]
    snapshots: u8,
    /// Candidates ask first whether they could win
    #[arg(long)]
    pre_vote: bool,
    /// The most unacknowledged messages to a peer
    #[arg(long, value_name = "COUNT", default_value = "64")]
    window: u64,
    /// The most entries in a message
    #[arg(long, value_name = "COUNT", default_value = "64")]
    batch: u64,
    /// States that differ only in the names of nodes count as different
    #[arg(long)]
    no_symmetry: bool,
    /// Keep answers of past terms under way that would change nothing
    #[arg(long)]
    keep_late: bool,
    /// Give up after this long (90s, 10m)
    #[arg(long, value_name = "TIME", value_parser = wall_time)]
    pub(crate) time: Option<Duration>,
    /// Give up after so many states
    #[arg(long, value_name = "COUNT")]
    pub(crate) states: Option<NonZeroU64>,
    /// How many threads there are (default: one per core)
    #[arg(long, value_name = "JOBS", value_parser = threads)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Write the steps to a violation as a scenario, if the simulator can be made to take them
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write what came of it as JSON; `-` is standard output, which then has nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl ExploreArguments {
    /// The scope that is asked for.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            nodes: self.nodes,
            founders: self.founders.unwrap_or(self.nodes),
            start: if self.led { Beginning::Led } else { Beginning::Founded },
            terms: self.terms,
            campaigns: (!self.any_campaigns).then(|| {
                self.campaigns.unwrap_or_else(|| u8::try_from(self.terms).unwrap_or(u8::MAX))
            }),
            entries: self.entries,
            crashes: self.crashes,
            losses: self.losses,
            duplicates: self.duplicates,
            heartbeats: self.heartbeats,
            changes: self.changes,
            snapshots: self.snapshots,
            pre_vote: self.pre_vote,
            symmetry: !self.no_symmetry,
            forgets: !self.keep_late,
            window: self.window,
            batch: self.batch,
        }
    }
}
