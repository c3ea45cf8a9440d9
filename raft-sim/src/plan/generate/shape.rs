//! The cluster, its settings, its network, its disks and its load.

use raft_core::{Forwarding, Instant, NodeId, Priority, Ticks, Toggle};

use super::{Item, Source};
use crate::draw::Draw;
use crate::plan::node::{
    ApplyProfile, DiskProfile, MachineMemory, SnapshotProfile, TRUE_RATE, Workload,
};
use crate::plan::{Network, Order, OtherSettings, PlanSettings, Rare, Span, StaticCut};

/// How often each size occurs, from 1 node to 7, in a hundred.
const SIZES: [u64; 7] = [3, 4, 38, 9, 31, 6, 9];

/// The least election timeout of every plan, in microseconds: the unit of everything else.
pub(super) const ELECTION_TIMEOUT: u64 = 150_000;

/// True in `percent` of a hundred draws.
pub(super) fn percent(draw: &mut Draw, percent: u32) -> bool {
    draw.chance(percent * 10_000)
}

pub(super) fn nodes(source: Source) -> u32 {
    let mut left = source.of(Item::Nodes).below(SIZES.iter().sum());
    for (weight, size) in SIZES.into_iter().zip(1..) {
        if left < weight {
            return size;
        }
        left -= weight;
    }
    unreachable!("the draw is below the sum of the weights")
}

/// A safeguard is off in `share` of a hundred plans.
fn toggle(mut draw: Draw, share: u32) -> Toggle {
    if percent(&mut draw, share) { Toggle::Off } else { Toggle::On }
}

/// A limit is tight in `share` of a hundred plans.
fn limit(mut draw: Draw, share: u32, tight: (u64, u64), wide: u64) -> u64 {
    if percent(&mut draw, share) { draw.log_uniform(tight.0, tight.1) } else { wide }
}

pub(super) fn settings(source: Source) -> PlanSettings {
    let election = ELECTION_TIMEOUT;
    let parts = *source.of(Item::Heartbeat).pick(&[3, 4, 5, 7, 10]);
    let stickiness = toggle(source.of(Item::Stickiness), 20);
    let wants_lease = toggle(source.of(Item::ReadLease), 40);
    let batch_bytes = limit(source.of(Item::BatchBytes), 35, (64, 1_024), 64 * 1_024);
    PlanSettings {
        election_timeout: Ticks(election),
        heartbeat_interval: Ticks(election / parts),
        pre_vote: toggle(source.of(Item::PreVote), 25),
        check_quorum: toggle(source.of(Item::CheckQuorum), 15),
        stickiness,
        forwarding: if percent(&mut source.of(Item::Forwarding), 30) {
            Forwarding::Refuse
        } else {
            Forwarding::ToLeader
        },
        max_batch_bytes: batch_bytes,
        max_batch_entries: limit(source.of(Item::BatchEntries), 40, (1, 4), 64),
        max_inflight_messages: limit(source.of(Item::InflightMessages), 40, (1, 4), 64),
        max_inflight_bytes: limit(source.of(Item::InflightBytes), 20, (64, 2_048), 1 << 20),
        max_uncommitted_bytes: limit(source.of(Item::UncommittedBytes), 12, (512, 8_192), 1 << 20),
        max_undurable_bytes: limit(source.of(Item::UndurableBytes), 12, (512, 8_192), 1 << 20),
        max_command_bytes: 64 * 1_024,
        max_pending_requests: limit(source.of(Item::PendingRequests), 12, (2, 8), 1_024),
        request_timeout: Ticks(
            source.of(Item::RequestTimeout).log_uniform(2 * election, 16 * election),
        ),
        max_cached_bytes: limit(source.of(Item::CachedBytes), 40, (1, 4_096), 1 << 20),
        retained_entries: limit(source.of(Item::RetainedEntries), 70, (1, 20), 100) - 1,
        max_chunk_bytes: limit(source.of(Item::ChunkBytes), 60, (512, 4_096), 64 * 1_024),
        // A lease rests on stickiness.
        read_lease: if stickiness.is_on() { wants_lease } else { Toggle::Off },
        max_clock_drift_ppm: clock_error(source),
        priority: Priority::HIGHEST,
    }
}

/// In a fifth of the plans some nodes are configured otherwise: other limits, safeguards, timeouts, priorities.
pub(super) fn other_settings(
    source: Source,
    nodes: u32,
    settings: &PlanSettings,
    static_cut: Option<StaticCut>,
) -> Option<OtherSettings> {
    let mut draw = source.of(Item::OtherSettings);
    if !percent(&mut draw, 20) {
        return None;
    }
    let mut names: Vec<NodeId> = (1..=u64::from(nodes)).map(NodeId).collect();
    names.retain(|_| percent(&mut draw, 50));
    let other = self::settings(Source { seed: draw.bits() });
    let is_calm = static_cut.is_none();
    let election = if is_calm && percent(&mut draw, 50) {
        draw.between(ELECTION_TIMEOUT, 2 * ELECTION_TIMEOUT)
    } else {
        ELECTION_TIMEOUT
    };
    let steps = if is_calm { draw.below(3) } else { 0 };
    let other = PlanSettings {
        election_timeout: Ticks(election),
        request_timeout: Ticks(other.request_timeout.0.max(election)),
        priority: Priority(u8::try_from(steps).unwrap_or(0)),
        max_clock_drift_ppm: settings.max_clock_drift_ppm,
        ..other
    };
    // Under a static cut everybody keeps the safeguards.
    let PlanSettings { pre_vote, check_quorum, stickiness, .. } = *settings;
    let other = match static_cut {
        Some(_) => PlanSettings { pre_vote, check_quorum, stickiness, ..other },
        None => other,
    };
    Some(OtherSettings { nodes: names, settings: other })
}

pub(super) fn network(source: Source, settings: &PlanSettings) -> Network {
    let election = settings.election_timeout.0;
    let mut delay = source.of(Item::Delay);
    let min = delay.log_uniform(100, election / 60);
    // Mostly fast enough for quiet leaders; now and then so slow that elections overlap.
    let slowest = if percent(&mut delay, 25) { election } else { election / 8 };
    let max = delay.log_uniform(min * 2, slowest);
    let mut slow = source.of(Item::SlowMessages);
    let slow = if percent(&mut slow, 55) {
        Rare {
            per_million: rate(&mut slow, 1_000, 60_000),
            takes: Span::new(election / 4, slow.between(election, election * 3)),
        }
    } else {
        Rare::NEVER
    };
    let mut leave = source.of(Item::Leave);
    let mut gather = source.of(Item::Gather);
    Network {
        gather: if percent(&mut gather, 60) {
            Ticks(0)
        } else {
            Ticks(gather.log_uniform(1, election / 30))
        },
        leave: if percent(&mut leave, 50) {
            Span::exactly(0)
        } else {
            Span::new(1, leave.log_uniform(10, election / 30))
        },
        delay: Span::new(min, max),
        slow,
        loss_per_million: sometimes(source.of(Item::Loss), 50, 1_000, 100_000),
        duplicate_per_million: sometimes(source.of(Item::Duplicates), 50, 1_000, 100_000),
        malformed_per_million: sometimes(source.of(Item::Malformed), 30, 1_000, 30_000),
        order: if percent(&mut source.of(Item::Order), 35) { Order::Kept } else { Order::Any },
    }
}

/// A rate in a million, of uniform order of magnitude.
fn rate(draw: &mut Draw, least: u32, greatest: u32) -> u32 {
    u32::try_from(draw.log_uniform(least.into(), greatest.into())).unwrap_or(greatest)
}

/// A rate in `share` of a hundred plans, and zero in the others.
fn sometimes(mut draw: Draw, share: u32, least: u32, greatest: u32) -> u32 {
    if percent(&mut draw, share) { rate(&mut draw, least, greatest) } else { 0 }
}

pub(super) fn disk(source: Source, settings: &PlanSettings) -> DiskProfile {
    let election = settings.election_timeout.0;
    let mut write = source.of(Item::Write);
    let min = write.log_uniform(20, 1_000);
    let slowest = if percent(&mut write, 20) { election / 2 } else { election / 20 };
    let max = write.log_uniform(min * 2, slowest);
    let mut slow = source.of(Item::SlowWrites);
    let slow = if percent(&mut slow, 35) {
        Rare {
            per_million: rate(&mut slow, 1_000, 50_000),
            takes: Span::new(election / 8, slow.between(election / 2, election * 3)),
        }
    } else {
        Rare::NEVER
    };
    let mut receipt = source.of(Item::Receipt);
    let receipt = if percent(&mut receipt, 50) {
        Span::new(1, receipt.log_uniform(10, election / 10))
    } else {
        Span::exactly(0)
    };
    DiskProfile { write: Span::new(min, max), slow, receipt }
}

pub(super) fn apply(source: Source, settings: &PlanSettings) -> ApplyProfile {
    let election = settings.election_timeout.0;
    let mut latency = source.of(Item::ApplyLatency);
    let slowest = if percent(&mut latency, 15) { election } else { election / 50 };
    let mut report = source.of(Item::ApplyReport);
    ApplyProfile {
        latency: Span::new(10, latency.log_uniform(20, slowest)),
        report: if percent(&mut report, 40) {
            Span::new(1, report.log_uniform(10, election / 20))
        } else {
            Span::exactly(0)
        },
        machine: if percent(&mut source.of(Item::Machine), 25) {
            MachineMemory::Durable
        } else {
            MachineMemory::Rebuilt
        },
    }
}

/// In two thirds of the plans machines are compacted, often in small steps.
pub(super) fn snapshots(source: Source, settings: &PlanSettings) -> SnapshotProfile {
    let election = settings.election_timeout.0;
    let mut every = source.of(Item::SnapshotEvery);
    let mut latency = source.of(Item::SnapshotLatency);
    let slowest = if percent(&mut latency, 25) { election } else { election / 20 };
    SnapshotProfile {
        every: if percent(&mut every, 65) { every.log_uniform(2, 60) } else { 0 },
        latency: Span::new(10, latency.log_uniform(20, slowest)),
        failure_per_million: sometimes(source.of(Item::SnapshotFailures), 40, 1_000, 200_000),
        elsewhere_per_million: sometimes(source.of(Item::Elsewhere), 25, 100_000, 1_000_000),
        stale_per_million: sometimes(source.of(Item::StalePlaces), 50, 10_000, 300_000),
    }
}

/// In a fifth of the plans clients have sessions, often more of them than there is room for.
fn sessions(mut draw: Draw) -> u64 {
    if percent(&mut draw, 20) { draw.between(2, 16) } else { 0 }
}

/// How wrong a clock is at most, in millionths.
fn clock_error(source: Source) -> u32 {
    *source.of(Item::ClockError).pick(&[10_000, 50_000, 150_000, 150_000])
}

/// In half of the plans all clocks are right. In the others each is wrong by as much as it may, or less; or by just
/// that in one direction or the other; or one clock differs by that much from all others.
pub(super) fn clocks(source: Source, nodes: u32) -> Vec<u32> {
    let error = clock_error(source);
    let (late, early) = (TRUE_RATE - error, TRUE_RATE + error);
    let mut draw = source.of(Item::Clocks);
    let wrong = percent(&mut draw, 50);
    let (sort, odd) = (draw.below(4), draw.between(1, nodes.into()));
    let (one, others) = *draw.pick(&[(late, early), (early, late)]);
    let mut rates = Vec::new();
    for node in 1..=u64::from(nodes) {
        let mut draw = source.nth(Item::Clocks, node);
        rates.push(match sort {
            _ if !wrong => TRUE_RATE,
            0 => {
                let off = draw.below(u64::from(2 * error) + 1);
                late + u32::try_from(off).unwrap_or(0)
            }
            1 => *draw.pick(&[late, early]),
            _ if node == odd => one,
            _ => others,
        });
    }
    rates
}

pub(super) fn workload(source: Source, settings: &PlanSettings, heal_at: Instant) -> Workload {
    let election = settings.election_timeout.0;
    let clients = source.of(Item::Clients).between(3, 10);
    let mut operations = source.of(Item::Operations);
    // A quiet cluster is another one: logs stay equal while nobody writes, and so anybody may be elected.
    let operations = if percent(&mut operations, 20) {
        operations.between(15, 80)
    } else {
        operations.between(250, 600)
    };
    // So many operations need so much time each, if they are to last until everything is healed.
    let each = (heal_at.0 * clients / operations).clamp(1_000, 4 * election);
    let mut think = source.of(Item::Think);
    let think = Span::new(each / 8, think.between(each / 2, each * 2));
    let mut patience = source.of(Item::Patience);
    let longest = patience.log_uniform(election / 2, election * 8);
    Workload {
        clients: u32::try_from(clients).unwrap_or(1),
        operations,
        think,
        patience: Span::new(longest / 4, longest),
        backoff: Span::new(
            election / 16,
            source.of(Item::Backoff).log_uniform(election / 12, election / 2),
        ),
        follow_per_million: rate(&mut source.of(Item::Follow), 250_000, 950_000),
        sessions: sessions(source.of(Item::Sessions)),
        read_per_million: sometimes(source.of(Item::Reads), 80, 300_000, 1_000_000),
        stay_per_million: rate(&mut source.of(Item::Stay), 250_000, 900_000),
    }
}
