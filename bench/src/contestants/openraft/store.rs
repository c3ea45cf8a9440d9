//! The log and the machine of a node, in memory.

use std::fmt::Debug;
use std::io::Cursor;
use std::ops::{Bound, RangeBounds};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::storage::{LogFlushed, RaftLogStorage, RaftStateMachine};
use openraft::{
    EmptyNode, Entry, EntryPayload, LogId, LogState, OptionalSend, RaftLogReader,
    RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageError, StoredMembership, Vote,
};
use tokio::sync::Notify;

use super::{Command, Types, place};
use crate::workload::Order;

type Stored<T> = Result<T, StorageError<u64>>;

#[derive(Default)]
struct Log {
    /// From index 0 on.
    entries: Vec<Entry<Types>>,
    vote: Option<Vote<u64>>,
}

#[derive(Clone, Default)]
pub(super) struct LogStore(Arc<Mutex<Log>>);

impl LogStore {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Stored<Vec<Entry<Types>>> {
        let log = self.log();
        let begin = match range.start_bound() {
            Bound::Included(index) => place(*index),
            Bound::Excluded(index) => place(*index) + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(index) => place(*index) + 1,
            Bound::Excluded(index) => place(*index),
            Bound::Unbounded => log.entries.len(),
        };
        let end = end.min(log.entries.len());
        Ok(log.entries[begin.min(end)..end].to_vec())
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Stored<LogState<Types>> {
        let last_log_id = self.log().entries.last().map(|entry| entry.log_id);
        Ok(LogState { last_purged_log_id: None, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Stored<()> {
        self.log().vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Stored<Option<Vote<u64>>> {
        Ok(self.log().vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Stored<()>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.log().entries.extend(entries);
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> Stored<()> {
        self.log().entries.truncate(place(log_id.index));
        Ok(())
    }

    async fn purge(&mut self, _: LogId<u64>) -> Stored<()> {
        unreachable!("no snapshots are taken");
    }
}

/// How much of its log a node has applied.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) applied: AtomicU64,
    pub(super) more: Notify,
}

#[derive(Default)]
pub(super) struct Machine {
    order: Order,
    last: Option<LogId<u64>>,
    membership: StoredMembership<u64, EmptyNode>,
    progress: Arc<Progress>,
}

impl Machine {
    pub(super) fn reporting(progress: Arc<Progress>) -> Self {
        Self { progress, ..Self::default() }
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = NoSnapshots;

    async fn applied_state(
        &mut self,
    ) -> Stored<(Option<LogId<u64>>, StoredMembership<u64, EmptyNode>)> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Stored<Vec<()>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut answers = Vec::new();
        for entry in entries {
            match entry.payload {
                EntryPayload::Normal(Command(data)) => self.order.take(&data),
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                }
                EntryPayload::Blank => {}
            }
            self.last = Some(entry.log_id);
            answers.push(());
        }
        self.progress.applied.store(self.order.count(), Ordering::Relaxed);
        self.progress.more.notify_one();
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> NoSnapshots {
        NoSnapshots
    }

    async fn begin_receiving_snapshot(&mut self) -> Stored<Box<Cursor<Vec<u8>>>> {
        unreachable!("no snapshots are taken");
    }

    async fn install_snapshot(
        &mut self,
        _: &SnapshotMeta<u64, EmptyNode>,
        _: Box<Cursor<Vec<u8>>>,
    ) -> Stored<()> {
        unreachable!("no snapshots are taken");
    }

    async fn get_current_snapshot(&mut self) -> Stored<Option<Snapshot<Types>>> {
        Ok(None)
    }
}

pub(super) struct NoSnapshots;

impl RaftSnapshotBuilder<Types> for NoSnapshots {
    async fn build_snapshot(&mut self) -> Stored<Snapshot<Types>> {
        unreachable!("no snapshots are taken");
    }
}
