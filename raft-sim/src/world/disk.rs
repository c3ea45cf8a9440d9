//! A node's disk: what is durable, and what a crash leaves of a write.
//!
//! Invariant: the image is the sum of all durable writes, the last before each crash in part perhaps: a
//! prefix of its parts in their documented order, and of its entries. Snapshots are files beside it.

use bytes::Bytes;
use raft_core::{
    Append, Bootstrap, Entries, Entry, HardState, Join, LogIndex, LogPosition, LogSummary,
    Membership, PartialSnapshot, Restored, SnapshotMeta, Start, Write,
};

use super::runs::Runs;
use crate::draw::Draw;

/// What a disk holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    hard_state: Option<HardState>,
    /// What lies before the first entry.
    base: LogPosition,
    entries: Runs,
    commit: LogIndex,
    /// The snapshots, the one that counts last.
    snapshots: Vec<Stored>,
    staged: Option<Staged>,
}

/// A snapshot.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) meta: SnapshotMeta,
    pub(super) bytes: Bytes,
}

/// A snapshot that arrives.
#[derive(Clone, Debug)]
struct Staged {
    partial: PartialSnapshot,
    bytes: Vec<u8>,
}

impl Staged {
    /// Whether all bytes are there. One that was fetched from elsewhere comes in one piece.
    fn is_whole(&self) -> bool {
        self.partial.total == 0 || self.bytes.len() as u64 == self.partial.total
    }
}

impl Image {
    /// Takes in a write, or what survived of one.
    pub(super) fn take(&mut self, write: &Write) -> Result<(), String> {
        let Write { hard_state, install, truncate_from, append, commit, compact } = write;
        if let Some(hard_state) = hard_state {
            self.hard_state = Some(*hard_state);
        }
        if let Some(snapshot) = install {
            self.install(snapshot)?;
        }
        if let Some(first) = truncate_from {
            let kept = first.0.saturating_sub(self.base.index.0 + 1);
            self.entries.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        // A log that was removed for a snapshot begins after it.
        let snapshot = self.snapshot().map_or(LogPosition::ZERO, |stored| stored.meta.position);
        if self.entries.is_empty() && self.base.index < snapshot.index {
            self.base = snapshot;
        }
        if let Some(Append { first, entries }) = append {
            let expected = self.last().next();
            if *first != expected {
                return Err(format!(
                    "appends from {first} to a disk whose log ends before {expected}"
                ));
            }
            self.entries.push(entries);
        }
        if let Some(commit) = commit {
            self.commit = *commit;
        }
        if let Some(base) = compact {
            self.compact(*base)?;
        }
        Ok(())
    }

    /// What was staged counts from now on; at the founding there is nothing to stage.
    fn install(&mut self, meta: &SnapshotMeta) -> Result<(), String> {
        let is_founding = meta.position == LogPosition::ZERO;
        let bytes = match self.staged.take_if(|_| !is_founding) {
            Some(staged) if staged.is_whole() && staged.partial.snapshot == *meta => {
                staged.bytes.into()
            }
            _ if is_founding => Bytes::new(),
            _ => {
                return Err(format!(
                    "installs a snapshot at {} that is not staged, or not all of it",
                    meta.position
                ));
            }
        };
        self.store(Stored { meta: meta.clone(), bytes });
        Ok(())
    }

    fn compact(&mut self, base: LogPosition) -> Result<(), String> {
        let gone = base.index.entries_since(self.base.index);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX);
        let held = gone.checked_sub(1).and_then(|last| self.entries.after(last).next());
        if held.is_some_and(|entry| entry.term != base.term) || gone > self.entries.len() {
            return Err(format!("compacts its log to {base}, which is not in it"));
        }
        self.entries.remove_first(gone);
        self.base = self.base.max(base);
        Ok(())
    }

    /// The last entry on the disk.
    pub(super) fn last(&self) -> LogIndex {
        self.base.index.advanced(self.entries.len())
    }

    /// The position of the last entry on the disk, or of the snapshot if that is later.
    pub(super) fn last_position(&self) -> LogPosition {
        let last = self.entries.last().map(|entry| LogPosition::new(entry.term, self.last()));
        let snapshot = self.snapshot().map(|stored| stored.meta.position);
        last.max(snapshot).unwrap_or(self.base)
    }

    /// How a node with this disk starts. Without the empty snapshot that names the members, nothing that it
    /// did can have been seen by others: then it founds the cluster again.
    pub(super) fn start(&self, founders: &Membership, applied: LogIndex) -> Start {
        let Some(snapshot) = self.snapshot() else {
            return Bootstrap { membership: founders.clone() }.into();
        };
        self.restored(snapshot.meta.clone(), applied).into()
    }

    /// How a node that is no founder starts.
    pub(super) fn join(&self, applied: LogIndex) -> Start {
        if self.hard_state.is_none() {
            return Join.into();
        }
        let snapshot = self.snapshot().map_or_else(SnapshotMeta::default, |s| s.meta.clone());
        self.restored(snapshot, applied).into()
    }

    fn restored(&self, snapshot: SnapshotMeta, applied: LogIndex) -> Restored {
        let mut log = LogSummary::after(self.base);
        for entry in self.entries.after(0) {
            log.push(entry).expect("the disk holds what was written");
        }
        Restored {
            hard_state: self.hard_state.unwrap_or_default(),
            snapshot,
            log,
            commit: self.commit,
            applied,
            partial: self.staged.as_ref().map(|staged| staged.partial.clone()),
        }
    }

    // ----- old entries and snapshots -----

    /// All entries.
    pub(super) fn entries(&self) -> Entries {
        self.entries.after(0).cloned().collect()
    }

    /// Entries of `first..=last`, as many as fit; one at least. `None` when the first is not there.
    pub(super) fn read(&self, first: LogIndex, last: LogIndex, max_bytes: u64) -> Option<Entries> {
        let place = usize::try_from(first.0.checked_sub(self.base.index.0 + 1)?).ok()?;
        let count = usize::try_from(last.0 - first.0 + 1).ok()?;
        let mut bytes = 0;
        let fits = |(nth, entry): &(usize, &Entry)| {
            bytes += entry.size();
            *nth == 0 || bytes <= max_bytes
        };
        let entries = self.entries.after(place).take(count).enumerate().take_while(fits);
        let entries: Entries = entries.map(|(_, entry)| entry.clone()).collect();
        (!entries.is_empty()).then_some(entries)
    }

    /// The snapshot that counts.
    pub(super) fn snapshot(&self) -> Option<&Stored> {
        self.snapshots.last()
    }

    /// The snapshot at a position.
    pub(super) fn stored(&self, position: LogPosition) -> Option<&Stored> {
        self.snapshots.iter().find(|stored| stored.meta.position == position)
    }

    /// The oldest snapshot that has not been deleted yet.
    pub(super) fn oldest(&self) -> Option<&Stored> {
        self.snapshots.first()
    }

    /// Another snapshot: the one at the latest position counts.
    pub(super) fn store(&mut self, snapshot: Stored) {
        let after = self
            .snapshots
            .partition_point(|stored| stored.meta.position.index < snapshot.meta.position.index);
        self.snapshots.insert(after, snapshot);
    }

    /// Deletes the snapshots before `oldest`, but for the one that counts.
    pub(super) fn delete_before(&mut self, oldest: LogPosition) {
        let gone = self.snapshots.partition_point(|s| s.meta.position.index < oldest.index);
        self.snapshots.drain(..gone.min(self.snapshots.len().saturating_sub(1)));
    }

    /// Stages bytes of a snapshot that arrives.
    pub(super) fn stage(
        &mut self,
        partial: &PartialSnapshot,
        offset: u64,
        data: &[u8],
    ) -> Result<(), String> {
        let mut bytes = match self.staged.take() {
            Some(staged) if offset > 0 => staged.bytes,
            _ => Vec::new(),
        };
        if bytes.len() as u64 != offset {
            return Err(format!("stages bytes at {offset}, after {} others", bytes.len()));
        }
        bytes.extend_from_slice(data);
        self.staged = Some(Staged { partial: partial.clone(), bytes });
        Ok(())
    }

    /// Nothing is staged any more.
    pub(super) fn unstage(&mut self) {
        self.staged = None;
    }
}

/// How many cuts there are through a write: its parts, each appended entry being one.
pub fn parts(write: &Write) -> u64 {
    let Write { hard_state, install, truncate_from, append, commit, compact } = write;
    let whole = [
        hard_state.is_some(),
        install.is_some(),
        truncate_from.is_some(),
        commit.is_some(),
        compact.is_some(),
    ];
    let entries = append.as_ref().map_or(0, |append| append.entries.len() as u64);
    whole.into_iter().map(u64::from).sum::<u64>() + entries
}

/// The first `kept` parts of a write.
pub fn prefix(write: &Write, kept: u64) -> Write {
    let mut left = kept;
    let mut survives = || {
        let survives = left > 0;
        left -= u64::from(survives);
        survives
    };
    let hard_state = write.hard_state.filter(|_| survives());
    let install = write.install.clone().filter(|_| survives());
    let truncate_from = write.truncate_from.filter(|_| survives());
    let append = write.append.as_ref().and_then(|append| {
        let count = append.entries.iter().take_while(|_| survives()).count();
        let entries = append.entries[..count].iter().cloned().collect();
        (count > 0).then_some(Append { first: append.first, entries })
    });
    let commit = write.commit.filter(|_| survives());
    let compact = write.compact.filter(|_| survives());
    Write { hard_state, install, truncate_from, append, commit, compact }
}

/// What a crash leaves of a write: nothing, all of it, or something in between.
pub(super) fn torn(write: &Write, draw: &mut Draw) -> Write {
    let parts = parts(write);
    match draw.below(3) {
        0 => Write::default(),
        1 => write.clone(),
        _ if parts > 1 => prefix(write, draw.between(1, parts - 1)),
        _ => prefix(write, draw.below(2)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use raft_core::{Incarnation, LogPosition, NodeId, Payload, Term};

    use super::*;
    use crate::draw::Domain;

    fn entry(term: u64) -> Entry {
        Entry { term: Term(term), payload: Payload::Blank }
    }

    fn write() -> Write {
        Write {
            hard_state: Some(HardState { term: Term(2), vote: None, incarnation: Incarnation(1) }),
            install: None,
            truncate_from: Some(LogIndex(2)),
            append: Some(Append {
                first: LogIndex(2),
                entries: [entry(2), entry(2)].into_iter().collect(),
            }),
            commit: Some(LogIndex(1)),
            compact: None,
        }
    }

    /// Every prefix keeps exactly its first parts, in the documented order.
    #[test]
    fn prefixes_are_exact() {
        let whole = write();
        assert_eq!(parts(&whole), 5);
        assert_eq!(prefix(&whole, 0), Write::default());
        assert_eq!(prefix(&whole, 1), Write { hard_state: whole.hard_state, ..Write::default() });
        let two = Write { truncate_from: whole.truncate_from, ..prefix(&whole, 1) };
        assert_eq!(prefix(&whole, 2), two);
        let append = Append { first: LogIndex(2), entries: [entry(2)].into_iter().collect() };
        assert_eq!(prefix(&whole, 3), Write { append: Some(append), ..two.clone() });
        assert_eq!(prefix(&whole, 4), Write { append: whole.append.clone(), ..two });
        assert_eq!(prefix(&whole, 5), whole);
    }

    /// Every prefix comes up in crashes, and what is torn is always a prefix.
    #[test]
    fn tearing_leaves_prefixes() {
        let whole = write();
        let mut seen = [false; 6];
        for number in 0..200 {
            let torn = torn(&whole, &mut Draw::new(1, Domain::Tear, &[number]));
            let kept = parts(&torn);
            assert_eq!(torn, prefix(&whole, kept));
            seen[usize::try_from(kept).expect("five at most")] = true;
        }
        assert_eq!(seen, [true; 6]);
    }

    /// The image is the sum of writes; a gap is refused.
    #[test]
    fn the_image_follows_writes() {
        let mut image = Image::default();
        let founders = Membership::of_voters([NodeId(1)]).expect("one voter");
        assert!(matches!(image.start(&founders, LogIndex::ZERO), Start::Bootstrap(_)));
        let membership = Arc::new(founders.clone());
        let first = Write {
            install: Some(SnapshotMeta { position: LogPosition::ZERO, membership }),
            append: Some(Append {
                first: LogIndex(1),
                entries: [entry(1), entry(1), entry(1)].into_iter().collect(),
            }),
            ..write()
        };
        let first = Write { truncate_from: None, ..first };
        assert_eq!(image.take(&first), Ok(()));
        assert_eq!(image.take(&write()), Ok(()));
        let Start::Restart(restored) = image.start(&founders, LogIndex::ZERO) else {
            panic!("the disk is not empty");
        };
        assert_eq!(restored.log.last(), LogPosition::new(Term(2), LogIndex(3)));
        let gap = Append { first: LogIndex(9), entries: [entry(2)].into_iter().collect() };
        assert!(image.take(&Write { append: Some(gap), ..Write::default() }).is_err());
    }
}
