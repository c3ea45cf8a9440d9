//! The stores and the machine of a node, in memory.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Range;

use bytes::Bytes;
use sailing_proto::{
    ByteCursor, Data, DecodeError, EntriesRead, Entry, HardState, Index, LogDone, LogStore,
    MaybeOwned, OpId, SnapshotChunkRead, SnapshotMeta, StableDone, StableStore, StateMachine, Term,
};

use crate::workload::Order;

pub(super) struct Command(pub(super) Bytes);

impl Data for Command {
    fn encode(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.0);
    }

    fn decode(cursor: &mut ByteCursor) -> Result<Self, DecodeError> {
        let length = cursor.remaining();
        cursor.take_bytes(length).map(Self)
    }
}

#[derive(Default)]
pub(super) struct Machine(pub(super) Order);

impl StateMachine for Machine {
    type Command = Command;
    type Response = ();
    type Snapshot = ();
    type Error = Infallible;

    fn apply(&mut self, _: Index, command: Command) -> Result<(), Infallible> {
        self.0.take(&command.0);
        Ok(())
    }

    fn snapshot(&self) -> Result<(), Infallible> {
        Ok(())
    }

    fn restore(&mut self, (): ()) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A log that begins at index 1 and is never compacted.
#[derive(Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
    done: VecDeque<OpId>,
}

/// How many entries are before this index.
fn before(index: Index) -> usize {
    usize::try_from(index.get().saturating_sub(1)).expect("a log that fits into memory")
}

impl LogStore for Log {
    type Error = Infallible;

    fn first_index(&self) -> Index {
        Index::new(1)
    }

    fn last_index(&self) -> Index {
        Index::new(self.entries.len() as u64)
    }

    fn term(&self, index: Index) -> Result<Term, Infallible> {
        let entry = if index == Index::ZERO { None } else { self.entries.get(before(index)) };
        Ok(entry.map_or(Term::ZERO, Entry::term))
    }

    fn entries(&self, range: Range<Index>, _: u64) -> Result<EntriesRead<'_>, Infallible> {
        let end = before(range.end).min(self.entries.len());
        let entries = &self.entries[before(range.start).min(end)..end];
        Ok(EntriesRead::Ready(MaybeOwned::Borrowed(entries)))
    }

    fn submit_append(&mut self, id: OpId, entries: &[Entry]) {
        if let Some(first) = entries.first() {
            self.entries.truncate(before(first.index()));
        }
        self.entries.extend_from_slice(entries);
        self.done.push_back(id);
    }

    fn compact(&mut self, _: Index) {
        unreachable!("no snapshots are taken");
    }

    fn restore(&mut self, _: Index, _: Term) {
        unreachable!("no snapshots are taken");
    }

    fn poll(&mut self) -> Option<Result<LogDone, Infallible>> {
        self.done.pop_front().map(|id| Ok(LogDone::Appended(id)))
    }

    fn has_pending(&self) -> bool {
        !self.done.is_empty()
    }
}

/// A store of the hard state. There are no snapshots.
pub(super) struct Stable {
    hard_state: HardState<u64>,
    done: VecDeque<OpId>,
}

impl Default for Stable {
    fn default() -> Self {
        Self { hard_state: HardState::initial(), done: VecDeque::new() }
    }
}

type Chunk = (SnapshotMeta<u64>, u64, SnapshotChunkRead);

impl StableStore for Stable {
    type NodeId = u64;
    type Error = Infallible;

    fn hard_state(&self) -> HardState<u64> {
        self.hard_state
    }

    fn submit_write(&mut self, id: OpId, hard_state: HardState<u64>) {
        self.hard_state = hard_state;
        self.done.push_back(id);
    }

    fn submit_snapshot(&mut self, _: OpId, _: SnapshotMeta<u64>, _: Bytes) {
        unreachable!("no snapshots are taken");
    }

    fn snapshot(&self) -> Option<(SnapshotMeta<u64>, Bytes)> {
        None
    }

    fn durable_snapshot(&self) -> Option<SnapshotMeta<u64>> {
        None
    }

    fn snapshot_chunk(&self, _: u64, _: u64) -> Option<Result<Chunk, Infallible>> {
        None
    }

    fn accept_snapshot_chunk(
        &mut self,
        _: &SnapshotMeta<u64>,
        _: u64,
        _: u64,
        _: &Bytes,
    ) -> Result<u64, Infallible> {
        unreachable!("no snapshots are taken");
    }

    fn take_staged_snapshot(&mut self, _: &SnapshotMeta<u64>) -> Option<Bytes> {
        None
    }

    fn discard_snapshot_staging(&mut self) {}

    fn poll(&mut self) -> Option<Result<StableDone, Infallible>> {
        self.done.pop_front().map(|id| Ok(StableDone::Wrote(id)))
    }

    fn has_pending(&self) -> bool {
        !self.done.is_empty()
    }
}
