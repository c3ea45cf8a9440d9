//! The state machine's progress, as far as the node knows. One batch, or one restoration, is out at a time.

use crate::slot::Slot;
use crate::types::{LogIndex, LogPosition};

/// Invariant: `applied <= handed <= commit`, and `handed <= durable` when it rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct MachineLane {
    /// Up to here the machine has reported.
    pub(crate) applied: LogIndex,
    /// Up to here it has been given entries, or a snapshot.
    pub(crate) handed: LogIndex,
    /// The snapshot that it is being restored from.
    pub(crate) restoring: Option<LogPosition>,
    /// Entries for it are being read from the log's store.
    pub(crate) fetch: Slot,
}

impl MachineLane {
    pub(crate) fn new(applied: LogIndex) -> Self {
        Self { applied, handed: applied, restoring: None, fetch: Slot::Free }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.applied == self.handed
    }
}
