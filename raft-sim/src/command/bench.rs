//! `bench`: how fast runs are simulated on one core.
//!
//! * The steady state, checked and unchecked: five nodes under load, cut off after a fixed number of events.
//! * The same nodes without clients: how much faster than real time a run is depends on how little happens in it.
//! * Seeds: default plans from the drawing of the plan to the last check, as in a campaign.
//! * The search for a linear order, which is made once at the end of a run and whose cost grows differently, on the
//!   history of a steady run.
//!
//! Everything is measured in turn, several times, so that a machine that slows down or speeds up meanwhile favours none
//! of them. The fastest time counts: whatever else runs on the machine only ever makes a run slower.

use std::path::Path;
use std::time::Duration;

use raft_core::Instant;
use serde_json::{Value, json};

use super::arguments::BenchArguments;
use super::{BadUse, Outcome, files, print};
use crate::campaign::{now, plan_of};
use crate::check::CheckLevel;
use crate::coverage::Searches;
use crate::history::{History, Route};
use crate::linearizability;
use crate::machine::Machine;
use crate::plan::{Plan, Profile};
use crate::raft::Raft;
use crate::timeline::grouped;
use crate::verdict::{Statistics, Verdict};
use crate::world::{self, NoTrace, Trace, TraceEvent, World};

/// How many events a measured run of the steady state has.
const EVENTS: u64 = 1_000_000;
/// How many seeds are measured together.
const SEEDS: u64 = 200;
/// What seeds are counted in, since they are of all sizes.
const EVENTS_A_SEED: u64 = 10_000;
/// The longest simulated time of a run: never reached.
const ENDLESS: Instant = Instant(100_000_000_000);

/// What was simulated, and how long that took.
#[derive(Clone, Copy)]
struct Measured {
    events: u64,
    delivered: u64,
    /// In microseconds.
    simulated: u64,
    took: Duration,
}

impl Measured {
    /// So many, a second.
    fn rate(&self, count: u64) -> u64 {
        let nanoseconds = self.took.as_nanos().max(1);
        u64::try_from(u128::from(count) * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
    }

    /// How many times faster than real time.
    fn pace(&self) -> u64 {
        self.rate(self.simulated) / 1_000_000
    }
}

/// The same, measured several times: the fastest.
struct Best(Option<Measured>);

impl Best {
    fn take(&mut self, measured: Measured) {
        let is_better = self.0.is_none_or(|best| measured.took < best.took);
        if is_better {
            self.0 = Some(measured);
        }
    }

    fn get(self) -> Measured {
        self.0.expect("there is at least one round")
    }
}

/// Measures, and prints what came out.
pub(super) fn bench<R, M>(arguments: &BenchArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let json = arguments.json.as_deref();
    files::check_outputs(&[("--json", json)])?;
    if let Some(events) = arguments.events {
        let run = measure::<R, M>(&plan(), events.get(), CheckLevel::Full)?;
        let text = format!("{} events, {} messages delivered\n", run.events, run.delivered);
        let document = json!({
            "events": run.events,
            "messages_delivered": run.delivered,
            "microseconds": run.took.as_micros(),
        });
        return deliver(json, &text, &document);
    }
    let (mut checked, mut unchecked) = (Best(None), Best(None));
    let (mut quiet, mut seeds) = (Best(None), Best(None));
    for _ in 0..arguments.rounds.get() {
        checked.take(measure::<R, M>(&plan(), EVENTS, CheckLevel::Full)?);
        unchecked.take(measure::<R, M>(&plan(), EVENTS, CheckLevel::None)?);
        quiet.take(measure::<R, M>(&without_clients(), EVENTS, CheckLevel::Full)?);
        seeds.take(measure_seeds::<R, M>()?);
    }
    let (rounds, found) = (arguments.rounds.get(), search::<R, M>());
    report(json, rounds, [checked, unchecked, quiet, seeds].map(Best::get), &found)
}

/// The search for a linear order, measured once.
struct Searched {
    operations: u64,
    searches: Searches,
    took: Duration,
}

/// Collects what clients ask and are told.
#[derive(Default)]
struct Listener {
    history: History,
}

impl Trace for Listener {
    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        match event {
            TraceEvent::Invoked { op, client, node, command, .. } => {
                // The search does not ask how a node took the operation.
                self.history.invoke(at, op, client, node, Route::Leader, command);
            }
            TraceEvent::Answered { op, node, outcome, output } => {
                let answered = self.history.answer(at, op, node, outcome, output);
                debug_assert!(answered.is_ok(), "the run has checked its answers");
            }
            _ => {}
        }
    }
}

/// Searches the history of a run for a linear order, and measures only that.
fn search<R: Raft, M: Machine>() -> Searched {
    let mut listener = Listener::default();
    World::<R, M, _>::new(&plan(), &mut listener, CheckLevel::None).advance(EVENTS);
    let started = now();
    let (_, searches) = linearizability::check::<M>(&listener.history, u64::MAX);
    let took = started.elapsed();
    Searched { operations: listener.history.operations().len() as u64, searches, took }
}

/// The bench plan, without an end of its own.
fn plan() -> Plan {
    let mut plan = Plan::generate(0, Profile::Bench);
    plan.heal_at = ENDLESS;
    plan.limits.events = u64::MAX;
    plan
}

/// The same nodes, of which nobody asks anything.
fn without_clients() -> Plan {
    let mut plan = plan();
    plan.workload.clients = 0;
    plan
}

fn measure<R: Raft, M: Machine>(
    plan: &Plan,
    events: u64,
    level: CheckLevel,
) -> Result<Measured, BadUse> {
    let mut trace = NoTrace;
    let started = now();
    let mut world = World::<R, M, _>::new(plan, &mut trace, level);
    world.advance(events);
    let (took, simulated) = (started.elapsed(), world.now().0);
    let Statistics { events, delivered, .. } = *sound(&world.verdict())?;
    Ok(Measured { events, delivered, simulated, took })
}

/// Measures seeds as a campaign runs them, each to its end.
fn measure_seeds<R: Raft, M: Machine>() -> Result<Measured, BadUse> {
    let mut all = Statistics::default();
    let started = now();
    for seed in 0..SEEDS {
        let plan = plan_of::<R, M>(seed, Profile::Default);
        all.merge(sound(&world::run::<R, M>(&plan))?);
    }
    let took = started.elapsed();
    let Statistics { events, delivered, simulated, .. } = all;
    Ok(Measured { events, delivered, simulated, took })
}

/// What happened in a run that violated nothing.
fn sound(verdict: &Verdict) -> Result<&Statistics, BadUse> {
    match &verdict.violation {
        Some(violation) => {
            Err(BadUse(format!("the bench run is no measure, as it failed: {violation}")))
        }
        None => Ok(&verdict.statistics),
    }
}

fn report(
    json: Option<&Path>,
    rounds: usize,
    [checked, unchecked, quiet, seeds]: [Measured; 4],
    searched: &Searched,
) -> Result<Outcome, BadUse> {
    let with = checked.rate(checked.events);
    let without = unchecked.rate(unchecked.events);
    let ratio = (without * 100).checked_div(with).unwrap_or(0);
    let load = plan();
    let text = format!(
        "one core; the best of {rounds} measurements\n\
         {} nodes, {} clients, key-value load, {} events:\n  \
         checked:   {} events/s ({} of them messages delivered), {} times real time\n  \
         unchecked: {} events/s\n  \
         checks cost a factor of {}.{:02}\n  \
         linear order of {} operations: {} states visited in {} ms\n\
         {} nodes without clients:\n  \
         {} events/s ({} of them messages delivered), {} times real time\n\
         {SEEDS} seeds of the default profile, drawn and run to their ends with all checks:\n  \
         {} events/s ({} of them messages delivered), {} times real time\n  \
         as many events as {} seeds of {} events a second\n",
        load.nodes,
        load.workload.clients,
        grouped(EVENTS),
        grouped(with),
        grouped(checked.rate(checked.delivered)),
        grouped(checked.pace()),
        grouped(without),
        ratio / 100,
        ratio % 100,
        grouped(searched.operations),
        grouped(searched.searches.states),
        searched.took.as_millis(),
        load.nodes,
        grouped(quiet.rate(quiet.events)),
        grouped(quiet.rate(quiet.delivered)),
        grouped(quiet.pace()),
        grouped(seeds.rate(seeds.events)),
        grouped(seeds.rate(seeds.delivered)),
        grouped(seeds.pace()),
        grouped(seeds.rate(seeds.events) / EVENTS_A_SEED),
        grouped(EVENTS_A_SEED),
    );
    let document = json!({
        "events_per_run": EVENTS,
        "rounds": rounds,
        "checked_events_per_second": with,
        "checked_deliveries_per_second": checked.rate(checked.delivered),
        "checked_times_real_time": checked.pace(),
        "unchecked_events_per_second": without,
        "ratio_percent": ratio,
        "search_operations": searched.operations,
        "search_states": searched.searches.states,
        "search_microseconds": searched.took.as_micros(),
        "quiet_events_per_second": quiet.rate(quiet.events),
        "quiet_times_real_time": quiet.pace(),
        "seeds": SEEDS,
        "seeds_per_second": seeds.rate(SEEDS),
        "seeds_events_per_second": seeds.rate(seeds.events),
        "seeds_deliveries_per_second": seeds.rate(seeds.delivered),
        "seeds_times_real_time": seeds.pace(),
    });
    deliver(json, &text, &document)
}

/// Prints the text, or the document where that goes to standard output.
fn deliver(json: Option<&Path>, text: &str, document: &Value) -> Result<Outcome, BadUse> {
    if let Some(path) = json {
        files::write(path, &format!("{document:#}\n"))?;
    }
    if !json.is_some_and(files::is_standard_output) {
        print(text)?;
    }
    Ok(Outcome::Clean)
}
