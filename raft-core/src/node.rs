//! The node: one entry point, and the only place where the role changes.
//!
//! A step takes its input first and then does whatever is due at `now`, so a driver that never ticks
//! still has timers, and a node that was paused hears the heartbeat that waited for it before it stands
//! for election. Last, it settles: commits, sends, applies and writes what the new state calls for. Inputs that are
//! there together may be fed, and settled once.

mod requests;
mod view;
mod votes;

use crate::config::Config;
use crate::effect::{Effects, Event};
use crate::entry::Origin;
use crate::fetch::{Fetched, Reader};
use crate::gate;
use crate::input::Input;
use crate::message::{Cause, Envelope, Message};
use crate::origins::Origins;
use crate::persist::Persisted;
use crate::rejection::Rejection;
use crate::replica::Replica;
use crate::request::Outcome;
use crate::restore::{RestoreError, Start};
use crate::role::RoleState;
use crate::role::candidate::{Candidate, PreCandidate};
use crate::role::follower::Follower;
use crate::role::leader::Leader;
use crate::snapshot::ChunkRead;
use crate::status::Role;
use crate::transition::Transition;
use crate::types::{Instant, NodeId, Term};

/// One member of a Raft cluster, as a value: it changes in [`Node::step`] and [`Node::feed`], and nowhere else.
///
/// See the [crate's page](crate) for the loop that drives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub(crate) replica: Replica,
    pub(crate) role: RoleState,
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
        self.feed(now, input, effects);
        self.replica.is_settled = true;
        self.do_due(effects);
        self.settle(effects);
        debug_assert_eq!(self.invariants(), Ok(()));
    }

    /// Takes one input of several that are there at the same time, and leaves to the next step what follows from them
    /// together: one message to a peer, one write and one batch for the machine instead of many.
    ///
    /// [`Node::deadline`] asks for that step at once; not after a report of the disk or the machine from which nothing
    /// follows. Effects may be queued already; they may be carried out now or later.
    ///
    /// ```
    /// use raft_core::{
    ///     Bootstrap, ClusterId, Effect, Effects, Input, Instant, Membership, Node, NodeId, Request, RequestId, Settings,
    /// };
    ///
    /// # fn run_until_it_leads(node: &mut Node, effects: &mut Effects) -> Instant {
    /// #     let mut inputs = vec![Input::Campaign];
    /// #     while let Some(input) = inputs.pop() {
    /// #         node.step(Instant(0), input, effects);
    /// #         while let Some(effect) = effects.pop() {
    /// #             match effect {
    /// #                 Effect::Persist(persist) => inputs.push(Input::Persisted(persist.done())),
    /// #                 Effect::Apply(apply) => inputs.push(Input::Applied(apply.done())),
    /// #                 Effect::Restore(restore) => inputs.push(Input::Applied(restore.done())),
    /// #                 _ => {}
    /// #             }
    /// #         }
    /// #     }
    /// #     Instant(1)
    /// # }
    /// let membership = Membership::of_voters([NodeId(1)])?;
    /// let config = Settings::new(ClusterId(1), NodeId(1)).validate()?;
    /// let mut node = Node::new(config, Bootstrap { membership }, Instant(0))?;
    /// let mut effects = Effects::new();
    /// let now = run_until_it_leads(&mut node, &mut effects);
    ///
    /// for number in 0..1_000 {
    ///     let request = Request::Propose { id: RequestId(number), command: "a command".into() };
    ///     node.feed(now, Input::Request(request), &mut effects);
    /// }
    /// node.step(now, Input::Tick, &mut effects);
    /// // One write for all of them.
    /// let Some(Effect::Persist(persist)) = effects.pop() else { panic!("nothing else was asked for") };
    /// let entries = persist.write().append.as_ref().map(|append| append.entries.len());
    /// assert_eq!((entries, effects.pop().is_none()), (Some(1_000), true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn feed(&mut self, now: Instant, input: Input, effects: &mut Effects) {
        let was_settled = core::mem::replace(&mut self.replica.is_settled, false);
        self.replica.advance_clock(now);
        match input {
            Input::Tick => {}
            Input::Receive(envelope) => self.receive(envelope, effects),
            Input::Persisted(receipt) => {
                self.persisted(receipt, effects);
                self.replica.is_settled = was_settled && self.is_content();
            }
            Input::Applied(receipt) => {
                self.replica.applied(&receipt, effects);
                self.replica.is_settled = was_settled && self.is_content();
            }
            Input::Fetched(fetched) => self.fetched(fetched, effects),
            Input::SnapshotTaken(receipt) => self.replica.snapshot_taken(receipt, effects),
            Input::ChunkRead(read) => self.chunk_read(read, effects),
            Input::ChunkWritten(written) => {
                let leader = self.leader();
                self.replica.chunk_written(&written, leader, effects);
            }
            Input::Request(request) => self.request(request, effects),
            Input::Campaign => self.campaign(effects),
            Input::Suppress(span) => {
                self.replica.suppressed_until = self.replica.now.after(span);
            }
        }
        debug_assert_eq!(self.invariants(), Ok(()));
    }

    /// When the node must be stepped next, whatever happens until then; [`Instant::NEVER`] when it only
    /// waits for others.
    pub fn deadline(&self) -> Instant {
        if !self.replica.is_settled {
            return self.replica.now;
        }
        let timers = self.role.deadline().min(self.replica.pending.deadline());
        timers.min(self.replica.machine.fetch.deadline())
    }

    // ----- inputs -----

    fn persisted(&mut self, receipt: Persisted, effects: &mut Effects) {
        let snapshot = self.replica.snapshot.position;
        if !self.replica.persisted(receipt, effects) {
            return;
        }
        let installed = self.replica.snapshot.position;
        match &mut self.role {
            // A node that installs a snapshot follows, until it has.
            RoleState::Follower(follower) if installed > snapshot => {
                follower.installed(installed.index);
            }
            RoleState::Follower(follower) => follower.settle(&mut self.replica, effects),
            RoleState::Candidate(candidate) => candidate.on_persisted(&self.replica),
            RoleState::Leader(leader) => leader.advance_commit(&mut self.replica),
            RoleState::PreCandidate(_) => {}
        }
    }

    /// Whether nothing follows from what the disk and the machine report, if everything was settled before. What a node
    /// commits, the machine lacks.
    fn is_content(&self) -> bool {
        let replica = &self.replica;
        let is_electing = matches!(self.role, RoleState::Candidate(_) | RoleState::PreCandidate(_));
        !is_electing
            && replica.is_machine_content()
            && !replica.lane.is_due(replica.hard_state, &replica.log)
            && replica.incoming.complete().is_none()
            && replica.log.cached_bytes() <= replica.config.max_cached_bytes
    }

    fn fetched(&mut self, fetched: Fetched, effects: &mut Effects) {
        match (fetched.reader, &mut self.role) {
            _ if fetched.ticket.life != self.replica.life() => {
                self.replica.rejections.add(Rejection::ForeignReceipt);
            }
            (Reader::Machine, _) => self.replica.fetched(fetched, effects),
            (Reader::Peer(peer), RoleState::Leader(leader)) => {
                leader.on_fetched(&mut self.replica, peer, fetched, effects);
            }
            // It was read for an office that this node holds no more.
            (Reader::Peer(_), _) => {}
        }
    }

    fn chunk_read(&mut self, read: ChunkRead, effects: &mut Effects) {
        if read.ticket.life != self.replica.life() {
            self.replica.rejections.add(Rejection::ForeignReceipt);
        } else if let RoleState::Leader(leader) = &mut self.role {
            leader.on_chunk_read(&mut self.replica, read, effects);
        }
    }

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
            Message::RequestVote { cause: Cause::Timeout, .. } if self.is_loyal() => return false,
            _ => {}
        }
        let leader = message.is_from_leader().then_some(from);
        let before = self.mark();
        // A later term alone is no reason to wait longer (paper §5.2): one that cannot win would keep one that
        // can from standing.
        let deadline = match &self.role {
            RoleState::Follower(follower) if leader.is_none() => follower.deadline(),
            _ => Instant::NEVER,
        };
        self.replica.enter(term);
        self.follow(leader);
        if let RoleState::Follower(follower) = &mut self.role {
            follower.wait_until(deadline);
        }
        self.report(before, effects);
        true
    }

    fn answer_stale(&mut self, from: NodeId, message: &Message, effects: &mut Effects) {
        match message {
            Message::AppendEntries(_)
            | Message::Heartbeat { .. }
            | Message::Commit { .. }
            | Message::InstallSnapshot(_)
            | Message::RequestVote { .. } => {
                self.replica.send(from, Message::StaleTerm, effects);
            }
            // A forward of an earlier term may have been taken then: only silence is true.
            _ => {}
        }
    }

    /// A message of the current term.
    fn receive_current(&mut self, from: NodeId, message: Message, effects: &mut Effects) {
        if message.is_from_leader() {
            self.recognise(from, effects);
        }
        match (message, &mut self.role) {
            (Message::RequestVote { last, cause }, _) => {
                self.answer_vote(from, last, cause, effects);
            }
            (Message::VoteReply { ballot }, RoleState::Candidate(candidate)) => {
                candidate.on_reply(&self.replica, from, ballot);
            }
            (message, RoleState::Follower(_)) if message.is_from_leader() => {
                self.receive_from_leader(from, message, effects);
            }
            (Message::ForwardRefused { incarnation, sequence, refusal }, _)
                if incarnation == self.replica.life().incarnation =>
            {
                let outcome = Outcome::Refused { refusal, leader: Some(from) };
                self.replica.pending.refuse(sequence, outcome, effects);
            }
            (Message::ReadIndexReply { incarnation, sequence, index }, _)
                if incarnation == self.replica.life().incarnation =>
            {
                self.replica.pending.reads.answer(sequence, index);
            }
            (message, RoleState::Leader(leader)) => {
                let replica = &mut self.replica;
                Self::receive_as_leader(leader, replica, from, message, effects);
            }
            // A reply to a role that this node no longer plays.
            _ => {}
        }
    }

    fn receive_from_leader(&mut self, from: NodeId, message: Message, effects: &mut Effects) {
        let RoleState::Follower(follower) = &mut self.role else { return };
        let replica = &mut self.replica;
        match message {
            Message::AppendEntries(append) => follower.on_append(replica, from, append, effects),
            Message::Heartbeat { commit, round } => {
                follower.on_heartbeat(replica, from, commit, round, effects);
                let (now, interval) = (replica.now, replica.config.heartbeat_interval);
                if let Some(sequence) = replica.pending.reads.overdue_question(now, interval) {
                    self.ask_leader(from, sequence, effects);
                }
            }
            Message::Commit { index } => follower.on_commit(replica, index),
            Message::InstallSnapshot(install) => {
                follower.on_install(replica, from, *install, effects);
            }
            // Membership decides who campaigns, also when a leader asks (B63).
            Message::TimeoutNow if replica.may_campaign() => {
                self.transit(Transition::TakeOver, effects);
            }
            _ => {}
        }
    }

    fn receive_as_leader(
        leader: &mut Leader,
        replica: &mut Replica,
        from: NodeId,
        message: Message,
        effects: &mut Effects,
    ) {
        match message {
            Message::AppendReply(reply) => leader.on_append_reply(replica, from, reply),
            Message::HeartbeatReply { round, promise } => {
                leader.on_heartbeat_reply(replica, from, round, promise, effects);
            }
            Message::SnapshotReply { position, receipt } => {
                leader.on_snapshot_reply(replica, from, position, receipt);
            }
            Message::ForwardProposal { incarnation, sequence, data } => {
                let origin = Origin { node: from, incarnation, sequence };
                leader.on_forward(replica, origin, data, effects);
            }
            Message::ReadIndex { incarnation, sequence } if replica.membership().contains(from) => {
                leader.ask(from, incarnation, sequence);
            }
            _ => {}
        }
    }

    /// Asks the leader what must be applied for this node's reads.
    fn ask_leader(&mut self, leader: NodeId, sequence: u64, effects: &mut Effects) {
        let incarnation = self.replica.life().incarnation;
        self.replica.send(leader, Message::ReadIndex { incarnation, sequence }, effects);
    }

    /// Somebody leads the current term: follow it.
    fn recognise(&mut self, leader: NodeId, effects: &mut Effects) {
        self.replica.suppressed_until = Instant(0);
        if self.leader() != Some(leader) {
            debug_assert!(self.role() != Role::Leader, "the gate rejects a second leader");
            let before = self.mark();
            self.follow(Some(leader));
            self.report(before, effects);
        }
    }

    fn campaign(&mut self, effects: &mut Effects) {
        if self.role() != Role::Leader && self.replica.may_campaign() && !self.is_loyal() {
            self.transit(Transition::Stand, effects);
        }
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
                    self.stand(Cause::Timeout, effects);
                }
            }
            Transition::Campaign if self.replica.may_campaign() => {
                self.stand(Cause::Timeout, effects);
            }
            Transition::TakeOver => self.stand(Cause::Transfer, effects),
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
    fn stand(&mut self, cause: Cause, effects: &mut Effects) {
        let term = self.replica.term().next().expect("nobody campaigns at Term::MAX");
        self.replica.enter(term);
        self.replica.vote_for(self.replica.id(), effects);
        self.role = RoleState::Candidate(Candidate::start(&mut self.replica, cause, effects));
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
            self.replica.pending.leader_changed(leader, effects);
        }
    }

    fn settle(&mut self, effects: &mut Effects) {
        match &mut self.role {
            RoleState::Leader(leader) => {
                // Its log has everything that is committed (paper §5.4.3), whoever says otherwise.
                self.replica.incoming.forgo();
                if let Some(transition) = leader.settle(&mut self.replica, effects) {
                    self.transit(transition, effects);
                }
            }
            RoleState::Follower(follower) => {
                if let Some(index) = self.replica.start_installation(effects) {
                    follower.installed(index);
                }
                follower.settle(&mut self.replica, effects);
                if let Some(leader) = follower.leader() {
                    if let Some(sequence) = self.replica.pending.reads.question(self.replica.now) {
                        self.ask_leader(leader, sequence, effects);
                    }
                }
            }
            RoleState::PreCandidate(_) | RoleState::Candidate(_) => {}
        }
        let replica = &mut self.replica;
        replica.pending.reads.applied(replica.machine.applied, effects);
        replica.hand_to_machine(effects);
        replica.log.evict(replica.config.max_cached_bytes, replica.config.max_uncommitted_bytes);
        replica.start_write(effects);
    }
}
