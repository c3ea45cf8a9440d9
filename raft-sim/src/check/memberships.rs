//! How memberships may follow each other, and what becomes of them as they are committed, for the scorecard.

use raft_core::{Entry, Instant, LogIndex, Membership, Payload, Ticks};

use super::Checks;
use super::limits::{Author, Intake};
use super::node::Watched;
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::raft::Raft;
use crate::violation::{Property, Violation};

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
    /// A leader is about to append an entry. A membership follows the one before it only when that is committed
    /// and, unless it is the way out of a joint one, so is an entry of the leader's own term: until then another
    /// leader's change may be in the making, unknown here.
    pub(super) fn check_change<R: Raft>(
        &self,
        at: Instant,
        place: usize,
        intake: Intake,
        entry: &Entry,
    ) -> Result<(), Violation> {
        let Payload::Membership(next) = &entry.payload else { return Ok(()) };
        if intake.author == Author::Leader {
            return Ok(());
        }
        let Watched { id, view, log, .. } = &self.nodes[place];
        let (since, before) = match log.membership() {
            Some((since, before)) => (*since, before),
            None => (LogIndex::ZERO, &self.initial),
        };
        let knows_commits =
            R::may_change_early() || log.at(view.commit).is_some_and(|link| link.term == view.term);
        let index = log.last_index().next();
        let problem = if since > view.commit {
            format!("the one before it, at {since}, is not committed")
        } else if !before.is_joint() && !knows_commits {
            format!("it has not committed an entry of its term {}", view.term)
        } else if !overlaps(before, next) {
            "majorities of it and of the one before need not overlap".to_owned()
        } else {
            return Ok(());
        };
        let witness = format!("{id} appended a membership at {index}, but {problem}");
        Err(Violation::new(Property::OneChangeAtATime, at, &[*id], witness))
    }

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

/// Whether a step from one membership to the other leaves no two majorities apart: into a joint one of both, out of
/// it, or by one voter (thesis §4.1, §4.3).
pub(crate) fn overlaps(before: &Membership, next: &Membership) -> bool {
    match (before.is_joint(), next.is_joint()) {
        (true, true) => false,
        (true, false) => before.voters() == next.voters(),
        (false, true) => before.voters() == next.outgoing(),
        (false, false) => {
            let leave = before.voters().iter().filter(|id| !next.is_voter(**id)).count();
            let come = next.voters().iter().filter(|id| !before.is_voter(**id)).count();
            leave + come <= 1
        }
    }
}
