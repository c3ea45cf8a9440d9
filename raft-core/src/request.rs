//! What callers ask of a node, and the one answer each request gets.

use alloc::sync::Arc;

use bytes::Bytes;

use crate::membership::Membership;
use crate::types::{LogIndex, LogPosition, NodeId, RequestId};

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
    /// Read the state machine linearizably (thesis §6.4): the answer says when the machine of *this* node may be
    /// read. A node that is not the leader asks it.
    Read {
        /// The caller's name for the request.
        id: RequestId,
    },
    /// Change the cluster's members to any others, in one request (thesis §4). The leader alone takes it, once
    /// an entry of its own term is committed and no other change is pending. One voter more or less is one step;
    /// anything else goes through a joint configuration, which is left by itself.
    ChangeMembership {
        /// The caller's name for the request.
        id: RequestId,
        /// The members from then on; not joint.
        to: Arc<Membership>,
    },
    /// Hand the leadership to another voter (thesis §3.10). The leader alone takes it; proposals are refused
    /// meanwhile, for an election timeout at most.
    Transfer {
        /// The caller's name for the request.
        id: RequestId,
        /// Who shall lead.
        to: NodeId,
    },
}

impl Request {
    /// The caller's name for the request.
    pub fn id(&self) -> RequestId {
        match self {
            Self::Propose { id, .. }
            | Self::Read { id }
            | Self::ChangeMembership { id, .. }
            | Self::Transfer { id, .. } => *id,
        }
    }
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
    /// Committed at this position, and applied on this node. For a change of membership: the new members are
    /// in force, and nobody else.
    Done {
        /// Where the entry is.
        position: LogPosition,
    },
    /// The machine of this node holds everything that was committed when the read was asked for: read it now.
    Readable {
        /// Up to here at least the machine has applied.
        index: LogIndex,
    },
    /// The leadership was handed over.
    Transferred {
        /// Who leads now.
        leader: NodeId,
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
    /// Its fate cannot be known here: it may have taken effect, or may yet. (A read has none, and may be asked again.)
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
    /// The leader holds as many bytes as it may that are not committed, or not on its disk; or this node as many pending requests.
    #[error("too much is pending already: try again when some of it is answered")]
    Busy,
    /// The command is larger than the configuration allows.
    #[error(
        "the command is larger than max_command_bytes: split it, or raise the limit on every node"
    )]
    TooLarge,
    /// The leader has not committed an entry of its own term yet, and so cannot know whether
    /// the membership in force is committed.
    #[error("the leader has not committed anything in its term yet: try again shortly")]
    NotYetCommitted,
    /// Another change of membership is under way.
    #[error("another change of membership is under way: try again when it is done")]
    ChangePending,
    /// Leadership is being handed over.
    #[error("the leadership is being handed over: try again shortly, at the new leader")]
    Transferring,
    /// The leadership could not be handed over; this node goes on leading, or another node took over.
    #[error(
        "the leadership was not handed over: the target did not take it within an election timeout"
    )]
    TransferAborted,
    /// The target of a transfer has no vote.
    #[error("the target of the transfer is not a voter of the membership in force: name one")]
    NotAVoter,
    /// The leader that was to confirm a read leads no more.
    #[error("the leader was deposed before it could confirm the read: ask again")]
    LeadershipLost,
    /// The members asked for are no membership that can be changed to.
    #[error("the membership asked for has no voters or is joint: name voters and learners only")]
    NoMembership,
}
