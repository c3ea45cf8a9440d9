//! A Raft library as its driver sees it.

use std::fmt;

use bytes::Bytes;
use raft_core::{
    Entry, LogIndex, LogPosition, Membership, NodeId, Refusal, RequestId, Role, Settings, Term,
    Toggle,
};
use raft_sim::draw::Draw;
use raft_sim::plan::{Fault, Plan, PlanSettings};
use raft_sim::raft::Facts;

/// What a node starts with.
#[derive(Debug)]
pub struct Disk {
    /// The members that found the cluster.
    pub founders: Membership,
    /// Its term.
    pub term: Term,
    /// Its vote in that term.
    pub vote: Option<NodeId>,
    /// Up to here the log is known to be committed.
    pub commit: LogIndex,
    /// Up to here the machine is durable itself.
    pub applied: LogIndex,
    /// All entries, from the first.
    pub log: Vec<Entry>,
}

/// One thing that happens to a library.
#[derive(Debug)]
pub enum Op<M> {
    /// A tick of its clock.
    Tick,
    /// A message has arrived.
    Receive(M),
    /// A client proposes a command.
    Propose(Bytes),
    /// A client wants to read.
    Read(RequestId),
    /// An operator wants other members.
    Change(Membership),
    /// An operator wants another leader.
    Transfer(NodeId),
    /// An operator wants it to stand for election.
    Campaign,
}

/// What a library wants done.
#[derive(Debug)]
pub struct Work<M> {
    /// Messages that may leave at once.
    pub at_once: Vec<M>,
    /// Messages that may leave when everything that the library holds now is durable.
    pub when_durable: Vec<M>,
    /// Entries for the machine, in order; the machine is given none before it is durable here.
    pub committed: Vec<(LogPosition, Option<Bytes>)>,
    /// Reads that may be answered when the machine has come so far.
    pub reads: Vec<(RequestId, LogIndex)>,
}

impl<M> Default for Work<M> {
    fn default() -> Self {
        let (at_once, when_durable) = (Vec::new(), Vec::new());
        Self { at_once, when_durable, committed: Vec::new(), reads: Vec::new() }
    }
}

/// The state of a library in memory.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Its term.
    pub term: Term,
    /// Its vote in that term.
    pub vote: Option<NodeId>,
    /// Its role.
    pub role: Role,
    /// The leader it knows of.
    pub leader: Option<NodeId>,
    /// Up to here it takes its log for committed.
    pub commit: LogIndex,
}

/// A Raft library with its log in memory.
pub trait Library: Sized {
    /// What nodes send each other.
    type Message: Clone + fmt::Debug;

    /// Opens a node.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn open(settings: &Settings, disk: Disk) -> Result<Self, String>;

    /// A plan without what the library does not have.
    fn suited(plan: Plan) -> Plan;

    /// Whether changes of members that come too early are passed over.
    fn may_change_early() -> bool {
        false
    }

    /// Takes one input. A proposal that is accepted is the last entry of the log then, and so is a change.
    ///
    /// # Errors
    /// Why a request is refused.
    fn take(&mut self, op: Op<Self::Message>) -> Result<(), Refusal>;

    /// What it wants done. `mark` names all that it holds now; it is told when that is durable.
    fn work(&mut self, mark: u64, work: &mut Work<Self::Message>);

    /// Whether it wants something done.
    fn has_more(&self) -> bool {
        false
    }

    /// Everything that it held at `mark` is durable.
    fn durable(&mut self, _mark: u64) {}

    /// The machine has come so far.
    fn applied(&mut self, _index: LogIndex) {}

    /// Its state in memory. A library that counts what it has not written yet as held commits no more than is `durable`.
    fn state(&self, durable: LogIndex) -> State;

    /// Its log in memory.
    fn log(&self) -> &[Entry];

    /// The membership that it goes by.
    fn membership(&self) -> &Membership;

    /// What must hold of the numbers that it tells.
    ///
    /// # Errors
    /// What does not.
    fn invariants(&self) -> Result<(), String> {
        Ok(())
    }

    /// What a message says.
    fn facts(message: &Self::Message) -> Facts;

    /// A message like this one that no correct peer sends, if the adapter makes any.
    fn malformed(_message: &Self::Message, _draw: &mut Draw) -> Option<Self::Message> {
        None
    }
}

/// Takes out of a plan what neither library or its driver has: nodes that join, leases, snapshots, lost disks, and limits of
/// memory. `settle` takes out of the settings what one of them lacks besides.
pub(crate) fn take_out(plan: &mut Plan, settle: impl Fn(&mut PlanSettings)) {
    let others = plan.other_settings.as_mut().map(|others| &mut others.settings);
    for settings in [&mut plan.settings].into_iter().chain(others) {
        settings.read_lease = Toggle::Off;
        settings.max_inflight_messages = 256;
        settings.max_inflight_bytes = u64::MAX;
        settings.max_uncommitted_bytes = u64::MAX;
        settings.max_undurable_bytes = u64::MAX;
        settle(settings);
    }
    plan.founders = plan.nodes;
    plan.snapshots.every = 0;
    plan.faults.retain(|timed| !matches!(timed.fault, Fault::LoseDisk { .. }));
}

/// The place of an index in a log that begins at index 1.
pub(crate) fn place(index: LogIndex) -> Option<usize> {
    usize::try_from(index.0.checked_sub(1)?).ok()
}

/// The last position of such a log.
pub(crate) fn last(log: &[Entry]) -> LogPosition {
    let term = log.last().map_or(Term::ZERO, |entry| entry.term);
    LogPosition::new(term, LogIndex(log.len() as u64))
}
