//! What a node asks of its disk, as pieces of work that another thread can do.
//!
//! Each piece holds the obligation it came from; doing it gives the one input that answers it.

use bytes::Bytes;
use raft_core::{
    Fetch, FetchSnapshot, Input, LogPosition, Persist, ReadChunk, Restore, TakeSnapshot, WriteChunk,
};

use crate::machine::Image;
use crate::store::{Store, StoreError};

/// A piece of work.
pub enum Job {
    /// Make a write durable.
    Write(Persist),
    /// Read entries back.
    Fetch(Fetch),
    /// Read bytes of a snapshot.
    ReadChunk(ReadChunk),
    /// Stage bytes of a snapshot.
    WriteChunk(WriteChunk),
    /// Fetch a snapshot from elsewhere. This driver sends snapshots in chunks, so nobody should ask for it.
    FetchSnapshot(FetchSnapshot),
    /// Store a snapshot of the machine.
    Save(TakeSnapshot, Image),
    /// Read a snapshot for the machine.
    Load(Restore),
    /// Delete snapshots that nobody reads any more.
    DeleteBefore(LogPosition),
}

/// What comes of a piece of work.
#[derive(Debug)]
pub enum Done {
    /// The node waits for this.
    Input(Input),
    /// The machine is to be restored from these bytes.
    Loaded(Restore, Bytes),
    /// The store refused a snapshot: the log stays as long as it is.
    NotSaved,
    /// Nobody waits.
    Nothing,
}

/// Which thread does a piece of work: what is on one is done in order, and never waits for what is on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Writes of the log, which everybody waits for.
    Log,
    /// Reads for followers that are far behind, and for the machine.
    Reads,
    /// Snapshots, which take long.
    Snapshots,
}

impl Job {
    /// Which thread does it.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Write(_) => Lane::Log,
            Self::Fetch(_) | Self::ReadChunk(_) | Self::Load(_) => Lane::Reads,
            Self::WriteChunk(_)
            | Self::FetchSnapshot(_)
            | Self::Save(..)
            | Self::DeleteBefore(_) => Lane::Snapshots,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// When the node cannot go on: the disk did not take something, or the machine could not be read. Everything else
    /// is answered as a failure, and asked again.
    pub fn run(self, store: &dyn Store) -> Result<Done, StoreError> {
        Ok(match self {
            Self::Write(persist) => {
                store.write(persist.write())?;
                Done::Input(Input::Persisted(persist.done()))
            }
            Self::Fetch(fetch) => {
                let read = store.entries(fetch.first(), fetch.last(), fetch.max_bytes());
                Done::Input(Input::Fetched(match noted("read entries", read) {
                    Some(entries) => fetch.done(entries.into_iter().collect()),
                    None => fetch.failed(),
                }))
            }
            Self::ReadChunk(read) => {
                let at = read.snapshot().position;
                let found = store.chunk(at, read.offset(), read.max_bytes());
                Done::Input(Input::ChunkRead(match noted("read a snapshot", found).flatten() {
                    Some((total, data)) => read.done(total, data),
                    None => read.failed(),
                }))
            }
            Self::WriteChunk(write) => {
                let staged = store.stage(write.partial(), write.offset(), write.data());
                Done::Input(Input::ChunkWritten(if taken("stage a snapshot", staged)?.is_some() {
                    write.done()
                } else {
                    store.unstage()?;
                    write.failed()
                }))
            }
            Self::FetchSnapshot(fetch) => Done::Input(Input::ChunkWritten(fetch.failed())),
            Self::Save(take, image) => {
                match taken("store a snapshot", store.save(take.meta(), &image()))? {
                    Some(()) => Done::Input(Input::SnapshotTaken(take.done())),
                    None => Done::NotSaved,
                }
            }
            Self::Load(restore) => {
                let at = restore.snapshot().position;
                let missing = || StoreError::Corrupt {
                    what: "the snapshot that counts",
                    why: format!("there is none at {at}"),
                };
                let state = store.snapshot(at)?.ok_or_else(missing)?;
                Done::Loaded(restore, state)
            }
            Self::DeleteBefore(position) => {
                taken("delete old snapshots", store.delete_before(position))?;
                Done::Nothing
            }
        })
    }
}

/// What may fail without harm is said in the log.
fn noted<T>(what: &str, done: Result<T, StoreError>) -> Option<T> {
    done.inspect_err(|error| tracing::warn!(%error, "could not {what}")).ok()
}

/// A disk that fails to take something is not asked again: nobody knows what is on it, and a database that has met an
/// error does nothing from then on. What was refused for what it is, is said in the log.
fn taken<T>(what: &str, done: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match done {
        Err(StoreError::Contradiction(_)) => Ok(noted(what, done)),
        done => done.map(Some),
    }
}
