//! The node: one entry point, and the only place where the role changes.
//!
//! A step takes its input first and then does whatever is due at `now`, so a driver that never ticks
//! still has timers, and a node that was paused hears the heartbeat that waited for it before it stands
//! for election. Last, it settles: commits, sends, applies and writes what the new state calls for.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::{Config, Forwarding};
use crate::effect::{Effect, Effects, Event};
use crate::entry::{Entry, Origin};
use crate::gate;
use crate::input::Input;
use crate::invariants;
use crate::membership::Membership;
use crate::message::{Ballot, Envelope, Message};
use crate::origins::Origins;
use crate::persist::Life;
use crate::replica::Replica;
use crate::request::{Outcome, Refusal, Reply, Request};
use crate::restore::{RestoreError, Start};
use crate::role::RoleState;
use crate::role::candidate::{Candidate, PreCandidate};
use crate::role::follower::Follower;
use crate::role::leader::Leader;
use crate::status::{Role, Status};
use crate::transition::Transition;
use crate::types::{Instant, LogIndex, LogPosition, NodeId, RequestId, Term};

/// One member of a Raft cluster, as a value: it changes in [`Node::step`] and nowhere else.
///
/// See the [crate's page](crate) for the loop that drives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    replica: Replica,
    role: RoleState,
}

impl Node {
    /// Starts a node: founds a cluster ([`Bootstrap`](crate::Bootstrap)), joins one
    /// ([`Join`](crate::Join)) or comes back ([`Restored`](crate::Restored)).
    ///
    /// Nothing is due before the first step; [`Node::deadline`] asks for it at once.
    ///
    /// # Errors
    /// [`RestoreError`] when the disk contradicts itself, or the node is not among the founders.
    pub fn new(
        config: Config,
        start: impl Into<Start>,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let mut replica = Origins::of(start.into(), &config)?.replica(config, now);
        let role = RoleState::Follower(Follower::new(None, &mut replica));
        Ok(Self { replica, role })
    }

    /// Takes one input at `now` and queues everything that is to be done.
    pub fn step(&mut self, now: Instant, input: Input, effects: &mut Effects) {
        self.replica.advance_clock(now);
        match input {
            Input::Tick => {}
            Input::Receive(envelope) => self.receive(envelope, effects),
            Input::Persisted(receipt) => {
                self.replica.persisted(&receipt, effects);
                if let RoleState::Candidate(candidate) = &mut self.role {
                    candidate.on_persisted(&self.replica);
                }
            }
            Input::Applied(receipt) => self.replica.applied(&receipt, effects),
            Input::Request(request) => self.request(request, effects),
            Input::Campaign => self.campaign(effects),
        }
        self.do_due(effects);
        self.settle(effects);
        debug_assert_eq!(self.invariants(), Ok(()));
    }

    /// When the node must be stepped next, whatever happens until then; [`Instant::NEVER`] when it only
    /// waits for others.
    pub fn deadline(&self) -> Instant {
        if self.replica.lane.is_due(self.replica.hard_state, &self.replica.log) {
            return self.replica.now;
        }
        self.role.deadline().min(self.replica.pending.deadline())
    }

    // ----- inputs -----

    fn receive(&mut self, envelope: Envelope, effects: &mut Effects) {
        if let Err(reason) = gate::admit(&self.replica, &self.role, &envelope) {
            self.replica.rejections.add(reason);
            return;
        }
        let Envelope { from, term, message, .. } = envelope;
        if term > self.replica.term() && !self.enter_term(term, from, &message, effects) {
            return;
        }
        match message {
            Message::RequestPreVote { last } => self.answer_pre_vote(from, term, last, effects),
            Message::PreVoteReply { campaign, ballot } => {
                let is_current = Some(campaign) == self.replica.term().next();
                if let (true, RoleState::PreCandidate(candidate)) = (is_current, &mut self.role) {
                    candidate.on_reply(&self.replica, from, ballot);
                }
            }
            // Everything else is of its own term, and of no other (paper §5.1).
            request if term < self.replica.term() => self.answer_stale(from, &request, effects),
            current => self.receive_current(from, current, effects),
        }
    }

    /// A message of a later term. Says whether it is to be handled (in that term).
    fn enter_term(
        &mut self,
        term: Term,
        from: NodeId,
        message: &Message,
        effects: &mut Effects,
    ) -> bool {
        match message {
            // Asking raises nobody's term (thesis §9.6).
            Message::RequestPreVote { .. } => return true,
            // While the leader is heard, its rivals are not (thesis §4.2.3).
            Message::RequestVote { .. } if self.is_loyal() => return false,
            _ => {}
        }
        let leader = match message {
            Message::AppendEntries(_) | Message::Heartbeat { .. } => Some(from),
            _ => None,
        };
        let before = self.mark();
        self.replica.enter(term);
        self.follow(leader);
        self.report(before, effects);
        true
    }

    fn answer_stale(&mut self, from: NodeId, message: &Message, effects: &mut Effects) {
        match message {
            Message::AppendEntries(_) | Message::Heartbeat { .. } | Message::RequestVote { .. } => {
                self.replica.send(from, Message::StaleTerm, effects);
            }
            // A forward of an earlier term may have been taken then: only silence is true.
            _ => {}
        }
    }

    /// A message of the current term.
    fn receive_current(&mut self, from: NodeId, message: Message, effects: &mut Effects) {
        if let Message::AppendEntries(_) | Message::Heartbeat { .. } = message {
            self.recognise(from, effects);
        }
        match (message, &mut self.role) {
            (Message::RequestVote { last }, _) => self.answer_vote(from, last, effects),
            (Message::VoteReply { ballot }, RoleState::Candidate(candidate)) => {
                candidate.on_reply(&self.replica, from, ballot);
            }
            (Message::AppendEntries(append), RoleState::Follower(follower)) => {
                follower.on_append(&mut self.replica, from, &append, effects);
            }
            (Message::Heartbeat { commit, round }, RoleState::Follower(follower)) => {
                follower.on_heartbeat(&mut self.replica, from, commit, round, effects);
            }
            (Message::AppendReply(reply), RoleState::Leader(leader)) => {
                leader.on_append_reply(&self.replica, from, reply);
            }
            (Message::HeartbeatReply { .. }, RoleState::Leader(leader)) => {
                leader.on_heartbeat_reply(&self.replica, from);
            }
            (
                Message::ForwardProposal { incarnation, sequence, data },
                RoleState::Leader(leader),
            ) => {
                let origin = Origin { node: from, incarnation, sequence };
                leader.on_forward(&mut self.replica, origin, data, effects);
            }
            (Message::ForwardRefused { incarnation, sequence, refusal }, _)
                if incarnation == self.replica.life().incarnation =>
            {
                let outcome = Outcome::Refused { refusal, leader: Some(from) };
                self.replica.pending.refuse(sequence, outcome, effects);
            }
            // A reply to a role that this node no longer plays.
            _ => {}
        }
    }

    /// Somebody leads the current term: follow it.
    fn recognise(&mut self, leader: NodeId, effects: &mut Effects) {
        if self.leader() != Some(leader) {
            debug_assert!(self.role() != Role::Leader, "the gate rejects a second leader");
            let before = self.mark();
            self.follow(Some(leader));
            self.report(before, effects);
        }
    }

    fn answer_pre_vote(
        &mut self,
        from: NodeId,
        term: Term,
        last: LogPosition,
        effects: &mut Effects,
    ) {
        let Some(campaign) = term.next() else { return };
        let could_win = campaign > self.replica.term() && last >= self.replica.log.last();
        let ballot = if could_win && !self.is_loyal() { Ballot::Granted } else { Ballot::Refused };
        self.replica.send(from, Message::PreVoteReply { campaign, ballot }, effects);
    }

    fn answer_vote(&mut self, from: NodeId, last: LogPosition, effects: &mut Effects) {
        let is_free = match self.replica.hard_state.vote {
            Some(vote) => vote == from,
            None => self.leader().is_none(),
        };
        // At least as up to date as this log (paper §5.4.1).
        let ballot = if is_free && last >= self.replica.log.last() {
            self.replica.vote_for(from, effects);
            if let RoleState::Follower(follower) = &mut self.role {
                follower.postpone(self.replica.now);
            }
            Ballot::Granted
        } else {
            Ballot::Refused
        };
        self.replica.send(from, Message::VoteReply { ballot }, effects);
    }

    /// Whether this node hears a leader, or is one that is heard, and so gives no vote to others.
    fn is_loyal(&self) -> bool {
        let config = &self.replica.config;
        config.stickiness.is_on()
            && match &self.role {
                RoleState::Follower(follower) => {
                    follower.hears_leader(self.replica.now, config.election_timeout)
                }
                RoleState::Leader(leader) => leader.hears_quorum(&self.replica),
                RoleState::PreCandidate(_) | RoleState::Candidate(_) => false,
            }
    }

    fn campaign(&mut self, effects: &mut Effects) {
        if self.role() != Role::Leader && self.replica.may_campaign() {
            self.transit(Transition::Stand, effects);
        }
    }

    fn request(&mut self, request: Request, effects: &mut Effects) {
        let Request::Propose { id, command } = request;
        if let Err(refusal) = self.propose(id, command, effects) {
            let outcome = Outcome::Refused { refusal, leader: self.leader() };
            effects.push(Effect::Reply(Reply { request: id, outcome }));
        }
    }

    fn propose(
        &mut self,
        id: RequestId,
        command: bytes::Bytes,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let replica = &mut self.replica;
        if replica.pending.len() as u64 >= replica.config.max_pending_requests {
            return Err(Refusal::Busy);
        }
        let deadline = replica.now.after(replica.config.request_timeout);
        if let RoleState::Leader(_) = &self.role {
            let position = Leader::propose(replica, command, None, effects)?;
            replica.pending.appended(position, id, deadline);
            return Ok(());
        }
        let leader = self.role.leader(replica.id()).ok_or(Refusal::NoLeader)?;
        if replica.config.forwarding == Forwarding::Refuse {
            return Err(Refusal::NotLeader);
        }
        if command.len() as u64 > replica.config.max_command_bytes {
            return Err(Refusal::TooLarge);
        }
        // A forward names its incarnation, which must be durable first.
        if !replica.is_hard_state_durable() {
            return Err(Refusal::NotReady);
        }
        let sequence = replica.pending.forward(id, deadline);
        let incarnation = replica.life().incarnation;
        let message = Message::ForwardProposal { incarnation, sequence, data: command };
        replica.send(leader, message, effects);
        Ok(())
    }

    // ----- time and change of role -----

    fn do_due(&mut self, effects: &mut Effects) {
        let mut next = match &mut self.role {
            RoleState::Follower(follower) => follower.due(&self.replica),
            RoleState::Leader(leader) => leader.due(&mut self.replica, effects),
            RoleState::PreCandidate(_) | RoleState::Candidate(_) => self.election(),
        };
        while let Some(transition) = next {
            self.transit(transition, effects);
            next = self.election();
        }
        self.replica.pending.expire(self.replica.now, effects);
    }

    /// How an election stands, if one is held: a single voter wins as it starts.
    fn election(&self) -> Option<Transition> {
        match &self.role {
            RoleState::PreCandidate(candidate) => candidate.due(&self.replica),
            RoleState::Candidate(candidate) => candidate.due(&self.replica),
            RoleState::Follower(_) | RoleState::Leader(_) => None,
        }
    }

    fn transit(&mut self, transition: Transition, effects: &mut Effects) {
        let before = self.mark();
        match transition {
            Transition::Stand => {
                effects.event(Event::ElectionTimeout { term: self.replica.term() });
                if self.replica.config.pre_vote.is_on() {
                    let candidate = PreCandidate::start(&mut self.replica, effects);
                    self.role = RoleState::PreCandidate(candidate);
                } else {
                    self.stand(effects);
                }
            }
            Transition::Campaign if self.replica.may_campaign() => self.stand(effects),
            Transition::Lead => {
                let leader = Leader::start(&mut self.replica, effects);
                self.role = RoleState::Leader(leader);
            }
            // A campaign may also come too late: the disk has stalled meanwhile, and a term that cannot
            // become durable would only disturb.
            Transition::Campaign | Transition::Concede => self.follow(None),
            Transition::StepDown(reason) => {
                effects.event(Event::SteppedDown { term: self.replica.term(), reason });
                self.follow(None);
            }
        }
        self.report(before, effects);
    }

    /// Raises the term, votes for itself, and asks for votes once that is durable (paper §5.2).
    fn stand(&mut self, effects: &mut Effects) {
        let term = self.replica.term().next().expect("nobody campaigns at Term::MAX");
        self.replica.enter(term);
        self.replica.vote_for(self.replica.id(), effects);
        self.role = RoleState::Candidate(Candidate::start(&mut self.replica, effects));
    }

    fn follow(&mut self, leader: Option<NodeId>) {
        self.role = RoleState::Follower(Follower::new(leader, &mut self.replica));
    }

    fn mark(&self) -> (Role, Option<NodeId>, Term) {
        (self.role(), self.leader(), self.term())
    }

    /// Tells of a change of role or leader; with the leader goes the knowledge of what was forwarded to it.
    fn report(&mut self, before: (Role, Option<NodeId>, Term), effects: &mut Effects) {
        let (role, leader, term) = self.mark();
        if term != before.2 {
            effects.event(Event::TermChanged { from: before.2, to: term });
        }
        if role != before.0 {
            effects.event(Event::RoleChanged { from: before.0, to: role, term });
        }
        if (leader, term) != (before.1, before.2) {
            if leader.or(before.1).is_some() {
                effects.event(Event::LeaderChanged { leader, term });
            }
            self.replica.pending.abandon_forwards(effects);
        }
    }

    fn settle(&mut self, effects: &mut Effects) {
        match &mut self.role {
            RoleState::Leader(leader) => leader.settle(&mut self.replica, effects),
            RoleState::Follower(follower) => follower.settle(&mut self.replica, effects),
            RoleState::PreCandidate(_) | RoleState::Candidate(_) => {}
        }
        self.replica.hand_to_machine(effects);
        self.replica.start_write(effects);
    }

    // ----- what can be seen -----

    /// This node's name.
    pub fn id(&self) -> NodeId {
        self.replica.id()
    }

    /// The current term.
    pub fn term(&self) -> Term {
        self.replica.term()
    }

    /// Whom this node voted for in the current term.
    pub fn vote(&self) -> Option<NodeId> {
        self.replica.hard_state.vote
    }

    /// The part it plays.
    pub fn role(&self) -> Role {
        self.role.role()
    }

    /// Who leads the current term, if known.
    pub fn leader(&self) -> Option<NodeId> {
        self.role.leader(self.replica.id())
    }

    /// The membership in force.
    pub fn membership(&self) -> &Arc<Membership> {
        self.replica.membership()
    }

    /// Where the log begins.
    pub fn base(&self) -> LogPosition {
        self.replica.log.base()
    }

    /// The last entry of the log.
    pub fn last(&self) -> LogPosition {
        self.replica.log.last()
    }

    /// Up to here the log is on this node's disk.
    pub fn durable(&self) -> LogIndex {
        self.replica.log.durable()
    }

    /// Up to here the log is known to be committed.
    pub fn commit(&self) -> LogIndex {
        self.replica.log.commit()
    }

    /// Up to here the machine has reported its entries applied.
    pub fn applied(&self) -> LogIndex {
        self.replica.machine.applied
    }

    /// The entry at `index`, if the log holds it.
    pub fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.replica.log.entry(index)
    }

    /// A leader's greatest numbers of unacknowledged messages and payload bytes to any one peer; zeros at
    /// other nodes.
    pub fn max_inflight(&self) -> (u64, u64) {
        match &self.role {
            RoleState::Leader(leader) => leader.max_inflight(),
            _ => (0, 0),
        }
    }

    /// Everything that can be looked at, as plain data.
    pub fn status(&self) -> Status {
        let replica = &self.replica;
        Status {
            cluster: replica.config.cluster,
            id: replica.id(),
            role: self.role(),
            hard_state: replica.hard_state,
            hard_state_durable: replica.is_hard_state_durable(),
            leader: self.leader(),
            membership: replica.membership().clone(),
            base: self.base(),
            last: self.last(),
            durable: self.durable(),
            commit: self.commit(),
            applied: self.applied(),
            outstanding_write: replica.lane.outstanding(),
            withheld_messages: replica.outbox.len() as u64,
            pending_requests: replica.pending.len() as u64,
            uncommitted_bytes: replica.log.uncommitted_bytes(),
            deadline: self.deadline(),
            peers: match &self.role {
                RoleState::Leader(leader) => leader.peers().collect(),
                _ => Vec::new(),
            },
            rejections: replica.rejections.clone(),
        }
    }

    /// Checks what must hold between steps. Builds with debug assertions do so after every step.
    ///
    /// # Errors
    /// The first invariant that does not hold, in words. That is a bug in this crate.
    pub fn invariants(&self) -> Result<(), &'static str> {
        invariants::check(&self.replica, &self.role)
    }

    /// Whether `other` differs in nothing but in what it has rejected. For tests of the gate.
    #[doc(hidden)]
    #[must_use]
    pub fn equals_but_for_rejections(&self, other: &Self) -> bool {
        let mut other = other.clone();
        other.replica.rejections = self.replica.rejections.clone();
        *self == other
    }

    pub(crate) fn life(&self) -> Life {
        self.replica.life()
    }
}
