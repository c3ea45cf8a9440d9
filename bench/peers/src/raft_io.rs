//! `raft-io` 1.0: a library that writes through a trait, `RaftLog`, and takes what it has written for durable.
//!
//! Its log is in memory here, and its driver waits for the disk. It has no check of the quorum and no leases; changes of
//! members go one server at a time.

use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    Entry, LogIndex, LogPosition, Membership, MembershipParts, NodeId, Payload, Refusal, RequestId,
    Role, Settings, Term, Toggle,
};
use raft_io::{Action, Error, Event, HardState, LogEntry, Message, RaftConfig, RaftLog, RaftNode};
use raft_sim::plan::{MessageKind, Plan};
use raft_sim::raft::{Claim, Facts};

use crate::driver::Driver;
use crate::library::{Disk, Library, Op, State, Work, last, place, take_out};

/// How much of it is asked for.
pub trait Use: 'static {
    /// Whether the operator changes members at all, and when its driver lets it.
    const CHANGES: Changes;
    /// Whether the leadership is handed over.
    const TRANSFERS: bool;
    /// Whether a message carries `max_batch_entries` at most, or all that the receiver lacks.
    const BATCHES: bool;
    /// Whether an early change is passed over, to see what it leads to.
    const LOOKS_BEYOND: bool = false;
}

/// When a driver lets its leader change members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Never.
    Never,
    /// When the library does.
    Always,
}

/// All that it offers.
#[derive(Debug)]
pub struct All;

impl Use for All {
    const CHANGES: Changes = Changes::Always;
    const TRANSFERS: bool = true;
    const BATCHES: bool = true;
}

/// The same, and what early changes of members lead to.
#[derive(Debug)]
pub struct Beyond;

impl Use for Beyond {
    const CHANGES: Changes = Changes::Always;
    const TRANSFERS: bool = false;
    const BATCHES: bool = false;
    const LOOKS_BEYOND: bool = true;
}

/// Elections, replication, reads, restarts; the members stay the same, and nobody hands over.
#[derive(Debug)]
pub struct Careful;

impl Use for Careful {
    const CHANGES: Changes = Changes::Never;
    const TRANSFERS: bool = false;
    const BATCHES: bool = false;
}

/// A node of `raft-io`.
pub type RaftIo<U = All> = Driver<Io<U>>;

/// The library.
pub struct Io<U> {
    node: RaftNode<MemoryLog>,
    id: u64,
    actions: Vec<Action>,
    /// Up to here the library has said what is for the machine.
    told: LogIndex,
    membership: Membership,
    /// Up to here it has committed as a leader, which counts what it has not written.
    counted: LogIndex,
    how: std::marker::PhantomData<U>,
}

/// A message with its addresses, of which its own kind has only some.
#[derive(Clone, Debug)]
pub struct Sent {
    from: NodeId,
    to: NodeId,
    message: Message,
}

/// A log in memory, in both vocabularies.
struct MemoryLog {
    founders: Membership,
    theirs: Vec<LogEntry>,
    ours: Vec<Entry>,
    hard_state: HardState,
}

fn members(voters: &[u64], learners: &[u64]) -> Membership {
    let ids = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
    let parts = MembershipParts {
        voters: ids(voters),
        learners: ids(learners),
        ..MembershipParts::default()
    };
    parts.try_into().unwrap_or_default()
}

fn ids(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|id| id.0).collect()
}

impl MemoryLog {
    /// The membership that the log ends with.
    fn membership(&self) -> &Membership {
        let named = self.ours.iter().rev().find_map(|entry| match &entry.payload {
            Payload::Membership(membership) => Some(&**membership),
            _ => None,
        });
        named.unwrap_or(&self.founders)
    }

    /// An entry in the simulator's words. What a new leader appends is a membership; one that changes nothing is blank.
    fn ours(&self, entry: &LogEntry) -> Entry {
        let payload = match (entry.members(), entry.learners()) {
            (Some(voters), Some(learners)) => {
                let next = members(&voters, &learners);
                if next == *self.membership() {
                    Payload::Blank
                } else {
                    Payload::Membership(Arc::new(next))
                }
            }
            _ => Payload::command(entry.command.clone()),
        };
        Entry { term: Term(entry.term), payload }
    }

    fn theirs(&self, entry: &Entry) -> LogEntry {
        let (term, index) = (entry.term.0, self.theirs.len() as u64 + 1);
        let config = |membership: &Membership| {
            let (voters, learners) = (ids(membership.voters()), ids(membership.learners()));
            LogEntry::config_with_learners(term, index, &voters, &learners)
        };
        match &entry.payload {
            Payload::Command { data, .. } => LogEntry::new(term, index, data.to_vec()),
            Payload::Membership(membership) => config(membership),
            Payload::Blank => config(self.membership()),
        }
    }
}

impl RaftLog for MemoryLog {
    fn last_index(&self) -> u64 {
        self.theirs.len() as u64
    }

    fn last_term(&self) -> u64 {
        self.theirs.last().map_or(0, |entry| entry.term)
    }

    fn term_at(&self, index: u64) -> Option<u64> {
        match place(LogIndex(index)) {
            None => Some(0),
            Some(place) => self.theirs.get(place).map(|entry| entry.term),
        }
    }

    fn entry(&self, index: u64) -> Option<LogEntry> {
        self.theirs.get(place(LogIndex(index))?).cloned()
    }

    fn append(&mut self, entries: &[LogEntry]) -> raft_io::Result<()> {
        for entry in entries {
            if entry.index != self.last_index() + 1 {
                return Err(Error::storage("append", "the entries leave a gap"));
            }
            let ours = self.ours(entry);
            self.ours.push(ours);
            self.theirs.push(entry.clone());
        }
        Ok(())
    }

    fn truncate(&mut self, from: u64) -> raft_io::Result<()> {
        let Some(kept) = place(LogIndex(from)) else {
            return Err(Error::storage("truncate", "there is nothing before the first entry"));
        };
        self.theirs.truncate(kept);
        self.ours.truncate(kept);
        Ok(())
    }

    fn hard_state(&self) -> HardState {
        self.hard_state
    }

    fn set_hard_state(&mut self, state: HardState) -> raft_io::Result<()> {
        self.hard_state = state;
        Ok(())
    }

    fn sync(&mut self) -> raft_io::Result<()> {
        Ok(())
    }
}

impl<U: Use> Io<U> {
    fn step(&mut self, event: Event) -> Result<(), Refusal> {
        let done = self.node.step(event);
        if self.node.is_leader() {
            self.counted = LogIndex(self.node.commit_index());
        }
        let membership = members(self.node.members(), self.node.learners());
        if membership != self.membership {
            self.membership = membership;
        }
        match done {
            Ok(actions) => {
                self.actions.extend(actions);
                Ok(())
            }
            Err(Error::ConfigInProgress) => Err(Refusal::ChangePending),
            // A leader that hands over says so too.
            Err(Error::NotLeader { .. }) if self.node.is_leader() => Err(Refusal::Transferring),
            Err(Error::NotLeader { leader: None }) => Err(Refusal::NoLeader),
            Err(Error::NotLeader { .. }) => Err(Refusal::NotLeader),
            Err(error) => panic!("the log in memory does not fail: {error}"),
        }
    }

    /// The first server to add, to promote or to remove on the way to other members.
    fn change(&self, to: &Membership) -> Option<Event> {
        let (voters, learners) = (self.node.members(), self.node.learners());
        let wants = |id: u64| to.voters().contains(&NodeId(id));
        let added = to.voters().iter().map(|id| id.0).find(|id| !voters.contains(id));
        if let Some(id) = added {
            let learns = learners.contains(&id);
            return Some(if learns { Event::PromoteLearner(id) } else { Event::AddServer(id) });
        }
        let unwanted = |id: &&u64| !wants(**id);
        let leaves = voters.iter().find(unwanted);
        let forgotten = learners.iter().find(|id| !to.contains(NodeId(**id)));
        if let Some(id) = leaves.or(forgotten) {
            return Some(Event::RemoveServer(*id));
        }
        let learner = to.learners().iter().map(|id| id.0).find(|id| !learners.contains(id));
        learner.map(Event::AddLearner)
    }
}

impl<U: Use> Library for Io<U> {
    type Message = Sent;

    fn open(settings: &Settings, disk: Disk) -> Result<Self, String> {
        let tick = (settings.heartbeat_interval.0 / 2).max(1);
        let election = u32::try_from(settings.election_timeout.0 / tick).unwrap_or(u32::MAX / 2);
        let batch = if U::BATCHES { settings.max_batch_entries } else { 1 << 20 };
        let batch = usize::try_from(batch).unwrap_or(usize::MAX);
        let config = RaftConfig::new(settings.id.0, ids(disk.founders.voters()))
            .with_election_timeout(election, 2 * election)
            .with_heartbeat_interval(2)
            .with_max_batch(batch)
            .with_seed(
                settings.seed ^ settings.id.0 << 32 ^ disk.term.0 << 16 ^ disk.log.len() as u64,
            );
        let vote = disk.vote.map(|id| id.0);
        let hard_state = HardState { term: disk.term.0, voted_for: vote };
        let mut log =
            MemoryLog { founders: disk.founders, theirs: Vec::new(), ours: Vec::new(), hard_state };
        for entry in disk.log {
            let theirs = log.theirs(&entry);
            log.theirs.push(theirs);
            log.ours.push(entry);
        }
        let node = RaftNode::with_log(config, log);
        let membership = members(node.members(), node.learners());
        let (actions, told) = (Vec::new(), LogIndex::ZERO);
        let (counted, how) = (LogIndex::ZERO, std::marker::PhantomData);
        Ok(Self { node, id: settings.id.0, actions, told, membership, counted, how })
    }

    fn suited(mut plan: Plan) -> Plan {
        take_out(&mut plan, |settings| {
            settings.check_quorum = Toggle::Off;
            settings.max_batch_bytes = u64::MAX;
            if !U::BATCHES {
                settings.max_batch_entries = 1 << 20;
            }
        });
        plan.static_cut = None;
        plan.network.malformed_per_million = 0;
        plan.actions.retain(|timed| match timed.action {
            raft_sim::plan::Action::Members { .. } => U::CHANGES != Changes::Never,
            raft_sim::plan::Action::Transfer { .. } => U::TRANSFERS,
            _ => false,
        });
        plan
    }

    fn may_change_early() -> bool {
        U::LOOKS_BEYOND
    }

    fn take(&mut self, op: Op<Sent>) -> Result<(), Refusal> {
        match op {
            Op::Tick => self.step(Event::Tick),
            Op::Receive(sent) => self.step(Event::Message(sent.message)),
            Op::Propose(command) => self.step(Event::Propose(command.to_vec())),
            Op::Read(id) => self.step(Event::Read { id: id.0 }),
            Op::Change(to) => match self.change(&to) {
                Some(event) => self.step(event),
                None => Ok(()),
            },
            Op::Transfer(to) => {
                if !self.node.members().contains(&to.0) {
                    return Err(Refusal::NotAVoter);
                }
                self.step(Event::TransferLeadership(to.0))
            }
            Op::Campaign => Ok(()),
        }
    }

    fn work(&mut self, _: u64, work: &mut Work<Sent>) {
        let mut applies = Vec::new();
        for action in self.actions.drain(..) {
            match action {
                Action::Send { to, message } => {
                    let (from, to) = (NodeId(self.id), NodeId(to));
                    work.when_durable.push(Sent { from, to, message });
                }
                Action::Apply { index, term, command } => {
                    let position = LogPosition::new(Term(term), LogIndex(index));
                    applies.push((position, Bytes::from(command)));
                }
                Action::ReadReady { id, index } => {
                    work.reads.push((RequestId(id), LogIndex(index)));
                }
                _ => {}
            }
        }
        // Memberships are not for the machine, and not among them.
        let mut applies = applies.into_iter().peekable();
        while self.told.0 < self.node.last_applied() {
            self.told = self.told.next();
            let next = applies.next_if(|(position, _)| position.index == self.told);
            let term = self.node.log().term_at(self.told.0).unwrap_or(0);
            work.committed.push(match next {
                Some((position, command)) => (position, Some(command)),
                None => (LogPosition::new(Term(term), self.told), None),
            });
        }
    }

    fn state(&self, durable: LogIndex) -> State {
        let node = &self.node;
        let commit = LogIndex(node.commit_index());
        State {
            term: Term(node.term()),
            vote: node.log().hard_state.voted_for.map(NodeId),
            role: match node.role() {
                raft_io::Role::Leader => Role::Leader,
                raft_io::Role::Candidate => Role::Candidate,
                raft_io::Role::Follower => Role::Follower,
            },
            leader: node.leader().map(NodeId),
            commit: if commit > self.counted { commit } else { commit.min(durable) },
        }
    }

    fn log(&self) -> &[Entry] {
        &self.node.log().ours
    }

    fn membership(&self) -> &Membership {
        &self.membership
    }

    fn invariants(&self) -> Result<(), String> {
        let (commit, applied) = (self.node.commit_index(), self.node.last_applied());
        if applied <= commit {
            return Ok(());
        }
        Err(format!("commit_index() is {commit}, but last_applied() is {applied} already"))
    }

    fn facts(sent: &Sent) -> Facts {
        let position = |index, term| LogPosition::new(Term(term), LogIndex(index));
        let vote = |granted, yes| if granted { yes } else { Claim::Refuse };
        let (kind, name, claim) = match &sent.message {
            Message::PreVote(it) => {
                let last = position(it.last_log_index, it.last_log_term);
                (MessageKind::RequestPreVote, "PreVote", Claim::AskPreVote { last })
            }
            Message::PreVoteReply(it) => {
                let claim = vote(it.vote_granted, Claim::GrantPreVote);
                (MessageKind::PreVoteReply, "PreVoteReply", claim)
            }
            Message::RequestVote(it) => {
                let last = position(it.last_log_index, it.last_log_term);
                (MessageKind::RequestVote, "RequestVote", Claim::AskVote { last })
            }
            Message::RequestVoteReply(it) => {
                let claim = vote(it.vote_granted, Claim::GrantVote);
                (MessageKind::VoteReply, "RequestVoteReply", claim)
            }
            Message::AppendEntries(it) => {
                let bytes = it.entries.iter().map(|entry| 32 + entry.command.len() as u64).sum();
                let claim = Claim::Append {
                    previous: position(it.prev_log_index, it.prev_log_term),
                    entries: u32::try_from(it.entries.len()).unwrap_or(u32::MAX),
                    bytes,
                    commit: LogIndex(it.leader_commit),
                };
                (MessageKind::AppendEntries, "AppendEntries", claim)
            }
            Message::AppendEntriesReply(it) => {
                let matched = LogIndex(it.match_index);
                let claim = if it.success { Claim::Acknowledge { matched } } else { Claim::Answer };
                (MessageKind::AppendReply, "AppendEntriesReply", claim)
            }
            Message::TimeoutNow(_) => (MessageKind::TimeoutNow, "TimeoutNow", Claim::Nothing),
            Message::ReadProbe(_) => {
                let claim = Claim::Heartbeat { commit: LogIndex::ZERO };
                (MessageKind::Heartbeat, "ReadProbe", claim)
            }
            Message::ReadProbeReply(_) => {
                (MessageKind::HeartbeatReply, "ReadProbeReply", Claim::Answer)
            }
            _ => (MessageKind::InstallSnapshot, "InstallSnapshot", Claim::Nothing),
        };
        // A pre-vote names the term that it would stand in.
        let ahead = u64::from(matches!(sent.message, Message::PreVote(_)));
        let term = Term(sent.message.term() - ahead);
        Facts { from: sent.from, to: sent.to, term, kind: kind as u8, name, claim }
    }
}

impl<U> std::fmt::Debug for Io<U> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "raft-io node {} with a log up to {}", self.id, last(&self.node.log().ours))
    }
}
