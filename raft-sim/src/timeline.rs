//! What happened in a run, as rows in the order of simulated time: for `replay`.
//!
//! A [`Timeline`] is made by running a plan with a [`Recorder`]; [`Timeline::render`] prints it with a
//! column for each node. Recording changes nothing about the run.

mod recorder;
mod render;
mod sentences;
mod words;

use raft_core::{Instant, LogIndex, NodeId, Role, Term};
use serde::Serialize;

use crate::violation::Violation;

pub use recorder::Recorder;
pub use render::View;
pub(crate) use sentences::{
    Sentences, answer, changes, command_words, composed, errand, lost, message, protocol,
    quiet_changes,
};
pub(crate) use words::{grouped, put, seconds};

/// How the row that ends a failed run begins.
const MARK: &str = "VIOLATION";

/// The rows of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The nodes, in the order of their columns.
    pub nodes: Vec<NodeId>,
    /// What happened, in order.
    pub rows: Vec<Row>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// When, in simulated time.
    pub at: Instant,
    /// Whom it concerns; everybody if nobody is named.
    pub nodes: Vec<NodeId>,
    /// What, for people.
    pub text: String,
    /// The state of the first node named, if this changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<NodeState>,
}

/// A node's state as far as a column shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeState {
    /// Whether it runs.
    pub standing: Standing,
    /// Its role.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Up to here it believes its log committed.
    pub commit: LogIndex,
    /// The last index of its log.
    pub last: LogIndex,
}

/// Whether a node runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It runs.
    #[default]
    Up,
    /// It crashed and has not been started again.
    Down,
    /// It is suspended.
    Paused,
}

impl Timeline {
    /// Adds the row that says what was violated, unless the run has told it itself.
    pub fn conclude(&mut self, violation: &Violation) {
        if !self.rows.last().is_some_and(|row| row.text.starts_with(MARK)) {
            self.mark(violation);
        }
    }

    fn mark(&mut self, violation: &Violation) {
        let text = format!("{MARK} {}: {}", violation.property.name(), violation.witness);
        let at = self.rows.last().map_or(violation.at, |row| row.at.max(violation.at));
        self.rows.push(Row { at, nodes: Vec::new(), text, state: None });
    }
}
