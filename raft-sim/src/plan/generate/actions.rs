//! What operators ask for: bursts of other members and other leaders, often close to a fault.

use raft_core::{Instant, NodeId, Ticks};

use super::shape::percent;
use super::{Item, Source};
use crate::draw::Draw;
use crate::plan::{Action, PlanSettings, TimedAction, TimedFault};

/// How many nodes found the cluster: in two fifths of the plans not all.
pub(super) fn founders(source: Source, nodes: u32) -> u32 {
    let mut draw = source.of(Item::Founders);
    if percent(&mut draw, 40) {
        u32::try_from(draw.between(1, nodes.into())).unwrap_or(nodes)
    } else {
        nodes
    }
}

/// In a third of the plans nobody asks for anything.
pub(super) fn actions(
    source: Source,
    nodes: u32,
    settings: &PlanSettings,
    heal_at: Instant,
    faults: &[TimedFault],
) -> Vec<TimedAction> {
    let mut draw = source.of(Item::Actions);
    if percent(&mut draw, 33) {
        return Vec::new();
    }
    let election = settings.election_timeout.0;
    let mut actions = Vec::new();
    for burst in 0..draw.between(1, 6) {
        let mut draw = source.nth(Item::Action, burst);
        let mut at = begins(&mut draw, election, heal_at, faults);
        for _ in 0..draw.between(1, 4) {
            actions
                .push(TimedAction { at: Instant(at), action: action(&mut draw, nodes, election) });
            at += draw.log_uniform(election / 50, election * 2);
        }
    }
    actions.sort_by_key(|timed: &TimedAction| timed.at);
    actions.retain(|timed| timed.at < heal_at);
    actions
}

/// Shortly before or after a fault, or at any time.
fn begins(draw: &mut Draw, election: u64, heal_at: Instant, faults: &[TimedFault]) -> u64 {
    let any = draw.between(election, heal_at.0);
    if faults.is_empty() || percent(draw, 40) {
        return any;
    }
    let near = draw.pick(faults).at.0 + draw.below(election);
    near.saturating_sub(election / 2).max(election)
}

fn action(draw: &mut Draw, nodes: u32, election: u64) -> Action {
    let node = |draw: &mut Draw| NodeId(draw.between(1, nodes.into()));
    match draw.below(10) {
        0..=5 => members(draw, nodes),
        6 | 7 => Action::Transfer { to: node(draw) },
        8 => Action::Campaign { node: node(draw) },
        _ => Action::Suppress { node: node(draw), lasts: Ticks(draw.between(1, 6 * election)) },
    }
}

/// Each node votes, learns or is left out; somebody votes.
fn members(draw: &mut Draw, nodes: u32) -> Action {
    let (mut voters, mut learners) = (Vec::new(), Vec::new());
    let most_vote = percent(draw, 50);
    for id in (1..=u64::from(nodes)).map(NodeId) {
        match draw.below(10) {
            0..=4 => voters.push(id),
            5 | 6 if most_vote => voters.push(id),
            5..=7 => learners.push(id),
            _ => {}
        }
    }
    if voters.is_empty() {
        let id = NodeId(draw.between(1, nodes.into()));
        learners.retain(|learner| *learner != id);
        voters.push(id);
    }
    Action::Members { voters, learners }
}
