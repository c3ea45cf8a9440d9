//! The driver meets what the node has asked for, rightly or wrongly.

use bytes::Bytes;
use raft_core::{
    ChunkRead, ChunkWritten, Entries, Entry, Fetch, FetchSnapshot, Fetched, Input, LogIndex, Node,
    Payload, ReadChunk, RecordedStart, SnapshotContent, Start, Term, WriteChunk,
};

use crate::driver::{Driver, How, Open, Staging, Work};
use crate::recording;
use support::disk::{Disk, Staged};
use support::lanes::Transport;

/// So many answers in a row settle any node that asks for a bounded number of things at a time.
const PATIENCE: usize = 300;
/// Receipts of earlier lives that are kept.
const MOST_STALE: usize = 8;

impl Driver {
    /// The write under way becomes durable.
    pub fn sync(&mut self, how: How) {
        if let Some(persist) = self.open.write.take() {
            self.disk.write(persist.write());
            self.take(how, Input::Persisted(persist.done()));
        }
    }

    /// The machine does what it is to do.
    pub fn work(&mut self, how: How) {
        let Some(work) = self.open.machine.take() else { return };
        let receipt = match work {
            Work::Apply(apply) => apply.done(),
            Work::Restore(restore) => restore.done(),
        };
        self.applied = receipt.last();
        self.take(how, Input::Applied(receipt));
    }

    /// What has arrived is staged: zero is the right answer.
    pub fn stage(&mut self, how: How, choice: u8) {
        let Some(staging) = self.open.staging.take() else { return };
        let written = match staging {
            Staging::Chunk(chunk) => staged(&mut self.disk, chunk, choice),
            Staging::Whole(fetch) => fetched_whole(&mut self.disk, fetch, choice),
        };
        self.take(how, Input::ChunkWritten(written));
    }

    /// Entries are read: zero is the right answer.
    pub fn fetch(&mut self, how: How, choice: u8) {
        let Some(fetch) = self.open.fetches.pop_front() else { return };
        let fetched = fetched(&self.node, &self.disk, fetch, choice);
        self.take(how, Input::Fetched(fetched));
    }

    /// A chunk of a snapshot is read: zero is the right answer.
    pub fn read(&mut self, how: How, choice: u8) {
        let Some(read) = self.open.chunks.pop_front() else { return };
        let read = chunk_read(&self.disk, read, choice);
        self.take(how, Input::ChunkRead(read));
    }

    /// A snapshot of the machine is taken, as of the last that it has applied or a few before.
    pub fn take_snapshot(&mut self, how: How, choice: u8) {
        let back = u64::from(choice % 4) * u64::from(choice > 63);
        let index = LogIndex(self.applied.0.saturating_sub(back));
        let Some(take) = self.node.take_snapshot(index) else { return };
        let bytes = vec![b's'; usize::from(choice)];
        self.disk.keep(take.meta().clone(), bytes.into());
        self.take(how, Input::SnapshotTaken(take.done()));
    }

    /// Everything that the node asks for is done, rightly, until it asks for nothing more.
    ///
    /// # Panics
    /// When it never does.
    pub fn settle(&mut self) {
        self.step(Input::Tick);
        for _ in 0..PATIENCE {
            let Open { write, machine, fetches, chunks, staging } = &self.open;
            if write.is_some() {
                self.sync(How::Step);
            } else if machine.is_some() {
                self.work(How::Step);
            } else if !fetches.is_empty() {
                self.fetch(How::Step, 0);
            } else if !chunks.is_empty() {
                self.read(How::Step, 0);
            } else if staging.is_some() {
                self.stage(How::Step, 0);
            } else {
                return;
            }
        }
        panic!("it is never content: {:?}", self.open);
    }

    /// The process is gone, and with it whatever it was asked for and had not done.
    pub fn forget(&mut self) {
        let Open { write, machine, fetches, chunks, staging } = std::mem::take(&mut self.open);
        let stale = &mut self.stale;
        stale.extend(write.map(|persist| Input::Persisted(persist.done())));
        stale.extend(machine.map(|work| {
            Input::Applied(match work {
                Work::Apply(apply) => apply.done(),
                Work::Restore(restore) => restore.done(),
            })
        }));
        stale.extend(fetches.into_iter().map(|fetch| Input::Fetched(fetch.failed())));
        stale.extend(chunks.into_iter().map(|read| Input::ChunkRead(read.failed())));
        stale.extend(staging.map(|staging| {
            Input::ChunkWritten(match staging {
                Staging::Chunk(chunk) => chunk.done(),
                Staging::Whole(fetch) => fetch.failed(),
            })
        }));
        stale.drain(..stale.len().saturating_sub(MOST_STALE));
        self.unanswered.clear();
        self.sent.clear();
        self.repeatable = None;
    }

    /// A new life begins.
    ///
    /// # Panics
    /// When what the disk holds is no beginning: the node wrote it itself.
    pub fn restart(&mut self, start: Start, applied: LogIndex) {
        let (settings, now) = (self.config.into(), self.now);
        recording::begin(|| RecordedStart { settings, start: start.clone(), now });
        let node = Node::new(self.config, start, now);
        self.node = node.expect("every prefix of every write is a beginning");
        self.applied = applied;
        self.begins();
    }
}

fn staged(disk: &mut Disk, chunk: WriteChunk, choice: u8) -> ChunkWritten {
    if choice > 223 {
        disk.staged = None;
        return chunk.failed();
    }
    disk.stage(chunk.partial().clone(), chunk.offset(), chunk.data());
    chunk.done()
}

/// What was asked for is found, or another snapshot, or none.
fn fetched_whole(disk: &mut Disk, fetch: FetchSnapshot, choice: u8) -> ChunkWritten {
    assert!(fetch.locator().len() <= SnapshotContent::MAX_LOCATOR_BYTES);
    let mut found = fetch.snapshot().clone();
    match choice {
        0..=191 => {}
        192..=223 => found.position.index = LogIndex(choice.into()),
        _ => return fetch.failed(),
    }
    let partial = raft_core::PartialSnapshot {
        source: fetch.source(),
        snapshot: found.clone(),
        total: 0,
        received: 0,
    };
    disk.staged = Some(Staged { partial, bytes: Vec::new(), came_by: Transport::Locators });
    fetch.done(found)
}

/// What the disk has; or entries of other terms, too many, too few, or none.
fn fetched(node: &Node, disk: &Disk, fetch: Fetch, choice: u8) -> Fetched {
    let (first, last) = (fetch.first(), fetch.last());
    let right = disk.read(first, last, fetch.max_bytes());
    let invented = |count: u64, later: u64| -> Entries {
        let terms = (0..count).map(|offset| node.term_at(LogIndex(first.0 + offset)));
        let entry = |term: Option<Term>| Entry {
            term: Term(term.unwrap_or(node.term()).0 + later),
            payload: Payload::Blank,
        };
        terms.map(entry).collect()
    };
    let count = last.entries_since(first).min(8) + 1;
    match (right, choice) {
        (Some(entries), 0..=191) => fetch.done(entries),
        (_, 192..=207) => fetch.done(Entries::EMPTY),
        (_, 208..=223) => fetch.done(invented(count + 20, 0)),
        (_, 224..=239) => fetch.done(invented(count, 1)),
        _ => fetch.failed(),
    }
}

/// What the disk has; or too many bytes, none, beyond the end, or words.
fn chunk_read(disk: &Disk, read: ReadChunk, choice: u8) -> ChunkRead {
    let most = usize::try_from(read.max_bytes()).unwrap_or(usize::MAX).min(1 << 16);
    let some = |length: usize| -> Bytes { vec![b'?'; length].into() };
    match (disk.snapshot_at(read.snapshot().position), choice) {
        (Some(snapshot), 0..=191) => {
            let bytes = &snapshot.bytes;
            let total = bytes.len() as u64;
            let start = usize::try_from(read.offset().min(total)).expect("it is a length");
            let end = start.saturating_add(most).min(bytes.len());
            read.done(total, bytes.slice(start..end))
        }
        (_, 192..=199) => read.done(u64::MAX, some(most + 1)),
        (_, 200..=207) => read.done(u64::MAX, some(0)),
        (_, 208..=215) => read.done(0, some(1)),
        (_, 216..=223) => {
            let total = read.offset().saturating_sub(1);
            read.done(total, some(0))
        }
        (_, 224..=231) => read.located(some(SnapshotContent::MAX_LOCATOR_BYTES)),
        (_, 232..=239) => read.located(some(SnapshotContent::MAX_LOCATOR_BYTES + 1)),
        _ => read.failed(),
    }
}
