//! Makes generated plans short: the same things go wrong, in less time, with fewer clients.

use raft_core::{Instant, NodeId, Ticks};
use raft_sim::plan::{Plan, Span};

use crate::dice::Dice;

/// The fewest election timeouts that a plan has before everything is healed.
const LEAST_TIME: u8 = 4;
/// No more things of a kind go wrong, or are asked for.
const MOST: usize = 24;
/// No more nodes: a step of each costs, and seven are hardly harder than five.
const MOST_NODES: u32 = 5;
const MOST_CLIENTS: u32 = 6;
const MOST_OPERATIONS: u64 = 120;

/// Fits a generated plan into a few election timeouts.
pub(super) fn shorten(plan: &mut Plan, dice: &mut Dice<'_>) {
    let election = plan.settings.election_timeout.0;
    let time = election * u64::from(LEAST_TIME + dice.below(10));
    let was = plan.heal_at.0.max(1);
    // In the order of the whole plan, only closer together.
    let sooner = |at: Instant| Instant(at.0.saturating_mul(time) / was);
    plan.heal_at = Instant(time);
    plan.faults.iter_mut().for_each(|timed| timed.at = sooner(timed.at));
    plan.actions.iter_mut().for_each(|timed| timed.at = sooner(timed.at));
    fewer(&mut plan.faults, dice.byte());
    fewer(&mut plan.actions, dice.byte());
    shrink_cluster(plan);
    let load = &mut plan.workload;
    load.clients = load.clients.min(MOST_CLIENTS);
    load.operations = load.operations.min(MOST_OPERATIONS);
    load.think = capped(load.think, time / 20);
    if let Some(cut) = &mut plan.static_cut {
        cut.settle = Ticks(10 * election);
        cut.lasts = Ticks(cut.lasts.0.min(6 * election));
    }
}

/// Keeps some that follow each other.
fn fewer<T>(list: &mut Vec<T>, choice: u8) {
    let most = MOST / 2;
    if list.len() > most {
        let first = usize::from(choice) % (list.len() - most + 1);
        list.drain(..first);
        list.truncate(most);
    }
}

fn capped(span: Span, limit: u64) -> Span {
    span.capped(limit.max(1))
}

fn shrink_cluster(plan: &mut Plan) {
    if plan.nodes <= MOST_NODES {
        return;
    }
    plan.nodes = MOST_NODES;
    plan.founders = plan.founders.min(MOST_NODES);
    plan.clocks.truncate(MOST_NODES as usize);
    let is_there = |id: &NodeId| id.0 <= u64::from(MOST_NODES);
    if let Some(others) = &mut plan.other_settings {
        others.nodes.retain(is_there);
    }
    plan.static_cut = None;
    let probe = Plan { heal_at: plan.heal_at, ..Plan::benign(0, MOST_NODES) };
    let is_sound = |changed: Plan| changed.validate().is_ok();
    plan.faults.retain(|fault| is_sound(Plan { faults: vec![*fault], ..probe.clone() }));
    plan.actions.retain(|action| is_sound(Plan { actions: vec![action.clone()], ..probe.clone() }));
}

/// Brings what the edits added into the order of time.
pub(super) fn in_order(plan: &mut Plan) {
    plan.faults.sort_by_key(|timed| timed.at);
    plan.actions.sort_by_key(|timed| timed.at);
    plan.operations.sort_by_key(|timed| timed.at);
    plan.faults.truncate(MOST);
    plan.actions.truncate(MOST);
    plan.operations.truncate(MOST);
}
