//! From the ways to start to the replica that starts.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::Config;
use crate::entry::Entry;
use crate::log::Log;
use crate::membership::{Membership, Memberships};
use crate::outbox::Outbox;
use crate::pending::Pending;
use crate::persist::{HardState, Life};
use crate::rejection::Rejections;
use crate::replica::{MachineLane, Replica};
use crate::restore::{Bootstrap, Join, RestoreError, Restored, Start};
use crate::rng::Jitter;
use crate::snapshot::SnapshotMeta;
use crate::types::{Incarnation, Instant, LogIndex, LogPosition};
use crate::write_lane::WriteLane;

/// What a node begins with, whichever way it starts.
pub(crate) struct Origins {
    /// As on the disk: of the life before.
    hard_state: HardState,
    snapshot: SnapshotMeta,
    entries: Vec<Entry>,
    memberships: Memberships,
    commit: LogIndex,
    applied: LogIndex,
    founding: Option<SnapshotMeta>,
}

impl Origins {
    /// # Errors
    /// When the disk contradicts itself, or the node is not among the founders.
    pub(crate) fn of(start: Start, config: &Config) -> Result<Self, RestoreError> {
        match start {
            Start::Bootstrap(Bootstrap { membership }) => Self::found(config, membership),
            Start::Join(Join) => Ok(Self::empty()),
            Start::Restart(restored) => Self::restart(restored),
        }
    }

    fn empty() -> Self {
        Self::of_snapshot(SnapshotMeta::default())
    }

    fn of_snapshot(snapshot: SnapshotMeta) -> Self {
        let memberships = Memberships::new(snapshot.position.index, snapshot.membership.clone());
        Self {
            hard_state: HardState::default(),
            snapshot,
            entries: Vec::new(),
            memberships,
            commit: LogIndex::ZERO,
            applied: LogIndex::ZERO,
            founding: None,
        }
    }

    fn found(config: &Config, membership: Membership) -> Result<Self, RestoreError> {
        if !membership.contains(config.id) {
            return Err(RestoreError::NotAMember { id: config.id });
        }
        let snapshot =
            SnapshotMeta { position: LogPosition::ZERO, membership: Arc::new(membership) };
        let founding = Some(snapshot.clone());
        Ok(Self { founding, ..Self::of_snapshot(snapshot) })
    }

    fn restart(restored: Restored) -> Result<Self, RestoreError> {
        restored.validate()?;
        let mut origins = Self::of_snapshot(restored.snapshot.clone());
        for (index, membership) in restored.memberships() {
            origins.memberships.append(index, membership.clone());
        }
        origins.hard_state = restored.hard_state;
        origins.applied = restored.applied;
        // The hint may be older than what the machine holds, and than nothing else.
        origins.commit = restored.commit.max(restored.applied);
        origins.entries = restored.entries;
        Ok(origins)
    }

    /// The replica as it is before its first step. A new life begins: the incarnation is one higher than on
    /// the disk, and is written before anything else leaves.
    pub(crate) fn replica(self, config: Config, now: Instant) -> Replica {
        let incarnation = Incarnation(self.hard_state.incarnation.0 + 1);
        let now = now.min(Instant::LAST);
        let life = Life { node: config.id, incarnation, started: now };
        Replica {
            now,
            hard_state: HardState { incarnation, ..self.hard_state },
            log: Log::restore(self.snapshot.position, self.entries, self.commit),
            memberships: self.memberships,
            lane: WriteLane::new(life, self.hard_state, self.founding),
            outbox: Outbox::default(),
            pending: Pending::default(),
            machine: MachineLane { applied: self.applied, handed: self.applied },
            jitter: Jitter::new(config.seed, life),
            rejections: Rejections::default(),
            config,
        }
    }
}
