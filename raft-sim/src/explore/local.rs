//! One node with its disk and its clock, and what becomes of them when something happens to it.
//!
//! A happening is one step of the node, and whatever its driver can do about it at once: committed entries are
//! applied, chunks are read and staged, and the node is told. Messages are handed out, and a write is under way from then on.
//! Nothing here looks at another node, so that what happens to equal nodes need be computed once.

use bytes::Bytes;
use raft_core::{
    Effect, Effects, Envelope, Input, Instant, LogIndex, Membership, Node, NodeId, RecordedInput,
    Request, RequestId, Role, Write, WriteNumber,
};

use super::conduct::{Breach, Conduct, Notes};
use super::core::Core;
use super::disk::{Disk, parts, prefix};
use super::image::Image;
use super::scope::{ELECTION_TIMEOUT, PATIENCE, Scope};
use crate::campaign::catch;
use crate::violation::Property;

/// When clocks begin: late enough that everything before is long ago.
const EPOCH: Instant = Instant(1_000_000);

/// A node's part of a state.
#[derive(Clone, Debug)]
pub(super) struct Local<C> {
    pub(super) core: C,
    /// The node's own clock. It moves only where the scope says so.
    pub(super) clock: Instant,
    pub(super) disk: Disk,
    /// The write under way.
    pub(super) writing: Option<(WriteNumber, Write)>,
    /// The log in memory.
    pub(super) log: Image,
}

/// Something that happens to a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening<'a> {
    /// A message arrives.
    Receive(&'a Envelope),
    /// The write under way is durable, and the node is told.
    Persisted,
    /// It crashes, so many parts of the write under way survive, and it comes back.
    Crash(usize),
    /// It is told to stand for election.
    Campaign,
    /// It is asked for a command.
    Propose,
    /// It finds that a heartbeat is due.
    Heartbeat,
    /// It is asked for a membership.
    Change(&'a Membership),
    /// A snapshot is taken of all that it has applied.
    Snapshot,
}

/// What became of it.
pub(super) struct Taken<C> {
    pub(super) local: Local<C>,
    pub(super) sends: Vec<Envelope>,
    pub(super) notes: Notes,
}

impl<C: Core> Local<C> {
    /// A node that has founded the cluster, or waits to be told who its cluster is, and has written all that is to be
    /// written then.
    pub(super) fn begin(scope: &Scope, id: NodeId) -> Result<Self, Breach> {
        let disk = Disk::default();
        let core = start::<C>(scope, id, &disk, EPOCH)?;
        let log = Image::of(core.node(), &disk.log);
        let mut local = Self { core, clock: EPOCH, disk, writing: None, log };
        local = local.go(scope, Input::Tick)?.local;
        while local.writing.is_some() {
            local = local.take(scope, Happening::Persisted)?.local;
        }
        Ok(local)
    }

    pub(super) fn node(&self) -> &Node {
        self.core.node()
    }

    /// In how many ways more than one a crash can end.
    pub(super) fn parts_under_way(&self) -> usize {
        self.writing.as_ref().map_or(0, |(_, write)| parts(write))
    }

    /// What becomes of it when something happens to it; a panic is a breach too.
    pub(super) fn take(&self, scope: &Scope, what: Happening<'_>) -> Result<Taken<C>, Breach> {
        let id = self.node().id();
        catch(|| self.clone().taken(scope, what)).unwrap_or_else(|panicked| {
            let witness = format!("{id} panicked at {}: {}", panicked.location, panicked.message);
            Err(Breach { property: Property::Panic, nodes: vec![id], witness })
        })
    }

    fn taken(mut self, scope: &Scope, what: Happening<'_>) -> Result<Taken<C>, Breach> {
        match what {
            Happening::Receive(envelope) => self.go(scope, Input::Receive(envelope.clone())),
            Happening::Persisted => self.persisted(scope),
            Happening::Crash(kept) => self.crash(scope, kept),
            Happening::Campaign => self.go(scope, Input::Campaign),
            Happening::Propose => {
                let node = self.node();
                let command = command(node.term().0, node.last().index.next());
                self.go(scope, Input::Request(Request::Propose { id: RequestId(1), command }))
            }
            Happening::Heartbeat => {
                self.clock = self.clock.after(PATIENCE).max(self.node().deadline());
                self.go(scope, Input::Tick)
            }
            Happening::Change(to) => {
                let to = std::sync::Arc::new(to.clone());
                self.go(scope, Input::Request(Request::ChangeMembership { id: RequestId(1), to }))
            }
            Happening::Snapshot => {
                let node = self.node();
                let Some(take) = node.take_snapshot(node.applied()) else {
                    return self.go(scope, Input::Tick);
                };
                self.disk.store(take.meta().clone());
                self.go(scope, Input::SnapshotTaken(take.done()))
            }
        }
    }

    /// The write under way is on the disk, and the node is told so.
    fn persisted(mut self, scope: &Scope) -> Result<Taken<C>, Breach> {
        let Some((number, write)) = self.writing.take() else { return self.go(scope, Input::Tick) };
        let truncates = self.write(&write)?;
        let receipt = RecordedInput::Persisted(number).replay(self.node());
        let mut taken = self.go(scope, receipt)?;
        taken.notes.disk_truncated = truncates;
        Ok(taken)
    }

    /// The rest of the write under way is lost with the memory. The node is heard of again when an election timeout has
    /// passed: until then it votes for nobody, as it may have promised (thesis §6.4.1).
    fn crash(mut self, scope: &Scope, kept: usize) -> Result<Taken<C>, Breach> {
        let id = self.node().id();
        let truncates = match self.writing.take() {
            Some((_, write)) => self.write(&prefix(&write, kept))?,
            None => false,
        };
        self.clock = self.clock.after(raft_core::Ticks(1));
        self.core = start::<C>(scope, id, &self.disk, self.clock)?;
        self.log = Image::of(self.node(), &self.disk.log);
        Conduct::restarted(&self)?;
        self.clock = self.clock.after(ELECTION_TIMEOUT);
        let mut taken = self.go(scope, Input::Tick)?;
        taken.notes.disk_truncated = truncates;
        Ok(taken)
    }

    /// The disk takes a write, or what survives of it. Says whether it may have lost entries.
    fn write(&mut self, write: &Write) -> Result<bool, Breach> {
        let before = self.disk.hard_state.unwrap_or_default();
        let id = self.node().id();
        self.disk.take(write).map_err(|wrong| Breach {
            property: Property::WriteLane,
            nodes: vec![id],
            witness: format!("{id} {wrong}"),
        })?;
        Conduct::wrote(id, before, self.disk.hard_state.unwrap_or_default())?;
        Ok(write.truncate_from.is_some() || write.install.is_some())
    }

    /// One step, and whatever follows from it at once.
    fn go(mut self, scope: &Scope, input: Input) -> Result<Taken<C>, Breach> {
        let mut conduct = Conduct::new(scope);
        let (mut inputs, mut sends, mut effects) = (vec![input], Vec::new(), Effects::new());
        while let Some(input) = inputs.pop() {
            let before = self.core.clone();
            self.core.step(self.clock, input, &mut effects);
            let now = Image::of(self.core.node(), &self.disk.log);
            let log = std::mem::replace(&mut self.log, now);
            conduct.stepped(&before, &log, &self)?;
            while let Some(effect) = effects.pop() {
                if let Effect::Send(envelope) = effect {
                    let Some(envelope) = C::says(envelope) else { continue };
                    conduct.sent(&self, &envelope)?;
                    sends.push(envelope);
                } else {
                    inputs.extend(self.carry_out(effect)?);
                }
            }
        }
        Ok(Taken { local: self, sends, notes: conduct.notes })
    }

    /// Does what the node asks of its driver, and says what the node is told.
    fn carry_out(&mut self, effect: Effect) -> Result<Option<Input>, Breach> {
        let id = self.node().id();
        Ok(Some(match effect {
            Effect::Persist(persist) => {
                if self.writing.is_some() {
                    let witness = format!("{id} asked for a write while it waits for another");
                    return Err(Breach { property: Property::WriteLane, nodes: vec![id], witness });
                }
                self.writing = Some((persist.number(), persist.write().clone()));
                return Ok(None);
            }
            Effect::Apply(apply) => {
                Conduct::applies(self, &apply)?;
                Input::Applied(apply.done())
            }
            Effect::Restore(restore) => Input::Applied(restore.done()),
            Effect::Fetch(fetch) => {
                let indexes = fetch.first().0..=fetch.last().0;
                let read = indexes.map_while(|at| self.disk.log.at(LogIndex(at)).cloned());
                let read = read.collect();
                Input::Fetched(fetch.done(read))
            }
            Effect::ReadChunk(read) => {
                let data = Bytes::from_static(b"s");
                Input::ChunkRead(read.done(data.len() as u64, data))
            }
            Effect::WriteChunk(write) => {
                self.disk.staged = Some(write.partial().clone());
                Input::ChunkWritten(write.done())
            }
            Effect::FetchSnapshot(fetch) => Input::ChunkWritten(fetch.failed()),
            Effect::Send(_) | Effect::Reply(_) | Effect::Event(_) => return Ok(None),
        }))
    }

    pub(super) fn leads(&self) -> bool {
        self.node().role() == Role::Leader
    }
}

fn start<C: Core>(scope: &Scope, id: NodeId, disk: &Disk, now: Instant) -> Result<C, Breach> {
    let start = disk.start(&scope.founding(), id.0 <= scope.founders);
    C::start(scope.settings(id), start, now).map_err(|wrong| Breach {
        property: Property::RestoreFailed,
        nodes: vec![id],
        witness: format!("{id} does not start from what is on its disk: {wrong}"),
    })
}

/// The command for a place in the log. It says where it belongs, so that one that gets elsewhere is seen, and proposals
/// that differ only in their order make no difference.
fn command(term: u64, index: LogIndex) -> Bytes {
    let byte = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    Bytes::copy_from_slice(&[byte(term), byte(index.0)])
}
