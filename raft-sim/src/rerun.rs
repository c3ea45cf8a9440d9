//! A run on record, run again: the very same, or, by a build that has changed, as nearly as it goes.
//!
//! *Strict*: the plan alone decides, and everything must happen as recorded. *Guided*: each message of the record has its
//! recorded fate, whatever the seed says, and the run goes on after it has left the record; how much of the record happened
//! all the same is counted.
//!
//! Invariant: a build that has not changed reruns strictly, and guided to the same end.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use raft_core::NodeId;

use crate::campaign;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::raft::Raft;
use crate::run_file::{Mark, RunFile, marks};
use crate::story::Narrator;
#[cfg(feature = "command")]
use crate::violation::Property;
use crate::violation::Violation;

/// How many events of a node, recorded and found, are passed over to find one that is both.
const AHEAD: usize = 100;

/// What came of a strict rerun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strict {
    /// The same as recorded.
    Same {
        /// So many events.
        events: u64,
    },
    /// Something else.
    Differs(Divergence),
}

/// Where a run leaves the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The number of the recorded event, from 1.
    pub number: u64,
    /// What was recorded; none if the record ends.
    pub expected: Option<Mark>,
    /// What happened instead; none if the run ends.
    pub found: Option<Mark>,
}

/// What came of a guided rerun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guided {
    /// How many events are on record.
    pub recorded: u64,
    /// How many of them happened again, each node's in their order, whenever that was.
    pub again: u64,
    /// Where the run left the record first; nowhere if it is the same.
    pub divergence: Option<Divergence>,
    /// What was violated, if anything was.
    pub violated: Option<Violation>,
}

impl RunFile {
    /// Runs the plan again: everything must be as recorded. A run that takes longer than `limit` on the wall clock is given
    /// up, as violating [`Property::TimeLimit`].
    pub fn strict<R: Raft + 'static, M: Machine + 'static>(&self, limit: Duration) -> Strict {
        let (found, _) = run_again::<R, M>(self.plan.clone(), limit);
        match divergence(&self.marks, &found) {
            None => Strict::Same { events: found.len() as u64 },
            Some(divergence) => Strict::Differs(divergence),
        }
    }

    /// Runs the plan with the recorded fates, and counts how much of the record happens again.
    ///
    /// Events are matched at each node in order, by their texts; times do not count. Where the two sides differ, as few of
    /// both are passed over as bring them together again: cheap, and at most a few less than the most that could be matched.
    pub fn guided<R: Raft + 'static, M: Machine + 'static>(&self, limit: Duration) -> Guided {
        let plan = Plan { overrides: self.fates.clone(), ..self.plan.clone() };
        let (found, violated) = run_again::<R, M>(plan, limit);
        Guided {
            recorded: self.marks.len() as u64,
            again: again(&self.marks, &found),
            divergence: divergence(&self.marks, &found),
            violated,
        }
    }

    /// Whether a rerun violated what the recorded run did, or both violated nothing.
    pub fn is_met_by(&self, guided: &Guided) -> bool {
        self.violated == guided.violated.as_ref().map(|violation| violation.property)
    }
}

/// What matters of a run of a plan, and what it violated.
fn run_again<R, M>(plan: Plan, limit: Duration) -> (Vec<Mark>, Option<Violation>)
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let (narrator, story) = Narrator::<M>::new(&plan);
    let violation = campaign::replay::<R, M, _>(plan, narrator, limit).verdict.violation;
    let mut story = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(violation) = &violation {
        story.conclude(violation);
    }
    (marks(&story), violation)
}

/// The first event that is not as recorded.
fn divergence(recorded: &[Mark], found: &[Mark]) -> Option<Divergence> {
    let same = recorded.iter().zip(found).take_while(|(one, other)| one == other).count();
    let (expected, found) = (recorded.get(same).cloned(), found.get(same).cloned());
    let differs = expected.is_some() || found.is_some();
    differs.then_some(Divergence { number: same as u64 + 1, expected, found })
}

/// How many recorded events are found again, each node's in their order.
fn again(recorded: &[Mark], found: &[Mark]) -> u64 {
    let found = by_node(found);
    let common = |(node, recorded): (&_, &Vec<&str>)| {
        found.get(node).map_or(0, |found| in_common(recorded, found))
    };
    by_node(recorded).iter().map(common).sum()
}

fn by_node(marks: &[Mark]) -> BTreeMap<Option<NodeId>, Vec<&str>> {
    let mut nodes: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for Mark { node, text, .. } in marks {
        nodes.entry(*node).or_default().push(text);
    }
    nodes
}

/// How many texts two lists have in common, in order. Where they differ, the fewest on both sides are passed over; where no
/// [`AHEAD`] are enough, one on each.
fn in_common(mut recorded: &[&str], mut found: &[&str]) -> u64 {
    let mut count = 0;
    while let (Some(one), Some(other)) = (recorded.first(), found.first()) {
        let (passed, others) = if one == other {
            count += 1;
            (1, 1)
        } else {
            meeting(recorded, found).unwrap_or((1, 1))
        };
        (recorded, found) = (&recorded[passed..], &found[others..]);
    }
    count
}

/// How many to pass over on each side until two are the same.
fn meeting(recorded: &[&str], found: &[&str]) -> Option<(usize, usize)> {
    let pairs = (1..=AHEAD).flat_map(|both| (0..=both).map(move |one| (one, both - one)));
    pairs.into_iter().find(|(one, other)| {
        matches!((recorded.get(*one), found.get(*other)), (Some(one), Some(other)) if one == other)
    })
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |mark: &Option<Mark>, end: &str| match mark {
            None => end.to_owned(),
            Some(Mark { at, text, .. }) => {
                format!("{text} (at {} s)", crate::timeline::seconds(*at))
            }
        };
        let Self { number, expected, found } = self;
        let (expected, found) = (shown(expected, "the end"), shown(found, "the end of the run"));
        write!(f, "event {number}: recorded is {expected}; found is {found}")
    }
}

/// What was violated, by name.
#[cfg(feature = "command")]
pub(crate) fn named(property: Option<Property>) -> &'static str {
    property.map_or("nothing", Property::name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::Instant;

    fn mark(node: u64, text: &str, at: u64) -> Mark {
        Mark { at: Instant(at), node: Some(NodeId(node)), text: text.to_owned() }
    }

    /// Goal: events are matched at their nodes, in order, by what they are and not by when; what is missing costs no more than
    /// itself.
    #[test]
    fn matching_is_by_node_and_order() {
        let recorded = [mark(1, "a", 1), mark(2, "b", 2), mark(1, "c", 3), mark(1, "a", 4)];
        assert_eq!(again(&recorded, &recorded), 4);
        let found = [mark(1, "a", 9), mark(1, "x", 9), mark(1, "a", 9), mark(2, "b", 9)];
        assert_eq!(again(&recorded, &found), 3);
        assert_eq!(again(&recorded, &[mark(2, "a", 1)]), 0);
        let many: Vec<Mark> = (0..AHEAD).map(|_| mark(1, "x", 1)).collect();
        assert_eq!(again(&recorded, &[&many, &recorded[..]].concat()), 4);
        assert_eq!(again(&recorded, &[&many, &many, &recorded[..]].concat()), 1);
    }

    /// Goal: the first difference is named with both sides, and so is an end that comes too soon.
    #[test]
    fn divergences_are_named() {
        let recorded = [mark(1, "a", 1), mark(2, "b", 2_000_000)];
        assert_eq!(divergence(&recorded, &recorded), None);
        let other = divergence(&recorded, &[mark(1, "a", 1), mark(2, "b", 3)]).expect("too soon");
        let told = "event 2: recorded is b (at 2.000000 s); found is b (at 0.000003 s)";
        assert_eq!(other.to_string(), told);
        let short = divergence(&recorded, &recorded[..1]).expect("it ends too soon");
        assert!(short.to_string().ends_with("found is the end of the run"), "{short}");
    }
}
