//! A durable log in one file: records in the order in which they were asked for, synced once for each write.
//!
//! A record is the length of its body, a checksum of length and body, and the body, which is a `Record` in the form of
//! `postcard`. A crash can leave only a prefix of what was not synced yet, if reading stops at the first record that is
//! broken: everything before it is read, it and all after it is removed. That is the order that [`Write`] asks for.
//!
//! The first record names the cluster and the node the disk belongs to. It is there as soon as the file is.
//!
//! What it does not do: it takes no snapshots, so the file only grows; and it cannot tell a record that was torn by a crash from
//! one that went bad long after it was synced. In that case too everything from there on is removed, which a node may have
//! promised to keep. A log for production marks what was synced, and refuses to start.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use raft_core::{
    ClusterId, Entries, Entry, HardState, LogIndex, LogPosition, LogSummary, NodeId, RestoreError,
    Restored, SnapshotMeta, Write,
};
use serde::{Deserialize, Serialize};

/// Where the log is, in the folder of the node.
const LOG: &str = "raft.log";
/// The log before it has its first record.
const NEW_LOG: &str = "raft.log.new";
/// Held by the process that uses the folder.
const LOCK: &str = "lock";
/// Length and checksum.
const HEADER_BYTES: usize = 8;

/// Whose disk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
}

/// What the file consists of. The order of the variants is part of its format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Record {
    /// The first record, and only that.
    Identity(Identity),
    /// Replaces the hard state.
    HardState(HardState),
    /// The founding members.
    Founded(SnapshotMeta),
    /// Removes the entry at this index and all after it.
    TruncateFrom(LogIndex),
    /// The next entry.
    Entry(Entry),
    /// Up to here the log is committed.
    Commit(LogIndex),
}

/// Why a disk cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// The system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Of which file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Two processes on one disk would each undo what the other promised.
    #[error("{} is in use by another process: stop that first, or give this node a folder of its own", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It belongs to another node.
    #[error(
        "{} belongs to {} of {}, not to {} of {}: name the folder of this node",
        path.display(), found.node, found.cluster, expected.node, expected.cluster
    )]
    OtherIdentity {
        /// The file.
        path: PathBuf,
        /// Who wanted to use it.
        expected: Identity,
        /// Whose it is.
        found: Identity,
    },
    /// The first record is not what it must be. It was synced before the file got its name, so no crash explains that.
    #[error("{} does not begin with the record of whose it is: it is damaged, or another program's", path.display())]
    NoIdentity {
        /// The file.
        path: PathBuf,
    },
    /// A checksum is right, but the record makes no sense.
    #[error("{} has an unknown record at byte {at}: it was written by another version", path.display())]
    UnknownRecord {
        /// The file.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// The log is none that a leader can have written.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// The disk of one node.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    file: File,
    /// Up to here the file is good, and synced.
    end: u64,
    /// Where the record of each entry begins; the entry at index 1 first.
    entries: Vec<u64>,
    hard_state: Option<HardState>,
    founding: Option<SnapshotMeta>,
    commit: LogIndex,
    torn_bytes: u64,
    /// Released when the file is closed, by the end of the process at the latest.
    _lock: File,
}

impl Disk {
    /// Opens the disk of a node; makes it, when there is none in the folder yet. Removes what a crash has torn.
    ///
    /// # Errors
    /// When it is in use, belongs to another node, or cannot be read.
    pub fn open(folder: &Path, identity: Identity) -> Result<Self, DiskError> {
        let failed = |source| DiskError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = lock(folder)?;
        let path = folder.join(LOG);
        if !path.try_exists().map_err(failed)? {
            create(folder, identity).map_err(failed)?;
        }
        let mut disk = Self {
            file: File::options().read(true).write(true).open(&path).map_err(failed)?,
            path,
            end: 0,
            entries: Vec::new(),
            hard_state: None,
            founding: None,
            commit: LogIndex::ZERO,
            torn_bytes: 0,
            _lock: lock,
        };
        // An earlier process may have written and not synced: what is read must not be lost after it was read.
        disk.file.sync_all().map_err(failed)?;
        disk.replay(identity)?;
        Ok(disk)
    }

    /// What a node starts from; `None` when it has never written anything, and so is founded (again).
    ///
    /// # Errors
    /// When the log cannot be read, or cannot be a log.
    pub fn restored(&mut self) -> Result<Option<Restored>, DiskError> {
        if self.hard_state.is_none() && self.founding.is_none() {
            return Ok(None);
        }
        let mut log = LogSummary::after(LogPosition::ZERO);
        for place in 0..self.entries.len() {
            let entry = self.entry(self.entries[place]);
            log.push(&entry.map_err(|source| self.failed(source))?)?;
        }
        Ok(Some(Restored {
            hard_state: self.hard_state.unwrap_or_default(),
            snapshot: self.founding.clone().unwrap_or_default(),
            log,
            commit: self.commit,
            applied: LogIndex::ZERO, // The machine is made anew from the log.
            partial: None,
        }))
    }

    /// Makes a write durable.
    ///
    /// # Errors
    /// When it cannot be known to be. Then the node must be dropped, and started again from a disk that was opened anew.
    pub fn write(&mut self, write: &Write) -> io::Result<()> {
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        for record in self.records(write)? {
            records.push((self.end + bytes.len() as u64, record.clone()));
            bytes.extend(encode(&record));
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        self.end += bytes.len() as u64;
        for (at, record) in records {
            self.take(at, record);
        }
        Ok(())
    }

    /// Entries of the log: from `first` to `last`, of at most `max_bytes`, but one at least.
    ///
    /// # Errors
    /// When they cannot be read, or are not there.
    pub fn read(&mut self, first: LogIndex, last: LogIndex, max_bytes: u64) -> io::Result<Entries> {
        let (mut found, mut size) = (Vec::new(), 0_u64);
        for index in first.0..=last.0 {
            let place = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
            let Some(at) = place.and_then(|place| self.entries.get(place)) else { break };
            let entry = self.entry(*at)?;
            size = size.saturating_add(entry.size());
            if size > max_bytes && !found.is_empty() {
                break;
            }
            found.push(entry);
        }
        if found.is_empty() {
            return Err(io::Error::other(format!("the log holds no entry at {first}")));
        }
        Ok(found.into_iter().collect())
    }

    /// How many bytes of a torn write were removed when the disk was opened.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// The parts of a write as records, in their order.
    fn records(&self, write: &Write) -> io::Result<Vec<Record>> {
        let Write { hard_state, install, truncate_from, append, commit, compact } = write;
        let is_snapshot = install.as_ref().is_some_and(|meta| meta.position != LogPosition::ZERO);
        if is_snapshot || compact.is_some() {
            return Err(io::Error::other(
                "this disk keeps no snapshots, and so none can be installed",
            ));
        }
        let mut records = Vec::new();
        records.extend(hard_state.map(Record::HardState));
        records.extend(install.clone().map(Record::Founded));
        records.extend(truncate_from.map(Record::TruncateFrom));
        if let Some(append) = append {
            let last = LogIndex(self.entries.len() as u64);
            let left = truncate_from.map_or(last, |from| from.previous().min(last));
            if append.first != left.next() {
                let gap = format!("the log ends at {left}, and cannot go on at {}", append.first);
                return Err(io::Error::other(gap));
            }
            records.extend(append.entries.iter().cloned().map(Record::Entry));
        }
        records.extend(commit.map(Record::Commit));
        Ok(records)
    }

    /// Reads the file from its beginning, and cuts it where the first record is broken.
    fn replay(&mut self, expected: Identity) -> Result<(), DiskError> {
        let mut file = self.file.try_clone().map_err(|source| self.failed(source))?;
        let length = file.seek(SeekFrom::End(0)).map_err(|source| self.failed(source))?;
        file.rewind().map_err(|source| self.failed(source))?;
        let mut reader = BufReader::new(file);
        while let Some(body) =
            read_body(&mut reader, length - self.end).map_err(|source| self.failed(source))?
        {
            let at = self.end;
            let unknown = DiskError::UnknownRecord { path: self.path.clone(), at };
            match (at, decode(&body).ok_or(unknown)?) {
                (0, Record::Identity(found)) if found == expected => {}
                (0, Record::Identity(found)) => {
                    let path = self.path.clone();
                    return Err(DiskError::OtherIdentity { path, expected, found });
                }
                (0, _) => return Err(DiskError::NoIdentity { path: self.path.clone() }),
                (_, record) => self.take(at, record),
            }
            self.end += (HEADER_BYTES + body.len()) as u64;
        }
        if self.end == 0 {
            return Err(DiskError::NoIdentity { path: self.path.clone() });
        }
        self.torn_bytes = length - self.end;
        if self.torn_bytes > 0 {
            let cut = self.file.set_len(self.end).and_then(|()| self.file.sync_all());
            cut.map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// What a record that is durable means.
    fn take(&mut self, at: u64, record: Record) {
        match record {
            Record::Identity(_) => {}
            Record::HardState(hard_state) => self.hard_state = Some(hard_state),
            Record::Founded(meta) => self.founding = Some(meta),
            Record::TruncateFrom(from) => {
                self.entries.truncate(usize::try_from(from.previous().0).unwrap_or(usize::MAX));
            }
            Record::Entry(_) => self.entries.push(at),
            Record::Commit(commit) => self.commit = commit,
        }
    }

    /// The entry whose record begins there.
    fn entry(&mut self, at: u64) -> io::Result<Entry> {
        self.file.seek(SeekFrom::Start(at))?;
        let body = read_body(&mut self.file, self.end - at)?;
        match body.and_then(|body| decode(&body)) {
            Some(Record::Entry(entry)) => Ok(entry),
            _ => Err(io::Error::other(format!("the record at byte {at} has gone bad"))),
        }
    }

    fn failed(&self, source: io::Error) -> DiskError {
        DiskError::Io { path: self.path.clone(), source }
    }
}

/// Takes the folder for this process.
fn lock(folder: &Path) -> Result<File, DiskError> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).write(true).truncate(false).open(&path);
    let failed = |source| DiskError::Io { path: path.clone(), source };
    let file = file.map_err(failed)?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(fs4::TryLockError::WouldBlock) => Err(DiskError::InUse { path: folder.to_owned() }),
        Err(fs4::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A log with nothing but its first record. It gets its name when that is durable, so it has it whole or not at all.
fn create(folder: &Path, identity: Identity) -> io::Result<()> {
    let mut file = File::create(folder.join(NEW_LOG))?;
    file.write_all(&encode(&Record::Identity(identity)))?;
    file.sync_all()?;
    fs::rename(folder.join(NEW_LOG), folder.join(LOG))?;
    sync_folder(folder)
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes the names in a folder durable: where folders cannot be opened, the file system sees to it.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// A record with length and checksum.
fn encode(record: &Record) -> Vec<u8> {
    let body = postcard::to_stdvec(record).expect("a record is plain data, of known lengths");
    let length = u32::try_from(body.len()).expect("a command is far smaller than 4 GiB");
    let length = length.to_le_bytes();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend(length);
    bytes.extend(checksum(length, &body).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// The next record's body, if there is a whole and sound one in the bytes that are left.
fn read_body(reader: &mut impl Read, left: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(left) = left.checked_sub(HEADER_BYTES as u64) else { return Ok(None) };
    let (mut length, mut stored) = ([0; 4], [0; 4]);
    reader.read_exact(&mut length)?;
    reader.read_exact(&mut stored)?;
    let bytes = u32::from_le_bytes(length);
    if u64::from(bytes) > left {
        return Ok(None);
    }
    let mut body = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    reader.read_exact(&mut body)?;
    Ok((checksum(length, &body) == u32::from_le_bytes(stored)).then_some(body))
}

/// Of the length too: of nothing but zeros, which a crash may leave at the end of a file, it is not zero.
fn checksum(length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

fn decode(body: &[u8]) -> Option<Record> {
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Some(record),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
#[path = "disk/tests.rs"]
mod tests;
