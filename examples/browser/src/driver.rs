//! The loop: steps the node and carries out its effects.
//!
//! What the database has to do takes its time, so those obligations are kept here by number. Invariant: a receipt
//! is made when the worker says that the transaction of that number is durable, and nowhere else.

use std::mem;

use bytes::Bytes;
use raft_core::{
    ChunkRead, Effect, Fetch, Input, Instant, Persist, ReadChunk, TakeSnapshot, WriteChunk,
};

use crate::BrowserNode;
use crate::machine::Machine;
use crate::output::Output;
use crate::records::{Kind, Operation, Records, Staged, encode, put, store_snapshot, store_write};

/// A snapshot is taken when so many entries have been applied since the last.
const SNAPSHOT_EVERY: u64 = 200;

/// What waits for the database.
#[derive(Debug)]
pub(crate) enum Obligation {
    Persist(Persist),
    Take(TakeSnapshot),
    Stage(WriteChunk),
    Fetch(Fetch),
}

impl BrowserNode {
    pub(crate) fn step(&mut self, now: Instant, input: Input) {
        self.node.step(now, input, &mut self.effects);
        while let Some(effect) = self.effects.pop() {
            if let Some(answer) = self.carry_out(effect) {
                self.node.step(now, answer, &mut self.effects);
            }
        }
        self.take_snapshot();
    }

    /// Gives the answer, when there is one at once.
    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Persist(persist) => self.persist(persist),
            Effect::Send(envelope) => {
                let message = encode(&envelope);
                self.outputs.push(Output::Send { to: envelope.to, message });
            }
            Effect::Apply(apply) => {
                let commands = apply.entries().filter_map(|entry| entry.command());
                commands.for_each(|command| self.machine.apply(command));
                return Some(Input::Applied(apply.done()));
            }
            Effect::Restore(restore) => {
                let state = &self.snapshots[&restore.snapshot().position];
                self.machine = Machine::load(state).expect("a member took this snapshot");
                return Some(Input::Applied(restore.done()));
            }
            Effect::Fetch(fetch) => {
                let number = self.next_number();
                let (first, last) = (fetch.first(), fetch.last());
                self.obligations.insert(number, Obligation::Fetch(fetch));
                self.outputs.push(Output::Load { number, first, last });
            }
            Effect::ReadChunk(read) => return Some(Input::ChunkRead(self.read_chunk(read))),
            Effect::WriteChunk(write) => self.stage(write),
            // Nobody here says that a snapshot is elsewhere.
            Effect::FetchSnapshot(fetch) => return Some(Input::ChunkWritten(fetch.failed())),
            Effect::Reply(reply) => self.outputs.push(Output::reply(reply, &self.machine)),
            Effect::Event(event) => self.outputs.push(Output::Event { text: format!("{event:?}") }),
        }
        None
    }

    fn persist(&mut self, persist: Persist) {
        let mut state = Bytes::new();
        if let Some(meta) = &persist.write().install {
            state = mem::take(&mut self.staged).into();
            self.snapshots.insert(meta.position, state.clone());
        }
        let mut operations = store_write(persist.write(), state);
        // The first write of all says whose database it is.
        operations.extend(self.note.take().map(|note| put(Kind::Note, 0, &note)));
        self.store(operations, Obligation::Persist(persist));
    }

    fn stage(&mut self, write: WriteChunk) {
        let offset = usize::try_from(write.offset()).expect("what is staged is in memory");
        self.staged.truncate(offset);
        self.staged.extend_from_slice(write.data());
        let staged = Staged { partial: write.partial().clone(), state: self.staged.clone() };
        self.store(vec![put(Kind::Staged, 0, &staged)], Obligation::Stage(write));
    }

    fn take_snapshot(&mut self) {
        let applied = self.node.applied();
        let since = applied.entries_since(self.node.snapshot().position.index);
        let is_under_way = self.obligations.values().any(|o| matches!(o, Obligation::Take(_)));
        if since < SNAPSHOT_EVERY || is_under_way {
            return;
        }
        if let Some(take) = self.node.take_snapshot(applied) {
            let state = self.machine.state();
            self.snapshots.insert(take.meta().position, state.clone());
            let operations = store_snapshot(take.meta(), state).into();
            self.store(operations, Obligation::Take(take));
        }
    }

    fn read_chunk(&self, read: ReadChunk) -> ChunkRead {
        let Some(state) = self.snapshots.get(&read.snapshot().position) else {
            return read.failed();
        };
        let within =
            |offset: u64| usize::try_from(offset).map_or(state.len(), |o| o.min(state.len()));
        let (from, to) = (read.offset(), read.offset().saturating_add(read.max_bytes()));
        let data = state.slice(within(from)..within(to));
        read.done(state.len() as u64, data)
    }

    fn store(&mut self, operations: Vec<Operation>, obligation: Obligation) {
        let number = self.next_number();
        self.obligations.insert(number, obligation);
        self.outputs.push(Output::Store { number, operations });
    }

    fn next_number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// A transaction is durable.
    pub(crate) fn is_durable(&mut self, now: Instant, number: u32) -> Result<(), String> {
        let receipt = match self.obligations.remove(&number) {
            Some(Obligation::Persist(persist)) => Input::Persisted(persist.done()),
            Some(Obligation::Take(take)) => Input::SnapshotTaken(take.done()),
            Some(Obligation::Stage(write)) => Input::ChunkWritten(write.done()),
            other => {
                return Err(format!("{number} is no transaction that is waited for: {other:?}"));
            }
        };
        self.step(now, receipt);
        self.snapshots = self.snapshots.split_off(&self.node.oldest_snapshot_in_use());
        Ok(())
    }

    /// Records were read.
    pub(crate) fn is_read(&mut self, now: Instant, number: u32, text: &str) -> Result<(), String> {
        let Some(Obligation::Fetch(fetch)) = self.obligations.remove(&number) else {
            return Err(format!("{number} is nothing that is read"));
        };
        let mut entries = Records::parse(text)?.entries(fetch.first())?;
        let totals = entries.iter().scan(0, |total, entry| {
            *total += entry.size();
            Some(*total)
        });
        let fitting = totals.take_while(|total| *total <= fetch.max_bytes()).count();
        // One at least, however large.
        entries.truncate(fitting.max(1));
        let answer = if entries.is_empty() {
            fetch.failed()
        } else {
            fetch.done(entries.into_iter().collect())
        };
        self.step(now, Input::Fetched(answer));
        Ok(())
    }
}
