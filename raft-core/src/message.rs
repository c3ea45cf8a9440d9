//! What nodes say to each other.
//!
//! One envelope, one variant a kind, each with only the fields it needs. The envelope carries the
//! sender's current term, whatever the kind.

use alloc::boxed::Box;

use bytes::Bytes;

use crate::entry::Entries;
use crate::request::Refusal;
use crate::snapshot::SnapshotMeta;
use crate::types::{ClusterId, Incarnation, LogIndex, LogPosition, NodeId, Round, Term, Ticks};

/// The version of the wire format. A node rejects messages of any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WireVersion(pub u16);

impl WireVersion {
    /// What this crate speaks.
    pub const CURRENT: Self = Self(1);
}

/// A message with everything needed to deliver and to judge it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Envelope {
    /// The wire format of the message.
    pub version: WireVersion,
    /// The cluster it belongs to.
    pub cluster: ClusterId,
    /// Who sent it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// The sender's current term, durable at the sender before the message left.
    pub term: Term,
    /// What it says.
    pub message: Message,
}

/// The kinds of messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Message {
    /// "Would you vote for me in the next term?" (thesis §9.6). Changes nothing at the receiver.
    RequestPreVote {
        /// The last entry of the sender's log.
        last: LogPosition,
    },
    /// The answer to [`Message::RequestPreVote`].
    PreVoteReply {
        /// The term that was asked about: the asker's term at the time, plus one.
        campaign: Term,
        /// Whether the sender would vote for it.
        ballot: Ballot,
    },
    /// "Vote for me in this term" (paper §5.2).
    RequestVote {
        /// The last entry of the candidate's log.
        last: LogPosition,
        /// Why it stands.
        cause: Cause,
    },
    /// The answer to [`Message::RequestVote`] of the same term.
    VoteReply {
        /// Whether the vote was given; durable at the voter before this left.
        ballot: Ballot,
    },
    /// Entries of the leader's log (paper §5.3).
    AppendEntries(AppendEntries),
    /// The answer to [`Message::AppendEntries`] of the same term.
    AppendReply(AppendReply),
    /// "I am still the leader."
    Heartbeat {
        /// What is committed, as far as the receiver is known to hold it.
        commit: LogIndex,
        /// Which round of heartbeats this is.
        round: Round,
    },
    /// The answer to [`Message::Heartbeat`] of the same term.
    HeartbeatReply {
        /// The round that is answered.
        round: Round,
        /// For so long after the heartbeat arrived, on its own clock, the sender votes for nobody else. Zero
        /// when it promises nothing.
        promise: Ticks,
    },
    /// A snapshot, or a part of one, for a peer that needs entries which the leader's log holds no more (paper §7).
    InstallSnapshot(Box<InstallSnapshot>),
    /// The answer to [`Message::InstallSnapshot`] of the same term, until it is installed (that is answered as
    /// an [`AppendReply`]).
    SnapshotReply {
        /// The snapshot's position.
        position: LogPosition,
        /// How far it has come.
        receipt: SnapshotReceipt,
    },
    /// "Stand for election at once": the leader hands over (thesis §3.10).
    TimeoutNow,
    /// "What must have been applied for a read to see everything?" (thesis §6.4). May be asked again.
    ReadIndex {
        /// The sender's incarnation.
        incarnation: Incarnation,
        /// The question's number within the incarnation, from 1. It stands for all reads before it.
        sequence: u64,
    },
    /// The answer to [`Message::ReadIndex`].
    ReadIndexReply {
        /// The asker's incarnation.
        incarnation: Incarnation,
        /// The question's number.
        sequence: u64,
        /// Everything that was committed when the question arrived lies up to here.
        index: LogIndex,
    },
    /// "Your term is over": the answer to a request of an earlier term. The news is the envelope's term.
    StaleTerm,
    /// A proposal passed on to the leader of the envelope's term, which alone may take it, and once.
    ForwardProposal {
        /// The sender's incarnation.
        incarnation: Incarnation,
        /// The forward's number within the incarnation, from 1.
        sequence: u64,
        /// The command.
        data: Bytes,
    },
    /// The leader did not take a forwarded proposal and never will. (That it was taken shows in the log.)
    ForwardRefused {
        /// The asker's incarnation.
        incarnation: Incarnation,
        /// The forward's number.
        sequence: u64,
        /// Why.
        refusal: Refusal,
    },
    /// "What you hold is committed up to here." It wants no answer: what a lost one says, the next heartbeat does.
    Commit {
        /// The last entry that is committed and that the receiver is known to hold.
        index: LogIndex,
    },
}

/// Why a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Cause {
    /// It has not heard from a leader.
    Timeout,
    /// The leader asked it to, so voters need not be loyal to that leader.
    Transfer,
}

/// A snapshot, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InstallSnapshot {
    /// What the snapshot stands for.
    pub snapshot: SnapshotMeta,
    /// The bytes, or where they can be had.
    pub content: SnapshotContent,
}

/// What an [`InstallSnapshot`] brings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SnapshotContent {
    /// Some of its bytes.
    Chunk {
        /// How many bytes lie before these.
        offset: u64,
        /// How many there are in all.
        total: u64,
        /// The bytes.
        data: Bytes,
    },
    /// Words of the driver's by which the receiver's driver can fetch it.
    Locator(Bytes),
}

impl SnapshotContent {
    /// A longer locator is not sent, nor accepted.
    pub const MAX_LOCATOR_BYTES: usize = 64 * 1024;
}

/// How far a snapshot has come at its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SnapshotReceipt {
    /// So many bytes, from the first, are durable.
    Received(u64),
    /// It could not be had or kept: try again later.
    Failed,
}

/// A vote, or what a vote would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Ballot {
    /// In favour.
    Granted,
    /// Against, or the vote is given already.
    Refused,
}

/// Entries of the leader's log, to be placed right after `previous` (paper §5.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AppendEntries {
    /// The entry before the first of `entries`; the receiver must hold it.
    pub previous: LogPosition,
    /// The entries, in order; none for a probe.
    pub entries: Entries,
    /// What the leader knows to be committed. The receiver believes it as far as this message proves
    /// its log equal to the leader's, and no further.
    pub commit: LogIndex,
}

impl AppendEntries {
    /// The last index for which this message proves the receiver's log equal to the leader's.
    pub fn last_index(&self) -> LogIndex {
        self.previous.index.advanced(self.entries.len())
    }

    /// The bytes of its entries, by [`Entry::size`](crate::Entry::size).
    pub fn size(&self) -> u64 {
        self.entries.size()
    }
}

/// What became of an [`AppendEntries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AppendReply {
    /// The receiver's log equals the leader's up to here, and is durable.
    Accepted {
        /// The last such index.
        matched: LogIndex,
    },
    /// The receiver does not hold `refused`.
    Mismatch {
        /// The `previous` of the message that is answered.
        refused: LogPosition,
        /// The receiver's last entry that could still be the leader's: at or before `refused`, and of no
        /// later term.
        hint: LogPosition,
    },
}

impl Message {
    /// Whether only the leader of its term sends such.
    pub(crate) fn is_from_leader(&self) -> bool {
        matches!(
            self,
            Self::AppendEntries(_)
                | Self::Heartbeat { .. }
                | Self::InstallSnapshot(_)
                | Self::TimeoutNow
                | Self::Commit { .. }
        )
    }

    /// A short name of the kind, as in the paper.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RequestPreVote { .. } => "RequestPreVote",
            Self::PreVoteReply { .. } => "PreVoteReply",
            Self::RequestVote { .. } => "RequestVote",
            Self::VoteReply { .. } => "VoteReply",
            Self::AppendEntries(_) => "AppendEntries",
            Self::AppendReply(_) => "AppendReply",
            Self::Heartbeat { .. } => "Heartbeat",
            Self::HeartbeatReply { .. } => "HeartbeatReply",
            Self::InstallSnapshot(_) => "InstallSnapshot",
            Self::SnapshotReply { .. } => "SnapshotReply",
            Self::TimeoutNow => "TimeoutNow",
            Self::ReadIndex { .. } => "ReadIndex",
            Self::ReadIndexReply { .. } => "ReadIndexReply",
            Self::StaleTerm => "StaleTerm",
            Self::ForwardProposal { .. } => "ForwardProposal",
            Self::ForwardRefused { .. } => "ForwardRefused",
            Self::Commit { .. } => "Commit",
        }
    }
}
