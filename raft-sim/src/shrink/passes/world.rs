//! The world around the nodes: settings, clocks, disks, machines and clients as they usually are.

use raft_core::Ticks;

use super::super::search::Search;
use crate::plan::{MachineMemory, Plan, PlanSettings, Rare, SnapshotProfile, Span, Workload};

/// Sets one setting to what it is in another set.
type Reset = fn(&PlanSettings, &PlanSettings) -> PlanSettings;

/// Every setting.
pub(in super::super) const SETTINGS: [Reset; 21] = [
    |it, to| PlanSettings { election_timeout: to.election_timeout, ..*it },
    |it, to| PlanSettings { heartbeat_interval: to.heartbeat_interval, ..*it },
    |it, to| PlanSettings { pre_vote: to.pre_vote, ..*it },
    |it, to| PlanSettings { check_quorum: to.check_quorum, ..*it },
    |it, to| PlanSettings { stickiness: to.stickiness, ..*it },
    |it, to| PlanSettings { forwarding: to.forwarding, ..*it },
    |it, to| PlanSettings { max_batch_bytes: to.max_batch_bytes, ..*it },
    |it, to| PlanSettings { max_batch_entries: to.max_batch_entries, ..*it },
    |it, to| PlanSettings { max_inflight_messages: to.max_inflight_messages, ..*it },
    |it, to| PlanSettings { max_inflight_bytes: to.max_inflight_bytes, ..*it },
    |it, to| PlanSettings { max_uncommitted_bytes: to.max_uncommitted_bytes, ..*it },
    |it, to| PlanSettings { max_undurable_bytes: to.max_undurable_bytes, ..*it },
    |it, to| PlanSettings { max_command_bytes: to.max_command_bytes, ..*it },
    |it, to| PlanSettings { max_pending_requests: to.max_pending_requests, ..*it },
    |it, to| PlanSettings { request_timeout: to.request_timeout, ..*it },
    |it, to| PlanSettings { max_cached_bytes: to.max_cached_bytes, ..*it },
    |it, to| PlanSettings { retained_entries: to.retained_entries, ..*it },
    |it, to| PlanSettings { max_chunk_bytes: to.max_chunk_bytes, ..*it },
    |it, to| PlanSettings { read_lease: to.read_lease, ..*it },
    |it, to| PlanSettings { max_clock_drift_ppm: to.max_clock_drift_ppm, ..*it },
    |it, to| PlanSettings { priority: to.priority, ..*it },
];

/// A change of a plan.
type Change = fn(&mut Plan, &Plan);

/// What is tried on the whole plan, before anything is said.
const COARSE: [Change; 14] = [
    |plan, _| plan.static_cut = None,
    |plan, _| plan.other_settings = None,
    |plan, _| plan.workload.sessions = 0,
    |plan, benign| plan.settings = benign.settings,
    |plan, benign| plan.snapshots = benign.snapshots,
    |plan, benign| plan.apply = benign.apply,
    |plan, benign| plan.disk = benign.disk,
    |plan, benign| plan.clocks.clone_from(&benign.clocks),
    |plan, _| plan.founders = plan.nodes,
    |plan, _| plan.network.malformed_per_million = 0,
    |plan, benign| plan.network = benign.network,
    |plan, _| plan.actions.clear(),
    |plan, _| plan.faults.clear(),
    |plan, benign| plan.workload = benign.workload,
];

/// Tries the benign world, piece by piece.
pub(super) fn coarse(search: &mut Search<'_>) {
    search.enter("a benign world");
    for change in COARSE {
        changed(search, change);
    }
}

fn changed(search: &mut Search<'_>, change: impl Fn(&mut Plan, &Plan)) -> bool {
    let mut plan = search.plan().clone();
    let benign = Plan::benign(plan.seed, plan.nodes);
    change(&mut plan, &benign);
    search.attempt(plan)
}

/// Every part of the world on its own.
pub(super) fn fine(search: &mut Search<'_>) {
    search.enter("a benign world");
    for change in COARSE.iter().take(COARSE.len() - 3) {
        changed(search, change);
    }
    for reset in SETTINGS {
        changed(search, |plan, benign| plan.settings = reset(&plan.settings, &benign.settings));
        changed(search, |plan, _| {
            let settings = plan.settings;
            if let Some(others) = &mut plan.other_settings {
                others.settings = reset(&others.settings, &settings);
            }
        });
    }
    tighter(search);
    snapshots(search);
    lanes(search);
    for node in 0..search.plan().clocks.len() {
        changed(search, |plan, benign| plan.clocks[node] = benign.clocks[node]);
    }
    changed(search, |plan, benign| plan.network.gather = benign.network.gather);
    changed(search, |plan, benign| plan.network.leave = benign.network.leave);
    changed(search, |plan, benign| plan.network.order = benign.network.order);
    changed(search, |plan, benign| plan.network.delay = benign.network.delay);
    changed(search, |plan, _| plan.network.slow = Rare::NEVER);
    changed(search, |plan, _| plan.network.loss_per_million = 0);
    changed(search, |plan, _| plan.network.duplicate_per_million = 0);
    clients(search);
    rarer_heartbeats(search);
}

/// Limits that are met sooner; the first leaves them as they are.
const TIGHTER: [Change; 11] = [
    |_, _| (),
    |plan, _| plan.settings.max_chunk_bytes = 16,
    |plan, _| plan.settings.max_chunk_bytes = 256,
    |plan, _| plan.settings.max_batch_entries = 1,
    |plan, _| plan.settings.max_inflight_messages = 1,
    |plan, _| plan.settings.max_cached_bytes = 1,
    |plan, _| plan.settings.retained_entries = 0,
    |plan, _| plan.settings.max_pending_requests = 2,
    |plan, _| plan.snapshots.every = plan.snapshots.every.min(2),
    |plan, _| plan.snapshots.every = plan.snapshots.every.min(4),
    |plan, _| {
        plan.settings.max_uncommitted_bytes = plan.settings.max_uncommitted_bytes.min(512);
    },
];

/// So many seeds are tried with a tighter limit.
const TIGHTER_SEEDS: u64 = 6;

/// Limits that are met sooner: what takes long to come about may then take a few messages.
fn tighter(search: &mut Search<'_>) {
    if search.is_endless() {
        // What takes many messages is not endless for that.
        return;
    }
    for change in TIGHTER {
        let mut plan = search.plan().clone();
        let benign = Plan::benign(plan.seed, plan.nodes);
        change(&mut plan, &benign);
        // What clients with sessions ask for cannot be said; it can if others do as well.
        let bare = Plan { workload: Workload { sessions: 0, ..plan.workload }, ..plan.clone() };
        let seeds = std::iter::once(plan.seed).chain(0..search.affordable(TIGHTER_SEEDS));
        let plans = seeds.flat_map(|seed| [&bare, &plan].map(|plan| Plan { seed, ..plan.clone() }));
        let plans = plans.collect();
        search.attempt_best(plans);
    }
}

fn snapshots(search: &mut Search<'_>) {
    type Part = fn(&mut SnapshotProfile, &SnapshotProfile);
    let parts: [Part; 4] = [
        |it, to| it.latency = to.latency,
        |it, to| it.failure_per_million = to.failure_per_million,
        |it, to| it.stale_per_million = to.stale_per_million,
        |it, to| it.elsewhere_per_million = to.elsewhere_per_million,
    ];
    for part in parts {
        changed(search, |plan, benign| part(&mut plan.snapshots, &benign.snapshots));
    }
    // All or nothing is a rule; anything between is drawn.
    changed(search, |plan, _| plan.snapshots.elsewhere_per_million = 1_000_000);
    changed(search, |plan, _| plan.snapshots.stale_per_million = 1_000_000);
}

/// Disks and machines that always take the same time, and usually a short one.
fn lanes(search: &mut Search<'_>) {
    for time in [200, 1_000, 5_000, 20_000, 60_000] {
        changed(search, |plan, benign| {
            plan.disk = benign.disk;
            plan.disk.write = Span::exactly(time);
        });
        changed(search, |plan, benign| {
            let machine = plan.apply.machine;
            plan.apply = benign.apply;
            (plan.apply.latency, plan.apply.machine) = (Span::exactly(time), machine);
        });
        changed(search, |plan, _| plan.network.delay = Span::exactly(time));
    }
    changed(search, |plan, _| plan.disk.receipt = Span::exactly(0));
    changed(search, |plan, _| plan.apply.report = Span::exactly(0));
    changed(search, |plan, _| plan.apply.machine = MachineMemory::Rebuilt);
}

/// Fewer clients that ask less often, where they choose for themselves.
fn clients(search: &mut Search<'_>) {
    if search.plan().workload.clients == 0 {
        return;
    }
    for clients in [1, 2, 3] {
        with_seeds(search, |load| load.clients = clients.min(load.clients));
    }
    for part in [1, 4, 8, 15] {
        with_seeds(search, |load| load.operations = load.operations * part / 16);
    }
    with_seeds(search, |load| load.read_per_million = 0);
}

/// So many seeds are tried with clients that ask less.
const LESS_SEEDS: u64 = 16;

/// Other clients ask at other times: what is rare in one draw of their work may come about in the next.
fn with_seeds(search: &mut Search<'_>, change: impl Fn(&mut Workload)) {
    let mut plan = search.plan().clone();
    change(&mut plan.workload);
    let seeds = std::iter::once(plan.seed).chain(0..search.affordable(LESS_SEEDS));
    let plans = seeds.map(|seed| Plan { seed, ..plan.clone() }).collect();
    search.attempt_best(plans);
}

/// Fewer messages to look at.
fn rarer_heartbeats(search: &mut Search<'_>) {
    for part in [2, 3] {
        changed(search, |plan, _| {
            let rarer = Ticks(plan.settings.election_timeout.0 / part);
            plan.settings.heartbeat_interval = plan.settings.heartbeat_interval.max(rarer);
        });
    }
}
