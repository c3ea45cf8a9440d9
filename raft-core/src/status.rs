//! A node as an operator sees it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::membership::Membership;
use crate::persist::HardState;
use crate::rejection::Rejections;
use crate::snapshot::PartialSnapshot;
use crate::types::{ClusterId, Instant, LogIndex, LogPosition, NodeId, Term, Ticks, WriteNumber};

/// The part a node plays (paper §5.1; the pre-candidate is that of thesis §9.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Role {
    /// Follows a leader, or waits for one.
    #[default]
    Follower,
    /// Asks whether it could win before it raises the term.
    PreCandidate,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Follower => "follower",
            Self::PreCandidate => "pre-candidate",
            Self::Candidate => "candidate",
            Self::Leader => "leader",
        })
    }
}

/// Everything about a node that can be looked at, as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Status {
    /// The cluster.
    pub cluster: ClusterId,
    /// This node.
    pub id: NodeId,
    /// The part it plays.
    pub role: Role,
    /// Term, vote and incarnation.
    pub hard_state: HardState,
    /// Whether the disk holds that hard state.
    pub hard_state_durable: bool,
    /// Who leads the term, if known.
    pub leader: Option<NodeId>,
    /// The membership in force.
    pub membership: Arc<Membership>,
    /// The position of the snapshot that counts.
    pub snapshot: LogPosition,
    /// Where the log begins: the last position compacted away.
    pub base: LogPosition,
    /// The last entry of the log.
    pub last: LogPosition,
    /// Up to here the log is on this node's disk.
    pub durable: LogIndex,
    /// Up to here the log is known to be committed.
    pub commit: LogIndex,
    /// Up to here the machine has reported its entries applied.
    pub applied: LogIndex,
    /// The write the driver has not returned the receipt for.
    pub outstanding_write: Option<WriteNumber>,
    /// Messages that wait for it, or for the next.
    pub withheld_messages: u64,
    /// Requests that have not been answered.
    pub pending_requests: u64,
    /// Bytes of entries in memory that are not committed yet.
    pub uncommitted_bytes: u64,
    /// Bytes of the log that are in memory.
    pub cached_bytes: u64,
    /// Whether there are entries of earlier terms that are not known to be committed.
    pub has_uncommitted_of_earlier_terms: bool,
    /// A snapshot that is arriving.
    pub arriving: Option<PartialSnapshot>,
    /// Who the leadership is being handed to.
    pub transfer_to: Option<NodeId>,
    /// Until when a leader may answer reads from its lease; `None` without one.
    pub lease_until: Option<Instant>,
    /// When the node wants to be stepped next, whatever happens.
    pub deadline: Instant,
    /// What a leader knows of each other member; empty at other nodes.
    pub peers: Vec<PeerStatus>,
    /// Messages and receipts that were rejected, by reason.
    pub rejections: Rejections,
}

/// What a leader knows of another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PeerStatus {
    /// The member.
    pub id: NodeId,
    /// Up to here its durable log is known to equal the leader's.
    pub matched: LogIndex,
    /// The next entry to send.
    pub next: LogIndex,
    /// How it is sent to.
    pub flow: PeerFlow,
    /// Unacknowledged messages.
    pub inflight_messages: u64,
    /// Unacknowledged bytes of entries, by [`Entry::size`](crate::Entry::size).
    pub inflight_bytes: u64,
    /// When it was last heard from in this term, on the leader's clock.
    pub heard: Instant,
    /// How long the last heartbeat and its answer took.
    pub round_trip: Option<Ticks>,
}

/// How a leader sends to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PeerFlow {
    /// One message at a time, until one is acknowledged.
    Probe,
    /// As fast as the window allows.
    Stream,
    /// It is sent a snapshot.
    Snapshot {
        /// The snapshot's position.
        position: LogPosition,
        /// How many of its bytes it holds.
        received: u64,
    },
}

/// The essentials in one line: `n1 leader T3, last i7@T3, commit i6, applied i6`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HardState { term, .. } = self.hard_state;
        write!(
            f,
            "{} {} {term}, last {}, commit {}, applied {}",
            self.id, self.role, self.last, self.commit, self.applied
        )
    }
}

impl Status {
    /// The current term.
    pub fn term(&self) -> Term {
        self.hard_state.term
    }
}
