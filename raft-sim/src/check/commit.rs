//! What must hold of commit indexes: agreement with the committed log, and a quorum's disks beneath it.

use raft_core::{Instant, LogIndex, LogPosition, Membership, NodeId, Role, Term};

use super::node::Watched;
use super::{Checks, Loss};
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::raft::{Raft, View};
use crate::violation::{Property, Violation};

impl<M: Machine> Checks<M> {
    /// The commit index moved.
    pub(super) fn follow_commit<R: Raft>(
        &mut self,
        at: Instant,
        place: usize,
        before: &View,
        raft: &R,
    ) -> Result<(), Violation> {
        let Watched { id, view, log, .. } = &self.nodes[place];
        let (id, commit) = (*id, view.commit);
        let leads = leading_term(before, view);
        // That the log reaches the commit index was checked before.
        let position = LogPosition::new(log.at(commit).unwrap_or_default().term, commit);
        if let Some(term) = leads.filter(|term| *term != position.term) {
            let witness =
                format!("{id}, leader of {term}, committed up to {position}, of another term");
            return Err(Violation::new(Property::CommitTerm, at, &[id], witness));
        }
        let shared = commit.min(self.ghost.last_index());
        if !log.equals_up_to(&self.ghost.log, shared) {
            return Err(self.contradiction(at, id, leads, shared));
        }
        if commit == shared {
            return Ok(());
        }
        let Some(term) = leads else {
            let witness = format!(
                "{id} takes {position} as committed, but no leader has committed beyond {}",
                self.ghost.log.last()
            );
            return Err(Violation::new(Property::CommitKnown, at, &[id], witness));
        };
        let first_term = log.at(shared.next()).unwrap_or_default().term;
        if first_term < term {
            self.coverage.note(Situation::OlderTermCommitted);
        }
        let watched = &self.nodes[place];
        self.ghost.extend(&watched.log, commit, term, |index| raft.entry(index));
        self.note_recovery();
        self.check_quorum_holds(at, id, position, raft.membership())
    }

    fn contradiction(
        &self,
        at: Instant,
        id: NodeId,
        leads: Option<Term>,
        shared: LogIndex,
    ) -> Violation {
        let property =
            if leads.is_some() { Property::StateMachineSafety } else { Property::CommitKnown };
        let theirs = LogPosition::new(self.ghost.log.at(shared).unwrap_or_default().term, shared);
        let own = self.nodes.iter().find(|watched| watched.id == id).and_then(|w| w.log.at(shared));
        let own = LogPosition::new(own.unwrap_or_default().term, shared);
        let witness =
            format!("{id} committed {own}, but the cluster committed another log up to {theirs}");
        Violation::new(property, at, &[id], witness)
    }

    fn check_quorum_holds(
        &mut self,
        at: Instant,
        id: NodeId,
        position: LogPosition,
        membership: &Membership,
    ) -> Result<(), Violation> {
        let held = self.durable_on_quorum(membership);
        if held >= position.index {
            return Ok(());
        }
        let witness = format!(
            "{id} committed {position}, but a quorum holds the log on disk only up to {held}"
        );
        Err(Violation::new(Property::CommitDurable, at, &[id], witness))
    }

    /// What is committed stays on the disks of a quorum.
    pub(super) fn check_durability(&mut self, at: Instant, id: NodeId) -> Result<(), Violation> {
        let membership = self.ghost.membership.clone();
        let held = self.durable_on_quorum(&membership);
        let committed = self.ghost.log.last();
        if held >= committed.index {
            return Ok(());
        }
        let witness = format!(
            "{committed} is committed, but after a change of {id}'s disk a quorum holds the log only up to {held}"
        );
        Err(Violation::new(Property::Durability, at, &[id], witness))
    }

    fn note_recovery(&mut self) {
        if 2 * self.running() <= self.nodes.len() {
            return;
        }
        match std::mem::replace(&mut self.loss, Loss::Minority) {
            Loss::Minority => {}
            Loss::Majority => self.coverage.note(Situation::MajorityLossRecovered),
            Loss::Everyone => self.coverage.note(Situation::TotalLossRecovered),
        }
    }
}

/// The term that a node led in the step, even if it gave up its office at the end of it.
pub(super) fn leading_term(before: &View, after: &View) -> Option<Term> {
    // A leader that met a later term acted as a follower.
    let led = before.role == Role::Leader && before.term == after.term;
    (led || after.role == Role::Leader).then_some(after.term)
}
