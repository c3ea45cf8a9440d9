//! A store that forgets everything when the process ends. A node with it must have a new name at each start.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use raft_core::{
    Append, Entry, HardState, LogIndex, LogPosition, LogSummary, PartialSnapshot, Restored,
    SnapshotMeta, Write,
};

use super::{Identity, Store, StoreError, contradiction};

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    identity: Option<Identity>,
    hard_state: Option<HardState>,
    base: LogPosition,
    log: Vec<Entry>,
    commit: LogIndex,
    snapshots: BTreeMap<LogPosition, (SnapshotMeta, Bytes)>,
    staged: Option<(PartialSnapshot, Vec<u8>)>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn last(&self) -> LogIndex {
        self.base.index.advanced(self.log.len())
    }

    /// How many entries lie before an index.
    fn before(&self, index: LogIndex) -> usize {
        let before = index.0.saturating_sub(self.base.index.0 + 1);
        usize::try_from(before).unwrap_or(usize::MAX)
    }

    fn install(&mut self, meta: &SnapshotMeta) -> Result<(), StoreError> {
        let state = if meta.position == LogPosition::ZERO {
            Bytes::new()
        } else {
            let is_whole = |(partial, state): &mut (PartialSnapshot, Vec<u8>)| {
                partial.snapshot == *meta && partial.total == state.len() as u64
            };
            match self.staged.take_if(is_whole) {
                Some((_, state)) => state.into(),
                None => {
                    return contradiction(format!("{} is not staged, or not whole", meta.position));
                }
            }
        };
        self.snapshots.insert(meta.position, (meta.clone(), state));
        Ok(())
    }

    fn append(&mut self, append: &Append) -> Result<(), StoreError> {
        if append.first != self.last().next() {
            return contradiction(format!("{} does not follow {}", append.first, self.last()));
        }
        self.log.extend_from_slice(&append.entries);
        Ok(())
    }

    fn write(&mut self, write: &Write) -> Result<(), StoreError> {
        let Write { hard_state, install, truncate_from, append, commit, compact } = write;
        if let Some(hard_state) = hard_state {
            self.hard_state = Some(*hard_state);
        }
        if let Some(meta) = install {
            self.install(meta)?;
        }
        if let Some(first) = truncate_from {
            let kept = self.before(*first);
            self.log.truncate(kept);
        }
        // A log that was removed for a snapshot begins after it.
        let counts = self.snapshots.keys().next_back().copied().unwrap_or_default();
        if self.log.is_empty() && self.base.index < counts.index {
            self.base = counts;
        }
        if let Some(append) = append {
            self.append(append)?;
        }
        self.commit = commit.unwrap_or(self.commit);
        if let Some(base) = compact {
            let gone = self.before(base.index.next()).min(self.log.len());
            self.log.drain(..gone);
            self.base = self.base.max(*base);
        }
        Ok(())
    }
}

impl Store for Memory {
    fn claim(&self, identity: Identity) -> Result<(), StoreError> {
        match *self.held().identity.get_or_insert(identity) {
            found if found == identity => Ok(()),
            found => Err(StoreError::Identity { found, expected: identity }),
        }
    }

    fn load(&self) -> Result<Option<Restored>, StoreError> {
        let held = self.held();
        let snapshot = held.snapshots.last_key_value().map(|(_, (meta, _))| meta.clone());
        if held.hard_state.is_none() && snapshot.is_none() {
            return Ok(None);
        }
        let mut log = LogSummary::after(held.base);
        for entry in &held.log {
            let corrupt = |why: raft_core::RestoreError| why.to_string();
            log.push(entry)
                .map_err(|why| StoreError::Corrupt { what: "the log", why: corrupt(why) })?;
        }
        Ok(Some(Restored {
            hard_state: held.hard_state.unwrap_or_default(),
            snapshot: snapshot.unwrap_or_default(),
            log,
            commit: held.commit,
            applied: LogIndex::ZERO,
            partial: held.staged.as_ref().map(|(partial, _)| partial.clone()),
        }))
    }

    fn write(&self, write: &Write) -> Result<(), StoreError> {
        self.held().write(write)
    }

    fn entries(
        &self,
        first: LogIndex,
        last: LogIndex,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let held = self.held();
        if first <= held.base.index || first > held.last() {
            return contradiction(format!("there is no entry {first}"));
        }
        let count = usize::try_from(last.0.saturating_sub(first.0) + 1).unwrap_or(usize::MAX);
        let there = held.log[held.before(first)..].iter().take(count);
        let mut bytes = 0;
        let fits = |(nth, entry): &(usize, &Entry)| {
            bytes += entry.size();
            *nth == 0 || bytes <= max_bytes
        };
        Ok(there.enumerate().take_while(fits).map(|(_, entry)| entry.clone()).collect())
    }

    fn save(&self, meta: &SnapshotMeta, state: &[u8]) -> Result<(), StoreError> {
        let kept = (meta.clone(), Bytes::copy_from_slice(state));
        self.held().snapshots.insert(meta.position, kept);
        Ok(())
    }

    fn chunk(
        &self,
        position: LogPosition,
        offset: u64,
        max_bytes: u64,
    ) -> Result<Option<(u64, Bytes)>, StoreError> {
        let held = self.held();
        let Some((_, state)) = held.snapshots.get(&position) else { return Ok(None) };
        let all = state.len();
        let from = usize::try_from(offset).unwrap_or(all).min(all);
        let count = usize::try_from(max_bytes).unwrap_or(all).min(all - from);
        Ok(Some((all as u64, state.slice(from..from + count))))
    }

    fn stage(&self, partial: &PartialSnapshot, offset: u64, data: &[u8]) -> Result<(), StoreError> {
        let mut held = self.held();
        let staged = held.staged.as_ref().map_or(0, |(_, state)| state.len() as u64);
        if offset > 0 && staged != offset {
            return contradiction(format!("{staged} bytes are staged, not {offset}"));
        }
        let mut state = held.staged.take().map_or_else(Vec::new, |(_, state)| state);
        state.truncate(usize::try_from(offset).unwrap_or(usize::MAX));
        state.extend_from_slice(data);
        held.staged = Some((partial.clone(), state));
        Ok(())
    }

    fn unstage(&self) -> Result<(), StoreError> {
        self.held().staged = None;
        Ok(())
    }

    fn delete_before(&self, position: LogPosition) -> Result<(), StoreError> {
        let mut held = self.held();
        let counts = held.snapshots.keys().next_back().copied();
        held.snapshots.retain(|at, _| at.index >= position.index || Some(*at) == counts);
        Ok(())
    }
}
