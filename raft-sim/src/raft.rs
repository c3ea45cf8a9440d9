//! The Raft under test, as the simulator sees it.
//!
//! The simulator knows Raft through this trait alone. `raft-core`'s [`raft_core::Node`] implements it
//! (`core_adapter.rs`); an adapter for another implementation translates to the same
//! vocabulary (terms, positions, entries, writes), which is taken from `raft-core`'s data types.

use std::fmt;

use bytes::Bytes;
use raft_core::{
    Entries, Entry, Instant, LogIndex, LogPosition, Membership, NodeId, PartialSnapshot,
    PeerStatus, Reply, Request, RequestId, Role, Settings, SnapshotMeta, Start, Term, Ticks, Write,
};

use crate::draw::Draw;
use crate::plan::Plan;

/// An implementation of Raft that can be driven step by step.
pub trait Raft: Sized {
    /// What nodes send each other.
    type Message: Clone + fmt::Debug;
    /// An outstanding write: an obligation that is handed back when the write is durable.
    type Persist;
    /// An outstanding batch of committed entries: handed back when the machine has taken them.
    type Apply;
    /// An outstanding restoration of the machine: handed back when the machine holds the snapshot.
    type Restore;
    /// The permission to take a snapshot: handed back when the snapshot is durable.
    type Take;
    /// Any other question to the driver: handed back with its answer.
    type Chore;
    /// The queue that a step fills.
    type Effects: Default;

    /// Starts a node.
    ///
    /// # Errors
    /// What is wrong with the settings or the disk, in words.
    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String>;

    /// Starts a node that keeps all of its log in memory: `log` reads the entries on the disk, of which `start` has the
    /// summary only. For an implementation that fetches old entries when it needs them, the summary is enough.
    ///
    /// # Errors
    /// What is wrong with the settings or the disk, in words.
    fn start_with_log(
        settings: Settings,
        start: Start,
        _log: impl FnOnce() -> Entries,
        now: Instant,
    ) -> Result<Self, String> {
        Self::start(settings, start, now)
    }

    /// The plan of a seed as this implementation can be asked to live through it: without what it does not have (leases,
    /// say), and with limits that it does not keep out of reach. What it promises stays.
    fn suited(plan: Plan) -> Plan {
        plan
    }

    /// Whether its leaders are let change the membership before they have committed an entry of their own term. That is a
    /// fault, and by default it is told as one when it happens; for an implementation that is known to have it, one may
    /// want to see what it leads to.
    fn may_change_early() -> bool {
        false
    }

    /// Takes one input and queues what is to be done.
    fn step(&mut self, now: Instant, input: Input<Self>, effects: &mut Self::Effects);

    /// Takes one of several inputs that are there at the same time; what follows from them may wait for the next step,
    /// which [`Raft::deadline`] asks for. An adapter that knows no such thing steps.
    fn feed(&mut self, now: Instant, input: Input<Self>, effects: &mut Self::Effects) {
        self.step(now, input, effects);
    }

    /// Takes the oldest effect from the queue.
    fn pop(effects: &mut Self::Effects) -> Option<Output<Self>>;

    /// When the node wants to be stepped next, whatever happens.
    fn deadline(&self) -> Instant;

    /// The node's visible state. Called after every step, so it must be cheap.
    fn view(&self) -> View;

    /// The entry at `index` of the log, if it is in memory.
    fn entry(&self, index: LogIndex) -> Option<&Entry>;

    /// The term at `index` of the log, whether the entry is in memory or not.
    fn term(&self, index: LogIndex) -> Option<Term> {
        self.entry(index).map(|entry| entry.term)
    }

    /// The permission to take a snapshot of the machine, which has applied everything up to `index`.
    fn take_snapshot(&self, index: LogIndex) -> Option<Self::Take>;

    /// The oldest snapshot that is still read: older ones may be deleted.
    fn oldest_snapshot_in_use(&self) -> LogPosition;

    /// The membership in force.
    fn membership(&self) -> &Membership;

    /// Whether that is known to be committed.
    fn is_membership_committed(&self) -> bool;

    /// A leader's greatest number of unacknowledged messages and of payload bytes to any one peer, as
    /// `(messages, bytes)`; zeros elsewhere.
    fn inflight(&self) -> (u64, u64);

    /// Until when, by its own clock, a leader may answer reads from a lease. `None` without one, and for an adapter
    /// that does not know: then nobody checks that leases are exclusive.
    fn lease_until(&self) -> Option<Instant> {
        None
    }

    /// What a leader knows of its peers, for people to look at; nothing elsewhere, and for an adapter that does not tell.
    fn peers(&self) -> Vec<PeerStatus> {
        Vec::new()
    }

    /// A copy of the node, on which a step can be tried. `None` if the adapter can make none: then nobody
    /// checks what a rejected message leaves behind.
    fn twin(&self) -> Option<Self> {
        None
    }

    /// Whether two twins are in the same state, but for counts of what they have rejected.
    fn same_state(&self, other: &Self) -> bool {
        self.view() == other.view()
    }

    /// Checks the implementation's own invariants.
    ///
    /// # Errors
    /// The one that does not hold, in words.
    fn invariants(&self) -> Result<(), String>;

    /// What a write contains.
    fn write(persist: &Self::Persist) -> &Write;

    /// Which snapshot a machine is restored from.
    fn restores(restore: &Self::Restore) -> &SnapshotMeta;

    /// What a snapshot that is to be taken stands for.
    fn takes(take: &Self::Take) -> &SnapshotMeta;

    /// What the driver is asked.
    fn task(chore: &Self::Chore) -> Task<'_>;

    /// The entries of a batch, in order: position, entry payload's command if it is one, and the request
    /// through which it was proposed at this node, if it is still awaited.
    fn committed(apply: &Self::Apply) -> impl Iterator<Item = Committed<'_>>;

    /// What a message says, as far as checks and faults need to know.
    fn facts(message: &Self::Message) -> Facts;

    /// A message like this one that no correct peer sends: whoever receives it must reject it and stay as
    /// it was, but may answer one of an earlier term by its own without a further look. `None` if the
    /// adapter knows none.
    fn malformed(_message: &Self::Message, _draw: &mut Draw) -> Option<Self::Message> {
        None
    }
}

/// One thing that happens to a node. Mirrors [`raft_core::Input`].
pub enum Input<R: Raft> {
    /// Nothing but time.
    Tick,
    /// A message arrived.
    Receive(R::Message),
    /// A write became durable.
    Persisted(R::Persist),
    /// A batch was applied.
    Applied(R::Apply),
    /// A machine was restored.
    Restored(R::Restore),
    /// A snapshot was taken and is durable.
    Taken(R::Take),
    /// A question was answered.
    Answered(R::Chore, Answer),
    /// A client asks for something.
    Request(Request),
    /// Stand for election now.
    Campaign,
    /// Do not stand for election for so long.
    Suppress(Ticks),
}

/// A question to the driver.
#[derive(Clone, Copy, Debug)]
pub enum Task<'a> {
    /// Read entries from the log on disk.
    Fetch {
        /// The first.
        first: LogIndex,
        /// The last.
        last: LogIndex,
        /// The most bytes, unless the first alone has more.
        max_bytes: u64,
    },
    /// Read bytes of a snapshot, for a peer.
    ReadChunk {
        /// Of which snapshot.
        position: LogPosition,
        /// How many bytes to skip.
        offset: u64,
        /// How many to read at most.
        max_bytes: u64,
    },
    /// Stage bytes of a snapshot that arrives.
    WriteChunk {
        /// What is staged then.
        partial: &'a PartialSnapshot,
        /// Where they go.
        offset: u64,
        /// The bytes.
        data: &'a Bytes,
    },
    /// Fetch a snapshot from elsewhere and stage it.
    FetchSnapshot {
        /// Who named the place.
        source: NodeId,
        /// What it must stand for.
        snapshot: &'a SnapshotMeta,
        /// Where it is.
        locator: &'a Bytes,
    },
}

/// The answer to a [`Task`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// Entries, for `Fetch`.
    Entries(Entries),
    /// Bytes, and how many there are in all, for `ReadChunk`.
    Chunk {
        /// How many bytes the snapshot has.
        total: u64,
        /// Those at the offset.
        data: Bytes,
    },
    /// Where the bytes can be had, for `ReadChunk`.
    Located(Bytes),
    /// Done, for `WriteChunk`.
    Staged,
    /// A snapshot is staged, and this is what it stands for; for `FetchSnapshot`.
    Found(SnapshotMeta),
    /// It could not be done.
    Failed,
}

/// One thing that a node asks for. Mirrors [`raft_core::Effect`].
pub enum Output<R: Raft> {
    /// Make a write durable, then hand the token back.
    Persist(R::Persist),
    /// Try to deliver a message.
    Send(R::Message),
    /// Apply entries, then hand the token back.
    Apply(R::Apply),
    /// Restore the machine from a snapshot, then hand the token back.
    Restore(R::Restore),
    /// Do something else, then hand the token back with the answer.
    Chore(R::Chore),
    /// Answer a client.
    Reply(Reply),
    /// Something for people to read.
    Event(raft_core::Event),
}

/// A committed entry on its way to the state machine.
#[derive(Clone, Copy, Debug)]
pub struct Committed<'a> {
    /// Where it is in the log.
    pub position: LogPosition,
    /// The command, unless the entry is for the protocol alone.
    pub command: Option<&'a Bytes>,
    /// The request of this node that it answers.
    pub request: Option<RequestId>,
}

/// The state of a node that checks compare after every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Its term.
    pub term: Term,
    /// Its vote in that term.
    pub vote: Option<NodeId>,
    /// Its role.
    pub role: Role,
    /// The leader it knows of.
    pub leader: Option<NodeId>,
    /// The snapshot that counts.
    pub snapshot: LogPosition,
    /// Where its log begins.
    pub base: LogPosition,
    /// Its last entry.
    pub last: LogPosition,
    /// Up to here it believes its log to be durable.
    pub durable: LogIndex,
    /// Up to here it believes its log to be committed.
    pub commit: LogIndex,
    /// Up to here its machine has reported.
    pub applied: LogIndex,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Who sent it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// The sender's term.
    pub term: Term,
    /// A small stable number for the kind: part of the key of the message's fate, so it never changes.
    pub kind: u8,
    /// The kind's name, as in the paper.
    pub name: &'static str,
    /// What it claims or asks.
    pub claim: Claim,
}

/// What a message claims or asks, as far as safety depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing that a check needs.
    Nothing,
    /// Asks whether the receiver would vote.
    AskPreVote {
        /// The asker's last entry.
        last: LogPosition,
    },
    /// Asks for a vote, and so implies the sender's own.
    AskVote {
        /// The candidate's last entry.
        last: LogPosition,
    },
    /// Gives the sender's vote to the receiver, in the message's term.
    GrantVote,
    /// Would give it.
    GrantPreVote,
    /// Refuses a vote, or would.
    Refuse,
    /// Leads, and sends entries.
    Append {
        /// The entry before the first.
        previous: LogPosition,
        /// How many entries.
        entries: u32,
        /// Their payload bytes.
        bytes: u64,
        /// What the leader says is committed.
        commit: LogIndex,
    },
    /// Leads, and says so.
    Heartbeat {
        /// What the leader says is committed.
        commit: LogIndex,
    },
    /// Acknowledges that the sender durably holds the leader's log up to here.
    Acknowledge {
        /// The last index held.
        matched: LogIndex,
    },
    /// Answers a leader without acknowledging entries.
    Answer,
    /// Passes a proposal on to the leader.
    Forward {
        /// The sender's number for it.
        sequence: u64,
    },
    /// Leads, and sends a snapshot or a part of it.
    Snapshot {
        /// The snapshot's position.
        position: LogPosition,
        /// How many bytes it carries.
        bytes: u64,
    },
}
