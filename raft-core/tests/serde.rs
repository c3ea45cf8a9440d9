//! Goal: every public data type survives the way through JSON, and what must not be read from outside is not.

#![cfg(feature = "serde")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use raft_core::{
    Append, AppendEntries, AppendReply, Ballot, Bootstrap, Cause, ChunkAnswer, ClusterId, Effects,
    Entries, Entry, Envelope, Event, Force, Forwarding, HardState, Incarnation, Input,
    InstallSnapshot, Instant, Join, LogIndex, LogPosition, LogSummary, Membership, MembershipParts,
    Message, Node, NodeId, Origin, Outcome, PartialSnapshot, Payload, PeerFlow, Reader,
    RecordedInput, RecordedStep, Refusal, Rejection, Rejections, Reply, Request, RequestId,
    Restored, Role, Round, Settings, SnapshotContent, SnapshotMeta, SnapshotReceipt, StageAnswer,
    Start, Status, StepDown, Term, Ticks, Toggle, WireVersion, Write, WriteNumber,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("plain data can be written");
    let read: T = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(&read, value, "{text}");
}

fn position() -> LogPosition {
    LogPosition::new(Term(3), LogIndex(u64::MAX))
}

fn membership() -> Membership {
    let parts = MembershipParts {
        voters: BTreeSet::from([NodeId(1), NodeId(2)]),
        outgoing: BTreeSet::from([NodeId(2), NodeId(3)]),
        learners: BTreeSet::from([NodeId(4)]),
        contexts: BTreeMap::from([(NodeId(4), "address:1".into())]),
    };
    same(&parts);
    parts.try_into().expect("a sound membership")
}

fn entries() -> Entries {
    let origin = Origin { node: NodeId(2), incarnation: Incarnation(5), sequence: 9 };
    let payloads = [
        Payload::Blank,
        Payload::command("x"),
        Payload::Command { data: vec![0, 255].into(), origin: Some(Box::new(origin)) },
        Payload::Membership(Arc::new(membership())),
    ];
    payloads.into_iter().map(|payload| Entry { term: Term(3), payload }).collect()
}

fn messages() -> Vec<Message> {
    let ballot = Ballot::Granted;
    let (incarnation, sequence) = (Incarnation(1), 7);
    vec![
        Message::RequestPreVote { last: position() },
        Message::PreVoteReply { campaign: Term(4), ballot },
        Message::RequestVote { last: position(), cause: Cause::Timeout },
        Message::RequestVote { last: position(), cause: Cause::Transfer },
        Message::VoteReply { ballot: Ballot::Refused },
        Message::AppendEntries(AppendEntries {
            previous: position(),
            entries: entries(),
            commit: LogIndex(2),
        }),
        Message::AppendEntries(AppendEntries {
            previous: LogPosition::ZERO,
            entries: Entries::EMPTY,
            commit: LogIndex(0),
        }),
        Message::AppendReply(AppendReply::Accepted { matched: LogIndex(3) }),
        Message::AppendReply(AppendReply::Mismatch {
            refused: position(),
            hint: LogPosition::ZERO,
        }),
        Message::Heartbeat { commit: LogIndex(1), round: Round(2) },
        Message::HeartbeatReply { round: Round(2), promise: Ticks(3) },
        install(SnapshotContent::Chunk { offset: 3, total: 9, data: vec![0, 255].into() }),
        install(SnapshotContent::Locator("a place".into())),
        Message::SnapshotReply { position: position(), receipt: SnapshotReceipt::Received(3) },
        Message::SnapshotReply { position: position(), receipt: SnapshotReceipt::Failed },
        Message::TimeoutNow,
        Message::Commit { index: LogIndex(1) },
        Message::ReadIndex { incarnation, sequence },
        Message::ReadIndexReply { incarnation, sequence, index: LogIndex(2) },
        Message::StaleTerm,
        Message::ForwardProposal { incarnation, sequence, data: "x".into() },
        Message::ForwardRefused { incarnation, sequence, refusal: Refusal::Busy },
    ]
}

fn snapshot() -> SnapshotMeta {
    SnapshotMeta { position: position(), membership: Arc::new(membership()) }
}

fn partial() -> PartialSnapshot {
    PartialSnapshot { source: NodeId(2), snapshot: snapshot(), total: 9, received: 3 }
}

fn install(content: SnapshotContent) -> Message {
    Message::InstallSnapshot(Box::new(InstallSnapshot { snapshot: snapshot(), content }))
}

fn envelope(message: Message) -> Envelope {
    Envelope {
        version: WireVersion::CURRENT,
        cluster: ClusterId(1),
        from: NodeId(2),
        to: NodeId(1),
        term: Term(3),
        message,
    }
}

#[test]
fn numbers() {
    same(&(ClusterId(1), NodeId(2), Term(3), LogIndex(4), position(), RequestId(5)));
    same(&(Instant::NEVER, Ticks(1), Incarnation(2), WriteNumber(3), Round(4), WireVersion(5)));
}

#[test]
fn settings() {
    let settings = Settings {
        pre_vote: Toggle::Off,
        forwarding: Forwarding::Refuse,
        ..Settings::new(ClusterId(1), NodeId(2))
    };
    same(&settings);
}

#[test]
fn logs_and_memberships() {
    same(&entries());
    same(&entries().to_vec());
    same(&membership());
    same(&Membership::default());
    same(&snapshot());
    same(&partial());
}

#[test]
fn a_membership_that_makes_no_sense_is_not_read() {
    let text = r#"{"voters":[1],"outgoing":[],"learners":[1],"contexts":{}}"#;
    let error = serde_json::from_str::<Membership>(text).expect_err("n1 is named twice");
    assert!(error.to_string().contains("both a voter and a learner"), "{error}");
}

#[test]
fn every_kind_of_message() {
    for message in messages() {
        same(&message);
        same(&envelope(message));
    }
}

#[test]
fn requests_and_answers() {
    let id = RequestId(1);
    let requests = [
        Request::Propose { id, command: "x".into() },
        Request::Read { id },
        Request::ChangeMembership { id, to: Arc::new(membership()) },
        Request::Transfer { id, to: NodeId(2) },
    ];
    requests.iter().for_each(same);
    let leader = Some(NodeId(1));
    let refusals = [
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
    let refused = refusals.map(|refusal| Outcome::Refused { refusal, leader });
    let others = [
        Outcome::Done { position: position() },
        Outcome::Readable { index: LogIndex(7) },
        Outcome::Transferred { leader: NodeId(2) },
        Outcome::Lost { position: position() },
        Outcome::Unknown,
    ];
    for outcome in refused.into_iter().chain(others) {
        same(&Reply { request: RequestId(1), outcome });
    }
}

#[test]
fn writes() {
    same(&Write::default());
    let hard_state =
        HardState { term: Term(1), vote: Some(NodeId(1)), incarnation: Incarnation(2) };
    same(&Write {
        hard_state: Some(hard_state),
        install: Some(SnapshotMeta::default()),
        truncate_from: Some(LogIndex(3)),
        append: Some(Append { first: LogIndex(3), entries: entries() }),
        commit: Some(LogIndex(4)),
        compact: Some(LogPosition::new(Term(1), LogIndex(2))),
    });
}

#[test]
fn events() {
    let term = Term(1);
    let (from, to) = (Role::Follower, Role::PreCandidate);
    let events = [
        Event::RoleChanged { from, to, term },
        Event::RoleChanged { from: Role::Candidate, to: Role::Leader, term },
        Event::LeaderChanged { leader: Some(NodeId(1)), term },
        Event::ElectionTimeout { term },
        Event::Voted { candidate: NodeId(1), term },
        Event::SteppedDown { term, reason: StepDown::QuorumUnheard },
        Event::SteppedDown { term, reason: StepDown::DiskStalled },
        Event::Truncated { from: LogIndex(1) },
        Event::MembershipChanged { at: LogIndex(1) },
        Event::SteppedDown { term, reason: StepDown::Removed },
        Event::TermChanged { from: Term(0), to: term },
        Event::SnapshotInstalled { position: position() },
        Event::Compacted { base: position() },
        Event::SnapshotStarted { peer: NodeId(2), position: position() },
        Event::TransferStarted { to: NodeId(2) },
        Event::TransferAborted { to: NodeId(2) },
        Event::HeartbeatSlow { peer: NodeId(2), round_trip: Ticks(7) },
    ];
    for event in events {
        same(&event);
    }
}

#[test]
fn starts() {
    same(&Start::from(Bootstrap { membership: membership() }));
    same(&Start::from(Join));
    let mut log = LogSummary::after(LogPosition::new(Term(2), LogIndex(7)));
    entries().iter().try_for_each(|entry| log.push(entry)).expect("terms that do not fall");
    same(&log);
    let restored = Restored {
        hard_state: HardState { term: Term(3), vote: None, incarnation: Incarnation(1) },
        snapshot: snapshot(),
        log,
        commit: LogIndex(1),
        applied: LogIndex(1),
        partial: Some(partial()),
    };
    same(&Start::from(restored.clone()));
    same(&Start::from(Force { restored, membership: membership() }));
}

#[test]
fn recordings() {
    let (number, peer) = (3, NodeId(2));
    let read = |entries| RecordedInput::Fetched {
        number,
        reader: Reader::Peer(peer),
        first: LogIndex(4),
        entries,
    };
    let chunk = ChunkAnswer::Chunk { total: 9, data: vec![0, 255].into() };
    let inputs = [
        RecordedInput::Tick,
        RecordedInput::Receive(envelope(Message::StaleTerm)),
        RecordedInput::Persisted(WriteNumber(1)),
        RecordedInput::Applied(LogIndex(2)),
        read(Some(entries())),
        read(None),
        RecordedInput::Fetched {
            number,
            reader: Reader::Machine,
            first: LogIndex(1),
            entries: None,
        },
        RecordedInput::SnapshotTaken(snapshot()),
        RecordedInput::ChunkRead { number, peer, answer: chunk },
        RecordedInput::ChunkRead { number, peer, answer: ChunkAnswer::Locator("a place".into()) },
        RecordedInput::ChunkRead { number, peer, answer: ChunkAnswer::Failed },
        RecordedInput::ChunkWritten { number, answer: StageAnswer::Staged },
        RecordedInput::ChunkWritten { number, answer: StageAnswer::Fetched(snapshot()) },
        RecordedInput::ChunkWritten { number, answer: StageAnswer::Failed },
        RecordedInput::ForeignReceipt,
        RecordedInput::Request(Request::Propose { id: RequestId(1), command: "x".into() }),
        RecordedInput::Campaign,
        RecordedInput::Suppress(Ticks(5)),
    ];
    for input in inputs {
        same(&RecordedStep { now: Instant(9), input });
    }
    for flow in [
        PeerFlow::Probe,
        PeerFlow::Stream,
        PeerFlow::Snapshot { position: position(), received: 3 },
    ] {
        same(&flow);
    }
}

/// The status of a leader, of a node that has rejected something, and the reasons themselves.
#[test]
fn statuses() {
    let config = Settings::new(ClusterId(1), NodeId(1)).validate().expect("the defaults are sound");
    let membership = Membership::of_voters([1, 2].map(NodeId)).expect("there are voters");
    let mut node = Node::new(config, Bootstrap { membership }, Instant(0)).expect("a founder");
    let mut stranger = envelope(Message::StaleTerm);
    stranger.cluster = ClusterId(9);
    node.step(Instant(0), Input::Receive(stranger), &mut Effects::new());
    let status: Status = node.status();
    assert_eq!(status.rejections.count(Rejection::Cluster), 1);
    same(&status);
    same(&status.rejections);
    same(&Rejections::default());
    same(&Rejection::ALL.to_vec());
}
