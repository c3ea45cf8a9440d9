//! A run on record: the plan, what became of each message, and what happened, so that another build can be held against it.
//!
//! The file has a JSON object on each line: `run` with the plan, then a `fate` for each message, an `event` for each thing
//! that happened and matters, and `end` with their numbers. Each event carries a hash of itself and all before it.
//!
//! Invariants: a file that is read is complete, its plan can be run, and its events are those that were written.

use std::sync::{Arc, Mutex, PoisonError};

use raft_core::{Instant, NodeId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::{hash_bytes, mixed};
use crate::plan::{MessageKind, Override, Plan};
use crate::story::{Story, What};
use crate::violation::Property;
use crate::world::{Trace, TraceEvent};

/// The version of the format. A file of another one is refused.
pub const RUN_FILE_VERSION: u32 = 1;

/// A run on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFile {
    /// What was run.
    pub plan: Plan,
    /// What was violated, if anything was.
    pub violated: Option<Property>,
    /// The fate of each message, its wait for others included. Cuts and filters are the plan's, and come again with it.
    pub fates: Vec<Override>,
    /// What happened and matters, in order.
    pub marks: Vec<Mark>,
}

/// Something that happened: a delivery, a change of a node, a write, an answer, a crash, ...
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Instant,
    /// At which node.
    pub node: Option<NodeId>,
    /// What, in a sentence that names no time.
    pub text: String,
}

/// Why a text is no run on record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunFileError {
    /// The first line says something else than what was run.
    #[error("line 1 is no {{\"run\": ...}} with a version and a plan: {reason}")]
    NoRun {
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by another version.
    #[error(
        "it is a recorded run of version {found}, and this build reads version {RUN_FILE_VERSION}: record it again, or use the build that \
         recorded it"
    )]
    Version {
        /// Its version.
        found: u64,
    },
    /// The plan cannot be run.
    #[error("its plan cannot be run: {reason}")]
    Plan {
        /// Why.
        reason: String,
    },
    /// A line cannot be read.
    #[error("line {line} is neither a fate nor an event nor the end: {reason}")]
    Malformed {
        /// Its number.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The hash of an event is not that of what stands before it.
    #[error("line {line} does not follow from the lines before it: the file was changed")]
    Broken {
        /// Its number.
        line: usize,
    },
    /// The end is missing, or counts other lines.
    #[error("it is cut off: its last line does not count the lines before it")]
    CutOff,
}

/// What a file begins with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u64,
    plan: Value,
    violated: Option<Property>,
}

/// A line after the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Fate(Override),
    Event {
        at: Instant,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<NodeId>,
        text: String,
        /// Of this event and all before it.
        chain: String,
    },
    End {
        fates: usize,
        events: usize,
    },
}

impl RunFile {
    /// The record of a run: its plan, what a [`Registrar`] has noted, its story, and what was violated.
    pub fn new(
        plan: Plan,
        fates: Vec<Override>,
        story: &Story,
        violated: Option<Property>,
    ) -> Self {
        Self { plan, violated, fates, marks: marks(story) }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn read(text: &str) -> Result<Self, RunFileError> {
        let mut lines = (1..).zip(text.lines());
        let (_, first) = lines.next().unwrap_or((1, ""));
        let (plan, violated) = header(first)?;
        let mut run = Self { plan, violated, fates: Vec::new(), marks: Vec::new() };
        let (mut before, mut is_whole) = (0, false);
        for (line, text) in lines {
            let read = serde_json::from_str(text);
            match read.map_err(|error| (error.is_eof(), error.to_string())) {
                Ok(Line::Fate(fate)) => run.fates.push(fate),
                Ok(Line::Event { at, node, text, chain }) => {
                    let mark = Mark { at, node, text };
                    before = mark.chained(before);
                    if chain != hexadecimal(before) {
                        return Err(RunFileError::Broken { line });
                    }
                    run.marks.push(mark);
                }
                Ok(Line::End { fates, events }) => {
                    is_whole = (fates, events) == (run.fates.len(), run.marks.len());
                }
                Err((true, _)) => return Err(RunFileError::CutOff),
                Err((false, reason)) => return Err(RunFileError::Malformed { line, reason }),
            }
        }
        if is_whole { Ok(run) } else { Err(RunFileError::CutOff) }
    }

    /// The file that [`RunFile::read`] reads.
    ///
    /// # Panics
    /// Never: a record consists of numbers, names and lists.
    pub fn to_text(&self) -> String {
        let plan = serde_json::to_value(&self.plan).expect("a plan holds nothing that JSON cannot");
        let header = Header { version: RUN_FILE_VERSION.into(), plan, violated: self.violated };
        let mut text = format!("{{\"run\":{}}}\n", written(&header));
        let mut put = |line: &Line| {
            text += &written(line);
            text.push('\n');
        };
        for fate in &self.fates {
            put(&Line::Fate(*fate));
        }
        let mut before = 0;
        for mark in &self.marks {
            before = mark.chained(before);
            let Mark { at, node, text } = mark.clone();
            put(&Line::Event { at, node, text, chain: hexadecimal(before) });
        }
        put(&Line::End { fates: self.fates.len(), events: self.marks.len() });
        text
    }
}

fn header(line: &str) -> Result<(Plan, Option<Property>), RunFileError> {
    #[derive(Deserialize)]
    struct First {
        run: Value,
    }
    let no_run = |error: serde_json::Error| RunFileError::NoRun { reason: error.to_string() };
    let First { run } = serde_json::from_str(line).map_err(no_run)?;
    // What another version means by the other fields is not known.
    let found = run.get("version").and_then(Value::as_u64);
    if let Some(found) = found.filter(|found| *found != u64::from(RUN_FILE_VERSION)) {
        return Err(RunFileError::Version { found });
    }
    let Header { plan, violated, .. } = serde_json::from_value(run).map_err(no_run)?;
    let plan = Plan::from_json(&plan.to_string());
    let plan = plan.map_err(|error| RunFileError::Plan { reason: error.to_string() })?;
    Ok((plan, violated))
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a record holds nothing that JSON cannot")
}

fn hexadecimal(hash: u64) -> String {
    format!("{hash:016x}")
}

impl Mark {
    /// The hash of this and what stands before it.
    fn chained(&self, before: u64) -> u64 {
        let node = self.node.map_or(0, |node| node.0);
        mixed(mixed(hash_bytes(before, self.text.as_bytes()), self.at.0), node)
    }
}

/// What matters of a story.
pub(crate) fn marks(story: &Story) -> Vec<Mark> {
    let matters = |what: &What| {
        matches!(
            what,
            What::Started { .. }
                | What::StartRefused
                | What::Changed { .. }
                | What::Delivered { .. }
                | What::Malformed { .. }
                | What::Submitted
                | What::Durable { .. }
                | What::Applied { .. }
                | What::Crashed { .. }
                | What::Paused
                | What::Resumed
                | What::Answered { .. }
                | What::Operator
                | What::Violated { .. }
        )
    };
    let events = story.events.iter().filter(|event| matters(&event.what));
    let mark =
        events.map(|event| Mark { at: event.at, node: event.node, text: event.text.clone() });
    mark.collect()
}

/// Notes the fates of messages.
pub struct Registrar {
    fates: Arc<Mutex<Vec<Override>>>,
}

impl Registrar {
    /// A registrar for a run, and the list that it fills.
    pub fn new() -> (Self, Arc<Mutex<Vec<Override>>>) {
        let fates = Arc::default();
        (Self { fates: Arc::clone(&fates) }, fates)
    }
}

impl Trace for Registrar {
    fn record(&mut self, _at: Instant, event: TraceEvent<'_>) {
        let TraceEvent::Sent { facts, nth, fate: Some(fate), .. } = event else { return };
        // Of a kind without a name no plan can list the fate.
        let kind = MessageKind::ALL.get(usize::from(facts.kind));
        let Some(kind) = kind.copied() else { return };
        let (from, to, term) = (facts.from, facts.to, facts.term);
        let fate = Override { from, to, kind, term, nth, fate };
        self.fates.lock().unwrap_or_else(PoisonError::into_inner).push(fate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Kv;
    use crate::plan::Profile;
    use crate::story::Narrator;
    use crate::world::run_traced;

    fn recorded() -> RunFile {
        let plan = Plan::generate(5, Profile::Default);
        let (narrator, story) = Narrator::<Kv>::new(&plan);
        let (registrar, fates) = Registrar::new();
        let verdict = run_traced::<raft_core::Node, Kv, _>(&plan, &mut (narrator, registrar));
        let story = story.lock().expect("nobody panics").clone();
        let fates = fates.lock().expect("nobody panics").clone();
        RunFile::new(plan, fates, &story, verdict.violation.map(|it| it.property))
    }

    /// Goal: what is written is what is read.
    #[test]
    fn files_survive() {
        let run = recorded();
        assert!(run.fates.len() > 20 && run.marks.len() > 200);
        assert_eq!(RunFile::read(&run.to_text()), Ok(run));
    }

    /// Goal: a file that was cut, changed or written by another version is called that.
    #[test]
    fn broken_files_are_named() {
        let text = recorded().to_text();
        let error = |text: &str| RunFile::read(text).expect_err("it is broken");
        assert_eq!(error(&text[..text.len() / 2]), RunFileError::CutOff);
        let cut = text.trim_end().rfind('\n').expect("it has lines");
        assert_eq!(error(&text[..cut]), RunFileError::CutOff);
        let changed = text.replacen("n1 starts with", "n2 starts with", 1);
        assert!(matches!(error(&changed), RunFileError::Broken { .. }));
        let other = text.replacen("\"version\":1,", "\"version\":9,", 1);
        assert_eq!(error(&other), RunFileError::Version { found: 9 });
        assert!(matches!(error(""), RunFileError::NoRun { .. }));
        let plan = text.replacen("\"nodes\":", "\"nodes\":9", 1);
        assert!(matches!(error(&plan), RunFileError::Plan { .. }));
        let line = text.replacen("{\"fate\":", "{\"date\":", 1);
        assert!(matches!(error(&line), RunFileError::Malformed { line: 2, .. }));
    }
}
