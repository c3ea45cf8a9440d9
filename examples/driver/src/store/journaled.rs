//! The database behind a journal.
//!
//! A commit of the database writes about nine blocks all over its file, and a sync of them takes twice as long as that of
//! one record at the end of a file; even without a sync it costs as much time as the sync of the record. So a write goes
//! into the journal, where it is durable. Entries are put into the database some hundred at a time, or when somebody
//! wants to read them, and other writes at once. The database syncs when the journal is full, and with everything
//! else it is asked for.
//!
//! Invariant: the database knows up to which record it holds the journal, in the same transaction as what the records
//! say; opening the store takes in those after it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use raft_core::{
    Append, Entry, LogIndex, LogPosition, PartialSnapshot, Restored, SnapshotMeta, Write,
};
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::database::Database;
use super::journal::Journal;
use super::{Identity, Store, StoreError, contradiction, decode, encode};

/// The entries that are put into the database at once have as many bytes as such a part of the journal.
const TAILS: u64 = 64;

/// A database behind a journal.
#[derive(Debug)]
pub struct Journaled {
    database: Database,
    front: Mutex<Front>,
}

/// What the database does not know yet.
#[derive(Debug)]
struct Front {
    journal: Journal,
    /// The journal's name.
    name: u64,
    /// Entries that are in the journal alone.
    tail: Tail,
}

/// Entries that follow what the database has, and each other.
#[derive(Debug, Default)]
struct Tail {
    /// Where they end, if it is known: with the last entry of the database when there are none.
    last: Option<LogIndex>,
    entries: Vec<Entry>,
    bytes: u64,
    commit: LogIndex,
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
            let front = Front { journal, name, tail: Tail::default() };
            return Ok(Self { database, front: Mutex::new(front) });
        };
        let (journal, records) = Journal::open(file, name, taken)?;
        for (record, number) in records.iter().zip(taken + 1..) {
            let write: Write = decode("the journal", record)?;
            database.take_journaled(&write, (name, number), || Ok(()))?;
        }
        let mut front = Front { journal, name, tail: Tail::default() };
        front.begin_again(&database)?;
        Ok(Self { database, front: Mutex::new(front) })
    }

    fn front(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Front {
    /// Puts the tail into the database, not durably: the journal has it.
    fn settle(&mut self, database: &Database) -> Result<(), StoreError> {
        if let Some(write) = self.tail.take() {
            database.take_journaled(&write, (self.name, self.journal.next() - 1), || Ok(()))?;
        }
        Ok(())
    }

    /// Has the database sync all that is in the journal, which is empty then.
    fn begin_again(&mut self, database: &Database) -> Result<(), StoreError> {
        self.settle(database)?;
        database.note_journal((self.name, self.journal.next() - 1))?;
        self.journal.begin_again();
        Ok(())
    }

    /// Takes a write that is more than entries, or is too large.
    fn take(
        &mut self,
        write: &Write,
        record: &[u8],
        database: &Database,
    ) -> Result<(), StoreError> {
        self.settle(database)?;
        self.tail.last = None;
        let number = self.journal.next();
        if self.journal.has_room(record.len()) {
            let make_durable = || self.journal.add(record);
            return database.take_journaled(write, (self.name, number), make_durable);
        }
        // Larger than the whole journal.
        database.take_journaled(write, (self.name, number), || Ok(()))?;
        database.note_journal((self.name, number))?;
        self.journal.skip();
        Ok(())
    }
}

impl Tail {
    fn push(&mut self, append: &Append, commit: Option<LogIndex>) {
        self.last = append.first.advanced(append.entries.len()).previous().into();
        self.bytes += append.entries.iter().map(Entry::size).sum::<u64>();
        self.entries.extend(append.entries.iter().cloned());
        self.commit = self.commit.max(commit.unwrap_or_default());
    }

    /// All of it as one write, if there is any.
    fn take(&mut self) -> Option<Write> {
        let Self { last, entries, bytes, commit } = self;
        let last = (*last).filter(|_| !entries.is_empty())?;
        let first = LogIndex(last.next().0 - entries.len() as u64);
        *bytes = 0;
        let append = Append { first, entries: entries.drain(..).collect() };
        Some(Write { append: Some(append), commit: Some(*commit), ..Write::default() })
    }
}

/// The entries of a write that has nothing else.
fn only_entries(write: &Write) -> Option<&Append> {
    match write {
        Write {
            hard_state: None,
            install: None,
            truncate_from: None,
            append: Some(append),
            compact: None,
            ..
        } => Some(append),
        _ => None,
    }
}

impl Store for Journaled {
    fn write(&self, write: &Write) -> Result<(), StoreError> {
        let record = encode(write);
        let mut front = self.front();
        if !front.journal.has_room(record.len()) {
            front.begin_again(&self.database)?;
        }
        let Some(append) = only_entries(write).filter(|_| front.journal.has_room(record.len()))
        else {
            return front.take(write, &record, &self.database);
        };
        let last = match front.tail.last {
            Some(last) => last,
            None => self.database.last_index()?,
        };
        if append.first != last.next() {
            return contradiction(format!("{} does not follow {last}", append.first));
        }
        front.journal.add(&record)?;
        front.tail.push(append, write.commit);
        if front.tail.bytes >= front.journal.capacity() / TAILS {
            front.settle(&self.database)?;
        }
        Ok(())
    }

    fn claim(&self, identity: Identity) -> Result<(), StoreError> {
        self.database.claim(identity)
    }

    fn load(&self) -> Result<Option<Restored>, StoreError> {
        self.front().settle(&self.database)?;
        self.database.load()
    }

    fn entries(
        &self,
        first: LogIndex,
        last: LogIndex,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        self.front().settle(&self.database)?;
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
