//! The faults of a plan, as they strike.
//!
//! Targets are resolved when a fault begins. A crash at a named point is armed then and strikes when
//! the node comes to that point.

use raft_core::{Instant, LogIndex, NodeId, Role};

use super::host::{Activity, Series};
use super::network::{Does, Filter, Links, Resolved, links_of};
use super::queue::Event;
use super::trace::{Trace, TraceEvent};
use super::{Checked, World, short};
use crate::coverage::Situation;
use crate::draw::{Domain, Draw};
use crate::machine::Machine;
use crate::plan::{CrashPoint, Cut, Fault, FaultKind, FaultName, Span, Target};
use crate::raft::Raft;

/// The name under which the cut of the static phase is kept.
pub(super) const STATIC_CUT: u32 = u32::MAX;

/// A crash that will happen, or does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    pub(super) point: CrashPoint,
    down: u64,
    keeps: Option<u64>,
    kind: FaultKind,
}

/// A crash that waits for a node to come to a point.
#[derive(Clone, Copy, Debug)]
struct Armed {
    /// Whichever of these comes first.
    nodes: u8,
    strike: Strike,
}

/// Links that are down and up by turns.
#[derive(Clone, Copy, Debug)]
struct Flapping {
    fault: u32,
    links: Links,
    is_down: bool,
    ends: u64,
}

/// Faults that are in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    /// All nodes that any crash waits for.
    threatened: u8,
    flapping: Vec<Flapping>,
}

impl Faults {
    /// Whether a crash waits for a node.
    pub(super) fn threatens(&self, node: usize) -> bool {
        self.threatened >> node & 1 == 1
    }

    /// The crash that waits for a node at a point, if there is one. It waits no longer.
    pub(super) fn strike(&mut self, node: usize, point: CrashPoint) -> Option<Strike> {
        if !self.threatens(node) {
            return None;
        }
        let waits = |armed: &Armed| armed.nodes >> node & 1 == 1 && armed.strike.point == point;
        let place = self.armed.iter().position(waits)?;
        let strike = self.armed.remove(place).strike;
        self.sum_up();
        Some(strike)
    }

    fn arm(&mut self, nodes: u8, strike: Strike) {
        self.armed.push(Armed { nodes, strike });
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.threatened = self.armed.iter().fold(0, |sum, armed| sum | armed.nodes);
    }

    /// Nothing is in force any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    pub(super) fn fault_begins(&mut self, number: u32) -> Checked {
        if self.stage.is_healed() {
            return Ok(());
        }
        let fault = self.plan.faults[number as usize].fault;
        let ends = fault.ends(Instant(self.now)).0;
        match fault {
            Fault::Cut { cut, .. } => {
                if self.begin_cut(number, &fault, &cut).is_some() {
                    self.queue.push(ends, Event::FaultTurns { fault: number });
                }
            }
            Fault::Flap { cut, down, .. } => {
                if let Some(links) = self.begin_cut(number, &fault, &cut) {
                    let flapping = Flapping { fault: number, links, is_down: true, ends };
                    self.faults.flapping.push(flapping);
                    self.queue.push(self.now + down.0, Event::FaultTurns { fault: number });
                }
            }
            Fault::Hold { kind, from, to, .. } => {
                self.begin_filter(number, &fault, (kind.number(), from, to), Does::Hold(ends));
            }
            Fault::Drop { kind, from, to, .. } => {
                self.begin_filter(number, &fault, (kind.number(), from, to), Does::Drop);
            }
            Fault::Crash { target, point, down, keeps } => {
                let strike = Strike { point, down: down.0, keeps, kind: fault.kind() };
                return self.begin_crash(number, &fault, target, strike);
            }
            Fault::LoseMajority { down } => return self.lose_majority(number, &fault, down),
            Fault::PowerLoss { down } => {
                self.struck(number, &fault, self.everyone());
                return self.crash_all(number, self.everyone(), down);
            }
            Fault::LoseDisk { target, down } => {
                return self.lose_disk(number, &fault, target, down.0);
            }
            Fault::Pause { target, .. } => self.pause(number, &fault, target, ends),
            Fault::Machine { target, name } => self.machine_suffers(number, &fault, target, name),
            Fault::SlowDisk { target, write, .. } => {
                if let Some(node) = self.resolve(target, number) {
                    self.hosts[node].slow = Some((number, write));
                    self.queue.push(ends, Event::FaultTurns { fault: number });
                    self.struck(number, &fault, 1 << node);
                }
            }
        }
        Ok(())
    }

    /// A fault ends, or its links change.
    pub(super) fn fault_turns(&mut self, number: u32) {
        if self.stage.is_healed() {
            return;
        }
        let fault = self.plan.faults[number as usize].fault;
        if let Fault::Flap { down, up, .. } = fault {
            self.flap(number, down.0, up.0);
            return;
        }
        match fault {
            Fault::Cut { .. } => {
                self.checks.note(Situation::PartitionHealed);
                self.change_links(|network| network.mend(number));
            }
            Fault::Hold { .. } | Fault::Drop { .. } => self.network.mend(number),
            _ => {
                for host in &mut self.hosts {
                    if host.slow.is_some_and(|(by, _)| by == number) {
                        host.slow = None;
                    }
                }
            }
        }
        self.tell(TraceEvent::FaultEnded { fault: Some(number) });
    }

    fn flap(&mut self, number: u32, down: u64, up: u64) {
        let Some(place) = self.faults.flapping.iter().position(|flapping| flapping.fault == number)
        else {
            return;
        };
        let flapping = &mut self.faults.flapping[place];
        if self.now >= flapping.ends {
            self.faults.flapping.remove(place);
            self.change_links(|network| network.mend(number));
            self.tell(TraceEvent::FaultEnded { fault: Some(number) });
            return;
        }
        flapping.is_down = !flapping.is_down;
        let Flapping { links, is_down, ends, .. } = *flapping;
        let lasts = if is_down { down } else { up };
        self.queue.push((self.now + lasts).min(ends), Event::FaultTurns { fault: number });
        self.change_links(
            |network| {
                if is_down { network.cut(number, links) } else { network.mend(number) }
            },
        );
    }

    /// Messages of a kind, from somebody to somebody, are held back or lost.
    fn begin_filter(
        &mut self,
        number: u32,
        fault: &Fault,
        (kind, from, to): (u8, Option<Target>, Option<Target>),
        does: Does,
    ) {
        let everyone = self.everyone();
        let set = |target: Option<Target>| match target {
            None => Some(everyone),
            Some(target) => self.resolve(target, number).map(|node| 1 << node),
        };
        let (Some(from), Some(to)) = (set(from), set(to)) else { return };
        let ends = fault.ends(Instant(self.now)).0;
        self.network.filter(Filter { fault: number, kind, from, to, does });
        self.queue.push(ends, Event::FaultTurns { fault: number });
        self.struck(number, fault, from);
    }

    // ----- cuts -----

    /// Takes the links of a cut down. `None` if there is none to take down.
    pub(super) fn begin_cut(&mut self, number: u32, fault: &Fault, cut: &Cut) -> Option<Links> {
        let resolved = self.resolve_cut(cut, number)?;
        let links = links_of(cut, resolved, self.hosts.len());
        if links.is_empty() {
            return None;
        }
        if matches!(cut, Cut::Voters { .. }) && self.leads_joint(number) {
            self.checks.note(Situation::JointPartitioned);
        }
        self.struck_about(number, fault, 1 << resolved.target | resolved.company, resolved.target);
        self.change_links(|network| network.cut(number, links));
        Some(links)
    }

    /// Changes which links are down, and tells which.
    pub(super) fn change_links(&mut self, change: impl FnOnce(&mut super::network::Network)) {
        let before = self.network.down();
        change(&mut self.network);
        if T::ENABLED {
            let after = self.network.down();
            for (from, to) in after.without(before).pairs() {
                self.tell(TraceEvent::LinkCut { from, to });
            }
            for (from, to) in before.without(after).pairs() {
                self.tell(TraceEvent::LinkMended { from, to });
            }
        }
    }

    fn resolve_cut(&self, cut: &Cut, number: u32) -> Option<Resolved> {
        let alone = |target| Resolved { target, company: 0 };
        match cut {
            Cut::Isolate { target, .. } => self.resolve(*target, number).map(alone),
            Cut::Split { target, size, .. } => {
                let target = self.resolve(*target, number)?;
                let company = self.draw_nodes(number, 1 << target, size.saturating_sub(1));
                Some(Resolved { target, company })
            }
            Cut::Link { target, other, .. } => {
                let target = self.resolve(*target, number)?;
                let other = match self.resolve(*other, number) {
                    Some(other) if other != target => 1 << other,
                    _ => self.draw_nodes(number, 1 << target, 1),
                };
                Some(Resolved { target, company: other })
            }
            Cut::Bridge { target } => {
                let target = self.resolve(*target, number)?;
                let half = u32::try_from(self.hosts.len() / 2).unwrap_or(0);
                Some(Resolved { target, company: self.draw_nodes(number, 1 << target, half) })
            }
            Cut::Between { first, .. } => {
                let target = usize::try_from(first.places().trailing_zeros()).ok()?;
                let company = first.places() & !(1_u8.checked_shl(u32::try_from(target).ok()?)?);
                Some(Resolved { target, company })
            }
            Cut::Ring => Some(alone(0)),
            Cut::Voters { .. } => self.kinds_of_members(number),
        }
    }

    /// One side of the members, as the leader sees them: see [`Cut::Voters`].
    fn kinds_of_members(&self, number: u32) -> Option<Resolved> {
        let leader = self.resolve(Target::Leader, number)?;
        let members = self.hosts[leader].raft.as_ref()?.membership();
        let set = |ids: &[NodeId]| {
            ids.iter().filter_map(|id| self.place(*id)).fold(0_u8, |set, place| set | 1 << place)
        };
        let (incoming, outgoing) = (set(members.voters()), set(members.outgoing()));
        let group = if members.is_joint() {
            let (old, new) = (outgoing & !incoming, incoming & !outgoing);
            // Who votes before and after is on either side.
            let both = self.target_draw(number, 1).chance(500_000);
            match (old, new) {
                (0, new) => new,
                (old, _) if both => old | (incoming & outgoing),
                (old, _) => old,
            }
        } else {
            1 << leader | set(members.learners())
        };
        let target = usize::try_from(group.trailing_zeros()).ok()?;
        (group != 0).then_some(Resolved { target, company: group & !(1 << target) })
    }

    /// Whether a joint configuration is in force, as the leader sees it.
    fn leads_joint(&self, number: u32) -> bool {
        let leader = self.resolve(Target::Leader, number);
        let raft = leader.and_then(|leader| self.hosts[leader].raft.as_ref());
        raft.is_some_and(|raft| raft.membership().is_joint())
    }

    // ----- crashes -----

    fn begin_crash(
        &mut self,
        number: u32,
        fault: &Fault,
        target: Target,
        strike: Strike,
    ) -> Checked {
        // Who wins next cannot be known yet.
        if (target, strike.point) == (Target::Leader, CrashPoint::Winning) {
            let everyone = self.everyone();
            self.faults.arm(everyone, strike);
            self.announce(number, fault, everyone, 0);
            return Ok(());
        }
        let Some(node) = self.resolve(target, number) else { return Ok(()) };
        self.announce(number, fault, 1 << node, node);
        if strike.point == CrashPoint::Now {
            return self.strike_down(node, strike);
        }
        self.faults.arm(1 << node, strike);
        Ok(())
    }

    /// Crashes a node on account of a fault of the plan.
    pub(super) fn strike_down(&mut self, node: usize, strike: Strike) -> Checked {
        if self.hosts[node].is_up() {
            self.statistics.fault(strike.kind);
        }
        self.crash_keeping(node, strike.point, strike.down, strike.keeps)
    }

    fn lose_majority(&mut self, number: u32, fault: &Fault, down: Span) -> Checked {
        let majority = u32::try_from(self.hosts.len() / 2 + 1).unwrap_or(1);
        let Some(leader) = self.resolve(Target::Leader, number) else { return Ok(()) };
        let nodes = 1 << leader | self.draw_nodes(number, 1 << leader, majority - 1);
        self.struck(number, fault, nodes);
        self.crash_all(number, nodes, down)
    }

    fn crash_all(&mut self, number: u32, nodes: u8, down: Span) -> Checked {
        for node in 0..self.hosts.len() {
            if nodes >> node & 1 == 1 {
                let mut draw = self.target_draw(number, 2 + node as u64);
                self.crash(node, CrashPoint::Now, down.draw(&mut draw))?;
            }
        }
        Ok(())
    }

    // ----- machines -----

    /// Something befalls a machine that its log does not know of.
    fn machine_suffers(&mut self, number: u32, fault: &Fault, target: Target, name: FaultName) {
        let known = M::FAULTS.iter().find(|known| **known == name.as_str());
        let (Some(name), Some(node)) = (known, self.resolve(target, number)) else { return };
        let key = [node as u64, u64::from(number), 1];
        let mut draw = Draw::new(self.plan.seed, Domain::Apply, &key);
        self.hosts[node].machine.suffer(name, &mut draw);
        self.struck(number, fault, 1 << node);
    }

    // ----- pauses -----

    fn pause(&mut self, number: u32, fault: &Fault, target: Target, ends: u64) {
        let Some(node) = self.resolve(target, number) else { return };
        let host = &mut self.hosts[node];
        if !host.is_up() || host.is_paused() {
            return;
        }
        let stamp = host.number(Series::Stamp);
        host.activity = Activity::Paused { stamp, held: Vec::new() };
        self.queue.push(ends, Event::Resume { node: short(node), stamp });
        self.struck(number, fault, 1 << node);
        self.tell(TraceEvent::Paused { node: self.id(node), until: Instant(ends) });
    }

    /// The node goes on; first with what it missed.
    pub(super) fn resume(&mut self, node: usize, stamp: u32) {
        let host = &mut self.hosts[node];
        match &mut host.activity {
            Activity::Paused { stamp: awaited, held } if *awaited == stamp => {
                for event in held.drain(..) {
                    self.queue.push(self.now, event);
                }
            }
            _ => return,
        }
        host.activity = Activity::Running;
        host.timer.at = super::host::Timer::NONE;
        let id = host.id;
        self.checks.note(Situation::NodePaused);
        self.tell(TraceEvent::Resumed { node: id });
        self.set_timer(node);
    }

    // ----- targets -----

    fn everyone(&self) -> u8 {
        ((1_u16 << self.hosts.len()) - 1).to_le_bytes()[0]
    }

    fn target_draw(&self, number: u32, purpose: u64) -> Draw {
        Draw::new(self.plan.seed, Domain::Target, &[number.into(), purpose])
    }

    /// `count` nodes that are not in `without`, as a set.
    fn draw_nodes(&self, number: u32, without: u8, count: u32) -> u8 {
        let mut draw = self.target_draw(number, 1);
        let mut others: Vec<usize> =
            (0..self.hosts.len()).filter(|node| without >> node & 1 == 0).collect();
        let mut nodes = 0;
        for _ in 0..count {
            if others.is_empty() {
                break;
            }
            let bound = others.len() as u64;
            let place = usize::try_from(draw.below(bound)).expect("below the number of nodes");
            nodes |= 1 << others.swap_remove(place);
        }
        nodes
    }

    /// Who is meant; nobody if all nodes are down.
    pub(super) fn resolve(&self, target: Target, number: u32) -> Option<usize> {
        let leader = || {
            let mut best: Option<(usize, (Role, raft_core::Term, LogIndex))> = None;
            for (node, host) in self.hosts.iter().enumerate() {
                let rank = (host.view.role, host.view.term, host.view.last.index);
                if host.is_up()
                    && rank.0 != Role::Follower
                    && best.is_none_or(|(_, other)| other < rank)
                {
                    best = Some((node, rank));
                }
            }
            best.map(|(node, _)| node)
        };
        let one_of = |nodes: Vec<usize>| {
            let mut draw = self.target_draw(number, 0);
            (!nodes.is_empty()).then(|| *draw.pick(&nodes))
        };
        let up = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..self.hosts.len())
                .filter(|node| self.hosts[*node].is_up() && wanted(*node))
                .collect()
        };
        match target {
            Target::Node(id) => self.place(id),
            Target::Leader => leader().or_else(|| one_of(up(&|_| true))),
            Target::Follower => {
                let leader = leader();
                one_of(up(&|node| Some(node) != leader)).or(leader)
            }
            Target::Anyone => one_of(up(&|_| true)),
        }
    }

    // ----- telling -----

    pub(super) fn struck(&mut self, number: u32, fault: &Fault, nodes: u8) {
        let about = usize::try_from(nodes.trailing_zeros()).unwrap_or_default();
        self.struck_about(number, fault, nodes, about);
    }

    /// The same for a fault that is about one of the nodes more than about the others.
    fn struck_about(&mut self, number: u32, fault: &Fault, nodes: u8, about: usize) {
        if number != STATIC_CUT {
            self.statistics.fault(fault.kind());
        }
        self.announce(number, fault, nodes, about);
    }

    fn announce(&mut self, number: u32, fault: &Fault, nodes: u8, about: usize) {
        self.digest.add(self.now ^ u64::from(number) << 32);
        if T::ENABLED {
            let others = (0..self.hosts.len()).filter(|node| *node != about);
            let ids: Vec<NodeId> = std::iter::once(about)
                .chain(others)
                .filter(|node| nodes >> node & 1 == 1)
                .map(|node| self.hosts[node].id)
                .collect();
            let fault_number = (number != STATIC_CUT).then_some(number);
            self.tell(TraceEvent::FaultBegan { fault: fault_number, what: fault, nodes: &ids });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An armed crash strikes once, at its point, whoever of its nodes comes there first.
    #[test]
    fn a_crash_strikes_once() {
        let mut faults = Faults::default();
        let strike = Strike {
            point: CrashPoint::Winning,
            down: 5,
            keeps: None,
            kind: FaultKind::CrashWinning,
        };
        faults.arm(0b110, strike);
        assert!(!faults.threatens(0) && faults.threatens(1) && faults.threatens(2));
        assert!(faults.strike(0, CrashPoint::Winning).is_none());
        assert!(faults.strike(2, CrashPoint::Submit).is_none());
        assert!(faults.strike(2, CrashPoint::Winning).is_some());
        assert!(faults.strike(1, CrashPoint::Winning).is_none());
    }
}
