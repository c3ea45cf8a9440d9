//! The client's side of a session.
//!
//! Invariant: the numbers that are outstanding lie within a window of [`SessionLimits::max_outstanding`](super::SessionLimits),
//! so that the table never has to put a command off.

use alloc::collections::BTreeMap;
use core::num::NonZeroU64;

use bytes::Bytes;

use super::request::encode_do;
use super::{Sequence, SessionId};

/// An open session at its client: numbers commands, and keeps the bytes of those that are not answered.
///
/// It does no I/O: send what [`Session::submit`] gives, and from time to time all that is
/// [outstanding](Session::outstanding) again, to any node, until it is answered. `Refused`, `Lost` and `Unknown`
/// are no answers: only a [`SessionReply`](super::SessionReply) is. When that says the session has expired, open
/// another one; what became of the outstanding commands cannot be known then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    id: SessionId,
    max_outstanding: NonZeroU64,
    /// The number of the next command.
    next: Sequence,
    outstanding: BTreeMap<Sequence, Bytes>,
}

impl Session {
    /// A session that has just been opened. `max_outstanding` is that of the table's limits, or less.
    pub fn new(id: SessionId, max_outstanding: NonZeroU64) -> Self {
        Self { id, max_outstanding, next: Sequence::FIRST, outstanding: BTreeMap::new() }
    }

    /// Its name.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The bytes to propose for a command, under the number by which it is answered. `None` while the oldest
    /// command without an answer holds up all after it: there are as many numbers from it on as may be outstanding.
    #[must_use = "nothing is sent by itself: propose the bytes"]
    pub fn submit(&mut self, command: &[u8]) -> Option<(Sequence, Bytes)> {
        let sequence = self.next;
        let lowest = self.outstanding.keys().next().copied().unwrap_or(sequence);
        if sequence.0 - lowest.0 >= self.max_outstanding.get() {
            return None;
        }
        self.next = Sequence(sequence.0.checked_add(1)?);
        let bytes = encode_do(self.id, sequence, lowest, command);
        self.outstanding.insert(sequence, bytes.clone());
        Some((sequence, bytes))
    }

    /// The commands without an answer, the oldest first: what to propose again.
    pub fn outstanding(&self) -> impl Iterator<Item = (Sequence, &Bytes)> {
        self.outstanding.iter().map(|(sequence, bytes)| (*sequence, bytes))
    }

    /// A command was answered, or nobody waits for it any more: the table may forget its output. A command that
    /// was given up may have taken effect, or yet take effect until the table hears of a later one.
    pub fn answered(&mut self, sequence: Sequence) {
        self.outstanding.remove(&sequence);
    }
}
