//! Runs of nodes and machines with one known fault: what is left of them says that fault and nothing else.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use raft_core::{LogPosition, Node};

use super::{Effort, Ended, ShrinkError, Shrunk, shrink};
use crate::draw::Draw;
use crate::kv::{Command, Kv};
use crate::machine::Machine;
use crate::plan::{Fault, Plan, Profile};
use crate::raft::Raft;
use crate::violation::Property;
use crate::world::run;
use crate::world::tests::broken::{Broken, Gone};

/// A store that breaks when a key is deleted that was there.
#[derive(Clone, Default)]
struct Touchy {
    store: Kv,
    is_broken: bool,
}

impl Machine for Touchy {
    fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes {
        if let Ok(Command::Delete { key }) = Command::decode(command) {
            self.is_broken |= !self.store.value(key).is_empty();
        }
        self.store.apply(position, command)
    }

    fn digest(&self) -> u64 {
        self.store.digest()
    }

    fn snapshot(&self) -> Bytes {
        self.store.snapshot()
    }

    fn restore(snapshot: &Bytes) -> Result<Self, String> {
        Ok(Self { store: Kv::restore(snapshot)?, is_broken: false })
    }

    fn invariant(&self) -> Result<(), String> {
        if self.is_broken { Err("a key was deleted".to_owned()) } else { Ok(()) }
    }

    fn command(draw: &mut Draw) -> Bytes {
        Kv::command(draw)
    }
}

fn shrunk<R: Raft + 'static, M: Machine + 'static>(plan: &Plan, jobs: usize) -> Shrunk {
    let effort = Effort {
        budget: Duration::from_secs(100),
        jobs: NonZeroUsize::new(jobs).expect("there is a thread"),
    };
    let shrunk = shrink::<R, M>(plan, effort, |_| ()).expect("the plan fails");
    assert_eq!(shrunk.ended, Ended::Smallest);
    assert!(shrunk.after.lines <= shrunk.before.lines, "{:?}", shrunk.after);
    let again = run::<R, M>(&shrunk.plan).violation;
    assert_eq!(again.as_ref(), Some(&shrunk.violation), "what is told is what happens");
    assert_eq!(run::<Node, Kv>(&shrunk.plan).violation, None, "the core is not to blame");
    shrunk
}

fn failing<R: Raft, M: Machine>(property: Property) -> Plan {
    let plans = (0..50).map(|seed| Plan::generate(seed, Profile::Default));
    let fails = |plan: &Plan| run::<R, M>(plan).violation.is_some_and(|it| it.property == property);
    plans.into_iter().find(fails).expect("one in fifty fails")
}

/// Goal: of a node that never comes back from its disk one crash is left, and no operation.
#[test]
fn one_crash_is_left() {
    let plan = failing::<Broken<Gone>, Kv>(Property::RestoreFailed);
    let left = shrunk::<Broken<Gone>, Kv>(&plan, 2).plan;
    let crashes = left.faults.iter().filter(|timed| matches!(timed.fault, Fault::Crash { .. }));
    assert_eq!((crashes.count(), left.faults.len()), (1, 1), "{:?}", left.faults);
    assert!(left.operations.is_empty() && left.overrides.is_empty() && left.actions.is_empty());
}

/// Goal: of a machine that breaks when a key is deleted, its making and its deletion are left.
#[test]
fn two_operations_are_left() {
    let plan = failing::<Node, Touchy>(Property::MachineInvariant);
    let left = shrunk::<Node, Touchy>(&plan, 2);
    assert_eq!(left.plan.operations.len(), 2, "{:?}", left.plan.operations);
    // A slow disk may be what makes a follower the first to apply, as it was before.
    assert!(left.plan.faults.len() < 2 && left.plan.overrides.is_empty(), "{:?}", left.plan);
    assert!(left.after.lines < 10, "{:?}", left.after);
}

/// Goal: what is left does not depend on the number of threads.
#[test]
fn threads_change_nothing() {
    let plan = failing::<Node, Touchy>(Property::MachineInvariant);
    let (one, two) = (shrunk::<Node, Touchy>(&plan, 1), shrunk::<Node, Touchy>(&plan, 3));
    assert_eq!(one.plan, two.plan);
}

/// Goal: a run that violates nothing is said to be one.
#[test]
fn a_clean_run_is_refused() {
    let plan = Plan::generate(4, Profile::Calm);
    let error = shrink::<Node, Kv>(&plan, Effort::default(), |_| ()).expect_err("it is clean");
    assert_eq!(error, ShrinkError::Clean { seed: 4 });
}
