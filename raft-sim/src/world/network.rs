//! The links between nodes: fates, cuts, and kinds of messages that are held back.
//!
//! Links are bits of a 64-bit set, so "is this link cut" is one test.

use raft_core::{NodeId, Ticks};

use crate::fate::{Fates, Weather, link};
use crate::plan::{Cut, Fate, Network as Profile, Order, Override, Way};
use crate::raft::Facts;

/// A set of links, by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Links(u64);

impl Links {
    fn contains(self, link: usize) -> bool {
        self.0 >> link & 1 == 1
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn insert(&mut self, from: usize, to: usize) {
        if from != to {
            self.0 |= 1 << link(from, to);
        }
    }

    /// Those between two groups of nodes, in the directions of `way` as seen from the first.
    fn between(first: u8, second: u8, way: Way) -> Self {
        let mut links = Self::default();
        for inside in members(first) {
            for outside in members(second) {
                if way != Way::Inbound {
                    links.insert(inside, outside);
                }
                if way != Way::Outbound {
                    links.insert(outside, inside);
                }
            }
        }
        links
    }

    /// The links as pairs of nodes.
    pub(super) fn pairs(self) -> impl Iterator<Item = (NodeId, NodeId)> {
        let name = |place: usize| NodeId(place as u64 + 1);
        (0..64)
            .filter(move |link| self.contains(*link))
            .map(move |link| (name(link / 8), name(link % 8)))
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

fn members(group: u8) -> impl Iterator<Item = usize> {
    (0..8).filter(move |place| group >> place & 1 == 1)
}

/// A cut whose targets have been resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The node that the cut is about, if it is about one.
    pub(super) target: usize,
    /// The other node of a link, or those that share the target's side, as a set.
    pub(super) company: u8,
}

/// The links that a cut takes down among `nodes` nodes.
pub(super) fn links_of(cut: &Cut, resolved: Resolved, nodes: usize) -> Links {
    let everyone: u8 = ((1_u16 << nodes) - 1).to_le_bytes()[0];
    let target: u8 = 1 << resolved.target;
    match cut {
        Cut::Isolate { way, .. } => Links::between(target, everyone & !target, *way),
        Cut::Split { way, .. } | Cut::Voters { way } => {
            let group = target | resolved.company;
            Links::between(group, everyone & !group, *way)
        }
        Cut::Link { way, .. } => Links::between(target, resolved.company, *way),
        Cut::Between { first, second, way } => {
            Links::between(first.places() & everyone, second.places() & everyone, *way)
        }
        Cut::Bridge { .. } => {
            let rest = everyone & !target;
            let half = resolved.company & rest;
            Links::between(half, rest & !half, Way::Both)
        }
        Cut::Ring => {
            let mut links = Links::default();
            for from in 0..nodes {
                for to in 0..nodes {
                    let apart = (from + nodes - to) % nodes;
                    if apart != 1 && apart != nodes - 1 {
                        links.insert(from, to);
                    }
                }
            }
            links
        }
    }
}

/// Messages of one kind that are held back, or lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) fault: u32,
    pub(super) kind: u8,
    /// Those of these senders.
    pub(super) from: u8,
    /// Those for these receivers.
    pub(super) to: u8,
    pub(super) does: Does,
}

/// What becomes of the messages that a filter catches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// They wait until then.
    Hold(u64),
    /// They are lost.
    Drop,
}

impl Filter {
    fn catches(&self, kind: u8, link: usize) -> bool {
        self.kind == kind && self.from >> (link / 8) & 1 == 1 && self.to >> (link % 8) & 1 == 1
    }
}

/// What the network does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    /// It drops it.
    Lost,
    /// It brings it after so long.
    Once(u64),
    /// And again after so long.
    Twice(u64, u64),
    /// With a version of it, by the number of a draw, that no correct peer sends.
    Malformed(u64, u32),
}

/// Whether a message waits for those before it, where links keep order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    InLine,
    /// Its fate is listed: it arrives when that says.
    Free,
}

/// The state of all links.
#[derive(Debug)]
pub(super) struct Network {
    fates: Fates,
    profile: Profile,
    weather: Weather,
    /// The cuts in force, by the fault that made them.
    cuts: Vec<(u32, Links)>,
    /// All of them together.
    down: Links,
    filters: Vec<Filter>,
    /// When the latest message that keeps its place arrives, by link.
    latest: Vec<u64>,
}

impl Network {
    pub(super) fn new(seed: u64, nodes: usize, profile: Profile, overrides: &[Override]) -> Self {
        Self {
            fates: Fates::new(seed, nodes, profile, overrides),
            profile,
            weather: Weather::Rough,
            cuts: Vec::new(),
            down: Links::default(),
            filters: Vec::new(),
            latest: vec![0; nodes * 8],
        }
    }

    /// Whether messages from one node to another are cut off.
    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.down.contains(link(from, to))
    }

    /// Which links are down.
    pub(super) fn down(&self) -> Links {
        self.down
    }

    /// Takes links down on account of a fault.
    pub(super) fn cut(&mut self, fault: u32, links: Links) {
        self.cuts.push((fault, links));
        self.sum_up();
    }

    /// Ends what a fault did.
    pub(super) fn mend(&mut self, fault: u32) {
        self.cuts.retain(|(of, _)| *of != fault);
        self.filters.retain(|filter| filter.fault != fault);
        self.sum_up();
    }

    /// Holds messages of a kind back, or loses them.
    pub(super) fn filter(&mut self, filter: Filter) {
        self.filters.push(filter);
    }

    /// Everything is well from now on.
    pub(super) fn heal(&mut self, longest: u64) {
        self.cuts.clear();
        self.filters.clear();
        self.weather = Weather::Fair { longest };
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.down = Links(self.cuts.iter().fold(0, |sum, (_, links)| sum | links.0));
    }

    /// Decides when a message that leaves at `leaves` arrives, as times; and says how many of its kind went before it on
    /// the link in the term, and the fate that amounts to this, if a plan listed it.
    pub(super) fn carry(
        &mut self,
        facts: &Facts,
        from: usize,
        to: usize,
        leaves: u64,
    ) -> (u64, Fate, Carriage) {
        let link = link(from, to);
        let (nth, fate) = self.fates.next(facts, link, self.weather);
        let turn =
            if self.fates.lists(facts, nth, self.weather) { Turn::Free } else { Turn::InLine };
        let (fate, carriage) = self.carriage(facts, link, leaves, fate, turn);
        (nth, fate, carriage)
    }

    fn carriage(
        &mut self,
        facts: &Facts,
        link: usize,
        leaves: u64,
        fate: Fate,
        turn: Turn,
    ) -> (Fate, Carriage) {
        let drops = |filter: &Filter| filter.does == Does::Drop && filter.catches(facts.kind, link);
        if self.filters.iter().any(drops) {
            return (fate, Carriage::Lost);
        }
        let mut arrival = |delay| self.arrival(facts, link, leaves, delay, turn);
        match fate {
            Fate::Lost => (fate, Carriage::Lost),
            Fate::Once { delay } => {
                let (at, delay) = arrival(delay);
                (Fate::Once { delay }, Carriage::Once(at))
            }
            Fate::Twice { delay, again } => {
                let (first, delay) = arrival(delay);
                let second = self.held(facts, link, leaves + again.0, again);
                (Fate::Twice { delay, again }, Carriage::Twice(first, second))
            }
            Fate::Malformed { delay, number } => {
                let (at, delay) = arrival(delay);
                (Fate::Malformed { delay, number }, Carriage::Malformed(at, number))
            }
        }
    }

    /// When a message arrives, and the delay that comes to the same where no other is before it.
    fn arrival(
        &mut self,
        facts: &Facts,
        link: usize,
        leaves: u64,
        delay: Ticks,
        turn: Turn,
    ) -> (u64, Ticks) {
        let mut at = leaves + delay.0;
        if self.profile.order == Order::Kept && delay <= self.profile.delay.max {
            if turn == Turn::InLine {
                at = at.max(self.latest[link]);
            }
            self.latest[link] = self.latest[link].max(at);
        }
        let arrives = self.held(facts, link, at, delay);
        let goes = self.held_until(facts, link).unwrap_or_default().max(leaves);
        (arrives, Ticks(arrives - goes))
    }

    fn held(&self, facts: &Facts, link: usize, at: u64, delay: Ticks) -> u64 {
        self.held_until(facts, link).map_or(at, |until| at.max(until + delay.0))
    }

    fn held_until(&self, facts: &Facts, link: usize) -> Option<u64> {
        let catching = self.filters.iter().filter(|filter| filter.catches(facts.kind, link));
        let until = catching.filter_map(|filter| match filter.does {
            Does::Hold(until) => Some(until),
            Does::Drop => None,
        });
        until.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Target;

    fn pairs(cut: &Cut, resolved: Resolved, nodes: usize) -> Vec<(u64, u64)> {
        links_of(cut, resolved, nodes).pairs().map(|(from, to)| (from.0, to.0)).collect()
    }

    /// Each cut takes down the links it says, in the direction it says.
    #[test]
    fn cuts_are_what_they_say() {
        let target = Target::Anyone;
        let first = Resolved { target: 0, company: 0b010 };
        let isolate = |way| pairs(&Cut::Isolate { target, way }, first, 3);
        assert_eq!(isolate(Way::Outbound), [(1, 2), (1, 3)]);
        assert_eq!(isolate(Way::Inbound), [(2, 1), (3, 1)]);
        assert_eq!(isolate(Way::Both), [(1, 2), (1, 3), (2, 1), (3, 1)]);
        let link = Cut::Link { target, other: target, way: Way::Both };
        assert_eq!(pairs(&link, first, 3), [(1, 2), (2, 1)]);
        let split = Cut::Split { target, size: 2, way: Way::Both };
        assert_eq!(pairs(&split, first, 3), [(1, 3), (2, 3), (3, 1), (3, 2)]);
        let bridge = Cut::Bridge { target };
        assert_eq!(pairs(&bridge, first, 3), [(2, 3), (3, 2)]);
        assert_eq!(pairs(&Cut::Ring, first, 3), []);
        assert_eq!(pairs(&Cut::Ring, first, 4), [(1, 3), (2, 4), (3, 1), (4, 2)]);
    }
}
