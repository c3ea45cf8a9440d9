//! Taking out of the network what is good for nothing.
//!
//! What a message is worth is said by rules (`letter`) that follow from what every node does: its term never
//! falls, it votes once, and so on. A core that breaks them is to be seen breaking them. So the rules are not believed: before a message is
//! taken out, it is looked up what it would do now, and if that is anything, it stays.

use raft_core::Term;

use super::action::Action;
use super::core::Core;
use super::letter::{Ends, Worth};
use super::space::Outcome;
use super::state::Bound;
use super::step::Stepper;

impl<C: Core> Stepper<'_, C> {
    fn worth(&self, message: u32) -> Worth {
        let (space, scope) = (self.space, &self.space.scope);
        let letter = space.letters.get(message);
        let facts = |place: usize| &space.locals.get(self.child.locals[place]).facts;
        letter.worth(Ends {
            scope,
            sender: facts(letter.from),
            receiver: facts(letter.to),
            crashes_are_over: self.child.spent.of(Bound::Crashes) >= scope.crashes,
            appends_are_over: self.child.spent.of(Bound::Entries) >= scope.entries
                && scope.changes == 0,
        })
    }

    /// Whether a delivery has left its receiver as it was, and brought nothing that is good for anything.
    pub(super) fn is_in_vain(&mut self, is_same: bool, sends: &[u32]) -> bool {
        is_same && sends.iter().all(|message| self.is_worthless(*message))
    }

    fn is_worthless(&mut self, message: u32) -> bool {
        self.worth(message) == Worth::Nothing && self.does_nothing(message)
    }

    /// Whether its arrival would change nothing now, but bring answers that nobody needs.
    fn does_nothing(&mut self, message: u32) -> bool {
        let receiver = self.child.locals[self.space.letters.get(message).to];
        match self.outcome(receiver, Action::Deliver(message)) {
            Outcome::Nothing => true,
            Outcome::Next { local, sends, .. } => {
                *local == receiver && sends.iter().all(|sent| self.worth(*sent) == Worth::Nothing)
            }
            Outcome::Broken(_) => false,
        }
    }

    /// Whether the arrival of either would do the same now.
    fn do_the_same(&mut self, one: u32, other: u32) -> bool {
        let receiver = self.child.locals[self.space.letters.get(one).to];
        let outcomes = [one, other].map(|message| self.outcome(receiver, Action::Deliver(message)));
        match outcomes.into() {
            (Outcome::Nothing, Outcome::Nothing) => true,
            (
                Outcome::Next { local, sends, .. },
                Outcome::Next { local: other, sends: others, .. },
            ) => local == other && sends == others,
            _ => false,
        }
    }

    /// Takes out what is good for nothing, after something happened at a node, or when what is left of the scope changed.
    pub(super) fn tidy(&mut self, place: usize, all: bool) {
        let mut at = 0;
        while at < self.child.messages.len() {
            let message = self.child.messages[at];
            let letter = self.space.letters.get(message);
            let concerns = all || letter.from == place || letter.to == place;
            let is_out = concerns
                && match self.worth(message) {
                    Worth::Full => false,
                    Worth::Nothing => self.does_nothing(message),
                    Worth::News(term) => self.is_spare(message, term),
                };
            if is_out {
                self.take_out(message);
            } else {
                at += 1;
            }
        }
    }

    /// Whether a request is good for news alone, and there is enough that is; if not, that remains of it.
    fn is_spare(&mut self, message: u32, term: Term) -> bool {
        let letter = self.space.letters.get(message);
        let (from, to) = (letter.from, letter.to);
        let token = self.space.token(from, to, term);
        let is_as_good = token == message
            || self.do_the_same(message, token)
            || (self.does_nothing(message) && self.does_nothing(token));
        if !is_as_good {
            return false;
        }
        // Each can bring news of one later term.
        let asker = self.space.locals.get(self.child.locals[from]).facts;
        let useful = self.space.scope.terms.saturating_sub(asker.durable.0);
        let held = self.child.messages.iter().filter(|held| **held == token).count() as u64;
        if token == message {
            return held > useful;
        }
        if held < useful {
            self.put_in(token);
        }
        true
    }
}
