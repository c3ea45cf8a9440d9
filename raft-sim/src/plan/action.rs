//! What an operator asks of the cluster: other members, another leader.
//!
//! Whoever believes to lead at the moment is asked, deposed leaders too.

use raft_core::{Instant, NodeId, Ticks};
use serde::{Deserialize, Serialize};

/// An action and when it is taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedAction {
    /// When.
    pub at: Instant,
    /// What.
    pub action: Action,
}

/// Something that an operator wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Other members: asked of every node that leads.
    Members {
        /// Who shall vote.
        voters: Vec<NodeId>,
        /// Who shall learn.
        learners: Vec<NodeId>,
    },
    /// Another leader: asked of every node that leads.
    Transfer {
        /// Who shall lead.
        to: NodeId,
    },
    /// A node shall stand for election.
    Campaign {
        /// Who.
        node: NodeId,
    },
    /// A node shall not stand for election.
    Suppress {
        /// Who.
        node: NodeId,
        /// For how long.
        lasts: Ticks,
    },
}
