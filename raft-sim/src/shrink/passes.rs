//! What is tried, and in which order: the coarse before the fine.

mod explicit;
mod fates;
mod faults;
mod nodes;
mod time;
mod world;

use super::items;
use super::search::Search;
use super::{Ended, Size};
use crate::plan::{CommandBytes, Fault, Plan, StaticCut, TimedFault};

pub(super) use world::SETTINGS;

/// A plan of so many lines and messages is not looked for again from elsewhere, if it says what clients ask for.
const SMALL: (u64, u64) = (8, 30);
/// After so many searches from elsewhere that found nothing smaller the search is over.
const VAIN: u32 = 6;
/// So many lines are more than anybody wants to read: the search goes on while there is time.
const LARGE: u64 = 30;
/// So many other draws of the plan are run to find where to begin.
const DRAWS: u64 = 16;

/// Tries everything until nothing helps any more, and then again from other draws of the same plan: what is smallest
/// near one run may be larger than what is smallest near another.
pub(super) fn all(search: &mut Search<'_>) -> Ended {
    search.enter("cut at the violation");
    search.cut();
    let drawn = search.plan().clone();
    search.enter("other draws");
    let about_time = search.is_about_time();
    let other = if about_time { drawn.clone() } else { sooner(&drawn) };
    // What fails only under the cut that comes last may fail under the same cut at any other time.
    let cut = if about_time { None } else { as_a_fault(&drawn, search.size().unsaid) };
    let redrawn = |seed| {
        let plan = cut.as_ref().filter(|_| seed % 2 == 1).unwrap_or(&other);
        Plan { seed, ..plan.clone() }
    };
    let count = search.affordable(DRAWS);
    search.attempt_best((0..count).map(redrawn).collect());
    descend(search);
    let (mut vain, mut seed) = (0, 0);
    while (vain < VAIN || search.size().lines > LARGE) && search.goes_on() {
        if is_small(search.size()) {
            break;
        }
        search.enter("other draws");
        let plans: Vec<Plan> = (seed..seed + count).map(redrawn).collect();
        seed += count;
        vain += 1;
        if search.begin_again(&plans) {
            descend(search);
            if search.end_again() {
                vain = 0;
            }
        }
    }
    if search.goes_on() { Ended::Smallest } else { Ended::TimeUp }
}

fn is_small(size: Size) -> bool {
    size.unsaid == 0 && (size.lines, size.delivered) <= SMALL
}

/// The plan as far as its healing: it fails before that if it fails at all.
fn sooner(plan: &Plan) -> Plan {
    let end = plan.ends_at.map_or(plan.heal_at, |end| end.min(plan.heal_at));
    Plan { static_cut: None, ends_at: Some(end), heal_at: end, ..plan.clone() }
}

/// The plan with its static cut as one fault among others, and without a healing; clients ask for so much.
fn as_a_fault(plan: &Plan, operations: u64) -> Option<Plan> {
    let (StaticCut { cut, lasts, .. }, end) = (plan.static_cut?, plan.ends_at?);
    let fault = TimedFault { at: plan.heal_at, fault: Fault::Cut { cut, lasts } };
    let mut plan = Plan { static_cut: None, heal_at: end, ..plan.clone() };
    plan.faults.push(fault);
    plan.workload.operations = plan.workload.operations.max(operations);
    Some(plan)
}

/// Clients ask for something simpler.
fn commands(search: &mut Search<'_>) {
    search.enter("simpler commands");
    let simple = search.commands();
    for nth in 0..search.plan().operations.len() {
        let plan = search.plan();
        let plans = simple.iter().map(|command| {
            let mut plan = plan.clone();
            if let Some(timed) = plan.operations.get_mut(nth) {
                timed.command = CommandBytes(command.clone());
            }
            plan
        });
        let plans = plans.collect();
        search.attempt_any(plans);
    }
}

/// Tries everything, the coarse before the fine, until nothing helps any more: first with the fates of messages left to
/// draws, which other seeds make others, and when the run is short, with each fate said.
fn descend(search: &mut Search<'_>) {
    world::coarse(search);
    settle(search, |_| ());
    explicit::fates(search);
    settle(search, |search| {
        search.pass(fates::all);
        search.pass(commands);
        search.pass(time::round);
    });
}

/// Tries what may take much away until none of it does, and what makes the rest simpler in between.
fn settle(search: &mut Search<'_>, simplify: impl Fn(&mut Search<'_>)) {
    loop {
        let before = search.score();
        explicit::operations_and_faults(search);
        search.pass(items::all);
        search.pass(nodes::all);
        search.pass(world::fine);
        search.pass(time::shorten);
        search.pass(faults::weaken);
        simplify(search);
        if search.is_found_at_end() {
            search.end_sooner();
        }
        if search.score() == before || !search.goes_on() {
            return;
        }
    }
}
