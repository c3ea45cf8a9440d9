//! What an onlooker of a run is told: everything a timeline shows.
//!
//! A trace only looks: nothing it does can change a run. With [`NoTrace`] nothing is put together for
//! it, and the calls disappear.

use bytes::Bytes;
use raft_core::{
    Entry, Event, Instant, LogIndex, LogPosition, Membership, NodeId, Outcome, PeerStatus, Request,
    SnapshotMeta, Term, Ticks, Write,
};

use crate::history::OpId;
use crate::plan::{Asks, CrashPoint, Fate, Fault};
use crate::raft::{Answer, Facts, Task, View};
use crate::violation::Violation;

/// Is told what happens in a run, in order of simulated time.
pub trait Trace {
    /// Whether anything is told at all.
    const ENABLED: bool = true;

    /// One thing happened at `at`.
    fn record(&mut self, at: Instant, event: TraceEvent<'_>);
}

/// Looks at nothing, at no cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoTrace;

impl Trace for NoTrace {
    const ENABLED: bool = false;

    fn record(&mut self, _at: Instant, _event: TraceEvent<'_>) {}
}

/// Tells somebody whose type does not matter, so that the world is compiled once for all who look on.
pub struct Onlooker<'a>(&'a mut dyn FnMut(Instant, TraceEvent<'_>));

impl<'a> Onlooker<'a> {
    /// Whatever happens is told to `told`.
    pub fn new(told: &'a mut dyn FnMut(Instant, TraceEvent<'_>)) -> Self {
        Self(told)
    }
}

impl Trace for Onlooker<'_> {
    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        (self.0)(at, event);
    }
}

/// Tells two onlookers.
impl<A: Trace, B: Trace> Trace for (A, B) {
    const ENABLED: bool = A::ENABLED || B::ENABLED;

    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        self.0.record(at, event);
        self.1.record(at, event);
    }
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum TraceEvent<'a> {
    /// A node was started, or restarted from its disk.
    Started {
        /// The node.
        node: NodeId,
        /// How.
        start: Started,
        /// Its state at once.
        view: View,
    },
    /// A node that lost its disk was to be started all the same, and was refused.
    StartRefused {
        /// The node.
        node: NodeId,
        /// Why.
        reason: &'a str,
    },
    /// A step changed the node's visible state: role, term, vote, leader, log or commit.
    Changed {
        /// The node.
        node: NodeId,
        /// Its state before the step.
        before: View,
        /// Its state after it.
        after: View,
    },
    /// A node's log is another than it was, or was shown for the first time.
    Log {
        /// The node.
        node: NodeId,
        /// The last index that is compacted away.
        base: LogIndex,
        /// Entries from here on are these; what was there before is gone.
        first: LogIndex,
        /// The entries.
        entries: &'a [LogEntry<'a>],
    },
    /// A node has another membership in force than it had.
    Members {
        /// The node.
        node: NodeId,
        /// What is in force.
        members: &'a Membership,
    },
    /// What a leader knows of its peers has changed.
    Peers {
        /// The leader.
        node: NodeId,
        /// What it knows of each.
        peers: &'a [PeerStatus],
    },
    /// The protocol reported something for people.
    Protocol {
        /// The node.
        node: NodeId,
        /// What.
        event: Event,
    },
    /// A node's timer is due: a step follows that is given nothing else.
    Due {
        /// The node.
        node: NodeId,
    },
    /// A step asked for a message to be sent.
    Sent {
        /// Names the message in all that follows.
        message: u64,
        /// What it says.
        facts: Facts,
        /// How many of its kind went before it on its link in its term.
        nth: u64,
        /// What the network does with it, cuts and filters apart; its wait in line is part of its delay. A plan that lists
        /// this does the same. None for a message to nobody.
        fate: Option<Fate>,
        /// When it will arrive, if nothing intervenes; [`Instant::NEVER`] if the network drops it.
        arrives: Instant,
    },
    /// The network will deliver the message just sent once more.
    Duplicated {
        /// The message.
        message: u64,
        /// What it says.
        facts: Facts,
        /// When the copy will arrive, if nothing intervenes.
        arrives: Instant,
    },
    /// A message will never arrive.
    Lost {
        /// The message.
        message: u64,
        /// What it says.
        facts: Facts,
        /// Why.
        loss: Loss,
    },
    /// A message arrived; the receiver takes it next.
    Delivered {
        /// The message.
        message: u64,
        /// What it says.
        facts: Facts,
        /// When it was sent.
        sent: Instant,
    },
    /// A malformed message arrived: the receiver must reject it.
    Malformed {
        /// The message that it was made of.
        message: u64,
        /// What is wrong with it: the number of a draw.
        draw: u32,
        /// Whom it was sent to.
        to: NodeId,
        /// What it says.
        facts: Facts,
    },
    /// A write was handed to the disk.
    Submitted {
        /// The node.
        node: NodeId,
        /// What is written.
        write: &'a Write,
    },
    /// The write is on disk; the node does not know yet.
    Durable {
        /// The node.
        node: NodeId,
        /// What was written.
        write: &'a Write,
    },
    /// The node learnt that its write is durable.
    Receipt {
        /// The node.
        node: NodeId,
    },
    /// Committed entries, or a snapshot to restore, were handed to the machine.
    Handed {
        /// The node.
        node: NodeId,
    },
    /// The machine took a committed entry.
    Applied {
        /// The node.
        node: NodeId,
        /// Where the entry is.
        position: LogPosition,
        /// The command, if the entry is one.
        command: Option<&'a Bytes>,
        /// What the machine answered.
        output: Option<&'a Bytes>,
    },
    /// The node learnt that entries are applied.
    Reported {
        /// The node.
        node: NodeId,
        /// Up to here.
        applied: LogIndex,
    },
    /// A node crashed.
    Crashed {
        /// The node.
        node: NodeId,
        /// At which point.
        point: CrashPoint,
        /// What survived of the outstanding write; nothing if none was outstanding.
        survived: &'a Write,
        /// When it will be started again.
        restart: Instant,
    },
    /// A node is no longer stepped.
    Paused {
        /// The node.
        node: NodeId,
        /// Until then.
        until: Instant,
    },
    /// A node is stepped again; what it missed comes first.
    Resumed {
        /// The node.
        node: NodeId,
    },
    /// A fault of the plan begins, or strikes, or (a crash) is armed.
    FaultBegan {
        /// Its place in the plan's list; `None` for the cut of the static phase.
        fault: Option<u32>,
        /// What the plan says.
        what: &'a Fault,
        /// The nodes that its targets resolved to; the one that it is about comes first.
        nodes: &'a [NodeId],
    },
    /// A fault of the plan ended.
    FaultEnded {
        /// Its place in the plan's list; `None` for the cut of the static phase.
        fault: Option<u32>,
    },
    /// Messages from one node to another are cut off from now on.
    LinkCut {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
    },
    /// Messages from one node to another get through again.
    LinkMended {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
    },
    /// The run enters its next phase.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// A client asks for something.
    Invoked {
        /// The operation.
        op: OpId,
        /// The client.
        client: u32,
        /// The node it asks.
        node: NodeId,
        /// How it asks.
        asks: Asks,
        /// What it asks for.
        command: &'a Bytes,
    },
    /// What a client asks for reaches the node, which takes it next: at once, or when it is no longer suspended.
    Asked {
        /// The operation.
        op: OpId,
        /// The node.
        node: NodeId,
    },
    /// A client was answered.
    Answered {
        /// The operation.
        op: OpId,
        /// The node that answers.
        node: NodeId,
        /// What became of it.
        outcome: Outcome,
        /// The machine's output.
        output: Option<&'a Bytes>,
    },
    /// A client no longer waits for an answer: the operation's fate is unknown to it.
    GaveUp {
        /// The operation.
        op: OpId,
        /// The node it asked.
        node: NodeId,
    },
    /// Somebody leads a term for the first time.
    Elected {
        /// The leader.
        node: NodeId,
        /// The term.
        term: Term,
    },
    /// The operator asked a node for something.
    Ordered {
        /// The node.
        node: NodeId,
        /// What.
        request: &'a Request,
    },
    /// The operator told a node to stand for election, or for how long not to.
    Urged {
        /// The node.
        node: NodeId,
        /// For how long it is not to stand; nothing if it is to stand now.
        suppressed: Option<Ticks>,
    },
    /// The operator was answered.
    OrderAnswered {
        /// The node.
        node: NodeId,
        /// What became of it.
        outcome: Outcome,
    },
    /// A node's driver has something to do beside.
    Tasked {
        /// The node.
        node: NodeId,
        /// Names the task among the node's.
        stamp: u32,
        /// What.
        task: Task<'a>,
    },
    /// It has done it, or could not; the node learns that next.
    TaskDone {
        /// The node.
        node: NodeId,
        /// The task.
        stamp: u32,
        /// What came of it.
        answer: &'a Answer,
    },
    /// A snapshot of a node's machine was taken and is on its disk.
    SnapshotTaken {
        /// The node.
        node: NodeId,
        /// What it stands for.
        meta: &'a SnapshotMeta,
    },
    /// A node's machine was restored from a snapshot.
    Restored {
        /// The node.
        node: NodeId,
        /// What it stands for.
        meta: &'a SnapshotMeta,
    },
    /// A check failed; the run ends here.
    Violated {
        /// Which, and how.
        violation: &'a Violation,
    },
}

/// An entry of a node's log.
#[derive(Clone, Copy, Debug)]
pub struct LogEntry<'a> {
    /// Its term.
    pub term: Term,
    /// All of it, if it is in memory.
    pub entry: Option<&'a Entry>,
}

/// How a node was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// As a founding member with an empty disk.
    Founding,
    /// From what its disk holds.
    FromDisk,
    /// From what its disk holds, with a membership that is forced upon it.
    Forced,
}

/// Why a message never arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The network dropped it.
    Fate,
    /// The link was cut when it left or when it would have arrived.
    Cut,
    /// The receiver was down.
    Down,
    /// The sender crashed before it left.
    NeverLeft,
}

/// The part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Faults happen.
    Faults,
    /// Everything is healed, and one cut of the plan stays: there must be steady progress.
    StaticCut,
    /// Everything is healed: the cluster must elect, commit and converge in time.
    Liveness,
}

impl Phase {
    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Faults => "faults",
            Self::StaticCut => "static cut",
            Self::Liveness => "liveness",
        }
    }
}
