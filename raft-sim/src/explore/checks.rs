//! What must hold of all nodes together, and over the whole past.

use std::borrow::Cow;

use raft_core::{LogIndex, LogPosition, Membership, NodeId, Role, Term};

use super::conduct::{Breach, Notes};
use super::core::Core;
use super::ghost::Ghost;
use super::image::Image;
use super::local::Local;
use crate::violation::Property;

type Judged = Result<(), Breach>;

/// All nodes after something happened to one of them.
pub(super) struct Scene<'a, C> {
    pub(super) locals: &'a [&'a Local<C>],
    /// The place of the one to whom it happened.
    pub(super) place: usize,
    pub(super) notes: &'a Notes,
    /// Who founded the cluster.
    pub(super) founding: &'a Membership,
}

impl<C: Core> Scene<'_, C> {
    fn own(&self) -> &Local<C> {
        self.locals[self.place]
    }

    fn id(&self) -> NodeId {
        self.own().node().id()
    }

    fn of(&self, id: NodeId) -> Option<&Local<C>> {
        self.locals.iter().find(|local| local.node().id() == id).copied()
    }

    /// Judges what happened, and notes it.
    pub(super) fn judge(&self, ghost: &mut Cow<'_, Ghost>) -> Judged {
        if let Some(term) = self.notes.leads {
            self.leads(ghost, term)?;
        }
        if self.notes.log_changed {
            self.logs_match()?;
            self.begins_with_what_is_committed(ghost)?;
        }
        if self.notes.elected {
            self.holds_what_is_committed(ghost)?;
        }
        if let Some((first, before)) = &self.notes.truncated {
            self.removes_what_contradicts(ghost, *first, before)?;
        }
        for (index, leads) in &self.notes.commits {
            self.commits(ghost, *index, *leads)?;
        }
        if self.notes.disk_truncated {
            self.keeps_what_is_committed(ghost)?;
        }
        for (leader, term, matched) in &self.notes.acknowledged {
            self.holds_what_it_acknowledges(*leader, *term, *matched)?;
        }
        Ok(())
    }

    /// One leader a term, over the whole past, and elected by a quorum: whoever's disk is still of that term, has its vote
    /// there.
    fn leads(&self, ghost: &mut Cow<'_, Ghost>, term: Term) -> Judged {
        let id = self.id();
        match ghost.leader(term) {
            Some(leader) if leader == id => return Ok(()),
            Some(rival) => {
                let witness = format!("{id} leads {term}, but {rival} was its leader before");
                return breach(Property::ElectionSafety, vec![id, rival], witness);
            }
            None => ghost.to_mut().leads(term, id),
        }
        let may_have_voted = |voter: NodeId| {
            self.of(voter).is_some_and(|voter| {
                let disk = voter.disk.hard_state.unwrap_or_default();
                disk.term > term || (disk.term == term && disk.vote == Some(id))
            })
        };
        if self.own().node().membership().reached_by_quorum(may_have_voted) == Some(true) {
            return Ok(());
        }
        let witness = format!("{id} leads {term}, but no quorum has voted for it");
        breach(Property::ElectionSafety, vec![id], witness)
    }

    /// Logs with an entry of the same index and term are equal up to it.
    fn logs_match(&self) -> Judged {
        let own = &self.own().log;
        for other in self.locals.iter().filter(|other| other.node().id() != self.id()) {
            for log in [&other.log, &other.disk.log] {
                let Some(index) = own.mismatch(log) else { continue };
                let (id, other) = (self.id(), other.node().id());
                let position = LogPosition::new(own.term(index).unwrap_or_default(), index);
                let witness = format!(
                    "{id} holds {position}, and {other} another {position} or another log before it"
                );
                return breach(Property::LogMatching, vec![id, other], witness);
            }
        }
        Ok(())
    }

    fn begins_with_what_is_committed(&self, ghost: &Ghost) -> Judged {
        let base = self.own().log.base;
        if base.index == LogIndex::ZERO || ghost.log.term(base.index) == Some(base.term) {
            return Ok(());
        }
        let id = self.id();
        let witness = format!("{id} begins its log after {base}, which is not committed");
        breach(Property::StateMachineSafety, vec![id], witness)
    }

    /// A new leader holds everything that was committed in earlier terms.
    fn holds_what_is_committed(&self, ghost: &Ghost) -> Judged {
        let node = self.own().node();
        let committed = ghost.committed_before(node.term());
        if self.own().log.equals_up_to(&ghost.log, committed) {
            return Ok(());
        }
        let id = self.id();
        let witness = format!(
            "{id} leads {} with a log up to {} that lacks committed entries: {committed} was committed before",
            node.term(),
            node.last()
        );
        breach(Property::LeaderCompleteness, vec![id], witness)
    }

    /// A follower removes entries only where they contradict the leader.
    fn removes_what_contradicts(&self, ghost: &Ghost, first: LogIndex, before: &Image) -> Judged {
        let (id, term) = (self.id(), self.own().node().term());
        let leader = ghost.leader(term).filter(|leader| *leader != id).and_then(|id| self.of(id));
        let Some(leader) = leader else { return Ok(()) };
        let in_office = leader.node().role() == Role::Leader && leader.node().term() == term;
        // What the leader has compacted is committed.
        let is_compacted = first <= leader.log.base.index;
        let right = if is_compacted { &ghost.log } else { &leader.log };
        if !in_office || !before.equals_up_to(right, first) {
            return Ok(());
        }
        let leader = leader.node().id();
        let witness = format!(
            "{id} removed {first} and all after it, but {leader}, leader of {term}, holds the same {first}"
        );
        breach(Property::NeedlessTruncation, vec![id, leader], witness)
    }

    fn commits(&self, ghost: &mut Cow<'_, Ghost>, commit: LogIndex, leads: Option<Term>) -> Judged {
        let (id, log) = (self.id(), &self.own().log);
        let shared = commit.min(ghost.last().index);
        let position = |index| LogPosition::new(log.term(index).unwrap_or_default(), index);
        if !log.equals_up_to(&ghost.log, shared) {
            let property =
                if leads.is_some() { Property::StateMachineSafety } else { Property::CommitKnown };
            let theirs = LogPosition::new(ghost.log.term(shared).unwrap_or_default(), shared);
            let own = position(shared);
            let witness = format!(
                "{id} committed {own}, but the cluster committed another log up to {theirs}"
            );
            return breach(property, vec![id], witness);
        }
        if commit == shared {
            return Ok(());
        }
        let (position, last) = (position(commit), ghost.last());
        let Some(term) = leads else {
            let witness = format!(
                "{id} takes {position} as committed, but no leader has committed beyond {last}"
            );
            return breach(Property::CommitKnown, vec![id], witness);
        };
        ghost.to_mut().commit(log, commit, term);
        let held = self.held_by_quorum(ghost, self.own().node().membership());
        if held >= commit {
            return Ok(());
        }
        let witness = format!(
            "{id} committed {position}, but a quorum holds the log on disk only up to {held}"
        );
        breach(Property::CommitDurable, vec![id], witness)
    }

    /// Up to where a quorum holds the committed log on disk.
    fn held_by_quorum(&self, ghost: &Ghost, membership: &Membership) -> LogIndex {
        membership.reached_by_quorum(|voter| self.held(ghost, voter)).unwrap_or_default()
    }

    /// Up to where a node holds the committed log on disk.
    fn held(&self, ghost: &Ghost, node: NodeId) -> LogIndex {
        self.of(node).map_or(LogIndex::ZERO, |node| node.disk.log.agreement(&ghost.log))
    }

    /// What is committed stays on the disks of a quorum.
    fn keeps_what_is_committed(&self, ghost: &Ghost) -> Judged {
        let committed = ghost.last();
        let membership = ghost.membership().unwrap_or(self.founding);
        let held = self.held_by_quorum(ghost, membership);
        // Committed by the majority of other members, one more or less: then nobody can be elected without it.
        let lacks = |node: NodeId| self.held(ghost, node) < committed.index;
        if held >= committed.index || membership.reached_by_quorum(lacks) != Some(true) {
            return Ok(());
        }
        let id = self.id();
        let witness = format!(
            "{committed} is committed, but after a change of {id}'s disk a quorum holds the log only up to {held}"
        );
        breach(Property::Durability, vec![id], witness)
    }

    fn holds_what_it_acknowledges(&self, leader: NodeId, term: Term, matched: LogIndex) -> Judged {
        let Some(leader) = self.of(leader) else { return Ok(()) };
        let in_office = leader.node().role() == Role::Leader && leader.node().term() == term;
        if !in_office || self.own().log.equals_up_to(&leader.log, matched) {
            return Ok(());
        }
        let (id, leader_id) = (self.id(), leader.node().id());
        let witness = format!(
            "{id} acknowledges {matched} to {leader_id}, leader of {term}, whose log up to {} is another",
            leader.log.last()
        );
        breach(Property::LogMatching, vec![id, leader_id], witness)
    }
}

fn breach(property: Property, nodes: Vec<NodeId>, witness: String) -> Judged {
    Err(Breach { property, nodes, witness })
}
