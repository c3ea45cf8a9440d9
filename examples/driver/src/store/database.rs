//! A store in one file, kept by `redb`: an embedded database that writes to a copy and switches over with one
//! sync, so that a write is there as a whole or not at all.
//!
//! Tables: the log by index, snapshots by position, their bytes in pieces under a number of their own, and everything
//! else by name. A snapshot that arrives is staged as pieces under the number it keeps when it is installed: nothing
//! is copied. Pieces that nothing refers to, left by a crash, are removed when the store is opened.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use raft_core::{
    Append, Entry, HardState, LogIndex, LogPosition, LogSummary, PartialSnapshot, Restored,
    SnapshotMeta, Write,
};
use redb::{
    Builder, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend,
    Table, TableDefinition, WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Identity, Store, StoreError, contradiction, decode, encode};

const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// By index and term.
const SNAPSHOTS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("snapshots");
/// By the number of the snapshot, and the offset.
const PIECES: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("pieces");

const IDENTITY: &str = "identity";
const HARD_STATE: &str = "hard state";
const BASE: &str = "base";
const COMMIT: &str = "commit";
const STAGED: &str = "staged";
const NEXT_NUMBER: &str = "next number";

/// Bytes of one piece of a snapshot.
const PIECE_BYTES: usize = 1024 * 1024;
/// Pages that are kept in memory.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A store in a database.
#[derive(Debug)]
pub struct Database {
    inner: redb::Database,
}

/// A snapshot, but for its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    number: u64,
    total: u64,
    meta: SnapshotMeta,
}

/// A snapshot that arrives.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Staged {
    number: u64,
    bytes: u64,
    partial: PartialSnapshot,
}

type Notes<'txn> = Table<'txn, &'static str, &'static [u8]>;

impl Database {
    /// Opens the store in a file, or makes one.
    ///
    /// # Errors
    /// When the file cannot be read or written, is no store, or is open elsewhere.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Another process may have written and not synced before it was killed. What is read here must be on the disk.
        if path.exists() {
            File::options().write(true).open(path)?.sync_all()?;
        }
        let made = Builder::new().set_cache_size(CACHE_BYTES).create(path);
        let store = Self::prepared(made.map_err(failed)?)?;
        // A new file is there when its folder says so.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(store)
    }

    /// Opens the store in something else than a file.
    ///
    /// # Errors
    /// When it cannot be read or written, or is no store.
    pub fn on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let made = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend);
        Self::prepared(made.map_err(failed)?)
    }

    fn prepared(inner: redb::Database) -> Result<Self, StoreError> {
        let store = Self { inner };
        store.change(|txn| {
            txn.open_table(LOG).map_err(failed)?;
            let notes = txn.open_table(NOTES).map_err(failed)?;
            let snapshots = txn.open_table(SNAPSHOTS).map_err(failed)?;
            let staged: Option<Staged> = noted(&notes, STAGED)?;
            let mut used: BTreeSet<u64> = staged.map(|staged| staged.number).into_iter().collect();
            for item in snapshots.iter().map_err(failed)? {
                let (_, stored) = item.map_err(failed)?;
                used.insert(decode::<Stored>("a snapshot", stored.value())?.number);
            }
            let mut pieces = txn.open_table(PIECES).map_err(failed)?;
            pieces.retain(|(number, _), _| used.contains(&number)).map_err(failed)
        })?;
        Ok(store)
    }

    /// Makes a change durable, as a whole.
    fn change<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let txn = self.inner.begin_write().map_err(failed)?;
        let done = work(&txn)?;
        txn.commit().map_err(failed)?;
        Ok(done)
    }

    /// Puts one piece where nothing refers to it yet. It becomes durable with the change that refers to it.
    fn add_piece(&self, number: u64, offset: u64, data: &[u8]) -> Result<(), StoreError> {
        let mut txn = self.inner.begin_write().map_err(failed)?;
        txn.set_durability(Durability::None).map_err(failed)?;
        put_piece(&txn, number, offset, data)?;
        txn.commit().map_err(failed)
    }
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(error) => StoreError::Io(error),
        other => StoreError::Database(Box::new(other)),
    }
}

fn note<T: Serialize>(
    notes: &mut Notes<'_>,
    name: &'static str,
    value: &T,
) -> Result<(), StoreError> {
    notes.insert(name, encode(value).as_slice()).map_err(failed)?;
    Ok(())
}

fn noted<T: DeserializeOwned>(
    notes: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
) -> Result<Option<T>, StoreError> {
    let found = notes.get(name).map_err(failed)?;
    found.map(|bytes| decode(name, bytes.value())).transpose()
}

fn new_number(notes: &mut Notes<'_>) -> Result<u64, StoreError> {
    let number: u64 = noted(notes, NEXT_NUMBER)?.unwrap_or_default();
    note(notes, NEXT_NUMBER, &(number + 1))?;
    Ok(number)
}

fn put_piece(
    txn: &WriteTransaction,
    number: u64,
    offset: u64,
    data: &[u8],
) -> Result<(), StoreError> {
    let mut pieces = txn.open_table(PIECES).map_err(failed)?;
    pieces.insert((number, offset), data).map_err(failed)?;
    Ok(())
}

fn remove_pieces(txn: &WriteTransaction, number: u64) -> Result<(), StoreError> {
    let mut pieces = txn.open_table(PIECES).map_err(failed)?;
    pieces.retain_in((number, 0)..=(number, u64::MAX), |_, _| false).map_err(failed)
}

fn key(position: LogPosition) -> (u64, u64) {
    (position.index.0, position.term.0)
}

fn put_snapshot(txn: &WriteTransaction, stored: &Stored) -> Result<(), StoreError> {
    let mut snapshots = txn.open_table(SNAPSHOTS).map_err(failed)?;
    snapshots.insert(key(stored.meta.position), encode(stored).as_slice()).map_err(failed)?;
    Ok(())
}

/// The snapshot that counts.
fn latest(
    snapshots: &impl ReadableTable<(u64, u64), &'static [u8]>,
) -> Result<Option<Stored>, StoreError> {
    let last = snapshots.last().map_err(failed)?;
    last.map(|(_, stored)| decode("a snapshot", stored.value())).transpose()
}

/// What a write finds and leaves of the log: an index is enough to check what follows.
fn last_index(
    log: &impl ReadableTable<u64, &'static [u8]>,
    base: LogPosition,
) -> Result<LogIndex, StoreError> {
    let last = log.last().map_err(failed)?;
    Ok(last.map_or(base.index, |(index, _)| LogIndex(index.value())))
}

/// What was staged counts from now on; at the founding there is nothing to stage.
fn install(
    txn: &WriteTransaction,
    notes: &mut Notes<'_>,
    meta: &SnapshotMeta,
) -> Result<(), StoreError> {
    let stored = if meta.position == LogPosition::ZERO {
        Stored { number: new_number(notes)?, total: 0, meta: meta.clone() }
    } else {
        match noted::<Staged>(notes, STAGED)? {
            Some(Staged { number, bytes, partial })
                if partial.snapshot == *meta && partial.total == bytes =>
            {
                Stored { number, total: bytes, meta: meta.clone() }
            }
            _ => return contradiction(format!("{} is not staged, or not whole", meta.position)),
        }
    };
    if meta.position != LogPosition::ZERO {
        notes.remove(STAGED).map_err(failed)?;
    }
    put_snapshot(txn, &stored)
}

fn append(
    log: &mut Table<'_, u64, &'static [u8]>,
    base: LogPosition,
    append: &Append,
) -> Result<(), StoreError> {
    let last = last_index(log, base)?;
    if append.first != last.next() {
        return contradiction(format!("{} does not follow {last}", append.first));
    }
    let mut bytes = Vec::new();
    for (nth, entry) in append.entries.iter().enumerate() {
        bytes.clear();
        bytes = postcard::to_extend(entry, bytes).expect("plain data has bytes");
        log.insert(append.first.advanced(nth).0, bytes.as_slice()).map_err(failed)?;
    }
    Ok(())
}

/// Carries out the parts of a write, in their order.
fn take(txn: &WriteTransaction, write: &Write) -> Result<(), StoreError> {
    let Write { hard_state, install: installs, truncate_from, append: appends, commit, compact } =
        write;
    let mut notes = txn.open_table(NOTES).map_err(failed)?;
    if let Some(hard_state) = hard_state {
        note(&mut notes, HARD_STATE, hard_state)?;
    }
    if let Some(meta) = installs {
        install(txn, &mut notes, meta)?;
    }
    let mut log = txn.open_table(LOG).map_err(failed)?;
    if let Some(first) = truncate_from {
        log.retain_in(first.0.., |_, _| false).map_err(failed)?;
    }
    let mut base: LogPosition = noted(&notes, BASE)?.unwrap_or_default();
    if truncate_from.is_some() || installs.is_some() {
        // A log that was removed for a snapshot begins after it.
        let counts = latest(&txn.open_table(SNAPSHOTS).map_err(failed)?)?;
        let counts = counts.map_or(LogPosition::ZERO, |stored| stored.meta.position);
        if log.is_empty().map_err(failed)? && base.index < counts.index {
            base = counts;
            note(&mut notes, BASE, &base)?;
        }
    }
    if let Some(appends) = appends {
        append(&mut log, base, appends)?;
    }
    if let Some(commit) = commit {
        note(&mut notes, COMMIT, commit)?;
    }
    if let Some(compact) = compact {
        log.retain_in(..=compact.index.0, |_, _| false).map_err(failed)?;
        note(&mut notes, BASE, &base.max(*compact))?;
    }
    Ok(())
}

impl Store for Database {
    fn claim(&self, identity: Identity) -> Result<(), StoreError> {
        self.change(|txn| {
            let mut notes = txn.open_table(NOTES).map_err(failed)?;
            match noted(&notes, IDENTITY)? {
                Some(found) if found == identity => Ok(()),
                Some(found) => Err(StoreError::Identity { found, expected: identity }),
                None => note(&mut notes, IDENTITY, &identity),
            }
        })
    }

    fn load(&self) -> Result<Option<Restored>, StoreError> {
        let txn = self.inner.begin_read().map_err(failed)?;
        let notes = txn.open_table(NOTES).map_err(failed)?;
        let hard_state: Option<HardState> = noted(&notes, HARD_STATE)?;
        let snapshot = latest(&txn.open_table(SNAPSHOTS).map_err(failed)?)?;
        if hard_state.is_none() && snapshot.is_none() {
            return Ok(None);
        }
        let staged: Option<Staged> = noted(&notes, STAGED)?;
        let base: LogPosition = noted(&notes, BASE)?.unwrap_or_default();
        let mut log = LogSummary::after(base);
        for item in txn.open_table(LOG).map_err(failed)?.iter().map_err(failed)? {
            let (index, entry) = item.map_err(failed)?;
            let gap = || StoreError::Corrupt {
                what: "the log",
                why: format!("i{} follows {}", index.value(), log.last()),
            };
            (index.value() == log.last().index.next().0).then_some(()).ok_or_else(gap)?;
            log.push(&decode("an entry", entry.value())?)
                .map_err(|why| StoreError::Corrupt { what: "the log", why: why.to_string() })?;
        }
        Ok(Some(Restored {
            hard_state: hard_state.unwrap_or_default(),
            snapshot: snapshot.map(|stored| stored.meta).unwrap_or_default(),
            log,
            commit: noted(&notes, COMMIT)?.unwrap_or_default(),
            applied: LogIndex::ZERO,
            partial: staged.map(|staged| staged.partial),
        }))
    }

    fn write(&self, write: &Write) -> Result<(), StoreError> {
        self.change(|txn| take(txn, write))
    }

    fn entries(
        &self,
        first: LogIndex,
        last: LogIndex,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let txn = self.inner.begin_read().map_err(failed)?;
        let log = txn.open_table(LOG).map_err(failed)?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (item, expected) in log.range(first.0..=last.0).map_err(failed)?.zip(first.0..) {
            let (index, entry) = item.map_err(failed)?;
            let entry: Entry = decode("an entry", entry.value())?;
            bytes += entry.size();
            if index.value() != expected || (bytes > max_bytes && !entries.is_empty()) {
                break;
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            return contradiction(format!("there is no entry {first}"));
        }
        Ok(entries)
    }

    fn save(&self, meta: &SnapshotMeta, state: &[u8]) -> Result<(), StoreError> {
        let number = self.change(|txn| new_number(&mut txn.open_table(NOTES).map_err(failed)?))?;
        // Piece by piece, so that the log can be written in between.
        for (nth, piece) in state.chunks(PIECE_BYTES).enumerate() {
            self.add_piece(number, (nth * PIECE_BYTES) as u64, piece)?;
        }
        let stored = Stored { number, total: state.len() as u64, meta: meta.clone() };
        self.change(|txn| put_snapshot(txn, &stored))
    }

    fn chunk(
        &self,
        position: LogPosition,
        offset: u64,
        max_bytes: u64,
    ) -> Result<Option<(u64, Bytes)>, StoreError> {
        let txn = self.inner.begin_read().map_err(failed)?;
        let snapshots = txn.open_table(SNAPSHOTS).map_err(failed)?;
        let Some(stored) = snapshots.get(key(position)).map_err(failed)? else { return Ok(None) };
        let Stored { number, total, .. } = decode("a snapshot", stored.value())?;
        if offset >= total {
            return Ok(Some((total, Bytes::new())));
        }
        let pieces = txn.open_table(PIECES).map_err(failed)?;
        let before = (Bound::Included((number, 0)), Bound::Included((number, offset)));
        let piece = pieces.range::<(u64, u64)>(before).map_err(failed)?.next_back();
        let Some((at, data)) = piece.transpose().map_err(failed)? else {
            return missing(position, offset);
        };
        let skip = usize::try_from(offset - at.value().1).unwrap_or(usize::MAX);
        let Some(data) = data.value().get(skip..).filter(|data| !data.is_empty()) else {
            return missing(position, offset);
        };
        let count = usize::try_from(max_bytes).unwrap_or(usize::MAX).min(data.len());
        Ok(Some((total, Bytes::copy_from_slice(&data[..count]))))
    }

    fn stage(&self, partial: &PartialSnapshot, offset: u64, data: &[u8]) -> Result<(), StoreError> {
        self.change(|txn| {
            let mut notes = txn.open_table(NOTES).map_err(failed)?;
            let before: Option<Staged> = noted(&notes, STAGED)?;
            let (number, bytes) = match before {
                Some(Staged { number, bytes, .. }) if offset > 0 => (number, bytes),
                Some(Staged { number, .. }) => {
                    remove_pieces(txn, number)?;
                    (new_number(&mut notes)?, 0)
                }
                None => (new_number(&mut notes)?, 0),
            };
            if bytes != offset {
                return contradiction(format!("{bytes} bytes are staged, not {offset}"));
            }
            if !data.is_empty() {
                put_piece(txn, number, offset, data)?;
            }
            let bytes = bytes + data.len() as u64;
            note(&mut notes, STAGED, &Staged { number, bytes, partial: partial.clone() })
        })
    }

    fn unstage(&self) -> Result<(), StoreError> {
        self.change(|txn| {
            let mut notes = txn.open_table(NOTES).map_err(failed)?;
            let Some(Staged { number, .. }) = noted(&notes, STAGED)? else { return Ok(()) };
            notes.remove(STAGED).map_err(failed)?;
            remove_pieces(txn, number)
        })
    }

    fn delete_before(&self, position: LogPosition) -> Result<(), StoreError> {
        self.change(|txn| {
            let mut snapshots = txn.open_table(SNAPSHOTS).map_err(failed)?;
            let counts = latest(&snapshots)?.map(|stored| key(stored.meta.position));
            let mut gone = Vec::new();
            for item in snapshots.range(..(position.index.0, 0)).map_err(failed)? {
                let (at, stored) = item.map_err(failed)?;
                if Some(at.value()) != counts {
                    gone.push((at.value(), decode::<Stored>("a snapshot", stored.value())?.number));
                }
            }
            for (at, number) in gone {
                snapshots.remove(at).map_err(failed)?;
                remove_pieces(txn, number)?;
            }
            Ok(())
        })
    }
}

fn missing<T>(position: LogPosition, offset: u64) -> Result<T, StoreError> {
    let why = format!("the bytes of {position} from {offset} on are missing");
    Err(StoreError::Corrupt { what: "a snapshot", why })
}
