//! Fewer nodes, and other draws of the election timeouts.

use raft_core::NodeId;

use super::super::search::Search;
use crate::plan::{Action, Cut, Fault, Nodes, Plan, Target};

/// So many other seeds are tried. What is left to the seed of an explicit plan is how long nodes wait before they stand.
const SEEDS: u64 = 48;
/// And so many for each node that is left out.
const SEEDS_A_NODE: u64 = 8;

/// Leaves out nodes, and looks for seeds that need less.
pub(super) fn all(search: &mut Search<'_>) {
    search.enter("fewer nodes");
    let mut id = search.plan().nodes;
    while id >= 1 && search.plan().nodes > 1 {
        let plan = without(search.plan(), NodeId(id.into()));
        let own = plan.seed;
        let seeds = std::iter::once(own).chain(0..search.affordable(SEEDS_A_NODE));
        search.attempt_best(seeds.map(|seed| Plan { seed, ..plan.clone() }).collect());
        id = (id - 1).min(search.plan().nodes);
    }
    search.enter("other election timeouts");
    let seeds = search.affordable(SEEDS);
    let bare = |seed: u64, plan: &Plan| Plan { seed, overrides: Vec::new(), ..plan.clone() };
    if !search.plan().overrides.is_empty() {
        let plans = (0..seeds).map(|seed| bare(seed, search.plan())).collect();
        search.attempt_best(plans);
    }
    let plans = (0..seeds).map(|seed| Plan { seed, ..search.plan().clone() }).collect();
    search.attempt_best(plans);
}

/// The plan without a node; those after it are renamed.
fn without(plan: &Plan, gone: NodeId) -> Plan {
    let mut plan = plan.clone();
    let named = |id: NodeId| if id.0 > gone.0 { NodeId(id.0 - 1) } else { id };
    let group = |nodes: Nodes| {
        Nodes::of(nodes.iter().filter(|id| *id != gone).map(named)).unwrap_or_default()
    };
    plan.clocks.remove(usize::try_from(gone.0 - 1).unwrap_or_default());
    if gone.0 <= u64::from(plan.founders) {
        plan.founders = (plan.founders - 1).max(1);
    }
    plan.nodes -= 1;
    plan.static_cut = None;
    if let Some(others) = &mut plan.other_settings {
        others.nodes.retain(|id| *id != gone);
        others.nodes.iter_mut().for_each(|id| *id = named(*id));
    }
    plan.faults.retain_mut(|timed| {
        rename_fault(
            &mut timed.fault,
            &|target| match target {
                Target::Node(id) if id == gone => None,
                Target::Node(id) => Some(Target::Node(named(id))),
                symbolic => Some(symbolic),
            },
            &group,
        )
    });
    plan.actions.retain_mut(|timed| match &mut timed.action {
        Action::Members { voters, learners } => {
            for list in [&mut *voters, learners] {
                list.retain(|id| *id != gone);
                for id in list.iter_mut() {
                    *id = named(*id);
                }
            }
            !voters.is_empty()
        }
        Action::Transfer { to: id }
        | Action::Campaign { node: id }
        | Action::Suppress { node: id, .. } => {
            let stays = *id != gone;
            *id = named(*id);
            stays
        }
    });
    plan.operations.retain(|timed| timed.node != gone);
    plan.operations.iter_mut().for_each(|timed| timed.node = named(timed.node));
    plan.overrides.retain(|item| item.from != gone && item.to != gone);
    for item in &mut plan.overrides {
        (item.from, item.to) = (named(item.from), named(item.to));
    }
    plan
}

/// Whether anything is left of a fault.
fn rename_fault(
    fault: &mut Fault,
    renamed: &dyn Fn(Target) -> Option<Target>,
    group: &dyn Fn(Nodes) -> Nodes,
) -> bool {
    let rename = |target: &mut Target| match renamed(*target) {
        Some(new) => {
            *target = new;
            true
        }
        None => false,
    };
    match fault {
        Fault::Cut { cut, .. } | Fault::Flap { cut, .. } => match cut {
            Cut::Isolate { target, .. } | Cut::Split { target, .. } | Cut::Bridge { target } => {
                rename(target)
            }
            Cut::Link { target, other, .. } => rename(target) && rename(other),
            Cut::Between { first, second, .. } => {
                (*first, *second) = (group(*first), group(*second));
                !first.is_empty() && !second.is_empty()
            }
            Cut::Ring | Cut::Voters { .. } => true,
        },
        Fault::Hold { from, to, .. } | Fault::Drop { from, to, .. } => {
            let stays = |side: &mut Option<Target>| side.as_mut().is_none_or(&rename);
            stays(from) && stays(to)
        }
        Fault::Crash { target, .. }
        | Fault::LoseDisk { target, .. }
        | Fault::Pause { target, .. }
        | Fault::SlowDisk { target, .. }
        | Fault::Machine { target, .. } => rename(target),
        Fault::LoseMajority { .. } | Fault::PowerLoss { .. } => true,
    }
}
