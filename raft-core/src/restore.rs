//! The ways to start a node, and what must be true of a disk.
//!
//! Three types, so that they cannot be confused: [`Bootstrap`] founds a cluster, [`Join`] comes to an
//! existing one with an empty disk, [`Restored`] is a node that was there before. A node that lost its disk
//! must not come back under its old name: it may have voted and acknowledged.

use alloc::vec::Vec;

use crate::entry::{Entry, Payload};
use crate::membership::Membership;
use crate::persist::HardState;
use crate::snapshot::SnapshotMeta;
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
    /// The last snapshot installed; at index 0 for a log that begins at its beginning.
    pub snapshot: SnapshotMeta,
    /// The log after the snapshot's position.
    pub entries: Vec<Entry>,
    /// The last commit hint written.
    pub commit: LogIndex,
    /// Up to here the state machine itself is durable; 0 for one that is rebuilt from the log.
    pub applied: LogIndex,
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
    /// The machine is older than the snapshot that the log begins with.
    #[error(
        "the machine has applied up to {applied} but the log begins after {base}: restore the snapshot first"
    )]
    AppliedBeforeSnapshot {
        /// The machine's mark.
        applied: LogIndex,
        /// The snapshot's index.
        base: LogIndex,
    },
    /// The counters are at the end of their range.
    #[error("the hard state's term or incarnation is out of range: the hard state is corrupt")]
    OutOfRange,
}

impl Restored {
    /// The disk must be one that some prefix of writes leaves behind.
    pub(crate) fn validate(&self) -> Result<(), RestoreError> {
        let HardState { term, incarnation, vote: _ } = self.hard_state;
        // A founder whose founding write alone became durable has a membership and no hard state yet.
        let is_founded = !self.snapshot.membership.voters().is_empty()
            && self.entries.is_empty()
            && self.hard_state == HardState::default();
        if incarnation == Incarnation(0) && !is_founded {
            return Err(RestoreError::NeverStarted);
        }
        if term > Term::MAX || incarnation.0 == u64::MAX {
            return Err(RestoreError::OutOfRange);
        }
        let base = self.snapshot.position;
        let mut before = base;
        if (base.term == Term::ZERO) != (base.index == LogIndex::ZERO) || base.index > LogIndex::MAX
        {
            return Err(RestoreError::ImpossibleBase { base });
        }
        if base.index > LogIndex::ZERO && self.snapshot.membership.voters().is_empty() {
            return Err(RestoreError::NoVoters { index: base.index });
        }
        if base.term > term {
            return Err(RestoreError::EntryBeyondTerm { entry: base, term });
        }
        for entry in &self.entries {
            let position = LogPosition::new(entry.term, before.index.next());
            if entry.term == Term::ZERO {
                return Err(RestoreError::EntryWithoutTerm { index: position.index });
            }
            if matches!(&entry.payload, Payload::Membership(of) if of.voters().is_empty()) {
                return Err(RestoreError::NoVoters { index: position.index });
            }
            if entry.term < before.term {
                return Err(RestoreError::FallingTerm { entry: position, before: before.term });
            }
            if entry.term > term {
                return Err(RestoreError::EntryBeyondTerm { entry: position, term });
            }
            before = position;
        }
        if self.applied > before.index {
            return Err(RestoreError::AppliedBeyondLog {
                applied: self.applied,
                last: before.index,
            });
        }
        if self.applied < base.index {
            return Err(RestoreError::AppliedBeforeSnapshot {
                applied: self.applied,
                base: base.index,
            });
        }
        Ok(())
    }

    /// The memberships in the log, with their indexes.
    pub(crate) fn memberships(
        &self,
    ) -> impl Iterator<Item = (LogIndex, &alloc::sync::Arc<Membership>)> {
        let base = self.snapshot.position.index;
        self.entries.iter().enumerate().filter_map(move |(offset, entry)| match &entry.payload {
            Payload::Membership(membership) => Some((base.advanced(offset + 1), membership)),
            Payload::Blank | Payload::Command { .. } => None,
        })
    }
}
