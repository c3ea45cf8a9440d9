//! A disk: the sum of the writes that it has taken, the last of them in part perhaps; the snapshots that are still of
//! use; and the one that arrives.
//!
//! Always checked here: writes leave no gap, a snapshot is installed when all of it is staged, and the log is not
//! compacted before the snapshot that replaces it is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    Entries, Entry, HardState, Incarnation, LogIndex, LogPosition, LogSummary, Membership, NodeId,
    PartialSnapshot, Payload, RestoreError, Restored, SnapshotMeta, Term, Write,
};

use crate::lanes::Transport;

/// What a node was told to keep.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// The last written.
    pub hard_state: HardState,
    /// By index, as a leader that lies may send a later one of an earlier term. The last is the one that counts.
    pub snapshots: BTreeMap<LogIndex, Snapshot>,
    /// The snapshot that arrives.
    pub staged: Option<Staged>,
    /// Where the log begins.
    pub base: LogPosition,
    /// What follows.
    pub entries: Vec<Entry>,
    /// The last hint.
    pub commit: LogIndex,
}

/// What a machine held at a position.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub meta: SnapshotMeta,
    pub bytes: Bytes,
}

/// Bytes of a snapshot that arrives.
#[derive(Clone, Debug)]
pub struct Staged {
    /// Which, and how many of how many bytes.
    pub partial: PartialSnapshot,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What was fetched from elsewhere is fetched again after a restart: nobody has looked at it yet.
    pub came_by: Transport,
}

impl Disk {
    /// An empty disk, or that of a node that was there before when `terms` are given.
    pub fn with_log(founders: &Membership, terms: &[u64]) -> Self {
        let mut disk = Self::default();
        if let Some(term) = terms.last() {
            disk.hard_state =
                HardState { term: Term(*term), vote: None, incarnation: Incarnation(1) };
            let membership = Arc::new(founders.clone());
            disk.keep(SnapshotMeta { position: LogPosition::ZERO, membership }, Bytes::new());
            disk.entries = entries(terms);
        }
        disk
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.hard_state == HardState::default() && self.snapshots.is_empty()
    }

    /// Whether a counter has come to the end of its range, by a disk that began there or by a leader's lie: then nobody
    /// starts from the disk any more.
    pub fn is_at_the_end(&self) -> bool {
        let end = self.base.index.advanced(self.entries.len());
        self.hard_state.incarnation.0 == u64::MAX || end > LogIndex::MAX
    }

    /// Stores a snapshot.
    pub fn keep(&mut self, meta: SnapshotMeta, bytes: Bytes) {
        self.snapshots.insert(meta.position.index, Snapshot { meta, bytes });
    }

    /// The snapshot that counts.
    pub fn snapshot(&self) -> SnapshotMeta {
        self.snapshots.last_key_value().map(|(_, last)| last.meta.clone()).unwrap_or_default()
    }

    /// A snapshot, if it is there.
    pub fn snapshot_at(&self, position: LogPosition) -> Option<&Snapshot> {
        self.snapshots.get(&position.index).filter(|snapshot| snapshot.meta.position == position)
    }

    /// The last position up to which the disk holds everything.
    pub fn last(&self) -> LogPosition {
        let position = self.snapshot().position;
        if !self.holds(position) {
            return position;
        }
        let index = self.base.index.advanced(self.entries.len());
        LogPosition::new(self.entries.last().map_or(self.base.term, |entry| entry.term), index)
    }

    /// The entry at `index`, if the log has it.
    pub fn entry(&self, index: LogIndex) -> Option<&Entry> {
        let offset = index.0.checked_sub(self.base.index.next().0)?;
        self.entries.get(usize::try_from(offset).ok()?)
    }

    /// Whether the log has the entry at a position, or begins after it.
    pub fn holds(&self, position: LogPosition) -> bool {
        position == self.base
            || self.entry(position.index).is_some_and(|entry| entry.term == position.term)
    }

    /// Entries from `first` to `last`, as many as fit and one at least; none when the first is not there.
    pub fn read(&self, first: LogIndex, last: LogIndex, max_bytes: u64) -> Option<Entries> {
        let (mut read, mut bytes) = (Vec::new(), 0);
        for index in first.0..=last.0 {
            let Some(entry) = self.entry(LogIndex(index)) else { break };
            bytes += entry.size();
            if bytes > max_bytes && !read.is_empty() {
                break;
            }
            read.push(entry.clone());
        }
        (!read.is_empty()).then(|| read.into_iter().collect())
    }

    /// What a node is given when it starts with this disk, and a machine that holds everything up to `applied`.
    ///
    /// # Errors
    /// When there is an entry that no leader can have written.
    pub fn restored(&self, applied: LogIndex) -> Result<Restored, RestoreError> {
        let mut log = LogSummary::after(self.base);
        self.entries.iter().try_for_each(|entry| log.push(entry))?;
        let chunks = self.staged.as_ref().filter(|staged| staged.came_by == Transport::Chunks);
        Ok(Restored {
            hard_state: self.hard_state,
            snapshot: self.snapshot(),
            log,
            commit: self.commit,
            applied,
            partial: chunks.map(|staged| staged.partial.clone()),
        })
    }

    /// Stages bytes of a snapshot that arrives.
    ///
    /// # Panics
    /// When they do not follow what is staged, or are of another snapshot (B46).
    pub fn stage(&mut self, partial: PartialSnapshot, offset: u64, data: &[u8]) {
        let mut bytes = match self.staged.take() {
            Some(staged) if offset > 0 => {
                let PartialSnapshot { source, snapshot, total, received } = &staged.partial;
                assert_eq!((source, snapshot), (&partial.source, &partial.snapshot), "B46");
                assert_eq!((*total, *received), (partial.total, offset), "bytes in order");
                staged.bytes
            }
            _ => Vec::new(),
        };
        assert_eq!(bytes.len() as u64, offset, "a snapshot is staged from its beginning");
        bytes.extend_from_slice(data);
        assert_eq!(bytes.len() as u64, partial.received, "what is staged is what was asked for");
        assert!(partial.received <= partial.total, "no snapshot has more bytes than it has");
        self.staged = Some(Staged { partial, bytes, came_by: Transport::Chunks });
    }

    /// Stages a whole snapshot from elsewhere.
    pub fn stage_whole(&mut self, source: NodeId, found: Snapshot) {
        let total = found.bytes.len() as u64;
        let partial = PartialSnapshot { source, snapshot: found.meta, total, received: total };
        let bytes = found.bytes.to_vec();
        self.staged = Some(Staged { partial, bytes, came_by: Transport::Locators });
    }

    /// Takes a write.
    ///
    /// # Panics
    /// When it does not follow from what the disk holds.
    pub fn write(&mut self, write: &Write) {
        self.write_prefix(write, usize::MAX);
    }

    /// Takes the first `parts` parts of a write, in the order in which they must become durable.
    ///
    /// # Panics
    /// When they do not follow from what the disk holds.
    pub fn write_prefix(&mut self, write: &Write, parts: usize) {
        let mut left = parts;
        let mut takes = |part: bool| {
            let taken = part && left > 0;
            left -= usize::from(taken);
            taken
        };
        let Write { hard_state, install, truncate_from, append, commit, compact } = write;
        if let Some(hard_state) = hard_state.filter(|_| takes(true)) {
            self.hard_state = hard_state;
        }
        if let Some(snapshot) = install.as_ref().filter(|_| takes(true)) {
            self.install(snapshot);
        }
        if let Some(first) = truncate_from.filter(|_| takes(true)) {
            let keep = first.previous().entries_since(self.base.index);
            self.entries.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
            self.begin_after_snapshot();
        }
        if let Some(append) = append {
            if self.entries.is_empty() {
                self.begin_after_snapshot();
            }
            for (offset, entry) in append.entries.iter().enumerate() {
                if takes(true) {
                    let end = self.base.index.advanced(self.entries.len() + 1);
                    assert_eq!(append.first.advanced(offset), end, "writes leave no gap");
                    self.entries.push(entry.clone());
                }
            }
        }
        if let Some(commit) = commit.filter(|_| takes(true)) {
            self.commit = commit;
        }
        if let Some(base) = compact.filter(|_| takes(true)) {
            self.compact(base);
        }
    }

    fn install(&mut self, snapshot: &SnapshotMeta) {
        let bytes = if snapshot.position == LogPosition::ZERO {
            Vec::new()
        } else {
            let staged = self.staged.take().expect("a snapshot is staged before it is installed");
            let PartialSnapshot { total, received, .. } = staged.partial;
            assert_eq!((&staged.partial.snapshot, received), (snapshot, total), "all of it");
            staged.bytes
        };
        self.keep(snapshot.clone(), bytes.into());
    }

    /// A log that does not hold the snapshot's position is removed, and begins after it from then on.
    fn begin_after_snapshot(&mut self) {
        let position = self.snapshot().position;
        if !self.holds(position) {
            self.entries.clear();
            self.base = position;
        }
    }

    fn compact(&mut self, base: LogPosition) {
        assert!(self.snapshot().position.index >= base.index, "the snapshot comes first (B58)");
        assert!(self.holds(base), "a log begins at one of its entries");
        let gone = base.index.entries_since(self.base.index);
        self.entries.drain(..usize::try_from(gone).expect("it is one of the entries"));
        self.base = base;
    }
}

/// How many parts a write has: a crash may keep any number of them.
pub fn parts(write: &Write) -> usize {
    usize::from(write.hard_state.is_some())
        + usize::from(write.install.is_some())
        + usize::from(write.truncate_from.is_some())
        + write.append.as_ref().map_or(0, |append| append.entries.len())
        + usize::from(write.commit.is_some())
        + usize::from(write.compact.is_some())
}

/// Entries of the given terms, from index 1; equal positions hold equal commands.
pub fn entries(terms: &[u64]) -> Vec<Entry> {
    (1..).zip(terms).map(|(index, term)| entry(*term, index)).collect()
}

/// The entry of `term` at `index`.
pub fn entry(term: u64, index: u64) -> Entry {
    Entry { term: Term(term), payload: Payload::command(format!("i{index}@T{term}")) }
}
