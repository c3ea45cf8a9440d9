//! A look at a run between two moments, for whoever expects something of it.

use raft_core::{Instant, LogIndex, NodeId, Term};

use super::trace::Trace;
use super::{RunState, World};
use crate::machine::Machine;
use crate::raft::{Raft, View};

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    /// Lets everything happen that happens before `at`, unless the run ends before. What happens at that very moment
    /// does not.
    pub fn advance_until(&mut self, at: Instant) -> RunState {
        while self.queue.next().is_some_and(|next| next < at.0) {
            if self.advance_once() == RunState::Ended {
                return RunState::Ended;
            }
        }
        self.state()
    }

    /// When the last thing happened.
    pub fn now(&self) -> Instant {
        Instant(self.now)
    }

    /// The state of a node; none while it is down, and of a node that there is not.
    pub fn view(&self, node: NodeId) -> Option<View> {
        Some(self.hosts[self.place(node)?].raft.as_ref()?.view())
    }

    /// The terms of a node's log, from the first entry that it has; nothing while it is down.
    pub fn terms(&self, node: NodeId) -> Vec<Term> {
        let host = self.place(node).map(|place| &self.hosts[place]);
        let Some(raft) = host.and_then(|host| host.raft.as_ref()) else { return Vec::new() };
        let View { base, last, .. } = raft.view();
        let indices = (base.index.next().0..=last.index.0).map(LogIndex);
        indices.map(|index| raft.term(index).unwrap_or_default()).collect()
    }
}
