//! What callers ask of a node, and the one answer each request gets.

use bytes::Bytes;

use crate::types::{LogPosition, NodeId, RequestId};

/// Something a caller asks of the cluster through this node. Each gets exactly one terminal [`Reply`]
/// in the life of this incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Request {
    /// Append a command to the replicated log and apply it.
    Propose {
        /// The caller's name for the request.
        id: RequestId,
        /// What the state machines will be given. It is kept as it is, with the whole buffer it may be a slice of:
        /// copy small commands out of large read buffers.
        command: Bytes,
    },
}

/// The one answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reply {
    /// The request that is answered.
    pub request: RequestId,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Outcome {
    /// Committed at this position, and applied on this node.
    Done {
        /// Where the entry is.
        position: LogPosition,
    },
    /// Not accepted; it has had and will have no effect. It may be tried again, at `leader` if known.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The leader this node knows of.
        leader: Option<NodeId>,
    },
    /// Accepted once, but another entry was committed in its place: it has had and will have no effect.
    Lost {
        /// Where it was. An entry of another term is committed at that index.
        position: LogPosition,
    },
    /// Its fate cannot be known here: it may have taken effect, or may yet.
    Unknown,
}

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Refusal {
    /// This node is not the leader and is configured not to forward.
    #[error("this node is not the leader: ask the leader")]
    NotLeader,
    /// No leader is known here.
    #[error("no leader is known here: wait for an election, or ask another node")]
    NoLeader,
    /// The node has just started, or just learnt of a term, and its disk has not taken that yet.
    #[error("this node is still making its own state durable: try again shortly")]
    NotReady,
    /// The leader holds as many uncommitted bytes as it may, or this node as many pending requests.
    #[error("too much is pending already: try again when some of it is answered")]
    Busy,
    /// The command is larger than the configuration allows.
    #[error(
        "the command is larger than max_command_bytes: split it, or raise the limit on every node"
    )]
    TooLarge,
}
