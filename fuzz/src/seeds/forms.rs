//! Seeds of the target `decode`: a text or some bytes of each form that raft-core and raft-sim read.

use std::sync::PoisonError;
use std::{env, fs};

use bytes::Bytes;
use raft_core::session::{SessionLimits, SessionRequest, Sessions};
use raft_core::{
    Bootstrap, Effect, Effects, Entry, HardState, Incarnation, Input, Instant, LogIndex,
    LogPosition, LogSummary, Membership, Node, NodeId, Outcome, Payload, RecordedInput,
    RecordedLine, RecordedNode, RecordedStart, RecordedStep, Reply, Request, RequestId, Restored,
    Role, Settings, SnapshotMeta, Start, Term, Write,
};
use raft_sim::Machine;
use raft_sim::kv::{Command, Kv};
use raft_sim::plan::{Asks, CommandBytes, Plan, Profile, TimedOperation};
use raft_sim::run_file::{Registrar, RunFile};
use raft_sim::scenario::Scenario;
use raft_sim::story::{Clerk, Narrator};
use raft_sim::world::run_traced;
use serde::Serialize;

use super::{Numbers, Seed};
use crate::dice::Dice;
use crate::formats::number;
use crate::message::invented;
use crate::report;
use crate::settings::CLUSTER;

/// So many messages, of whatever kinds.
const MESSAGES: u64 = 24;

/// The seeds.
pub(super) fn seeds() -> Vec<Seed> {
    let mut found = Vec::new();
    texts(&mut |name, text| found.push((name, text.into_bytes())));
    packed(&mut |name, bytes| found.push((name, bytes)));
    sessions(&mut |name, bytes| found.push((name, bytes)));
    named(found)
}

/// Each with the byte before it that says what it is.
pub(super) fn named(found: Vec<(&'static str, Vec<u8>)>) -> Vec<Seed> {
    let seed = |(count, (name, bytes)): (usize, (&str, Vec<u8>))| {
        (format!("{name}-{count}"), [&[number(name)], &bytes[..]].concat())
    };
    found.into_iter().enumerate().map(seed).collect()
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("it holds nothing that JSON cannot")
}

fn texts(put: &mut impl FnMut(&'static str, String)) {
    let plans = [Plan::benign(1, 3), Plan::generate(3, Profile::Default)];
    for plan in plans {
        put("plan", json(&plan));
        put("scenario", Scenario::of(plan).write::<Kv>());
    }
    // Those that people wrote.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    files.sort_by_key(fs::DirEntry::path);
    for file in files {
        if let Ok(text) = fs::read_to_string(file.path()) {
            put("scenario", text);
        }
    }
    run(put);
    reports(put);
    let life = life();
    let lines: Vec<String> = life.iter().map(json).collect();
    put("recording", lines[..lines.len() - 1].join("\n"));
    let last = [&lines[lines.len() - 1..], &lines[1..4]].concat();
    put("recording", last.join("\n"));
    for line in lines {
        put("line", line);
    }
    let statuses = life.iter().filter_map(|line| match line {
        RecordedLine::Status(status) => Some(json(status)),
        _ => None,
    });
    statuses.for_each(|status| put("status", status));
    for envelope in messages() {
        put("envelope", json(&envelope));
    }
    for start in starts() {
        put("start", json(&start));
    }
    for text in ["put k3 = a", "cas k1: nothing => b", "append k0 += c", "delete k7", "get k2"] {
        put("words", text.to_owned());
    }
    for text in ["1000 1/1", "7..9 2/4", "fresh:20 1/3"] {
        put("band", text.to_owned());
    }
}

/// A short run, with all that is written of it.
fn run(put: &mut impl FnMut(&'static str, String)) {
    let operation = TimedOperation {
        at: Instant(400_000),
        client: 0,
        node: NodeId(1),
        asks: Asks::Command,
        command: CommandBytes(Command::Delete { key: 1 }.encode()),
    };
    let ends_at = Some(Instant(420_000));
    let plan = Plan { operations: vec![operation], ends_at, ..Plan::benign(2, 1) };
    let (narrator, story) = Narrator::<Kv>::new(&plan);
    let (registrar, fates) = Registrar::new();
    let (clerk, ledger) = Clerk::<Kv>::new(&plan);
    let verdict = run_traced::<Node, Kv, _>(&plan, &mut ((narrator, clerk), registrar));
    put("verdict", json(&verdict));
    let story = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let fates = fates.lock().unwrap_or_else(PoisonError::into_inner).clone();
    put("run", RunFile::new(plan, fates, &story, None).to_text());
    let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    ledger.lines().iter().take(2).for_each(|line| put("history", json(line)));
}

/// The reports of two shards of a campaign in which one run failed, and of a whole one.
fn reports(put: &mut impl FnMut(&'static str, String)) {
    put("reports", report::shards().map(|shard| json(&shard)).join("\n"));
    put("reports", json(&report::of_shard("1/1")));
    put("report-numbers", String::new());
}

fn settings() -> Settings {
    Settings::new(CLUSTER, NodeId(1))
}

/// A founder is elected and takes a command; its recording, with its status and the node as it is at the end.
fn life() -> Vec<RecordedLine> {
    let membership = Membership::of_voters([NodeId(1)]).expect("there is a voter");
    let start = RecordedStart {
        settings: settings(),
        start: Bootstrap { membership }.into(),
        now: Instant(0),
    };
    let (mut node, mut effects) = (start.begin().expect("it is sound"), Effects::new());
    let mut lines = vec![RecordedLine::Started(Box::new(start))];
    let mut todo = vec![Input::Tick];
    let mut command = Some(Request::Propose { id: RequestId(1), command: "x".into() });
    while let Some(input) = todo.pop() {
        let now = node.deadline().min(Instant(10_000));
        let step = RecordedStep { now, input: RecordedInput::of(&input, &node) };
        node.step(now, input, &mut effects);
        lines.push(RecordedLine::Step(step));
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Persist(persist) => todo.push(Input::Persisted(persist.done())),
                Effect::Apply(apply) => todo.push(Input::Applied(apply.done())),
                _ => {}
            }
        }
        if todo.is_empty() {
            match node.role() {
                Role::Leader => todo.extend(command.take().map(Input::Request)),
                _ => todo.push(Input::Tick),
            }
        }
    }
    lines.push(RecordedLine::Status(Box::new(node.status())));
    lines
        .push(RecordedLine::Fed(RecordedStep { now: Instant(10_000), input: RecordedInput::Tick }));
    lines.push(RecordedLine::Continued(Box::new(RecordedNode::of(&node))));
    lines
}

/// Messages of all kinds, to a founder.
pub(super) fn messages() -> Vec<raft_core::Envelope> {
    let membership = Membership::of_voters([1, 2, 3].map(NodeId)).expect("there are voters");
    let config = settings().validate().expect("they are sound");
    let node = Node::new(config, Bootstrap { membership }, Instant(0)).expect("it is a founder");
    let message = |number: u64| {
        let mut input = Numbers::new(number).bytes(64);
        input[0] = number.to_le_bytes()[0];
        invented(&mut Dice::new(&input), &node)
    };
    (0..MESSAGES).map(message).collect()
}

fn starts() -> Vec<Start> {
    let membership = Membership::of_voters([1, 2, 3].map(NodeId)).expect("there are voters");
    let mut log = LogSummary::after(LogPosition::ZERO);
    for payload in [Payload::Blank, Payload::Membership(membership.clone().into())] {
        log.push(&Entry { term: Term(1), payload }).expect("a log may hold them");
    }
    let restored = Restored {
        hard_state: HardState { term: Term(1), vote: None, incarnation: Incarnation(1) },
        snapshot: SnapshotMeta { membership: membership.clone().into(), ..SnapshotMeta::default() },
        log,
        commit: LogIndex(1),
        applied: LogIndex(0),
        partial: None,
    };
    vec![Bootstrap { membership }.into(), restored.into()]
}

pub(super) fn pack(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data has bytes")
}

fn packed(put: &mut impl FnMut(&'static str, Vec<u8>)) {
    for envelope in messages() {
        put("packed-envelope", pack(&envelope));
    }
    for start in starts() {
        put("packed-start", pack(&start));
    }
    for line in life() {
        put("packed-line", pack(&line));
    }
    let write =
        Write { commit: Some(LogIndex(1)), truncate_from: Some(LogIndex(2)), ..Write::default() };
    put("packed-write", pack(&write));
    let reply = Reply { request: RequestId(1), outcome: Outcome::Unknown };
    let event = raft_core::Event::ElectionTimeout { term: Term(1) };
    put("packed-request", pack(&(Request::Read { id: RequestId(1) }, reply, event)));
    put("packed-settings", pack(&(settings(), Membership::default())));
}

/// Requests, the table that they lead to, and the state of a store.
fn sessions(put: &mut impl FnMut(&'static str, Vec<u8>)) {
    let mut table = Sessions::new(SessionLimits::default());
    let at = |index| LogPosition::new(Term(1), LogIndex(index));
    let session = raft_core::session::SessionId(at(1));
    let (sequence, lowest) = (raft_core::session::Sequence(1), raft_core::session::Sequence(1));
    let command = Bytes::from_static(b"command");
    let requests = [
        SessionRequest::Open,
        SessionRequest::Do { session, sequence, lowest, command },
        SessionRequest::Close { session },
    ];
    for (request, index) in requests.iter().zip(1..) {
        let bytes = request.encode();
        put("session-request", bytes.to_vec());
        table.apply(at(index), &bytes, Bytes::clone);
        let length = u8::try_from(bytes.len()).expect("it is short");
        put("sessions", [&[length], &bytes[..], &table.encode()].concat());
    }
    let mut store = Kv::default();
    store.apply(at(1), &Command::Put { key: 3, value: "value".into() }.encode());
    put("snapshot", store.snapshot().to_vec());
}
