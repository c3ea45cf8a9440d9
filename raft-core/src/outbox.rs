//! Messages that wait for the disk.
//!
//! No message leaves before the hard state it was written under is durable. What waits is state, not a
//! queue: one slot a receiver and kind, the newest message in it, keyed by the write that covers it.
//! Losing a message here is what the network does every day.
//!
//! Invariant: bounded, whoever sends what; every message is of the current term.

use alloc::vec::Vec;
use core::mem::discriminant;

use crate::effect::{Effect, Effects};
use crate::message::Envelope;
use crate::types::{Term, WriteNumber};

/// More messages than this do not wait: enough for a vote request to each of a thousand voters.
const MAX_WITHHELD: usize = 1_024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Outbox {
    withheld: Vec<Withheld>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Withheld {
    /// The write that must be durable first.
    until: WriteNumber,
    envelope: Envelope,
}

impl Outbox {
    pub(crate) fn withhold(&mut self, until: WriteNumber, envelope: Envelope) {
        let same_slot = |held: &&mut Withheld| {
            held.envelope.to == envelope.to
                && discriminant(&held.envelope.message) == discriminant(&envelope.message)
        };
        if let Some(slot) = self.withheld.iter_mut().find(same_slot) {
            *slot = Withheld { until, envelope };
        } else if self.withheld.len() < MAX_WITHHELD {
            self.withheld.push(Withheld { until, envelope });
        }
    }

    /// Sends everything that waited for `durable` or an earlier write.
    pub(crate) fn release(&mut self, durable: WriteNumber, effects: &mut Effects) {
        let mut place = 0;
        while place < self.withheld.len() {
            if self.withheld[place].until <= durable {
                effects.push(Effect::Send(self.withheld.remove(place).envelope));
            } else {
                place += 1;
            }
        }
    }

    /// Forgets what was written in earlier terms.
    pub(crate) fn enter(&mut self, term: Term) {
        self.withheld.retain(|held| held.envelope.term >= term);
    }

    pub(crate) fn len(&self) -> usize {
        self.withheld.len()
    }
}
