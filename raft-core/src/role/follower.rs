//! A follower: takes the leader's entries, acknowledges what is durable, and waits (paper §5.2, §5.3).
//!
//! Invariant: `acknowledged <= verified`; both speak of the current term and its leader.

use crate::effect::Effects;
use crate::incoming::Verdict;
use crate::message::{AppendEntries, AppendReply, InstallSnapshot, Message, SnapshotContent};
use crate::replica::Replica;
use crate::snapshot::PartialSnapshot;
use crate::transition::Transition;
use crate::types::{Instant, LogIndex, NodeId, Round, Ticks};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Follower {
    leader: Option<NodeId>,
    /// When the leader was last heard.
    heard: Option<Instant>,
    /// How long this node waits before it stands for election.
    timeout: Ticks,
    /// When it does.
    deadline: Instant,
    /// Up to here the log is known to equal the leader's.
    verified: LogIndex,
    /// Up to here that was acknowledged.
    acknowledged: LogIndex,
    /// An acknowledgement waits for the disk.
    owes: bool,
}

impl Follower {
    pub(crate) fn new(leader: Option<NodeId>, replica: &mut Replica) -> Self {
        let timeout = replica.draw_election_timeout();
        Self {
            leader,
            heard: leader.map(|_| replica.now),
            timeout,
            deadline: replica.now.after(timeout),
            verified: LogIndex::ZERO,
            acknowledged: LogIndex::ZERO,
            owes: false,
        }
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the leader was heard within the least election timeout, so that no vote may be given
    /// against it (thesis §4.2.3).
    pub(crate) fn hears_leader(&self, now: Instant, election_timeout: Ticks) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) < election_timeout)
    }

    /// The leader spoke, or a vote was given: wait for another whole timeout.
    pub(crate) fn postpone(&mut self, now: Instant) {
        self.deadline = now.after(self.timeout);
    }

    /// Waits until then, or less.
    pub(crate) fn wait_until(&mut self, deadline: Instant) {
        self.deadline = self.deadline.min(deadline);
    }

    fn hear(&mut self, replica: &Replica) {
        self.heard = Some(replica.now);
        self.postpone(replica.now);
    }

    pub(crate) fn on_append(
        &mut self,
        replica: &mut Replica,
        leader: NodeId,
        append: AppendEntries,
        effects: &mut Effects,
    ) {
        self.hear(replica);
        if replica.lane.is_installing() {
            return; // The log is about to be another. It will be sent again.
        }
        if !replica.log.holds(append.previous) {
            let refused = append.previous;
            let hint = replica.log.last_agreeable(refused);
            let reply = Message::AppendReply(AppendReply::Mismatch { refused, hint });
            replica.send(leader, reply, effects);
            return;
        }
        let commit = append.commit;
        let verified = replica.take_entries(append, effects);
        self.verified = self.verified.max(verified);
        // INV-9: a commit index is believed only as far as this message proves the logs equal (§5.3).
        replica.log.commit_to(commit.min(verified));
        if verified <= replica.log.durable() {
            self.acknowledge(replica, leader, effects);
        } else {
            self.owes = true;
        }
    }

    pub(crate) fn on_heartbeat(
        &mut self,
        replica: &mut Replica,
        leader: NodeId,
        commit: LogIndex,
        round: Round,
        effects: &mut Effects,
    ) {
        self.on_commit(replica, commit);
        let promise = replica.promise();
        replica.send(leader, Message::HeartbeatReply { round, promise }, effects);
    }

    /// The leader says how far the log is committed.
    pub(crate) fn on_commit(&mut self, replica: &mut Replica, commit: LogIndex) {
        self.hear(replica);
        // The leader has capped it at what this node acknowledged, which is durable here.
        if !replica.lane.is_installing() {
            replica.log.commit_to(commit);
        }
    }

    /// A part of a snapshot, or where it can be had (paper §7).
    pub(crate) fn on_install(
        &mut self,
        replica: &mut Replica,
        leader: NodeId,
        install: InstallSnapshot,
        effects: &mut Effects,
    ) {
        self.hear(replica);
        let InstallSnapshot { snapshot, content } = install;
        let position = snapshot.position;
        if position.index <= replica.log.commit() {
            // What is committed here is in the leader's log too: it can go on from there (B43).
            let matched = replica.log.commit().min(replica.log.durable());
            let reply = Message::AppendReply(AppendReply::Accepted { matched });
            replica.send(leader, reply, effects);
            return;
        }
        match content {
            SnapshotContent::Chunk { offset, total, data } => {
                let received = offset;
                let partial = PartialSnapshot { source: leader, snapshot, total, received };
                match replica.incoming.judge(partial, data.len() as u64) {
                    Verdict::Stage(partial) => replica.stage(partial, offset, data, effects),
                    Verdict::Tell(receipt) => {
                        let reply = Message::SnapshotReply { position, receipt };
                        replica.send(leader, reply, effects);
                    }
                    Verdict::Wait => {}
                }
            }
            SnapshotContent::Locator(locator) => {
                if replica.incoming.is_free() {
                    replica.fetch_snapshot(leader, snapshot, locator, effects);
                }
            }
        }
    }

    /// The log now begins with a snapshot, all of which is committed, and so is the leader's too.
    pub(crate) fn installed(&mut self, index: LogIndex) {
        self.verified = self.verified.max(index);
        self.owes = true;
    }

    /// Pays an acknowledgement that waited for the disk, as far as the disk has come.
    pub(crate) fn settle(&mut self, replica: &mut Replica, effects: &mut Effects) {
        let reached = self.verified.min(replica.log.durable());
        if let Some(leader) = self.leader.filter(|_| self.owes && reached > self.acknowledged) {
            self.acknowledge(replica, leader, effects);
        }
    }

    fn acknowledge(&mut self, replica: &mut Replica, leader: NodeId, effects: &mut Effects) {
        // INV-10: nothing is acknowledged that is not durable and the leader's.
        let matched = self.verified.min(replica.log.durable());
        self.acknowledged = matched;
        self.owes = matched < self.verified;
        replica.send(leader, Message::AppendReply(AppendReply::Accepted { matched }), effects);
    }

    pub(crate) fn due(&mut self, replica: &Replica) -> Option<Transition> {
        if replica.now < self.deadline {
            return None;
        }
        if replica.may_stand() {
            return Some(Transition::Stand);
        }
        self.postpone(replica.now);
        None
    }
}
