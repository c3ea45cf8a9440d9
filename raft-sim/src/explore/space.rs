//! Everything that was met so far: nodes, messages and pasts, each once, and what becomes of them.
//!
//! What happens to a node depends on nothing but the node and what happens to it. So it is computed once for each pair, on the
//! real core, and looked up after that: a state is a few numbers, and a step of the search is a few look-ups.

use raft_core::{Envelope, Membership, NodeId, Role, Term};

use super::action::Action;
use super::arena::Arena;
use super::conduct::{Breach, Notes};
use super::core::Core;
use super::fingerprint::{Names, Origin, fingerprint, of_node};
use super::ghost::Ghost;
use super::letter::{Letter, token};
use super::local::{Happening, Local};
use super::scope::Scope;
use super::state::PLACES;
use crate::draw::mix;
use crate::hash::mixed;

/// A node that was met.
pub(super) struct Known<C> {
    pub(super) local: Local<C>,
    /// Its part of the fingerprint under each renaming.
    pub(super) prints: Box<[u64]>,
    pub(super) facts: Facts,
}

/// What the search asks of a node over and over.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub(super) struct Facts {
    pub(super) role: Role,
    pub(super) term: Term,
    /// The term on its disk: its term can never again be less.
    pub(super) durable: Term,
    pub(super) is_writing: bool,
    /// How many parts the write under way has.
    pub(super) parts: usize,
    /// Whether a snapshot could be taken.
    pub(super) has_new: bool,
    /// Whether it has voted in its term, and whether its disk says so of the term there.
    voted: bool,
    durably_voted: bool,
    /// Its last entry.
    pub(super) last: u64,
    /// Of a leader: what each other node is known to hold.
    pub(super) matched: [u64; PLACES],
}

/// A past.
pub(super) struct Past {
    pub(super) ghost: Ghost,
    pub(super) prints: Box<[u64]>,
}

/// What becomes of a node when something happens to it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing.
    Nothing,
    /// It is another then.
    Next { local: u32, sends: Box<[u32]>, notes: Option<Box<Notes>> },
    /// What must not be.
    Broken(Box<Breach>),
}

/// All that was met.
pub(super) struct Space<C> {
    pub(super) scope: Scope,
    pub(super) renamings: Vec<Names>,
    pub(super) targets: Vec<Membership>,
    pub(super) founding: Membership,
    pub(super) locals: Arena<Known<C>>,
    pub(super) letters: Arena<Letter>,
    pub(super) pasts: Arena<Past>,
    outcomes: Arena<Outcome>,
}

/// What tells parts of a fingerprint apart.
const OF_MESSAGE: u64 = 0x6d65_7373;
const OF_PAST: u64 = 0x7061_7374;

impl<C: Core> Space<C> {
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            renamings: scope.renamings(),
            targets: scope.targets(),
            founding: scope.founding(),
            scope,
            locals: Arena::default(),
            letters: Arena::default(),
            pasts: Arena::default(),
            outcomes: Arena::default(),
        }
    }

    fn print_of(&self, local: &Local<C>, names: &[u64]) -> u64 {
        let origin = Origin::of(local.node(), local.clock, self.scope.snapshots > 0);
        let state = of_node(local.node(), &local.log, names, origin);
        let state = mixed(state, fingerprint(&local.disk, names, origin));
        let writing = local.writing.as_ref().map(|(_, write)| write);
        mixed(state, fingerprint(&writing, names, origin))
    }

    /// The number of a node.
    pub(super) fn local(&self, local: Local<C>) -> u32 {
        let print = self.print_of(&local, &self.renamings[0]);
        if let Some(number) = self.locals.find(print) {
            return number;
        }
        let prints = self.renamings.iter().map(|names| self.print_of(&local, names)).collect();
        let facts = Facts::of(&local);
        self.locals.intern(print, || Known { local, prints, facts })
    }

    /// The number of a message.
    pub(super) fn letter(&self, envelope: &Envelope) -> u32 {
        let print =
            |names: &Names| mix(OF_MESSAGE ^ fingerprint(envelope, names, Origin::default()));
        let own = print(&self.renamings[0]);
        self.letters.find(own).unwrap_or_else(|| {
            let prints = self.renamings.iter().map(print).collect();
            self.letters.intern(own, || Letter::new(envelope.clone(), prints))
        })
    }

    /// The number of a request that is good for nothing but news.
    pub(super) fn token(&self, from: usize, to: usize, term: Term) -> u32 {
        self.letter(&token(id_at(from), id_at(to), term))
    }

    /// The number of a past.
    pub(super) fn past(&self, ghost: &Ghost) -> u32 {
        let print = |names: &Names| mix(OF_PAST ^ fingerprint(ghost, names, Origin::default()));
        let own = print(&self.renamings[0]);
        self.pasts.find(own).unwrap_or_else(|| {
            let prints = self.renamings.iter().map(print).collect();
            self.pasts.intern(own, || Past { ghost: ghost.clone(), prints })
        })
    }

    /// What becomes of a node, computed if it was not before.
    pub(super) fn outcome(&self, local: u32, action: Action, key: u64) -> &Outcome {
        self.outcomes.get(self.outcomes.intern(key, || self.compute(local, action)))
    }

    fn compute(&self, number: u32, action: Action) -> Outcome {
        let known = self.locals.get(number);
        let what = match action {
            Action::Deliver(message) | Action::DeliverTwice(message) | Action::Lose(message) => {
                Happening::Receive(&self.letters.get(message).envelope)
            }
            Action::Persisted(_) => Happening::Persisted,
            Action::Crash(_, kept) => Happening::Crash(kept),
            Action::Campaign(_) => Happening::Campaign,
            Action::Propose(_) => Happening::Propose,
            Action::Heartbeat(_) => Happening::Heartbeat,
            Action::Change(_, target) => Happening::Change(&self.targets[target]),
            Action::Snapshot(_) => Happening::Snapshot,
        };
        match known.local.take(&self.scope, what) {
            Err(breach) => Outcome::Broken(Box::new(breach)),
            Ok(taken) => {
                let local = self.local(taken.local);
                let sends: Box<[u32]> =
                    taken.sends.into_iter().map(|envelope| self.letter(&envelope)).collect();
                if local == number && sends.is_empty() {
                    return Outcome::Nothing;
                }
                let notes = (!taken.notes.is_empty()).then(|| Box::new(taken.notes));
                Outcome::Next { local, sends, notes }
            }
        }
    }
}

impl Facts {
    fn of<C: Core>(local: &Local<C>) -> Self {
        let node = local.node();
        let disk = local.disk.hard_state.unwrap_or_default();
        let mut matched = [0; PLACES];
        for peer in node.status().peers {
            matched[usize::try_from(peer.id.0 - 1).expect("few nodes")] = peer.matched.0;
        }
        Self {
            matched,
            last: node.last().index.0,
            voted: node.vote().is_some(),
            durably_voted: disk.vote.is_some(),
            role: node.role(),
            term: node.term(),
            durable: disk.term,
            is_writing: local.writing.is_some(),
            parts: local.parts_under_way(),
            has_new: node.take_snapshot(node.applied()).is_some(),
        }
    }

    /// Whether it has voted in its term, and will not forget it.
    pub(super) fn has_voted(&self, crashes_are_over: bool) -> bool {
        if crashes_are_over { self.voted } else { self.durably_voted }
    }
}

impl<C: Core> Space<C> {
    /// The state in which a search begins.
    pub(super) fn begin(&self) -> Result<super::state::State, Breach> {
        let mut state = super::state::State::default();
        let mut locals = Vec::new();
        for id in self.scope.ids() {
            locals.push(Local::<C>::begin(&self.scope, id)?);
        }
        let mut ghost = Ghost::default();
        if self.scope.start == super::scope::Beginning::Led {
            let _happened = super::led::lead(&self.scope, &self.founding, &mut locals, &mut ghost)?;
        }
        for (place, local) in locals.into_iter().enumerate() {
            state.locals[place] = self.local(local);
        }
        state.ghost = self.past(&ghost);
        Ok(state)
    }
}

/// A node by its place.
pub(super) fn id_at(place: usize) -> NodeId {
    NodeId(place as u64 + 1)
}
