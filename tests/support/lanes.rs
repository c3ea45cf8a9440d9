//! What a driver reads and stages for a node: entries of the log, and chunks of snapshots.
//!
//! What waits here waits as numbers, and is read when the test lets it be, from the disk as it is then.

use bytes::Bytes;
use raft_core::{
    ChunkAnswer, Fetch, FetchSnapshot, Input, LogIndex, LogPosition, Node, NodeId, PartialSnapshot,
    ReadChunk, Reader, RecordedInput, SnapshotContent, SnapshotMeta, StageAnswer, WriteChunk,
};

use super::disk::{Disk, Snapshot};
use super::machine::Machine;
use super::{Cluster, Pace};

/// What a driver has been asked for and has not answered.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    pub fetches: Vec<Fetching>,
    pub chunks: Vec<Reading>,
    pub staging: Option<Staging>,
}

/// Entries to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    pub number: u64,
    pub reader: Reader,
    pub first: LogIndex,
    pub last: LogIndex,
    pub max_bytes: u64,
}

/// A chunk to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    number: u64,
    pub peer: NodeId,
    pub position: LogPosition,
    pub offset: u64,
    pub max_bytes: u64,
}

/// Bytes to be staged, or a snapshot to be fetched from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Staging {
    Chunk { number: u64, partial: PartialSnapshot, offset: u64, data: Bytes },
    Fetch { number: u64, source: NodeId, snapshot: SnapshotMeta, locator: Bytes },
}

/// How snapshots travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Chunks,
    Locators,
}

impl Fetching {
    pub fn of(fetch: Fetch, node: &Node) -> Self {
        let (reader, first, last, max_bytes) =
            (fetch.reader(), fetch.first(), fetch.last(), fetch.max_bytes());
        match RecordedInput::of(&Input::Fetched(fetch.failed()), node) {
            RecordedInput::Fetched { number, .. } => {
                Self { number, reader, first, last, max_bytes }
            }
            other => panic!("a question of this life, not {other:?}"),
        }
    }

    pub fn done(self, disk: &Disk) -> RecordedInput {
        let Self { number, reader, first, last, max_bytes } = self;
        let entries = disk.read(first, last, max_bytes);
        RecordedInput::Fetched { number, reader, first, entries }
    }

    pub fn failed(self) -> RecordedInput {
        let Self { number, reader, first, .. } = self;
        RecordedInput::Fetched { number, reader, first, entries: None }
    }
}

impl Reading {
    pub fn of(read: ReadChunk, node: &Node) -> Self {
        let (peer, position) = (read.peer(), read.snapshot().position);
        let (offset, max_bytes) = (read.offset(), read.max_bytes());
        match RecordedInput::of(&Input::ChunkRead(read.failed()), node) {
            RecordedInput::ChunkRead { number, .. } => {
                Self { number, peer, position, offset, max_bytes }
            }
            other => panic!("a question of this life, not {other:?}"),
        }
    }

    pub fn done(self, disk: &Disk, transport: Transport) -> RecordedInput {
        let Self { number, peer, position, offset, max_bytes } = self;
        let answer = match (disk.snapshot_at(position), transport) {
            // Nobody needs it any more, or it would still be there.
            (None, _) => ChunkAnswer::Failed,
            (Some(_), Transport::Locators) => ChunkAnswer::Locator(locator(position)),
            (Some(Snapshot { bytes, .. }), Transport::Chunks) => {
                let total = bytes.len() as u64;
                let start = usize::try_from(offset.min(total)).expect("snapshots here are short");
                let most = usize::try_from(max_bytes).unwrap_or(usize::MAX);
                let end = start.saturating_add(most).min(bytes.len());
                ChunkAnswer::Chunk { total, data: bytes.slice(start..end) }
            }
        };
        RecordedInput::ChunkRead { number, peer, answer }
    }

    fn failed(self) -> RecordedInput {
        self.answered(ChunkAnswer::Failed)
    }

    pub fn answered(self, answer: ChunkAnswer) -> RecordedInput {
        RecordedInput::ChunkRead { number: self.number, peer: self.peer, answer }
    }
}

/// The words by which a driver here finds a snapshot on another's disk.
fn locator(position: LogPosition) -> Bytes {
    format!("{position}").into()
}

impl Staging {
    pub fn chunk(chunk: WriteChunk, node: &Node) -> Self {
        let (partial, offset, data) =
            (chunk.partial().clone(), chunk.offset(), chunk.data().clone());
        let number = number_of(&Input::ChunkWritten(chunk.done()), node);
        Self::Chunk { number, partial, offset, data }
    }

    pub fn fetch(fetch: FetchSnapshot, node: &Node) -> Self {
        let (source, snapshot, locator) =
            (fetch.source(), fetch.snapshot().clone(), fetch.locator().clone());
        assert!(locator.len() <= SnapshotContent::MAX_LOCATOR_BYTES);
        let number = number_of(&Input::ChunkWritten(fetch.failed()), node);
        Self::Fetch { number, source, snapshot, locator }
    }

    fn number(&self) -> u64 {
        match self {
            Self::Chunk { number, .. } | Self::Fetch { number, .. } => *number,
        }
    }

    /// Puts the bytes, or the snapshot that was found, on the disk.
    pub fn done(self, disk: &mut Disk, found: Option<Snapshot>) -> RecordedInput {
        let number = self.number();
        let answer = match self {
            Self::Chunk { partial, offset, data, .. } => {
                disk.stage(partial, offset, &data);
                StageAnswer::Staged
            }
            Self::Fetch { source, snapshot, .. } => found.map_or(StageAnswer::Failed, |found| {
                let meta = found.meta.clone();
                assert_eq!(meta, snapshot, "the locator leads to what was named");
                disk.stage_whole(source, found);
                StageAnswer::Fetched(meta)
            }),
        };
        RecordedInput::ChunkWritten { number, answer }
    }

    /// Nothing can be kept, and what was staged before is gone.
    pub fn failed(self, disk: &mut Disk) -> RecordedInput {
        disk.staged = None;
        let answer = StageAnswer::Failed;
        RecordedInput::ChunkWritten { number: self.number(), answer }
    }
}

fn number_of(input: &Input, node: &Node) -> u64 {
    match RecordedInput::of(input, node) {
        RecordedInput::ChunkWritten { number, .. } => number,
        other => panic!("a question of this life, not {other:?}"),
    }
}

impl Cluster {
    /// Takes a question of the fetch lane; answers at once if the lane is prompt.
    pub(super) fn ask_fetch(&mut self, id: NodeId, fetching: Fetching) -> Option<RecordedInput> {
        let host = self.host(id);
        if host.fetch_pace == Pace::Prompt {
            return Some(fetching.done(&host.disk));
        }
        host.lanes.fetches.push(fetching);
        None
    }

    pub(super) fn ask_chunk(&mut self, id: NodeId, reading: Reading) -> Option<RecordedInput> {
        let transport = self.transport;
        let host = self.host(id);
        if host.chunk_pace == Pace::Prompt {
            return Some(reading.done(&host.disk, transport));
        }
        host.lanes.chunks.push(reading);
        None
    }

    pub(super) fn ask_stage(&mut self, id: NodeId, staging: Staging) -> Option<RecordedInput> {
        let host = self.host(id);
        assert_eq!(host.lanes.staging, None, "one chunk is staged at a time");
        if host.chunk_pace == Pace::Prompt {
            return Some(self.stage(id, staging));
        }
        host.lanes.staging = Some(staging);
        None
    }

    fn stage(&mut self, id: NodeId, staging: Staging) -> RecordedInput {
        let found = match &staging {
            Staging::Chunk { .. } => None,
            Staging::Fetch { source, locator, .. } => self.found_at(*source, locator),
        };
        staging.done(&mut self.host(id).disk, found)
    }

    /// What a locator leads to: a snapshot on the disk of the node that named it.
    fn found_at(&self, source: NodeId, place: &Bytes) -> Option<Snapshot> {
        let snapshots = self.hosts.get(&source)?.disk.snapshots.values();
        snapshots.clone().find(|snapshot| locator(snapshot.meta.position) == place).cloned()
    }

    /// Answers the oldest question for entries, if there is one.
    pub fn finish_fetch(&mut self, id: NodeId) {
        if let Some(fetching) = first(&mut self.host(id).lanes.fetches) {
            let answer = fetching.done(&self.hosts[&id].disk);
            self.step(id, answer);
        }
    }

    pub fn fail_fetch(&mut self, id: NodeId) {
        if let Some(fetching) = first(&mut self.host(id).lanes.fetches) {
            self.step(id, fetching.failed());
        }
    }

    /// Answers the oldest question for a chunk, if there is one.
    pub fn finish_chunk(&mut self, id: NodeId) {
        let transport = self.transport;
        if let Some(reading) = first(&mut self.host(id).lanes.chunks) {
            let answer = reading.done(&self.hosts[&id].disk, transport);
            self.step(id, answer);
        }
    }

    pub fn fail_chunk(&mut self, id: NodeId) {
        if let Some(reading) = first(&mut self.host(id).lanes.chunks) {
            self.step(id, reading.failed());
        }
    }

    /// Stages what waits to be staged, if anything does.
    pub fn finish_staging(&mut self, id: NodeId) {
        if let Some(staging) = self.host(id).lanes.staging.take() {
            let answer = self.stage(id, staging);
            self.step(id, answer);
        }
    }

    /// The same, but the node does not hear of it: it is about to crash.
    pub fn stage_unseen(&mut self, id: NodeId) {
        if let Some(staging) = self.host(id).lanes.staging.take() {
            drop(self.stage(id, staging));
        }
    }

    /// What waits to be staged cannot be kept.
    pub fn fail_staging(&mut self, id: NodeId) {
        let host = self.host(id);
        if let Some(staging) = host.lanes.staging.take() {
            let answer = staging.failed(&mut host.disk);
            self.step(id, answer);
        }
    }

    /// Answers everything that waits, and whatever is asked from now on at once.
    pub fn release_lanes(&mut self, id: NodeId) {
        let host = self.host(id);
        (host.fetch_pace, host.chunk_pace) = (Pace::Prompt, Pace::Prompt);
        while !self.hosts[&id].lanes.fetches.is_empty() {
            self.finish_fetch(id);
        }
        while !self.hosts[&id].lanes.chunks.is_empty() {
            self.finish_chunk(id);
        }
        self.finish_staging(id);
    }

    /// Takes a snapshot of a node's machine, as it is; says whether the node had a reason to.
    pub fn compact(&mut self, id: NodeId) -> bool {
        self.compact_at(id, self.hosts[&id].machine.applied.0)
    }

    /// The same of the machine as it was at `index`.
    pub fn compact_at(&mut self, id: NodeId, index: u64) -> bool {
        let applied = LogIndex(index);
        let Some(take) = self.node(id).take_snapshot(applied) else { return false };
        let meta = take.meta().clone();
        let input = RecordedInput::of(&Input::SnapshotTaken(take.done()), self.node(id));
        let machine = Machine { applied, commands: self.agreed_commands(applied) };
        self.host(id).disk.keep(meta, machine.bytes());
        self.step(id, input);
        true
    }

    /// Nobody reads older snapshots than the node says: they are deleted.
    pub(super) fn delete_old_snapshots(&mut self, id: NodeId) {
        let host = self.host(id);
        if let Some(node) = &host.node {
            let oldest = node.oldest_snapshot_in_use().index;
            if host.disk.snapshots.first_key_value().is_some_and(|(first, _)| *first < oldest) {
                host.disk.snapshots = host.disk.snapshots.split_off(&oldest);
            }
        }
    }
}

fn first<T>(queue: &mut Vec<T>) -> Option<T> {
    (!queue.is_empty()).then(|| queue.remove(0))
}
