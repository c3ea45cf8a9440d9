//! How many events a run of a plan may take, estimated rather too high for what goes on all the time: a plan that needs more than its limit is
//! refused instead of being called endless when it is run.

use raft_core::Instant;

use super::{Checked, refuse};
use crate::plan::{Fault, Plan, Span, StaticCut};

/// How many election timeouts a sound cluster takes at most, once all is healed, until it has come to rest.
const COMING_TO_REST: u64 = 10;
/// How many election timeouts pass under a static cut beside those that the plan gives.
const AROUND_A_STATIC_CUT: u64 = 12;

/// When all is healed, no delay is longer than this part of an election timeout.
const FAIR_PART: u64 = 16;

/// What events are for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Heartbeats,
    Operations,
    OperationsUnderCut,
    Listed,
    Retries,
    Flapping,
}

/// What events are for in a plan, and how many.
fn needs(plan: &Plan) -> [(u64, Purpose); 6] {
    let purposes = [
        Purpose::Heartbeats,
        Purpose::Operations,
        Purpose::OperationsUnderCut,
        Purpose::Listed,
        Purpose::Retries,
        Purpose::Flapping,
    ];
    purposes.map(|purpose| (purpose.events(plan), purpose))
}

/// How many events a run of a plan may take: the least limit that it may have.
pub(in super::super) fn needed(plan: &Plan) -> u64 {
    needs(plan).iter().map(|(events, _)| events).fold(0, |all, need| need.saturating_add(all))
}

/// Checks that the plan's limit is enough for what it is going to do.
pub(super) fn check(plan: &Plan) -> Checked {
    let (needs, all) = (needs(plan), needed(plan));
    if all <= plan.limits.events {
        return Ok(());
    }
    let mut most = needs[0];
    for need in needs {
        if need.0 > most.0 {
            most = need;
        }
    }
    let expected = format!("a run may take {all}, most of them {}", most.1.explained(plan));
    refuse("limits.events", plan.limits.events, expected)
}

impl Purpose {
    fn events(self, plan: &Plan) -> u64 {
        match self {
            Self::Heartbeats => heartbeats(plan),
            Self::Operations => operations_begun(plan).saturating_mul(each(plan)),
            Self::OperationsUnderCut => operations_begun_under_cut(plan).saturating_mul(each(plan)),
            Self::Listed => (plan.operations.len() as u64).saturating_mul(each(plan)),
            Self::Retries => retries(plan),
            Self::Flapping => flapping(plan),
        }
    }

    /// With every value that the number comes from.
    fn explained(self, plan: &Plan) -> String {
        let (settings, load) = (&plan.settings, &plan.workload);
        match self {
            Self::Heartbeats => format!(
                "for heartbeats (settings.heartbeat_interval {}) until heal_at {},{} and until the last request \
                 ends (settings.request_timeout {})",
                settings.heartbeat_interval,
                plan.heal_at,
                static_cut(plan),
                settings.request_timeout
            ),
            Self::Operations => format!(
                "for up to {} operations (workload.operations) of {}, until heal_at {}",
                load.operations,
                clients(plan),
                plan.heal_at
            ),
            Self::OperationsUnderCut => {
                format!("for the operations of {},{}", clients(plan), static_cut(plan))
            }
            Self::Listed => format!("for {} operations (operations)", plan.operations.len()),
            Self::Retries => format!(
                "for attempts of {} clients (workload.clients) with pauses of workload.backoff (min {}, \
                 max {}), until heal_at {}",
                load.clients, load.backoff.min, load.backoff.max, plan.heal_at
            ),
            Self::Flapping => {
                let flapping = plan.faults.iter().enumerate();
                let most = flapping.max_by_key(|(_, timed)| turns(plan, timed.at, &timed.fault));
                let Some((number, Fault::Flap { down, up, lasts, .. })) =
                    most.map(|(number, timed)| (number, timed.fault))
                else {
                    return "for faults".to_owned();
                };
                format!(
                    "for links that flap: faults[{number}].fault.flap has down {down}, up {up}, lasts {lasts}"
                )
            }
        }
    }
}

fn clients(plan: &Plan) -> String {
    let load = &plan.workload;
    let (think, patience) = (load.think, load.patience);
    format!(
        "{} clients (workload.clients) that think (min {}, max {}) and have patience (min {}, max {})",
        load.clients, think.min, think.max, patience.min, patience.max
    )
}

fn static_cut(plan: &Plan) -> String {
    let Some(StaticCut { settle, lasts, .. }) = plan.static_cut else { return String::new() };
    format!(" under the static_cut (settle {settle}, lasts {lasts})")
}

/// How long a static cut takes with what is around it.
fn under_static_cut(plan: &Plan) -> u64 {
    plan.static_cut.map_or(0, |cut| {
        let around = AROUND_A_STATIC_CUT * plan.settings.election_timeout.0;
        around + cut.settle.0 + cut.lasts.0
    })
}

/// Each goes to every other node and back, and makes timers be looked at.
fn heartbeats(plan: &Plan) -> u64 {
    let settings = &plan.settings;
    let rest = COMING_TO_REST * settings.election_timeout.0 + settings.request_timeout.0;
    let time = plan.heal_at.0 + under_static_cut(plan) + rest;
    let time = plan.ends_at.map_or(time, |end| time.min(end.0));
    let each = 4 * u64::from(plan.nodes);
    time / settings.heartbeat_interval.0.max(1) * with_copies(plan, each)
}

/// How many operations clients begin until everything is healed.
fn operations_begun(plan: &Plan) -> u64 {
    let load = &plan.workload;
    let takes = usual(load.think) + answered(plan, u64::MAX);
    let begun = u64::from(load.clients) * plan.heal_at.0 / takes;
    // A client with a session sends one operation many times.
    if load.sessions > 0 { begun } else { begun.min(load.operations) }
}

/// Under a static cut operations are not limited in number, and nothing takes long.
fn operations_begun_under_cut(plan: &Plan) -> u64 {
    let (load, settings) = (&plan.workload, &plan.settings);
    let think = usual(load.think.capped(settings.election_timeout.0));
    let takes = think + answered(plan, settings.fraction(FAIR_PART));
    u64::from(load.clients) * under_static_cut(plan) / takes
}

/// How long an operation usually takes, when no part of it takes more than `longest`.
fn answered(plan: &Plan, longest: u64) -> u64 {
    let Plan { network, disk, apply, .. } = plan;
    let parts = [network.delay, disk.write, disk.receipt, apply.latency, apply.report];
    let parts = parts.into_iter().map(|part| usual(part.capped(longest))).sum::<u64>();
    parts.min(usual(plan.workload.patience))
}

/// Each is passed on, replicated, written and applied everywhere.
fn each(plan: &Plan) -> u64 {
    with_copies(plan, 10 * u64::from(plan.nodes)) + 4
}

/// While nobody leads, every attempt is refused, perhaps after it was passed on.
fn retries(plan: &Plan) -> u64 {
    let load = &plan.workload;
    u64::from(load.clients) * plan.heal_at.0 / usual(load.backoff).max(1) * 2
}

fn flapping(plan: &Plan) -> u64 {
    plan.faults.iter().map(|timed| turns(plan, timed.at, &timed.fault)).fold(0, u64::saturating_add)
}

/// How often a fault begins, changes and ends.
fn turns(plan: &Plan, at: Instant, fault: &Fault) -> u64 {
    match fault {
        Fault::Flap { down, up, lasts, .. } => {
            let lasts = lasts.0.min(plan.heal_at.since(at).0);
            2 + 2 * (lasts / (down.0 + up.0).max(1))
        }
        _ => 2,
    }
}

/// Messages with those that the network makes of them.
fn with_copies(plan: &Plan, messages: u64) -> u64 {
    let network = &plan.network;
    let copies =
        u64::from(network.duplicate_per_million) + u64::from(network.malformed_per_million);
    messages + (messages * copies).div_ceil(1_000_000)
}

/// About the mean of what is drawn from a span, in which every order of magnitude is as likely.
fn usual(span: Span) -> u64 {
    let (min, max) = (span.min.0.max(1), span.max.0.max(1));
    let octaves = u64::from(max.ilog2() - min.ilog2());
    (max * 3 / (octaves + 1) / 2).clamp(min, min.midpoint(max))
}
