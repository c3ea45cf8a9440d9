//! What clients and servers say to each other: one message a frame, each with the number by which it is answered, so
//! that a client may ask for more before it has an answer.

use bytes::Bytes;
use driver::members::Change;
use raft_core::session::SessionReply;
use raft_core::{NodeId, Status};
use serde::{Deserialize, Serialize};

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client's number for it.
    pub number: u64,
    /// What it asks.
    pub ask: Ask,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// To carry out a request of a session ([`raft_core::session::SessionRequest`]), as bytes.
    Command(Bytes),
    /// What a key holds.
    Get {
        /// The key.
        key: Bytes,
        /// How fresh the answer must be.
        freshness: Freshness,
    },
    /// Pairs in the order of their keys.
    Scan {
        /// The first key.
        from: Bytes,
        /// The key before which to stop.
        to: Option<Bytes>,
        /// How many at most.
        most: u64,
        /// How fresh the answer must be.
        freshness: Freshness,
    },
    /// Everything about the node that can be looked at.
    Status,
    /// To change the members.
    Change(Change),
    /// To hand the leadership to a node.
    Transfer(NodeId),
    /// Not to stand for election for so many microseconds, or until a leader is heard.
    Weaken(u64),
    /// To stand for election now.
    Campaign,
}

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Freshness {
    /// It holds all that was answered to anybody before it was asked for.
    Linearizable,
    /// Whatever the node holds: it may be behind.
    Stale,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The client's number.
    pub number: u64,
    /// The answer, or why there is none.
    pub answer: Result<Answer, Problem>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To a command.
    Replied(SessionReply),
    /// To a get.
    Value(Option<Bytes>),
    /// To a scan.
    Pairs(Vec<(Bytes, Bytes)>),
    /// To the question for the status.
    Status(Box<Status>),
    /// It was done.
    Done,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It had no effect, and may work elsewhere or later.
    #[error("{why}")]
    TryAgain {
        /// Why.
        why: String,
        /// Where the leader is, if known.
        leader: Option<String>,
    },
    /// It had no effect, and will have none when it is asked again.
    #[error("{0}")]
    Refused(String),
    /// It may have taken effect, or may yet.
    #[error("{0}")]
    Unknown(String),
}
