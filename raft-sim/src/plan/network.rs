//! The network of a plan: what usually becomes of messages, and what becomes of particular ones.

use raft_core::{NodeId, Term, Ticks};
use serde::{Deserialize, Serialize};

use crate::draw::Draw;

/// A range of times. Draws from it have a uniform order of magnitude.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The least.
    pub min: Ticks,
    /// The greatest.
    pub max: Ticks,
}

impl Span {
    /// From `min` through `max` microseconds.
    pub const fn new(min: u64, max: u64) -> Self {
        Self { min: Ticks(min), max: Ticks(max) }
    }

    /// Always the same.
    pub const fn exactly(ticks: u64) -> Self {
        Self::new(ticks, ticks)
    }

    /// The same range with nothing above `limit`.
    #[must_use]
    pub fn capped(self, limit: u64) -> Self {
        Self::new(self.min.0.min(limit), self.max.0.min(limit))
    }

    /// One of the times. Zero is drawn only where it is all there is.
    pub(crate) fn draw(self, draw: &mut Draw) -> u64 {
        if self.min == self.max { self.min.0 } else { draw.log_uniform(self.min.0, self.max.0) }
    }
}

/// Something that happens now and then, and how long it then takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rare {
    /// How often in a million.
    pub per_million: u32,
    /// How long.
    pub takes: Span,
}

impl Rare {
    /// Never.
    pub const NEVER: Self = Self { per_million: 0, takes: Span::exactly(1) };
}

/// Whether messages of one link can overtake each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// They can.
    #[default]
    Any,
    /// They cannot, but for those that are exceptionally slow or repeated.
    Kept,
}

/// What becomes of messages that are not listed one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// For how long a node takes in what comes, from the first input on, before it does what follows from it all.
    #[serde(default)]
    pub gather: Ticks,
    /// How long a step's messages wait before they leave; a crash before that loses them.
    pub leave: Span,
    /// How long a message travels.
    pub delay: Span,
    /// Messages that take exceptionally long.
    pub slow: Rare,
    /// How many in a million are lost.
    pub loss_per_million: u32,
    /// How many in a million arrive twice.
    pub duplicate_per_million: u32,
    /// How many in a million are followed by a version that no correct peer sends, and that must be
    /// rejected.
    pub malformed_per_million: u32,
    /// Whether messages of a link can overtake each other.
    pub order: Order,
}

/// The kinds of messages, by the names of the paper. An adapter for another Raft gives its messages the
/// numbers of those that they resemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    /// Would you vote for me?
    RequestPreVote = 0,
    /// The answer to that.
    PreVoteReply = 1,
    /// Vote for me.
    RequestVote = 2,
    /// The answer to that.
    VoteReply = 3,
    /// Entries from the leader.
    AppendEntries = 4,
    /// The answer to that.
    AppendReply = 5,
    /// A sign of life from the leader.
    Heartbeat = 6,
    /// The answer to that.
    HeartbeatReply = 7,
    /// Your term is over.
    StaleTerm = 8,
    /// A proposal on its way to the leader.
    ForwardProposal = 9,
    /// The leader's refusal of one.
    ForwardRefused = 10,
    /// A snapshot, or a part of one, from the leader.
    InstallSnapshot = 11,
    /// How far a snapshot has come.
    SnapshotReply = 12,
    /// Stand for election: the leader hands over.
    TimeoutNow = 13,
    /// What must be applied for a read?
    ReadIndex = 14,
    /// The answer to that.
    ReadIndexReply = 15,
    /// What is committed.
    Commit = 16,
}

impl MessageKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::RequestPreVote,
        Self::PreVoteReply,
        Self::RequestVote,
        Self::VoteReply,
        Self::AppendEntries,
        Self::AppendReply,
        Self::Heartbeat,
        Self::HeartbeatReply,
        Self::StaleTerm,
        Self::ForwardProposal,
        Self::ForwardRefused,
        Self::InstallSnapshot,
        Self::SnapshotReply,
        Self::TimeoutNow,
        Self::ReadIndex,
        Self::ReadIndexReply,
        Self::Commit,
    ];

    /// The number by which fates are drawn. It never changes.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives.
    Once {
        /// After so long.
        delay: Ticks,
    },
    /// It arrives twice.
    Twice {
        /// After so long.
        delay: Ticks,
        /// And again after so long.
        again: Ticks,
    },
    /// It arrives, and a version of it that no correct peer sends arrives too.
    Malformed {
        /// After so long, both.
        delay: Ticks,
        /// What is wrong with that version: the number of a draw.
        number: u32,
    },
}

/// The fate of one message, named by what it is: the `nth` message of a kind on a link in a term of the
/// sender, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// The kind.
    pub kind: MessageKind,
    /// The sender's term.
    pub term: Term,
    /// How many of this kind went before it on this link in this term.
    pub nth: u64,
    /// What becomes of it. It waits for no other, also where links keep order. When everything is healed, only what
    /// arrives once, and soon, counts.
    pub fate: Fate,
}
