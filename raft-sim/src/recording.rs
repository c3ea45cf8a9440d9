//! Recorded lives of `raft-core` nodes, from a simulation, a test or production, replayed.
//!
//! A recording is a text of one [`RecordedLine`] a line, as JSON: the start, then each step before it was taken, and
//! now and then the node's status, which the replay must come to as well. The last line may be cut off, as a
//! crash leaves it.
//!
//! Invariant: replaying changes nothing about the node: it is the real one, given what it was given.

use std::collections::BTreeSet;

use raft_core::{
    Effects, Instant, Node, RecordedInput, RecordedLine, RecordedNode, RecordedStart, RecordedStep,
    ReplayError, Status,
};
use serde_json::Value;

use crate::campaign::catch;
use crate::raft::{Output, Raft};
use crate::timeline::{NodeState, Row, Timeline, changes, errand, message, protocol};

/// A recorded life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    beginning: Beginning,
    /// What follows the first line, each with its number.
    lines: Vec<(u64, RecordedLine)>,
    /// The number of the last line, if it is cut off.
    cut_off: Option<u64>,
}

/// How a recording begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Beginning {
    /// With the life.
    Started(Box<RecordedStart>),
    /// In the middle of it.
    Continued(Box<RecordedNode>),
}

/// Why a text is no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// There is nothing in it.
    #[error(
        "the recording is empty: its first line must be {{\"started\": ...}} or {{\"continued\": ...}}"
    )]
    Empty,
    /// The first line says something else than how the life began.
    #[error(
        "line 1 is neither {{\"started\": ...}} with settings, start and now, nor {{\"continued\": ...}} with a node of \
         this version: {reason}"
    )]
    NotStarted {
        /// What is wrong with it.
        reason: String,
    },
    /// A line in the middle cannot be read.
    #[error(
        "line {line} is neither {{\"step\": ...}} nor {{\"status\": ...}}: {reason}; lines were lost or mixed up"
    )]
    Malformed {
        /// Its number.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The life begins in the middle.
    #[error("line {line} begins another life: give each life of a node a file of its own")]
    SecondStart {
        /// Its number.
        line: u64,
    },
    /// No node starts like this.
    #[error("{0}")]
    Begin(#[from] ReplayError),
}

/// How a replay ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the last step; every recorded status was met.
    Same,
    /// The node is not what it was.
    Differs {
        /// The number of the line with the status.
        line: u64,
        /// Which parts of the status differ, and how.
        what: String,
    },
    /// One of the node's invariants does not hold.
    Broken {
        /// The number of the line with the step.
        line: u64,
        /// Which.
        what: String,
    },
    /// The node panicked.
    Panicked {
        /// The number of the line with the step.
        line: u64,
        /// What it said, and where.
        what: String,
    },
}

/// A life, lived again.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What happened.
    pub timeline: Timeline,
    /// The node at the end; none after a panic.
    pub node: Option<Node>,
    /// How many steps were taken.
    pub steps: u64,
    /// With how many recorded statuses the node was compared.
    pub compared: u64,
    /// How it ended.
    pub ending: Ending,
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// The first line that cannot be read, but for the last one: that may be cut off.
    pub fn read(text: &str) -> Result<Self, RecordingError> {
        let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        let (first, _) = lines.next().ok_or(RecordingError::Empty)?;
        let beginning = match serde_json::from_str(first) {
            Ok(RecordedLine::Started(started)) => Beginning::Started(started),
            Ok(RecordedLine::Continued(node)) => Beginning::Continued(node),
            Ok(_) => {
                let reason = "the beginning was lost".to_owned();
                return Err(RecordingError::NotStarted { reason });
            }
            Err(error) => return Err(RecordingError::NotStarted { reason: error.to_string() }),
        };
        let mut recording = Self { beginning, lines: Vec::new(), cut_off: None };
        let mut lines = lines.peekable();
        while let Some((text, line)) = lines.next() {
            match serde_json::from_str(text) {
                Ok(RecordedLine::Started(_) | RecordedLine::Continued(_)) => {
                    return Err(RecordingError::SecondStart { line });
                }
                Ok(read) => recording.lines.push((line, read)),
                Err(error) if error.is_eof() && lines.peek().is_none() => {
                    recording.cut_off = Some(line);
                }
                Err(error) => {
                    let reason = error.to_string();
                    return Err(RecordingError::Malformed { line, reason });
                }
            }
        }
        Ok(recording)
    }

    /// The number of the last line, if it is cut off: it is left out.
    pub fn cut_off(&self) -> Option<u64> {
        self.cut_off
    }

    /// Lives the life again, up to `until`.
    ///
    /// # Errors
    /// When no node starts like this.
    pub fn replay(&self, until: Option<Instant>) -> Result<Replayed, RecordingError> {
        let (node, began, how) = match &self.beginning {
            Beginning::Started(started) => (started.begin()?, started.now, "starts"),
            Beginning::Continued(node) => (node.begin(), node.now(), "is recorded from here on"),
        };
        let timeline = Timeline { nodes: vec![node.id()], rows: Vec::new() };
        let mut life = Life { timeline, node, steps: 0, compared: 0 };
        life.row(began, how);
        let mut ending = Ending::Same;
        for (line, what) in &self.lines {
            if matches!(what, RecordedLine::Step(step) | RecordedLine::Fed(step) if until.is_some_and(|until| step.now > until))
            {
                break;
            }
            let lived = catch(|| life.live(*line, what));
            ending = lived.unwrap_or_else(|panicked| {
                let what = format!("{} at {}", panicked.message, panicked.location);
                Ending::Panicked { line: *line, what }
            });
            if ending != Ending::Same {
                break;
            }
        }
        let Life { timeline, node, steps, compared } = life;
        let node = Some(node).filter(|_| !matches!(ending, Ending::Panicked { .. }));
        Ok(Replayed { timeline, node, steps, compared, ending })
    }
}

/// A life while it is lived.
struct Life {
    timeline: Timeline,
    node: Node,
    steps: u64,
    compared: u64,
}

impl Life {
    fn live(&mut self, line: u64, what: &RecordedLine) -> Ending {
        match what {
            RecordedLine::Step(step) => self.take(line, step, RecordedStep::replay),
            RecordedLine::Fed(step) => self.take(line, step, RecordedStep::feed),
            RecordedLine::Status(status) => self.compare(line, status),
            RecordedLine::Started(_) | RecordedLine::Continued(_) => Ending::Same,
        }
    }

    fn row(&mut self, at: Instant, what: &str) {
        let id = self.node.id();
        let state = Some(NodeState::of(&self.node.view()));
        self.timeline.rows.push(Row { at, nodes: vec![id], text: format!("{id} {what}"), state });
    }

    fn take(
        &mut self,
        line: u64,
        step: &RecordedStep,
        again: fn(&RecordedStep, &mut Node, &mut Effects),
    ) -> Ending {
        let before = self.node.view();
        let mut effects = Effects::new();
        self.row(step.now, &given(&step.input));
        again(step, &mut self.node, &mut effects);
        self.steps += 1;
        if let Some(changes) = changes(&before, &self.node.view()) {
            self.row(step.now, &changes);
        }
        while let Some(output) = <Node as Raft>::pop(&mut effects) {
            if let Some(asks) = asked(&output) {
                self.row(step.now, &asks);
            }
        }
        match Node::invariants(&self.node) {
            Ok(()) => Ending::Same,
            Err(what) => Ending::Broken { line, what: what.to_owned() },
        }
    }

    fn compare(&mut self, line: u64, recorded: &Status) -> Ending {
        self.compared += 1;
        let status = self.node.status();
        if status == *recorded {
            return Ending::Same;
        }
        Ending::Differs { line, what: difference(&status, recorded) }
    }
}

/// Which parts of two statuses differ.
fn difference(now: &Status, recorded: &Status) -> String {
    let parts = |status: &Status| match serde_json::to_value(status) {
        Ok(Value::Object(parts)) => parts,
        _ => serde_json::Map::new(),
    };
    let (now, recorded) = (parts(now), parts(recorded));
    let names: BTreeSet<&String> = now.keys().chain(recorded.keys()).collect();
    let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    let differs = names.into_iter().filter(|name| now.get(*name) != recorded.get(*name));
    let told = differs.map(|name| {
        format!("{name} is {}, recorded {}", show(now.get(name)), show(recorded.get(name)))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// What a node was given, in words.
fn given(input: &RecordedInput) -> String {
    match input {
        RecordedInput::Tick => "is woken by time".to_owned(),
        RecordedInput::Receive(envelope) => {
            let facts = Node::facts(envelope);
            format!("<- {} {}", facts.from, message(&facts))
        }
        RecordedInput::Persisted(number) => format!("learns that write {} is durable", number.0),
        RecordedInput::Applied(index) => format!("learns that its machine is at {index}"),
        RecordedInput::Fetched { first, entries: Some(entries), .. } => {
            format!("is given {} old entries from {first}", entries.len())
        }
        RecordedInput::Fetched { first, entries: None, .. } => {
            format!("is not given old entries from {first}")
        }
        RecordedInput::SnapshotTaken(meta) => {
            format!("learns that a snapshot was taken at {}", meta.position)
        }
        RecordedInput::ChunkRead { peer, .. } => format!("is given a chunk to send to {peer}"),
        RecordedInput::ChunkWritten { .. } => "learns that a chunk was staged, or not".to_owned(),
        RecordedInput::ForeignReceipt => "is given a receipt that is not its own".to_owned(),
        RecordedInput::Request(request) => format!("is asked for {request:?}"),
        RecordedInput::Campaign => "is told to stand for election".to_owned(),
        RecordedInput::Suppress(span) => format!("is told not to stand for {} ticks", span.0),
    }
}

/// What a node asks for, in words; nothing for what a change of its state shows.
fn asked(output: &Output<Node>) -> Option<String> {
    Some(match output {
        Output::Send(envelope) => {
            let facts = Node::facts(envelope);
            format!("-> {} {}", facts.to, message(&facts))
        }
        Output::Persist(persist) => format!("writes, as write {}", persist.number().0),
        Output::Apply(apply) => format!("hands {} entries to its machine", apply.entries().count()),
        Output::Restore(restore) => {
            format!("restores its machine to {}", restore.snapshot().position)
        }
        Output::Chore(chore) => format!("asks its driver to {}", errand(Node::task(chore))),
        Output::Reply(reply) => format!("answers {:?}: {:?}", reply.request, reply.outcome),
        Output::Event(event) => return protocol(*event),
    })
}
