//! A node's disk: what is durable, and what a crash can leave of a write.
//!
//! Invariant: it is the sum of all durable writes, the last before each crash in part perhaps.

use std::sync::Arc;

use raft_core::{
    Append, Bootstrap, Entry, HardState, Join, LogIndex, LogPosition, LogSummary, Membership,
    PartialSnapshot, Restored, SnapshotMeta, Start, Write,
};
use serde::Serialize;

use super::image::Image;

/// What a disk holds.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Disk {
    pub(super) hard_state: Option<HardState>,
    snapshot: Option<SnapshotMeta>,
    pub(super) log: Image,
    commit: LogIndex,
    pub(super) staged: Option<PartialSnapshot>,
}

impl Disk {
    /// Takes in a write, or what survives of one.
    pub(super) fn take(&mut self, write: &Write) -> Result<(), String> {
        let Write { hard_state, install, truncate_from, append, commit, compact } = write;
        self.hard_state = hard_state.or(self.hard_state);
        if let Some(snapshot) = install {
            self.install(snapshot)?;
        }
        if let Some(first) = truncate_from {
            self.log.truncate(*first);
        }
        // A log that was removed for a snapshot begins after it.
        let snapshot = self.snapshot.as_ref().map_or(LogPosition::ZERO, |held| held.position);
        if self.log.entries.is_empty() && self.log.base.index < snapshot.index {
            self.log.base = snapshot;
        }
        if let Some(Append { first, entries }) = append {
            let expected = self.log.last().index.next();
            if *first != expected {
                return Err(format!("appends from {first} to a log that ends before {expected}"));
            }
            Arc::make_mut(&mut self.log.entries).extend_from_slice(entries);
        }
        self.commit = commit.unwrap_or(self.commit);
        if let Some(base) = compact {
            self.log.compact(*base)?;
        }
        Ok(())
    }

    /// What was staged counts from now on; at the founding there is nothing to stage.
    fn install(&mut self, meta: &SnapshotMeta) -> Result<(), String> {
        let is_founding = meta.position == LogPosition::ZERO;
        let staged = self.staged.take_if(|_| !is_founding);
        let is_whole = staged
            .is_some_and(|staged| staged.received == staged.total && staged.snapshot == *meta);
        if !is_whole && !is_founding {
            return Err(format!(
                "installs a snapshot at {} that is not staged, or not all of it",
                meta.position
            ));
        }
        self.store(meta.clone());
        Ok(())
    }

    /// Another snapshot: the one at the latest position counts.
    pub(super) fn store(&mut self, meta: SnapshotMeta) {
        if self.snapshot.as_ref().is_none_or(|held| held.position.index < meta.position.index) {
            self.snapshot = Some(meta);
        }
    }

    /// How a node with this disk starts.
    pub(super) fn start(&self, founders: &Membership, is_founder: bool) -> Start {
        let snapshot = match (&self.snapshot, is_founder) {
            (None, true) => return Bootstrap { membership: founders.clone() }.into(),
            (None, false) if self.hard_state.is_none() => return Join.into(),
            (None, false) => SnapshotMeta::default(),
            (Some(snapshot), _) => snapshot.clone(),
        };
        let mut log = LogSummary::after(self.log.base);
        for entry in self.log.entries.iter() {
            log.push(entry).expect("the disk holds what was written");
        }
        let hard_state = self.hard_state.unwrap_or_default();
        let (commit, partial) = (self.commit, self.staged.clone());
        Restored { hard_state, snapshot, log, commit, applied: LogIndex::ZERO, partial }.into()
    }
}

/// How many parts a write has: so many prefixes of it can survive, beside none.
pub(super) fn parts(write: &Write) -> usize {
    let Write { hard_state, install, truncate_from, append, commit, compact } = write;
    let single = [
        hard_state.is_some(),
        install.is_some(),
        truncate_from.is_some(),
        commit.is_some(),
        compact.is_some(),
    ];
    let entries = append.as_ref().map_or(0, |append| append.entries.len());
    single.into_iter().map(usize::from).sum::<usize>() + entries
}

/// The first `kept` parts of a write, in the order in which they become durable.
pub(super) fn prefix(write: &Write, kept: usize) -> Write {
    let mut left = kept;
    let mut keeps = |is_there: bool| {
        let keeps = is_there && left > 0;
        left -= usize::from(keeps);
        keeps
    };
    let mut survived = Write {
        hard_state: write.hard_state.filter(|_| keeps(true)),
        install: write.install.clone().filter(|_| keeps(true)),
        truncate_from: write.truncate_from.filter(|_| keeps(true)),
        ..Write::default()
    };
    if let Some(Append { first, entries }) = &write.append {
        let held: Vec<Entry> = entries.iter().take_while(|_| keeps(true)).cloned().collect();
        if !held.is_empty() {
            survived.append = Some(Append { first: *first, entries: held.into_iter().collect() });
        }
    }
    survived.commit = write.commit.filter(|_| keeps(true));
    survived.compact = write.compact.filter(|_| keeps(true));
    survived
}

#[cfg(test)]
mod tests {
    use raft_core::{Payload, Term};

    use super::*;

    /// Goal: a crash leaves any prefix of the parts, each entry being one.
    #[test]
    fn prefixes_grow_part_by_part() {
        let entry = Entry { term: Term(1), payload: Payload::Blank };
        let write = Write {
            hard_state: Some(HardState::default()),
            truncate_from: Some(LogIndex(3)),
            append: Some(Append {
                first: LogIndex(3),
                entries: [entry.clone(), entry].into_iter().collect(),
            }),
            commit: Some(LogIndex(1)),
            ..Write::default()
        };
        assert_eq!(parts(&write), 5);
        assert_eq!(prefix(&write, 0), Write::default());
        assert_eq!(prefix(&write, 1), Write { hard_state: write.hard_state, ..Write::default() });
        let entries = |kept| prefix(&write, kept).append.map(|append| append.entries.len());
        assert_eq!([2, 3, 4, 5].map(entries), [None, Some(1), Some(2), Some(2)]);
        assert_eq!(prefix(&write, 5), write);
    }
}
