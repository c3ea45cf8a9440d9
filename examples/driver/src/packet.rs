//! What nodes say to each other: Raft's messages, and the application's own beside them.

use bytes::Bytes;
use raft_core::{Envelope, NodeId};
use serde::{Deserialize, Serialize};

/// One thing that a node tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packet {
    /// Raft's.
    Raft(Envelope),
    /// The application's.
    Message(Bytes),
    /// A function to be run over there.
    Call {
        /// The caller's number for it.
        number: u64,
        /// Which function.
        name: String,
        /// What it is given.
        arguments: Bytes,
        /// Whether it shall run only where the leader is.
        at_leader: bool,
    },
    /// What came of it.
    Answer {
        /// The caller's number.
        number: u64,
        /// What the function answered.
        result: Result<Bytes, CallError>,
    },
}

/// Why a function that was called at another node gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It was to run at the leader, and this node is none.
    #[error("the node that was asked does not lead: ask {}", leader.map_or_else(|| "again shortly".to_owned(), |id| format!("node {}", id.0)))]
    NotLeader {
        /// Who leads, as far as it knows.
        leader: Option<NodeId>,
    },
    /// There is no such function.
    #[error("there is no function '{name}': register it at every node")]
    NoFunction {
        /// Its name.
        name: String,
    },
    /// The function failed, and says so.
    #[error("{0}")]
    Failed(String),
}
