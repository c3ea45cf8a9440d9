//! A leader: replicates its log, counts acknowledgements, commits (paper §5.3, §5.4), and steps down
//! when it is not followed any more (thesis §6.2) or belongs to the cluster no more (thesis §4.2.2).
//!
//! Invariant: there is a [`Progress`] for every other member of the membership in force, and for those it
//! removed until they know.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::forwards::Forwards;
use super::handover::{Handover, Notice};
use super::questions::Questions;
use super::replication::{self, LastBatch, send_commit, send_heartbeat, send_log};
use super::rounds::Rounds;
use crate::effect::{Effects, Event, StepDown};
use crate::entry::{Origin, Payload};
use crate::fetch::Fetched;
use crate::membership::Membership;
use crate::message::{AppendReply, Message, SnapshotReceipt};
use crate::progress::{Contact, Departure, Progress};
use crate::rejection::Rejection;
use crate::replica::Replica;
use crate::request::{Outcome, Refusal};
use crate::snapshot::ChunkRead;
use crate::status::PeerStatus;
use crate::transition::Transition;
use crate::types::{Incarnation, Instant, LogIndex, LogPosition, NodeId, Round, Ticks};

/// How many heartbeats a full window may stand still before its messages count as lost.
const PATIENCE_IN_HEARTBEATS: u64 = 2;
/// How many election timeouts a removed member has to learn of it.
const DEPARTURE_IN_TIMEOUTS: u64 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Leader {
    /// Sorted by name.
    peers: Vec<(NodeId, Progress)>,
    forwards: Forwards,
    rounds: Rounds,
    questions: Questions,
    heartbeat_at: Instant,
    /// Whether a quorum may hold more than is committed: somebody has acknowledged something since it was counted, or
    /// others are counted.
    has_news: bool,
    handover: Option<Handover>,
    /// Somebody was told to stand for election in this term. That may take effect at any time, so there is no
    /// lease any more (B64).
    gave_notice: bool,
}

impl Leader {
    /// Takes office: appends a blank entry, by which everything before it becomes committable (paper §5.4.2).
    pub(crate) fn start(replica: &mut Replica, effects: &mut Effects) -> Self {
        let last = replica.log.last_index();
        replica.append(Payload::Blank, effects);
        let now = replica.now;
        let mut leader = Self {
            peers: Vec::new(),
            forwards: Forwards::default(),
            // The blank entry is the first heartbeat.
            rounds: Rounds::new(now),
            questions: Questions::default(),
            heartbeat_at: now.after(replica.config.heartbeat_interval),
            has_news: true,
            handover: None,
            gave_notice: false,
        };
        leader.meet_members(replica, last);
        leader
    }

    pub(crate) fn deadline(&self) -> Instant {
        let handover = self.handover.map_or(Instant::NEVER, |handover| handover.until);
        self.heartbeat_at.min(handover)
    }

    pub(crate) fn round(&self) -> Round {
        self.rounds.current()
    }

    pub(crate) fn handover(&self) -> Option<NodeId> {
        self.handover.map(|handover| handover.to)
    }

    fn place(&self, id: NodeId) -> Option<usize> {
        self.peers.binary_search_by_key(&id, |(peer, _)| *peer).ok()
    }

    fn peer(&mut self, id: NodeId) -> Option<&mut Progress> {
        self.place(id).map(|place| &mut self.peers[place].1)
    }

    fn progress(&self, id: NodeId) -> Option<&Progress> {
        self.place(id).map(|place| &self.peers[place].1)
    }

    /// Whether an entry of this term is committed: until then the leader does not know what is.
    fn has_committed(replica: &Replica) -> bool {
        replica.log.term_at(replica.log.commit()) == Some(replica.term())
    }

    // ----- requests -----

    /// Appends a command, or says why not.
    pub(crate) fn propose(
        &self,
        replica: &mut Replica,
        data: bytes::Bytes,
        origin: Option<Origin>,
        effects: &mut Effects,
    ) -> Result<LogPosition, Refusal> {
        let size = data.len() as u64;
        if size > replica.config.max_command_bytes {
            return Err(Refusal::TooLarge);
        }
        if self.handover.is_some() {
            return Err(Refusal::Transferring);
        }
        let uncommitted = replica.log.uncommitted_bytes();
        if uncommitted > 0 && uncommitted + size > replica.config.max_uncommitted_bytes {
            return Err(Refusal::Busy);
        }
        // With fast followers everything commits without this disk, which may still be behind.
        let undurable = replica.log.undurable_bytes();
        if undurable > 0 && undurable + size > replica.config.max_undurable_bytes {
            return Err(Refusal::Busy);
        }
        let origin = origin.map(Box::new);
        Ok(replica.append(Payload::Command { data, origin }, effects))
    }

    /// A member passed a proposal on. Only what is seen for the first time is taken or refused: a repeated
    /// message may already be in the log.
    pub(crate) fn on_forward(
        &mut self,
        replica: &mut Replica,
        origin: Origin,
        data: bytes::Bytes,
        effects: &mut Effects,
    ) {
        let Origin { node, incarnation, sequence } = origin;
        if !replica.membership().contains(node)
            || !self.forwards.is_first(node, incarnation, sequence)
        {
            return;
        }
        if let Err(refusal) = self.propose(replica, data, Some(origin), effects) {
            let reply = Message::ForwardRefused { incarnation, sequence, refusal };
            replica.send(node, reply, effects);
        }
    }

    /// Begins a change of membership (thesis §4), or says why not.
    pub(crate) fn change_membership(
        &mut self,
        replica: &mut Replica,
        target: &Arc<Membership>,
        effects: &mut Effects,
    ) -> Result<LogPosition, Refusal> {
        if target.voters().is_empty() || target.is_joint() {
            return Err(Refusal::NoMembership);
        }
        if target.size() > replica.config.max_command_bytes {
            return Err(Refusal::TooLarge);
        }
        if self.handover.is_some() {
            return Err(Refusal::Transferring);
        }
        // Until then another leader's change may be in the making, unknown here (2015: B33, P2).
        if !Self::has_committed(replica) {
            return Err(Refusal::NotYetCommitted);
        }
        let is_settled = replica.memberships.active_since() <= replica.log.commit();
        if replica.membership().is_joint() || !is_settled {
            return Err(Refusal::ChangePending);
        }
        let next = Arc::new(replica.membership().toward(target));
        Ok(self.append_membership(replica, next, effects))
    }

    fn append_membership(
        &mut self,
        replica: &mut Replica,
        membership: Arc<Membership>,
        effects: &mut Effects,
    ) -> LogPosition {
        let last = replica.log.last_index();
        let position = replica.append(Payload::Membership(membership), effects);
        self.has_news = true;
        self.meet_members(replica, last);
        if self.handover.is_some_and(|handover| !replica.membership().is_voter(handover.to)) {
            self.abort_handover(replica, effects);
        }
        position
    }

    /// Follows the membership in force: new members are probed, removed ones are let go in a while.
    fn meet_members(&mut self, replica: &Replica, last: LogIndex) {
        let members = replica.membership().members();
        for id in members.iter().filter(|id| **id != replica.id()) {
            match self.peers.binary_search_by_key(id, |(peer, _)| *peer) {
                Ok(place) => self.peers[place].1.departure = None,
                Err(place) => {
                    self.peers.insert(place, (*id, Progress::new(last, replica.now)));
                }
            }
        }
        let patience = replica.config.election_timeout.0.saturating_mul(DEPARTURE_IN_TIMEOUTS);
        let departure = Departure {
            membership: replica.memberships.active_since(),
            until: replica.now.after(Ticks(patience)),
        };
        for (id, progress) in &mut self.peers {
            if !members.contains(id) {
                progress.departure = progress.departure.or(Some(departure));
            }
        }
    }

    /// Begins to hand the leadership over, or says why not.
    pub(crate) fn transfer(
        &mut self,
        replica: &mut Replica,
        to: NodeId,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if self.handover.is_some() {
            return Err(Refusal::Transferring);
        }
        if !replica.membership().is_voter(to) {
            return Err(Refusal::NotAVoter);
        }
        let until = replica.now.after(replica.config.election_timeout);
        self.handover = Some(Handover { to, until, notice: Notice::Owed });
        effects.event(Event::TransferStarted { to });
        Ok(())
    }

    /// The target did not take over: this node goes on leading.
    fn abort_handover(&mut self, replica: &mut Replica, effects: &mut Effects) {
        let Some(Handover { to, notice, .. }) = self.handover.take() else { return };
        effects.event(Event::TransferAborted { to });
        let outcome = match notice {
            Notice::Owed => {
                let leader = Some(replica.id());
                Outcome::Refused { refusal: Refusal::TransferAborted, leader }
            }
            // It may still stand, and win.
            Notice::Given => Outcome::Unknown,
        };
        replica.pending.end_transfer(outcome, effects);
    }

    /// Somebody asks what must be applied for a read to see everything.
    pub(crate) fn ask(&mut self, from: NodeId, incarnation: Incarnation, sequence: u64) {
        self.questions.ask(from, incarnation, sequence);
    }

    // ----- answers -----

    pub(crate) fn on_append_reply(&mut self, replica: &Replica, from: NodeId, reply: AppendReply) {
        let (now, base) = (replica.now, replica.log.base().index);
        self.has_news = true;
        let Some(peer) = self.peer(from) else { return };
        peer.hear(now);
        match reply {
            AppendReply::Accepted { matched } => peer.accepted(matched, base, now),
            // A peer whose log ends before this one begins needs a snapshot, whatever else they share.
            AppendReply::Mismatch { refused, hint } if hint.index < base => {
                peer.refused(refused, hint);
            }
            AppendReply::Mismatch { refused, hint } => {
                peer.refused(refused, replica.log.last_agreeable(hint));
            }
        }
    }

    pub(crate) fn on_heartbeat_reply(
        &mut self,
        replica: &Replica,
        from: NodeId,
        round: Round,
        promise: Ticks,
        effects: &mut Effects,
    ) {
        let now = replica.now;
        let begun = self.rounds.begun(round);
        let Some(peer) = self.peer(from) else { return };
        peer.hear(now);
        let Some(begun) = begun else { return };
        if round > peer.contact.answered {
            let round_trip = now.since(begun);
            peer.contact.round_trip = Some(round_trip);
            if round_trip.0 > replica.config.election_timeout.0 / 2 {
                effects.event(Event::HeartbeatSlow { peer: from, round_trip });
            }
        }
        let Contact { answered, promised_until, .. } = &mut peer.contact;
        *answered = round.max(*answered);
        // From when the round was sent, whenever the answer comes (B26); and less the drift of both clocks (B28).
        let kept = within_drift(promise, replica.config.max_clock_drift_ppm);
        *promised_until = begun.after(kept).max(*promised_until);
    }

    pub(crate) fn on_snapshot_reply(
        &mut self,
        replica: &Replica,
        from: NodeId,
        position: LogPosition,
        receipt: SnapshotReceipt,
    ) {
        let Some(peer) = self.peer(from) else { return };
        peer.hear(replica.now);
        if let Some(sending) = peer.sending().filter(|sending| sending.position() == position) {
            sending.receipt(receipt, replica.now.after(replica.config.election_timeout));
        }
    }

    pub(crate) fn on_fetched(
        &mut self,
        replica: &mut Replica,
        peer: NodeId,
        fetched: Fetched,
        effects: &mut Effects,
    ) {
        let Fetched { ticket, first, entries, .. } = fetched;
        let Some(progress) = self.peer(peer) else { return };
        if progress.fetch.answer(ticket.number) {
            replication::fetched(replica, peer, progress, first, entries, effects);
        } else {
            // It was asked for in another term, or before the peer moved on.
            replica.rejections.add(Rejection::ForeignReceipt);
        }
    }

    pub(crate) fn on_chunk_read(
        &mut self,
        replica: &mut Replica,
        read: ChunkRead,
        effects: &mut Effects,
    ) {
        let ChunkRead { ticket, peer, answer } = read;
        let Some(progress) = self.peer(peer) else { return };
        if progress.sending().is_some_and(|sending| sending.answer(ticket.number)) {
            replication::chunk_read(replica, peer, progress, answer, effects);
        } else {
            replica.rejections.add(Rejection::ForeignReceipt);
        }
    }

    // ----- what a quorum says -----

    /// Whether a quorum was heard from within an election timeout. A leader that does not check assumes so.
    pub(crate) fn hears_quorum(&self, replica: &Replica) -> bool {
        if !replica.config.check_quorum.is_on() {
            return true;
        }
        let heard = replica.membership().reached_by_quorum(|id| match self.progress(id) {
            Some(progress) => progress.heard(),
            None => replica.now,
        });
        heard.is_some_and(|heard| replica.now.since(heard) < replica.config.election_timeout)
    }

    /// Until when no other leader can have been elected, by what a quorum has promised; `None` when nothing can
    /// be said (thesis §6.4.1).
    pub(crate) fn lease_until(&self, replica: &Replica) -> Option<Instant> {
        let is_held =
            replica.config.read_lease.is_on() && !self.gave_notice && Self::has_committed(replica);
        let until = replica.membership().reached_by_quorum(|id| match self.progress(id) {
            Some(progress) => progress.contact.promised_until,
            None => Instant::NEVER,
        });
        until.filter(|_| is_held)
    }

    /// The last round that a quorum has answered: the leader led when it was sent.
    fn confirmed_round(&self, replica: &Replica) -> Round {
        let answered = replica.membership().reached_by_quorum(|id| match self.progress(id) {
            Some(progress) => progress.contact.answered,
            None => self.rounds.current(),
        });
        answered.unwrap_or_default()
    }

    /// Commits what may be, if anything new was heard.
    pub(crate) fn advance_commit(&mut self, replica: &mut Replica) {
        self.has_news = false;
        if replica.log.commit() < replica.log.last_index() {
            if let Some(index) = self.committable(replica) {
                replica.log.commit_to(index);
            }
        }
    }

    /// The last entry that a quorum holds durably, if it is of this term (paper §5.4.2). The leader itself is counted by
    /// its own disk (thesis §10.2.1), and only if it is a voter (thesis §4.2.2).
    fn committable(&self, replica: &Replica) -> Option<LogIndex> {
        let (id, own) = (replica.id(), replica.log.durable());
        let agreed = replica.membership().reached_by_quorum(|voter| {
            if voter == id {
                own
            } else {
                self.progress(voter).map_or(LogIndex::ZERO, Progress::matched)
            }
        });
        agreed.filter(|index| replica.log.term_at(*index) == Some(replica.term()))
    }

    // ----- time -----

    /// Heartbeats, and the reasons to step down.
    pub(crate) fn due(
        &mut self,
        replica: &mut Replica,
        effects: &mut Effects,
    ) -> Option<Transition> {
        if self.handover.is_some_and(|handover| handover.until <= replica.now) {
            self.abort_handover(replica, effects);
        }
        if replica.now < self.heartbeat_at {
            return None;
        }
        if !self.hears_quorum(replica) {
            return Some(Transition::StepDown(StepDown::QuorumUnheard));
        }
        if replica.lane.is_stalled(replica.now, replica.config.election_timeout) {
            return Some(Transition::StepDown(StepDown::DiskStalled));
        }
        let interval = replica.config.heartbeat_interval;
        self.heartbeat_at = replica.now.after(interval);
        // Long enough for a slow disk or a long link, short enough to repair a loss within an election.
        let heartbeats = interval.0.saturating_mul(PATIENCE_IN_HEARTBEATS);
        let patience = Ticks(heartbeats.max(replica.config.election_timeout.0 / 2));
        for (_, progress) in &mut self.peers {
            progress.heartbeat(replica.now, patience);
        }
        self.peers.retain(|(_, progress)| !progress.has_departed(replica.now));
        self.begin_round(replica, effects);
        if let Some(Handover { to, notice: Notice::Given, .. }) = self.handover {
            // The first may be lost.
            replica.send(to, Message::TimeoutNow, effects);
        }
        None
    }

    fn begin_round(&mut self, replica: &mut Replica, effects: &mut Effects) {
        let round = self.rounds.begin(replica.now);
        for (id, progress) in &mut self.peers {
            send_heartbeat(replica, *id, progress, round, effects);
        }
    }

    // ----- what follows from all that -----

    /// Commits what a quorum holds, answers what a quorum has confirmed, sends everyone what it lacks, and leaves
    /// when it belongs here no more.
    pub(crate) fn settle(
        &mut self,
        replica: &mut Replica,
        effects: &mut Effects,
    ) -> Option<Transition> {
        if self.has_news {
            self.advance_commit(replica);
        }
        debug_assert!(
            self.committable(replica).is_none_or(|index| index <= replica.log.commit()),
            "INV-22: a leader commits what it may"
        );
        if self.leave_joint(replica, effects) {
            // Without the outgoing voters more may be committed.
            self.advance_commit(replica);
        }
        self.answer_questions(replica, effects);
        replica.log.seal();
        let mut batch = LastBatch::default();
        for (id, progress) in &mut self.peers {
            send_log(replica, *id, progress, &mut batch, effects);
            send_commit(replica, *id, progress, effects);
        }
        self.give_notice(replica, effects);
        // A leader that is no voter manages the cluster until its own removal is committed (thesis §4.2.2).
        let is_settled = replica.memberships.active_since() <= replica.log.commit();
        let is_removed = is_settled && !replica.membership().is_voter(replica.id());
        is_removed.then_some(Transition::StepDown(StepDown::Removed))
    }

    /// When the joint configuration is committed, the final one follows by itself, under whichever leader
    /// (thesis §4.3). Says whether it did.
    fn leave_joint(&mut self, replica: &mut Replica, effects: &mut Effects) -> bool {
        let is_settled = replica.memberships.active_since() <= replica.log.commit();
        let leaves = replica.membership().is_joint() && is_settled;
        if leaves {
            let left = Arc::new(replica.membership().without_outgoing());
            self.append_membership(replica, left, effects);
        }
        leaves
    }

    fn answer_questions(&mut self, replica: &mut Replica, effects: &mut Effects) {
        if let Some(sequence) = replica.pending.reads.question(replica.now) {
            self.ask(replica.id(), replica.life().incarnation, sequence);
        }
        if self.questions.is_empty() || !Self::has_committed(replica) {
            return;
        }
        self.questions.hold(replica.log.commit(), self.rounds.current());
        let has_lease = self.lease_until(replica).is_some_and(|until| replica.now < until);
        if !has_lease
            && self.questions.wants_round(self.rounds.current(), self.confirmed_round(replica))
        {
            self.begin_round(replica, effects);
            self.questions.begin(self.rounds.current());
        }
        let confirmed = if has_lease { Round(u64::MAX) } else { self.confirmed_round(replica) };
        while let Some((question, index)) = self.questions.take(confirmed) {
            let sequence = question.sequence;
            if question.from == replica.id() {
                replica.pending.reads.answer(sequence, index);
            } else {
                let incarnation = question.incarnation;
                let reply = Message::ReadIndexReply { incarnation, sequence, index };
                replica.send(question.from, reply, effects);
            }
        }
    }

    /// Tells the target of a transfer to stand, once it holds everything.
    fn give_notice(&mut self, replica: &mut Replica, effects: &mut Effects) {
        let Some(Handover { to, notice: Notice::Owed, until }) = self.handover else { return };
        if self.progress(to).map(Progress::matched) == Some(replica.log.last_index()) {
            self.handover = Some(Handover { to, until, notice: Notice::Given });
            self.gave_notice = true;
            replica.send(to, Message::TimeoutNow, effects);
        }
    }

    // ----- what can be seen -----

    /// The greatest numbers of unacknowledged messages and bytes to any one peer.
    pub(crate) fn max_inflight(&self) -> (u64, u64) {
        let inflight = self.peers.iter().map(|(_, progress)| progress.inflight());
        inflight.fold((0, 0), |(messages, bytes), (m, b)| (messages.max(m), bytes.max(b)))
    }

    /// The oldest snapshot that is being sent.
    pub(crate) fn oldest_sending(&self) -> Option<LogPosition> {
        self.peers.iter().filter_map(|(_, progress)| progress.sending_position()).min()
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerStatus> {
        self.peers.iter().map(|(id, progress)| {
            let (inflight_messages, inflight_bytes) = progress.inflight();
            PeerStatus {
                id: *id,
                matched: progress.matched(),
                next: progress.next(),
                flow: progress.flow(),
                inflight_messages,
                inflight_bytes,
                heard: progress.heard(),
                round_trip: progress.contact.round_trip,
            }
        })
    }
}

/// How much of a promise the other clock can be relied on to keep, on this clock: the other may be as much too
/// fast as this one is too slow.
fn within_drift(promise: Ticks, drift_ppm: u32) -> Ticks {
    const MILLION: u128 = 1_000_000;
    let drift = u128::from(drift_ppm);
    let kept = u128::from(promise.0) * (MILLION - drift) / (MILLION + drift);
    Ticks(u64::try_from(kept).unwrap_or(u64::MAX))
}
