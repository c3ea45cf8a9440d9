//! A node as the specification sees it.

use raft_core::{LogIndex, NodeId, Role, Term};

use super::log::Log;
use crate::raft::{Facts, View};

/// What a disk holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) term: Term,
    pub(super) vote: Option<NodeId>,
    pub(super) log: Log,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) term: Term,
    pub(super) vote: Option<NodeId>,
    pub(super) role: Role,
    pub(super) log: Log,
    pub(super) commit: LogIndex,
    pub(super) disk: Disk,
    /// The message that the present step is given.
    pub(super) heard: Option<Facts>,
}

impl Node {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            term: Term::ZERO,
            vote: None,
            role: Role::Follower,
            log: Log::default(),
            commit: LogIndex::ZERO,
            disk: Disk::default(),
            heard: None,
        }
    }

    /// Forgets what its disk does not hold.
    pub(super) fn restart(&mut self) {
        let Disk { term, vote, log } = self.disk.clone();
        let commit = log.base();
        *self = Self { term, vote, log, commit, disk: self.disk.clone(), ..Self::new(self.id) };
    }

    /// Whether nothing that the specification knows of is another.
    pub(super) fn is_as(&self, view: &View) -> bool {
        let own = (self.term, self.vote, self.role, self.commit, self.log.last());
        own == (view.term, view.vote, view.role, view.commit, view.last)
            && view.base.index <= self.log.last_index()
            && self.log.holds(view.base)
    }

    pub(super) fn leads(&self, term: Term) -> bool {
        self.role == Role::Leader && self.term == term
    }
}
