//! A disk: the sum of the writes that it has taken, the last of them in part perhaps.

use std::sync::Arc;

use raft_core::{
    Entry, HardState, Incarnation, LogIndex, Membership, Payload, Restored, SnapshotMeta, Term,
    Write,
};

#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) restored: Restored,
}

impl Disk {
    /// An empty disk, or that of a node that was there before when `terms` are given.
    pub(crate) fn with_log(founders: &Membership, terms: &[u64]) -> Self {
        let mut restored = Restored {
            hard_state: HardState::default(),
            snapshot: SnapshotMeta::default(),
            entries: Vec::new(),
            commit: LogIndex::ZERO,
            applied: LogIndex::ZERO,
        };
        if let Some(term) = terms.last() {
            restored.hard_state =
                HardState { term: Term(*term), vote: None, incarnation: Incarnation(1) };
            restored.snapshot.membership = Arc::new(founders.clone());
            restored.entries = entries(terms);
        }
        Self { restored }
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
        let disk = &mut self.restored;
        let Write { hard_state, install, truncate_from, append, commit } = write;
        if let Some(hard_state) = hard_state.filter(|_| takes(true)) {
            disk.hard_state = hard_state;
        }
        if let Some(snapshot) = install.as_ref().filter(|_| takes(true)) {
            disk.snapshot = snapshot.clone();
            disk.entries.clear();
        }
        if let Some(first) = truncate_from.filter(|_| takes(true)) {
            let keep = first.previous().entries_since(disk.snapshot.position.index);
            disk.entries.truncate(usize::try_from(keep).expect("logs here are short"));
        }
        if let Some(append) = append {
            for (offset, entry) in append.entries.iter().enumerate() {
                if takes(true) {
                    let end = disk.snapshot.position.index.advanced(disk.entries.len() + 1);
                    assert_eq!(append.first.advanced(offset), end, "writes leave no gap");
                    disk.entries.push(entry.clone());
                }
            }
        }
        if let Some(commit) = commit.filter(|_| takes(true)) {
            disk.commit = commit;
        }
    }
}

/// How many parts a write has: a crash may keep any number of them.
pub(crate) fn parts(write: &Write) -> usize {
    usize::from(write.hard_state.is_some())
        + usize::from(write.install.is_some())
        + usize::from(write.truncate_from.is_some())
        + write.append.as_ref().map_or(0, |append| append.entries.len())
        + usize::from(write.commit.is_some())
}

/// Entries of the given terms, from index 1; equal positions hold equal commands.
pub(crate) fn entries(terms: &[u64]) -> Vec<Entry> {
    (1..).zip(terms).map(|(index, term)| entry(*term, index)).collect()
}

/// The entry of `term` at `index`.
pub(crate) fn entry(term: u64, index: u64) -> Entry {
    Entry { term: Term(term), payload: Payload::command(format!("i{index}@T{term}")) }
}
