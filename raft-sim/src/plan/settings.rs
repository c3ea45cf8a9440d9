//! The settings of the Raft under test: the same at every node, or two sets of them in one cluster.

use raft_core::{ClusterId, Forwarding, NodeId, Priority, Settings, Ticks, Toggle};
use serde::{Deserialize, Serialize};

/// The cluster that is simulated. Messages of others do not occur.
const CLUSTER: ClusterId = ClusterId(1);

/// [`Settings`] but for what differs from node to node. One tick is a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSettings {
    /// E, the least election timeout.
    pub election_timeout: Ticks,
    /// How often a leader lets its followers hear from it.
    pub heartbeat_interval: Ticks,
    /// Ask before raising the term.
    pub pre_vote: Toggle,
    /// A leader that does not hear from a quorum steps down.
    pub check_quorum: Toggle,
    /// Nobody votes against a leader it has just heard from.
    pub stickiness: Toggle,
    /// What a node that does not lead does with proposals.
    pub forwarding: Forwarding,
    /// The most payload bytes of one `AppendEntries`.
    pub max_batch_bytes: u64,
    /// The most entries of one `AppendEntries`.
    pub max_batch_entries: u64,
    /// The most unacknowledged `AppendEntries` a peer.
    pub max_inflight_messages: u64,
    /// The most unacknowledged payload bytes a peer.
    pub max_inflight_bytes: u64,
    /// The most payload bytes a leader holds uncommitted.
    pub max_uncommitted_bytes: u64,
    /// The most bytes a follower holds that its disk has not taken.
    pub max_undurable_bytes: u64,
    /// The largest command that may be proposed.
    pub max_command_bytes: u64,
    /// The most requests that may be pending at a node.
    pub max_pending_requests: u64,
    /// How long a request may be pending.
    pub request_timeout: Ticks,
    /// The most payload bytes of durable entries in memory.
    pub max_cached_bytes: u64,
    /// How many entries before a snapshot the log keeps.
    pub retained_entries: u64,
    /// The most bytes of one chunk of a snapshot.
    pub max_chunk_bytes: u64,
    /// Answer reads from a lease.
    pub read_lease: Toggle,
    /// How wrong a clock may be, in millionths.
    pub max_clock_drift_ppm: u32,
    /// How eager nodes are to lead: 0 is the most.
    pub priority: Priority,
}

/// Settings of nodes that do not run with the plan's, as while a configuration is rolled out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherSettings {
    /// Whose they are.
    pub nodes: Vec<NodeId>,
    /// What they are.
    pub settings: PlanSettings,
}

impl Default for PlanSettings {
    fn default() -> Self {
        let defaults = Settings::new(CLUSTER, NodeId(1));
        Self {
            election_timeout: Ticks(150_000),
            heartbeat_interval: Ticks(30_000),
            pre_vote: defaults.pre_vote,
            check_quorum: defaults.check_quorum,
            stickiness: defaults.stickiness,
            forwarding: defaults.forwarding,
            max_batch_bytes: 64 * 1024,
            max_batch_entries: 256,
            max_inflight_messages: 64,
            max_inflight_bytes: 1024 * 1024,
            max_uncommitted_bytes: 1024 * 1024,
            max_undurable_bytes: 1024 * 1024,
            max_command_bytes: 64 * 1024,
            max_pending_requests: 1024,
            request_timeout: Ticks(1_500_000),
            max_cached_bytes: 1024 * 1024,
            retained_entries: 100,
            max_chunk_bytes: 64 * 1024,
            read_lease: defaults.read_lease,
            max_clock_drift_ppm: 50_000,
            priority: Priority::HIGHEST,
        }
    }
}

impl PlanSettings {
    /// The settings of one node.
    pub fn of(&self, seed: u64, id: NodeId) -> Settings {
        Settings {
            cluster: CLUSTER,
            id,
            seed,
            election_timeout: self.election_timeout,
            heartbeat_interval: self.heartbeat_interval,
            pre_vote: self.pre_vote,
            check_quorum: self.check_quorum,
            stickiness: self.stickiness,
            forwarding: self.forwarding,
            max_batch_bytes: self.max_batch_bytes,
            max_batch_entries: self.max_batch_entries,
            max_inflight_messages: self.max_inflight_messages,
            max_inflight_bytes: self.max_inflight_bytes,
            max_uncommitted_bytes: self.max_uncommitted_bytes,
            max_undurable_bytes: self.max_undurable_bytes,
            max_command_bytes: self.max_command_bytes,
            max_pending_requests: self.max_pending_requests,
            request_timeout: self.request_timeout,
            max_cached_bytes: self.max_cached_bytes,
            retained_entries: self.retained_entries,
            max_chunk_bytes: self.max_chunk_bytes,
            read_lease: self.read_lease,
            max_clock_drift_ppm: self.max_clock_drift_ppm,
            priority: self.priority,
        }
    }

    /// E divided by `parts`.
    pub(crate) fn fraction(&self, parts: u64) -> u64 {
        (self.election_timeout.0 / parts).max(1)
    }
}
