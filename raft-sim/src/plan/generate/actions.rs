//! What operators ask for: bursts of other members and other leaders, often close to a fault.

use raft_core::{Instant, NodeId, Ticks};

use super::shape::percent;
use super::{Item, Source};
use crate::draw::Draw;
use crate::plan::{
    Action, CrashPoint, Cut, Fault, MessageKind, PlanSettings, Target, TimedAction, TimedFault, Way,
};

/// How many nodes found the cluster: in two fifths of the plans not all.
pub(super) fn founders(source: Source, nodes: u32) -> u32 {
    let mut draw = source.of(Item::Founders);
    if percent(&mut draw, 40) {
        u32::try_from(draw.between(1, nodes.into())).unwrap_or(nodes)
    } else {
        nodes
    }
}

/// What operators ask for, and what goes wrong just because of that.
pub(super) struct Operations {
    pub(super) actions: Vec<TimedAction>,
    pub(super) faults: Vec<TimedFault>,
}

/// In a third of the plans nobody asks for anything.
pub(super) fn operations(
    source: Source,
    nodes: u32,
    settings: &PlanSettings,
    heal_at: Instant,
    faults: &[TimedFault],
) -> Operations {
    let mut operations = Operations { actions: Vec::new(), faults: Vec::new() };
    let mut draw = source.of(Item::Actions);
    if percent(&mut draw, 33) {
        return operations;
    }
    let election = settings.election_timeout.0;
    let mut members: Vec<NodeId> = (1..=founders(source, nodes).into()).map(NodeId).collect();
    for burst in 0..draw.between(1, 6) {
        let mut draw = source.nth(Item::Action, burst);
        let mut at = begins(&mut draw, election, heal_at, faults);
        match draw.below(8) {
            0 => usurp(&mut operations, &mut draw, election, at, nodes),
            1 => hurry(&mut operations, &mut draw, election, at, nodes),
            _ => {}
        }
        for _ in 0..draw.between(1, 4) {
            let action = action(&mut draw, nodes, election, &members);
            match &action {
                Action::Members { voters, .. } => {
                    members.clone_from(voters);
                    operations.faults.extend(apart(&mut draw.fork(at), election, at));
                }
                Action::Transfer { to } => {
                    let mut draw = draw.fork(at);
                    complicate(&mut operations, &mut draw, election, at, *to, &members);
                }
                Action::Campaign { .. } | Action::Suppress { .. } => {}
            }
            operations.actions.push(TimedAction { at: Instant(at), action });
            at += draw.log_uniform(election / 50, election * 2);
        }
    }
    operations.actions.sort_by_key(|timed| timed.at);
    operations.actions.retain(|timed| timed.at < heal_at);
    operations.faults.retain(|timed| timed.at < heal_at);
    operations
}

/// A transfer is a moment at which a leader gives up what it may still need: now and then the target is told late,
/// perhaps when it may lead no more; or the leader is cut off while the target takes over.
fn complicate(
    operations: &mut Operations,
    draw: &mut Draw,
    election: u64,
    at: u64,
    to: NodeId,
    members: &[NodeId],
) {
    if percent(draw, 35) {
        let others: Vec<NodeId> = members.iter().copied().filter(|node| *node != to).collect();
        let is_removed = percent(draw, 50) && !others.is_empty();
        let lasts = if is_removed {
            // The leader has to give up first: only then it takes a change.
            let learners = if percent(draw, 50) { vec![to] } else { Vec::new() };
            let action = Action::Members { voters: others, learners };
            let later = Instant(at + draw.between(election, election * 2));
            operations.actions.push(TimedAction { at: later, action });
            draw.between(election * 2, election * 6)
        } else {
            draw.log_uniform(election / 4, election * 5)
        };
        if percent(draw, 40) {
            // When the target acts on it at last, the leader does not hear of it.
            let cut = Cut::Isolate { target: Target::Leader, way: Way::Inbound };
            let before = Instant(at + lasts.saturating_sub(draw.between(1, election / 2)));
            let deaf = Ticks(draw.between(election / 2, election * 2));
            operations
                .faults
                .push(TimedFault { at: before, fault: Fault::Cut { cut, lasts: deaf } });
        }
        let fault = Fault::Hold {
            kind: MessageKind::TimeoutNow,
            from: None,
            to: None,
            lasts: Ticks(lasts),
        };
        // Held back before it is sent.
        operations.faults.push(TimedFault { at: Instant(at.saturating_sub(1)), fault });
    }
    if percent(draw, 25) {
        let way = *draw.pick(&[Way::Both, Way::Both, Way::Inbound, Way::Outbound]);
        let cut = Cut::Isolate { target: Target::Leader, way };
        let lasts = Ticks(draw.log_uniform(election / 4, election * 4));
        let soon = Instant(at + draw.log_uniform(1, election / 4));
        operations.faults.push(TimedFault { at: soon, fault: Fault::Cut { cut, lasts } });
    }
}

/// A node that has not heard the leader for long stands just when others, who still follow, have come back from a
/// crash.
fn usurp(operations: &mut Operations, draw: &mut Draw, election: u64, at: u64, nodes: u32) {
    let node = NodeId(draw.between(1, nodes.into()));
    let cut = Cut::Link { target: Target::Node(node), other: Target::Leader, way: Way::Both };
    let deaf = draw.between(election, election * 2);
    let mut fault = |at, fault| operations.faults.push(TimedFault { at: Instant(at), fault });
    fault(at, Fault::Cut { cut, lasts: Ticks(deaf + election) });
    let down = draw.log_uniform(500, election / 8);
    for other in (1..=nodes.into()).map(NodeId).filter(|other| *other != node) {
        if percent(draw, 60) {
            let (target, point) = (Target::Node(other), CrashPoint::Now);
            fault(at + deaf, Fault::Crash { target, point, down: Ticks(down), keeps: None });
        }
    }
    let soon = at + deaf + down + draw.log_uniform(election / 1_000, election / 8);
    operations.actions.push(TimedAction { at: Instant(soon), action: Action::Campaign { node } });
}

/// The leader is cut off, and the others are asked to stand about as soon as they may.
fn hurry(operations: &mut Operations, draw: &mut Draw, election: u64, at: u64, nodes: u32) {
    let cut = Cut::Isolate { target: Target::Leader, way: Way::Both };
    let lasts = Ticks(draw.between(election * 3 / 2, election * 4));
    operations.faults.push(TimedFault { at: Instant(at), fault: Fault::Cut { cut, lasts } });
    for node in (1..=nodes.into()).map(NodeId) {
        let soon = Instant(at + draw.between(election * 3 / 4, election * 5 / 4));
        operations.actions.push(TimedAction { at: soon, action: Action::Campaign { node } });
    }
}

/// Old and new voters lose sight of each other while members change, or learners and voters.
fn apart(draw: &mut Draw, election: u64, at: u64) -> Option<TimedFault> {
    if !percent(draw, 25) {
        return None;
    }
    let way = *draw.pick(&[Way::Both, Way::Both, Way::Both, Way::Inbound, Way::Outbound]);
    let lasts = Ticks(draw.log_uniform(election / 2, election * 8));
    let soon = Instant(at + draw.log_uniform(1, election));
    Some(TimedFault { at: soon, fault: Fault::Cut { cut: Cut::Voters { way }, lasts } })
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

fn action(draw: &mut Draw, nodes: u32, election: u64, members: &[NodeId]) -> Action {
    let node = |draw: &mut Draw| NodeId(draw.between(1, nodes.into()));
    match draw.below(10) {
        0..=2 => one_more_or_less(draw, nodes, members),
        3..=5 => any_members(draw, nodes),
        6 | 7 => Action::Transfer { to: node(draw) },
        8 => Action::Campaign { node: node(draw) },
        _ => Action::Suppress { node: node(draw), lasts: Ticks(draw.between(1, 6 * election)) },
    }
}

/// One node votes that did not, or the other way round, and may go on as a learner.
fn one_more_or_less(draw: &mut Draw, nodes: u32, members: &[NodeId]) -> Action {
    let node = NodeId(draw.between(1, nodes.into()));
    let mut voters: Vec<NodeId> = members.iter().copied().filter(|id| *id != node).collect();
    let (was_voter, learns) = (voters.len() < members.len(), percent(draw, 50));
    if !was_voter || voters.is_empty() {
        voters.push(node);
        voters.sort_unstable();
    }
    let learners = if learns && !voters.contains(&node) { vec![node] } else { Vec::new() };
    Action::Members { voters, learners }
}

/// Each node votes, learns or is left out; somebody votes.
fn any_members(draw: &mut Draw, nodes: u32) -> Action {
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
