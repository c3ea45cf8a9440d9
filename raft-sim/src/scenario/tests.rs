//! Goal: every plan survives its text, every text keeps what people wrote, and whatever is no scenario is refused where it
//! goes wrong.

mod errors;
mod plans;

use proptest::prelude::*;
use raft_core::Node;

use super::*;
use crate::kv::Kv;
use crate::plan::Profile;

/// One of each kind of line, as it is written.
pub(super) const EVERY: &str = include_str!("tests/every.scenario");

fn read(text: &str) -> Scenario {
    Scenario::read::<Kv>(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Text, plan and text again are the same.
#[track_caller]
fn survives(plan: &Plan) {
    assert_eq!(plan.validate(), Ok(()));
    let text = Scenario::of(plan.clone()).write::<Kv>();
    let again = read(&text);
    assert_eq!(again.plan, *plan, "{text}");
    assert_eq!(again.write::<Kv>(), text);
}

/// Plans of seeds, of every profile.
#[test]
fn generated_plans_survive() {
    for profile in Profile::ALL {
        for seed in 0..600 {
            survives(&Plan::generate(seed, profile));
        }
    }
}

/// A benign plan is one line, and all that is written differs from it.
#[test]
fn what_is_usual_is_left_out() {
    assert_eq!(Scenario::of(Plan::benign(0, 3)).write::<Kv>(), "scenario 1\n");
    let told = Scenario::of(Plan::benign(7, 5)).with_story("Five nodes.\n\nNothing else.");
    assert_eq!(
        told.write::<Kv>(),
        "# Five nodes.\n#\n# Nothing else.\nscenario 1\nnodes 5\nseed 7\n"
    );
}

/// Every kind of line is written as it is read, in the form in which it was written by hand.
#[test]
fn every_kind_of_line_survives() {
    let scenario = read(EVERY);
    assert_eq!(scenario.write::<Kv>(), EVERY);
    assert_eq!(scenario.expectations.len(), 2);
    // The lines mean a plan that can be run.
    let _ = scenario.check::<Node, Kv>();
}

/// What is said though it is usual, absolute times and another order of lines are read; and written as they should be.
#[test]
fn free_forms_are_read() {
    let free = "\n # first\nscenario 1\r\n set  priority 1\nnodes 3 # said\nset pre-vote on#on\n\n at 1.5s campaign n2\n2s \
                expect n2 leader  \n2s client 4 reads n2 :  get k3\nexpect clean\n\n# last";
    let canonical = "\n# first\nscenario 1\nnodes 3  # said\nset pre-vote on  #on\nset priority 1\n\n+1.5s   campaign n2\n\
                     +500ms  expect n2 leader\n+0ms    client 4 reads n2: get k3\nexpect clean\n\n# last\n";
    assert_eq!(read(free).write::<Kv>(), canonical);
    assert_eq!(read(canonical).write::<Kv>(), canonical);
    assert_eq!(read(free).plan, read(canonical).plan);
}

/// What is not said follows from what is.
#[test]
fn healing_follows_the_last_line() {
    let heals = |lines: &str| read(&format!("scenario 1\n{lines}")).plan.heal_at.0;
    assert_eq!(heals(""), 3_000_000);
    assert_eq!(heals("+1s campaign n1\n"), 4_000_000);
    assert_eq!(heals("+1s expect n1 follower\n"), 4_000_000);
    assert_eq!(heals("+1s heal\n"), 1_000_000);
    assert_eq!(heals("+1s end\n"), 1_000_000);
    assert_eq!(heals("+1ms end\n+7s campaign n1\n"), 7_001_000);
}

/// What people may write around lines: comments and blank lines before each and at the end, comments behind.
fn around() -> impl Strategy<Value = Vec<(Vec<String>, Option<String>)>> {
    let comment = "#[ -~é]{0,20}[!-~é]|#";
    let before = prop::collection::vec(prop_oneof![Just(String::new()), comment], 0..3);
    let line = (before, prop::option::of(comment));
    prop::collection::vec(line, 1..200)
}

proptest! {
    /// Comments and blank lines stay where they are.
    #[test]
    fn comments_stay(seed in 0..1_000_u64, around in around()) {
        let plan = Plan::generate(seed, Profile::Default);
        let bare = Scenario::of(plan.clone()).write::<Kv>();
        let lines = bare.lines().filter(|line| !line.is_empty());
        let mut text = String::new();
        for (line, (before, behind)) in lines.zip(around.iter().cycle()) {
            for comment in before {
                text.push_str(comment);
                text.push('\n');
            }
            text.push_str(line);
            if let Some(comment) = behind {
                text.push_str("  ");
                text.push_str(comment);
            }
            text.push('\n');
        }
        text.push_str("\n# the end\n\n");
        let scenario = read(&text);
        prop_assert_eq!(scenario.write::<Kv>(), text);
        prop_assert_eq!(scenario.plan, plan);
    }
}
