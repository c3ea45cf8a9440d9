//! A disk: the sum of the writes that it has taken, the last of them in part perhaps; the snapshots that are
//! still of use; and the one that arrives.
//!
//! Always checked here: writes leave no gap, a snapshot is installed when all of it is staged, and the log is
//! not compacted before the snapshot that replaces it is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    Entries, Entry, HardState, Incarnation, LogIndex, LogPosition, LogSummary, Membership, NodeId,
    PartialSnapshot, Payload, Restored, SnapshotMeta, Term, Write,
};

use super::lanes::Transport;

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) hard_state: HardState,
    /// By position. The last is the one that counts.
    pub(crate) snapshots: BTreeMap<LogPosition, Snapshot>,
    pub(crate) staged: Option<Staged>,
    /// Where the log begins.
    pub(crate) base: LogPosition,
    pub(crate) entries: Vec<Entry>,
    pub(crate) commit: LogIndex,
}

/// What a machine held at a position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) meta: SnapshotMeta,
    pub(crate) bytes: Bytes,
}

/// A snapshot that arrives.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) partial: PartialSnapshot,
    pub(crate) bytes: Vec<u8>,
    /// One that was fetched from elsewhere is fetched again after a restart: nobody has looked at it yet.
    pub(crate) came_by: Transport,
}

impl Disk {
    /// An empty disk, or that of a node that was there before when `terms` are given.
    pub(crate) fn with_log(founders: &Membership, terms: &[u64]) -> Self {
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

    pub(crate) fn keep(&mut self, meta: SnapshotMeta, bytes: Bytes) {
        self.snapshots.insert(meta.position, Snapshot { meta, bytes });
    }

    /// The snapshot that counts.
    pub(crate) fn snapshot(&self) -> SnapshotMeta {
        self.snapshots.last_key_value().map(|(_, last)| last.meta.clone()).unwrap_or_default()
    }

    /// The last position up to which the disk holds everything.
    pub(crate) fn last_index(&self) -> LogIndex {
        let SnapshotMeta { position, .. } = self.snapshot();
        if self.holds(position) {
            self.base.index.advanced(self.entries.len())
        } else {
            position.index
        }
    }

    /// The entry at `index`, if the log has it.
    pub(crate) fn entry(&self, index: LogIndex) -> Option<&Entry> {
        let offset = index.0.checked_sub(self.base.index.0 + 1)?;
        self.entries.get(usize::try_from(offset).expect("logs here are short"))
    }

    fn holds(&self, position: LogPosition) -> bool {
        position == self.base
            || self.entry(position.index).is_some_and(|entry| entry.term == position.term)
    }

    /// Entries from `first` to `last`, as many as fit and one at least; none when the first is not there.
    pub(crate) fn read(&self, first: LogIndex, last: LogIndex, max_bytes: u64) -> Option<Entries> {
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

    /// What a node is given when it starts with this disk, and a machine that has kept its state up to `applied`.
    pub(crate) fn restored(&self, applied: LogIndex) -> Restored {
        let mut log = LogSummary::after(self.base);
        for entry in &self.entries {
            log.push(entry).expect("leaders write no falling terms");
        }
        let chunks = self.staged.as_ref().filter(|staged| staged.came_by == Transport::Chunks);
        Restored {
            hard_state: self.hard_state,
            snapshot: self.snapshot(),
            log,
            commit: self.commit,
            applied,
            partial: chunks.map(|staged| staged.partial.clone()),
        }
    }

    /// Stages bytes of a snapshot that arrives.
    pub(crate) fn stage(&mut self, partial: PartialSnapshot, offset: u64, data: &[u8]) {
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
        assert_eq!(bytes.len() as u64, partial.received);
        self.staged = Some(Staged { partial, bytes, came_by: Transport::Chunks });
    }

    /// Stages a whole snapshot from elsewhere.
    pub(crate) fn stage_whole(&mut self, source: NodeId, found: Snapshot) {
        let total = found.bytes.len() as u64;
        let partial = PartialSnapshot { source, snapshot: found.meta, total, received: total };
        let bytes = found.bytes.to_vec();
        self.staged = Some(Staged { partial, bytes, came_by: Transport::Locators });
    }

    pub(crate) fn write(&mut self, write: &Write) {
        self.write_prefix(write, usize::MAX);
    }

    /// Takes the first `parts` parts of a write, in the order in which they must become durable.
    pub(crate) fn write_prefix(&mut self, write: &Write, parts: usize) {
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
            self.entries.truncate(usize::try_from(keep).expect("logs here are short"));
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
        self.entries.drain(..usize::try_from(gone).expect("logs here are short"));
        self.base = base;
    }
}

/// How many parts a write has: a crash may keep any number of them.
pub(crate) fn parts(write: &Write) -> usize {
    usize::from(write.hard_state.is_some())
        + usize::from(write.install.is_some())
        + usize::from(write.truncate_from.is_some())
        + write.append.as_ref().map_or(0, |append| append.entries.len())
        + usize::from(write.commit.is_some())
        + usize::from(write.compact.is_some())
}

/// Entries of the given terms, from index 1; equal positions hold equal commands.
pub(crate) fn entries(terms: &[u64]) -> Vec<Entry> {
    (1..).zip(terms).map(|(index, term)| entry(*term, index)).collect()
}

/// The entry of `term` at `index`.
pub(crate) fn entry(term: u64, index: u64) -> Entry {
    Entry { term: Term(term), payload: Payload::command(format!("i{index}@T{term}")) }
}
