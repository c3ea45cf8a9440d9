//! Scenarios: runs as people write them down, to be read, compared and reviewed.
//!
//! A [`Scenario`] is a [`Plan`] with what is expected of its run, as text: a line for whatever is not as usual, then a line
//! for each event, in the order in which they happen.
//!
//! ```
//! use raft_sim::kv::Kv;
//! use raft_sim::scenario::Scenario;
//!
//! let text = "\
//! ## A leader is elected, is asked for something, and crashes.
//! scenario 1
//! set pre-vote off
//!
//! +0ms    campaign n1
//! +50ms   expect n1 leader, term 1, commit 1
//! +0ms    client 0 asks n1: put k3 = blue
//! +50ms   expect n2 follower, commit 2  # a heartbeat has told it
//! +0ms    crash n1 for 300ms
//! +400ms  end
//! ";
//! let scenario = Scenario::read::<Kv>(text)?;
//! assert_eq!(scenario.check::<raft_core::Node, Kv>(), Ok(()));
//! assert_eq!(scenario.write::<Kv>(), text);
//! # Ok::<(), raft_sim::scenario::ScenarioError>(())
//! ```
//!
//! What is usual is [`Plan::benign`] with the seed 0 and three nodes: nothing goes wrong, and nobody asks for anything. All
//! is healed twenty election timeouts after the last line that has a time, or, with an `end`, not before it.
//! `docs/SCENARIOS.md` lists every kind of line.
//!
//! Invariants: every plan that can be run can be written, and is read back as it was; a text that was read keeps its
//! comments and blank lines when it is written, and is written the same ever after.

mod blame;
mod cut;
mod error;
mod event;
mod expectation;
mod header;
mod mismatch;
mod place;
mod reader;
mod slot;
#[cfg(test)]
mod tests;
mod values;
mod words;
mod writer;

use std::any::type_name;

use raft_core::Instant;

use crate::machine::Machine;
use crate::plan::Plan;

pub use error::{Problem, ScenarioError};
pub use expectation::{Ending, Expectation, Fact};
pub use mismatch::{Difference, Mismatch};

pub(crate) use event::fault_text;
pub(crate) use expectation::Found;

use place::{Notes, Place, Timed};

/// The seed of a scenario that names none.
const USUAL_SEED: u64 = 0;
/// How many nodes a scenario has that does not say.
const USUAL_NODES: u32 = 3;

/// A run, and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The run.
    pub plan: Plan,
    /// What nodes must be at moments of it.
    pub expectations: Vec<Expectation>,
    /// What it must end with.
    pub ending: Ending,
    /// What people wrote around its lines, and which lines there are.
    notes: Notes,
}

impl Scenario {
    /// A plan of which nothing is expected but that its run is clean.
    pub fn of(plan: Plan) -> Self {
        let mut scenario =
            Self { plan, expectations: Vec::new(), ending: Ending::Clean, notes: Notes::default() };
        if let Some(first) = scenario.first_event() {
            scenario.notes.before(Place::Timed(first)).push(String::new());
        }
        scenario
    }

    /// The same with a comment before everything else.
    #[must_use]
    pub fn with_story(mut self, story: &str) -> Self {
        let before = self.notes.before(Place::Opening);
        let comments = story.lines().map(|line| format!("# {line}").trim_end().to_owned());
        before.splice(0..0, comments);
        self
    }

    /// Reads a scenario. The machine understands its commands.
    ///
    /// # Errors
    /// What is wrong with the text, where, and what would fit there; or why its plan cannot be run.
    pub fn read<M: Machine>(text: &str) -> Result<Self, ScenarioError> {
        reader::read::<M>(text)
    }

    /// The scenario as text that [`Scenario::read`] reads. The machine puts its commands into words.
    pub fn write<M: Machine>(&self) -> String {
        writer::write::<M>(self)
    }

    /// A test that checks the scenario, as Rust to paste.
    pub fn as_test<M: Machine>(&self, name: &str) -> String {
        let text = self.write::<M>();
        // As many marks as no quotation mark in the text is followed by.
        let mut marks = "#".to_owned();
        while text.contains(&format!("\"{marks}")) {
            marks.push('#');
        }
        let (name, machine) = (identifier(name), type_name::<M>());
        let call = format!("    raft_sim::scenario_text::<{machine}>(");
        format!(
            "#[test]\nfn {name}() {{\n{call}\n        r{marks}\"\n{text}\"{marks},\n    );\n}}\n"
        )
    }

    /// The number of the line that states an expectation, if it was read from a text.
    pub(crate) fn line_of_expectation(&self, number: usize) -> Option<usize> {
        self.notes.line(Place::Timed(Timed::Expectation(number)))
    }

    /// The number of the line that says how the run ends, if it was read from a text that does.
    pub(crate) fn line_of_ending(&self) -> Option<usize> {
        self.notes.line(Place::Ending)
    }

    fn last_expectation(&self) -> Instant {
        self.expectations.iter().map(|expectation| expectation.at).max().unwrap_or_default()
    }

    /// What comes first after the header.
    fn first_event(&self) -> Option<Timed> {
        let plan = &self.plan;
        let fault = plan.faults.first().map(|timed| (timed.at, Timed::Fault(0)));
        let action = plan.actions.first().map(|timed| (timed.at, Timed::Action(0)));
        let operation = plan.operations.first().map(|timed| (timed.at, Timed::Operation(0)));
        let end = plan.ends_at.map(|at| (at, Timed::End));
        let all = [end, fault, action, operation].into_iter().flatten();
        all.min_by_key(|(at, timed)| (*at, timed.list())).map(|(_, timed)| timed)
    }
}

/// Whether a text is meant to be a scenario: its first word, after comments, is `scenario`.
pub(crate) fn is_scenario(text: &str) -> bool {
    let lines = text.lines().map(|line| words::split_comment(line).0.trim());
    let first = lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
    first.split_whitespace().next() == Some("scenario")
}

/// A name as Rust has it: words apart by `_`, and not a digit first.
fn identifier(name: &str) -> String {
    let mut identifier = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            identifier.push(character.to_ascii_lowercase());
        } else if !identifier.is_empty() && !identifier.ends_with('_') {
            identifier.push('_');
        }
    }
    let identifier = identifier.trim_end_matches('_');
    if identifier.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return identifier.to_owned();
    }
    format!("scenario_{identifier}").trim_end_matches('_').to_owned()
}
