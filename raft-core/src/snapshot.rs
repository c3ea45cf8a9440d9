//! What a snapshot stands for.

use alloc::sync::Arc;

use crate::membership::Membership;
use crate::types::LogPosition;

/// The position up to which a snapshot replaces the log, and the membership *as of that position*
/// (not the one in force when it was taken).
///
/// A new cluster starts from an empty snapshot at position zero that names its first members, so that a
/// bootstrapped disk and a compacted one are the same thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SnapshotMeta {
    /// The last entry it replaces.
    pub position: LogPosition,
    /// The membership as of that entry.
    pub membership: Arc<Membership>,
}
