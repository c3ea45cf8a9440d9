//! How a run differs from what its scenario says of it.

use std::fmt;

use raft_core::{Instant, NodeId};

use super::{Ending, Fact};
use crate::plan::PlanError;
use crate::units::time_text;
use crate::violation::{Property, Violation};

/// The first thing in a run that is not as its scenario says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The line that says otherwise, if one does: without one, a run is expected to be clean.
    pub line: Option<usize>,
    /// What is expected, and what is found.
    pub difference: Difference,
}

/// What is expected, and what is found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// The plan cannot be run.
    #[error("{0}")]
    Plan(PlanError),
    /// A node is not what it should be.
    #[error("at {} {node} should be `{expected}`, but is `{found}`", time_text(at.0))]
    State {
        /// When.
        at: Instant,
        /// The node.
        node: NodeId,
        /// What it should be.
        expected: Fact,
        /// What it is.
        found: Fact,
    },
    /// The run had ended before anything could be expected.
    #[error(
        "at {} the run should go on, but it was over at {}: give an earlier time, or let it `end` or `heal` later",
        time_text(at.0),
        time_text(ended.0)
    )]
    Over {
        /// The moment of the expectation.
        at: Instant,
        /// When the run was over.
        ended: Instant,
    },
    /// Something is violated that should not be.
    #[error("the run should {}, but it violates {} at {}: {}", told(*expected), violation.property, time_text(violation.at.0), violation.witness)]
    Violated {
        /// How it should end.
        expected: Ending,
        /// What is violated.
        violation: Violation,
    },
    /// Nothing is violated, though something should be.
    #[error("the run should violate {expected}, but it is clean")]
    Clean {
        /// What should be.
        expected: Property,
    },
}

fn told(ending: Ending) -> String {
    match ending {
        Ending::Clean => "be clean".to_owned(),
        Ending::Violation(property) => format!("violate {property}"),
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.difference),
            None => write!(f, "{}", self.difference),
        }
    }
}

impl std::error::Error for Mismatch {}
