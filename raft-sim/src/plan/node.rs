//! What each node of a plan runs on: its disk, its machine's lane, and the clients that use it.

use raft_core::Ticks;
use serde::{Deserialize, Serialize};

use super::network::{Rare, Span};

/// How disks behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskProfile {
    /// From the hand-over of a write until it is durable.
    pub write: Span,
    /// Writes that take exceptionally long.
    pub slow: Rare,
    /// From the moment a write is durable until the node learns it.
    pub receipt: Span,
}

/// How machines take committed entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyProfile {
    /// From the hand-over of a batch until the machine has taken it.
    pub latency: Span,
    /// From then until the node learns it.
    pub report: Span,
    /// What the machine remembers after a crash.
    pub machine: MachineMemory,
}

/// When machines are compacted, and how snapshots and old entries are read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotProfile {
    /// After how many entries since the last snapshot a node takes another; 0 for never.
    pub every: u64,
    /// How long it takes to take one, and to read or write a chunk or old entries.
    pub latency: Span,
    /// How many of these fail, in a million: nothing is read or written then.
    pub failure_per_million: u32,
    /// How many answers to a leader in a million name a place to fetch the snapshot from, instead of bytes.
    pub elsewhere_per_million: u32,
    /// How many of the places in a million hold an older snapshot than the one that was named.
    pub stale_per_million: u32,
}

/// What a machine remembers after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineMemory {
    /// Nothing: it is rebuilt from the log.
    #[default]
    Rebuilt,
    /// Everything that it has taken.
    Durable,
}

/// What clients do. Each has one operation at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// How many there are.
    pub clients: u32,
    /// How many operations are begun before everything is healed, at most, by all together.
    pub operations: u64,
    /// From an answer to the next operation.
    pub think: Span,
    /// How long a client waits for an answer before it holds the operation's fate for unknown.
    pub patience: Span,
    /// From a refusal to the next attempt.
    pub backoff: Span,
    /// How many refusals in a million are followed to the leader they name; after the others the client
    /// tries another node.
    pub follow_per_million: u32,
    /// How often in a million a client that has lost its patience asks the same node again.
    pub stay_per_million: u32,
    /// How many operations in a million that change nothing are asked as reads, and not as commands.
    pub read_per_million: u32,
    /// How many sessions the machines have room for at once; 0 if clients go without. A client with a session sends
    /// a command again until it is answered, and it must take effect once.
    pub sessions: u64,
}

/// When a run is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The most events. A run that needs more is in an endless exchange: that is a violation.
    pub events: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 400_000 }
    }
}

/// The rate of a clock that is right: a million local microseconds in a second.
pub const TRUE_RATE: u32 = 1_000_000;

/// The least and greatest rate of a clock.
pub(super) const RATES: (u32, u32) = (500_000, 2_000_000);

/// The longest that anything in a plan may take, so that no sum of times overflows: about eleven days.
pub(super) const LONGEST: Ticks = Ticks(1_000_000_000_000);
