//! A node as the world keeps it: its process while it runs, its disk and its machine.
//!
//! Invariants: one write and one batch are out at a time; a life begins with a start and ends with a
//! crash, and what belonged to a life (writes, batches, requests, timers) ends with it.

use bytes::Bytes;
use raft_core::{Instant, LogIndex, NodeId, Role};

use super::chores::Chore;
use super::clock::Clock;
use super::disk::Image;
use super::queue::Event;
use crate::history::OpId;
use crate::machine::Machine;
use crate::plan::Span;
use crate::raft::{Raft, View};
use crate::served::Served;

/// A node.
pub(super) struct Host<R: Raft, M> {
    pub(super) id: NodeId,
    pub(super) clock: Clock,
    /// The running process; none while the node is down.
    pub(super) raft: Option<R>,
    /// The process's state after its last step.
    pub(super) view: View,
    /// When each life so far ended. The number of the present life is its length.
    pub(super) ended: Vec<u64>,
    /// Whether the node is suspended.
    pub(super) activity: Activity,
    pub(super) timer: Timer,
    /// What it takes in before it does what follows, if it does.
    pub(super) gathering: Option<Gathering>,
    /// While it is down: the stamp of the restart that counts.
    pub(super) awaited: u32,
    pub(super) image: Image,
    /// Whether its disk is gone for good.
    disk: Disk,
    pub(super) writing: Option<Writing<R>>,
    /// While its disk is slow: by which fault, and how slow.
    pub(super) slow: Option<(u32, Span)>,
    pub(super) machine: Served<M>,
    /// The last entry that the machine has taken.
    pub(super) applied: LogIndex,
    /// The batch that the machine is taking.
    pub(super) applying: Option<Applying<R>>,
    /// The batch that it has taken, until the node learns it.
    pub(super) reporting: Option<Applying<R>>,
    /// What its driver is busy with beside.
    pub(super) chores: Vec<Chore<R>>,
    /// What the machine answered to requests whose replies have not come yet.
    pub(super) outputs: Vec<(OpId, Bytes)>,
    /// Requests of this life that were not answered yet.
    pub(super) unanswered: u64,
    /// Numbers everything that is drawn for or scheduled at this node; never falls.
    counters: [u32; Series::COUNT],
}

/// Whether a node that is up does anything.
#[derive(Debug)]
pub(super) enum Activity {
    /// It does.
    Running,
    /// It is suspended until the event with this stamp; what happened to it meanwhile waits.
    Paused { stamp: u32, held: Vec<Event> },
}

/// Whether a node has what it has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Kept,
    Lost,
}

/// The one wake-up that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    /// When; `u64::MAX` if there is none.
    pub(super) at: u64,
    pub(super) stamp: u32,
}

/// Inputs that are taken in before what follows from them is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gathering {
    pub(super) until: u64,
    /// When it would have been stepped without them; none if never.
    pub(super) timer: Option<u64>,
    /// How many there are so far.
    pub(super) inputs: u64,
}

/// A write that the node has no receipt for.
pub(super) struct Writing<R: Raft> {
    pub(super) persist: R::Persist,
    pub(super) progress: Progress,
    pub(super) stamp: u32,
}

/// How far a write has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// A crash may tear it.
    Pending,
    /// It is on disk.
    Durable,
}

/// Work for the machine that the node has no report of.
pub(super) struct Applying<R: Raft> {
    pub(super) work: Work<R>,
    pub(super) stamp: u32,
}

/// What a machine is given.
pub(super) enum Work<R: Raft> {
    /// Entries to apply.
    Batch(R::Apply),
    /// A snapshot to become.
    Restore(R::Restore),
}

impl Timer {
    pub(super) const NONE: u64 = u64::MAX;
}

/// What a node numbers, each in a series of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Series {
    /// Timers, pauses and restarts: nothing is drawn for them.
    Stamp,
    Write,
    Batch,
    /// Steps whose messages leave late.
    Leave,
    /// Steps that a crash cuts short.
    Strike,
    /// Messages that a malformed one may follow.
    Malformed,
    /// What the driver does beside.
    Chore,
}

impl Series {
    const COUNT: usize = 7;
}

impl<R: Raft, M: Machine> Host<R, M> {
    pub(super) fn new(id: NodeId, clock: Clock, machine: Served<M>) -> Self {
        Self {
            id,
            clock,
            raft: None,
            view: blank(),
            ended: Vec::new(),
            activity: Activity::Running,
            timer: Timer { at: Timer::NONE, stamp: 0 },
            gathering: None,
            awaited: 0,
            image: Image::default(),
            disk: Disk::Kept,
            writing: None,
            slow: None,
            machine,
            applied: LogIndex::ZERO,
            applying: None,
            reporting: None,
            chores: Vec::new(),
            outputs: Vec::new(),
            unanswered: 0,
            counters: [0; Series::COUNT],
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.raft.is_some()
    }

    pub(super) fn has_lost_disk(&self) -> bool {
        self.disk == Disk::Lost
    }

    /// Disk and machine are gone.
    pub(super) fn lose_disk(&mut self) {
        (self.disk, self.image) = (Disk::Lost, Image::default());
        self.forget();
    }

    pub(super) fn is_paused(&self) -> bool {
        matches!(self.activity, Activity::Paused { .. })
    }

    pub(super) fn leads(&self) -> bool {
        self.is_up() && self.view.role == Role::Leader
    }

    /// The number of the present or next life, from 0.
    pub(super) fn life(&self) -> u32 {
        u32::try_from(self.ended.len()).unwrap_or(u32::MAX)
    }

    /// Whether what was to leave at `left_at` in `life` has left.
    pub(super) fn has_sent(&self, life: u32, left_at: u64) -> bool {
        self.ended.get(life as usize).is_none_or(|ended| left_at <= *ended)
    }

    /// The next number of a series. What is drawn for the nth of its kind depends on no other kind.
    pub(super) fn number(&mut self, series: Series) -> u32 {
        let counter = &mut self.counters[series as usize];
        *counter += 1;
        *counter
    }

    /// Keeps an event for later if the node is suspended.
    pub(super) fn hold(&mut self, event: Event) -> Held {
        match &mut self.activity {
            Activity::Running => Held::No,
            Activity::Paused { held, .. } => {
                held.push(event);
                Held::Yes
            }
        }
    }

    /// The machine is in its first state again.
    pub(super) fn forget(&mut self) {
        (self.machine, self.applied) = (self.machine.fresh(), LogIndex::ZERO);
    }

    /// What the machine answered to a request.
    pub(super) fn output(&mut self, op: OpId) -> Option<Bytes> {
        let place = self.outputs.iter().position(|(of, _)| *of == op)?;
        Some(self.outputs.swap_remove(place).1)
    }

    /// When it is stepped next, in true time; none if never.
    pub(super) fn due(&self) -> Option<u64> {
        let raft = self.raft.as_ref()?;
        match &self.gathering {
            Some(gathering) => Some(gathering.until),
            None => self.clock.reaches(raft.deadline()),
        }
    }

    pub(super) fn local(&self, at: u64) -> Instant {
        self.clock.local(at)
    }
}

/// Whether an event waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The node is suspended: it waits.
    Yes,
    /// It takes place.
    No,
}

/// The state of a node that has never run.
fn blank() -> View {
    View {
        term: raft_core::Term::ZERO,
        vote: None,
        role: Role::Follower,
        leader: None,
        snapshot: raft_core::LogPosition::ZERO,
        base: raft_core::LogPosition::ZERO,
        last: raft_core::LogPosition::ZERO,
        durable: LogIndex::ZERO,
        commit: LogIndex::ZERO,
        applied: LogIndex::ZERO,
    }
}
