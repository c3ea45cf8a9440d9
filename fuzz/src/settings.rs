//! Settings that a node runs with, and memberships, of bytes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use raft_core::{
    ClusterId, Config, Forwarding, Membership, MembershipParts, NodeId, Priority, Settings, Ticks,
    Toggle,
};

use crate::dice::Dice;

/// The cluster of every node here.
pub const CLUSTER: ClusterId = ClusterId(7);
/// Most memberships name nodes from 1 to this.
const NAMES: u64 = 5;
/// A membership with so many members is large enough to hit every limit on numbers of peers.
const MANY: u64 = 300;

/// Sound settings: small limits and the usual times as a rule, and whatever [`Settings::validate`] takes now and then.
///
/// # Panics
/// When settings that keep every documented bound are refused.
pub fn settings(dice: &mut Dice<'_>, id: NodeId) -> Config {
    let usual = Settings::new(CLUSTER, id);
    let heartbeat = dice.near(10).clamp(1, u64::MAX / 2048);
    let mut settings = Settings {
        seed: u64::from(dice.byte()),
        heartbeat_interval: Ticks(heartbeat),
        election_timeout: Ticks(dice.near(100).clamp(2 * heartbeat, u64::MAX / 1024)),
        request_timeout: Ticks(dice.near(1_000).max(1)),
        pre_vote: toggle(dice, usual.pre_vote),
        check_quorum: toggle(dice, usual.check_quorum),
        stickiness: toggle(dice, usual.stickiness),
        read_lease: if dice.rarely(2) { Toggle::On } else { Toggle::Off },
        forwarding: if dice.rarely(4) { Forwarding::Refuse } else { Forwarding::ToLeader },
        priority: Priority(if dice.rarely(4) { dice.byte() } else { 0 }),
        max_clock_drift_ppm: u32::try_from(dice.near(10_000)).unwrap_or(u32::MAX).min(500_000),
        max_batch_bytes: limit(dice, 256),
        max_batch_entries: limit(dice, 4),
        max_inflight_messages: limit(dice, 4),
        max_inflight_bytes: limit(dice, 1_024),
        max_uncommitted_bytes: limit(dice, 1_024),
        max_undurable_bytes: limit(dice, 1_024),
        max_command_bytes: limit(dice, 1_024),
        max_cached_bytes: dice.near(512),
        retained_entries: dice.near(2),
        max_chunk_bytes: limit(dice, 16),
        max_pending_requests: limit(dice, 8),
        ..usual
    };
    if !settings.stickiness.is_on() {
        settings.read_lease = Toggle::Off;
    }
    settings.validate().expect("each of them keeps its bounds")
}

fn toggle(dice: &mut Dice<'_>, usual: Toggle) -> Toggle {
    if dice.rarely(4) { Toggle::Off } else { usual }
}

fn limit(dice: &mut Dice<'_>, usual: u64) -> u64 {
    dice.near(usual).max(1)
}

/// Nodes 1, 2 and 3 as a rule; else any others, joint or not, with learners and contexts; nobody, or very many.
pub fn membership(dice: &mut Dice<'_>) -> Membership {
    let usual = 0b00_111;
    let mut parts = match dice.byte() {
        0..=127 => parts_of(usual, 0, 0),
        128..=191 => parts_of(dice.byte(), 0, 0),
        192..=215 => parts_of(dice.byte(), 0, dice.byte()),
        216..=235 => parts_of(dice.byte(), dice.byte(), dice.byte()),
        236..=239 => MembershipParts::default(),
        240..=243 => MembershipParts {
            voters: (1..=MANY).map(NodeId).collect(),
            ..MembershipParts::default()
        },
        244..=247 => MembershipParts {
            voters: BTreeSet::from([NodeId(dice.bits()), NodeId(1)]),
            ..MembershipParts::default()
        },
        _ => MembershipParts {
            contexts: BTreeMap::from([(NodeId(2), dice.data())]),
            ..parts_of(usual, 0, 0)
        },
    };
    parts.learners.retain(|id| !parts.voters.contains(id));
    parts.try_into().unwrap_or_default()
}

fn parts_of(voters: u8, outgoing: u8, learners: u8) -> MembershipParts {
    let set = |bits: u8| {
        let names = (1..=NAMES).filter(|name| bits >> (name - 1) & 1 == 1);
        names.map(NodeId).collect()
    };
    MembershipParts {
        voters: set(voters),
        outgoing: set(outgoing),
        learners: set(learners),
        contexts: BTreeMap::<NodeId, Bytes>::new(),
    }
}
