//! What led to what, as far as it can be known from outside.
//!
//! Whatever a node does in a step comes of what it was given in that step; what arrives, of its sending; what the disk, the
//! machine and the driver have done, of what they were handed.
//!
//! Invariant: a cause is an event that was told before.

use std::collections::BTreeMap;

use raft_core::{Instant, LogIndex, NodeId};

use super::disk::Disk;
use crate::plan::{CrashPoint, Fault};

/// The number of an event.
pub(super) type Number = u32;

/// What led to what happens next.
#[derive(Debug, Default)]
pub(super) struct Causes {
    nodes: BTreeMap<NodeId, Node>,
    flights: BTreeMap<u64, Flight>,
    invoked: BTreeMap<u64, Number>,
    faults: BTreeMap<Option<u32>, Number>,
    /// The fault that began last, and when.
    latest: Option<(Instant, Number)>,
    threats: Vec<Threat>,
    /// What cut each link, or mended it, last; and the fault on whose account it was cut.
    links: BTreeMap<(NodeId, NodeId), Link>,
}

/// What is known of a node.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) given: Option<Given>,
    pub(super) submitted: Option<Number>,
    pub(super) durable: Option<Number>,
    /// What gave the machine what it works on.
    pub(super) handed: Option<Number>,
    /// What the machine did last.
    pub(super) applied: Option<Number>,
    pub(super) tasks: BTreeMap<u32, Number>,
    /// When the node learnt how far its machine is, by that.
    pub(super) reports: BTreeMap<LogIndex, Number>,
    pub(super) crashed: Option<Number>,
    pub(super) paused: Option<Number>,
    pub(super) disk: Disk,
    /// Whether the next crash takes the disk with it.
    loses_disk: bool,
}

/// What a node's step was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Something that was told.
    Told(Number),
    /// Nothing but time, at this moment: told as soon as something follows from it.
    Time(Instant),
}

/// The copies of a message that have not arrived.
#[derive(Debug)]
struct Flight {
    sent: Number,
    copies: Vec<(Instant, Number)>,
}

/// A crash that is to strike.
#[derive(Debug)]
struct Threat {
    at: Instant,
    nodes: Vec<NodeId>,
    point: CrashPoint,
    fault: Number,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    fault: Option<Number>,
    cut: Number,
}

impl Causes {
    pub(super) fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.entry(id).or_default()
    }

    // ----- messages -----

    pub(super) fn sent(&mut self, message: u64, arrives: Instant, number: Number) {
        self.flights.insert(message, Flight { sent: number, copies: vec![(arrives, number)] });
    }

    pub(super) fn duplicated(&mut self, message: u64, arrives: Instant, number: Number) {
        if let Some(flight) = self.flights.get_mut(&message) {
            flight.copies.push((arrives, number));
            flight.copies.sort_by_key(|(arrives, _)| *arrives);
        }
    }

    /// What sent a message.
    pub(super) fn sending(&self, message: u64) -> Option<Number> {
        self.flights.get(&message).map(|flight| flight.sent)
    }

    /// What sent the copy of a message that arrives now, or is lost. A copy that waited at a suspended node is late: copies
    /// keep their order there.
    pub(super) fn arrival(&mut self, message: u64, at: Instant) -> Option<Number> {
        let Flight { sent, copies } = self.flights.get_mut(&message)?;
        if copies.is_empty() {
            return Some(*sent);
        }
        let place = copies.iter().position(|(arrives, _)| *arrives == at).unwrap_or(0);
        Some(copies.remove(place).1)
    }

    // ----- clients -----

    pub(super) fn invoked(&mut self, op: u64, number: Number) {
        self.invoked.insert(op, number);
    }

    pub(super) fn invocation(&self, op: u64) -> Option<Number> {
        self.invoked.get(&op).copied()
    }

    // ----- faults -----

    pub(super) fn fault_began(
        &mut self,
        at: Instant,
        fault: Option<u32>,
        what: &Fault,
        nodes: &[NodeId],
        number: Number,
    ) {
        self.faults.insert(fault, number);
        self.latest = Some((at, number));
        let point = match what {
            Fault::Crash { point, .. } => *point,
            Fault::LoseMajority { .. } | Fault::PowerLoss { .. } | Fault::LoseDisk { .. } => {
                CrashPoint::Now
            }
            _ => return,
        };
        if let Fault::LoseDisk { .. } = what {
            for id in nodes {
                self.node(*id).loses_disk = true;
            }
        }
        self.threats.push(Threat { at, nodes: nodes.to_vec(), point, fault: number });
    }

    pub(super) fn beginning(&self, fault: Option<u32>) -> Option<Number> {
        self.faults.get(&fault).copied()
    }

    /// The fault that began at this moment, if one did.
    pub(super) fn fault_now(&self, at: Instant) -> Option<Number> {
        self.latest.filter(|(began, _)| *began == at).map(|(_, number)| number)
    }

    /// The fault that makes a node crash at a point. One that waited for that strikes once.
    pub(super) fn crash(&mut self, at: Instant, node: NodeId, point: CrashPoint) -> Option<Number> {
        if point == CrashPoint::Now {
            let strikes = |it: &&Threat| {
                it.point == CrashPoint::Now && it.at == at && it.nodes.contains(&node)
            };
            return self.threats.iter().rfind(strikes).map(|it| it.fault);
        }
        let strikes = |it: &Threat| it.point == point && it.nodes.contains(&node);
        let place = self.threats.iter().position(strikes)?;
        Some(self.threats.remove(place).fault)
    }

    pub(super) fn link_cut(&mut self, at: Instant, from: NodeId, to: NodeId, cut: Number) {
        let fault = self.cutter(at, from, to);
        self.links.insert((from, to), Link { fault, cut });
    }

    /// The fault on whose account a link is cut: one that begins now, or the one that cut it before.
    pub(super) fn cutter(&self, at: Instant, from: NodeId, to: NodeId) -> Option<Number> {
        let before = self.links.get(&(from, to)).and_then(|link| link.fault);
        self.fault_now(at).or(before)
    }

    /// What cut a link last.
    pub(super) fn cut(&self, from: NodeId, to: NodeId) -> Option<Number> {
        self.links.get(&(from, to)).map(|link| link.cut)
    }
}

impl Node {
    /// A step of the node is given something that was told.
    pub(super) fn is_given(&mut self, number: Number) {
        self.given = Some(Given::Told(number));
    }

    /// The node crashes: what it was given and waited for is gone, and perhaps its disk.
    pub(super) fn crash(&mut self) {
        let loses_disk = std::mem::take(&mut self.loses_disk);
        let disk = if loses_disk { Disk::default() } else { self.disk };
        *self = Self { given: self.given, disk, ..Self::default() };
    }
}
