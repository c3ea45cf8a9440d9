//! What can be seen of a node.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Node;
use crate::entry::Entry;
use crate::invariants;
use crate::membership::Membership;
use crate::role::RoleState;
use crate::snapshot::{SnapshotMeta, TakeSnapshot};
use crate::status::{Role, Status};
use crate::token::Life;
use crate::types::{LogIndex, LogPosition, NodeId, Term};

impl Node {
    /// This node's name.
    pub fn id(&self) -> NodeId {
        self.replica.id()
    }

    /// The current term.
    pub fn term(&self) -> Term {
        self.replica.term()
    }

    /// Whom this node voted for in the current term.
    pub fn vote(&self) -> Option<NodeId> {
        self.replica.hard_state.vote
    }

    /// The part it plays.
    pub fn role(&self) -> Role {
        self.role.role()
    }

    /// Who leads the current term, if known.
    pub fn leader(&self) -> Option<NodeId> {
        self.role.leader(self.replica.id())
    }

    /// The membership in force.
    pub fn membership(&self) -> &Arc<Membership> {
        self.replica.membership()
    }

    /// Where the log begins.
    pub fn base(&self) -> LogPosition {
        self.replica.log.base()
    }

    /// Whether the membership in force is known to be committed.
    pub fn is_membership_committed(&self) -> bool {
        self.replica.memberships.active_since() <= self.replica.log.commit()
    }

    /// The snapshot that counts.
    pub fn snapshot(&self) -> &SnapshotMeta {
        &self.replica.snapshot
    }

    /// The oldest snapshot that somebody still reads: older ones may be deleted.
    pub fn oldest_snapshot_in_use(&self) -> LogPosition {
        let sending = match &self.role {
            RoleState::Leader(leader) => leader.oldest_sending(),
            _ => None,
        };
        let current = self.replica.snapshot.position;
        let restoring = self.replica.machine.restoring.unwrap_or(current);
        sending.unwrap_or(current).min(restoring).min(current)
    }

    /// The permission to take a snapshot of the machine as of `index`, up to which it must have applied
    /// everything, and nothing more. `None` when there is one as late already, when the machine has not been
    /// given so much, or when a node that joins does not know yet who its cluster was then.
    pub fn take_snapshot(&self, index: LogIndex) -> Option<TakeSnapshot> {
        self.replica.take_snapshot(index)
    }

    /// The last entry of the log.
    pub fn last(&self) -> LogPosition {
        self.replica.log.last()
    }

    /// Up to here the log is on this node's disk.
    pub fn durable(&self) -> LogIndex {
        self.replica.log.durable()
    }

    /// Up to here the log is known to be committed.
    pub fn commit(&self) -> LogIndex {
        self.replica.log.commit()
    }

    /// Up to here the machine has reported its entries applied.
    pub fn applied(&self) -> LogIndex {
        self.replica.machine.applied
    }

    /// The term of the entry at `index`, if the log holds it, or begins right after it.
    pub fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.replica.log.term_at(index)
    }

    /// The entry at `index`, if it is in memory.
    pub fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.replica.log.entry(index)
    }

    /// A leader's greatest numbers of unacknowledged messages and bytes of entries to any one peer; zeros at
    /// other nodes.
    pub fn max_inflight(&self) -> (u64, u64) {
        match &self.role {
            RoleState::Leader(leader) => leader.max_inflight(),
            _ => (0, 0),
        }
    }

    /// Everything that can be looked at, as plain data.
    pub fn status(&self) -> Status {
        let replica = &self.replica;
        Status {
            cluster: replica.config.cluster,
            id: replica.id(),
            role: self.role(),
            hard_state: replica.hard_state,
            hard_state_durable: replica.is_hard_state_durable(),
            leader: self.leader(),
            membership: replica.membership().clone(),
            snapshot: replica.snapshot.position,
            base: self.base(),
            last: self.last(),
            durable: self.durable(),
            commit: self.commit(),
            applied: self.applied(),
            outstanding_write: replica.lane.outstanding(),
            withheld_messages: replica.outbox.len() as u64,
            pending_requests: replica.pending.len() as u64,
            uncommitted_bytes: replica.log.uncommitted_bytes(),
            cached_bytes: replica.log.cached_bytes(),
            has_uncommitted_of_earlier_terms: self.has_uncommitted_of_earlier_terms(),
            arriving: replica.incoming.partial().cloned(),
            transfer_to: match &self.role {
                RoleState::Leader(leader) => leader.handover(),
                _ => None,
            },
            lease_until: match &self.role {
                RoleState::Leader(leader) => leader.lease_until(replica),
                _ => None,
            },
            deadline: self.deadline(),
            peers: match &self.role {
                RoleState::Leader(leader) => leader.peers().collect(),
                _ => Vec::new(),
            },
            rejections: replica.rejections.clone(),
        }
    }

    fn has_uncommitted_of_earlier_terms(&self) -> bool {
        let first = self.commit().next();
        self.term_at(first).is_some_and(|term| term < self.term())
    }

    /// Checks what must hold between steps. Builds with debug assertions do so after every step.
    ///
    /// # Errors
    /// The first invariant that does not hold, in words. That is a bug in this crate.
    pub fn invariants(&self) -> Result<(), &'static str> {
        invariants::check(&self.replica, &self.role)
    }

    /// Whether `other` differs in nothing but in what it has rejected. For tests of the gate.
    #[doc(hidden)]
    #[must_use]
    pub fn equals_but_for_rejections(&self, other: &Self) -> bool {
        let mut other = other.clone();
        other.replica.rejections = self.replica.rejections.clone();
        *self == other
    }

    pub(crate) fn life(&self) -> Life {
        self.replica.life()
    }
}
