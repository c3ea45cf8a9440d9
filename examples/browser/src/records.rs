//! What a node keeps in its database: records of text, each under a kind and a number.
//!
//! Invariant: a write is one transaction, so the database holds whole writes and no part of one.

use std::collections::BTreeMap;

use bytes::Bytes;
use raft_core::{
    ClusterId, Entry, LogIndex, LogPosition, LogSummary, NodeId, PartialSnapshot, Restored,
    SnapshotMeta, Write,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// Whose database it is.
    Note,
    HardState,
    /// By index; the last is the one that counts.
    Snapshot,
    /// A snapshot that arrives.
    Staged,
    /// What lies before the first entry of the log.
    Base,
    /// By index.
    Log,
    Commit,
}

/// Those kinds of which there is one record have it at number 0.
pub(crate) type Key = (Kind, u64);

/// One step of a transaction.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Operation {
    /// Sets the record at the key.
    Put(Key, String),
    /// Removes the records from the first key to the last, if there are any.
    Delete(Key, Key),
}

/// Whose database it is: it belongs to one node, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) cluster: ClusterId,
    pub(crate) node: NodeId,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) meta: SnapshotMeta,
    pub(crate) state: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Staged {
    pub(crate) partial: PartialSnapshot,
    pub(crate) state: Vec<u8>,
}

pub(crate) fn encode<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with text as keys has a form in JSON")
}

pub(crate) fn put<T: Serialize>(kind: Kind, number: u64, value: &T) -> Operation {
    Operation::Put((kind, number), encode(value))
}

/// Stores a snapshot in place of all earlier ones.
pub(crate) fn store_snapshot(meta: &SnapshotMeta, state: Bytes) -> [Operation; 2] {
    let index = meta.position.index.0;
    let snapshot = Snapshot { meta: meta.clone(), state };
    let earlier = Operation::Delete((Kind::Snapshot, 0), (Kind::Snapshot, index));
    [earlier, put(Kind::Snapshot, index, &snapshot)]
}

/// The parts of a write, in their order. `state` are the bytes of the snapshot that it installs.
pub(crate) fn store_write(write: &Write, state: Bytes) -> Vec<Operation> {
    let Write { hard_state, install, truncate_from, append, commit, compact } = write;
    let mut operations = Vec::new();
    operations.extend(hard_state.map(|hard_state| put(Kind::HardState, 0, &hard_state)));
    if let Some(meta) = install {
        operations.extend(store_snapshot(meta, state));
        operations.push(Operation::Delete((Kind::Staged, 0), (Kind::Staged, 0)));
        // The log is removed by the next part.
        operations.push(put(Kind::Base, 0, &meta.position));
    }
    if let Some(first) = truncate_from {
        operations.push(Operation::Delete((Kind::Log, first.0), (Kind::Log, LogIndex::MAX.0)));
    }
    if let Some(append) = append {
        let indexes = append.first.0..;
        let entries = indexes.zip(append.entries.iter());
        operations.extend(entries.map(|(index, entry)| put(Kind::Log, index, entry)));
    }
    operations.extend(commit.map(|commit| put(Kind::Commit, 0, &commit)));
    if let Some(base) = compact {
        operations.push(Operation::Delete((Kind::Log, 0), (Kind::Log, base.index.0)));
        operations.push(put(Kind::Base, 0, base));
    }
    operations
}

/// Records that were read from the database.
#[derive(Debug)]
pub(crate) struct Records(BTreeMap<Key, String>);

impl Records {
    /// # Errors
    /// When the text is not what the worker gives: `[[["log", 7], "..."], ...]`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let records: Vec<(Key, String)> = serde_json::from_str(text)
            .map_err(|error| format!("the database holds records of another kind: {error}"))?;
        Ok(Self(records.into_iter().collect()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last record of a kind.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn last<T: DeserializeOwned>(&self, kind: Kind) -> Result<Option<T>, String> {
        let last = self.0.range((kind, 0)..=(kind, u64::MAX)).next_back();
        last.map(|(key, text)| value(*key, text)).transpose()
    }

    /// The entries of the log from `first` on, without a gap.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn entries(&self, first: LogIndex) -> Result<Vec<Entry>, String> {
        let records = self.0.range((Kind::Log, first.0)..=(Kind::Log, u64::MAX));
        let next = (first.0..).zip(records).take_while(|(index, ((_, at), _))| index == at);
        next.map(|(_, (key, text))| value(*key, text)).collect()
    }

    /// What a node comes back with.
    ///
    /// # Errors
    /// When the records contradict each other.
    pub(crate) fn restored(&self) -> Result<Restored, String> {
        let base: LogPosition = self.last(Kind::Base)?.unwrap_or_default();
        let entries = self.entries(base.index.next())?;
        let stored = self.0.range((Kind::Log, 0)..=(Kind::Log, u64::MAX)).count();
        if stored != entries.len() {
            return Err(format!(
                "the log holds {stored} entries, of which {} follow {base} without a gap: the database is corrupt",
                entries.len()
            ));
        }
        let mut log = LogSummary::after(base);
        entries.iter().try_for_each(|entry| log.push(entry)).map_err(|error| error.to_string())?;
        Ok(Restored {
            hard_state: self.last(Kind::HardState)?.unwrap_or_default(),
            snapshot: self.last(Kind::Snapshot)?.map(|s: Snapshot| s.meta).unwrap_or_default(),
            log,
            commit: self.last(Kind::Commit)?.unwrap_or_default(),
            applied: LogIndex::ZERO,
            partial: self.last(Kind::Staged)?.map(|staged: Staged| staged.partial),
        })
    }
}

fn value<T: DeserializeOwned>(key: Key, text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| {
        format!("the record {key:?} cannot be read, the database is corrupt: {error}")
    })
}
