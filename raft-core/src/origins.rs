//! From the ways to start to the replica that starts.

use alloc::sync::Arc;

use crate::config::Config;
use crate::effect::Effects;
use crate::entry::Payload;
use crate::incoming::Incoming;
use crate::log::Log;
use crate::machine_lane::MachineLane;
use crate::membership::{Membership, Memberships};
use crate::outbox::Outbox;
use crate::pending::Pending;
use crate::persist::HardState;
use crate::rejection::Rejections;
use crate::replica::Replica;
use crate::restore::{Bootstrap, Force, Join, RestoreError, Restored, Start};
use crate::rng::Jitter;
use crate::snapshot::{PartialSnapshot, SnapshotMeta};
use crate::terms::Terms;
use crate::token::Life;
use crate::types::{Incarnation, Instant, LogIndex, LogPosition, Term, Ticks};
use crate::write_lane::WriteLane;

/// What a node begins with, whichever way it starts.
pub(crate) struct Origins {
    /// As on the disk: of the life before.
    hard_state: HardState,
    snapshot: SnapshotMeta,
    log: Log,
    memberships: Memberships,
    applied: LogIndex,
    partial: Option<PartialSnapshot>,
    founding: Option<SnapshotMeta>,
    /// The membership that is forced upon the cluster.
    forced: Option<Membership>,
}

/// How many terms are skipped when a membership is forced, so that no election of the lost majority's can have
/// been in the term that follows.
const FORCED_TERMS: u64 = 1_000;

impl Origins {
    /// # Errors
    /// When the disk contradicts itself, or the node is not among the founders.
    pub(crate) fn of(start: Start, config: &Config) -> Result<Self, RestoreError> {
        match start {
            Start::Bootstrap(Bootstrap { membership }) => Self::found(config, membership),
            Start::Join(Join) => Ok(Self::empty(SnapshotMeta::default())),
            Start::Restart(restored) => Self::restart(restored),
            Start::Force(Force { restored, membership }) => {
                let is_sound = !membership.is_joint() && membership.voters().contains(&config.id);
                let forced = Some(membership).filter(|_| is_sound);
                let forced = forced.ok_or(RestoreError::ForcedMembership { id: config.id })?;
                Ok(Self { forced: Some(forced), ..Self::restart(restored)? })
            }
        }
    }

    fn empty(snapshot: SnapshotMeta) -> Self {
        let memberships = Memberships::new(snapshot.position.index, snapshot.membership.clone());
        Self {
            hard_state: HardState::default(),
            log: Log::restore(Terms::after(snapshot.position), snapshot.position.index),
            snapshot,
            memberships,
            applied: LogIndex::ZERO,
            partial: None,
            founding: None,
            forced: None,
        }
    }

    fn found(config: &Config, membership: Membership) -> Result<Self, RestoreError> {
        if !membership.contains(config.id) {
            return Err(RestoreError::NotAMember { id: config.id });
        }
        let snapshot =
            SnapshotMeta { position: LogPosition::ZERO, membership: Arc::new(membership) };
        let founding = Some(snapshot.clone());
        Ok(Self { founding, ..Self::empty(snapshot) })
    }

    fn restart(restored: Restored) -> Result<Self, RestoreError> {
        restored.validate()?;
        let holds_snapshot = restored.log_holds_snapshot();
        let Restored { hard_state, snapshot, log, commit, applied, partial } = restored;
        // What is staged may be from a term that the disk never learnt of. It will be sent again.
        let partial = partial.filter(|p| p.snapshot.position.term <= hard_state.term);
        let mut origins = Self { hard_state, applied, partial, ..Self::empty(snapshot) };
        let position = origins.snapshot.position;
        if holds_snapshot {
            for (index, membership) in log.memberships {
                if index > position.index {
                    origins.memberships.append(index, membership);
                }
            }
            // The hint may be older than what the machine holds, and than what the snapshot stands for.
            origins.log = Log::restore(log.terms, commit.max(applied).max(position.index));
        } else if log.last() != log.base() {
            origins.log = Log::discarded(position);
        }
        Ok(origins)
    }

    /// The replica as it is before its first step. A new life begins: the incarnation is one higher than on
    /// the disk, and is written before anything else leaves.
    pub(crate) fn replica(self, config: Config, now: Instant) -> Replica {
        let incarnation = Incarnation(self.hard_state.incarnation.0 + 1);
        let now = now.min(Instant::LAST);
        let life = Life { node: config.id, incarnation, started: now };
        // A life before may have promised its vote to a leader who still relies on it (thesis §6.4.1).
        let may_have_promised = self.hard_state.term > Term::ZERO;
        let promised = if may_have_promised { config.election_timeout } else { Ticks(0) };
        let mut replica = Replica {
            now,
            hard_state: HardState { incarnation, ..self.hard_state },
            log: self.log,
            snapshot: self.snapshot,
            memberships: self.memberships,
            lane: WriteLane::new(life, self.hard_state, self.founding),
            incoming: Incoming::restored(self.partial),
            outbox: Outbox::default(),
            pending: Pending::default(),
            machine: MachineLane::new(self.applied),
            jitter: Jitter::new(config.seed, life),
            promised_until: now.after(promised),
            suppressed_until: Instant(0),
            is_settled: false,
            questions: 0,
            rejections: Rejections::default(),
            config,
        };
        if let Some(membership) = self.forced {
            force(&mut replica, membership);
        }
        replica
    }
}

/// Everything in the log is declared committed by a membership that nobody voted for.
fn force(replica: &mut Replica, membership: Membership) {
    let HardState { term, incarnation, .. } = replica.hard_state;
    let term = Term((term.0 + FORCED_TERMS).min(Term::MAX.0));
    replica.hard_state = HardState { term, vote: None, incarnation };
    let payload = Payload::Membership(Arc::new(membership));
    replica.append(payload, &mut Effects::new());
}
