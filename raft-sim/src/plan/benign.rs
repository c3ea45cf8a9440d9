//! A plan in which nothing goes wrong: where plans written by hand begin, and where smaller ones are looked for.

use raft_core::{Instant, Ticks};

use super::node::{ApplyProfile, DiskProfile, Limits, MachineMemory, SnapshotProfile, Workload};
use super::{
    Network, Order, PLAN_VERSION, Plan, PlanSettings, Rare, Span, TRUE_RATE, TimedAction,
    TimedFault, TimedOperation,
};

/// After so many election timeouts from its last event a plan that does not say otherwise is healed.
const QUIET: u64 = 20;
/// Before so many election timeouts nothing may be healed.
const FIRST_ELECTION: u64 = 2;

impl Plan {
    /// A cluster in which nothing goes wrong and nobody asks for anything. All nodes found it, with the default settings;
    /// clocks are right; a message takes a millisecond, a write 200 microseconds, a batch at the machine 100; no
    /// snapshot is taken. Everything is healed after twenty election timeouts, though there is nothing to heal.
    pub fn benign(seed: u64, nodes: u32) -> Self {
        let mut plan = Self {
            version: PLAN_VERSION,
            seed,
            profile: "hand".to_owned(),
            nodes,
            founders: nodes,
            settings: PlanSettings::default(),
            other_settings: None,
            network: Network {
                gather: Ticks(0),
                leave: Span::exactly(0),
                delay: Span::exactly(1_000),
                slow: Rare::NEVER,
                loss_per_million: 0,
                duplicate_per_million: 0,
                malformed_per_million: 0,
                order: Order::Any,
            },
            disk: DiskProfile {
                write: Span::exactly(200),
                slow: Rare::NEVER,
                receipt: Span::exactly(0),
            },
            apply: ApplyProfile {
                latency: Span::exactly(100),
                report: Span::exactly(0),
                machine: MachineMemory::Rebuilt,
            },
            snapshots: SnapshotProfile {
                every: 0,
                latency: Span::exactly(1_000),
                failure_per_million: 0,
                elsewhere_per_million: 0,
                stale_per_million: 0,
            },
            clocks: vec![TRUE_RATE; nodes as usize],
            workload: Workload {
                clients: 0,
                operations: 0,
                think: Span::exactly(10_000),
                // Long, as the last phase's client has it too, whatever the election timeout is.
                patience: Span::exactly(10_000_000),
                backoff: Span::exactly(20_000),
                follow_per_million: 1_000_000,
                stay_per_million: 0,
                read_per_million: 0,
                sessions: 0,
            },
            faults: Vec::new(),
            actions: Vec::new(),
            operations: Vec::new(),
            heal_at: Instant(0),
            ends_at: None,
            static_cut: None,
            limits: Limits::default(),
            overrides: Vec::new(),
        };
        plan.heal_at = plan.usual_healing(Instant(0));
        plan
    }

    /// The time of the last thing that the plan lists: a fault, an action or an operation.
    pub(crate) fn last_event(&self) -> Instant {
        let faults = self.faults.iter().map(|TimedFault { at, .. }| *at);
        let actions = self.actions.iter().map(|TimedAction { at, .. }| *at);
        let operations = self.operations.iter().map(|TimedOperation { at, .. }| *at);
        faults.chain(actions).chain(operations).max().unwrap_or_default()
    }

    /// When everything is healed if nobody says: a while after the last event, or after `at`; or, in a plan that ends, not
    /// before it has ended.
    pub(crate) fn usual_healing(&self, at: Instant) -> Instant {
        let election = self.settings.election_timeout.0;
        let last = self.last_event().max(at);
        match self.ends_at {
            Some(end) => last.max(end).max(Instant(election.saturating_mul(FIRST_ELECTION))),
            None => Instant(last.0.saturating_add(election.saturating_mul(QUIET))),
        }
    }
}

#[cfg(test)]
mod tests {
    use raft_core::Node;

    use super::*;
    use crate::kv::Kv;
    use crate::plan::MAX_NODES;
    use crate::world::run;

    /// Goal: whatever its size, a benign cluster can be run, elects once, loses nothing and comes to rest.
    #[test]
    fn benign_clusters_are_sound() {
        for nodes in 1..=MAX_NODES {
            let plan = Plan::benign(nodes.into(), nodes);
            assert_eq!(plan.validate(), Ok(()), "{nodes} nodes");
            let verdict = run::<Node, Kv>(&plan);
            assert_eq!(verdict.violation, None, "{nodes} nodes");
            assert_eq!((verdict.statistics.lost, verdict.statistics.fault_count()), (0, 0));
            assert!(verdict.statistics.commits > u64::from(nodes), "each node was asked once");
        }
    }

    /// Goal: a plan that ends is never healed before, and the usual healing leaves time for elections.
    #[test]
    fn healing_comes_after_everything() {
        let mut plan = Plan::benign(1, 3);
        assert_eq!(plan.heal_at, Instant(3_000_000));
        assert_eq!(plan.usual_healing(Instant(500)), Instant(3_000_500));
        plan.ends_at = Some(Instant(10));
        assert_eq!(plan.usual_healing(Instant(0)), Instant(300_000));
        plan.ends_at = Some(Instant(7_000_000));
        assert_eq!(plan.usual_healing(Instant(9_000_000)), Instant(9_000_000));
    }
}
