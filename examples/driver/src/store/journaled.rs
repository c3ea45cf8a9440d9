//! The database behind a journal.
//!
//! A commit of the database writes about nine blocks all over its file, and a sync of them takes twice as long as that of
//! one record at the end of a file. So a write goes into the journal, where it is durable, and into the database
//! without a sync. The database syncs when the journal is full, and with everything else it is asked for.
//!
//! Invariant: the database knows up to which record it holds the journal, in the same transaction as what the records
//! say; opening the store takes in those after it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use raft_core::{Entry, LogIndex, LogPosition, PartialSnapshot, Restored, SnapshotMeta, Write};
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::database::Database;
use super::journal::Journal;
use super::{Identity, Store, StoreError, decode, encode};

/// A database behind a journal.
#[derive(Debug)]
pub struct Journaled {
    database: Database,
    journal: Mutex<Journal>,
    /// The journal's name.
    name: u64,
}

impl Journaled {
    /// Bytes of a journal in a folder.
    pub const CAPACITY: u64 = 16 * 1024 * 1024;

    /// Opens the store in a folder, or makes one.
    ///
    /// # Errors
    /// When it cannot be read or written, is no store, or is open elsewhere.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder)?;
        let database = Database::open(&folder.join("node.redb"))?;
        let path = folder.join("node.journal");
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        // As with the database: what an earlier process wrote and did not sync.
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        let file = FileBackend::new(file).map_err(|error| StoreError::Database(error.into()))?;
        Self::with(database, Box::new(file), Self::CAPACITY)
    }

    /// Opens the store on two files that are something else than files. A journal that is made has so many bytes.
    ///
    /// # Errors
    /// When they cannot be read or written, or are no store.
    pub fn on(
        database: impl StorageBackend,
        journal: impl StorageBackend,
        capacity: u64,
    ) -> Result<Self, StoreError> {
        Self::with(Database::on(database)?, Box::new(journal), capacity)
    }

    fn with(
        database: Database,
        file: Box<dyn StorageBackend>,
        capacity: u64,
    ) -> Result<Self, StoreError> {
        let Some((name, taken)) = database.journal()? else {
            let name = getrandom::u64().map_err(|error| StoreError::Database(Box::new(error)))?;
            let journal = Journal::make(file, name, capacity)?;
            // Only now is the journal counted on: a crash before makes it anew.
            database.note_journal((name, 0))?;
            return Ok(Self { database, journal: Mutex::new(journal), name });
        };
        let (mut journal, records) = Journal::open(file, name, taken)?;
        for (record, number) in records.iter().zip(taken + 1..) {
            let write: Write = decode("the journal", record)?;
            database.take_journaled(&write, (name, number), || Ok(()))?;
        }
        database.note_journal((name, journal.next() - 1))?;
        journal.begin_again();
        Ok(Self { database, journal: Mutex::new(journal), name })
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Journaled {
    fn write(&self, write: &Write) -> Result<(), StoreError> {
        let record = encode(write);
        let mut journal = self.journal();
        if !journal.has_room(record.len()) {
            self.database.note_journal((self.name, journal.next() - 1))?;
            journal.begin_again();
        }
        let number = journal.next();
        if journal.has_room(record.len()) {
            return self
                .database
                .take_journaled(write, (self.name, number), || journal.add(&record));
        }
        // Larger than the whole journal.
        self.database.take_journaled(write, (self.name, number), || Ok(()))?;
        self.database.note_journal((self.name, number))?;
        journal.skip();
        Ok(())
    }

    fn claim(&self, identity: Identity) -> Result<(), StoreError> {
        self.database.claim(identity)
    }

    fn load(&self) -> Result<Option<Restored>, StoreError> {
        self.database.load()
    }

    fn entries(
        &self,
        first: LogIndex,
        last: LogIndex,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        self.database.entries(first, last, max_bytes)
    }

    fn save(&self, meta: &SnapshotMeta, state: &[u8]) -> Result<(), StoreError> {
        self.database.save(meta, state)
    }

    fn chunk(
        &self,
        position: LogPosition,
        offset: u64,
        max_bytes: u64,
    ) -> Result<Option<(u64, Bytes)>, StoreError> {
        self.database.chunk(position, offset, max_bytes)
    }

    fn stage(&self, partial: &PartialSnapshot, offset: u64, data: &[u8]) -> Result<(), StoreError> {
        self.database.stage(partial, offset, data)
    }

    fn unstage(&self) -> Result<(), StoreError> {
        self.database.unstage()
    }

    fn delete_before(&self, position: LogPosition) -> Result<(), StoreError> {
        self.database.delete_before(position)
    }
}
