//! What became of a run.

use std::collections::BTreeMap;

use raft_core::Instant;
use serde::{Deserialize, Serialize};

use crate::coverage::Coverage;
use crate::plan::FaultKind;
use crate::violation::Violation;

/// What became of a run: everything about it that is worth keeping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The plan's seed.
    pub seed: u64,
    /// A number made of everything that happened: two runs are the same if it is the same.
    pub digest: u64,
    /// What was violated first, if anything was.
    pub violation: Option<Violation>,
    /// What happened, counted.
    pub statistics: Statistics,
    /// Which situations came up.
    pub coverage: Coverage,
}

/// What happened in a run, or in several, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Things that happened: arrivals, receipts, timers, clients, faults.
    pub events: u64,
    /// Steps that nodes took.
    pub steps: u64,
    /// How long it took in simulated time, in microseconds.
    pub simulated: u64,
    /// Elections that somebody won.
    pub elections: u64,
    /// Elections that another node won than the one before.
    pub leader_changes: u64,
    /// The last term of any node.
    pub terms: u64,
    /// Entries that were committed.
    pub commits: u64,
    /// Operations that clients began.
    pub operations_begun: u64,
    /// Operations that clients were told are done.
    pub operations_committed: u64,
    /// Messages that nodes sent.
    pub sent: u64,
    /// Messages that arrived.
    pub delivered: u64,
    /// Messages that never arrived.
    pub lost: u64,
    /// Messages that the network repeated.
    pub duplicated: u64,
    /// Malformed messages that arrived, and had to be rejected.
    pub malformed: u64,
    /// Writes that became durable.
    pub writes: u64,
    /// Crashes, whatever the fault that made them.
    pub crashes: u64,
    /// Starts from a disk.
    pub restarts: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<FaultKind, u64>,
}

impl Statistics {
    /// How many faults struck.
    pub fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Counts a fault.
    pub(crate) fn fault(&mut self, kind: FaultKind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Notes how far simulated time has come.
    pub(crate) fn until(&mut self, at: Instant) {
        self.simulated = at.0;
    }

    /// Adds what happened in another run.
    pub fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.steps += other.steps;
        self.simulated += other.simulated;
        self.elections += other.elections;
        self.leader_changes += other.leader_changes;
        self.terms += other.terms;
        self.commits += other.commits;
        self.operations_begun += other.operations_begun;
        self.operations_committed += other.operations_committed;
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.malformed += other.malformed;
        self.writes += other.writes;
        self.crashes += other.crashes;
        self.restarts += other.restarts;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
    }
}
