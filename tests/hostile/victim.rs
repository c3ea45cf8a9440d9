//! A node under attack: with a disk, a machine and readers that answer sooner or later, rightly or wrongly, and
//! with callers.

use std::collections::BTreeSet;

use bytes::Bytes;
use raft_core::{
    ChunkAnswer, Effect, Effects, Entries, Entry, Envelope, Input, Instant, LogIndex, Node, NodeId,
    Payload, RecordedInput, Request, RequestId, SnapshotContent, StageAnswer, Ticks,
};

use super::lie::strange_membership;
use support::disk::Snapshot;
use support::lanes::{Fetching, Reading, Staging, Transport};
use support::{E, Host};

/// The first request of a victim's own; those of the run before have lower numbers.
const FIRST_REQUEST: u64 = 1 << 32;

pub(crate) struct Victim {
    pub(crate) node: Node,
    host: Host,
    now: Instant,
    effects: Effects,
    requests: u64,
    answered: BTreeSet<RequestId>,
    /// A receipt that was given already.
    repeated: Option<RecordedInput>,
}

impl Victim {
    pub(crate) fn new(host: &Host, now: Instant) -> Option<Self> {
        let (node, host, effects) = (host.node.clone()?, host.clone(), Effects::new());
        let answered = BTreeSet::new();
        Some(Self { node, host, now, effects, requests: 0, answered, repeated: None })
    }

    /// How many requests callers have made.
    pub(crate) fn asked(&self) -> u64 {
        self.requests
    }

    fn step(&mut self, input: &RecordedInput) {
        let again = input.replay(&self.node);
        self.node.step(self.now, again, &mut self.effects);
        assert_eq!(self.node.invariants(), Ok(()), "after {input:?}");
        let Self { node, host, effects, answered, .. } = self;
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Persist(persist) => {
                    host.writing = Some((persist.number(), persist.write().clone()));
                }
                Effect::Apply(apply) => host.applying = Some(apply.last()),
                Effect::Restore(restore) => host.applying = Some(restore.index()),
                Effect::Fetch(fetch) => host.lanes.fetches.push(Fetching::of(fetch, node)),
                Effect::ReadChunk(read) => host.lanes.chunks.push(Reading::of(read, node)),
                Effect::WriteChunk(chunk) => {
                    host.lanes.staging = Some(Staging::chunk(chunk, node));
                }
                Effect::FetchSnapshot(fetch) => {
                    host.lanes.staging = Some(Staging::fetch(fetch, node));
                }
                Effect::Reply(reply) => {
                    assert!(answered.insert(reply.request), "{} has one answer", reply.request);
                }
                Effect::Send(_) | Effect::Event(_) => {}
            }
        }
    }

    /// Does what is due now, so that a further step at the same time does nothing of its own.
    fn rest(&mut self) {
        self.step(&RecordedInput::Tick);
        if self.node.deadline() <= self.now {
            self.step(&RecordedInput::Tick); // the first heartbeats of a leader that has just won
        }
    }

    /// Receives a message; says whether it was accepted. One that is rejected must change nothing.
    pub(crate) fn receive(&mut self, envelope: Envelope) -> bool {
        self.rest();
        let before = self.node.clone();
        let input = RecordedInput::Receive(envelope);
        self.node.step(self.now, input.replay(&before), &mut self.effects);
        let rejected = self.node.status().rejections.total() - before.status().rejections.total();
        assert!(rejected <= 1);
        if rejected == 1 {
            assert!(self.effects.is_empty(), "a rejected message has no effect: {input:?}");
            assert!(self.node.equals_but_for_rejections(&before), "nor a trace: {input:?}");
            return false;
        }
        // Once more, for the effects: the same step on the same node is the same.
        drop(std::mem::take(&mut self.effects));
        self.node = before;
        self.step(&input);
        true
    }

    /// The disk, the machine and the readers answer, callers ask, and time passes.
    pub(crate) fn live(&mut self, choice: usize) {
        let input = match choice % 20 {
            0..3 => self.sync(),
            3 => self.host.applying.take().map(RecordedInput::Applied),
            4 | 5 => self.stage(),
            6 => self.host.lanes.fetches.pop().map(|fetching| fetching.done(&self.host.disk)),
            7 => {
                let reading = self.host.lanes.chunks.pop();
                reading.map(|reading| reading.done(&self.host.disk, Transport::Chunks))
            }
            8 => {
                self.now = self.now.after(Ticks(E.0 / 2));
                Some(RecordedInput::Tick)
            }
            9 => Some(RecordedInput::Campaign),
            10 => self.take_snapshot(),
            11 => Some(RecordedInput::Suppress(Ticks(choice as u64 / 20 % 300))),
            12..15 => Some(self.request(choice / 20)),
            15 => self.fetch_wrongly(choice / 20),
            16 => self.read_wrongly(choice / 20),
            17 => self.stage_wrongly(choice / 20),
            18 => self.repeated.clone(),
            _ => None,
        };
        if let Some(input) = input {
            self.step(&input);
            let is_receipt = !matches!(input, RecordedInput::Request(_));
            self.repeated = Some(input).filter(|_| is_receipt);
        }
    }

    fn sync(&mut self) -> Option<RecordedInput> {
        let (number, write) = self.host.writing.take()?;
        self.host.disk.write(&write);
        Some(RecordedInput::Persisted(number))
    }

    /// The machine may have applied nothing of what it says it has.
    fn take_snapshot(&mut self) -> Option<RecordedInput> {
        let take = self.node.take_snapshot(self.node.applied())?;
        self.host.disk.keep(take.meta().clone(), Bytes::new());
        Some(RecordedInput::of(&Input::SnapshotTaken(take.done()), &self.node))
    }

    /// Stages what has arrived; of a snapshot that is to be fetched, just what was asked for is found.
    fn stage(&mut self) -> Option<RecordedInput> {
        let staging = self.host.lanes.staging.take()?;
        let found = match &staging {
            Staging::Fetch { snapshot, .. } => {
                Some(Snapshot { meta: snapshot.clone(), bytes: Bytes::new() })
            }
            Staging::Chunk { .. } => None,
        };
        Some(staging.done(&mut self.host.disk, found))
    }

    /// A caller asks for anything.
    fn request(&mut self, choice: usize) -> RecordedInput {
        let id = RequestId(FIRST_REQUEST + self.requests);
        self.requests += 1;
        let number = choice as u64 / 4;
        RecordedInput::Request(match choice % 4 {
            0 => Request::Propose { id, command: vec![b'c'; choice / 4 % 70].into() },
            1 => Request::Read { id },
            2 => Request::ChangeMembership { id, to: strange_membership(number).into() },
            _ => Request::Transfer { id, to: NodeId(number % 5) },
        })
    }

    /// Entries of other terms, too many, or none.
    fn fetch_wrongly(&mut self, choice: usize) -> Option<RecordedInput> {
        let Fetching { number, reader, first, last, .. } = self.host.lanes.fetches.pop()?;
        let count = match choice % 4 {
            0 => 0,
            1 => last.0 - first.0 + 1,
            _ => last.0 - first.0 + 20,
        };
        let entry = |offset: u64| {
            let term = self.node.term_at(LogIndex(first.0 + offset)).unwrap_or(self.node.term());
            let term = if choice % 8 < 4 { term } else { raft_core::Term(term.0 + 1) };
            Entry { term, payload: Payload::Blank }
        };
        let entries: Entries = (0..count).map(entry).collect();
        Some(RecordedInput::Fetched { number, reader, first, entries: Some(entries) })
    }

    /// Too many bytes, none, beyond the end, or too many words.
    fn read_wrongly(&mut self, choice: usize) -> Option<RecordedInput> {
        let reading = self.host.lanes.chunks.pop()?;
        let most = usize::try_from(reading.max_bytes).unwrap_or(usize::MAX).min(1 << 16);
        let words = vec![b'w'; SnapshotContent::MAX_LOCATOR_BYTES + choice / 6 % 2];
        let chunk = |total, length| ChunkAnswer::Chunk { total, data: vec![b'?'; length].into() };
        let answer = match choice % 6 {
            0 => chunk(u64::MAX, most + 1),
            1 => chunk(u64::MAX, 0),
            2 => chunk(0, 1),
            3 => chunk(reading.offset.saturating_sub(1), 0),
            4 => ChunkAnswer::Locator(words.into()),
            _ => ChunkAnswer::Failed,
        };
        Some(reading.answered(answer))
    }

    /// Something else was found, or nothing could be kept.
    fn stage_wrongly(&mut self, choice: usize) -> Option<RecordedInput> {
        match self.host.lanes.staging.take()? {
            Staging::Fetch { number, snapshot, .. } => {
                let mut other = snapshot;
                other.position.index = LogIndex(choice as u64);
                let answer = StageAnswer::Fetched(other);
                Some(RecordedInput::ChunkWritten { number, answer })
            }
            chunk @ Staging::Chunk { .. } => Some(chunk.failed(&mut self.host.disk)),
        }
    }

    /// The driver catches up, and time passes: every request has its answer.
    pub(crate) fn end(&mut self) {
        let timeout = self.host.settings.request_timeout;
        for _ in 0..10_000 {
            let answer =
                self.sync().or_else(|| self.host.applying.take().map(RecordedInput::Applied));
            let input = answer.unwrap_or_else(|| {
                self.now = self.now.after(timeout);
                RecordedInput::Tick
            });
            self.step(&input);
            if self.node.status().pending_requests == 0 {
                break;
            }
        }
        let asked = (FIRST_REQUEST..FIRST_REQUEST + self.requests).map(RequestId);
        let open: Vec<_> = asked.filter(|request| !self.answered.contains(request)).collect();
        assert_eq!(open, [], "every request has an answer: {}", self.node.status());
        assert_eq!(self.node.status().pending_requests, 0);
    }
}
