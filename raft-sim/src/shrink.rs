//! Makes a failing run smaller: the smallest plan that still violates the same property, by nodes in the same roles.
//!
//! A plan that came from a seed leaves nearly everything to draws: the delay of each message, who is meant by "the
//! leader", what each client asks for. It is first cut at the violation and made explicit, so that removing one thing
//! does not reshuffle the rest; what is explicit and differs from a benign world then is a line, and lines are taken
//! away, by halves, by kinds and one by one, for as long as what is left violates the same.
//!
//! Invariants: what is kept is a run that violated the same property with the same roles, cut right after that; the result depends on
//! the plan alone unless time runs out; it is never larger than what it was made of.

mod gather;
mod items;
mod measure;
mod passes;
mod search;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use crate::campaign::{self, SEED_LIMIT};
use crate::machine::Machine;
use crate::plan::{Plan, PlanError};
use crate::raft::Raft;
use crate::violation::{Property, Violation};

pub use measure::Size;

use search::{Bench, Search};

/// How long to search unless somebody says.
pub const DEFAULT_BUDGET: Duration = Duration::from_secs(9);

/// What a search may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Nothing else is tried after this long.
    pub budget: Duration,
    /// How many runs at a time.
    pub jobs: NonZeroUsize,
}

impl Default for Effort {
    fn default() -> Self {
        let jobs = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { budget: DEFAULT_BUDGET, jobs }
    }
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many plans were run.
    pub runs: u64,
    /// The smallest so far.
    pub size: Size,
    /// What is tried now.
    pub trying: &'static str,
}

/// A plan that was made smaller.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// What it violates.
    pub violation: Violation,
    /// How large the plan was that it was made of.
    pub before: Size,
    /// How large it is.
    pub after: Size,
    /// How many plans were run.
    pub runs: u64,
    /// Why the search ended.
    pub ended: Ended,
    /// How long it took.
    pub elapsed: Duration,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing that was tried made it smaller.
    Smallest,
    /// The time was up.
    TimeUp,
}

/// Why nothing was made smaller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShrinkError {
    /// Nothing was violated.
    #[error(
        "seed {seed} violates nothing, so there is nothing to make smaller: give a seed or a plan that fails"
    )]
    Clean {
        /// The plan's seed.
        seed: u64,
    },
    /// The plan cannot be run.
    #[error("the plan cannot be run: {0}")]
    Plan(#[from] PlanError),
    /// A run that did not return.
    #[error(
        "a run that takes too long on the wall clock cannot be made smaller: each attempt would take as long"
    )]
    Endless,
}

/// Makes a failing plan smaller, and tells how that goes.
///
/// # Errors
/// When the plan cannot be run, does not fail, or does not return.
pub fn shrink<R: Raft + 'static, M: Machine + 'static>(
    plan: &Plan,
    effort: Effort,
    mut tell: impl FnMut(Progress),
) -> Result<Shrunk, ShrinkError> {
    let began = campaign::now();
    plan.validate()?;
    let bench = Bench::new::<R, M>();
    let first = (bench.run)(plan, SEED_LIMIT);
    let Some(violation) = first.verdict.violation.clone() else {
        return Err(ShrinkError::Clean { seed: plan.seed });
    };
    if violation.property == Property::TimeLimit {
        return Err(ShrinkError::Endless);
    }
    let mut search = Search::new(bench, plan, &first, effort, began, &mut tell);
    let before = search.told(plan, search.size());
    let ended = passes::all(&mut search);
    Ok(search.into_shrunk(before, ended, began.elapsed()))
}
