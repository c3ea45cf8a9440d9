//! A value of everything whose bytes are kept. Neighbouring fields of one type differ, so that an exchange is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use raft_core::session::{
    Sequence, Session, SessionId, SessionLimits, SessionReply, SessionRequest, Sessions,
};
use raft_core::{
    Append, AppendEntries, AppendReply, Ballot, Cause, ClusterId, Entries, Entry, Envelope, Event,
    Forwarding, HardState, Incarnation, InstallSnapshot, Instant, LogIndex, LogPosition,
    LogSummary, Membership, MembershipParts, Message, NodeId, Origin, PartialSnapshot, Payload,
    PeerFlow, PeerStatus, Priority, Refusal, Rejection, Rejections, Request, RequestId, Restored,
    Role, Round, Settings, SnapshotContent, SnapshotMeta, SnapshotReceipt, Status, StepDown, Term,
    Ticks, Toggle, WireVersion, Write, WriteNumber,
};

/// One byte, two bytes, and as many as there can be: numbers of all lengths occur.
pub(crate) const SHORT: LogPosition = LogPosition { term: Term(3), index: LogIndex(100) };
pub(crate) const LONG: LogPosition = LogPosition { term: Term::MAX, index: LogIndex(1 << 40) };

pub(crate) fn joint() -> Arc<Membership> {
    let parts = MembershipParts {
        voters: BTreeSet::from([1, 2, 300].map(NodeId)),
        outgoing: BTreeSet::from([2, 4].map(NodeId)),
        learners: BTreeSet::from([NodeId(5)]),
        contexts: BTreeMap::from([(NodeId(1), "10.0.0.1:70".into()), (NodeId(5), "".into())]),
    };
    Arc::new(parts.try_into().expect("a sound membership"))
}

pub(crate) fn snapshot() -> SnapshotMeta {
    SnapshotMeta { position: SHORT, membership: joint() }
}

pub(crate) fn partial() -> PartialSnapshot {
    PartialSnapshot { source: NodeId(2), snapshot: snapshot(), total: 70_000, received: 300 }
}

pub(crate) fn payloads() -> Vec<Payload> {
    let origin = Origin { node: NodeId(2), incarnation: Incarnation(5), sequence: 900 };
    vec![
        Payload::Blank,
        Payload::Command { data: "put x".into(), origin: None },
        Payload::Command { data: vec![0, 255].into(), origin: Some(Box::new(origin)) },
        Payload::Membership(joint()),
    ]
}

pub(crate) fn entries() -> Entries {
    payloads().into_iter().map(|payload| Entry { term: Term(3), payload }).collect()
}

pub(crate) fn hard_state() -> HardState {
    HardState { term: Term(300), vote: Some(NodeId(2)), incarnation: Incarnation(7) }
}

pub(crate) fn append_entries() -> AppendEntries {
    AppendEntries { previous: SHORT, entries: entries(), commit: LogIndex(99) }
}

pub(crate) fn install(content: SnapshotContent) -> InstallSnapshot {
    InstallSnapshot { snapshot: snapshot(), content }
}

pub(crate) fn envelope() -> Envelope {
    Envelope {
        version: WireVersion::CURRENT,
        cluster: ClusterId(0xc1),
        from: NodeId(2),
        to: NodeId(300),
        term: Term(5),
        message: Message::AppendEntries(append_entries()),
    }
}

pub(crate) fn messages() -> Vec<Message> {
    let (incarnation, sequence, round) = (Incarnation(7), 900, Round(12));
    let locator = SnapshotContent::Locator("s3://b/k".into());
    vec![
        Message::RequestPreVote { last: SHORT },
        Message::PreVoteReply { campaign: Term(6), ballot: Ballot::Granted },
        Message::RequestVote { last: LONG, cause: Cause::Transfer },
        Message::VoteReply { ballot: Ballot::Refused },
        Message::AppendEntries(append_entries()),
        Message::AppendReply(AppendReply::Accepted { matched: LogIndex(100) }),
        Message::Heartbeat { commit: LogIndex(99), round },
        Message::HeartbeatReply { round, promise: Ticks(1_000) },
        Message::InstallSnapshot(Box::new(install(locator))),
        Message::SnapshotReply { position: SHORT, receipt: SnapshotReceipt::Received(300) },
        Message::TimeoutNow,
        Message::Commit { index: LogIndex(99) },
        Message::ReadIndex { incarnation, sequence },
        Message::ReadIndexReply { incarnation, sequence, index: LogIndex(99) },
        Message::StaleTerm,
        Message::ForwardProposal { incarnation, sequence, data: "put x".into() },
        Message::ForwardRefused { incarnation, sequence, refusal: Refusal::Busy },
    ]
}

pub(crate) fn write() -> Write {
    Write {
        hard_state: Some(hard_state()),
        install: Some(snapshot()),
        truncate_from: Some(LogIndex(98)),
        append: Some(Append { first: LogIndex(98), entries: entries() }),
        commit: Some(LogIndex(97)),
        compact: Some(SHORT),
    }
}

/// A summary of entries of two terms, one of them a membership.
pub(crate) fn log() -> LogSummary {
    let mut log = LogSummary::after(SHORT);
    for entry in entries().iter().chain(&[Entry { term: Term(300), payload: Payload::Blank }]) {
        log.push(entry).expect("the terms rise");
    }
    log
}

pub(crate) fn restored() -> Restored {
    Restored {
        hard_state: hard_state(),
        snapshot: snapshot(),
        log: log(),
        commit: LogIndex(101),
        applied: LogIndex(100),
        partial: Some(partial()),
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        cluster: ClusterId(0xc1),
        id: NodeId(300),
        seed: u64::MAX,
        election_timeout: Ticks(1_001),
        heartbeat_interval: Ticks(102),
        pre_vote: Toggle::Off,
        check_quorum: Toggle::On,
        stickiness: Toggle::On,
        priority: Priority(200),
        read_lease: Toggle::Off,
        max_clock_drift_ppm: 500,
        forwarding: Forwarding::Refuse,
        max_batch_bytes: 1,
        max_batch_entries: 2,
        max_inflight_messages: 3,
        max_inflight_bytes: 4,
        max_uncommitted_bytes: 5,
        max_undurable_bytes: 6,
        max_command_bytes: 7,
        max_cached_bytes: 8,
        retained_entries: 9,
        max_chunk_bytes: 10,
        max_pending_requests: 11,
        request_timeout: Ticks(12),
    }
}

pub(crate) fn peer() -> PeerStatus {
    PeerStatus {
        id: NodeId(2),
        matched: LogIndex(90),
        next: LogIndex(91),
        flow: PeerFlow::Snapshot { position: SHORT, received: 300 },
        inflight_messages: 4,
        inflight_bytes: 500,
        heard: Instant(6_000),
        round_trip: Some(Ticks(7)),
    }
}

/// Every reason, a different number of times.
pub(crate) fn rejections() -> Rejections {
    let counts: Vec<String> = (0..Rejection::ALL.len()).map(|count| count.to_string()).collect();
    let text = format!("{{\"counts\":[{}]}}", counts.join(","));
    serde_json::from_str(&text).expect("rejections are counts")
}

pub(crate) fn status() -> Status {
    Status {
        cluster: ClusterId(0xc1),
        id: NodeId(300),
        role: Role::Leader,
        hard_state: hard_state(),
        hard_state_durable: true,
        leader: Some(NodeId(300)),
        membership: joint(),
        snapshot: SHORT,
        base: LogPosition::ZERO,
        last: LONG,
        durable: LogIndex(1),
        commit: LogIndex(2),
        applied: LogIndex(3),
        outstanding_write: Some(WriteNumber(4)),
        withheld_messages: 5,
        pending_requests: 6,
        uncommitted_bytes: 7,
        cached_bytes: 8,
        has_uncommitted_of_earlier_terms: false,
        arriving: Some(partial()),
        transfer_to: Some(NodeId(2)),
        lease_until: Some(Instant(9)),
        deadline: Instant::NEVER,
        peers: vec![peer()],
        rejections: rejections(),
    }
}

pub(crate) fn events() -> Vec<Event> {
    let (term, round_trip, node) = (Term(5), Ticks(700), NodeId(2));
    vec![
        Event::RoleChanged { from: Role::Follower, to: Role::PreCandidate, term },
        Event::TermChanged { from: Term(4), to: term },
        Event::LeaderChanged { leader: Some(node), term },
        Event::ElectionTimeout { term },
        Event::Voted { candidate: node, term },
        Event::SteppedDown { term, reason: StepDown::Removed },
        Event::Truncated { from: LogIndex(98) },
        Event::MembershipChanged { at: LogIndex(99) },
        Event::SnapshotInstalled { position: SHORT },
        Event::Compacted { base: SHORT },
        Event::SnapshotStarted { peer: node, position: SHORT },
        Event::TransferStarted { to: node },
        Event::TransferAborted { to: node },
        Event::HeartbeatSlow { peer: node, round_trip },
    ]
}

pub(crate) const REFUSALS: [Refusal; 12] = [
    Refusal::NotLeader,
    Refusal::NoLeader,
    Refusal::NotReady,
    Refusal::Busy,
    Refusal::TooLarge,
    Refusal::NotYetCommitted,
    Refusal::ChangePending,
    Refusal::Transferring,
    Refusal::TransferAborted,
    Refusal::NotAVoter,
    Refusal::LeadershipLost,
    Refusal::NoMembership,
];

pub(crate) fn requests() -> Vec<Request> {
    let id = RequestId(900);
    vec![
        Request::Propose { id, command: "put x".into() },
        Request::Read { id },
        Request::ChangeMembership { id, to: joint() },
        Request::Transfer { id, to: NodeId(2) },
    ]
}

pub(crate) fn session_requests() -> [SessionRequest; 3] {
    let session = SessionId(SHORT);
    let (sequence, lowest) = (Sequence(300), Sequence(298));
    [
        SessionRequest::Open,
        SessionRequest::Do { session, sequence, lowest, command: "put x".into() },
        SessionRequest::Close { session },
    ]
}

/// A table with two sessions, outputs, and one that was too large.
pub(crate) fn sessions() -> Sessions {
    let limits = SessionLimits { max_output_bytes: 10, ..SessionLimits::default() };
    let mut table = Sessions::new(limits);
    let at = |index: u64| LogPosition::new(Term(3), LogIndex(index));
    let mut open = |index: u64| {
        let opened = table.apply(at(index), &SessionRequest::Open.encode(), Clone::clone);
        assert_eq!(opened, SessionReply::Opened(SessionId(at(index))));
        Session::new(SessionId(at(index)), limits.max_outstanding)
    };
    let (mut first, _) = (open(100), open(200));
    for (index, command) in [(300, "put x"), (301, "a long output"), (302, "")] {
        let (_, bytes) = first.submit(command.as_bytes()).expect("few are outstanding");
        let done = table.apply(at(index), &bytes, Clone::clone);
        assert_eq!(done, SessionReply::Done(command.into()));
    }
    table
}
