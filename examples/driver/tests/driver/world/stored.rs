//! A node of `raft-core` with the driver's store beside the World's disk.
//!
//! Every write goes into both. When the World starts a node again, the store is opened from what a crash left of it, and
//! must hold what the World's disk holds; the node is started from the store. A write that was under way is first
//! tried on copies, which stop at each of several moments within it.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use driver::job::{Done, Job};
use driver::machine::Image;
use driver::store::{Identity, Journaled, Store};
use raft_core::{
    Apply, Effect, Effects, Entry, Envelope, Force, HardState, Instant, LogIndex, LogPosition,
    LogSummary, Membership, Node, NodeId, PartialSnapshot, Persist, Restore, Restored, Settings,
    SnapshotMeta, Start, TakeSnapshot, Term, Write,
};
use raft_sim::raft::{Answer, Committed, Facts, Input, Output, Raft, Task, View};
use raft_sim::world::{parts, prefix};

use crate::power::Machine;

/// How often what was tested.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) writes: u64,
    pub(crate) restarts: u64,
    pub(crate) torn: u64,
    pub(crate) crashes: u64,
    pub(crate) fetches: u64,
    pub(crate) staged: u64,
}

/// A node's disk, and what was handed to it and is not known to be there.
struct Disk {
    machine: Machine,
    store: Journaled,
    writing: Option<Write>,
    staging: Option<(PartialSnapshot, u64, Bytes)>,
}

thread_local! {
    static DISKS: RefCell<BTreeMap<NodeId, Disk>> = const { RefCell::new(BTreeMap::new()) };
    static TALLY: RefCell<Tally> = RefCell::new(Tally::default());
}

/// Begins a run with empty disks.
pub(crate) fn forget() {
    DISKS.take();
}

pub(crate) fn tally() -> Tally {
    TALLY.with_borrow(|tally| *tally)
}

fn count(note: impl FnOnce(&mut Tally)) {
    TALLY.with_borrow_mut(note);
}

impl Disk {
    fn new() -> Self {
        Self::on(Machine::new())
    }

    fn on(machine: Machine) -> Self {
        let store = machine.open();
        Self { machine, store, writing: None, staging: None }
    }

    /// The machine stops; only what was synced is left.
    fn crashed(self) -> Self {
        let Self { machine, store, writing, staging } = self;
        Self { writing, staging, ..Self::on(machine.crashed(store, 0, 0)) }
    }

    fn copy(&self) -> Self {
        // Everything was synced that counts, as no write is under way in the store itself.
        Self::on(self.machine.copy())
    }

    fn loaded(&self) -> Option<Restored> {
        self.store.load().expect("what was written can be read")
    }

    /// Stops at several moments within a write: the store holds all of it then, or nothing.
    fn crash_within(&self, write: &Write) {
        let before = self.loaded();
        let after = {
            let disk = self.copy();
            disk.store.write(write).expect("it follows");
            disk.loaded()
        };
        for (stop, kept) in [(0, 0), (1, 1), (2, 1), (4, 3), (7, 7), (10, 5)] {
            let Self { machine, store, .. } = self.copy();
            machine.power.stop_after(stop);
            let is_done = store.write(write).is_ok();
            let found = Self::on(machine.crashed(store, kept, kept)).loaded();
            assert!(found == after || (found == before && !is_done), "torn: {found:?}");
            count(|tally| tally.crashes += 1);
        }
    }

    /// Brings the store where a crash left the World's disk.
    fn follow(&mut self, world: Option<&Restored>) {
        self.follow_snapshots(world);
        let parts = self.writing.as_ref().map_or(0, parts);
        if let Some(write) = self.writing.take() {
            count(|tally| tally.torn += 1);
            self.crash_within(&write);
            for kept in 0..=parts {
                let disk = self.copy();
                if kept > 0 {
                    disk.store.write(&prefix(&write, kept)).expect("a prefix follows as well");
                }
                if same(disk.loaded(), world) {
                    *self = disk;
                    return;
                }
            }
        }
        let found = self.loaded();
        assert!(
            same(found.clone(), world),
            "the store holds {found:?}\n, the World's disk {world:?}"
        );
    }

    /// Snapshots have a lane of their own: what the World's disk has of them may be news.
    fn follow_snapshots(&mut self, world: Option<&Restored>) {
        let Some(world) = world else { return };
        let staged = self.loaded().and_then(|ours| ours.partial);
        if staged != world.partial {
            match (&world.partial, self.staging.take()) {
                (Some(partial), Some((ours, offset, data))) if *partial == ours => {
                    self.store.stage(&ours, offset, &data).expect("it follows");
                }
                (None, _) if self.writing.as_ref().is_none_or(|write| write.install.is_none()) => {
                    self.store.unstage().expect("can be dropped");
                }
                _ => {}
            }
        }
        let ours = self.loaded().map(|ours| ours.snapshot.position).unwrap_or_default();
        let installs = self.writing.as_ref().and_then(|write| write.install.as_ref());
        let is_taken = installs.is_none_or(|meta| meta.position != world.snapshot.position);
        if is_taken && world.snapshot.position.index > ours.index {
            self.store.save(&world.snapshot, b"").expect("can be stored");
        }
    }
}

/// The machine's mark is not the store's.
fn same(ours: Option<Restored>, world: Option<&Restored>) -> bool {
    match (ours, world) {
        (Some(ours), Some(world)) => Restored { applied: world.applied, ..ours } == *world,
        (None, None) => true,
        _ => false,
    }
}

/// A node whose obligations are carried out by the driver's store too.
pub(crate) struct Stored(Node);

/// What a step asks for.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Effects,
    ready: VecDeque<Output<Stored>>,
}

fn with_disk<T>(id: NodeId, work: impl FnOnce(&mut Disk) -> T) -> T {
    DISKS.with_borrow_mut(|disks| work(disks.entry(id).or_insert_with(Disk::new)))
}

impl Stored {
    /// What is handed to the World, and noted here until it comes back.
    fn output(&self, effect: Effect) -> Output<Self> {
        let id = self.0.id();
        match effect {
            Effect::Persist(persist) => {
                with_disk(id, |disk| disk.writing = Some(persist.write().clone()));
                Output::Persist(persist)
            }
            Effect::WriteChunk(write) => {
                let staging = (write.partial().clone(), write.offset(), write.data().clone());
                with_disk(id, |disk| disk.staging = Some(staging));
                Output::Chore(Job::WriteChunk(write))
            }
            Effect::Send(envelope) => Output::Send(envelope),
            Effect::Apply(apply) => Output::Apply(apply),
            Effect::Reply(reply) => Output::Reply(reply),
            Effect::Event(event) => Output::Event(event),
            Effect::Restore(restore) => Output::Restore(restore),
            Effect::Fetch(fetch) => Output::Chore(Job::Fetch(fetch)),
            Effect::ReadChunk(read) => Output::Chore(Job::ReadChunk(read)),
            Effect::FetchSnapshot(fetch) => Output::Chore(Job::FetchSnapshot(fetch)),
        }
    }

    /// What the World's disk has done, a job of the driver does now; its answer is what the node gets.
    fn done(&self, job: Job) -> raft_core::Input {
        let done = with_disk(self.0.id(), |disk| job.run(&disk.store));
        match done.expect("the store works") {
            Done::Input(input) => input,
            other => panic!("a job that answers, not {other:?}"),
        }
    }

    fn answered(&self, job: Job, answer: Answer) -> raft_core::Input {
        let id = self.0.id();
        match (job, answer) {
            (Job::Fetch(fetch), Answer::Entries(entries)) => {
                let (first, last, most) = (fetch.first(), fetch.last(), fetch.max_bytes());
                let read = with_disk(id, |disk| disk.store.entries(first, last, most));
                assert_eq!(read.expect("they are there"), entries[..]);
                count(|tally| tally.fetches += 1);
                self.done(Job::Fetch(fetch))
            }
            (Job::Fetch(fetch), _) => raft_core::Input::Fetched(fetch.failed()),
            // The store has no bytes of snapshots that the World's machines took.
            (Job::ReadChunk(read), Answer::Chunk { total, data }) => {
                raft_core::Input::ChunkRead(read.done(total, data))
            }
            (Job::ReadChunk(read), _) => raft_core::Input::ChunkRead(read.failed()),
            (Job::WriteChunk(write), answer) => {
                with_disk(id, |disk| disk.staging = None);
                if let Answer::Staged = answer {
                    count(|tally| tally.staged += 1);
                    return self.done(Job::WriteChunk(write));
                }
                with_disk(id, |disk| disk.store.unstage().expect("can be dropped"));
                raft_core::Input::ChunkWritten(write.failed())
            }
            (Job::FetchSnapshot(fetch), _) => raft_core::Input::ChunkWritten(fetch.failed()),
            _ => unreachable!("no other job is asked of the World"),
        }
    }

    fn taken(&self, take: TakeSnapshot) -> raft_core::Input {
        let image: Image = Box::new(Bytes::new);
        let input = self.done(Job::Save(take, image));
        let oldest = self.0.oldest_snapshot_in_use();
        with_disk(self.0.id(), |disk| drop(Job::DeleteBefore(oldest).run(&disk.store)));
        input
    }

    fn given(&mut self, input: Input<Self>) -> raft_core::Input {
        match input {
            Input::Persisted(persist) => {
                let write = with_disk(self.0.id(), |disk| disk.writing.take());
                assert_eq!(write.as_ref(), Some(persist.write()));
                count(|tally| tally.writes += 1);
                self.done(Job::Write(persist))
            }
            Input::Taken(take) => self.taken(take),
            Input::Answered(job, answer) => self.answered(job, answer),
            Input::Receive(envelope) => raft_core::Input::Receive(envelope),
            Input::Tick => raft_core::Input::Tick,
            Input::Applied(apply) => raft_core::Input::Applied(apply.done()),
            Input::Restored(restore) => raft_core::Input::Applied(restore.done()),
            Input::Request(request) => raft_core::Input::Request(request),
            Input::Campaign => raft_core::Input::Campaign,
            Input::Suppress(span) => raft_core::Input::Suppress(span),
        }
    }

    fn collect(&mut self, effects: &mut Queue) {
        while let Some(effect) = effects.inner.pop() {
            effects.ready.push_back(self.output(effect));
        }
    }
}

impl Raft for Stored {
    type Message = Envelope;
    type Persist = Persist;
    type Apply = Apply;
    type Restore = Restore;
    type Take = TakeSnapshot;
    type Chore = Job;
    type Effects = Queue;

    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String> {
        let id = settings.id;
        let identity = Identity { cluster: settings.cluster, node: id };
        let world = match &start {
            Start::Restart(restored) | Start::Force(Force { restored, .. }) => Some(restored),
            Start::Bootstrap(_) | Start::Join(_) => None,
        };
        let is_lost = world.is_some_and(|world| *world == lost());
        let old = DISKS.with_borrow_mut(|disks| disks.remove(&id)).filter(|_| !is_lost);
        let disk = old.map_or_else(Disk::new, |disk| {
            count(|tally| tally.restarts += 1);
            let mut disk = disk.crashed();
            disk.follow(world);
            disk
        });
        disk.store.claim(identity).expect("it is its own");
        let ours = disk.loaded().zip(world);
        let ours = ours.map(|(ours, world)| Restored { applied: world.applied, ..ours });
        DISKS.with_borrow_mut(|disks| disks.insert(id, disk));
        let start = match (start, ours) {
            (Start::Restart(_), Some(ours)) => Start::Restart(ours),
            (Start::Force(force), Some(restored)) => Start::Force(Force { restored, ..force }),
            (start, _) => start,
        };
        <Node as Raft>::start(settings, start, now).map(Self)
    }

    fn step(&mut self, now: Instant, input: Input<Self>, effects: &mut Queue) {
        let input = self.given(input);
        self.0.step(now, input, &mut effects.inner);
        self.collect(effects);
    }

    fn feed(&mut self, now: Instant, input: Input<Self>, effects: &mut Queue) {
        let input = self.given(input);
        self.0.feed(now, input, &mut effects.inner);
        self.collect(effects);
    }

    fn pop(effects: &mut Queue) -> Option<Output<Self>> {
        effects.ready.pop_front()
    }

    fn task(job: &Job) -> Task<'_> {
        match job {
            Job::Fetch(fetch) => Task::Fetch {
                first: fetch.first(),
                last: fetch.last(),
                max_bytes: fetch.max_bytes(),
            },
            Job::ReadChunk(read) => Task::ReadChunk {
                position: read.snapshot().position,
                offset: read.offset(),
                max_bytes: read.max_bytes(),
            },
            Job::WriteChunk(write) => Task::WriteChunk {
                partial: write.partial(),
                offset: write.offset(),
                data: write.data(),
            },
            Job::FetchSnapshot(fetch) => Task::FetchSnapshot {
                source: fetch.source(),
                snapshot: fetch.snapshot(),
                locator: fetch.locator(),
            },
            _ => unreachable!("no other job is asked of the World"),
        }
    }

    fn deadline(&self) -> Instant {
        self.0.deadline()
    }

    fn view(&self) -> View {
        self.0.view()
    }

    fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.0.entry(index)
    }

    fn term(&self, index: LogIndex) -> Option<Term> {
        self.0.term_at(index)
    }

    fn take_snapshot(&self, index: LogIndex) -> Option<TakeSnapshot> {
        self.0.take_snapshot(index)
    }

    fn oldest_snapshot_in_use(&self) -> LogPosition {
        self.0.oldest_snapshot_in_use()
    }

    fn membership(&self) -> &Membership {
        self.0.membership()
    }

    fn is_membership_committed(&self) -> bool {
        self.0.is_membership_committed()
    }

    fn inflight(&self) -> (u64, u64) {
        Raft::inflight(&self.0)
    }

    fn invariants(&self) -> Result<(), String> {
        Raft::invariants(&self.0)
    }

    fn write(persist: &Persist) -> &Write {
        persist.write()
    }

    fn restores(restore: &Restore) -> &SnapshotMeta {
        restore.snapshot()
    }

    fn takes(take: &TakeSnapshot) -> &SnapshotMeta {
        take.meta()
    }

    fn committed(apply: &Apply) -> impl Iterator<Item = Committed<'_>> {
        Node::committed(apply)
    }

    fn facts(message: &Envelope) -> Facts {
        Node::facts(message)
    }
}

/// What a node that lost its disk would start from, if it were allowed to.
fn lost() -> Restored {
    Restored {
        hard_state: HardState::default(),
        snapshot: SnapshotMeta::default(),
        log: LogSummary::default(),
        commit: LogIndex::ZERO,
        applied: LogIndex::ZERO,
        partial: None,
    }
}
