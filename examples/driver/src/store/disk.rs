//! Disks that can be broken on purpose, for tests: what was not synced is not there after a crash.
//!
//! A process that is killed leaves its unsynced writes in the page cache, where the next process finds them: killing
//! processes alone does not show a missing sync. [`Volatile`] keeps what was not synced in memory, so that it dies
//! with the process; in a test within one process, [`Volatile::crash`] leaves as many of the unsynced writes as the test
//! likes.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::StoreError;

/// What else is wrong with a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Defect {
    /// Nothing: it loses what was not synced, as disks do.
    #[default]
    None,
    /// Syncing does nothing.
    SyncDoesNothing,
    /// It holds so many bytes.
    Full {
        /// How many.
        at: u64,
    },
}

/// A disk in front of another one: passes on what was synced.
pub struct Volatile<D> {
    under: D,
    defect: Defect,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was not synced, in order.
    pending: Vec<Change>,
    /// After so many more changes and syncs the machine stops.
    left: Option<u64>,
    has_crashed: bool,
}

enum Change {
    Length(u64),
    Bytes(u64, Vec<u8>),
}

impl<D> fmt::Debug for Volatile<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volatile").field("defect", &self.defect).finish_non_exhaustive()
    }
}

impl Volatile<FileBackend> {
    /// Loses what was not synced to a file, which is made if it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn in_file(path: &Path, defect: Defect) -> Result<Self, StoreError> {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let backend = FileBackend::new(file);
        let backend = backend.map_err(|error| StoreError::Database(Box::new(error)))?;
        Ok(Self::new(backend, defect))
    }
}

impl<D: StorageBackend> Volatile<D> {
    /// Loses what was not synced.
    pub fn new(under: D, defect: Defect) -> Self {
        Self { under, defect, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes were not synced.
    pub fn unsynced(&self) -> usize {
        self.state().pending.len()
    }

    /// The machine will stop after so many changes and syncs.
    pub fn stop_after(&self, count: u64) {
        self.state().left = Some(count);
    }

    /// The machine stops. So many of the unsynced changes, the oldest first, had reached the disk. Nothing can be
    /// done here any more.
    ///
    /// # Errors
    /// When the disk under this one fails.
    pub fn crash(&self, kept: usize) -> io::Result<()> {
        let mut state = self.state();
        state.has_crashed = true;
        let pending = std::mem::take(&mut state.pending);
        pending.iter().take(kept).try_for_each(|change| self.pass_on(change))
    }

    fn pass_on(&self, change: &Change) -> io::Result<()> {
        match change {
            Change::Length(length) => self.under.set_len(*length),
            Change::Bytes(offset, data) => self.under.write(*offset, data),
        }
    }

    fn add(&self, change: Change) -> io::Result<()> {
        let end = match &change {
            Change::Length(length) => *length,
            Change::Bytes(offset, data) => offset + data.len() as u64,
        };
        if matches!(self.defect, Defect::Full { at } if end > at) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
        }
        let mut state = self.changing()?;
        state.pending.push(change);
        Ok(())
    }

    fn living(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.has_crashed { Err(io::Error::other("the machine has stopped")) } else { Ok(state) }
    }

    /// Like [`Volatile::living`], for what changes the disk.
    fn changing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.living()?;
        match state.left {
            Some(0) => {
                state.has_crashed = true;
                Err(io::Error::other("the machine has stopped"))
            }
            left => {
                state.left = left.map(|left| left - 1);
                Ok(state)
            }
        }
    }
}

impl<D: StorageBackend> StorageBackend for Volatile<D> {
    fn len(&self) -> io::Result<u64> {
        let state = self.living()?;
        let last = state.pending.iter().rev().find_map(|change| match change {
            Change::Length(length) => Some(*length),
            Change::Bytes(..) => None,
        });
        last.map_or_else(|| self.under.len(), Ok)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.living()?;
        let there = self.under.len()?.saturating_sub(offset).min(out.len() as u64);
        let there = usize::try_from(there).expect("no more than was asked for");
        self.under.read(offset, &mut out[..there])?;
        out[there..].fill(0);
        for change in &state.pending {
            match change {
                Change::Bytes(at, data) => overlay(out, offset, data, *at),
                // What was cut off is gone, also when the disk grows again.
                Change::Length(length) => {
                    let kept = length.saturating_sub(offset).min(out.len() as u64);
                    out[place(kept)..].fill(0);
                }
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.add(Change::Length(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.changing()?;
        if self.defect == Defect::SyncDoesNothing {
            return Ok(());
        }
        for change in std::mem::take(&mut state.pending) {
            self.pass_on(&change)?;
        }
        self.under.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.add(Change::Bytes(offset, data.to_vec()))
    }

    fn close(&self) -> io::Result<()> {
        self.under.close()
    }

    fn try_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.under.try_lock_range(from, to)
    }

    fn try_lock_shared_range(
        &self,
        from: Bound<u64>,
        to: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.under.try_lock_shared_range(from, to)
    }

    fn lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.under.lock_range(from, to)
    }

    fn lock_shared_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.under.lock_shared_range(from, to)
    }

    fn unlock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.under.unlock_range(from, to)
    }

    fn query_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.under.query_lock_range(from, to)
    }
}

/// The backend by another name: whoever gave it away can still crash it.
impl<D: StorageBackend> StorageBackend for Handle<D> {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(from, to)
    }

    fn try_lock_shared_range(
        &self,
        from: Bound<u64>,
        to: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(from, to)
    }

    fn lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(from, to)
    }

    fn lock_shared_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(from, to)
    }

    fn unlock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(from, to)
    }

    fn query_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(from, to)
    }
}

/// A disk that others hold as well.
#[derive(Debug)]
pub struct Handle<D>(pub Arc<Volatile<D>>);

/// Copies what `data`, at `at`, has in common with `out`, at `offset`.
fn overlay(out: &mut [u8], offset: u64, data: &[u8], at: u64) {
    let from = offset.max(at);
    let to = (offset + out.len() as u64).min(at + data.len() as u64);
    if from >= to {
        return;
    }
    let place =
        |base: u64, position: u64| usize::try_from(position - base).expect("within a slice");
    out[place(offset, from)..place(offset, to)]
        .copy_from_slice(&data[place(at, from)..place(at, to)]);
}

/// A disk in memory, which survives whoever uses it.
#[derive(Clone, Debug, Default)]
pub struct Platter {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Platter {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk with the same contents.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { bytes: Arc::new(Mutex::new(self.bytes().clone())) }
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("a disk in memory fits into it")
}

impl StorageBackend for Platter {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = place(offset);
        let bytes = self.bytes();
        let found = bytes.get(from..from + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.bytes().resize(place(length), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = place(offset);
        let mut bytes = self.bytes();
        if bytes.len() < from + data.len() {
            bytes.resize(from + data.len(), 0);
        }
        bytes[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}
