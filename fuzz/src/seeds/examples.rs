//! Seeds of the target `decode`: of each form that the examples read.

use bytes::Bytes;
use driver::machine::Machine;
use driver::members::Change;
use driver::packet::{CallError, Packet};
use driver::transport::{Greeting, Purpose, Refused};
use kv::machine::{self, Command, Kv, Output};
use kv::protocol::{Answer, Ask, Freshness, Problem, Request, Response};
use raft_core::session::{Sequence, SessionId, SessionRequest};
use raft_core::{
    Entry, Envelope, HardState, Incarnation, LogIndex, LogPosition, Membership, NodeId, Payload,
    SnapshotMeta, Term,
};
use raft_redis::frame;
use serde::Serialize;
use serde_json::json;

use super::Seed;
use super::forms::{json, messages, named, pack};
use crate::settings::CLUSTER;

pub(super) fn seeds() -> Vec<Seed> {
    let mut found = Vec::new();
    connections(&mut |name, bytes| found.push((name, bytes)));
    store(&mut |name, bytes| found.push((name, bytes)));
    disks(&mut |name, bytes| found.push((name, bytes)));
    named(found)
}

/// A message as a frame: its length, and then its bytes.
fn framed(message: &impl Serialize) -> Vec<u8> {
    let bytes = pack(message);
    let length = u32::try_from(bytes.len()).expect("it is short");
    [&length.to_le_bytes(), &bytes[..]].concat()
}

fn to_node_2(envelope: &Envelope) -> Envelope {
    Envelope { from: NodeId(1), to: NodeId(2), cluster: CLUSTER, ..envelope.clone() }
}

fn connections(put: &mut impl FnMut(&'static str, Vec<u8>)) {
    let key = Bytes::from_static(b"key");
    for envelope in messages() {
        put("packets", framed(&Packet::Raft(envelope.clone())));
        put("redis-frame", frame::encode(&to_node_2(&envelope)).unwrap_or_default());
    }
    let call = Packet::Call {
        number: 1,
        name: "change members".to_owned(),
        arguments: key.clone(),
        at_leader: true,
    };
    let failed = Err(CallError::NotLeader { leader: Some(NodeId(1)) });
    put("packets", [framed(&call), framed(&Packet::Answer { number: 1, result: failed })].concat());
    put("packets", framed(&Packet::Message(key.clone())));
    let freshness = Freshness::Stale;
    let asks = [
        Ask::Status,
        Ask::Get { key: key.clone(), freshness },
        Ask::Scan { from: key.clone(), to: None, most: 9, freshness },
        Ask::Command(SessionRequest::Open.encode()),
        Ask::Change(Change::Remove { node: NodeId(1) }),
        Ask::Weaken(5),
    ];
    for ask in asks {
        put("requests", framed(&Request { number: 1, ask }));
    }
    let try_again = Problem::TryAgain { why: "later".to_owned(), leader: None };
    let pairs = Answer::Pairs(vec![(key.clone(), key.clone())]);
    for answer in [Ok(Answer::Value(Some(key))), Ok(pairs), Ok(Answer::Done), Err(try_again)] {
        put("responses", framed(&Response { number: 1, answer }));
    }
    let purpose =
        Purpose::Peer { from: NodeId(1), to: NodeId(2), address: "127.0.0.1:1".to_owned() };
    put("greetings", framed(&Greeting { cluster: CLUSTER, purpose }));
    let refused: Result<(), Refused> = Err(Refused::Version { theirs: 1, ours: 2 });
    put("refusals", framed(&refused));
}

/// The key-value store: commands, outputs, a state, and a log.
fn store(put: &mut impl FnMut(&'static str, Vec<u8>)) {
    let (key, value) = (Bytes::from_static(b"key"), Bytes::from_static(b"value"));
    let change = machine::Change::Put { key: key.clone(), value: value.clone() };
    let batch = Command::Batch(vec![change, machine::Change::Delete { key: "other".into() }]);
    let set = Command::CompareAndSet { key, expected: None, value: Some(value.clone()) };
    put("kv-command", batch.encode());
    put("kv-command", set.encode());
    put("kv-output", pack(&Output::Differs(Some(value))));
    let address = "127.0.0.1:1".to_owned();
    put("kv-change", pack(&Change::Add { node: NodeId(4), address, votes: true }));
    let (mut store, mut log) = (Kv::default(), Vec::new());
    let session = SessionId(LogPosition::new(Term(1), LogIndex(1)));
    let (sequence, lowest) = (Sequence(1), Sequence(1));
    let command = batch.encode().into();
    let requests =
        [SessionRequest::Open, SessionRequest::Do { session, sequence, lowest, command }];
    for (request, index) in requests.iter().zip(1..) {
        let bytes = request.encode();
        log.push(u8::try_from(bytes.len()).expect("it is short"));
        log.extend_from_slice(&bytes);
        store.apply(LogPosition::new(Term(1), LogIndex(index)), &bytes);
    }
    put("kv-log", log);
    put("kv-state", store.image()().to_vec());
}

/// What lies on disks.
fn disks(put: &mut impl FnMut(&'static str, Vec<u8>)) {
    let hard_state =
        HardState { term: Term(2), vote: Some(NodeId(2)), incarnation: Incarnation(1) };
    let membership = Membership::of_voters([NodeId(2)]).expect("there is a voter");
    let founded = SnapshotMeta { membership: membership.into(), ..SnapshotMeta::default() };
    let entry = Entry { term: Term(1), payload: Payload::command("x") };
    // The records of the log over Redis, by their numbers in it.
    let records = [
        pack(&(2_u8, &founded)),
        pack(&(1_u8, hard_state)),
        pack(&(4_u8, &entry)),
        pack(&(4_u8, &entry)),
        pack(&(3_u8, LogIndex(2))),
        pack(&(5_u8, LogIndex(1))),
    ];
    let mut log = Vec::new();
    for record in records {
        log.push(u8::try_from(record.len()).expect("it is short"));
        log.extend(record);
    }
    put("redis-log", log);
    let command = raft_redis::store::Command::Put { key: "k".to_owned(), value: "v".to_owned() };
    put("redis-command", command.encode().to_vec());
    let note = json!({"cluster": 1, "node": 2}).to_string();
    let snapshot = json!({"meta": founded, "state": []}).to_string();
    let records = json!([
        [["note", 0], note],
        [["hardState", 0], json(&hard_state)],
        [["snapshot", 0], snapshot],
        [["base", 0], json(&LogPosition::ZERO)],
        [["log", 1], json(&entry)],
        [["commit", 0], "1"],
    ]);
    put("browser-records", records.to_string().into_bytes());
    let message = Envelope { cluster: raft_core::ClusterId(1), ..to_node_2(&messages()[0]) };
    put("browser-records", json(&message).into_bytes());
}
