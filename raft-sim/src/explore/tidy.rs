//! Taking out of the network what is good for nothing.
//!
//! What a message is worth is said by rules (`letter`) that follow from what every node does: its term never
//! falls, it votes once, and so on. A core that breaks them is to be seen breaking them. So the rules are not believed: before a message is
//! taken out, it is looked up what it would do now, and if that is anything, it stays.

use super::core::Core;
use super::action::Action;
use super::letter::{Ends, Worth};
use super::space::Outcome;
use super::state::{Bound, PLACES};
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
        let outcome = self.outcome(receiver, Action::Deliver(message));
        match &*outcome {
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
        match (&*outcomes[0], &*outcomes[1]) {
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
        let mut kept = [[0_u64; PLACES]; PLACES];
        let mut at = 0;
        while at < self.child.messages.len() {
            let message = self.child.messages[at];
            let letter = self.space.letters.get(message);
            let (from, to) = (letter.from, letter.to);
            at += 1;
            if !all && from != place && to != place {
                continue;
            }
            match self.worth(message) {
                Worth::Full => {}
                Worth::Nothing => {
                    if self.does_nothing(message) {
                        self.take_out(message);
                        at -= 1;
                    }
                }
                Worth::News(term) => {
                    let token = self.space.token(from, to, term);
                    if token != message && !self.do_the_same(message, token) {
                        continue;
                    }
                    // Each can bring news of one later term.
                    let asker = self.space.locals.get(self.child.locals[from]).facts;
                    let useful = self.space.scope.terms.saturating_sub(asker.durable.0);
                    let count = &mut kept[from][to];
                    *count += u64::from(token == message);
                    let count = *count;
                    if token == message && count <= useful {
                        continue;
                    }
                    self.take_out(message);
                    let held = self.child.messages.iter().filter(|held| **held == token).count();
                    if token != message && (held as u64) < useful {
                        self.put_in(token);
                    }
                    // What was put in may have moved others.
                    (at, kept) = (0, [[0; PLACES]; PLACES]);
                }
            }
        }
    }
}
