//! What must hold of one node's state from step to step, and of its log.

use raft_core::{Instant, LogIndex, LogPosition, Membership, NodeId, Role};

use super::Checks;
use super::limits::Intake;
use super::mirror::Mirror;
use super::node::Watched;
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::raft::{Raft, View};
use crate::violation::{Property, Violation};

impl<M: Machine> Checks<M> {
    /// What a node knows after a start is what its disk holds.
    pub(super) fn check_restart(
        &self,
        at: Instant,
        place: usize,
        disk: LogPosition,
    ) -> Result<(), Violation> {
        let Watched { id, view, hard_state, .. } = &self.nodes[place];
        if view.term < hard_state.term {
            let witness =
                format!("{id} restarted in {}, but its disk holds {}", view.term, hard_state.term);
            return Err(Violation::new(Property::Monotonic, at, &[*id], witness));
        }
        if view.term == hard_state.term && hard_state.vote.is_some() && view.vote != hard_state.vote
        {
            let witness = format!(
                "{id} restarted in {} with vote {:?}, but its disk holds {:?}",
                view.term, view.vote, hard_state.vote
            );
            return Err(Violation::new(Property::Monotonic, at, &[*id], witness));
        }
        if view.last != disk {
            let witness =
                format!("{id} restarted with a log up to {}, but its disk holds {disk}", view.last);
            return Err(Violation::new(Property::Durability, at, &[*id], witness));
        }
        Ok(())
    }

    /// Nothing falls, no vote changes, and applied <= commit <= last.
    pub(super) fn check_monotonic(
        &self,
        at: Instant,
        place: usize,
        before: &View,
    ) -> Result<(), Violation> {
        let Watched { id, view, .. } = &self.nodes[place];
        let wrong = |witness: String| Err(Violation::new(Property::Monotonic, at, &[*id], witness));
        if view.term < before.term {
            return wrong(format!("{id} went from {} back to {}", before.term, view.term));
        }
        if view.term == before.term && before.vote.is_some() && view.vote != before.vote {
            return wrong(format!(
                "{id} changed its vote in {} from {:?} to {:?}",
                view.term, before.vote, view.vote
            ));
        }
        if view.commit < before.commit {
            return wrong(format!(
                "{id}'s commit index fell from {} to {}",
                before.commit, view.commit
            ));
        }
        if view.applied < before.applied {
            return wrong(format!(
                "{id}'s applied index fell from {} to {}",
                before.applied, view.applied
            ));
        }
        if view.applied > view.commit {
            return wrong(format!(
                "{id} applied {} but committed only {}",
                view.applied, view.commit
            ));
        }
        if view.commit > view.last.index {
            return wrong(format!(
                "{id} committed {} but its log ends at {}",
                view.commit, view.last
            ));
        }
        Ok(())
    }

    /// Brings the mirror of the log in memory up to date, and checks every entry that is new in it.
    pub(super) fn follow_log<R: Raft>(
        &mut self,
        at: Instant,
        place: usize,
        before: &View,
        raft: &R,
    ) -> Result<(), Violation> {
        self.take_snapshot_base(at, place, before)?;
        let view = self.nodes[place].view;
        let kept = common_with(&self.nodes[place].log, raft, view.last);
        if kept < self.nodes[place].log.last_index() {
            self.check_truncation(at, place, before, kept)?;
            self.nodes[place].log.truncate(kept);
        }
        let intake = self.intake(place, before);
        for index in (kept.0 + 1..=view.last.index.0).map(LogIndex) {
            self.take_entry(at, place, index, intake, raft)?;
        }
        let Watched { id, log, .. } = &self.nodes[place];
        if log.last() != view.last {
            let witness =
                format!("{id} says its log ends at {}, but it ends at {}", view.last, log.last());
            return Err(Violation::new(Property::LogMatching, at, &[*id], witness));
        }
        if view.role == Role::Leader {
            let log = &self.nodes[place].log;
            if log.membership().is_some_and(|(index, _)| *index > kept) {
                self.nodes[place].contact.win();
            }
        }
        self.check_membership(at, place, raft.membership())
    }

    /// A log that begins beyond what the node was seen to hold begins with a snapshot of the committed log.
    fn take_snapshot_base(
        &mut self,
        at: Instant,
        place: usize,
        before: &View,
    ) -> Result<(), Violation> {
        let Watched { id, view, log, .. } = &self.nodes[place];
        let base = view.base;
        let holds = |log: &Mirror| log.at(base.index).map(|link| link.term) == Some(base.term);
        if base.index == LogIndex::ZERO || holds(log) {
            return Ok(());
        }
        if !holds(&self.ghost.log) {
            let witness = format!("{id} begins its log after {base}, which is not committed");
            return Err(Violation::new(Property::StateMachineSafety, at, &[*id], witness));
        }
        let mut kept = log.clone();
        kept.begin_with(&self.ghost.log, base.index);
        if log.last_index() > before.commit {
            self.coverage.note(Situation::SnapshotOverOtherLog);
        }
        self.nodes[place].log = kept;
        Ok(())
    }

    fn take_entry<R: Raft>(
        &mut self,
        at: Instant,
        place: usize,
        index: LogIndex,
        intake: Intake,
        raft: &R,
    ) -> Result<(), Violation> {
        let watched = &self.nodes[place];
        let id = watched.id;
        let wrong =
            |witness: String| Err(Violation::new(Property::LogMatching, at, &[id], witness));
        let Some(entry) = raft.entry(index) else {
            return wrong(format!(
                "{id} says its log ends at {}, but has no {index}",
                watched.view.last
            ));
        };
        let before = watched.log.last();
        if entry.term < before.term || entry.term > watched.view.term {
            let term = watched.view.term;
            return wrong(format!("{id} in {term} appended {index}@{} after {before}", entry.term));
        }
        self.check_room(at, place, intake, entry)?;
        self.check_change::<R>(at, place, intake, entry)?;
        let link = self.nodes[place].log.append(entry);
        if self.entries.matches(index, link) {
            return Ok(());
        }
        let position = LogPosition::new(link.term, index);
        wrong(format!(
            "{id} appended {position}, and another log has or had another {position} or another log before it"
        ))
    }

    /// Entries are removed by followers, and only where they contradict the leader.
    fn check_truncation(
        &mut self,
        at: Instant,
        place: usize,
        before: &View,
        kept: LogIndex,
    ) -> Result<(), Violation> {
        let Watched { id, view, log, outstanding, .. } = &self.nodes[place];
        let (from, last) = (kept.next(), before.last);
        if before.role == Role::Leader && view.role == Role::Leader && before.term == view.term {
            let witness =
                format!("{id}, leader of {}, removed {from} to {last} from its log", view.term);
            return Err(Violation::new(Property::LeaderAppendOnly, at, &[*id], witness));
        }
        let leader = self.elections.leader(view.term).and_then(|leader| self.place_of(leader));
        if let Some(leader) = leader.map(|place| &self.nodes[place]) {
            let in_office = leader.leads() && leader.view.term == view.term && leader.id != *id;
            if in_office && log.equals_up_to(&leader.log, from) {
                let witness = format!(
                    "{id} removed {from} to {last}, but {}, leader of {}, holds the same {from}",
                    leader.id, view.term
                );
                let nodes = [*id, leader.id];
                return Err(Violation::new(Property::NeedlessTruncation, at, &nodes, witness));
            }
        }
        if outstanding.is_some() {
            self.coverage.note(Situation::TruncatedWhileWriting);
        }
        if self.nodes[place].log.membership().is_some_and(|(index, _)| *index > kept) {
            self.coverage.note(Situation::ConfigurationTruncated);
        }
        self.coverage.note(Situation::EntryTruncated);
        Ok(())
    }

    /// The membership in force is the last in the log.
    pub(super) fn check_membership(
        &mut self,
        at: Instant,
        place: usize,
        in_force: &Membership,
    ) -> Result<(), Violation> {
        let watched = &self.nodes[place];
        let expected = watched.membership(&self.initial);
        if **expected == *in_force {
            if !watched.is_founder && in_force.contains(watched.id) {
                self.coverage.note(Situation::NodeJoined);
            }
            return Ok(());
        }
        let id = watched.id;
        let witness = format!(
            "{id} goes by voters {}, but the last membership in its log has {}",
            names(in_force.voters()),
            names(expected.voters())
        );
        Err(Violation::new(Property::ConfigurationFollowsLog, at, &[id], witness))
    }

    /// A node never believes more to be durable than is.
    pub(super) fn check_durable_mark(&self, at: Instant, place: usize) -> Result<(), Violation> {
        let Watched { id, view, log, disk, .. } = &self.nodes[place];
        if disk.equals_up_to(log, view.durable) {
            return Ok(());
        }
        let witness = format!(
            "{id} believes its log durable up to {}, but its disk holds {} and differs from its log there",
            view.durable,
            disk.last()
        );
        Err(Violation::new(Property::DurableKnown, at, &[*id], witness))
    }
}

/// Nodes by their names.
fn names(nodes: &[NodeId]) -> String {
    if nodes.is_empty() {
        return "nobody".to_owned();
    }
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Up to where the remembered log and the log in memory agree. Terms tell: of two entries of the same term at
/// an index, either both are the same or Log Matching is violated elsewhere.
fn common_with<R: Raft>(log: &Mirror, raft: &R, last: LogPosition) -> LogIndex {
    let mut common = log.last_index().min(last.index);
    while common > LogIndex::ZERO {
        let remembered = log.at(common).map(|link| link.term);
        match raft.term(common) {
            Some(term) if Some(term) != remembered => common = common.previous(),
            // What is before the log is committed, and so unchanged.
            _ => break,
        }
    }
    common
}
