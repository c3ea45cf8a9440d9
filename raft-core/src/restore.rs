//! The ways to start a node, and what must be true of a disk.
//!
//! A type for each, so that they cannot be confused: [`Bootstrap`] founds a cluster, [`Join`] comes to an
//! existing one with an empty disk, [`Restored`] is a node that was there before, [`Force`] is the last resort. A node
//! that lost its disk must not come back under its old name: it may have voted and acknowledged.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::entry::{Entry, Payload};
use crate::membership::Membership;
use crate::persist::HardState;
use crate::snapshot::{PartialSnapshot, SnapshotMeta};
use crate::terms::Terms;
use crate::types::{Incarnation, LogIndex, LogPosition, NodeId, Term};

/// How a node starts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Start {
    /// A founding member of a new cluster, with an empty disk.
    Bootstrap(Bootstrap),
    /// A new member of an existing cluster, with an empty disk.
    Join(Join),
    /// A member that comes back with the disk it had.
    Restart(Restored),
    /// A survivor of a lost majority.
    Force(Force),
}

/// Founds a cluster. Every founding member starts with the same membership.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bootstrap {
    /// The founding members.
    pub membership: Membership,
}

/// Joins a cluster with an empty disk and a name that was never used: waits to be told who its
/// cluster is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Join;

/// What the disk holds: the sum of the writes that became durable, the last of them in part perhaps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Restored {
    /// The last hard state written; the default if none was.
    pub hard_state: HardState,
    /// The snapshot that counts: the last installed or taken, whichever has the later position; at index 0
    /// for a log that begins at its beginning.
    pub snapshot: SnapshotMeta,
    /// What the log holds.
    pub log: LogSummary,
    /// The last commit hint written.
    pub commit: LogIndex,
    /// Up to here the state machine itself is durable; 0 for one that is rebuilt from snapshot and log.
    pub applied: LogIndex,
    /// The snapshot that was arriving, if any of it is staged.
    pub partial: Option<PartialSnapshot>,
}

/// Forces a membership upon a cluster that has lost a majority for good. **This can lose committed entries and
/// can split the cluster in two.** It is for the day when there is nothing else.
///
/// Do this, and nothing less: make certain that the lost nodes never come back (or give the survivors another
/// [`ClusterId`](crate::ClusterId) first, so that nobody listens to them); stop every survivor; compare their logs and
/// force the one whose last entry has the latest [`LogPosition`], and only that one; restart
/// the others as usual. Everything in the chosen log is then committed, what was not in it is gone.
///
/// The membership is written by the node's first write. A crash before that leaves the disk as it was, but for a
/// later term: force it again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Force {
    /// What the disk of the chosen survivor holds.
    pub restored: Restored,
    /// The survivors: not joint, and with this node among its voters.
    pub membership: Membership,
}

/// What a node keeps in memory of the log on its disk: terms and memberships, not payloads. Made by reading the
/// log once from front to back.
///
/// ```
/// use raft_core::{Entry, LogPosition, LogSummary, Payload, Term};
///
/// let stored = [Entry { term: Term(1), payload: Payload::command("x") }];
/// let mut log = LogSummary::after(LogPosition::ZERO);
/// for entry in &stored {
///     log.push(entry)?;
/// }
/// assert_eq!(log.last().to_string(), "i1@T1");
/// # Ok::<(), raft_core::RestoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogSummary {
    pub(crate) terms: Terms,
    pub(crate) memberships: Vec<(LogIndex, Arc<Membership>)>,
}

impl LogSummary {
    /// A log that begins after `base`: the last position compacted away ([`Write::compact`](crate::Write::compact)), or that
    /// of the snapshot for which the log was removed.
    pub fn after(base: LogPosition) -> Self {
        Self { terms: Terms::after(base), memberships: Vec::new() }
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// [`RestoreError`] when no leader can have written the entry there: the log is corrupt.
    pub fn push(&mut self, entry: &Entry) -> Result<(), RestoreError> {
        let position = LogPosition::new(entry.term, self.last().index.next());
        if entry.term == Term::ZERO {
            return Err(RestoreError::EntryWithoutTerm { index: position.index });
        }
        if position.index > LogIndex::MAX {
            return Err(RestoreError::EntryOutOfRange { entry: position });
        }
        let before = self.terms.last_term();
        if entry.term < before {
            return Err(RestoreError::FallingTerm { entry: position, before });
        }
        if let Payload::Membership(membership) = &entry.payload {
            if membership.voters().is_empty() {
                return Err(RestoreError::NoVoters { index: position.index });
            }
            self.memberships.push((position.index, membership.clone()));
        }
        self.terms.push(entry.term);
        Ok(())
    }

    /// What lies before its first entry.
    pub fn base(&self) -> LogPosition {
        self.terms.base()
    }

    /// Its last entry.
    pub fn last(&self) -> LogPosition {
        self.terms.last()
    }
}

impl From<Bootstrap> for Start {
    fn from(bootstrap: Bootstrap) -> Self {
        Self::Bootstrap(bootstrap)
    }
}

impl From<Join> for Start {
    fn from(join: Join) -> Self {
        Self::Join(join)
    }
}

impl From<Restored> for Start {
    fn from(restored: Restored) -> Self {
        Self::Restart(restored)
    }
}

impl From<Force> for Start {
    fn from(force: Force) -> Self {
        Self::Force(force)
    }
}

/// Why a node cannot start like this: which part of the disk contradicts which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Neither a hard state nor a founding membership: the disk is empty, or another file was read.
    #[error(
        "the disk holds neither a hard state (its incarnation is 0) nor a membership: if it is \
         empty, use Bootstrap or Join with a name that was never used"
    )]
    NeverStarted,
    /// The name is not among the founding members.
    #[error("{id} is not among the founding members: add it, or use Join")]
    NotAMember {
        /// This node.
        id: NodeId,
    },
    /// The log holds an entry of a term that the node had never seen.
    #[error(
        "the log's {entry} is later than the hard state's {term}: the hard state was lost or is stale"
    )]
    EntryBeyondTerm {
        /// The entry.
        entry: LogPosition,
        /// The hard state's term.
        term: Term,
    },
    /// The terms of the log fall.
    #[error(
        "the log's {entry} is of an earlier term than the entry before it ({before}): the log is corrupt"
    )]
    FallingTerm {
        /// The entry.
        entry: LogPosition,
        /// The term before it.
        before: Term,
    },
    /// An entry without a term: no leader ever wrote one.
    #[error("the log's entry at {index} has term 0, which no leader has: the log is corrupt")]
    EntryWithoutTerm {
        /// Where it is.
        index: LogIndex,
    },
    /// A membership without voters: no leader ever wrote one.
    #[error("the membership at {index} has no voters, which no cluster has: the log is corrupt")]
    NoVoters {
        /// Where it is.
        index: LogIndex,
    },
    /// A snapshot position with an index but no term, or the other way about.
    #[error(
        "the snapshot's position {base} is impossible: term and index are zero together or not at all"
    )]
    ImpossibleBase {
        /// The position.
        base: LogPosition,
    },
    /// The machine claims more than the log holds.
    #[error(
        "the machine has applied up to {applied} but the log ends at {last}: the log lost its tail"
    )]
    AppliedBeyondLog {
        /// The machine's mark.
        applied: LogIndex,
        /// The log's last index.
        last: LogIndex,
    },
    /// Entries are missing between the snapshot and the log.
    #[error(
        "the log begins after {base} but the snapshot ends at {snapshot}: the snapshot was lost, or the log \
         was compacted before its snapshot was durable"
    )]
    SnapshotBeforeLog {
        /// The snapshot's position.
        snapshot: LogPosition,
        /// What lies before the log.
        base: LogPosition,
    },
    /// A snapshot that was arriving has more bytes than it has.
    #[error(
        "the staged snapshot has {received} of {total} bytes: remove it, it will be sent again"
    )]
    PartialBeyondTotal {
        /// The bytes that are there.
        received: u64,
        /// The bytes that there are in all.
        total: u64,
    },
    /// The membership to be forced makes no sense at this node.
    #[error(
        "the membership to be forced is joint, or {id} is not among its voters: name the survivors"
    )]
    ForcedMembership {
        /// This node.
        id: NodeId,
    },
    /// An entry where no log has one.
    #[error(
        "the log has {entry}, but no log goes beyond {last}: the log is corrupt",
        last = LogIndex::MAX
    )]
    EntryOutOfRange {
        /// The entry.
        entry: LogPosition,
    },
    /// The counters are at the end of their range.
    #[error("the hard state's term or incarnation is out of range: the hard state is corrupt")]
    OutOfRange,
}

impl Restored {
    /// The disk must be one that some prefix of writes leaves behind.
    pub(crate) fn validate(&self) -> Result<(), RestoreError> {
        let HardState { term, incarnation, vote: _ } = self.hard_state;
        let (base, last) = (self.log.base(), self.log.last());
        // A founder whose founding write alone became durable has a membership and no hard state yet.
        let is_founded = !self.snapshot.membership.voters().is_empty()
            && last == LogPosition::ZERO
            && self.hard_state == HardState::default();
        if incarnation == Incarnation(0) && !is_founded {
            return Err(RestoreError::NeverStarted);
        }
        if term > Term::MAX || incarnation.0 == u64::MAX {
            return Err(RestoreError::OutOfRange);
        }
        self.validate_positions()?;
        if last.term > term {
            return Err(RestoreError::EntryBeyondTerm { entry: last, term });
        }
        if self.snapshot.position.index < base.index {
            return Err(RestoreError::SnapshotBeforeLog { snapshot: self.snapshot.position, base });
        }
        let last = if self.log_holds_snapshot() { last } else { self.snapshot.position };
        if self.applied > last.index {
            return Err(RestoreError::AppliedBeyondLog { applied: self.applied, last: last.index });
        }
        match &self.partial {
            Some(PartialSnapshot { total, received, .. }) if received > total => {
                Err(RestoreError::PartialBeyondTotal { received: *received, total: *total })
            }
            Some(partial) => possible(&partial.snapshot),
            None => Ok(()),
        }
    }

    /// Whether the log goes on from the snapshot. One that does not is from before the snapshot, whose
    /// installation a crash interrupted: it is worth nothing.
    pub(crate) fn log_holds_snapshot(&self) -> bool {
        let SnapshotMeta { position, .. } = self.snapshot;
        self.log.terms.at(position.index) == Some(position.term)
    }

    /// Snapshot and log begin at positions that a log can have.
    fn validate_positions(&self) -> Result<(), RestoreError> {
        possible(&self.snapshot)?;
        possible_position(self.log.base())?;
        for position in [self.snapshot.position, self.log.base()] {
            if position.term > self.hard_state.term {
                return Err(RestoreError::EntryBeyondTerm {
                    entry: position,
                    term: self.hard_state.term,
                });
            }
        }
        Ok(())
    }
}

/// A snapshot that a cluster can have.
fn possible(snapshot: &SnapshotMeta) -> Result<(), RestoreError> {
    let SnapshotMeta { position, membership } = snapshot;
    possible_position(*position)?;
    if position.index > LogIndex::ZERO && membership.voters().is_empty() {
        return Err(RestoreError::NoVoters { index: position.index });
    }
    Ok(())
}

fn possible_position(position: LogPosition) -> Result<(), RestoreError> {
    let is_nowhere = (position.term == Term::ZERO) != (position.index == LogIndex::ZERO);
    if is_nowhere || position.index > LogIndex::MAX {
        return Err(RestoreError::ImpossibleBase { base: position });
    }
    Ok(())
}
