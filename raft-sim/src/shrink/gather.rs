//! What a run drew: watched as it happens, so that a plan can say it.

use std::collections::{BTreeMap, BTreeSet};

use raft_core::{Instant, NodeId, Term, Ticks};

use crate::history::OpId;
use crate::plan::{
    CommandBytes, CrashPoint, Cut, Fate, Fault, MessageKind, Nodes, Override, Target, TimedFault,
    TimedOperation, Way,
};
use crate::raft::Facts;
use crate::world::{Loss, Phase, Trace, TraceEvent};

/// Longer than any run.
const ENDLESS: Ticks = Ticks(100_000_000);

/// What a run drew, until everything was healed.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// What became of each message that the network took, in the order of sending.
    pub(super) messages: Vec<Message>,
    /// What each client asked for, and when.
    operations: Vec<TimedOperation>,
    /// Which fault of the plan struck, and how; those that did nothing are not here.
    pub(super) struck: Vec<Struck>,
    /// Writes in the order in which they ended.
    writes: Vec<Latency>,
    /// Crashes, in order.
    pub(super) crashes: Vec<Crash>,
    places: BTreeMap<u64, usize>,
    /// Nodes that are suspended, and the operations that wait there.
    paused: BTreeMap<NodeId, Vec<(OpId, usize)>>,
    /// Operations that never reached their node: their clients gave up while it was suspended.
    unasked: BTreeSet<usize>,
    writing: BTreeMap<NodeId, Instant>,
    is_healed: bool,
}

/// A message and its fate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) sent: Instant,
    pub(super) fate: Override,
}

/// A fault of the plan as it began.
#[derive(Clone, Debug)]
pub(super) struct Struck {
    pub(super) fault: u32,
    pub(super) nodes: Vec<NodeId>,
}

/// A write: at whose disk, when it was handed over, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    pub(super) node: NodeId,
    pub(super) at: Instant,
    pub(super) took: Ticks,
}

/// A crash as it happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crash {
    pub(super) at: Instant,
    pub(super) node: NodeId,
    pub(super) point: CrashPoint,
    pub(super) down: Ticks,
    /// How many parts of the write under way survived.
    pub(super) kept: u64,
}

impl Gathered {
    fn sent(&mut self, at: Instant, message: u64, facts: &Facts, nth: u64, arrives: Instant) {
        let Some(kind) = MessageKind::ALL.get(usize::from(facts.kind)).copied() else { return };
        let delay = Ticks(arrives.0.saturating_sub(at.0));
        let fate = if arrives == Instant::NEVER { Fate::Lost } else { Fate::Once { delay } };
        let Facts { from, to, term, .. } = *facts;
        self.places.insert(message, self.messages.len());
        let fate = Override { from, to, kind, term, nth, fate };
        self.messages.push(Message { sent: at, fate });
    }

    fn fate(&mut self, message: u64) -> Option<&mut Message> {
        let place = self.places.get(&message)?;
        self.messages.get_mut(*place)
    }

    /// Every write. One that was under way when the run ended takes for as long as it likes.
    pub(super) fn writes(&self) -> impl Iterator<Item = Latency> {
        let open =
            self.writing.iter().map(|(node, at)| Latency { node: *node, at: *at, took: ENDLESS });
        self.writes.iter().copied().chain(open)
    }

    /// What clients asked of nodes that heard it.
    pub(super) fn asked(&self) -> impl Iterator<Item = &TimedOperation> {
        let heard = |(nth, _): &(usize, &TimedOperation)| !self.unasked.contains(nth);
        self.operations.iter().enumerate().filter(heard).map(|(_, timed)| timed)
    }

    fn network(&mut self, at: Instant, event: TraceEvent<'_>) {
        match event {
            TraceEvent::Sent { message, facts, nth, arrives, .. } => {
                self.sent(at, message, &facts, nth, arrives);
            }
            TraceEvent::Duplicated { message, arrives, .. } => {
                if let Some(Message { sent, fate: Override { fate, .. } }) = self.fate(message) {
                    if let Fate::Once { delay } = *fate {
                        *fate = Fate::Twice { delay, again: Ticks(arrives.since(*sent).0) };
                    }
                }
            }
            TraceEvent::Malformed { message, draw, .. } => {
                if let Some(Message { sent, fate: Override { fate, .. } }) = self.fate(message) {
                    *fate = Fate::Malformed { delay: Ticks(at.since(*sent).0), number: draw };
                }
            }
            // The cut is told of by itself.
            TraceEvent::Lost { message, loss: Loss::Cut, .. } => {
                if let Some(place) = self.places.get(&message).copied() {
                    if matches!(self.messages[place].fate.fate, Fate::Lost) {
                        self.messages[place].fate.fate = Fate::Once { delay: Ticks(0) };
                    }
                }
            }
            TraceEvent::Lost { message, loss: Loss::NeverLeft, .. } => {
                if let Some(found) = self.fate(message) {
                    found.fate.fate = Fate::Lost;
                }
            }
            _ => {}
        }
    }
}

impl Trace for Gathered {
    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        if self.is_healed {
            return;
        }
        match event {
            TraceEvent::Phase { phase: Phase::StaticCut | Phase::Liveness } => {
                self.is_healed = true;
            }
            TraceEvent::Invoked { op, client, node, asks, command } => {
                let command = CommandBytes(command.clone());
                if let Some(waiting) = self.paused.get_mut(&node) {
                    waiting.push((op, self.operations.len()));
                }
                self.operations.push(TimedOperation { at, client, node, asks, command });
            }
            TraceEvent::Paused { node, .. } => {
                self.paused.insert(node, Vec::new());
            }
            TraceEvent::Resumed { node } => {
                self.paused.remove(&node);
            }
            TraceEvent::GaveUp { op, node } => {
                let waiting = self.paused.get(&node).into_iter().flatten();
                self.unasked.extend(waiting.filter(|(of, _)| *of == op).map(|(_, nth)| *nth));
            }
            TraceEvent::FaultBegan { fault: Some(fault), nodes, .. } => {
                self.struck.push(Struck { fault, nodes: nodes.to_vec() });
            }
            TraceEvent::Crashed { node, point, survived, restart } => {
                if let Some(began) = self.writing.remove(&node) {
                    // It would have taken longer than the node lived.
                    let took = Ticks(restart.since(began).0);
                    self.writes.push(Latency { node, at: began, took });
                }
                self.paused.remove(&node);
                let (down, kept) = (Ticks(restart.since(at).0), crate::world::parts(survived));
                self.crashes.push(Crash { at, node, point, down, kept });
            }
            TraceEvent::Submitted { node, .. } => {
                self.writing.insert(node, at);
            }
            TraceEvent::Durable { node, .. } => {
                if let Some(began) = self.writing.remove(&node) {
                    let took = Ticks(at.since(began).0);
                    self.writes.push(Latency { node, at: began, took });
                }
            }
            other => self.network(at, other),
        }
    }
}

/// What is left of a fault when everything that it left open is said: on whom it struck, and how.
pub(super) fn resolved(gathered: &Gathered, faults: &[TimedFault], nodes: u32) -> Vec<TimedFault> {
    let mut crashes = gathered.crashes.clone();
    let mut resolved = Vec::new();
    for struck in &gathered.struck {
        let Some(timed) = faults.get(struck.fault as usize) else { continue };
        resolve(timed, &struck.nodes, nodes, &mut crashes, &mut resolved);
    }
    resolved
}

fn resolve(
    timed: &TimedFault,
    struck: &[NodeId],
    nodes: u32,
    crashes: &mut Vec<Crash>,
    resolved: &mut Vec<TimedFault>,
) {
    let at = timed.at;
    let Some(first) = struck.first().copied().map(Target::Node) else {
        resolved.push(*timed);
        return;
    };
    let fault = match timed.fault {
        Fault::Cut { cut, lasts } => Fault::Cut { cut: resolved_cut(cut, struck, nodes), lasts },
        Fault::Flap { cut, down, up, lasts } => {
            Fault::Flap { cut: resolved_cut(cut, struck, nodes), down, up, lasts }
        }
        Fault::Hold { kind, from, to, lasts } => {
            Fault::Hold { kind, from: from.map(|_| first), to, lasts }
        }
        Fault::Drop { kind, from, to, lasts } => {
            Fault::Drop { kind, from: from.map(|_| first), to, lasts }
        }
        Fault::Pause { lasts, .. } => Fault::Pause { target: first, lasts },
        Fault::SlowDisk { write, lasts, .. } => Fault::SlowDisk { target: first, write, lasts },
        Fault::Machine { name, .. } => Fault::Machine { target: first, name },
        Fault::LoseDisk { down, .. } => {
            crashes.retain(|crash| crash.at != at || !struck.contains(&crash.node));
            Fault::LoseDisk { target: first, down }
        }
        Fault::Crash { point, .. } => {
            let comes = |crash: &Crash| {
                crash.point == point && crash.at >= at && struck.contains(&crash.node)
            };
            let is_due = |crash: &Crash| point != CrashPoint::Now || crash.at == at;
            if let Some(place) = crashes.iter().position(|crash| comes(crash) && is_due(crash)) {
                resolved.push(crash_of(at, crashes.remove(place)));
            }
            return;
        }
        Fault::LoseMajority { .. } | Fault::PowerLoss { .. } => {
            for id in struck {
                let place = crashes.iter().position(|crash| crash.at == at && crash.node == *id);
                if let Some(place) = place {
                    resolved.push(crash_of(at, crashes.remove(place)));
                }
            }
            return;
        }
    };
    resolved.push(TimedFault { at, fault });
}

/// A cut of the links that went down.
fn resolved_cut(cut: Cut, struck: &[NodeId], nodes: u32) -> Cut {
    let first = Target::Node(struck[0]);
    let set = |ids: &[NodeId]| Nodes::of(ids.iter().copied()).unwrap_or_default();
    let rest = |group: Nodes| {
        let others = (1..=u64::from(nodes)).map(NodeId);
        Nodes::of(others.filter(|id| !group.iter().any(|one| one == *id))).unwrap_or_default()
    };
    match cut {
        Cut::Isolate { way, .. } => Cut::Isolate { target: first, way },
        Cut::Split { way, .. } | Cut::Voters { way } => {
            let group = set(struck);
            Cut::Between { first: group, second: rest(group), way }
        }
        Cut::Link { way, .. } => {
            let other = struck.get(1).copied().map_or(first, Target::Node);
            Cut::Link { target: first, other, way }
        }
        Cut::Bridge { .. } => {
            // The first is the bridge, the others are one half.
            let (half, both) = (set(&struck[1..]), set(struck));
            Cut::Between { first: half, second: rest(both), way: Way::Both }
        }
        Cut::Between { .. } | Cut::Ring => cut,
    }
}

/// The fault that makes a crash happen again.
fn crash_of(at: Instant, crash: Crash) -> TimedFault {
    let Crash { node, point, down, kept, .. } = crash;
    let target = Target::Node(node);
    TimedFault { at, fault: Fault::Crash { target, point, down, keeps: Some(kept) } }
}

/// A term so many before another, if there is one.
pub(super) fn earlier(term: Term, by: u64) -> Option<Term> {
    term.0.checked_sub(by).filter(|term| *term > 0).map(Term)
}

impl Message {
    /// Whether it arrives once, after just so long.
    pub(super) fn is_benign(&self, delay: Ticks) -> bool {
        self.fate.fate == Fate::Once { delay } || self.fate.fate == Fate::Once { delay: Ticks(0) }
    }
}
