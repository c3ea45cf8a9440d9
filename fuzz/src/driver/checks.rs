//! What must hold of a node after every input, whatever the input was.

use std::sync::Arc;

use raft_core::{
    AppendReply, Apply, Ballot, Cause, Effect, Effects, Entry, Envelope, Force, Input, LogIndex,
    LogPosition, Membership, Message, Node, Payload, PeerFlow, RecordedInput, Request, Role,
    SnapshotContent, Start, Status, Term,
};

use super::{Driver, How, give};

/// What entries may exceed a byte limit by: their fixed charges.
const SLACK: u64 = 512;
/// What the core promises at most to hold back while the disk works.
const MAX_WITHHELD: u64 = 1_024;

/// The largest entry that may come of an input. A leader adds a membership by itself when it leaves a joint configuration,
/// and a joint one has the contexts of the one before, however it came to be known.
pub(super) fn largest_entry(input: &RecordedInput, present: &Arc<Membership>) -> u64 {
    let present = size(present);
    let of = |entries: &[Entry]| entries.iter().map(Entry::size).max().unwrap_or(0);
    match input {
        RecordedInput::Receive(Envelope { message: Message::AppendEntries(append), .. }) => {
            of(&append.entries)
        }
        RecordedInput::Fetched { entries: Some(entries), .. } => of(entries),
        RecordedInput::Request(Request::ChangeMembership { to, .. }) => present + size(to),
        _ => present,
    }
}

/// The entry that a start adds to the log.
pub(super) fn forced_entry(start: &Start) -> u64 {
    match start {
        Start::Force(Force { membership, .. }) => size(&Arc::new(membership.clone())),
        _ => 0,
    }
}

fn size(membership: &Arc<Membership>) -> u64 {
    Entry { term: Term(1), payload: Payload::Membership(membership.clone()) }.size()
}

impl Driver {
    /// An input that is rejected changes nothing but the count of such: as if there had been none.
    pub(super) fn check_rejection(
        &self,
        before: &Node,
        how: How,
        input: &RecordedInput,
        effects: &Effects,
    ) {
        let rejected = |node: &Node| node.status().rejections.total();
        let count = rejected(&self.node) - rejected(before);
        assert!(count <= 1, "{count} rejections of {input:?}");
        if count == 0 {
            assert_ne!(*input, RecordedInput::ForeignReceipt, "a receipt of another life counts");
            return;
        }
        let (mut idle, mut asked) = (before.clone(), Effects::new());
        give(&mut idle, how, self.now, Input::Tick, &mut asked);
        let mut told = self.node.clone();
        assert_eq!(format!("{effects:?}"), format!("{asked:?}"), "{input:?} is rejected");
        if how == How::Feed {
            // A report after which nothing is to be done may leave it settled; an idle one is asked for a step.
            idle.step(self.now, Input::Tick, &mut asked);
            told.step(self.now, Input::Tick, &mut Effects::new());
        }
        let is_same = told.equals_but_for_rejections(&idle);
        assert!(is_same, "{input:?} is rejected and leaves a trace: {told:?} is not {idle:?}");
    }

    /// The same input, from a recording, makes the same node.
    pub(super) fn check_replay(&self, before: &Node, how: How, input: &RecordedInput) {
        let (mut again, mut node) = (before.clone(), self.node.clone());
        give(&mut again, how, self.now, input.replay(before), &mut Effects::new());
        if *input == RecordedInput::ForeignReceipt {
            // A recording does not say what it was a receipt for, and so not whether it asked for a step when it was fed.
            again.step(self.now, Input::Tick, &mut Effects::new());
            node.step(self.now, Input::Tick, &mut Effects::new());
        }
        assert!(again == node, "{how:?} {input:?} does not replay: {again:?} is not {node:?}");
    }

    /// A node that was settled and fed a report of its disk or machine, and asks for no step, is as if it had been stepped.
    pub(super) fn check_content(&self, before: &Node, how: How, effects: &Effects) {
        let is_settled = |node: &Node| node.deadline() > self.latest;
        if how == How::Feed && is_settled(before) && is_settled(&self.node) {
            let (mut node, mut more) = (self.node.clone(), Effects::new());
            node.step(self.now, Input::Tick, &mut more);
            assert!(more.is_empty(), "it asked for no step after {effects:?}, but for {more:?}");
            assert!(node == self.node, "it asked for no step: {node:?} is not {:?}", self.node);
        }
    }

    /// What only grows.
    pub(super) fn check_progress(&self, before: &Node) {
        let node = &self.node;
        assert!(node.term() >= before.term(), "INV-6");
        if node.term() == before.term() {
            assert!(before.vote().is_none_or(|vote| node.vote() == Some(vote)), "INV-7");
        }
        assert!(node.commit() >= before.commit() && node.applied() >= before.applied());
        assert!(node.snapshot().position.index >= before.snapshot().position.index);
        self.check_commit(before);
    }

    /// A leader commits what a quorum holds, and an entry of its own term (paper §5.4.2).
    fn check_commit(&self, before: &Node) {
        let (node, commit) = (&self.node, self.node.commit());
        let leads = |node: &Node| node.role() == Role::Leader;
        let is_same_office = leads(node) && leads(before) && node.term() == before.term();
        if !is_same_office || commit == before.commit() {
            return;
        }
        assert_eq!(node.term_at(commit), Some(node.term()), "an entry of an earlier term");
        let peers = node.status().peers;
        let holds = |id| {
            let matched = peers.iter().find(|peer| peer.id == id).map(|peer| peer.matched);
            if id == node.id() { node.durable() >= commit } else { matched >= Some(commit) }
        };
        // The joint configuration that was just committed is left in the same step.
        let quorum = |node: &Node| node.membership().reached_by_quorum(holds) == Some(true);
        assert!(quorum(node) || quorum(before), "{commit} is on no quorum: {}", node.status());
    }

    /// Memory stays within what the settings say. What need not be kept leaves it with the next step, so that until then what
    /// was fed comes on top.
    pub(super) fn check_memory(&self, how: How) {
        let (status, settings) = (self.node.status(), &self.config);
        let waiting = settings.max_undurable_bytes.max(settings.max_uncommitted_bytes);
        let slack = settings.max_command_bytes.max(self.largest_entry).saturating_add(SLACK);
        let settled = settings.max_cached_bytes.max(waiting.saturating_add(slack));
        let most = match how {
            How::Step => settled,
            How::Feed => settled.saturating_add(waiting).saturating_add(slack),
        };
        assert!(status.cached_bytes <= most, "{} bytes cached: {status}", status.cached_bytes);
        assert!(status.pending_requests <= settings.max_pending_requests, "{status:?}");
        assert_eq!(status.pending_requests, self.unanswered.len() as u64, "requests: {status:?}");
        assert!(status.withheld_messages <= MAX_WITHHELD, "{status:?}");
        for peer in &status.peers {
            assert!(peer.inflight_messages <= settings.max_inflight_messages, "INV-18: {peer:?}");
            let is_within = peer.inflight_bytes <= settings.max_inflight_bytes;
            assert!(
                is_within || peer.inflight_messages == 1,
                "a larger batch goes alone: {peer:?}"
            );
            assert!(peer.matched <= status.last.index, "{peer:?}");
            // Where the log goes on is known when the snapshot has arrived.
            let is_sent_one = matches!(peer.flow, PeerFlow::Snapshot { .. });
            assert!(is_sent_one || peer.matched < peer.next, "{peer:?}");
        }
    }

    /// What the node says of its disk is so.
    pub(crate) fn check_disk(&self) {
        let (status, disk) = (self.node.status(), &self.disk);
        if status.hard_state_durable {
            assert_eq!(status.hard_state, disk.hard_state, "it says that this is durable");
        }
        let Status { durable, base, snapshot, .. } = status;
        assert!(disk.last().index >= durable, "{durable} is not on the disk: {status}");
        // A log from before the snapshot is worth nothing, until it is removed.
        let is_of_use = disk.holds(disk.snapshot().position);
        for back in 0..if is_of_use { 3 } else { 0 } {
            let index = LogIndex(durable.0.saturating_sub(back));
            if let (Some(entry), Some(term)) = (disk.entry(index), self.node.term_at(index)) {
                assert_eq!(entry.term, term, "the disk has another entry at {index}: {status}");
            }
        }
        assert_eq!(status.applied, self.applied, "the machine");
        assert!(base.index <= snapshot.index);
        assert!(
            snapshot == LogPosition::ZERO || disk.snapshot_at(snapshot).is_some(),
            "{snapshot} is not on the disk"
        );
    }

    /// What the node asks for can be done, and what it says to others is so.
    pub(super) fn check_effect(&self, effect: &Effect) {
        match effect {
            Effect::Send(envelope) => self.check_sent(envelope),
            Effect::Apply(apply) => self.check_apply(apply),
            Effect::Restore(restore) => {
                let position = restore.snapshot().position;
                assert!(self.disk.snapshot_at(position).is_some(), "no snapshot at {position}");
                assert!(position.index > self.applied, "the machine goes back to {position}");
            }
            Effect::Fetch(fetch) => {
                let first = fetch.first();
                let entry = self.disk.entry(first);
                assert!(entry.is_some() && first <= fetch.last(), "{fetch:?} is not on the disk");
            }
            Effect::ReadChunk(read) => {
                let position = read.snapshot().position;
                assert!(self.disk.snapshot_at(position).is_some(), "no snapshot at {position}");
            }
            _ => {}
        }
    }

    fn check_apply(&self, apply: &Apply) {
        assert_eq!(apply.first(), self.applied.next(), "in order, and without a gap");
        for committed in apply.entries() {
            let index = committed.position.index;
            let entry = self.disk.entry(index).expect("INV-8: what is applied is durable");
            let given = (committed.position.term, committed.payload);
            assert_eq!(given, (entry.term, &entry.payload), "the disk has another at {index}");
        }
    }

    /// Nothing leaves before what it depends on is durable.
    fn check_sent(&self, envelope: &Envelope) {
        let Envelope { from, to, term, message, cluster, .. } = envelope;
        let (disk, settings) = (&self.disk, &self.config);
        let on_disk = disk.hard_state;
        assert_eq!((*from, *cluster), (self.node.id(), settings.cluster));
        assert_ne!(to, from, "to itself");
        assert!(on_disk.term >= *term, "{envelope:?} leaves before its term is durable");
        let stands_by_itself = matches!(
            message,
            Message::RequestPreVote { .. }
                | Message::RequestVote { cause: Cause::Timeout, .. }
                | Message::PreVoteReply { ballot: Ballot::Granted, .. }
        );
        assert!(!stands_by_itself || self.latest >= self.bound_until, "{envelope:?} too soon");
        let voted = (on_disk.term == *term).then_some(on_disk.vote).flatten();
        match message {
            Message::RequestVote { .. } => assert_eq!(voted, Some(*from), "{envelope:?}"),
            Message::VoteReply { ballot: Ballot::Granted } => {
                assert_eq!(voted, Some(*to), "{envelope:?} leaves before the vote is durable");
            }
            Message::AppendReply(AppendReply::Accepted { matched }) => {
                assert!(disk.last().index >= *matched, "{envelope:?} acknowledges too much");
            }
            Message::AppendEntries(append) => {
                let count = append.entries.len() as u64;
                assert!(count <= settings.max_batch_entries, "{count} entries in {envelope:?}");
                assert!(append.size() <= settings.max_batch_bytes || count == 1, "{envelope:?}");
            }
            Message::InstallSnapshot(install) => {
                if let SnapshotContent::Chunk { data, .. } = &install.content {
                    assert!(data.len() as u64 <= settings.max_chunk_bytes, "{envelope:?}");
                }
            }
            Message::ForwardProposal { incarnation, .. }
            | Message::ReadIndex { incarnation, .. } => {
                assert_eq!(*incarnation, on_disk.incarnation, "{envelope:?}");
            }
            _ => {}
        }
    }
}
