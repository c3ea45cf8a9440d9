//! From a state to those that may follow it.
//!
//! Left out is what leads to a state that a state already there stands for:
//!
//! * A message that would change nothing, but perhaps bring answers that are good for nothing, is not delivered: without it,
//!   less can happen. (What is good for nothing is taken out of the network: `tidy`.)
//! * A message is not lost by an event of its own, but by never being delivered, unless the scope asks for the event.
//! * A message arrives twice by arriving and staying under way.

use std::borrow::Cow;

use super::action::Action;
use super::checks::Scene;
use super::conduct::{Breach, Notes};
use super::core::Core;
use super::local::Local;
use super::scope::Scope;
use super::space::{Known, Outcome, Space};
use super::state::{Bound, PLACES, Spent, State};
use super::table::Table;
use crate::draw::mix;
use raft_core::Role;

/// What follows: a state with its fingerprint, or what must not be.
pub(super) type Followed<'a> = Result<(&'a State, u64), Breach>;

/// Takes steps, and remembers what it has looked up.
pub(super) struct Stepper<'s, C> {
    pub(super) space: &'s Space<C>,
    known: Table<&'s Outcome>,
    pub(super) child: State,
    /// The sums of the parts' fingerprints, under each renaming: of the state, and of the one that follows.
    sums: Vec<u64>,
    child_sums: Vec<u64>,
}

impl<'s, C: Core> Stepper<'s, C> {
    pub(super) fn new(space: &'s Space<C>) -> Self {
        let sums = vec![0; space.renamings.len()];
        let (known, child) = (Table::default(), State::default());
        Self { space, known, child, child_sums: sums.clone(), sums }
    }

    fn nodes(&self) -> usize {
        usize::try_from(self.space.scope.nodes).expect("few nodes")
    }

    /// The fingerprint of a state: the least of those under all renamings.
    pub(super) fn print(&mut self, state: &State) -> u64 {
        self.add_up(state);
        canonical(&self.sums, state.spent)
    }

    fn add_up(&mut self, state: &State) {
        let space = self.space;
        self.sums.fill(0);
        for local in &state.locals[..self.nodes()] {
            add(&mut self.sums, &space.locals.get(*local).prints);
        }
        add(&mut self.sums, &space.pasts.get(state.ghost).prints);
        for message in &state.messages {
            add(&mut self.sums, &space.letters.get(*message).prints);
        }
    }

    /// Visits everything that may follow a state, until `visit` has seen enough.
    pub(super) fn each(
        &mut self,
        state: &State,
        visit: &mut impl FnMut(Action, Followed<'_>) -> bool,
    ) -> bool {
        self.add_up(state);
        self.messages(state, visit)
            && (0..self.nodes()).all(|place| self.own_actions(state, place, visit))
    }

    fn messages(
        &mut self,
        state: &State,
        visit: &mut impl FnMut(Action, Followed<'_>) -> bool,
    ) -> bool {
        let Scope { duplicates, losses, .. } = self.space.scope;
        let mut before = None;
        for &message in &state.messages {
            if before.replace(message) == Some(message) {
                continue;
            }
            let place = self.space.letters.get(message).to;
            if !self.happen(state, place, Action::Deliver(message), state.spent, visit) {
                return false;
            }
            if let Some(spent) = state.spent.and(Bound::Duplicates, duplicates) {
                if !self.happen(state, place, Action::DeliverTwice(message), spent, visit) {
                    return false;
                }
            }
            if let Some(spent) = state.spent.and(Bound::Losses, losses) {
                if !self.lose(state, message, spent, visit) {
                    return false;
                }
            }
        }
        true
    }

    fn lose(
        &mut self,
        state: &State,
        message: u32,
        spent: Spent,
        visit: &mut impl FnMut(Action, Followed<'_>) -> bool,
    ) -> bool {
        self.child.clone_from(state);
        self.child.spent = spent;
        self.child_sums.copy_from_slice(&self.sums);
        self.take_out(message);
        let print = canonical(&self.child_sums, spent);
        visit(Action::Lose(message), Ok((&self.child, print)))
    }

    /// What a node does of its own, or is made to do.
    fn own_actions(
        &mut self,
        state: &State,
        place: usize,
        visit: &mut impl FnMut(Action, Followed<'_>) -> bool,
    ) -> bool {
        let scope = self.space.scope;
        let facts = self.space.locals.get(state.locals[place]).facts;
        let leads = facts.role == Role::Leader;
        let within = |is_possible: bool, bound, limit| {
            is_possible.then(|| state.spent.and(bound, limit)).flatten()
        };
        let may_stand = !leads && facts.term.0 < scope.terms;
        let campaign = match scope.campaigns {
            None => may_stand.then_some(state.spent),
            Some(limit) => within(may_stand, Bound::Campaigns, limit),
        };
        let single = [
            (Action::Persisted(place), facts.is_writing.then_some(state.spent)),
            (Action::Campaign(place), campaign),
            (Action::Propose(place), within(leads, Bound::Entries, scope.entries)),
            (Action::Heartbeat(place), within(leads, Bound::Heartbeats, scope.heartbeats)),
            (Action::Snapshot(place), within(facts.has_new, Bound::Snapshots, scope.snapshots)),
        ];
        let crash = within(true, Bound::Crashes, scope.crashes);
        let crashes = crash.into_iter().flat_map(|spent| {
            (0..=facts.parts).map(move |kept| (Action::Crash(place, kept), Some(spent)))
        });
        let change = within(leads, Bound::Changes, scope.changes);
        let changes = change.into_iter().flat_map(|spent| {
            let targets = 0..self.space.targets.len();
            targets.map(move |target| (Action::Change(place, target), Some(spent)))
        });
        for (action, spent) in single.into_iter().chain(crashes).chain(changes) {
            let Some(spent) = spent else { continue };
            if !self.happen(state, place, action, spent, visit) {
                return false;
            }
        }
        true
    }

    pub(super) fn outcome(&mut self, local: u32, action: Action) -> &'s Outcome {
        let key = mix(u64::from(local) << 32 | u64::from(action.code()));
        let space = self.space;
        self.known.entry(key).or_insert_with(|| space.outcome(local, action, key))
    }

    /// Something happens at a node.
    fn happen(
        &mut self,
        state: &State,
        place: usize,
        action: Action,
        spent: Spent,
        visit: &mut impl FnMut(Action, Followed<'_>) -> bool,
    ) -> bool {
        let (local, sends, notes) = match self.outcome(state.locals[place], action) {
            Outcome::Nothing => return true,
            Outcome::Broken(breach) => return visit(action, Err((**breach).clone())),
            Outcome::Next { local, sends, notes } => (*local, sends, notes.as_deref()),
        };
        self.child.clone_from(state);
        self.child.spent = spent;
        self.child_sums.copy_from_slice(&self.sums);
        if let Action::Deliver(message) = action {
            self.take_out(message);
        }
        self.replace(place, local);
        for message in sends {
            self.put_in(*message);
        }
        if self.space.scope.forgets {
            let is_same = local == state.locals[place];
            if matches!(action, Action::Deliver(_)) && self.is_in_vain(is_same, sends) {
                return true;
            }
            self.tidy(place, spent != state.spent);
        }
        if let Some(notes) = notes {
            if let Err(breach) = self.judge(place, notes) {
                return visit(action, Err(breach));
            }
        }
        let print = canonical(&self.child_sums, spent);
        visit(action, Ok((&self.child, print)))
    }

    pub(super) fn take_out(&mut self, message: u32) {
        self.child.remove(message);
        subtract(&mut self.child_sums, &self.space.letters.get(message).prints);
    }

    pub(super) fn put_in(&mut self, message: u32) {
        self.child.add(message);
        add(&mut self.child_sums, &self.space.letters.get(message).prints);
    }

    fn replace(&mut self, place: usize, local: u32) {
        let before = std::mem::replace(&mut self.child.locals[place], local);
        if before != local {
            subtract(&mut self.child_sums, &self.space.locals.get(before).prints);
            add(&mut self.child_sums, &self.space.locals.get(local).prints);
        }
    }

    /// Asks the others and the past.
    fn judge(&mut self, place: usize, notes: &Notes) -> Result<(), Breach> {
        let space = self.space;
        let known = |place: usize| -> &Known<C> { space.locals.get(self.child.locals[place]) };
        let all: [&Local<C>; PLACES] =
            std::array::from_fn(|place| &known(place.min(self.nodes() - 1)).local);
        let scene = Scene { locals: &all[..self.nodes()], place, notes, founding: &space.founding };
        let mut ghost = Cow::Borrowed(&space.pasts.get(self.child.ghost).ghost);
        scene.judge(&mut ghost)?;
        if let Cow::Owned(ghost) = ghost {
            let past = space.past(&ghost);
            subtract(&mut self.child_sums, &space.pasts.get(self.child.ghost).prints);
            add(&mut self.child_sums, &space.pasts.get(past).prints);
            self.child.ghost = past;
        }
        Ok(())
    }
}

/// The least fingerprint under all renamings.
fn canonical(sums: &[u64], spent: Spent) -> u64 {
    let least = sums.iter().map(|sum| mix(*sum)).min().unwrap_or_default();
    mix(least ^ mix(spent.0 ^ 0x0073_7065_6e74))
}

fn add(sums: &mut [u64], prints: &[u64]) {
    for (sum, print) in sums.iter_mut().zip(prints) {
        *sum = sum.wrapping_add(*print);
    }
}

fn subtract(sums: &mut [u64], prints: &[u64]) {
    for (sum, print) in sums.iter_mut().zip(prints) {
        *sum = sum.wrapping_sub(*print);
    }
}
