//! How large a plan is, to somebody who has to read it and the run that it makes.
//!
//! A line is something that differs from a benign world: a setting, a fault, an operation, the fate of a message. What a
//! plan leaves to draws is counted as well, for every time that it was drawn.

use serde::Serialize;

use crate::plan::{CrashPoint, Cut, Fate, Fault, Network, Plan, PlanSettings, Span, Way};
use crate::verdict::Statistics;

/// How large a plan and its run are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// What differs from a benign world, and what is left to draws.
    pub lines: u64,
    /// How often something was drawn that the plan leaves open: part of the lines.
    pub drawn: u64,
    /// Operations that clients choose for themselves: part of what is drawn.
    pub unsaid: u64,
    /// Messages that arrived until the violation.
    pub delivered: u64,
    /// Nodes.
    pub nodes: u32,
}

/// What is compared: a message and a node are a tenth of a line each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    weight: u64,
    /// How hard the faults are that are left.
    harm: u64,
    /// How odd the times are.
    digits: u64,
}

const LINE: u64 = 10;

/// An operation that is left to its client is as bad as so many more lines: nobody can read it in the plan.
const UNSAID: u64 = 3;

pub(super) fn size(plan: &Plan, statistics: &Statistics) -> Size {
    let drawn = drawn(plan, statistics);
    Size {
        lines: lines(plan) + drawn,
        drawn,
        unsaid: if plan.workload.clients > 0 { statistics.operations_begun } else { 0 },
        delivered: statistics.delivered,
        nodes: plan.nodes,
    }
}

pub(super) fn score(plan: &Plan, size: Size) -> Score {
    let lines = size.lines + size.unsaid * UNSAID;
    let weight = lines * LINE + size.delivered + u64::from(size.nodes);
    Score { weight, harm: harm(plan), digits: digits(plan) }
}

/// How many lines the plan says.
fn lines(plan: &Plan) -> u64 {
    let benign = Plan::benign(0, plan.nodes);
    let differs = |differs: bool| u64::from(differs);
    let world = [
        plan.nodes != 3,
        plan.seed != 0,
        plan.founders != plan.nodes,
        plan.network.delay != benign.network.delay,
        plan.network.gather != benign.network.gather,
        plan.network.leave != benign.network.leave,
        plan.network.order != benign.network.order,
        plan.disk != benign.disk,
        plan.apply != benign.apply,
        plan.snapshots != benign.snapshots,
        plan.workload != benign.workload,
        plan.static_cut.is_some(),
        plan.ends_at.is_some(),
        plan.ends_at.is_none_or(|end| plan.heal_at < end),
    ];
    let world: u64 = world.into_iter().map(differs).sum();
    let clocks: u64 = plan.clocks.iter().map(|rate| differs(*rate != benign.clocks[0])).sum();
    let others = plan.other_settings.as_ref();
    let others = others.map_or(0, |others| 1 + settings_lines(&others.settings, &plan.settings));
    let lists =
        plan.faults.len() + plan.actions.len() + plan.operations.len() + plan.overrides.len();
    world + clocks + others + settings_lines(&plan.settings, &benign.settings) + lists as u64
}

/// How many settings differ.
pub(super) fn settings_lines(settings: &PlanSettings, from: &PlanSettings) -> u64 {
    super::passes::SETTINGS.iter().filter(|reset| reset(settings, from) != *settings).count() as u64
}

/// How often something was drawn that the plan leaves open.
fn drawn(plan: &Plan, statistics: &Statistics) -> u64 {
    let open = |span: Span| span.min != span.max;
    let mut drawn = 0;
    if is_drawn(&plan.network) {
        drawn += statistics.sent;
    }
    if open(plan.disk.write) || open(plan.disk.receipt) || plan.disk.slow.per_million > 0 {
        drawn += statistics.writes;
    }
    if open(plan.apply.latency) || open(plan.apply.report) {
        drawn += statistics.commits;
    }
    let snapshots = &plan.snapshots;
    let rates = [
        snapshots.failure_per_million,
        snapshots.elsewhere_per_million,
        snapshots.stale_per_million,
    ];
    if open(snapshots.latency) || rates.iter().any(|rate| !matches!(rate, 0 | 1_000_000)) {
        drawn += 1 + statistics.commits / 8;
    }
    if plan.workload.clients > 0 {
        drawn += statistics.operations_begun;
    }
    drawn
}

/// Whether any message's fate is left to a draw.
pub(super) fn is_drawn(network: &Network) -> bool {
    network.delay.min != network.delay.max
        || network.leave.min != network.leave.max
        || network.slow.per_million > 0
        || network.loss_per_million > 0
        || network.duplicate_per_million > 0
        || network.malformed_per_million > 0
}

/// How hard the faults are: of two plans of one length the milder one is easier to believe.
fn harm(plan: &Plan) -> u64 {
    let faults: u64 = plan.faults.iter().map(|timed| harm_of(&timed.fault)).sum();
    let fates = plan.overrides.iter().map(|item| match item.fate {
        Fate::Once { .. } => 1,
        Fate::Twice { .. } => 2,
        Fate::Lost | Fate::Malformed { .. } => 3,
    });
    faults + fates.sum::<u64>()
}

fn harm_of(fault: &Fault) -> u64 {
    let way = |way: Way| if way == Way::Both { 2 } else { 1 };
    match fault {
        Fault::Pause { .. }
        | Fault::SlowDisk { .. }
        | Fault::Hold { .. }
        | Fault::Machine { .. } => 1,
        Fault::Drop { from, to, .. } => 2 + u64::from(from.is_none()) + u64::from(to.is_none()),
        Fault::Cut { cut, .. } => harm_of_cut(cut, way),
        Fault::Flap { cut, .. } => 4 + harm_of_cut(cut, way),
        Fault::Crash { point, .. } => 4 + u64::from(*point != CrashPoint::Now),
        Fault::LoseDisk { .. } => 8,
        Fault::LoseMajority { .. } => 10,
        Fault::PowerLoss { .. } => 12,
    }
}

fn harm_of_cut(cut: &Cut, way: impl Fn(Way) -> u64) -> u64 {
    match cut {
        Cut::Link { way: direction, .. } => way(*direction),
        Cut::Isolate { way: direction, .. } => 2 * way(*direction),
        Cut::Between { first, second, way: direction } => {
            u64::from(first.len() * second.len()) * way(*direction)
        }
        Cut::Split { .. } | Cut::Voters { .. } | Cut::Bridge { .. } | Cut::Ring => 12,
    }
}

/// How many digits the times have that are no trailing zeros, and how long commands are.
fn digits(plan: &Plan) -> u64 {
    let faults = plan
        .faults
        .iter()
        .flat_map(|timed| [timed.at.0, timed.fault.ends(raft_core::Instant(0)).0]);
    let commands: u64 = plan.operations.iter().map(|timed| timed.command.0.len() as u64).sum();
    let times = faults
        .chain(plan.actions.iter().map(|timed| timed.at.0))
        .chain(plan.operations.iter().map(|timed| timed.at.0))
        .chain(plan.overrides.iter().map(|item| match item.fate {
            Fate::Once { delay } | Fate::Malformed { delay, .. } => delay.0,
            Fate::Twice { delay, again } => delay.0 + again.0,
            Fate::Lost => 0,
        }))
        .chain(plan.clocks.iter().map(|rate| u64::from(*rate)));
    times.map(odd_digits).sum::<u64>() + commands
}

fn odd_digits(mut time: u64) -> u64 {
    if time == 0 {
        return 0;
    }
    while time % 10 == 0 {
        time /= 10;
    }
    u64::from(time.ilog10()) + 1
}
