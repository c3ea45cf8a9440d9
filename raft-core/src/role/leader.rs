//! A leader: replicates its log, counts acknowledgements, commits (paper §5.3, §5.4), and steps down
//! when it is not followed any more (thesis §6.2).
//!
//! Invariant: there is a [`Progress`] for every other member of the membership in force, and for nobody
//! else.

use alloc::vec::Vec;

use super::forwards::Forwards;
use crate::effect::{Effects, StepDown};
use crate::entry::{Entries, Entry, Origin, Payload};
use crate::log::{Limits, Log};
use crate::message::{AppendEntries, AppendReply, Message};
use crate::progress::{Allowance, Progress};
use crate::replica::Replica;
use crate::request::Refusal;
use crate::status::PeerStatus;
use crate::transition::Transition;
use crate::types::{Instant, LogIndex, LogPosition, NodeId, Round, Ticks};

/// How many heartbeats a full window may stand still before its messages count as lost.
const PATIENCE_IN_HEARTBEATS: u64 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    /// Sorted by name.
    peers: Vec<(NodeId, Progress)>,
    forwards: Forwards,
    round: Round,
    heartbeat_at: Instant,
}

impl Leader {
    /// Takes office: appends a blank entry, by which everything before it becomes committable (paper §5.4.2).
    pub(crate) fn start(replica: &mut Replica, effects: &mut Effects) -> Self {
        let last = replica.log.last_index();
        replica.append(Payload::Blank, effects);
        let now = replica.now;
        let others = replica.membership().members().into_iter().filter(|id| *id != replica.id());
        Self {
            peers: others.map(|id| (id, Progress::new(last, now))).collect(),
            forwards: Forwards::default(),
            round: Round(1),
            // The blank entry is the first heartbeat.
            heartbeat_at: now.after(replica.config.heartbeat_interval),
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.heartbeat_at
    }

    pub(crate) fn round(&self) -> Round {
        self.round
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

    /// Appends a command, or says why not.
    pub(crate) fn propose(
        replica: &mut Replica,
        data: bytes::Bytes,
        origin: Option<Origin>,
        effects: &mut Effects,
    ) -> Result<LogPosition, Refusal> {
        let size = data.len() as u64;
        if size > replica.config.max_command_bytes {
            return Err(Refusal::TooLarge);
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
        let origin = origin.map(alloc::boxed::Box::new);
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
        if let Err(refusal) = Self::propose(replica, data, Some(origin), effects) {
            let reply = Message::ForwardRefused { incarnation, sequence, refusal };
            replica.send(node, reply, effects);
        }
    }

    pub(crate) fn on_append_reply(&mut self, replica: &Replica, from: NodeId, reply: AppendReply) {
        let now = replica.now;
        let Some(peer) = self.peer(from) else { return };
        peer.hear(now);
        match reply {
            AppendReply::Accepted { matched } => peer.accepted(matched, now),
            AppendReply::Mismatch { refused, hint } => {
                peer.refused(refused, replica.log.last_agreeable(hint));
            }
        }
    }

    pub(crate) fn on_heartbeat_reply(&mut self, replica: &Replica, from: NodeId) {
        if let Some(peer) = self.peer(from) {
            peer.hear(replica.now);
        }
    }

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

    /// Heartbeats, and the reasons to step down.
    pub(crate) fn due(
        &mut self,
        replica: &mut Replica,
        effects: &mut Effects,
    ) -> Option<Transition> {
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
        self.round = Round(self.round.0 + 1);
        // Long enough for a slow disk or a long link, short enough to repair a loss within an election.
        let heartbeats = interval.0.saturating_mul(PATIENCE_IN_HEARTBEATS);
        let patience = Ticks(heartbeats.max(replica.config.election_timeout.0 / 2));
        for (id, progress) in &mut self.peers {
            progress.heartbeat(replica.now, patience);
            send_heartbeat(replica, *id, progress, self.round, effects);
        }
        None
    }

    /// Commits what a quorum holds, and sends everyone what it lacks.
    pub(crate) fn settle(&mut self, replica: &mut Replica, effects: &mut Effects) {
        self.advance_commit(replica);
        let mut batch = LastBatch::default();
        for (id, progress) in &mut self.peers {
            send_entries(replica, *id, progress, &mut batch, effects);
            if progress.awaits_commit(replica.log.commit()) {
                send_heartbeat(replica, *id, progress, self.round, effects);
            }
        }
    }

    /// Commits the last entry that a quorum holds durably, if it is of this term (paper §5.4.2). The leader
    /// itself is counted by its own disk (thesis §10.2.1).
    fn advance_commit(&self, replica: &mut Replica) {
        if replica.log.commit() == replica.log.last_index() {
            return;
        }
        let own = replica.log.durable();
        let id = replica.id();
        let agreed = replica.membership().reached_by_quorum(|voter| {
            if voter == id {
                own
            } else {
                self.progress(voter).map_or(LogIndex::ZERO, Progress::matched)
            }
        });
        let agreed = agreed.unwrap_or(LogIndex::ZERO);
        if replica.log.term_at(agreed) == Some(replica.term()) {
            replica.log.commit_to(agreed);
        }
    }

    /// The greatest numbers of unacknowledged messages and bytes to any one peer.
    pub(crate) fn max_inflight(&self) -> (u64, u64) {
        let inflight = self.peers.iter().map(|(_, progress)| progress.inflight());
        inflight.fold((0, 0), |(messages, bytes), (m, b)| (messages.max(m), bytes.max(b)))
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerStatus> {
        self.peers.iter().map(|(id, progress)| {
            let (inflight_messages, inflight_bytes) = progress.inflight();
            PeerStatus {
                id: *id,
                matched: progress.matched(),
                next: progress.next(),
                pipelining: progress.is_streaming(),
                inflight_messages,
                inflight_bytes,
                heard: progress.heard(),
            }
        })
    }
}

/// The batch that was made last: peers that lack the same entries share it.
#[derive(Debug, Default)]
struct LastBatch(Option<(LogIndex, Limits, Entries)>);

impl LastBatch {
    /// The entries after `after`, made anew unless the last batch is just that.
    fn take(&mut self, log: &Log, after: LogIndex, limits: Limits) -> Entries {
        match &self.0 {
            Some((index, within, entries)) if (*index, *within) == (after, limits) => {
                entries.clone()
            }
            _ => {
                let entries = log.batch_after(after, limits);
                self.0 = Some((after, limits, entries.clone()));
                entries
            }
        }
    }
}

/// Sends as many entries as the peer's allowance permits, the first batch of them to a peer that is
/// probed.
fn send_entries(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    batch: &mut LastBatch,
    effects: &mut Effects,
) {
    loop {
        let last = replica.log.last_index();
        let following = replica.log.entry(progress.next()).map(Entry::size);
        let bytes = match progress.allowance(following, &replica.config) {
            Allowance::Nothing => return,
            Allowance::Probe => None,
            Allowance::Entries { bytes } => Some(bytes),
        };
        // What lies before the base is gone: a peer that lacks it is asked about the base, in vain.
        let index = progress.next().previous().max(replica.log.base().index);
        let term = replica
            .log
            .term_at(index)
            .expect("a peer's next entry lies in the leader's log or right after it");
        let until = if bytes.is_some() { last } else { index };
        let entries = replica.config.max_batch_entries;
        let limits = Limits { until, bytes: bytes.unwrap_or(0), entries };
        let append = AppendEntries {
            previous: LogPosition::new(term, index),
            entries: batch.take(&replica.log, index, limits),
            commit: replica.log.commit(),
        };
        progress.tell(append.commit.min(append.last_index()));
        progress.sent(append.last_index(), append.size(), replica.now);
        replica.send(to, Message::AppendEntries(append), effects);
    }
}

/// Says "I lead", and what is committed of that which the peer is known to hold (so that a follower
/// whose log ends in something else cannot take it for committed).
fn send_heartbeat(
    replica: &mut Replica,
    to: NodeId,
    progress: &mut Progress,
    round: Round,
    effects: &mut Effects,
) {
    let commit = replica.log.commit().min(progress.matched());
    progress.tell(commit);
    replica.send(to, Message::Heartbeat { commit, round }, effects);
}
