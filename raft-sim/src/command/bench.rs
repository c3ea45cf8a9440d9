//! `bench`: how many events a second are simulated on one core, checked and unchecked.
//!
//! Both are measured in turn, several times, on the same plan, and compared by their medians, so that a
//! machine that slows down or speeds up meanwhile does not favour one of them. A run is cut off after a
//! fixed number of events, so what is measured is the steady state. The search for a linear order, which is
//! made once at the end of a run and whose cost grows differently, is measured apart, on the history of
//! such a run.

use std::path::Path;
use std::time::Duration;

use raft_core::Instant;
use serde_json::{Value, json};

use super::arguments::BenchArguments;
use super::{BadUse, Outcome, files, print};
use crate::campaign::now;
use crate::check::CheckLevel;
use crate::coverage::Searches;
use crate::history::{History, Route};
use crate::linearizability;
use crate::machine::Machine;
use crate::plan::{Plan, Profile};
use crate::raft::Raft;
use crate::timeline::grouped;
use crate::verdict::Verdict;
use crate::world::{NoTrace, Trace, TraceEvent, World};

/// How many events a measured run has.
const EVENTS: u64 = 1_000_000;
/// The longest simulated time of a run: never reached.
const ENDLESS: Instant = Instant(100_000_000_000);

/// One measured run.
struct Measured {
    events: u64,
    delivered: u64,
    took: Duration,
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
        let run = measure::<R, M>(events.get(), CheckLevel::Full)?;
        let text = format!("{} events, {} messages delivered\n", run.events, run.delivered);
        let document = json!({
            "events": run.events,
            "messages_delivered": run.delivered,
            "microseconds": run.took.as_micros(),
        });
        return deliver(json, &text, &document);
    }
    let mut checked = Vec::new();
    let mut unchecked = Vec::new();
    for _ in 0..arguments.rounds.get() {
        checked.push(measure::<R, M>(EVENTS, CheckLevel::Full)?);
        unchecked.push(measure::<R, M>(EVENTS, CheckLevel::None)?);
    }
    report(json, &checked, &unchecked, &search::<R, M>())
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

fn measure<R: Raft, M: Machine>(events: u64, level: CheckLevel) -> Result<Measured, BadUse> {
    let plan = plan();
    let mut trace = NoTrace;
    let started = now();
    let mut world = World::<R, M, _>::new(&plan, &mut trace, level);
    world.advance(events);
    let took = started.elapsed();
    let Verdict { statistics, violation, .. } = world.verdict();
    match violation {
        Some(violation) => {
            Err(BadUse(format!("the bench run is no measure, as it failed: {violation}")))
        }
        None => Ok(Measured { events: statistics.events, delivered: statistics.delivered, took }),
    }
}

/// Events a second, of the median run.
fn rate(runs: &[Measured], count: impl Fn(&Measured) -> u64) -> u64 {
    let mut rates: Vec<u64> = runs
        .iter()
        .map(|run| {
            let nanoseconds = run.took.as_nanos().max(1);
            u64::try_from(u128::from(count(run)) * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
        })
        .collect();
    rates.sort_unstable();
    rates.get(rates.len() / 2).copied().unwrap_or(0)
}

fn report(
    json: Option<&Path>,
    checked: &[Measured],
    unchecked: &[Measured],
    searched: &Searched,
) -> Result<Outcome, BadUse> {
    let with = rate(checked, |run| run.events);
    let without = rate(unchecked, |run| run.events);
    let delivered = rate(checked, |run| run.delivered);
    let load = plan();
    let ratio = (without * 100).checked_div(with).unwrap_or(0);
    let text = format!(
        "{} nodes, {} clients, key-value load; one core; medians of {} runs of {} events each\n  \
         checked:   {} events/s ({} of them messages delivered)\n  \
         unchecked: {} events/s\n  \
         checks cost a factor of {}.{:02}\n  \
         linear order of {} operations: {} states visited in {} ms\n",
        load.nodes,
        load.workload.clients,
        checked.len(),
        grouped(EVENTS),
        grouped(with),
        grouped(delivered),
        grouped(without),
        ratio / 100,
        ratio % 100,
        grouped(searched.operations),
        grouped(searched.searches.states),
        searched.took.as_millis(),
    );
    let document = json!({
        "events_per_run": EVENTS,
        "rounds": checked.len(),
        "checked_events_per_second": with,
        "checked_deliveries_per_second": delivered,
        "unchecked_events_per_second": without,
        "ratio_percent": ratio,
        "search_operations": searched.operations,
        "search_states": searched.searches.states,
        "search_microseconds": searched.took.as_micros(),
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
