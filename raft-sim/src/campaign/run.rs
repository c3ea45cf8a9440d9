//! One run under guard: whatever the code under test does, there is a verdict.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use raft_core::Instant;
use serde::{Deserialize, Serialize};

use super::panics::{self, Panicked};
use super::pool::Finished;
use crate::check::CheckLevel;
use crate::coverage::Coverage;
use crate::machine::Machine;
use crate::plan::{Plan, Profile};
use crate::raft::Raft;
use crate::verdict::{Statistics, Verdict};
use crate::violation::{Property, Violation};
use crate::world::{self, NoTrace, Trace, TraceEvent};

/// A run that violated something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The digest of the run; zero when it panicked or was given up.
    #[serde(with = "super::summary::hexadecimal")]
    pub digest: u64,
    /// What was violated.
    pub violation: Violation,
    /// What failures with the same reason have in common: the place of a panic, or the witness without
    /// its numbers.
    pub cause: String,
}

/// The verdict on a run, and what a panic's place was if it ended in one.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// The verdict.
    pub verdict: Verdict,
    /// What failures with the same reason have in common.
    pub cause: Option<String>,
}

/// A run, with the time it took.
pub(super) struct Judged {
    pub(super) guarded: Guarded,
    pub(super) elapsed: Duration,
}

impl Judged {
    /// The failure, if it is one.
    pub(super) fn failure(&self) -> Option<Failure> {
        let Guarded { verdict, cause } = &self.guarded;
        let violation = verdict.violation.clone()?;
        let cause = cause.clone().unwrap_or_default();
        Some(Failure { seed: verdict.seed, digest: verdict.digest, violation, cause })
    }
}

/// The plan that a seed stands for, as this Raft and this machine can carry it out.
pub(crate) fn plan_of<R: Raft, M: Machine>(seed: u64, profile: Profile) -> Plan {
    R::suited(Plan::generate_for::<M>(seed, profile))
}

/// Runs the plan of a seed.
pub(super) fn seed<R: Raft, M: Machine>(seed: u64, profile: Profile, level: CheckLevel) -> Guarded {
    match panics::catch(|| plan_of::<R, M>(seed, profile)) {
        Ok(plan) => guarded::<R, M>(&plan, level),
        Err(panicked) => panic_verdict(seed, &panicked, None),
    }
}

/// Runs a plan. A panic in the code under test becomes a violation.
pub fn run_guarded<R: Raft, M: Machine>(plan: &Plan) -> Guarded {
    guarded::<R, M>(plan, CheckLevel::Full)
}

fn guarded<R: Raft, M: Machine>(plan: &Plan, level: CheckLevel) -> Guarded {
    match panics::catch(|| world::run_with::<R, M, _>(plan, &mut NoTrace, level)) {
        Ok(verdict) => judged_by_world(verdict),
        Err(panicked) => {
            // The same run once more, to learn when it happened.
            let mut last = None;
            let mut told = |at, _: TraceEvent<'_>| last = Some(at);
            drop(panics::catch(|| world::run_told::<R, M>(plan, &mut told)));
            panic_verdict(plan.seed, &panicked, last)
        }
    }
}

/// Runs a plan, and gives it up, as failed, when that takes longer than `limit` on the wall clock. It then goes on in a
/// thread that nobody waits for.
pub fn run_within<R: Raft + 'static, M: Machine + 'static>(
    plan: &Plan,
    limit: Duration,
) -> Guarded {
    let (sender, receiver) = mpsc::channel();
    let whole = plan.clone();
    let run = thread::spawn(move || drop(sender.send(run_guarded::<R, M>(&whole))));
    match receiver.recv_timeout(limit) {
        Ok(guarded) => {
            drop(run.join());
            guarded
        }
        Err(_) => overdue(plan.seed, limit),
    }
}

/// Runs a plan and tells `trace` everything that happens in it. A panic becomes a violation, after
/// `trace` has been told what went before, and so does a run that takes longer than `limit` on the wall
/// clock, as in a [`Campaign`](super::Campaign) with that limit.
///
/// The run has a thread of its own, so that one that does not return can be given up; it then goes on
/// telling `trace`, which had better be looked at through something shared.
pub fn replay<R, M, T>(plan: Plan, trace: T, limit: Duration) -> Guarded
where
    R: Raft + 'static,
    M: Machine + 'static,
    T: Trace + Send + 'static,
{
    let seed = plan.seed;
    let (sender, receiver) = mpsc::channel();
    let run = thread::spawn(move || {
        // Nobody listens any more when the run was given up.
        drop(sender.send(watched::<R, M, T>(&plan, trace)));
    });
    match receiver.recv_timeout(limit) {
        Ok(guarded) => {
            drop(run.join());
            guarded
        }
        Err(_) => overdue(seed, limit),
    }
}

fn watched<R: Raft, M: Machine, T: Trace>(plan: &Plan, mut trace: T) -> Guarded {
    let mut last = None;
    let mut told = |at, event: TraceEvent<'_>| {
        last = Some(at);
        trace.record(at, event);
    };
    match panics::catch(|| world::run_told::<R, M>(plan, &mut told)) {
        Ok(verdict) => judged_by_world(verdict),
        Err(panicked) => panic_verdict(plan.seed, &panicked, last),
    }
}

fn judged_by_world(verdict: Verdict) -> Guarded {
    let cause = verdict.violation.as_ref().map(|violation| without_numbers(&violation.witness));
    Guarded { verdict, cause }
}

/// The verdict on a run that a worker has finished or was torn from.
pub(super) fn judged(finished: Finished<Guarded>, limit: Duration) -> Judged {
    let Finished { seed, elapsed, result } = finished;
    let guarded = result.filter(|_| elapsed <= limit).unwrap_or_else(|| overdue(seed, limit));
    Judged { guarded, elapsed }
}

/// The verdict on a run that took too long on the wall clock.
fn overdue(seed: u64, limit: Duration) -> Guarded {
    let witness = format!(
        "the run had not ended after {} ms on the wall clock: something in it does not return, or is very slow",
        limit.as_millis()
    );
    let cause = without_numbers(&witness);
    let violation = Violation {
        property: Property::TimeLimit,
        at: Instant::default(),
        nodes: Vec::new(),
        roles: Vec::new(),
        witness,
    };
    Guarded { verdict: bare(seed, violation), cause: Some(cause) }
}

fn panic_verdict(seed: u64, panicked: &Panicked, at: Option<Instant>) -> Guarded {
    let Panicked { message, location } = panicked;
    let message = message.lines().collect::<Vec<_>>().join("; ");
    let violation = Violation {
        property: Property::Panic,
        at: at.unwrap_or_default(),
        nodes: Vec::new(),
        roles: Vec::new(),
        witness: format!("a panic at {location}: {message}"),
    };
    Guarded { verdict: bare(seed, violation), cause: Some(location.clone()) }
}

fn bare(seed: u64, violation: Violation) -> Verdict {
    Verdict {
        seed,
        digest: 0,
        violation: Some(violation),
        statistics: Statistics::default(),
        coverage: Coverage::default(),
    }
}

/// A text in which every number is the same, so that two witnesses of one cause are equal.
fn without_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if !character.is_ascii_digit() {
            plain.push(character);
        } else if !plain.ends_with('#') {
            plain.push('#');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Witnesses that differ in their numbers alone have one cause.
    #[test]
    fn numbers_do_not_tell_causes_apart() {
        assert_eq!(without_numbers("n1 and n12 lead T3"), "n# and n# lead T#");
    }
}
