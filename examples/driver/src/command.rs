//! What a handle asks of its node, and what comes back.

use bytes::Bytes;
use raft_core::{
    LogPosition, Membership, NodeId, Outcome, Refusal, Request, RequestId, Status, Ticks,
};
use tokio::sync::oneshot;

use crate::packet::CallError;

/// What a proposal came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where it is in the log.
    pub position: LogPosition,
    /// What the machine of this node said.
    pub output: Bytes,
}

/// Why a request was not carried out, or not known to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It had no effect and will have none.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// Who leads, if known.
        leader: Option<NodeId>,
    },
    /// Another entry was committed in its place: it had no effect.
    #[error("another entry took its place in the log: it had no effect, ask again")]
    Lost,
    /// Nobody knows.
    #[error(
        "it may have been carried out, or may yet be: ask again only what may be done twice, or use a session"
    )]
    Unknown,
    /// It took longer than it was given.
    #[error("no answer in time: it may have been carried out, or may yet be")]
    TimedOut,
    /// The node has stopped.
    #[error("the node has stopped: it may have been carried out, or may yet be")]
    Stopped,
}

/// Why a function that was called at another node gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// Nobody leads, as far as this node knows.
    #[error("no leader is known here: try again shortly")]
    NoLeader,
    /// It was heard, and not run, or failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// No answer came.
    #[error("no answer in time: the function may have run")]
    TimedOut,
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

/// To whom something of the application's own is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To whoever leads.
    Leader,
    /// To every other member that does not lead.
    Followers,
    /// To every other member.
    All,
    /// To one node.
    Node(NodeId),
}

/// Looks at the machine once it may be read, or hears why it may not.
pub(crate) type Look<M> = Box<dyn FnOnce(Result<&M, RequestError>) + Send>;
pub(crate) type Answering<T, E> = oneshot::Sender<Result<T, E>>;
/// What is to be done with what a proposal came to. It must not take long.
pub(crate) type OnAppended = Box<dyn FnOnce(Result<Appended, RequestError>) + Send>;
pub(crate) type MakeRequest = Box<dyn FnOnce(RequestId) -> Request + Send>;

/// What a node is asked.
pub(crate) enum Command<M> {
    Propose(Bytes, Option<OnAppended>),
    Read(Look<M>),
    ReadStale(Look<M>),
    Ask(MakeRequest, Answering<Outcome, RequestError>),
    Status(oneshot::Sender<Status>),
    Campaign,
    Suppress(Ticks),
    Send(To, Bytes),
    Call {
        to: To,
        name: String,
        arguments: Bytes,
        answer: Answering<Bytes, DispatchError>,
    },
    /// A function that another node called has ended here.
    Answered {
        to: NodeId,
        number: u64,
        result: Result<Bytes, CallError>,
    },
    Stop,
}

/// What became of a request, without what it gave.
pub(crate) fn judged(outcome: Outcome) -> Result<Outcome, RequestError> {
    match outcome {
        Outcome::Done { .. } | Outcome::Readable { .. } | Outcome::Transferred { .. } => {
            Ok(outcome)
        }
        Outcome::Refused { refusal, leader } => Err(RequestError::Refused { refusal, leader }),
        Outcome::Lost { .. } => Err(RequestError::Lost),
        Outcome::Unknown => Err(RequestError::Unknown),
    }
}

/// Whom a message of the application's is for, but for the node itself.
pub(crate) fn recipients(
    to: To,
    own: NodeId,
    leader: Option<NodeId>,
    membership: &Membership,
) -> Vec<NodeId> {
    let others = membership.members().into_iter().filter(|id| *id != own);
    match to {
        To::Leader => leader.filter(|id| *id != own).into_iter().collect(),
        To::Followers => others.filter(|id| Some(*id) != leader).collect(),
        To::All => others.collect(),
        To::Node(id) => vec![id],
    }
}
