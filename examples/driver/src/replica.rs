//! A node and its machine together, still without any I/O: inputs go in, things to do come out.
//!
//! What only concerns the two is settled here: entries are applied, outputs are kept until the reply comes, and
//! snapshots are taken when the log has grown enough. Everything else is for the caller, on whatever threads it has.

use std::collections::BTreeMap;

use bytes::Bytes;
use raft_core::{
    Apply, Config, Effect, Effects, Envelope, Event, Input, Instant, LogIndex, LogPosition, Node,
    Outcome, Payload, RequestId, Restore, RestoreError, Start,
};

use crate::job::{Done, Job};
use crate::machine::Machine;
use crate::recorder::Recorder;

/// Something to do.
pub enum Todo {
    /// For a thread that may wait for the disk.
    Work(Job),
    /// For the network. It may be lost.
    Send(Envelope),
    /// For whoever asked. There is an output when a command was carried out here.
    Answer(RequestId, Outcome, Option<Bytes>),
    /// For those who want to see what is committed.
    Committed(LogPosition, Bytes),
    /// For people.
    Tell(Event),
}

/// When the log has grown enough for a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPolicy {
    /// After so many entries since the last.
    pub entries: u64,
    /// Or after so many bytes of commands.
    pub bytes: u64,
}

impl Default for SnapshotPolicy {
    fn default() -> Self {
        Self { entries: 50_000, bytes: 64 * 1024 * 1024 }
    }
}

/// After so many entries it is looked again whether a snapshot would still come too early.
const LOOK_AGAIN: u64 = 16;

/// A node and its machine.
#[derive(Debug)]
pub struct Replica<M> {
    config: Config,
    node: Node,
    machine: M,
    effects: Effects,
    /// What the machine said to requests of this node, until they are answered.
    outputs: BTreeMap<RequestId, Bytes>,
    policy: SnapshotPolicy,
    recorder: Option<Recorder>,
    /// Bytes that were applied since the last snapshot was begun.
    bytes: u64,
    is_saving: bool,
    /// No snapshot is tried before this, after one that could not be stored, or that would have come too early.
    not_before: LogIndex,
    /// Snapshots before this one were deleted.
    deleted_before: LogPosition,
}

/// Why a replica cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot at {position} cannot be loaded into the machine: {why}")]
pub struct LoadError {
    position: LogPosition,
    why: String,
}

impl<M: Machine> Replica<M> {
    /// Starts a node with an empty machine.
    ///
    /// # Errors
    /// When the disk from which it starts contradicts itself.
    pub fn new(
        config: Config,
        start: Start,
        machine: M,
        policy: SnapshotPolicy,
        recorder: Option<Recorder>,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        Ok(Self {
            config,
            node: Node::new(config, start, now)?,
            machine,
            effects: Effects::new(),
            outputs: BTreeMap::new(),
            policy,
            recorder,
            bytes: 0,
            is_saving: false,
            not_before: LogIndex::ZERO,
            deleted_before: LogPosition::ZERO,
        })
    }

    /// The node, to look at.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The machine, to read.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Takes one input of those that are there at the same time.
    pub fn feed(&mut self, now: Instant, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.fed(now, &input, &self.node);
        }
        self.node.feed(now, input, &mut self.effects);
    }

    /// Adds what is to be done after all the inputs there were, or just because it is time.
    pub fn settle(&mut self, now: Instant, todo: &mut Vec<Todo>) {
        self.step(now, Input::Tick);
        while let Some(effect) = self.effects.pop() {
            todo.push(match effect {
                Effect::Persist(persist) => Todo::Work(Job::Write(persist)),
                Effect::Send(envelope) => Todo::Send(envelope),
                Effect::Apply(apply) => {
                    self.apply(now, apply, todo);
                    continue;
                }
                Effect::Restore(restore) => match restore.index() {
                    // The founding snapshot names members; the machine begins empty.
                    LogIndex::ZERO => {
                        self.step(now, Input::Applied(restore.done()));
                        continue;
                    }
                    _ => Todo::Work(Job::Load(restore)),
                },
                Effect::Fetch(fetch) => Todo::Work(Job::Fetch(fetch)),
                Effect::ReadChunk(read) => Todo::Work(Job::ReadChunk(read)),
                Effect::WriteChunk(write) => Todo::Work(Job::WriteChunk(write)),
                Effect::FetchSnapshot(fetch) => Todo::Work(Job::FetchSnapshot(fetch)),
                Effect::Reply(reply) => {
                    let output = self.outputs.remove(&reply.request);
                    Todo::Answer(reply.request, reply.outcome, output)
                }
                Effect::Event(event) => Todo::Tell(event),
            });
        }
        self.snapshot_if_due(now, todo);
    }

    /// Takes the result of a piece of work.
    ///
    /// # Errors
    /// When a snapshot is none of this machine.
    pub fn done(&mut self, now: Instant, done: Done) -> Result<(), LoadError> {
        match done {
            Done::Input(input) => {
                if matches!(input, Input::SnapshotTaken(_)) {
                    self.is_saving = false;
                }
                self.feed(now, input);
            }
            Done::Loaded(restore, state) => self.load(now, restore, &state)?,
            Done::NotSaved => {
                self.is_saving = false;
                self.not_before = LogIndex(self.node.applied().0 + self.policy.entries);
            }
            Done::Nothing => {}
        }
        Ok(())
    }

    fn load(&mut self, now: Instant, restore: Restore, state: &Bytes) -> Result<(), LoadError> {
        let position = restore.snapshot().position;
        self.machine.restore(state).map_err(|why| LoadError { position, why })?;
        self.feed(now, Input::Applied(restore.done()));
        Ok(())
    }

    fn apply(&mut self, now: Instant, apply: Apply, todo: &mut Vec<Todo>) {
        for entry in apply.entries() {
            let Payload::Command { data, .. } = entry.payload else { continue };
            let output = self.machine.apply(entry.position, data);
            self.bytes += data.len() as u64;
            if let Some(request) = entry.request {
                self.outputs.insert(request, output);
            }
            todo.push(Todo::Committed(entry.position, data.clone()));
        }
        self.step(now, Input::Applied(apply.done()));
    }

    fn step(&mut self, now: Instant, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.step(now, &input, &self.node);
        }
        self.node.step(now, input, &mut self.effects);
    }

    fn snapshot_if_due(&mut self, now: Instant, todo: &mut Vec<Todo>) {
        let oldest = self.node.oldest_snapshot_in_use();
        if oldest.index > self.deleted_before.index {
            self.deleted_before = oldest;
            todo.push(Todo::Work(Job::DeleteBefore(oldest)));
        }
        let applied = self.node.applied();
        let entries = applied.entries_since(self.node.snapshot().position.index);
        let is_due = entries >= self.policy.entries || self.bytes >= self.policy.bytes;
        if !is_due || self.is_saving || applied < self.not_before {
            return;
        }
        if self.is_followed_from_afar(now, entries) {
            // To look again at each entry would cost more than it is worth.
            self.not_before = LogIndex(applied.0 + LOOK_AGAIN);
            return;
        }
        if let Some(take) = self.node.take_snapshot(applied) {
            self.is_saving = true;
            self.bytes = 0;
            todo.push(Todo::Work(Job::Save(take, self.machine.image())));
        }
    }

    /// Whether the log holds what a follower needs next that is coming up to the others, and would not with another
    /// snapshot: it would need that one then, and so on for as long as there is much to do. It is not waited for
    /// without end.
    fn is_followed_from_afar(&self, now: Instant, entries: u64) -> bool {
        const LONGEST: u64 = 4;
        let SnapshotPolicy { entries: usual, bytes } = self.policy;
        if entries >= LONGEST.saturating_mul(usual) || self.bytes >= LONGEST.saturating_mul(bytes) {
            return false;
        }
        let kept = self.node.applied().0.saturating_sub(self.config.retained_entries);
        self.node.status().peers.iter().any(|peer| {
            peer.matched.0 < kept && now.since(peer.heard) <= self.config.election_timeout
        })
    }
}
