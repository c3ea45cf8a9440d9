//! Makes a run explicit: whatever it drew is said in the plan, and the rest is benign. Each step should make the very
//! same run; one that does not, and does not fail alike, is left out.

use raft_core::{Instant, Ticks};

use super::super::gather::{Gathered, resolved};
use super::super::search::Search;
use crate::machine::Machine;
use crate::plan::{DiskProfile, Fault, Network, Override, Plan, Rare, Span, Target, TimedFault};
use crate::raft::Raft;

/// Says what was drawn.
pub(super) fn all<R: Raft + 'static, M: Machine + 'static>(search: &mut Search<'_, R, M>) {
    search.enter("what was drawn is said");
    let gathered = search.gather();
    let faults = resolved(&gathered, &search.plan().faults, search.plan().nodes);
    search.adopt(Plan { faults, ..search.plan().clone() });
    operations(search, &gathered);
    network(search, &gathered);
    disks(search, &gathered);
    lanes(search);
}

fn operations<R: Raft + 'static, M: Machine + 'static>(
    search: &mut Search<'_, R, M>,
    gathered: &Gathered,
) {
    let plan = search.plan();
    // What a session says is made as the run goes.
    if plan.workload.clients == 0 || plan.workload.sessions > 0 {
        return;
    }
    let heal_at = plan.heal_at;
    let listed = gathered.operations.iter().filter(|timed| timed.at <= heal_at);
    let operations = listed.cloned().collect();
    let workload = Plan::benign(0, plan.nodes).workload;
    search.adopt(Plan { operations, workload, ..plan.clone() });
}

/// Every message's fate but those that arrive after the usual time.
fn network<R: Raft + 'static, M: Machine + 'static>(
    search: &mut Search<'_, R, M>,
    gathered: &Gathered,
) {
    let plan = search.plan();
    if !super::super::measure::is_drawn(&plan.network) {
        return;
    }
    let network = Plan::benign(0, plan.nodes).network;
    search.adopt(with_fates(plan, gathered, network));
}

fn with_fates(plan: &Plan, gathered: &Gathered, network: Network) -> Plan {
    let usual = network.delay.min;
    let rough = gathered.messages.iter().filter(|message| message.sent < plan.heal_at);
    let listed = rough.filter(|message| !message.is_benign(usual));
    let overrides: Vec<Override> = listed.map(|message| message.fate).collect();
    Plan { network, overrides, ..plan.clone() }
}

/// Every write that takes another time than the usual is that of a slow disk.
fn disks<R: Raft + 'static, M: Machine + 'static>(
    search: &mut Search<'_, R, M>,
    gathered: &Gathered,
) {
    let plan = search.plan();
    let DiskProfile { write, receipt, .. } = plan.disk;
    let constant = |write: u64, receipt: u64| DiskProfile {
        write: Span::exactly(write),
        slow: Rare::NEVER,
        receipt: Span::exactly(receipt),
    };
    let usual = [(200, 0), (write.min.0, 0), (write.min.0.midpoint(write.max.0), receipt.max.0)];
    for (usual, receipt) in usual {
        let plan = search.plan();
        if search.adopt(Plan { disk: constant(usual, receipt), ..plan.clone() }) {
            return;
        }
    }
    let plan = search.plan();
    let (heal_at, mut faults) = (plan.heal_at, plan.faults.clone());
    let slow = gathered.writes.iter().filter(|write| write.took.0 != 200 && write.at < heal_at);
    faults.extend(slow.map(|write| TimedFault {
        at: Instant(write.at.0),
        fault: Fault::SlowDisk {
            target: Target::Node(write.node),
            write: Span::exactly(write.took.0),
            lasts: Ticks(1),
        },
    }));
    search.adopt(Plan { faults, disk: constant(200, 0), ..plan.clone() });
}

/// The machines' and the drivers' work takes one time.
fn lanes<R: Raft + 'static, M: Machine + 'static>(search: &mut Search<'_, R, M>) {
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
        let both = Plan { apply, snapshots, ..plan.clone() };
        if search.adopt(both) {
            return;
        }
    }
}
