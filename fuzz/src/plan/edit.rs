//! One edit of a plan.

use raft_core::{Instant, NodeId, Term, Ticks, Toggle};
use raft_sim::kv::{Command, KEYS};
use raft_sim::plan::{
    Action, Asks, CommandBytes, CrashPoint, Cut, Fate, Fault, MachineMemory, MessageKind, Nodes,
    Order, Override, Plan, Span, Target, TimedAction, TimedFault, TimedOperation, Way,
};

use crate::dice::Dice;
use crate::numbers::Numbers;

/// Every time that an edit draws is so many parts of an election timeout.
const PARTS: u64 = 16;

pub(super) fn edit(plan: &mut Plan, numbers: &mut Numbers, dice: &mut Dice<'_>) {
    match dice.below(16) {
        0..5 => {
            let (at, fault) = (moment(plan, dice), fault(plan, dice));
            plan.faults.push(TimedFault { at, fault });
        }
        5..8 => {
            let (at, action) = (moment(plan, dice), action(plan, dice));
            plan.actions.push(TimedAction { at, action });
        }
        8 => operation(plan, dice),
        9 | 10 => fate(plan, dice),
        11..14 => numbers.draw(dice),
        14 => remove(plan, dice),
        _ => switch(plan, dice),
    }
}

/// A time before everything is healed.
fn moment(plan: &Plan, dice: &mut Dice<'_>) -> Instant {
    let part = u64::from(dice.byte());
    Instant(plan.heal_at.0.saturating_mul(part) / 256)
}

/// A sixteenth of an election timeout, up to four of them.
fn lasting(plan: &Plan, dice: &mut Dice<'_>) -> Ticks {
    let sixteenths = 1 + u64::from(dice.below(64));
    Ticks(plan.settings.election_timeout.0.saturating_mul(sixteenths) / PARTS)
}

fn node(plan: &Plan, dice: &mut Dice<'_>) -> NodeId {
    let nodes = u8::try_from(plan.nodes).unwrap_or(1).max(1);
    NodeId(u64::from(dice.below(nodes)) + 1)
}

fn target(plan: &Plan, dice: &mut Dice<'_>) -> Target {
    match dice.below(6) {
        0 => Target::Leader,
        1 => Target::Follower,
        2 => Target::Anyone,
        _ => Target::Node(node(plan, dice)),
    }
}

/// Nodes whose bits are not set in a byte.
fn some(plan: &Plan, dice: &mut Dice<'_>) -> Vec<NodeId> {
    let bits = dice.byte();
    plan.node_ids().filter(|id| bits >> (id.0 - 1) & 1 == 0).collect()
}

fn span(plan: &Plan, dice: &mut Dice<'_>) -> Span {
    let (min, more) = (lasting(plan, dice), lasting(plan, dice));
    Span { min, max: Ticks(min.0.saturating_add(more.0)) }
}

fn cut(plan: &Plan, dice: &mut Dice<'_>) -> Cut {
    let way = dice.pick(&[Way::Both, Way::Inbound, Way::Outbound]);
    match dice.below(7) {
        0 => Cut::Isolate { target: target(plan, dice), way },
        1 => {
            let size = u32::from(dice.below(7)) + 1;
            Cut::Split { target: target(plan, dice), size: size.min(plan.nodes), way }
        }
        2 => Cut::Link { target: target(plan, dice), other: target(plan, dice), way },
        3 => {
            let first = some(plan, dice);
            let second = plan.node_ids().filter(|id| !first.contains(id));
            match (Nodes::of(first.iter().copied()), Nodes::of(second)) {
                (Some(first), Some(second)) => Cut::Between { first, second, way },
                _ => Cut::Ring,
            }
        }
        4 => Cut::Bridge { target: target(plan, dice) },
        5 => Cut::Ring,
        _ => Cut::Voters { way },
    }
}

fn fault(plan: &Plan, dice: &mut Dice<'_>) -> Fault {
    let kind = dice.pick(&MessageKind::ALL);
    let lasts = lasting(plan, dice);
    match dice.below(14) {
        0 | 1 => Fault::Cut { cut: cut(plan, dice), lasts },
        2 => {
            let (down, up) = (lasting(plan, dice), lasting(plan, dice));
            Fault::Flap { cut: cut(plan, dice), down, up, lasts }
        }
        3 | 4 => {
            let (from, to) = (maybe_target(plan, dice), maybe_target(plan, dice));
            Fault::Hold { kind, from, to, lasts }
        }
        5 | 6 => {
            let (from, to) = (maybe_target(plan, dice), maybe_target(plan, dice));
            Fault::Drop { kind, from, to, lasts }
        }
        7..10 => {
            let keeps = dice.rarely(3).then(|| u64::from(dice.below(6)));
            let point = dice.pick(&CrashPoint::ALL);
            Fault::Crash { target: target(plan, dice), point, down: lasts, keeps }
        }
        10 => Fault::LoseMajority { down: span(plan, dice) },
        11 => Fault::PowerLoss { down: span(plan, dice) },
        12 if dice.rarely(2) => Fault::LoseDisk { target: target(plan, dice), down: lasts },
        12 => Fault::Pause { target: target(plan, dice), lasts },
        _ => Fault::SlowDisk { target: target(plan, dice), write: span(plan, dice), lasts },
    }
}

fn maybe_target(plan: &Plan, dice: &mut Dice<'_>) -> Option<Target> {
    dice.rarely(2).then(|| target(plan, dice))
}

fn action(plan: &Plan, dice: &mut Dice<'_>) -> Action {
    match dice.below(6) {
        0..3 => {
            let mut voters = some(plan, dice);
            if voters.is_empty() {
                voters.push(NodeId(1));
            }
            let learners = some(plan, dice).into_iter().filter(|id| !voters.contains(id));
            Action::Members { learners: learners.collect(), voters }
        }
        3 => Action::Transfer { to: node(plan, dice) },
        4 => Action::Campaign { node: node(plan, dice) },
        _ => Action::Suppress { node: node(plan, dice), lasts: lasting(plan, dice) },
    }
}

fn operation(plan: &mut Plan, dice: &mut Dice<'_>) {
    let key = dice.below(KEYS);
    let value = bytes::Bytes::copy_from_slice(&[b'a' + dice.below(26)]);
    let (asks, command) = match dice.below(4) {
        0 => (Asks::Read, Command::Get { key }),
        1 => (Asks::Command, Command::Append { key, value }),
        2 => (Asks::Command, Command::CompareAndSet { key, expected: value.clone(), value }),
        _ => (Asks::Command, Command::Put { key, value }),
    };
    // Clients either follow a list or choose for themselves.
    (plan.workload.clients, plan.workload.sessions) = (0, 0);
    plan.static_cut = None;
    plan.operations.push(TimedOperation {
        at: moment(plan, dice),
        client: u32::from(dice.below(4)),
        node: node(plan, dice),
        asks,
        command: CommandBytes(command.encode()),
    });
}

fn fate(plan: &mut Plan, dice: &mut Dice<'_>) {
    let (kind, from, to) = (dice.pick(&MessageKind::ALL), node(plan, dice), node(plan, dice));
    let (term, nth) = (Term(u64::from(dice.below(8))), u64::from(dice.below(32)));
    let delay = lasting(plan, dice);
    let fate = match dice.below(4) {
        0 => Fate::Lost,
        1 => Fate::Once { delay },
        2 => Fate::Twice { delay, again: lasting(plan, dice) },
        _ => Fate::Malformed { delay, number: u32::from(dice.byte()) },
    };
    plan.overrides.push(Override { from, to, kind, term, nth, fate });
}

fn remove(plan: &mut Plan, dice: &mut Dice<'_>) {
    let place = dice.place(256);
    match dice.below(4) {
        0 if !plan.faults.is_empty() => drop(plan.faults.remove(place % plan.faults.len())),
        1 if !plan.actions.is_empty() => drop(plan.actions.remove(place % plan.actions.len())),
        2 => plan.static_cut = None,
        _ => plan.other_settings = None,
    }
}

/// Turns something on or off that is no number.
fn switch(plan: &mut Plan, dice: &mut Dice<'_>) {
    let choice = dice.byte();
    let toggle = if choice & 1 == 0 { Toggle::On } else { Toggle::Off };
    // Without the safeguards there may be no progress under a cut, and a lease rests on stickiness.
    plan.static_cut = None;
    if choice / 2 % 8 == 3 && toggle.is_on() {
        plan.settings.stickiness = Toggle::On;
    } else if choice / 2 % 8 == 2 && !toggle.is_on() {
        plan.settings.read_lease = Toggle::Off;
    }
    match choice / 2 % 8 {
        0 => plan.settings.pre_vote = toggle,
        1 => plan.settings.check_quorum = toggle,
        2 => plan.settings.stickiness = toggle,
        3 => plan.settings.read_lease = toggle,
        4 => plan.network.order = if toggle.is_on() { Order::Kept } else { Order::Any },
        5 => {
            let is_durable = toggle.is_on();
            plan.apply.machine =
                if is_durable { MachineMemory::Durable } else { MachineMemory::Rebuilt };
        }
        6 if plan.operations.is_empty() => {
            plan.workload.sessions = if toggle.is_on() { 2 } else { 0 };
        }
        _ => plan.ends_at = toggle.is_on().then_some(plan.heal_at),
    }
}
