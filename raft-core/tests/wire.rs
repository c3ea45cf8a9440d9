//! Goal: the bytes of everything that crosses a network or lies on a disk stay what they are. Serde's derived form
//! is the format, so that the order of fields and of variants is part of it, and easily changed by accident.
//!
//! `wire/*.hex` hold a value of each type, and of each variant of each enum. A structure with a new field does not
//! compile here; an enum with a new variant fails until there is a value of it.

#![cfg(feature = "serde")]

#[path = "wire/fixtures.rs"]
mod fixtures;
#[path = "wire/values.rs"]
mod values;

use fixtures::{Fixtures, differences, missing_variants};
use raft_core::session::{
    DecodeError, SessionId, SessionLimits, SessionRefusal, SessionReply, SessionRequest, Sessions,
};
use raft_core::{
    AppendReply, Ballot, Bootstrap, Cause, ChunkAnswer, Entries, Entry, Force, Forwarding,
    HardState, Instant, Join, LogIndex, Membership, MembershipParts, NodeId, Outcome, Payload,
    PeerFlow, Reader, RecordedInput, RecordedLine, RecordedNode, RecordedStart, RecordedStep,
    Refusal, Rejection, Reply, RequestId, Role, Settings, SnapshotContent, SnapshotMeta,
    SnapshotReceipt, StageAnswer, Start, StepDown, Term, Ticks, Toggle, Write, WriteNumber,
};
use values::{
    LONG, REFUSALS, SHORT, entries, envelope, events, hard_state, install, joint, log, messages,
    partial, payloads, peer, requests, restored, session_requests, sessions, settings, snapshot,
    status, write,
};

#[test]
fn messages_between_nodes() {
    let mut fixtures = Fixtures::of("messages.hex");
    fixtures.one("Envelope", &envelope());
    fixtures.each(&messages());
    fixtures.each(&[Ballot::Granted, Ballot::Refused]);
    fixtures.each(&[Cause::Timeout, Cause::Transfer]);
    fixtures.each(&[
        AppendReply::Accepted { matched: LONG.index },
        AppendReply::Mismatch { refused: LONG, hint: SHORT },
    ]);
    let chunk = SnapshotContent::Chunk { offset: 300, total: 70_000, data: "bytes".into() };
    fixtures.each(&[chunk.clone(), SnapshotContent::Locator("s3://b/k".into())]);
    fixtures.one("InstallSnapshot", &install(chunk));
    fixtures.each(&[SnapshotReceipt::Received(0), SnapshotReceipt::Failed]);
    fixtures.finish();
}

#[test]
fn entries_and_memberships() {
    let mut fixtures = Fixtures::of("log.hex");
    fixtures.one("LogPosition", &LONG);
    fixtures.each(&payloads());
    fixtures.one("Entry", &Entry { term: Term(300), payload: Payload::Blank });
    fixtures.one("Entries", &entries());
    fixtures.one("Entries", &Entries::EMPTY);
    fixtures.one("Membership", &*joint());
    fixtures.one("Membership", &Membership::default());
    fixtures.one("MembershipParts", &MembershipParts::from(Membership::clone(&joint())));
    fixtures.finish();
}

#[test]
fn what_lies_on_a_disk() {
    let mut fixtures = Fixtures::of("disk.hex");
    fixtures.one("HardState", &hard_state());
    fixtures.one("HardState", &HardState::default());
    fixtures.one("SnapshotMeta", &snapshot());
    fixtures.one("SnapshotMeta", &SnapshotMeta::default());
    fixtures.one("PartialSnapshot", &partial());
    fixtures.one("Write", &write());
    fixtures.one("Write", &Write::default());
    fixtures.one("LogSummary", &log());
    fixtures.one("Restored", &restored());
    let membership = Membership::clone(&joint());
    fixtures.each(&[
        Start::Bootstrap(Bootstrap { membership: membership.clone() }),
        Start::Join(Join),
        Start::Restart(restored()),
        Start::Force(Force { restored: restored(), membership }),
    ]);
    fixtures.finish();
}

#[test]
fn configurations() {
    let mut fixtures = Fixtures::of("settings.hex");
    fixtures.one("Settings", &settings());
    // No two switches agree in both.
    let other = Settings { pre_vote: Toggle::On, check_quorum: Toggle::Off, ..settings() };
    fixtures.one("Settings", &other);
    fixtures.one("Config", &settings().validate().expect("they are sound"));
    fixtures.each(&[Toggle::On, Toggle::Off]);
    fixtures.each(&[Forwarding::ToLeader, Forwarding::Refuse]);
    fixtures.finish();
}

#[test]
fn what_an_operator_sees() {
    let mut fixtures = Fixtures::of("status.hex");
    fixtures.one("Status", &status());
    fixtures.one("PeerStatus", &peer());
    fixtures.each(&[Role::Follower, Role::PreCandidate, Role::Candidate, Role::Leader]);
    fixtures.each(&[
        PeerFlow::Probe,
        PeerFlow::Stream,
        PeerFlow::Snapshot { position: LONG, received: 0 },
    ]);
    fixtures.each(&Rejection::ALL);
    fixtures.each(&events());
    fixtures.each(&[StepDown::QuorumUnheard, StepDown::DiskStalled, StepDown::Removed]);
    fixtures.finish();
}

#[test]
fn requests_and_replies() {
    let mut fixtures = Fixtures::of("requests.hex");
    fixtures.each(&requests());
    fixtures.each(&REFUSALS);
    let outcomes = [
        Outcome::Done { position: SHORT },
        Outcome::Readable { index: LogIndex(99) },
        Outcome::Transferred { leader: NodeId(2) },
        Outcome::Refused { refusal: Refusal::NotLeader, leader: Some(NodeId(2)) },
        Outcome::Refused { refusal: Refusal::NoLeader, leader: None },
        Outcome::Lost { position: LONG },
        Outcome::Unknown,
    ];
    fixtures.each(&outcomes);
    fixtures.one("Reply", &Reply { request: RequestId(900), outcome: Outcome::Unknown });
    fixtures.finish();
}

#[test]
fn recordings() {
    let mut fixtures = Fixtures::of("recordings.hex");
    let answers = [
        ChunkAnswer::Chunk { total: 70_000, data: "bytes".into() },
        ChunkAnswer::Locator("s3://b/k".into()),
        ChunkAnswer::Failed,
    ];
    let staged = [StageAnswer::Staged, StageAnswer::Fetched(snapshot()), StageAnswer::Failed];
    let (number, first) = (900, LogIndex(98));
    let inputs = [
        RecordedInput::Tick,
        RecordedInput::Receive(envelope()),
        RecordedInput::Persisted(WriteNumber(4)),
        RecordedInput::Applied(LogIndex(99)),
        RecordedInput::Fetched {
            number,
            reader: Reader::Peer(NodeId(2)),
            first,
            entries: Some(entries()),
        },
        RecordedInput::Fetched { number, reader: Reader::Machine, first, entries: None },
        RecordedInput::SnapshotTaken(snapshot()),
        RecordedInput::ChunkRead { number, peer: NodeId(2), answer: answers[0].clone() },
        RecordedInput::ChunkWritten { number, answer: StageAnswer::Staged },
        RecordedInput::ForeignReceipt,
        RecordedInput::Request(requests()[0].clone()),
        RecordedInput::Campaign,
        RecordedInput::Suppress(Ticks(1_000)),
    ];
    fixtures.each(&inputs);
    fixtures.each(&[Reader::Peer(NodeId(2)), Reader::Machine]);
    fixtures.each(&answers);
    fixtures.each(&staged);
    let step = RecordedStep { now: Instant(5_000), input: inputs[0].clone() };
    fixtures.one("RecordedStep", &step);
    let started = RecordedStart { settings: settings(), start: Join.into(), now: Instant(300) };
    // What a node has inside may change with every version: for this line alone, making it anew is enough.
    let node = RecordedNode::of(&started.begin().expect("settings and a start"));
    fixtures.each(&[
        RecordedLine::Continued(Box::new(node)),
        RecordedLine::Started(Box::new(started)),
        RecordedLine::Step(step.clone()),
        RecordedLine::Status(Box::new(status())),
        RecordedLine::Fed(step),
    ]);
    fixtures.finish();
}

/// Sessions have bytes of their own, and serde's.
#[test]
fn client_sessions() {
    let mut fixtures = Fixtures::of("sessions.hex");
    for (name, request) in ["open", "do", "close"].iter().zip(session_requests()) {
        let bytes = request.encode();
        assert_eq!(SessionRequest::decode(&bytes), Ok(request));
        fixtures.bytes(name, &bytes);
    }
    let bytes = sessions().encode();
    assert_eq!(Sessions::decode(&bytes), Ok(sessions()));
    fixtures.bytes("table", &bytes);

    fixtures.each(&session_requests());
    fixtures.one("SessionLimits", &SessionLimits::default());
    let error = DecodeError::Version { found: 2 };
    let refusals = [
        SessionRefusal::Expired,
        SessionRefusal::NotAwaited,
        SessionRefusal::TooFarAhead,
        SessionRefusal::OutputNotKept,
        SessionRefusal::AppliedBefore,
        SessionRefusal::Malformed(error),
    ];
    fixtures.each(&refusals);
    fixtures.each(&[
        SessionReply::Opened(SessionId(SHORT)),
        SessionReply::Done("output".into()),
        SessionReply::Closed,
        SessionReply::Refused(SessionRefusal::Expired),
    ]);
    fixtures.each(&[
        DecodeError::CutOff,
        DecodeError::LeftOver,
        error,
        DecodeError::Kind { found: 3 },
        DecodeError::Number,
        DecodeError::Limits,
        DecodeError::Order,
        DecodeError::LastUse,
    ]);
    fixtures.finish();
}

#[test]
fn a_variant_without_a_value_is_missed() {
    assert_eq!(missing_variants(&[Role::Follower, Role::Leader]), ["PreCandidate", "Candidate"]);
    assert_eq!(missing_variants(&REFUSALS[1..]), ["NotLeader"]);
}

#[test]
fn a_difference_is_seen() {
    let line = |name: &str, digits: &str| (name.to_owned(), digits.to_owned());
    let committed = "same 00\nchanged 00ff\ngone 02\n";
    let current = [line("same", "00"), line("changed", "00fe"), line("new", "03")];
    let found = differences(committed, &current).join("\n");
    assert_eq!(
        found,
        "changed has changed\n    from 00ff\n    to   00fe\nnew is not committed yet: 03\ngone is gone"
    );
    assert_eq!(differences("same 00\r\n", &current[..1]), Vec::<String>::new());
}
