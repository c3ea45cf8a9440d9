//! `explore`: every state of a small scope.

use std::any::TypeId;
use std::time::{Duration, Instant};

use raft_core::Node;

use super::arguments::ExploreArguments;
use super::{BadUse, Outcome, print, say};
use crate::campaign::now;
use crate::explore::{Explored, Found, Limits, Progress, Scope, Step, explore as search};
use crate::raft::Raft;
use crate::timeline::grouped;

/// How often it is said how far the search is.
const PACE: Duration = Duration::from_secs(5);

/// Explores a scope, and tells what was found.
pub(super) fn explore<R: Raft + 'static>(arguments: &ExploreArguments) -> Result<Outcome, BadUse> {
    if TypeId::of::<R>() != TypeId::of::<Node>() {
        return Err(BadUse("only raft-core's nodes can be explored".to_owned()));
    }
    let scope = arguments.scope();
    let limits = Limits {
        jobs: arguments.jobs.map_or_else(threads, std::num::NonZeroUsize::get),
        time: arguments.time,
        states: arguments.states.map(std::num::NonZeroU64::get),
    };
    let mut told = Teller { last: now() };
    let explored = search::<Node>(scope, limits, move |progress| told.tell(progress))
        .map_err(|error| BadUse(error.to_string()))?;
    print(&summary(&scope, &explored))?;
    if let Some(found) = &explored.found {
        print(&way(found))?;
        return Ok(Outcome::Violated);
    }
    Ok(Outcome::Clean)
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
    let Found { breach, steps } = found;
    let mut text = format!("\n{}: {}\n", breach.property, breach.witness);
    text.push_str(&format!("means: {}\n", breach.property.explain()));
    text.push_str(&format!("after {} steps:\n", steps.len()));
    for (step, number) in steps.iter().zip(1..) {
        let Step { text: told, changes, sends, .. } = step;
        text.push_str(&format!("{number:4}  {told}\n"));
        if let Some(changes) = changes {
            text.push_str(&format!("        {changes}\n"));
        }
        for envelope in sends {
            let facts = Node::facts(envelope);
            text.push_str(&format!(
                "        {} -> {} {}\n",
                facts.from,
                facts.to,
                crate::timeline::message(&facts)
            ));
        }
    }
    text
}
