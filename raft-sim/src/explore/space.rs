//! Everything that was met so far: nodes, messages and pasts, each once, and what becomes of them.
//!
//! What happens to a node depends on nothing but the node and what happens to it. So it is computed once for each pair, on the
//! real core, and looked up after that: a state is a few numbers, and a step of the search is a few look-ups.

use std::sync::{Arc, Mutex, PoisonError};

use raft_core::{Envelope, Membership, Message, NodeId, Role, Term};

use super::action::Action;
use super::arena::Arena;
use super::conduct::{Breach, Notes};
use super::core::Core;
use super::fingerprint::{Names, Origin, fingerprint, of_node};
use super::ghost::Ghost;
use super::local::{Happening, Local};
use super::scope::Scope;
use super::table::Table;
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
}

/// A message that was met.
pub(super) struct Letter {
    pub(super) envelope: Envelope,
    pub(super) to: usize,
    pub(super) prints: Box<[u64]>,
    /// The term that it answers, if it is an answer.
    answers: Option<Answers>,
}

/// When an answer comes too late for good.
#[derive(Clone, Copy, Debug)]
enum Answers {
    /// When its term is over at its receiver, or the receiver can play no part any more to which it is one.
    Term(Term),
    /// When the receiver knows of the term.
    News(Term),
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

const SHARDS: usize = 64;

/// All that was met.
pub(super) struct Space<C> {
    pub(super) scope: Scope,
    pub(super) renamings: Vec<Names>,
    pub(super) targets: Vec<Membership>,
    pub(super) founding: Membership,
    pub(super) locals: Arena<Known<C>>,
    pub(super) letters: Arena<Letter>,
    pub(super) pasts: Arena<Past>,
    outcomes: [Mutex<Table<Arc<Outcome>>>; SHARDS],
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
            outcomes: std::array::from_fn(|_| Mutex::default()),
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
    pub(super) fn letter(&self, envelope: Envelope) -> u32 {
        let print = |names: &Names| mix(OF_MESSAGE ^ fingerprint(&envelope, names, Origin::default()));
        let own = print(&self.renamings[0]);
        self.letters.find(own).unwrap_or_else(|| {
            let prints = self.renamings.iter().map(print).collect();
            let to = usize::try_from(envelope.to.0 - 1).expect("few nodes");
            let answers = Answers::of(&envelope);
            self.letters.intern(own, || Letter { envelope: envelope.clone(), to, prints, answers })
        })
    }

    /// The number of a past.
    pub(super) fn past(&self, ghost: Ghost) -> u32 {
        let print = |names: &Names| mix(OF_PAST ^ fingerprint(&ghost, names, Origin::default()));
        let own = print(&self.renamings[0]);
        self.pasts.find(own).unwrap_or_else(|| {
            let prints = self.renamings.iter().map(print).collect();
            self.pasts.intern(own, || Past { ghost: ghost.clone(), prints })
        })
    }

    /// What becomes of a node, computed if it was not before.
    pub(super) fn outcome(&self, local: u32, action: Action, key: u64) -> Arc<Outcome> {
        let shard = &self.outcomes[usize::try_from(key >> 58).expect("six bits")];
        let known = shard.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let outcome = Arc::new(self.compute(local, action));
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.insert(key, outcome.clone());
            outcome
        })
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
                    taken.sends.into_iter().map(|envelope| self.letter(envelope)).collect();
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
        Self {
            role: node.role(),
            term: node.term(),
            durable: local.disk.hard_state.unwrap_or_default().term,
            is_writing: local.writing.is_some(),
            parts: local.parts_under_way(),
            has_new: node.take_snapshot(node.applied()).is_some(),
        }
    }
}

impl Answers {
    fn of(envelope: &Envelope) -> Option<Self> {
        match envelope.message {
            Message::VoteReply { .. }
            | Message::AppendReply(_)
            | Message::HeartbeatReply { .. }
            | Message::SnapshotReply { .. } => Some(Self::Term(envelope.term)),
            Message::PreVoteReply { campaign, .. } => Some(Self::News(campaign)),
            Message::StaleTerm => Some(Self::News(envelope.term)),
            _ => None,
        }
    }
}

impl Letter {
    /// Whether it is an answer that comes too late for good. A node whose disk knows of a term never stands in that term
    /// again, nor leads it.
    pub(super) fn is_late(&self, receiver: &Facts) -> bool {
        let plays_no_part = matches!(receiver.role, Role::Follower | Role::PreCandidate);
        match self.answers {
            None => false,
            Some(Answers::Term(term)) => {
                receiver.durable > term || (receiver.durable == term && plays_no_part)
            }
            Some(Answers::News(term)) => receiver.durable >= term,
        }
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
            super::led::lead(&self.scope, &self.founding, &mut locals, &mut ghost)?;
        }
        for (place, local) in locals.into_iter().enumerate() {
            state.locals[place] = self.local(local);
        }
        state.ghost = self.past(ghost);
        Ok(state)
    }
}

/// A node by its place.
pub(super) fn id_at(place: usize) -> NodeId {
    NodeId(place as u64 + 1)
}

