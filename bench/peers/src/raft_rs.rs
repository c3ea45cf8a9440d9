//! `raft` 0.7 (tikv's raft-rs): a library whose state comes out in `Ready`s, and may be written behind.
//!
//! Its election timeouts come from a generator that no seed reaches, so they are set after each step, to what follows from the
//! node, its term and how often it stood. Its changes of members take effect when they are applied, which is not the rule
//! that the simulator checks, so the members stay the same.

use std::collections::VecDeque;
use std::marker::PhantomData;

use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry as TheirEntry, HardState, Message, MessageType, Snapshot};
use raft::{Config, GetEntriesContext, INVALID_ID, RaftState, RawNode, StateRole, Storage};
use raft_core::{
    Entry, LogIndex, LogPosition, Membership, NodeId, Payload, Refusal, RequestId, Role, Settings,
    Term,
};
use raft_sim::draw::Draw;
use raft_sim::plan::{Action, MessageKind, Plan};
use raft_sim::raft::{Claim, Facts};
use slog::{Discard, Logger, o};

use crate::driver::Driver;
use crate::library::{Disk, Library, Op, State, Work, place, take_out};

/// The window of unacknowledged messages. One more is sent with each answer to a heartbeat while it is full, so it is not held
/// against the limit of a plan.
const WINDOW: usize = 8;

/// How it is used.
pub trait Use: 'static {
    /// Whether a read uses the context of the one before.
    const REUSES_CONTEXTS: bool = false;
    /// Whether the leadership is handed over.
    const TRANSFERS: bool = false;
    /// Whether there are messages that no correct peer sends.
    const HOSTILE: bool = false;
}

/// As its documentation says.
#[derive(Debug)]
pub struct Careful;

impl Use for Careful {}

/// The same, and the leadership is handed over.
#[derive(Debug)]
pub struct Transfers;

impl Use for Transfers {
    const TRANSFERS: bool = true;
}

/// All reads of a node have the same context, one after the other.
#[derive(Debug)]
pub struct Reused;

impl Use for Reused {
    const REUSES_CONTEXTS: bool = true;
}

/// Some messages come that no correct peer sends.
#[derive(Debug)]
pub struct Hostile;

impl Use for Hostile {
    const HOSTILE: bool = true;
}

/// A node of raft-rs.
pub type RaftRs<U = Careful> = Driver<Rs<U>>;

/// The library.
pub struct Rs<U> {
    node: RawNode<Store>,
    settings: Settings,
    log: Vec<Entry>,
    membership: Membership,
    /// What it wants done, since it was asked last.
    wanted: Work<Sent>,
    /// Numbers of `Ready`s that are not durable: the last that is, when a mark is.
    readies: VecDeque<(u64, u64)>,
    last_ready: u64,
    /// How often it stood for election.
    stood: u64,
    /// The read that a context is in use for, and in which term.
    reading: Option<(RequestId, u64)>,
    how: PhantomData<U>,
}

/// A message, who sends it (a request that is passed on names who asked first), and in which term.
#[derive(Clone, Debug)]
pub struct Sent {
    message: Message,
    from: NodeId,
    term: Term,
}

/// All that is stored, in memory.
struct Store {
    log: Vec<TheirEntry>,
    state: RaftState,
}

fn before(index: u64) -> usize {
    place(LogIndex(index)).expect("the log begins at index 1")
}

impl Storage for Store {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(self.state.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        most: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<TheirEntry>> {
        let mut entries = self.log[before(low)..before(high)].to_vec();
        raft::util::limit_size(&mut entries, most.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == 0 {
            return Ok(0);
        }
        let entry = self.log.get(before(index));
        entry.map(|entry| entry.term).ok_or(raft::StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.log.len() as u64)
    }

    fn snapshot(&self, _: u64, _: u64) -> raft::Result<Snapshot> {
        unreachable!("everybody has the log from its begin");
    }
}

fn ours(entry: &TheirEntry) -> Entry {
    let payload =
        if entry.data.is_empty() { Payload::Blank } else { Payload::command(entry.data.clone()) };
    Entry { term: Term(entry.term), payload }
}

fn theirs(index: usize, entry: &Entry) -> TheirEntry {
    let data = match &entry.payload {
        Payload::Command { data, .. } => data.clone(),
        Payload::Blank | Payload::Membership(_) => Bytes::new(),
    };
    TheirEntry { term: entry.term.0, index: index as u64 + 1, data, ..TheirEntry::default() }
}

impl<U: Use> Rs<U> {
    /// How many ticks an election timeout has.
    fn election(settings: &Settings) -> usize {
        let tick = (settings.heartbeat_interval.0 / 2).max(1);
        usize::try_from(settings.election_timeout.0 / tick).unwrap_or(usize::MAX / 2)
    }

    /// Sets the election timeout that was drawn from elsewhere to one that is the same each time.
    fn pin(&mut self) {
        let raft = &mut self.node.raft;
        let election = Self::election(&self.settings) as u64;
        let mut bits = self.settings.seed ^ self.settings.id.0 << 48 ^ raft.term << 24 ^ self.stood;
        // SplitMix64's last steps, to spread them.
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let ticks = election + (bits ^ bits >> 31) % election;
        let ticks = usize::try_from(ticks).unwrap_or(usize::MAX);
        raft.set_randomized_election_timeout(ticks);
    }

    /// Takes what is ready, as an application does that writes behind.
    fn absorb(&mut self) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            let term = Term(self.node.raft.term);
            let from = self.settings.id;
            let sent = |message| Sent { message: without_commit(message), from, term };
            self.wanted.at_once.extend(ready.take_messages().into_iter().map(sent));
            self.wanted.when_durable.extend(ready.take_persisted_messages().into_iter().map(sent));
            for entry in ready.take_committed_entries() {
                let position = LogPosition::new(Term(entry.term), LogIndex(entry.index));
                let command = (!entry.data.is_empty()).then_some(entry.data);
                self.wanted.committed.push((position, command));
            }
            for read in ready.take_read_states() {
                let id = match self.reading.take() {
                    Some((id, _)) => Some(id),
                    None => {
                        read.request_ctx.try_into().ok().map(|id| RequestId(u64::from_le_bytes(id)))
                    }
                };
                self.wanted.reads.extend(id.map(|id| (id, LogIndex(read.index))));
            }
            let entries = ready.take_entries();
            if let Some(first) = entries.first() {
                self.log.truncate(before(first.index));
                self.node.mut_store().log.truncate(before(first.index));
            }
            self.log.extend(entries.iter().map(ours));
            self.node.mut_store().log.extend(entries);
            if let Some(state) = ready.hs() {
                self.node.mut_store().state.hard_state = state.clone();
            }
            self.last_ready = ready.number();
            self.node.advance_append_async(ready);
        }
    }

    fn read(&mut self, id: RequestId) -> Result<(), Refusal> {
        let raft = &self.node.raft;
        if raft.leader_id == INVALID_ID {
            return Err(Refusal::NoLeader);
        }
        if raft.state == StateRole::Leader && !raft.commit_to_current_term() {
            return Err(Refusal::NotYetCommitted);
        }
        if !U::REUSES_CONTEXTS {
            self.node.read_index(id.0.to_le_bytes().to_vec());
            return Ok(());
        }
        if raft.state != StateRole::Leader {
            return Err(Refusal::NotLeader);
        }
        if self.reading.is_some_and(|(_, term)| term == raft.term) {
            return Err(Refusal::Busy);
        }
        self.reading = Some((id, raft.term));
        self.node.read_index(b"read".to_vec());
        Ok(())
    }

    fn propose(&mut self, command: &Bytes) -> Result<(), Refusal> {
        let raft = &self.node.raft;
        match (raft.state, raft.leader_id) {
            (StateRole::Leader, _) if raft.lead_transferee.is_some() => Err(Refusal::Transferring),
            (StateRole::Leader, _) => {
                self.node.propose(Vec::new(), command.to_vec()).map_err(|_| Refusal::Busy)
            }
            (_, INVALID_ID) => Err(Refusal::NoLeader),
            _ => Err(Refusal::NotLeader),
        }
    }

    fn do_one(&mut self, op: Op<Sent>) -> Result<(), Refusal> {
        match op {
            Op::Tick => {
                self.node.tick();
                let raft = &self.node.raft;
                let stands = matches!(raft.state, StateRole::PreCandidate | StateRole::Candidate);
                self.stood += u64::from(stands && raft.election_elapsed == 0);
                Ok(())
            }
            Op::Receive(sent) => {
                // What it does not take, it drops.
                let _ = self.node.step(sent.message);
                Ok(())
            }
            Op::Propose(command) => self.propose(&command),
            Op::Read(id) => self.read(id),
            Op::Change(_) => Err(Refusal::NoMembership),
            Op::Transfer(to) if self.node.raft.state == StateRole::Leader => {
                self.node.transfer_leader(to.0);
                Ok(())
            }
            Op::Transfer(_) => Err(Refusal::NotLeader),
            Op::Campaign => self.node.campaign().map_err(|_| Refusal::NotReady),
        }
    }
}

impl<U: Use> Library for Rs<U> {
    type Message = Sent;

    fn open(settings: &Settings, disk: Disk) -> Result<Self, String> {
        let election = Self::election(settings);
        let config = Config {
            id: settings.id.0,
            election_tick: election,
            heartbeat_tick: 2,
            applied: disk.applied.0,
            // It counts the bytes of a message in another way, and no less than an eighth of ours.
            max_size_per_msg: settings.max_batch_bytes / 8,
            max_inflight_msgs: WINDOW,
            check_quorum: settings.check_quorum.is_on(),
            pre_vote: settings.pre_vote.is_on(),
            ..Config::default()
        };
        let voters: Vec<u64> = disk.founders.voters().iter().map(|id| id.0).collect();
        let conf_state = ConfState::from((voters, Vec::new()));
        let hard_state = HardState {
            term: disk.term.0,
            vote: disk.vote.map_or(INVALID_ID, |vote| vote.0),
            // What a machine has applied was committed, whatever was written of that.
            commit: disk.commit.max(disk.applied).0.min(disk.log.len() as u64),
            ..HardState::default()
        };
        let log = disk.log.iter().enumerate().map(|(index, entry)| theirs(index, entry)).collect();
        let store = Store { log, state: RaftState { hard_state, conf_state } };
        let logger = Logger::root(Discard, o!());
        let node = RawNode::new(&config, store, &logger).map_err(|error| error.to_string())?;
        let mut opened = Self {
            node,
            settings: *settings,
            log: disk.log,
            membership: disk.founders,
            wanted: Work::default(),
            readies: VecDeque::new(),
            last_ready: 0,
            stood: 0,
            reading: None,
            how: PhantomData,
        };
        opened.pin();
        Ok(opened)
    }

    fn suited(mut plan: Plan) -> Plan {
        take_out(&mut plan, |settings| settings.max_batch_entries = u64::MAX);
        if !U::HOSTILE {
            plan.network.malformed_per_million = 0;
        }
        plan.actions.retain(|timed| match timed.action {
            Action::Transfer { .. } => U::TRANSFERS,
            Action::Campaign { .. } => true,
            Action::Members { .. } | Action::Suppress { .. } => false,
        });
        plan
    }

    fn take(&mut self, op: Op<Sent>) -> Result<(), Refusal> {
        let done = self.do_one(op);
        self.absorb();
        self.pin();
        done
    }

    fn work(&mut self, mark: u64, work: &mut Work<Sent>) {
        self.absorb();
        self.readies.push_back((mark, self.last_ready));
        *work = std::mem::take(&mut self.wanted);
    }

    fn has_more(&self) -> bool {
        self.node.has_ready()
    }

    fn durable(&mut self, mark: u64) {
        let mut number = 0;
        while let Some((_, ready)) = self.readies.pop_front_if(|(of, _)| *of <= mark) {
            number = ready;
        }
        if number > 0 {
            self.node.on_persist_ready(number);
        }
    }

    fn applied(&mut self, index: LogIndex) {
        self.node.advance_apply_to(index.0);
    }

    fn state(&self, _: LogIndex) -> State {
        let raft = &self.node.raft;
        let node = |id| (id != INVALID_ID).then_some(NodeId(id));
        State {
            term: Term(raft.term),
            vote: node(raft.vote),
            role: match raft.state {
                StateRole::Leader => Role::Leader,
                StateRole::Candidate => Role::Candidate,
                StateRole::PreCandidate => Role::PreCandidate,
                StateRole::Follower => Role::Follower,
            },
            leader: node(raft.leader_id),
            commit: LogIndex(raft.raft_log.committed),
        }
    }

    fn log(&self) -> &[Entry] {
        &self.log
    }

    fn membership(&self) -> &Membership {
        &self.membership
    }

    fn facts(sent: &Sent) -> Facts {
        let it = &sent.message;
        let (kind, name, claim) = says(it);
        // Pre-votes and forwarded requests carry another term than their sender's, or none.
        let term = match (kind, claim) {
            // It tells nothing of the term that it might be granted for.
            (_, Claim::GrantPreVote) => sent.term.min(Term(it.term.saturating_sub(1))),
            (MessageKind::RequestPreVote, _) => sent.term,
            _ if it.term == 0 => sent.term,
            _ => Term(it.term),
        };
        Facts { from: sent.from, to: NodeId(it.to), term, kind: kind as u8, name, claim }
    }

    fn malformed(sent: &Sent, draw: &mut Draw) -> Option<Sent> {
        if !U::HOSTILE {
            return None;
        }
        let mut sent = sent.clone();
        let message = &mut sent.message;
        match message.get_msg_type() {
            MessageType::MsgHeartbeat => message.commit += 1_000_000,
            MessageType::MsgAppendResponse => message.index += 1_000_000,
            MessageType::MsgHeartbeatResponse => {
                let kinds = [MessageType::MsgPropose, MessageType::MsgReadIndex];
                message.set_msg_type(kinds[usize::from(draw.chance(500_000))]);
                message.term = 0;
                message.entries.clear();
            }
            _ => return None,
        }
        Some(sent)
    }
}

/// What is committed may be told with votes too, by which a candidate learns of it. The specification that runs are held against
/// knows no such thing, and it is optional.
fn without_commit(mut message: Message) -> Message {
    let is_vote = matches!(
        message.get_msg_type(),
        MessageType::MsgRequestVote
            | MessageType::MsgRequestVoteResponse
            | MessageType::MsgRequestPreVote
            | MessageType::MsgRequestPreVoteResponse
    );
    if is_vote {
        (message.commit, message.commit_term) = (0, 0);
    }
    message
}

fn says(it: &Message) -> (MessageKind, &'static str, Claim) {
    let position = |index, term| LogPosition::new(Term(term), LogIndex(index));
    let vote = |yes| if it.reject { Claim::Refuse } else { yes };
    match it.get_msg_type() {
        MessageType::MsgRequestPreVote => {
            let last = position(it.index, it.log_term);
            (MessageKind::RequestPreVote, "MsgRequestPreVote", Claim::AskPreVote { last })
        }
        MessageType::MsgRequestPreVoteResponse => {
            (MessageKind::PreVoteReply, "MsgRequestPreVoteResponse", vote(Claim::GrantPreVote))
        }
        MessageType::MsgRequestVote => {
            let last = position(it.index, it.log_term);
            (MessageKind::RequestVote, "MsgRequestVote", Claim::AskVote { last })
        }
        MessageType::MsgRequestVoteResponse => {
            (MessageKind::VoteReply, "MsgRequestVoteResponse", vote(Claim::GrantVote))
        }
        MessageType::MsgAppend => {
            let claim = Claim::Append {
                previous: position(it.index, it.log_term),
                entries: u32::try_from(it.entries.len()).unwrap_or(u32::MAX),
                bytes: it.entries.iter().map(|entry| 32 + entry.data.len() as u64).sum(),
                commit: LogIndex(it.commit),
            };
            (MessageKind::AppendEntries, "MsgAppend", claim)
        }
        MessageType::MsgAppendResponse => {
            // One without an index tells a deposed leader of the term.
            let matched = LogIndex(it.index);
            let is_answer = it.reject || it.index == 0;
            let claim = if is_answer { Claim::Answer } else { Claim::Acknowledge { matched } };
            (MessageKind::AppendReply, "MsgAppendResponse", claim)
        }
        MessageType::MsgHeartbeat => {
            let claim = Claim::Heartbeat { commit: LogIndex(it.commit) };
            (MessageKind::Heartbeat, "MsgHeartbeat", claim)
        }
        MessageType::MsgHeartbeatResponse => {
            (MessageKind::HeartbeatReply, "MsgHeartbeatResponse", Claim::Answer)
        }
        MessageType::MsgTimeoutNow => (MessageKind::TimeoutNow, "MsgTimeoutNow", Claim::Nothing),
        MessageType::MsgReadIndex => (MessageKind::ReadIndex, "MsgReadIndex", Claim::Nothing),
        MessageType::MsgReadIndexResp => {
            (MessageKind::ReadIndexReply, "MsgReadIndexResp", Claim::Nothing)
        }
        MessageType::MsgPropose => (MessageKind::ForwardProposal, "MsgPropose", Claim::Nothing),
        _ => (MessageKind::StaleTerm, "another message", Claim::Nothing),
    }
}
