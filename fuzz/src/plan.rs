//! Plans of the simulator, as edits of generated ones.
//!
//! The first bytes of an input name a seed, whose plan is made short; each of the following edits changes a number,
//! or adds a fault, an action of the operator, a client's operation or the fate of a message. So most plans can be
//! run, and each differs from what the generator makes by as much as the fuzzer likes.
//!
//! Invariant: a run of a plan that is given takes some milliseconds, as a rule.

mod edit;
mod short;

use raft_sim::plan::{Plan, Profile};

use crate::dice::Dice;
use crate::numbers::Numbers;
use edit::edit;

/// No plan is edited more often.
const MOST_EDITS: usize = 40;
/// No plan may need more events ([`Plan::events_needed`]).
const MOST_EVENTS: u64 = 20_000;

/// The plan that an input is; `None` for one that cannot be run, or takes too long.
pub fn plan(input: &[u8]) -> Option<Plan> {
    let mut dice = Dice::new(input);
    let mut plan = drawn(&mut dice);
    let mut numbers = Numbers::default();
    for _ in 0..MOST_EDITS {
        if dice.is_empty() {
            break;
        }
        edit(&mut plan, &mut numbers, &mut dice);
    }
    change(&mut plan, numbers);
    short::in_order(&mut plan);
    let can_run = plan.validate().is_ok() && plan.events_needed() <= MOST_EVENTS;
    can_run.then_some(plan)
}

/// Changes numbers, but for those with which the plan could not be run.
fn change(plan: &mut Plan, numbers: Numbers) {
    if numbers.is_empty() || plan.validate().is_err() {
        return;
    }
    let mut value = serde_json::to_value(&*plan).expect("a plan holds nothing that JSON cannot");
    numbers.write(&mut value, |changed| {
        let changed = serde_json::from_value::<Plan>(changed.clone());
        let changed = changed.ok().filter(|changed| changed.validate().is_ok());
        let can_run = changed.is_some();
        *plan = changed.unwrap_or_else(|| plan.clone());
        can_run
    });
}

/// What the edits begin with.
fn drawn(dice: &mut Dice<'_>) -> Plan {
    let seed = u64::from(dice.byte()) | u64::from(dice.byte()) << 8;
    let profile = if dice.rarely(8) { Profile::Calm } else { Profile::Default };
    let mut plan = Plan::generate(seed, profile);
    "fuzz".clone_into(&mut plan.profile);
    short::shorten(&mut plan, dice);
    plan
}
