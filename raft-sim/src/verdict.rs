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
        self.faults.values().copied().fold(0, u64::saturating_add)
    }

    /// Counts a fault.
    pub(crate) fn fault(&mut self, kind: FaultKind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Notes how far simulated time has come.
    pub(crate) fn until(&mut self, at: Instant) {
        self.simulated = at.0;
    }

    /// Adds what happened in another run. A count stays at the most that there is: of a report that somebody changed the sum
    /// may be more.
    pub fn merge(&mut self, other: &Self) {
        let add = |count: &mut u64, more: u64| *count = count.saturating_add(more);
        add(&mut self.events, other.events);
        add(&mut self.steps, other.steps);
        add(&mut self.simulated, other.simulated);
        add(&mut self.elections, other.elections);
        add(&mut self.leader_changes, other.leader_changes);
        add(&mut self.terms, other.terms);
        add(&mut self.commits, other.commits);
        add(&mut self.operations_begun, other.operations_begun);
        add(&mut self.operations_committed, other.operations_committed);
        add(&mut self.sent, other.sent);
        add(&mut self.delivered, other.delivered);
        add(&mut self.lost, other.lost);
        add(&mut self.duplicated, other.duplicated);
        add(&mut self.malformed, other.malformed);
        add(&mut self.writes, other.writes);
        add(&mut self.crashes, other.crashes);
        add(&mut self.restarts, other.restarts);
        for (kind, count) in &other.faults {
            add(self.faults.entry(*kind).or_default(), *count);
        }
    }
}
