//! Less waiting, and rounder times.

use std::collections::{BTreeMap, BTreeSet};

use raft_core::{Instant, NodeId, Term, Ticks};

use super::super::gather::{Gathered, earlier};
use super::super::search::Search;
use crate::plan::{Fate, Fault, MessageKind, Override, Plan};

/// Times are rounded to the coarsest of these that will do.
const GRAINS: [u64; 6] = [100_000, 50_000, 10_000, 5_000, 1_000, 100];
/// A pause shorter than this is left alone.
const SHORT: u64 = 2_000;

/// Cuts pauses out of the run: all that comes later comes earlier.
pub(super) fn shorten(search: &mut Search<'_>) {
    search.enter("less waiting");
    for _ in 0..3 {
        if !pauses(search) {
            return;
        }
    }
}

fn pauses(search: &mut Search<'_>) -> bool {
    let mut found = false;
    let mut nth = 0;
    loop {
        let times = moments(search.plan(), search.fails_at());
        let Some((from, until)) = times.get(nth).copied().zip(times.get(nth + 1).copied()) else {
            return found;
        };
        nth += 1;
        if until - from < SHORT || !search.goes_on() {
            continue;
        }
        let gathered = search.gather();
        let mut plans = Vec::new();
        for eighths in [8, 7, 6, 4, 2, 1] {
            let gap = (until - from) * eighths / 8;
            for terms in [true, false] {
                plans.push(without_pause(search.plan(), &gathered, (until - gap, until), terms));
            }
        }
        found |= search.attempt_any(plans).is_some();
    }
}

/// The moments of a plan, from its beginning to its failure.
fn moments(plan: &Plan, fails_at: Instant) -> Vec<u64> {
    let faults = plan.faults.iter().map(|timed| timed.at.0);
    let actions = plan.actions.iter().map(|timed| timed.at.0);
    let operations = plan.operations.iter().map(|timed| timed.at.0);
    let heals = (plan.heal_at < fails_at).then_some(plan.heal_at.0);
    let listed = faults.chain(actions).chain(operations).chain(heals);
    let all: BTreeSet<u64> = listed.chain([0, fails_at.0]).filter(|at| *at <= fails_at.0).collect();
    all.into_iter().collect()
}

/// A link, a kind of message and a term, in which messages are counted.
type Series = (NodeId, NodeId, MessageKind, Term);

fn series(item: &Override) -> Series {
    (item.from, item.to, item.kind, item.term)
}

/// The plan as if no time passed between two moments. What was sent meanwhile is not sent, so later messages have other
/// numbers, and other terms if there were elections.
fn without_pause(plan: &Plan, gathered: &Gathered, (from, until): (u64, u64), terms: bool) -> Plan {
    let mut plan = plan.clone();
    let sooner = |at: Instant| if at.0 >= until { Instant(at.0 - (until - from)) } else { at };
    plan.faults.iter_mut().for_each(|timed| timed.at = sooner(timed.at));
    plan.actions.iter_mut().for_each(|timed| timed.at = sooner(timed.at));
    plan.operations.iter_mut().for_each(|timed| timed.at = sooner(timed.at));
    if plan.ends_at.is_some_and(|end| plan.heal_at < end) {
        plan.heal_at = sooner(plan.heal_at);
    }
    let mut sent_at: BTreeMap<(Series, u64), u64> = BTreeMap::new();
    let mut between: BTreeMap<Series, u64> = BTreeMap::new();
    let (mut before, mut meanwhile) = (Term::ZERO, Term::ZERO);
    for message in &gathered.messages {
        let of = series(&message.fate);
        sent_at.insert((of, message.fate.nth), message.sent.0);
        if message.sent.0 < from {
            before = before.max(message.fate.term);
        } else if message.sent.0 < until {
            meanwhile = meanwhile.max(message.fate.term);
            *between.entry(of).or_default() += 1;
        }
    }
    let gone = if terms { meanwhile.0.saturating_sub(before.0) } else { 0 };
    plan.overrides.retain_mut(|item| {
        let of = series(item);
        match sent_at.get(&(of, item.nth)) {
            Some(at) if *at >= until => {
                item.nth -= between.get(&of).copied().unwrap_or(0).min(item.nth);
                match earlier(item.term, gone) {
                    Some(term) => item.term = term,
                    None => return false,
                }
                true
            }
            Some(at) => *at < from,
            None => false,
        }
    });
    plan
}

/// Rounds every time.
pub(super) fn round(search: &mut Search<'_>) {
    search.enter("rounder times");
    let all: Vec<Plan> = GRAINS
        .iter()
        .map(|grain| {
            let mut plan = search.plan().clone();
            each_time(&mut plan, |_, time| *time = rounded(*time, *grain).max(1));
            plan
        })
        .collect();
    search.attempt_any(all);
    let mut nth = 0;
    loop {
        let mut count = 0;
        each_time(&mut search.plan().clone(), |_, _| count += 1);
        if nth >= count || !search.goes_on() {
            return;
        }
        let mut plans = Vec::new();
        for grain in GRAINS {
            for up in [false, true] {
                let mut plan = search.plan().clone();
                each_time(&mut plan, |place, time| {
                    if place == nth {
                        *time = if up {
                            *time / grain * grain + grain
                        } else {
                            (*time / grain * grain).max(1)
                        };
                    }
                });
                plans.push(plan);
            }
        }
        search.attempt_any(plans);
        nth += 1;
    }
}

fn rounded(time: u64, grain: u64) -> u64 {
    (time + grain / 2) / grain * grain
}

/// Lets something be done to every time of a plan, with its place.
fn each_time(plan: &mut Plan, mut change: impl FnMut(usize, &mut u64)) {
    let mut place = 0;
    let mut next = |time: &mut u64| {
        change(place, time);
        place += 1;
    };
    for timed in &mut plan.faults {
        next(&mut timed.at.0);
        match &mut timed.fault {
            Fault::Cut { lasts, .. }
            | Fault::Hold { lasts, .. }
            | Fault::Drop { lasts, .. }
            | Fault::Pause { lasts, .. }
            | Fault::Crash { down: lasts, .. }
            | Fault::LoseDisk { down: lasts, .. } => next(&mut lasts.0),
            Fault::SlowDisk { write, lasts, .. } => {
                next(&mut lasts.0);
                if write.min == write.max {
                    next(&mut write.max.0);
                    write.min = write.max;
                }
            }
            Fault::Flap { down, up, lasts, .. } => {
                for time in [down, up, lasts] {
                    next(&mut time.0);
                }
            }
            Fault::LoseMajority { .. } | Fault::PowerLoss { .. } | Fault::Machine { .. } => {}
        }
    }
    plan.actions.iter_mut().for_each(|timed| next(&mut timed.at.0));
    plan.operations.iter_mut().for_each(|timed| next(&mut timed.at.0));
    for item in &mut plan.overrides {
        match &mut item.fate {
            Fate::Once { delay: Ticks(delay) } | Fate::Malformed { delay: Ticks(delay), .. } => {
                next(delay);
            }
            Fate::Twice { delay, again } => {
                next(&mut delay.0);
                next(&mut again.0);
            }
            Fate::Lost => {}
        }
    }
}
