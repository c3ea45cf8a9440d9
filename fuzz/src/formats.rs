//! The forms in which raft-core and raft-sim write things down: whatever bytes they are read from, nothing panics, an error
//! says something, and what was read is written as something that is read as the same.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str;

use bytes::Bytes;
use raft_core::session::{SessionRequest, Sessions};
use raft_core::{
    Envelope, Event, LogIndex, LogPosition, Membership, RecordedLine, Reply, Request, Settings,
    Start, Status, Write,
};
use raft_sim::Machine;
use raft_sim::campaign::{SeedRequest, Shard, Summary};
use raft_sim::kv::Kv;
use raft_sim::plan::Plan;
use raft_sim::recording::Recording;
use raft_sim::report::{self, Context, Vacuity};
use raft_sim::run_file::RunFile;
use raft_sim::scenario::Scenario;
use raft_sim::served::Served;
use raft_sim::story::Line;
use raft_sim::verdict::Verdict;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::report::edited;

/// Reads bytes of a form, and writes what was read; or says why they are none.
pub type Read = fn(&[u8]) -> Result<(), String>;

/// Every form that raft-core and raft-sim read. A new one comes last, or inputs that were kept become others.
pub const FORMATS: [(&str, Read); 23] = [
    ("plan", plan),
    ("scenario", scenario),
    ("recording", recording),
    ("run", run_file),
    ("line", line),
    ("envelope", json::<Envelope>),
    ("start", json::<Start>),
    ("status", json::<Status>),
    ("history", json::<Line>),
    ("verdict", json::<Verdict>),
    ("reports", reports),
    ("report-numbers", report_numbers),
    ("packed-envelope", packed::<Envelope>),
    ("packed-write", packed::<Write>),
    ("packed-start", packed::<Start>),
    ("packed-line", packed_line),
    ("packed-request", packed::<(Request, Reply, Event)>),
    ("packed-settings", packed::<(Settings, Membership)>),
    ("session-request", session_request),
    ("sessions", sessions),
    ("snapshot", snapshot),
    ("words", words),
    ("band", band),
];

/// The numbers of the examples' forms begin here.
pub const FIRST_EXAMPLE: u8 = 128;

/// Every form that the examples read, in the order in which the target `decode` has them. Here, too, a new one comes last.
pub const EXAMPLES: [&str; 14] = [
    "packets",
    "requests",
    "responses",
    "greetings",
    "refusals",
    "kv-command",
    "kv-output",
    "kv-change",
    "kv-state",
    "kv-log",
    "redis-frame",
    "redis-log",
    "redis-command",
    "browser-records",
];

/// The byte that stands before bytes of a form.
///
/// # Panics
/// When there is no such form.
pub fn number(name: &str) -> u8 {
    let few = |place| u8::try_from(place).expect("there are few");
    if let Some(place) = FORMATS.iter().position(|(other, _)| *other == name) {
        return few(place);
    }
    let place = EXAMPLES.iter().position(|other| *other == name);
    FIRST_EXAMPLE + few(place.expect("it is the name of a form"))
}

/// A refusal, in the words that people read.
///
/// # Panics
/// When it says nothing.
pub fn said(error: &impl Display) -> String {
    let text = error.to_string();
    assert!(text.len() > 3, "`{text}`");
    text
}

/// A value as JSON.
///
/// # Errors
/// When the bytes are none.
///
/// # Panics
/// When it is not written as it was read.
pub fn json<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    bytes: &[u8],
) -> Result<(), String> {
    let value: T = serde_json::from_slice(bytes).map_err(|error| said(&error))?;
    let text = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(again, value);
    Ok(())
}

/// A value as `postcard` has it.
///
/// # Errors
/// When the bytes are none.
///
/// # Panics
/// When it is not written as it was read.
pub fn packed<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    bytes: &[u8],
) -> Result<(), String> {
    let value: T = postcard::from_bytes(bytes).map_err(|error| said(&error))?;
    let packed = postcard::to_stdvec(&value).expect("what was read can be written");
    let again: T = postcard::from_bytes(&packed).expect("what was written can be read");
    assert_eq!(again, value);
    Ok(())
}

/// The text that bytes are.
///
/// # Errors
/// When they are none.
pub fn text(bytes: &[u8]) -> Result<&str, String> {
    str::from_utf8(bytes).map_err(|error| said(&error))
}

fn plan(bytes: &[u8]) -> Result<(), String> {
    let plan = Plan::from_json(text(bytes)?).map_err(|error| said(&error))?;
    assert_eq!(Plan::from_json(&plan.to_json()).as_ref(), Ok(&plan));
    // Every plan that can be run is a scenario.
    let written = Scenario::of(plan.clone()).write::<Kv>();
    let read = Scenario::read::<Kv>(&written).expect("what was written can be read");
    assert_eq!(read.plan, plan, "{written}");
    Ok(())
}

/// A scenario is written the same ever after; what is wrong with a text points into it.
fn scenario(bytes: &[u8]) -> Result<(), String> {
    let text = text(bytes)?;
    let scenario = Scenario::read::<Kv>(text).map_err(|error| {
        let lines = text.lines().count().max(1);
        assert!((1..=lines).contains(&error.line), "there are {lines} lines: {error}");
        let length = text.lines().nth(error.line - 1).map_or(0, |line| line.chars().count());
        assert!((1..=length + 1).contains(&error.column), "{length} characters: {error}");
        said(&error)
    })?;
    let written = scenario.write::<Kv>();
    let again = Scenario::read::<Kv>(&written).expect("what was written can be read");
    assert_eq!(again.plan, scenario.plan, "{written}");
    assert_eq!(again.expectations, scenario.expectations, "{written}");
    assert_eq!(again.ending, scenario.ending, "{written}");
    assert_eq!(again.write::<Kv>(), written);
    assert!(scenario.as_test::<Kv>("found").contains(&written));
    Ok(())
}

/// A life that can be read can be lived again, or it is said why not. A disk that somebody made up is believed as it is
/// written, so a life that begins with one is only read: starting from disks is what the target `restore` does.
fn recording(bytes: &[u8]) -> Result<(), String> {
    let text = text(bytes)?;
    let recording = Recording::read(text).map_err(|error| said(&error))?;
    if begins_with_a_disk(text) {
        return Ok(());
    }
    let replayed = recording.replay(None).map_err(|error| said(&error))?;
    assert!(!replayed.timeline.rows.is_empty());
    Ok(())
}

fn begins_with_a_disk(text: &str) -> bool {
    let first: Option<Value> = text.lines().next().and_then(|line| serde_json::from_str(line).ok());
    let start = first.map(|line| line["started"]["start"].clone()).unwrap_or_default();
    start.get("Restart").is_some() || start.get("Force").is_some()
}

/// A line of a recording. Nothing is asked of a node in the middle of its life, as whatever somebody made up may be none:
/// not even whether it is the same.
fn line(bytes: &[u8]) -> Result<(), String> {
    let line: RecordedLine = serde_json::from_slice(bytes).map_err(|error| said(&error))?;
    let text = serde_json::to_vec(&line).expect("what was read can be written");
    let again: RecordedLine = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).ok(), Some(text));
    Ok(())
}

fn packed_line(bytes: &[u8]) -> Result<(), String> {
    let line: RecordedLine = postcard::from_bytes(bytes).map_err(|error| said(&error))?;
    let text = postcard::to_stdvec(&line).expect("what was read can be written");
    let again: RecordedLine = postcard::from_bytes(&text).expect("what was written can be read");
    assert_eq!(postcard::to_stdvec(&again).ok(), Some(text));
    Ok(())
}

fn run_file(bytes: &[u8]) -> Result<(), String> {
    let run = RunFile::read(text(bytes)?).map_err(|error| said(&error))?;
    assert_eq!(RunFile::read(&run.to_text()).as_ref(), Ok(&run));
    Ok(())
}

/// The reports of shards, one after the other, as `raft-sim merge` reads them: if they are one campaign's, it is told in
/// every form, and the form for programs is a report again.
fn reports(bytes: &[u8]) -> Result<(), String> {
    let merged = Summary::merge(summaries(text(bytes)?)?).map_err(|error| said(&error))?;
    let (invocation, plans) = ("raft-sim".to_owned(), BTreeMap::new());
    let context = Context { invocation, plans, vacuity: Vacuity::Fails };
    let written = report::json(&merged, &context);
    let again = summaries(&written).expect("what was written can be read");
    assert_eq!(again.len(), 1);
    assert_eq!(report::json(&again[0], &context), written);
    let cannot_be_shown = |c: char| c.is_control() && c != '\n';
    for form in [report::text, report::junit, report::markdown] {
        let told = form(&merged, &context);
        assert!(told.ends_with('\n') && !told.contains(cannot_be_shown), "{told:?}");
    }
    Ok(())
}

/// The reports of two shards, in which numbers were changed.
fn report_numbers(bytes: &[u8]) -> Result<(), String> {
    reports(edited(bytes).as_bytes())
}

fn summaries(text: &str) -> Result<Vec<Summary>, String> {
    let documents = serde_json::Deserializer::from_str(text).into_iter();
    documents.collect::<Result<_, _>>().map_err(|error| said(&error))
}

/// A value has one encoding.
fn session_request(bytes: &[u8]) -> Result<(), String> {
    let bytes = Bytes::copy_from_slice(bytes);
    let request = SessionRequest::decode(&bytes).map_err(|error| said(&error))?;
    assert_eq!(request.encode(), bytes);
    Ok(())
}

/// The first byte says how many more are a request for the table that the others are.
fn sessions(bytes: &[u8]) -> Result<(), String> {
    let (length, rest) = bytes.split_first().ok_or("nothing")?;
    let (request, table) = rest.split_at(usize::from(*length).min(rest.len()));
    let mut sessions = Sessions::decode(table).map_err(|error| said(&error))?;
    assert_eq!(sessions.encode(), table);
    let LogPosition { term, index } = sessions.applied();
    let next = LogPosition::new(term, LogIndex(index.0.saturating_add(1)));
    sessions.apply(next, &Bytes::copy_from_slice(request), Bytes::clone);
    assert!(sessions.len() as u64 <= sessions.limits().max_sessions.get());
    assert_eq!(Sessions::decode(&sessions.encode()).as_ref(), Ok(&sessions));
    Ok(())
}

/// A state of the built-in store, with a table of sessions or without.
fn snapshot(bytes: &[u8]) -> Result<(), String> {
    let bytes = Bytes::copy_from_slice(bytes);
    let served = Served::<Kv>::new(2);
    if let Ok(state) = served.restore(&bytes) {
        let again = served.restore(&state.snapshot()).expect("what was written can be read");
        assert_eq!((again.digest(), again.snapshot()), (state.digest(), state.snapshot()));
    }
    let store = Kv::restore(&bytes).map_err(|error| said(&error))?;
    assert_eq!(Kv::restore(&store.snapshot()).as_ref(), Ok(&store));
    Ok(())
}

/// A command in words, as the built-in store has them.
fn words(bytes: &[u8]) -> Result<(), String> {
    let command = Kv::parse_command(text(bytes)?).ok_or("no command")?;
    if let Some(words) = Kv::command_text(&command) {
        assert_eq!(Kv::parse_command(&words).as_ref(), Some(&command));
    }
    Ok(())
}

/// Which seeds to run, and which share of them, as on a command line.
fn band(bytes: &[u8]) -> Result<(), String> {
    let (seeds, shard) = text(bytes)?.split_once(' ').ok_or("one word")?;
    if let SeedRequest::Band(seeds) = seeds.parse().map_err(|error| said(&error))? {
        assert!(seeds.count() > 0);
    }
    let shard: Shard = shard.parse().map_err(|error| said(&error))?;
    assert_eq!(shard.to_string().parse().as_ref(), Ok(&shard));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::seeds::seeds;

    /// Goal: of each form there is a seed that is read, so that the fuzzer need not find out how it looks.
    #[test]
    fn every_form_has_a_seed() {
        let mut read = BTreeSet::new();
        for (name, input) in seeds("decode") {
            let (number, bytes) = input.split_first().expect("a seed begins with its form");
            let Some((form, reads)) = FORMATS.get(usize::from(*number)) else { continue };
            assert_eq!(reads(bytes), Ok(()), "{name}");
            read.insert(*form);
        }
        let missing: Vec<&str> =
            FORMATS.iter().map(|(form, _)| *form).filter(|form| !read.contains(form)).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}
