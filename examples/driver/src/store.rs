//! What a node keeps on its disk, behind a small trait.
//!
//! A store is handed whole obligations of the node and answers when they are durable. Whoever writes another one
//! runs the [conformance suite](conformance::check) on it.

pub mod conformance;
mod database;
pub mod disk;
mod journal;
mod journaled;
mod memory;

use std::fmt;

use bytes::Bytes;
use raft_core::{
    ClusterId, Entry, LogIndex, LogPosition, NodeId, PartialSnapshot, Restored, SnapshotMeta, Write,
};
use serde::{Deserialize, Serialize};

pub use database::Database;
pub use journaled::Journaled;
pub use memory::Memory;

/// Whose store this is. A store belongs to one node, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} of cluster {}", self.node.0, self.cluster.0)
    }
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk, or the file system on it.
    #[error("the disk failed: {0}")]
    Io(#[from] std::io::Error),
    /// The database.
    #[error("the database failed: {0}")]
    Database(Box<dyn std::error::Error + Send + Sync>),
    /// A store of another node.
    #[error(
        "the store belongs to {found}, not to {expected}: start with the right folder, or the right name"
    )]
    Identity {
        /// Whose it is.
        found: Identity,
        /// Who asked.
        expected: Identity,
    },
    /// What is there cannot be read.
    #[error("{what} in the store cannot be read ({why}): it is corrupt, or of another version")]
    Corrupt {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// It was asked for something that does not follow from what it holds.
    #[error("{0}")]
    Contradiction(String),
}

/// Keeps what a node must not forget. All methods block until they are done, and what they wrote is durable then.
///
/// Calls may come from several threads at once, but those that write the log from one.
pub trait Store: Send + Sync + 'static {
    /// Whose store it is; notes that down when it is nobody's yet.
    ///
    /// # Errors
    /// When it is somebody else's, or cannot be read or written.
    fn claim(&self, identity: Identity) -> Result<(), StoreError>;

    /// Everything from which a node is started again; `None` when nothing was ever written.
    ///
    /// # Errors
    /// When it cannot be read.
    fn load(&self) -> Result<Option<Restored>, StoreError>;

    /// Makes a write durable. A crash meanwhile leaves all of it, or a prefix of its parts.
    ///
    /// # Errors
    /// When it is not durable. The node must be dropped then.
    fn write(&self, write: &Write) -> Result<(), StoreError>;

    /// Entries from `first` to `last`, as many as fit into `max_bytes`; one at least.
    ///
    /// # Errors
    /// When the first is not there, or cannot be read.
    fn entries(
        &self,
        first: LogIndex,
        last: LogIndex,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Stores a snapshot of this node's machine. It counts from then on.
    ///
    /// # Errors
    /// When it is not durable; nothing of it is kept then.
    fn save(&self, meta: &SnapshotMeta, state: &[u8]) -> Result<(), StoreError>;

    /// Some bytes of a snapshot from an offset on, at least one unless the offset is the end, and how many
    /// there are in all. `None` when there is no such snapshot.
    ///
    /// # Errors
    /// When it cannot be read.
    fn chunk(
        &self,
        position: LogPosition,
        offset: u64,
        max_bytes: u64,
    ) -> Result<Option<(u64, Bytes)>, StoreError>;

    /// Stages bytes of a snapshot that arrives; at offset 0, in place of what was staged before.
    ///
    /// # Errors
    /// When they are not durable, or do not follow what is staged.
    fn stage(&self, partial: &PartialSnapshot, offset: u64, data: &[u8]) -> Result<(), StoreError>;

    /// Drops what is staged.
    ///
    /// # Errors
    /// When that is not durable.
    fn unstage(&self) -> Result<(), StoreError>;

    /// Deletes the snapshots before a position, but for the one that counts.
    ///
    /// # Errors
    /// When they could not be deleted; they are still there then.
    fn delete_before(&self, position: LogPosition) -> Result<(), StoreError>;

    /// A whole snapshot. `None` when there is no such one.
    ///
    /// # Errors
    /// When it cannot be read.
    fn snapshot(&self, position: LogPosition) -> Result<Option<Bytes>, StoreError> {
        let mut state = Vec::new();
        loop {
            let Some((total, data)) = self.chunk(position, state.len() as u64, u64::MAX)? else {
                return Ok(None);
            };
            state.extend_from_slice(&data);
            if state.len() as u64 >= total {
                return Ok(Some(state.into()));
            }
        }
    }
}

/// The bytes by which a value is kept.
fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data has bytes")
}

fn decode<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|why| StoreError::Corrupt { what, why: why.to_string() })
}

fn contradiction<T>(what: impl Into<String>) -> Result<T, StoreError> {
    Err(StoreError::Contradiction(what.into()))
}
