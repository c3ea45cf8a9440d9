//! What becomes of memberships as they are committed, for the scorecard.

use raft_core::{Instant, LogIndex, Ticks};

use super::Checks;
use crate::coverage::Situation;
use crate::machine::Machine;

/// When the membership changed last, and before that, and when a node crashed last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turbulence {
    changes: [Option<Instant>; 2],
    crash: Option<Instant>,
}

impl Turbulence {
    /// A membership was committed; says whether that makes two and a crash within `span`.
    fn change(&mut self, at: Instant, span: Ticks) -> bool {
        self.changes = [self.changes[1], Some(at)];
        self.is_met(at, span)
    }

    /// A node crashed; says whether that makes a crash and two changes within `span`.
    pub(super) fn crash(&mut self, at: Instant, span: Ticks) -> bool {
        self.crash = Some(at);
        self.is_met(at, span)
    }

    fn is_met(&self, at: Instant, span: Ticks) -> bool {
        let is_recent = |when: Option<Instant>| when.is_some_and(|when| at.since(when) <= span);
        is_recent(self.changes[0]) && is_recent(self.changes[1]) && is_recent(self.crash)
    }
}

impl<M: Machine> Checks<M> {
    /// The entries in `(after, through]` are committed now.
    pub(super) fn note_memberships(&mut self, at: Instant, after: LogIndex, through: LogIndex) {
        let ghost = &self.ghost.log;
        let timeout = self.nodes.first().map_or(Ticks(0), |node| node.settings.election_timeout);
        let term = |index: LogIndex| ghost.at(index).map(|link| link.term);
        for (before, (index, membership)) in ghost.memberships_in(after, through) {
            if self.turbulence.change(at, timeout) {
                self.coverage.note(Situation::TwoChangesAndCrash);
            }
            if membership.is_joint() {
                self.coverage.note(Situation::JointEntered);
            }
            let left = before.filter(|(_, before)| before.is_joint());
            if left.is_some_and(|(entered, _)| term(*entered) != term(*index)) {
                self.coverage.note(Situation::JointLeftByAnother);
            }
        }
    }
}
