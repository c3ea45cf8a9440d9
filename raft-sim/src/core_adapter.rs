//! `raft-core` under the simulator: every input, effect and message in the simulator's vocabulary.

use raft_core::{
    AppendEntries, AppendReply, Apply, Ballot, ClusterId, Effect, Effects, Entry, Envelope, Fetch,
    FetchSnapshot, Instant, LogIndex, LogPosition, Membership, Message, Node, NodeId, PeerStatus,
    Persist, ReadChunk, Restore, Settings, SnapshotContent, SnapshotMeta, Start, TakeSnapshot,
    Term, WireVersion, Write, WriteChunk,
};

use crate::draw::Draw;
use crate::plan::MessageKind;
use crate::raft::{Answer, Claim, Committed, Facts, Input, Output, Raft, Task, View};

impl Raft for Node {
    type Message = Envelope;
    type Persist = Persist;
    type Apply = Apply;
    type Restore = Restore;
    type Take = TakeSnapshot;
    type Chore = Chore;
    type Effects = Effects;

    fn start(settings: Settings, start: Start, now: Instant) -> Result<Self, String> {
        let config = settings.validate().map_err(|error| error.to_string())?;
        Self::new(config, start, now).map_err(|error| error.to_string())
    }

    #[inline]
    fn step(&mut self, now: Instant, input: Input<Self>, effects: &mut Effects) {
        Self::step(self, now, given(input), effects);
    }

    #[inline]
    fn feed(&mut self, now: Instant, input: Input<Self>, effects: &mut Effects) {
        Self::feed(self, now, given(input), effects);
    }

    #[inline]
    fn pop(effects: &mut Effects) -> Option<Output<Self>> {
        Some(match effects.pop()? {
            Effect::Persist(persist) => Output::Persist(persist),
            Effect::Send(envelope) => Output::Send(envelope),
            Effect::Apply(apply) => Output::Apply(apply),
            Effect::Reply(reply) => Output::Reply(reply),
            Effect::Event(event) => Output::Event(event),
            Effect::Restore(restore) => Output::Restore(restore),
            Effect::Fetch(fetch) => Output::Chore(Chore::Fetch(fetch)),
            Effect::ReadChunk(read) => Output::Chore(Chore::Read(read)),
            Effect::WriteChunk(write) => Output::Chore(Chore::Write(write)),
            Effect::FetchSnapshot(fetch) => Output::Chore(Chore::FetchSnapshot(fetch)),
        })
    }

    #[inline]
    fn deadline(&self) -> Instant {
        Self::deadline(self)
    }

    #[inline]
    fn view(&self) -> View {
        View {
            term: self.term(),
            vote: self.vote(),
            role: self.role(),
            leader: self.leader(),
            snapshot: self.snapshot().position,
            base: self.base(),
            last: self.last(),
            durable: self.durable(),
            commit: self.commit(),
            applied: self.applied(),
        }
    }

    #[inline]
    fn entry(&self, index: LogIndex) -> Option<&Entry> {
        Self::entry(self, index)
    }

    #[inline]
    fn term(&self, index: LogIndex) -> Option<Term> {
        self.term_at(index)
    }

    fn take_snapshot(&self, index: LogIndex) -> Option<TakeSnapshot> {
        Self::take_snapshot(self, index)
    }

    fn oldest_snapshot_in_use(&self) -> LogPosition {
        Self::oldest_snapshot_in_use(self)
    }

    fn membership(&self) -> &Membership {
        Self::membership(self)
    }

    fn is_membership_committed(&self) -> bool {
        Self::is_membership_committed(self)
    }

    #[inline]
    fn inflight(&self) -> (u64, u64) {
        self.max_inflight()
    }

    fn lease_until(&self) -> Option<Instant> {
        self.status().lease_until
    }

    fn peers(&self) -> Vec<PeerStatus> {
        self.status().peers
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn same_state(&self, other: &Self) -> bool {
        self.equals_but_for_rejections(other)
    }

    #[inline]
    fn invariants(&self) -> Result<(), String> {
        Self::invariants(self).map_err(ToOwned::to_owned)
    }

    fn write(persist: &Persist) -> &Write {
        persist.write()
    }

    fn restores(restore: &Restore) -> &SnapshotMeta {
        restore.snapshot()
    }

    fn takes(take: &TakeSnapshot) -> &SnapshotMeta {
        take.meta()
    }

    fn task(chore: &Chore) -> Task<'_> {
        match chore {
            Chore::Fetch(fetch) => Task::Fetch {
                first: fetch.first(),
                last: fetch.last(),
                max_bytes: fetch.max_bytes(),
            },
            Chore::Read(read) => Task::ReadChunk {
                position: read.snapshot().position,
                offset: read.offset(),
                max_bytes: read.max_bytes(),
            },
            Chore::Write(write) => Task::WriteChunk {
                partial: write.partial(),
                offset: write.offset(),
                data: write.data(),
            },
            Chore::FetchSnapshot(fetch) => Task::FetchSnapshot {
                source: fetch.source(),
                snapshot: fetch.snapshot(),
                locator: fetch.locator(),
            },
        }
    }

    fn committed(apply: &Apply) -> impl Iterator<Item = Committed<'_>> {
        apply.entries().map(|entry| Committed {
            position: entry.position,
            command: entry.command(),
            request: entry.request,
        })
    }

    #[inline]
    fn facts(envelope: &Envelope) -> Facts {
        let (kind, claim) = says(&envelope.message);
        Facts {
            from: envelope.from,
            to: envelope.to,
            term: envelope.term,
            kind: kind.number(),
            name: envelope.message.kind(),
            claim,
        }
    }

    fn malformed(envelope: &Envelope, draw: &mut Draw) -> Option<Envelope> {
        let mut envelope = envelope.clone();
        spoil(&mut envelope, draw);
        Some(envelope)
    }
}

/// A question of the node's to its driver.
#[derive(Debug)]
pub enum Chore {
    /// Read entries back.
    Fetch(Fetch),
    /// Read bytes of a snapshot.
    Read(ReadChunk),
    /// Stage bytes of a snapshot.
    Write(WriteChunk),
    /// Fetch a snapshot from elsewhere.
    FetchSnapshot(FetchSnapshot),
}

/// An answer that is none to the question counts as a failure.
#[inline]
fn given(input: Input<Node>) -> raft_core::Input {
    match input {
        Input::Tick => raft_core::Input::Tick,
        Input::Receive(envelope) => raft_core::Input::Receive(envelope),
        Input::Persisted(persist) => raft_core::Input::Persisted(persist.done()),
        Input::Applied(apply) => raft_core::Input::Applied(apply.done()),
        Input::Restored(restore) => raft_core::Input::Applied(restore.done()),
        Input::Taken(take) => raft_core::Input::SnapshotTaken(take.done()),
        Input::Answered(chore, answer) => answered(chore, answer),
        Input::Request(request) => raft_core::Input::Request(request),
        Input::Campaign => raft_core::Input::Campaign,
        Input::Suppress(span) => raft_core::Input::Suppress(span),
    }
}

fn answered(chore: Chore, answer: Answer) -> raft_core::Input {
    match chore {
        Chore::Fetch(fetch) => raft_core::Input::Fetched(match answer {
            Answer::Entries(entries) => fetch.done(entries),
            _ => fetch.failed(),
        }),
        Chore::Read(read) => raft_core::Input::ChunkRead(match answer {
            Answer::Chunk { total, data } => read.done(total, data),
            Answer::Located(locator) => read.located(locator),
            _ => read.failed(),
        }),
        Chore::Write(write) => raft_core::Input::ChunkWritten(match answer {
            Answer::Staged => write.done(),
            _ => write.failed(),
        }),
        Chore::FetchSnapshot(fetch) => raft_core::Input::ChunkWritten(match answer {
            Answer::Found(meta) => fetch.done(meta),
            _ => fetch.failed(),
        }),
    }
}

/// A million entries further than anybody's log reaches.
const FAR: usize = 1_000_000;

/// Makes one field of a message impossible.
fn spoil(envelope: &mut Envelope, draw: &mut Draw) {
    let far = |index: LogIndex| index.advanced(FAR);
    match draw.below(10) {
        // Pre-votes do take place in term 0.
        0 if !is_of_pre_vote(&envelope.message) => envelope.term = Term::ZERO,
        0 | 1 => envelope.term = Term(u64::MAX),
        2 => envelope.from = envelope.to,
        3 => envelope.to = NodeId(envelope.to.0 + 100),
        4 => envelope.cluster = ClusterId(envelope.cluster.0 + 1),
        5 => envelope.version = WireVersion(envelope.version.0 + 1),
        _ => match &mut envelope.message {
            Message::RequestPreVote { last } | Message::RequestVote { last, .. } => {
                last.term = Term(envelope.term.0 + 1);
            }
            Message::PreVoteReply { campaign, .. } => *campaign = Term::ZERO,
            Message::AppendEntries(append) => spoil_append(append, envelope.term, draw),
            Message::AppendReply(AppendReply::Accepted { matched }) => *matched = far(*matched),
            Message::Heartbeat { commit, .. } | Message::Commit { index: commit } => {
                *commit = far(*commit);
            }
            _ => envelope.term = Term::ZERO,
        },
    }
}

/// Lets the terms of the entries fall, or begin later than the message's.
fn spoil_append(append: &mut AppendEntries, term: Term, draw: &mut Draw) {
    let mut entries = append.entries.to_vec();
    let before = entries.iter().rev().nth(1).map_or(append.previous.term, |entry| entry.term);
    match entries.last_mut() {
        Some(last) if draw.chance(500_000) => {
            last.term = Term(before.0.saturating_sub(1));
            append.entries = entries.into_iter().collect();
        }
        _ => append.previous.term = Term(term.0 + 1),
    }
}

fn is_of_pre_vote(message: &Message) -> bool {
    matches!(message, Message::RequestPreVote { .. } | Message::PreVoteReply { .. })
}

fn says(message: &Message) -> (MessageKind, Claim) {
    match message {
        Message::RequestPreVote { last } => {
            (MessageKind::RequestPreVote, Claim::AskPreVote { last: *last })
        }
        Message::PreVoteReply { ballot: Ballot::Granted, .. } => {
            (MessageKind::PreVoteReply, Claim::GrantPreVote)
        }
        Message::PreVoteReply { ballot: Ballot::Refused, .. } => {
            (MessageKind::PreVoteReply, Claim::Refuse)
        }
        Message::RequestVote { last, .. } => {
            (MessageKind::RequestVote, Claim::AskVote { last: *last })
        }
        Message::VoteReply { ballot: Ballot::Granted } => {
            (MessageKind::VoteReply, Claim::GrantVote)
        }
        Message::VoteReply { ballot: Ballot::Refused } => (MessageKind::VoteReply, Claim::Refuse),
        Message::AppendEntries(append) => {
            let claim = Claim::Append {
                previous: append.previous,
                entries: u32::try_from(append.entries.len()).unwrap_or(u32::MAX),
                bytes: append.size(),
                commit: append.commit,
            };
            (MessageKind::AppendEntries, claim)
        }
        Message::AppendReply(AppendReply::Accepted { matched }) => {
            (MessageKind::AppendReply, Claim::Acknowledge { matched: *matched })
        }
        Message::AppendReply(AppendReply::Mismatch { .. }) => {
            (MessageKind::AppendReply, Claim::Answer)
        }
        Message::Heartbeat { commit, .. } => {
            (MessageKind::Heartbeat, Claim::Heartbeat { commit: *commit })
        }
        Message::Commit { index } => (MessageKind::Commit, Claim::Heartbeat { commit: *index }),
        Message::HeartbeatReply { .. } => (MessageKind::HeartbeatReply, Claim::Answer),
        Message::StaleTerm => (MessageKind::StaleTerm, Claim::Nothing),
        Message::ForwardProposal { sequence, .. } => {
            (MessageKind::ForwardProposal, Claim::Forward { sequence: *sequence })
        }
        Message::ForwardRefused { .. } => (MessageKind::ForwardRefused, Claim::Nothing),
        Message::InstallSnapshot(install) => {
            let bytes = match &install.content {
                SnapshotContent::Chunk { data, .. } | SnapshotContent::Locator(data) => data.len(),
            };
            let position = install.snapshot.position;
            (MessageKind::InstallSnapshot, Claim::Snapshot { position, bytes: bytes as u64 })
        }
        Message::SnapshotReply { .. } => (MessageKind::SnapshotReply, Claim::Answer),
        Message::TimeoutNow => (MessageKind::TimeoutNow, Claim::Nothing),
        Message::ReadIndex { .. } => (MessageKind::ReadIndex, Claim::Nothing),
        Message::ReadIndexReply { .. } => (MessageKind::ReadIndexReply, Claim::Nothing),
    }
}
