//! A store in one file, kept by `redb`: an embedded database that writes to a copy and switches over with one
//! sync, so that a write is there as a whole or not at all.
//!
//! Tables: the log in runs of entries that were written together, by the index of the first; snapshots by position, their
//! bytes in pieces under a number of their own, and everything else by name. (A run is one insertion however many
//! entries it has, and carries the commit hint, so that a usual write touches one table.) A snapshot that arrives is staged as
//! pieces under the number it keeps when it is installed: nothing is copied. Pieces that nothing refers to, left by a
//! crash, are removed when the store is opened.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use raft_core::{
    Append, Entries, Entry, HardState, LogIndex, LogPosition, LogSummary, PartialSnapshot,
    Restored, SnapshotMeta, Write,
};
use redb::{
    Builder, Durability, ReadableDatabase, ReadableTable, StorageBackend, Table, TableDefinition,
    WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Identity, Store, StoreError, contradiction, decode, encode};

const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");
/// Runs by the index of their first entry; each follows the one before.
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
/// The journal's name, and the last of its records that is in here.
const JOURNAL: &str = "journal";

/// Bytes of one piece of a snapshot.
const PIECE_BYTES: usize = 1024 * 1024;
/// Pages that are kept in memory.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A store in a database.
#[derive(Debug)]
pub struct Database {
    inner: redb::Database,
}

/// Entries that were written together.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    /// Up to here the log was known to be committed then.
    commit: LogIndex,
    entries: Entries,
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
type Log<'txn> = Table<'txn, u64, &'static [u8]>;

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

    /// The name of the journal of this store and the last record of it that is in here, if it has one.
    pub(super) fn journal(&self) -> Result<Option<(u64, u64)>, StoreError> {
        let txn = self.inner.begin_read().map_err(failed)?;
        noted(&txn.open_table(NOTES).map_err(failed)?, JOURNAL)
    }

    /// Notes the name of the journal, or that all its records up to one are in here.
    pub(super) fn note_journal(&self, journal: (u64, u64)) -> Result<(), StoreError> {
        self.change(|txn| note(&mut txn.open_table(NOTES).map_err(failed)?, JOURNAL, &journal))
    }

    /// Takes in a write that `make_durable` makes durable elsewhere, as a record of a journal. It becomes durable here with
    /// the next change that does.
    pub(super) fn take_journaled(
        &self,
        write: &Write,
        journal: (u64, u64),
        make_durable: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut txn = self.inner.begin_write().map_err(failed)?;
        txn.set_durability(Durability::None).map_err(failed)?;
        take(&txn, write)?;
        note(&mut txn.open_table(NOTES).map_err(failed)?, JOURNAL, &journal)?;
        make_durable()?;
        txn.commit().map_err(failed)
    }

    /// The last index of the log.
    pub(super) fn last_index(&self) -> Result<LogIndex, StoreError> {
        let txn = self.inner.begin_read().map_err(failed)?;
        let notes = txn.open_table(NOTES).map_err(failed)?;
        let base = noted(&notes, BASE)?.unwrap_or_default();
        last_index(&txn.open_table(LOG).map_err(failed)?, base)
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

/// The last run, and the index of its first entry.
fn last_run(
    log: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<Option<(LogIndex, Run)>, StoreError> {
    let last = log.last().map_err(failed)?;
    last.map(|(first, run)| Ok((LogIndex(first.value()), decode("the log", run.value())?)))
        .transpose()
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

/// The last index of the log. What is left of runs before the base does not count.
fn last_index(
    log: &impl ReadableTable<u64, &'static [u8]>,
    base: LogPosition,
) -> Result<LogIndex, StoreError> {
    let last = last_run(log)?;
    let last = last.map(|(first, run)| first.advanced(run.entries.len()).previous());
    Ok(last.unwrap_or_default().max(base.index))
}

/// Removes an entry and all after it.
fn truncate(log: &mut Log<'_>, from: LogIndex) -> Result<(), StoreError> {
    log.retain_in(from.0.., |_, _| false).map_err(failed)?;
    let Some((first, run)) = last_run(log)? else { return Ok(()) };
    let kept = usize::try_from(from.0 - first.0).unwrap_or(usize::MAX);
    if kept < run.entries.len() {
        let entries = run.entries[..kept].iter().cloned().collect();
        put_run(log, first, &Run { entries, ..run })?;
    }
    Ok(())
}

fn append(
    log: &mut Log<'_>,
    base: LogPosition,
    append: &Append,
    commit: LogIndex,
) -> Result<(), StoreError> {
    let last = last_index(log, base)?;
    if append.first != last.next() {
        return contradiction(format!("{} does not follow {last}", append.first));
    }
    put_run(log, append.first, &Run { commit, entries: append.entries.clone() })
}

fn put_run(log: &mut Log<'_>, first: LogIndex, run: &Run) -> Result<(), StoreError> {
    log.insert(first.0, encode(run).as_slice()).map_err(failed)?;
    Ok(())
}

/// Removes the entry at an index and all before it: whole runs. What is left of the run in which it is stays, and is not
/// read, since the log begins later.
fn compact(log: &mut Log<'_>, last: LogIndex) -> Result<(), StoreError> {
    let mut before = log.range(..=last.next().0).map_err(failed)?;
    let Some(kept) =
        before.next_back().transpose().map_err(failed)?.map(|(first, _)| first.value())
    else {
        return Ok(());
    };
    drop(before);
    log.retain_in(..kept, |_, _| false).map_err(failed)
}

/// Carries out the parts of a write, in their order.
fn take(txn: &WriteTransaction, write: &Write) -> Result<(), StoreError> {
    let Write { hard_state, install: meta, truncate_from, append: appends, commit, compact: to } =
        write;
    let mut notes = txn.open_table(NOTES).map_err(failed)?;
    if let Some(hard_state) = hard_state {
        note(&mut notes, HARD_STATE, hard_state)?;
    }
    if let Some(meta) = meta {
        install(txn, &mut notes, meta)?;
    }
    let mut log = txn.open_table(LOG).map_err(failed)?;
    if let Some(from) = truncate_from {
        // The hint stays, though the run that holds it may go.
        let commit = last_run(&log)?.map_or(LogIndex::ZERO, |(_, run)| run.commit);
        let before: LogIndex = noted(&notes, COMMIT)?.unwrap_or_default();
        let commit = commit.max(before);
        note(&mut notes, COMMIT, &commit)?;
        truncate(&mut log, *from)?;
    }
    let mut base: LogPosition = noted(&notes, BASE)?.unwrap_or_default();
    if truncate_from.is_some() || meta.is_some() {
        // A log that was removed for a snapshot begins after it.
        let counts = latest(&txn.open_table(SNAPSHOTS).map_err(failed)?)?;
        let counts = counts.map_or(LogPosition::ZERO, |stored| stored.meta.position);
        if last_index(&log, base)? == base.index && base.index < counts.index {
            base = counts;
            note(&mut notes, BASE, &base)?;
        }
    }
    match (appends, commit) {
        (Some(appends), commit) => append(&mut log, base, appends, commit.unwrap_or_default())?,
        (None, Some(commit)) => note(&mut notes, COMMIT, commit)?,
        (None, None) => {}
    }
    if let Some(to) = to {
        compact(&mut log, to.index)?;
        note(&mut notes, BASE, &base.max(*to))?;
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
        let mut commit: LogIndex = noted(&notes, COMMIT)?.unwrap_or_default();
        for item in txn.open_table(LOG).map_err(failed)?.iter().map_err(failed)? {
            let (first, run) = item.map_err(failed)?;
            let run: Run = decode("the log", run.value())?;
            commit = commit.max(run.commit);
            push(&mut log, LogIndex(first.value()), &run.entries)?;
        }
        Ok(Some(Restored {
            hard_state: hard_state.unwrap_or_default(),
            snapshot: snapshot.map(|stored| stored.meta).unwrap_or_default(),
            log,
            commit,
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
        let base: LogPosition =
            noted(&txn.open_table(NOTES).map_err(failed)?, BASE)?.unwrap_or_default();
        let log = txn.open_table(LOG).map_err(failed)?;
        let mut begin = log.range(..=first.0).map_err(failed)?;
        let begin = begin.next_back().transpose().map_err(failed)?.map(|(begin, _)| begin.value());
        let (mut entries, mut bytes, mut next) = (Vec::new(), 0, first);
        let runs = log.range(begin.unwrap_or(first.0)..=last.0).map_err(failed)?;
        for item in runs.take_while(|_| first > base.index) {
            let (begin, run) = item.map_err(failed)?;
            let run: Run = decode("the log", run.value())?;
            let skipped =
                usize::try_from(next.0.saturating_sub(begin.value())).unwrap_or(usize::MAX);
            for entry in run.entries.iter().skip(skipped) {
                bytes += entry.size();
                if next > last || (bytes > max_bytes && !entries.is_empty()) {
                    return Ok(entries);
                }
                entries.push(entry.clone());
                next = next.next();
            }
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

/// Adds the entries of a run that lie after the base.
fn push(log: &mut LogSummary, first: LogIndex, entries: &[Entry]) -> Result<(), StoreError> {
    let corrupt = |why: String| StoreError::Corrupt { what: "the log", why };
    let next = log.last().index.next();
    let Some(compacted) = next.0.checked_sub(first.0) else {
        return Err(corrupt(format!("{first} follows {}", log.last())));
    };
    for entry in entries.iter().skip(usize::try_from(compacted).unwrap_or(usize::MAX)) {
        log.push(entry).map_err(|why| corrupt(why.to_string()))?;
    }
    Ok(())
}

fn missing<T>(position: LogPosition, offset: u64) -> Result<T, StoreError> {
    let why = format!("the bytes of {position} from {offset} on are missing");
    Err(StoreError::Corrupt { what: "a snapshot", why })
}
