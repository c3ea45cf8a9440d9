//! Changes fields of a message, so that no correct peer may have sent it.

use bytes::Bytes;
use raft_core::{Envelope, Membership};
use support::fields::{Changes, Field, fields_of};

use crate::dice::Dice;
use crate::settings::membership;

/// Changes no field as a rule, else one or two.
pub fn twist(dice: &mut Dice<'_>, envelope: &mut Envelope) {
    let changes = match dice.byte() {
        0..=199 => 0,
        200..=239 => 1,
        _ => 2,
    };
    for _ in 0..changes {
        let Envelope { version, cluster, from, to, term, message } = &mut *envelope;
        let mut fields = fields_of(message);
        let numbers = [&mut from.0, &mut term.0, &mut to.0, &mut cluster.0];
        fields.extend(numbers.map(Field::Number));
        match dice.place(fields.len() + 1) {
            place if place < fields.len() => fields[place].change(dice),
            _ => version.0 = u16::from(dice.byte()),
        }
    }
}

impl Changes for Dice<'_> {
    fn number(&mut self, present: u64) -> u64 {
        self.near(present.wrapping_add(1))
    }

    fn one_of(&mut self, many: usize) -> usize {
        self.place(many)
    }

    fn membership(&mut self) -> Membership {
        membership(self)
    }

    fn data(&mut self, _: usize) -> Bytes {
        Self::data(self)
    }
}
