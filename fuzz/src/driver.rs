//! A node with all that it needs: a disk, a machine and readers that answer sooner or later, and callers.
//!
//! Every input goes through [`Driver::take`], which checks afterwards what must hold of any node, whatever it was given:
//! its invariants, the bounds of its memory, what its messages promise, what it says of its disk, one answer a request; and
//! that an input which it rejects has changed nothing.

mod checks;

use std::collections::{BTreeSet, VecDeque};

use raft_core::{
    Apply, Config, Effect, Effects, Envelope, Fetch, FetchSnapshot, Input, Instant, LogIndex, Node,
    Persist, ReadChunk, RecordedInput, RecordedLine, RecordedStart, RecordedStep, Request,
    RequestId, Restore, RestoreError, Start, Term, WriteChunk,
};

use crate::recording;
use support::disk::Disk;

/// A node and its surroundings.
pub struct Driver {
    /// The settings it runs with.
    pub config: Config,
    /// The node.
    pub node: Node,
    /// What it has had written.
    pub disk: Disk,
    /// Its clock.
    pub now: Instant,
    /// Up to here its machine has applied.
    pub applied: LogIndex,
    /// What it has asked for and was not answered.
    pub open: Open,
    /// What it sent last, the newest at the end.
    pub sent: VecDeque<Envelope>,
    /// What it received last.
    pub received: VecDeque<Envelope>,
    /// Receipts of what earlier lives asked for.
    pub stale: Vec<Input>,
    /// The last receipt that was given.
    pub repeatable: Option<RecordedInput>,
    /// How a life begins as long as nothing is on the disk.
    pub first_start: Start,
    /// The largest entry that it was ever given: one is taken, however large.
    pub largest_entry: u64,
    /// Until then it keeps what a life before may have promised: it stands for nothing, and gives nobody a vote for their
    /// asking alone.
    pub(crate) bound_until: Instant,
    /// The latest time that it was ever told.
    pub(crate) latest: Instant,
    pub(crate) effects: Effects,
    pub(crate) requests: u64,
    pub(crate) unanswered: BTreeSet<RequestId>,
}

/// Obligations that the driver has not met.
#[derive(Debug, Default)]
pub struct Open {
    /// A write.
    pub write: Option<Persist>,
    /// A batch, or a snapshot, for the machine.
    pub machine: Option<Work>,
    /// Entries to be read.
    pub fetches: VecDeque<Fetch>,
    /// Bytes of snapshots to be read.
    pub chunks: VecDeque<ReadChunk>,
    /// Bytes of a snapshot to be staged, or a whole one to be fetched.
    pub staging: Option<Staging>,
}

/// What a machine is to do.
#[derive(Debug)]
pub enum Work {
    /// To apply entries.
    Apply(Apply),
    /// To load a snapshot.
    Restore(Restore),
}

/// What is to be staged.
#[derive(Debug)]
pub enum Staging {
    /// Bytes.
    Chunk(WriteChunk),
    /// A whole snapshot from elsewhere.
    Whole(FetchSnapshot),
}

/// How an input is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// With everything that follows from it.
    Step,
    /// What follows from it comes with the next step.
    Feed,
}

/// As many messages are remembered.
const REMEMBERED: usize = 32;
/// As many questions wait for an answer: a node asks again when it hears nothing.
const MOST_QUESTIONS: usize = 16;

impl Driver {
    /// Starts a node.
    ///
    /// # Errors
    /// When it does not start like this.
    pub fn start(
        config: Config,
        start: Start,
        disk: Disk,
        applied: LogIndex,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let started = || RecordedStart { settings: config.into(), start: start.clone(), now };
        recording::begin(started);
        let node = Node::new(config, start.clone(), now)?;
        let mut driver = Self {
            config,
            node,
            disk,
            now,
            applied,
            open: Open::default(),
            sent: VecDeque::new(),
            received: VecDeque::new(),
            stale: Vec::new(),
            repeatable: None,
            largest_entry: checks::forced_entry(&start),
            first_start: start,
            bound_until: Instant(0),
            latest: now,
            effects: Effects::new(),
            requests: 0,
            unanswered: BTreeSet::new(),
        };
        driver.begins();
        Ok(driver)
    }

    /// A life begins.
    pub(crate) fn begins(&mut self) {
        self.latest = self.latest.max(self.now);
        assert_eq!(self.node.invariants(), Ok(()), "as it starts");
        if self.disk.hard_state.term > Term::ZERO {
            self.bound_until = self.now.after(self.config.election_timeout);
        }
        self.check_disk();
    }

    /// Gives the node an input.
    ///
    /// # Panics
    /// When something does not hold afterwards.
    pub fn take(&mut self, how: How, input: Input) {
        self.latest = self.latest.max(self.now);
        let before = self.node.clone();
        let recorded = RecordedInput::of(&input, &before);
        self.note(how, &recorded);
        let mut effects = std::mem::take(&mut self.effects);
        give(&mut self.node, how, self.now, input, &mut effects);
        assert_eq!(self.node.invariants(), Ok(()), "after {recorded:?}");
        self.check_rejection(&before, how, &recorded, &effects);
        self.check_replay(&before, how, &recorded);
        self.check_content(&before, how, &effects);
        while let Some(effect) = effects.pop() {
            self.accept(effect);
        }
        self.effects = effects;
        self.check_progress(&before);
        self.check_memory(how);
        self.check_disk();
        self.delete_old_snapshots();
    }

    /// Gives the node an input with everything that follows from it.
    pub fn step(&mut self, input: Input) {
        self.take(How::Step, input);
    }

    /// Asks the node for something.
    pub fn ask(&mut self, how: How, request: impl FnOnce(RequestId) -> Request) {
        let id = RequestId(self.requests);
        self.requests += 1;
        self.unanswered.insert(id);
        self.take(how, Input::Request(request(id)));
    }

    fn note(&mut self, how: How, input: &RecordedInput) {
        recording::go_on(|| {
            let step = RecordedStep { now: self.now, input: input.clone() };
            if how == How::Step { RecordedLine::Step(step) } else { RecordedLine::Fed(step) }
        });
        match input {
            RecordedInput::Receive(envelope) => remember(&mut self.received, envelope.clone()),
            RecordedInput::Request(_) | RecordedInput::Tick => {}
            receipt => self.repeatable = Some(receipt.clone()),
        }
        self.largest_entry =
            self.largest_entry.max(checks::largest_entry(input, self.node.membership()));
    }

    /// What the node asks for is kept until the driver gets to it.
    fn accept(&mut self, effect: Effect) {
        self.check_effect(&effect);
        let open = &mut self.open;
        match effect {
            Effect::Persist(persist) => {
                assert!(open.write.replace(persist).is_none(), "one write at a time");
            }
            Effect::Apply(apply) => give_work(open, Work::Apply(apply)),
            Effect::Restore(restore) => give_work(open, Work::Restore(restore)),
            Effect::Fetch(fetch) => open.fetches.push_back(fetch),
            Effect::ReadChunk(read) => open.chunks.push_back(read),
            Effect::WriteChunk(chunk) => give_staging(open, Staging::Chunk(chunk)),
            Effect::FetchSnapshot(fetch) => give_staging(open, Staging::Whole(fetch)),
            Effect::Send(envelope) => remember(&mut self.sent, envelope),
            Effect::Reply(reply) => {
                let is_first = self.unanswered.remove(&reply.request);
                assert!(is_first, "{} is answered once: {reply:?}", reply.request);
            }
            Effect::Event(_) => {}
        }
        let open = &mut self.open;
        open.fetches.drain(..open.fetches.len().saturating_sub(MOST_QUESTIONS));
        open.chunks.drain(..open.chunks.len().saturating_sub(MOST_QUESTIONS));
    }

    fn delete_old_snapshots(&mut self) {
        let oldest = self.node.oldest_snapshot_in_use().index;
        self.disk.snapshots.retain(|index, _| *index >= oldest);
    }
}

/// Steps a node with an input, or feeds it.
pub(crate) fn give(node: &mut Node, how: How, now: Instant, input: Input, effects: &mut Effects) {
    match how {
        How::Step => node.step(now, input, effects),
        How::Feed => node.feed(now, input, effects),
    }
}

fn give_work(open: &mut Open, work: Work) {
    assert!(open.machine.replace(work).is_none(), "one batch at a time");
}

fn give_staging(open: &mut Open, staging: Staging) {
    assert!(open.staging.replace(staging).is_none(), "one chunk is staged at a time");
}

fn remember(list: &mut VecDeque<Envelope>, envelope: Envelope) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(envelope);
}
