//! What must hold of messages that no correct peer sends: whoever rejects one stays as it was.
//!
//! Two copies of the node are stepped, one with the message and one with nothing: what the gate rejects makes no
//! difference. The node itself is not touched, so the run is the same with this check and without.

use raft_core::{Instant, NodeId, Term};

use super::Checks;
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::raft::{Input, Raft};
use crate::violation::{Property, Violation};

impl<M: Machine> Checks<M> {
    /// A malformed message is about to be handled by `raft`, whose own clock shows `local`.
    ///
    /// # Errors
    /// When it would make a difference.
    pub fn malformed<R: Raft>(
        &mut self,
        at: Instant,
        local: Instant,
        node: NodeId,
        raft: &R,
        message: &R::Message,
    ) -> Result<(), Violation> {
        if self.watched(node)?.is_none() {
            return Ok(());
        }
        let facts = R::facts(message);
        // One of an earlier term may be answered by the node's own, whatever else it says.
        if facts.term > Term::ZERO && facts.term < raft.view().term {
            return Ok(());
        }
        let (Some(mut idle), Some(mut told)) = (raft.twin(), raft.twin()) else { return Ok(()) };
        let asks_idle = tried(&mut idle, local, Input::Tick);
        let asks_told = tried(&mut told, local, Input::Receive(message.clone()));
        if asks_idle == asks_told && idle.same_state(&told) {
            self.coverage.note(Situation::MalformedRejected);
            return Ok(());
        }
        let witness = format!(
            "{node} does not reject a {} that no correct peer sends, or is not as before: {message:?}",
            facts.name
        );
        Err(Violation::new(Property::RejectedUnchanged, at, &[node], witness))
    }
}

/// Steps a copy, and counts what it asks for.
fn tried<R: Raft>(copy: &mut R, now: Instant, input: Input<R>) -> usize {
    let mut effects = R::Effects::default();
    copy.step(now, input, &mut effects);
    std::iter::from_fn(|| R::pop(&mut effects)).count()
}
