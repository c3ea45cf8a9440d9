//! `explore`: every state of a small scope.

use std::any::TypeId;
use std::time::{Duration, Instant};

use raft_core::Node;
use serde_json::json;

use super::arguments::ExploreArguments;
use super::{BadUse, Outcome, files, print, say};
use crate::campaign::{now, run_guarded};
use crate::explore::{
    Explored, Found, Limits, Progress, Scope, Step, explore as search, simulated,
};
use crate::machine::Machine;
use crate::raft::Raft;
use crate::scenario::{Ending, Scenario};
use crate::timeline::{grouped, message, put};

/// How often it is said how far the search is.
const PACE: Duration = Duration::from_secs(5);

/// Explores a scope, and tells what was found.
pub(super) fn explore<R, M>(arguments: &ExploreArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    if TypeId::of::<R>() != TypeId::of::<Node>() {
        return Err(BadUse("only raft-core's nodes can be explored".to_owned()));
    }
    let (output, json) = (arguments.output.as_deref(), arguments.json.as_deref());
    files::check_outputs(&[("--output", output), ("--json", json)])?;
    let scope = arguments.scope();
    let limits = Limits {
        jobs: arguments.jobs.map_or_else(threads, std::num::NonZeroUsize::get),
        time: arguments.time,
        states: arguments.states.map(std::num::NonZeroU64::get),
    };
    let mut told = Teller { last: now() };
    let explored = search::<Node>(scope, limits, move |progress| told.tell(progress))
        .map_err(|error| BadUse(error.to_string()))?;
    if let Some(path) = json {
        files::write(path, &document(&scope, &explored)?)?;
    }
    // Standard output is for the machine that reads it.
    let is_read = json.is_some_and(files::is_standard_output);
    if !is_read {
        print(&summary(&scope, &explored))?;
    }
    let Some(found) = &explored.found else {
        // As a campaign that proved too little has failed.
        return Ok(if explored.is_complete { Outcome::Clean } else { Outcome::Violated });
    };
    if !is_read {
        print(&way(found))?;
    }
    match (simulation::<M>(&scope, found), output) {
        (Ok(scenario), Some(path)) => files::write(path, &scenario.write::<M>())?,
        (Ok(_), None) => {
            say("the simulator takes the same steps: --output FILE writes them as a scenario");
        }
        (Err(why), _) => say(&format!("no scenario for the simulator: {why}")),
    }
    Ok(Outcome::Violated)
}

/// The steps as a scenario, if the simulator comes to the same violation by them.
fn simulation<M: Machine>(scope: &Scope, found: &Found) -> Result<Scenario, String> {
    let plan = simulated::<M>(scope, found)?;
    plan.validate().map_err(|error| error.to_string())?;
    let guarded = run_guarded::<Node, M>(&plan);
    let property = found.breach.property;
    match guarded.verdict.violation {
        Some(violation) if violation.property == property => {
            let story =
                format!("What `explore` found. It violates {property}:\n{}.", violation.witness);
            let mut scenario = Scenario::of(plan).with_story(&story);
            scenario.ending = Ending::Violation(property);
            Ok(scenario)
        }
        Some(other) => Err(format!("taken there, the steps violate {} instead", other.property)),
        None => Err("taken there, the steps violate nothing: what is found depends on what only a search does \
                     (time that does not pass, or passes for one node)".to_owned()),
    }
}

fn document(scope: &Scope, explored: &Explored) -> Result<String, BadUse> {
    let Explored { progress, bytes, is_complete, found, .. } = explored;
    let Progress { states, transitions, depth, wall } = *progress;
    let document = json!({
        "scope": scope.told(),
        "states": states,
        "steps": transitions,
        "depth": depth,
        "milliseconds": u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        "bytes": bytes,
        "complete": is_complete,
        "violated": found.as_ref().map(|found| json!({
            "property": found.breach.property.name(),
            "witness": found.breach.witness,
            "steps": found.steps.len() - found.before,
        })),
    });
    serde_json::to_string_pretty(&document)
        .map(|text| text + "\n")
        .map_err(|error| BadUse(format!("the summary cannot be written as JSON: {error}")))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// Says now and then how far the search is.
struct Teller {
    last: Instant,
}

impl Teller {
    fn tell(&mut self, progress: Progress) {
        if self.last.elapsed() < PACE {
            return;
        }
        self.last = now();
        let Progress { states, transitions, depth, wall } = progress;
        say(&format!(
            "{} states, {} steps, depth {depth}, {} states a second",
            grouped(states),
            grouped(transitions),
            grouped(a_second(states, wall))
        ));
    }
}

fn a_second(count: u64, wall: Duration) -> u64 {
    let milliseconds = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1_000) / milliseconds
}

fn summary(scope: &Scope, explored: &Explored) -> String {
    let Explored { progress, bytes, waiting_bytes, nodes, messages, is_complete, found } = explored;
    let Progress { states, transitions, depth, wall } = *progress;
    let verdict = match (found, is_complete) {
        (Some(found), _) => format!("violated: {}", found.breach.property),
        (None, true) => "clean: every state of the scope was met".to_owned(),
        (None, false) => "nothing found, but the scope was not completed".to_owned(),
    };
    format!(
        "scope        {}\n\
         states       {} ({} a second)\n\
         steps        {}\n\
         depth        {depth}\n\
         time         {}.{:03} s\n\
         memory       {}.{} bytes a state, {} MB of states that waited\n\
         met          {} nodes with their disks, {} messages\n\
         collision    less than {}\n\
         verdict      {verdict}\n",
        scope.told(),
        grouped(states),
        grouped(a_second(states, wall)),
        grouped(transitions),
        wall.as_secs(),
        wall.subsec_millis(),
        bytes / states.max(1),
        bytes * 10 / states.max(1) % 10,
        grouped(waiting_bytes / 1_000_000),
        grouped(*nodes),
        grouped(*messages),
        collision(states),
    )
}

/// A bound of the probability that two of so many states have one fingerprint: n² / 2⁶⁵.
fn collision(states: u64) -> String {
    let squared = u128::from(states) * u128::from(states);
    let inverse = (1_u128 << 65) / squared.max(1);
    format!("1 in {}", grouped(u64::try_from(inverse).unwrap_or(u64::MAX)))
}

/// The steps of a violation.
fn way(found: &Found) -> String {
    let Found { breach, steps, before } = found;
    let mut text = format!("\n{}: {}\n", breach.property, breach.witness);
    put(&mut text, format_args!("means: {}\n", breach.property.explain()));
    put(&mut text, format_args!("after {} steps:\n", steps.len() - before));
    for (step, number) in steps.iter().skip(*before).zip(1..) {
        let Step { text: told, changes, sends, .. } = step;
        put(&mut text, format_args!("{number:4}  {told}\n"));
        if let Some(changes) = changes {
            put(&mut text, format_args!("        {changes}\n"));
        }
        for envelope in sends {
            let facts = Node::facts(envelope);
            let (from, to) = (facts.from, facts.to);
            put(&mut text, format_args!("        {from} -> {to} {}\n", message(&facts)));
        }
    }
    text
}
