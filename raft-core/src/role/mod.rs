//! The roles. Each owns what only it needs: votes exist only in a candidate, progress only in a leader.

pub(crate) mod follower;
pub(crate) mod candidate;
mod forwards;
mod rounds;
mod questions;
mod handover;
mod replication;
pub(crate) mod leader;

use candidate::{Candidate, PreCandidate};
use follower::Follower;
use leader::Leader;

use crate::status::Role;
use crate::types::{Instant, NodeId};

/// A node's role with its state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum RoleState {
    Follower(Follower),
    PreCandidate(PreCandidate),
    Candidate(Candidate),
    Leader(Leader),
}

impl RoleState {
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Follower(_) => Role::Follower,
            Self::PreCandidate(_) => Role::PreCandidate,
            Self::Candidate(_) => Role::Candidate,
            Self::Leader(_) => Role::Leader,
        }
    }

    /// The leader this node knows of; `id` is the node itself.
    pub(crate) fn leader(&self, id: NodeId) -> Option<NodeId> {
        match self {
            Self::Follower(follower) => follower.leader(),
            Self::PreCandidate(_) | Self::Candidate(_) => None,
            Self::Leader(_) => Some(id),
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        match self {
            Self::Follower(follower) => follower.deadline(),
            Self::PreCandidate(candidate) => candidate.deadline(),
            Self::Candidate(candidate) => candidate.deadline(),
            Self::Leader(leader) => leader.deadline(),
        }
    }
}
