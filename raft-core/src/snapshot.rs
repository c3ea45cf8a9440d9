//! Snapshots: what one stands for, and the obligations and receipts by which its bytes move.
//!
//! The core never holds more of a snapshot than a chunk that is on its way. The driver takes one
//! ([`TakeSnapshot`]), reads it ([`ReadChunk`]), stages what arrives ([`WriteChunk`], or [`FetchSnapshot`] when the
//! bytes come from elsewhere) and loads it into the machine ([`Restore`]). As with
//! [`Persist`](crate::Persist), a receipt can only be made from its obligation, once.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;

use crate::membership::Membership;
use crate::token::{Life, Ticket};
use crate::types::{LogIndex, LogPosition, NodeId};

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

/// A snapshot of which not all has arrived: what the driver has staged of it, and the disk holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PartialSnapshot {
    /// Who sends it. The same state has other bytes at another node.
    pub source: NodeId,
    /// What it stands for.
    pub snapshot: SnapshotMeta,
    /// How many bytes it has in all.
    pub total: u64,
    /// How many of them, from the first, are durable.
    pub received: u64,
}

/// The permission to take a snapshot of the machine, from [`Node::take_snapshot`](crate::Node::take_snapshot).
#[derive(Debug)]
#[must_use = "store the machine's state with `meta()`, sync it, then step with `Input::SnapshotTaken(take.done())`"]
pub struct TakeSnapshot {
    pub(crate) meta: SnapshotMeta,
    pub(crate) life: Life,
}

/// The receipt for a snapshot that was taken.
#[derive(Debug)]
#[must_use = "the log is not compacted before the node has this: step with `Input::SnapshotTaken(receipt)`"]
pub struct SnapshotTaken {
    pub(crate) meta: SnapshotMeta,
    pub(crate) life: Life,
}

impl TakeSnapshot {
    /// What the snapshot stands for; to be stored with it.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// States that the machine's state as of [`TakeSnapshot::meta`], and the meta itself, are durable.
    pub fn done(self) -> SnapshotTaken {
        SnapshotTaken { meta: self.meta, life: self.life }
    }
}

impl SnapshotTaken {
    /// What the snapshot stands for.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }
}

/// The obligation to read some bytes of a snapshot, for a peer.
#[derive(Debug)]
#[must_use = "the peer waits for these bytes: answer with `Input::ChunkRead`"]
pub struct ReadChunk {
    pub(crate) ticket: Ticket,
    pub(crate) peer: NodeId,
    pub(crate) snapshot: SnapshotMeta,
    pub(crate) offset: u64,
    pub(crate) max_bytes: u64,
}

/// The answer to a [`ReadChunk`].
#[derive(Debug)]
#[must_use = "the node waits for this answer: step with `Input::ChunkRead(answer)`"]
pub struct ChunkRead {
    pub(crate) ticket: Ticket,
    pub(crate) peer: NodeId,
    pub(crate) answer: ChunkAnswer,
}

/// What a [`ReadChunk`] was answered with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ChunkAnswer {
    /// Bytes.
    Chunk {
        /// How many bytes the snapshot has in all.
        total: u64,
        /// Those from the offset that was asked for, at most as many as were asked for; none only at the end.
        data: Bytes,
    },
    /// Words by which the peer's driver can fetch the whole snapshot from elsewhere.
    Locator(Bytes),
    /// It cannot be read now, or is not there any more.
    Failed,
}

impl ReadChunk {
    /// For whom.
    pub fn peer(&self) -> NodeId {
        self.peer
    }

    /// Of which snapshot. It must be kept until [`Node::oldest_snapshot_in_use`](crate::Node::oldest_snapshot_in_use)
    /// has passed it.
    pub fn snapshot(&self) -> &SnapshotMeta {
        &self.snapshot
    }

    /// How many bytes to skip.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes to read at most.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The bytes at the offset; `total` is how many the snapshot has in all.
    pub fn done(self, total: u64, data: Bytes) -> ChunkRead {
        self.answered(ChunkAnswer::Chunk { total, data })
    }

    /// No bytes, but words by which the peer's driver can fetch the snapshot from elsewhere.
    pub fn located(self, locator: Bytes) -> ChunkRead {
        self.answered(ChunkAnswer::Locator(locator))
    }

    /// It cannot be read now, or is not there any more. The node asks again later, perhaps for a newer one.
    pub fn failed(self) -> ChunkRead {
        self.answered(ChunkAnswer::Failed)
    }

    fn answered(self, answer: ChunkAnswer) -> ChunkRead {
        ChunkRead { ticket: self.ticket, peer: self.peer, answer }
    }
}

/// The obligation to stage some bytes of a snapshot that arrives.
///
/// Bytes at offset 0 begin a new snapshot: whatever was staged before is dropped.
#[derive(Debug)]
#[must_use = "the leader waits for these bytes: stage and sync them, then step with `Input::ChunkWritten`"]
pub struct WriteChunk {
    pub(crate) ticket: Ticket,
    /// As it will be when these bytes are durable.
    pub(crate) partial: Box<PartialSnapshot>,
    pub(crate) offset: u64,
    pub(crate) data: Bytes,
}

/// The obligation to fetch a whole snapshot from elsewhere, and to stage it.
#[derive(Debug)]
#[must_use = "the leader waits for this snapshot: fetch and sync it, then step with `Input::ChunkWritten`"]
pub struct FetchSnapshot {
    pub(crate) ticket: Ticket,
    pub(crate) source: NodeId,
    pub(crate) snapshot: SnapshotMeta,
    pub(crate) locator: Bytes,
}

/// The receipt for a [`WriteChunk`] or a [`FetchSnapshot`].
#[derive(Debug)]
#[must_use = "the node waits for this receipt: step with `Input::ChunkWritten(receipt)`"]
pub struct ChunkWritten {
    pub(crate) ticket: Ticket,
    pub(crate) answer: StageAnswer,
}

/// What became of bytes that were to be staged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum StageAnswer {
    /// They are durable.
    Staged,
    /// A whole snapshot is durable, and this is what it says it stands for.
    Fetched(SnapshotMeta),
    /// They could not be had or kept (the disk is full, the source does not answer).
    Failed,
}

impl WriteChunk {
    /// The state of the staged snapshot when these bytes are durable; to be stored with them, so that a restart
    /// can go on from there ([`Restored::partial`](crate::Restored::partial)).
    pub fn partial(&self) -> &PartialSnapshot {
        &self.partial
    }

    /// Where the bytes go.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// States that the bytes and [`WriteChunk::partial`] are durable.
    pub fn done(self) -> ChunkWritten {
        ChunkWritten { ticket: self.ticket, answer: StageAnswer::Staged }
    }

    /// They could not be kept: nothing of the snapshot is staged any more.
    pub fn failed(self) -> ChunkWritten {
        ChunkWritten { ticket: self.ticket, answer: StageAnswer::Failed }
    }
}

impl FetchSnapshot {
    /// Which node named the place.
    pub fn source(&self) -> NodeId {
        self.source
    }

    /// What the snapshot must stand for.
    pub fn snapshot(&self) -> &SnapshotMeta {
        &self.snapshot
    }

    /// Where it is, in the words of the other node's driver.
    pub fn locator(&self) -> &Bytes {
        &self.locator
    }

    /// States that a snapshot is staged and durable, and what it says it stands for. When that is not what was
    /// asked for, the node refuses it.
    pub fn done(self, found: SnapshotMeta) -> ChunkWritten {
        ChunkWritten { ticket: self.ticket, answer: StageAnswer::Fetched(found) }
    }

    /// It could not be had.
    pub fn failed(self) -> ChunkWritten {
        ChunkWritten { ticket: self.ticket, answer: StageAnswer::Failed }
    }
}

/// The obligation to load the snapshot that counts into the machine, in place of all it holds. Part of the
/// machine's lane: there is one of this or of [`Apply`](crate::Apply) at a time.
#[derive(Debug)]
#[must_use = "the node waits for the machine: restore it, then step with `Input::Applied(restore.done())`"]
pub struct Restore {
    pub(crate) snapshot: SnapshotMeta,
    pub(crate) life: Life,
}

impl Restore {
    /// Which snapshot.
    pub fn snapshot(&self) -> &SnapshotMeta {
        &self.snapshot
    }

    /// Up to here the machine holds everything when it is restored.
    pub fn index(&self) -> LogIndex {
        self.snapshot.position.index
    }
}
