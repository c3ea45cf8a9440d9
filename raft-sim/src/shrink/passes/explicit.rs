//! Makes a run explicit: whatever it drew is said in the plan, and the rest is benign. Each step should make the very
//! same run; one that does not, and does not fail alike, is left out.

use raft_core::{Instant, Ticks};

use super::super::gather::{Gathered, resolved};
use super::super::measure::is_drawn;
use super::super::search::Search;
use crate::plan::{DiskProfile, Fault, Network, Override, Plan, Rare, Span, Target, TimedFault};

/// Says whom faults struck, and what clients asked for.
pub(super) fn operations_and_faults(search: &mut Search<'_>) {
    search.enter("what was drawn is said");
    if !search.goes_on() {
        return;
    }
    let gathered = search.gather();
    // Asking operations one by one may take more lines than letting clients choose, but they can go one by one.
    for step in [with_faults, with_operations] {
        search.adopt(step(search.plan(), &gathered));
    }
}

/// Says what became of each message, and how long each write took.
pub(super) fn fates(search: &mut Search<'_>) {
    search.enter("what was drawn is said");
    let gathered = search.gather();
    search.adopt(with_fates(search.plan(), &gathered));
    disks(search, &gathered);
    lanes(search);
}

/// Faults strike whom they struck, and crashes leave what they left.
fn with_faults(plan: &Plan, gathered: &Gathered) -> Plan {
    Plan { faults: resolved(gathered, &plan.faults, plan.nodes), ..plan.clone() }
}

/// Clients ask for what they asked for.
fn with_operations(plan: &Plan, gathered: &Gathered) -> Plan {
    // What a session says is made as the run goes.
    let load = &plan.workload;
    if load.clients == 0 || load.sessions > 0 || plan.static_cut.is_some() {
        return plan.clone();
    }
    let listed = gathered.asked().filter(|timed| timed.at <= plan.heal_at);
    let operations = listed.cloned().collect();
    Plan { workload: Plan::benign(0, plan.nodes).workload, operations, ..plan.clone() }
}

/// Every message's fate is said, but of those that arrive after the usual time.
fn with_fates(plan: &Plan, gathered: &Gathered) -> Plan {
    if !is_drawn(&plan.network) {
        return plan.clone();
    }
    let usual = Plan::benign(0, plan.nodes).network;
    let network = Network { gather: plan.network.gather, ..usual };
    let rough = gathered.messages.iter().filter(|message| message.sent < plan.heal_at);
    let listed = rough.filter(|message| !message.is_benign(network.delay.min));
    let overrides: Vec<Override> = listed.map(|message| message.fate).collect();
    let mut faults = plan.faults.clone();
    // The fates say how long each was held.
    faults.retain(|timed| !matches!(timed.fault, Fault::Hold { .. }));
    Plan { network, faults, overrides, ..plan.clone() }
}

/// Every write that takes another time than the usual is that of a slow disk.
fn with_writes(plan: &Plan, gathered: &Gathered, disk: DiskProfile) -> Plan {
    let (usual, heal_at, mut faults) = (disk.write.min, plan.heal_at, plan.faults.clone());
    // They say how long every write took, the slow ones too.
    faults.retain(|timed| !matches!(timed.fault, Fault::SlowDisk { .. }));
    let slow = gathered.writes().filter(|write| write.took != usual && write.at < heal_at);
    faults.extend(slow.map(|write| TimedFault {
        at: Instant(write.at.0),
        fault: Fault::SlowDisk {
            target: Target::Node(write.node),
            write: Span::exactly(write.took.0),
            lasts: Ticks(1),
        },
    }));
    faults.sort_by_key(|timed| timed.at);
    Plan { disk, faults, ..plan.clone() }
}

fn constant(write: u64, receipt: Span) -> DiskProfile {
    DiskProfile { write: Span::exactly(write), slow: Rare::NEVER, receipt }
}

/// Disks that always take the same time, or else the time that each write took.
fn disks(search: &mut Search<'_>, gathered: &Gathered) {
    let DiskProfile { write, receipt, .. } = search.plan().disk;
    let at_once = Span::exactly(0);
    let late = Span::exactly(receipt.max.0);
    let usual = Plan::benign(0, 1).disk.write.min.0;
    let middle = write.min.0.midpoint(write.max.0);
    for (usual, receipt) in [(usual, at_once), (write.min.0, at_once), (middle, late)] {
        let plan = search.plan();
        if search.adopt(Plan { disk: constant(usual, receipt), ..plan.clone() }) {
            return;
        }
    }
    for receipt in [at_once, receipt] {
        let plan = with_writes(search.plan(), gathered, constant(usual, receipt));
        if search.adopt(plan) {
            return;
        }
    }
}

/// The machines' and the drivers' work takes one time.
fn lanes(search: &mut Search<'_>) {
    for part in [0, 1, 2] {
        let plan = search.plan();
        let mut apply = plan.apply;
        let of = |span: Span| match part {
            0 => span.min,
            1 => Ticks(span.min.0.midpoint(span.max.0)),
            _ => span.max,
        };
        (apply.latency, apply.report) =
            (Span::exactly(of(apply.latency).0), Span::exactly(of(apply.report).0));
        let mut snapshots = plan.snapshots;
        snapshots.latency = Span::exactly(of(snapshots.latency).0);
        if search.adopt(Plan { apply, snapshots, ..plan.clone() }) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use raft_core::Node;

    use super::*;
    use crate::kv::Kv;
    use crate::plan::Profile;
    use crate::verdict::Statistics;
    use crate::world::{Trace, TraceEvent, run_told};

    fn gathered(plan: &Plan) -> (Gathered, Statistics) {
        let mut gathered = Gathered::default();
        let mut told = |at, event: TraceEvent<'_>| gathered.record(at, event);
        let verdict = run_told::<Node, Kv>(plan, &mut told);
        assert_eq!(verdict.violation, None, "seed {}", plan.seed);
        (gathered, verdict.statistics)
    }

    /// What happened, but for how the plan tells it.
    fn essence(statistics: &Statistics) -> Statistics {
        let untold = Statistics { faults: std::collections::BTreeMap::new(), ..statistics.clone() };
        // Restarts of faults and operations that came to nothing are events too.
        Statistics { events: 0, operations_begun: 0, ..untold }
    }

    /// Goal: the plan in which everything is said makes the very run of the plan in which all was drawn, but for rare
    /// ties.
    #[test]
    fn an_explicit_plan_makes_the_same_run() {
        let mut same = 0;
        for seed in 0..120 {
            let mut plan = Plan::generate(seed, Profile::Default);
            plan.workload.sessions = 0;
            plan.network.malformed_per_million = 0;
            plan.static_cut = None;
            plan.ends_at = Some(plan.heal_at);
            let (seen, drawn) = gathered(&plan);
            let drawn = essence(&drawn);
            let mut said = with_fates(&with_operations(&with_faults(&plan, &seen), &seen), &seen);
            said = with_writes(&said, &seen, constant(200, plan.disk.receipt));
            assert_eq!(said.validate(), Ok(()), "seed {seed}");
            let (_, again) = gathered(&said);
            same += u32::from(essence(&again) == drawn);
        }
        // Where two things happen in the same microsecond their order is not the plan's to say.
        assert!(same > 110, "{same} of 120");
    }
}
