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

/// A disk in front of another one: passes on what was synced. Copies are the same disk.
pub struct Volatile<D>(Arc<Inner<D>>);

struct Inner<D> {
    under: D,
    defect: Defect,
    power: Power,
    /// What was not synced, in order.
    pending: Mutex<Vec<Change>>,
}

enum Change {
    Length(u64),
    Bytes(u64, Vec<u8>),
}

/// What all disks of a machine have in common: it stops for all of them. Copies are the same power.
#[derive(Clone, Debug, Default)]
pub struct Power(Arc<Mutex<Left>>);

/// After how many more changes and syncs the machine stops.
#[derive(Clone, Copy, Debug, Default)]
enum Left {
    #[default]
    Unlimited,
    Some(u64),
    Stopped,
}

impl Power {
    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine will stop after so many changes and syncs of its disks.
    pub fn stop_after(&self, count: u64) {
        *self.left() = Left::Some(count);
    }

    /// The machine stops.
    pub fn stop(&self) {
        *self.left() = Left::Stopped;
    }

    fn check(&self) -> io::Result<()> {
        match *self.left() {
            Left::Stopped => Err(io::Error::other("the machine has stopped")),
            _ => Ok(()),
        }
    }

    /// Like [`Power::check`], before what changes a disk.
    fn spend(&self) -> io::Result<()> {
        let mut left = self.left();
        *left = match *left {
            Left::Unlimited => Left::Unlimited,
            Left::Some(count @ 1..) => Left::Some(count - 1),
            Left::Some(0) | Left::Stopped => Left::Stopped,
        };
        drop(left);
        self.check()
    }
}

impl<D> Clone for Volatile<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D> fmt::Debug for Volatile<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volatile").field("defect", &self.0.defect).finish_non_exhaustive()
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
        Self::powered(under, defect, Power::default())
    }

    /// The same, as a part of a machine.
    pub fn powered(under: D, defect: Defect, power: Power) -> Self {
        Self(Arc::new(Inner { under, defect, power, pending: Mutex::default() }))
    }

    fn pending(&self) -> MutexGuard<'_, Vec<Change>> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes were not synced.
    pub fn unsynced(&self) -> usize {
        self.pending().len()
    }

    /// The machine stops. So many of the unsynced changes, the oldest first, had reached the disk. Nothing can be
    /// done here any more.
    ///
    /// # Errors
    /// When the disk under this one fails.
    pub fn crash(&self, kept: usize) -> io::Result<()> {
        self.0.power.stop();
        let pending = std::mem::take(&mut *self.pending());
        pending.iter().take(kept).try_for_each(|change| self.pass_on(change))
    }

    fn pass_on(&self, change: &Change) -> io::Result<()> {
        match change {
            Change::Length(length) => self.0.under.set_len(*length),
            Change::Bytes(offset, data) => self.0.under.write(*offset, data),
        }
    }

    fn add(&self, change: Change) -> io::Result<()> {
        let end = match &change {
            Change::Length(length) => *length,
            Change::Bytes(offset, data) => offset + data.len() as u64,
        };
        if matches!(self.0.defect, Defect::Full { at } if end > at) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
        }
        self.0.power.spend()?;
        self.pending().push(change);
        Ok(())
    }
}

impl<D: StorageBackend> StorageBackend for Volatile<D> {
    fn len(&self) -> io::Result<u64> {
        self.0.power.check()?;
        let last = self.pending().iter().rev().find_map(|change| match change {
            Change::Length(length) => Some(*length),
            Change::Bytes(..) => None,
        });
        last.map_or_else(|| self.0.under.len(), Ok)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.power.check()?;
        let pending = self.pending();
        let there = self.0.under.len()?.saturating_sub(offset).min(out.len() as u64);
        let there = usize::try_from(there).expect("no more than was asked for");
        self.0.under.read(offset, &mut out[..there])?;
        out[there..].fill(0);
        for change in &*pending {
            if let Change::Bytes(at, data) = change {
                overlay(out, offset, data, *at);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.add(Change::Length(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.power.spend()?;
        if self.0.defect == Defect::SyncDoesNothing {
            return Ok(());
        }
        for change in self.pending().drain(..) {
            self.pass_on(&change)?;
        }
        self.0.under.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.add(Change::Bytes(offset, data.to_vec()))
    }

    // A file is locked by whoever has opened it, also through a disk of this kind.

    fn close(&self) -> io::Result<()> {
        self.0.under.close()
    }

    fn try_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.0.under.try_lock_range(from, to)
    }

    fn try_lock_shared_range(
        &self,
        from: Bound<u64>,
        to: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.under.try_lock_shared_range(from, to)
    }

    fn lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.under.lock_range(from, to)
    }

    fn lock_shared_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.under.lock_shared_range(from, to)
    }

    fn unlock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.0.under.unlock_range(from, to)
    }

    fn query_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.0.under.query_lock_range(from, to)
    }
}

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
