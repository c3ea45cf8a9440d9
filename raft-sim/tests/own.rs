//! Goal: what a machine has of its own, faults and marks, is drawn, struck, counted, told and shrunk like the rest.

use std::num::NonZeroUsize;

use bytes::Bytes;
use raft_core::{LogPosition, Node};
use raft_sim::campaign::{Campaign, Seeds, Summary};
use raft_sim::coverage::Standing;
use raft_sim::plan::{Fault, FaultKind, Plan, Profile};
use raft_sim::report::{Context, Judgement, Vacuity};
use raft_sim::scenario::Scenario;
use raft_sim::shrink::{Effort, shrink};
use raft_sim::violation::Property;
use raft_sim::world::run;
use raft_sim::{Draw, Machine, Mark};

/// A counter that remembers whether it was shaken. It does not matter to a sound one.
#[derive(Clone, Default)]
struct Counter<const SOUND: bool> {
    count: u64,
    was_shaken: bool,
}

impl<const SOUND: bool> Machine for Counter<SOUND> {
    const MARKS: &'static [Mark] = &[
        Mark { name: "counted", minimum_per_million: 900_000 },
        Mark { name: "counted-to-infinity", minimum_per_million: 500_000 },
    ];
    const FAULTS: &'static [&'static str] = &["soak", "shake"];

    fn apply(&mut self, _position: LogPosition, command: &Bytes) -> Bytes {
        self.count += command.len() as u64;
        let wrong = u64::from(!SOUND && self.was_shaken);
        Bytes::copy_from_slice(&(self.count + wrong).to_le_bytes())
    }

    fn digest(&self) -> u64 {
        self.count
    }

    fn snapshot(&self) -> Bytes {
        Bytes::copy_from_slice(&self.count.to_le_bytes())
    }

    fn restore(snapshot: &Bytes) -> Result<Self, String> {
        let bytes = snapshot[..].try_into().map_err(|_| "it is no number".to_owned())?;
        Ok(Self { count: u64::from_le_bytes(bytes), was_shaken: false })
    }

    fn marks(&self) -> u64 {
        u64::from(self.count > 0)
    }

    fn suffer(&mut self, fault: &str, _draw: &mut Draw) {
        self.was_shaken |= fault == "shake";
    }

    fn command(draw: &mut Draw) -> Bytes {
        Bytes::from_static(draw.pick(&["x", "xx", "xxx", "xxxx"]).as_bytes())
    }
}

fn campaign<const SOUND: bool>(seeds: std::ops::Range<u64>) -> Summary {
    let seeds = Seeds::new(seeds).expect("some");
    let jobs = NonZeroUsize::MIN;
    Campaign { jobs, ..Campaign::new(seeds) }.run::<Node, Counter<SOUND>>(|_| ())
}

/// A sound machine stays sound; its marks are on the scorecard, and one that is missing makes the campaign vacuous.
#[test]
fn marks_are_counted_and_demanded() {
    let summary = campaign::<true>(0..100);
    assert_eq!(summary.failures, []);
    assert!(summary.statistics.faults[&FaultKind::Machine] > 50);
    let standing = |score: &raft_sim::coverage::MarkScore| (score.mark.clone(), score.standing);
    let standings: Vec<_> = summary.marks.iter().map(standing).collect();
    let missing = ("counted-to-infinity".to_owned(), Standing::Missing);
    assert_eq!(standings, [("counted".to_owned(), Standing::Seen), missing]);
    assert!(summary.vacuous_marks().map(|score| &score.mark).eq(["counted-to-infinity"]));
    let context = Context {
        invocation: "raft-sim".to_owned(),
        plans: std::collections::BTreeMap::new(),
        vacuity: Vacuity::Fails,
    };
    assert_eq!(context.judge(&summary), Judgement::Vacuous);
    let text = raft_sim::report::text(&summary, &context);
    let last = text.lines().last().expect("the verdict");
    assert!(last.starts_with("vacuous:") && last.ends_with("counted-to-infinity"), "{last}");
}

/// A summary of shards has the marks of all of them.
#[test]
fn marks_of_shards_add_up() {
    let part = |shard: &str| {
        let seeds = Seeds::new(0..9).expect("nine");
        let shard = shard.parse().expect("a shard");
        Campaign { shard, ..Campaign::new(seeds) }.run::<Node, Counter<true>>(|_| ())
    };
    let merged = Summary::merge(vec![part("1/2"), part("2/2")]).expect("both");
    assert_eq!(merged.marks, part("1/1").marks);
    assert!(merged.marks[0].seeds > 4);
}

/// A machine that its own fault puts wrong is found, and what is left of the run names the fault.
#[test]
fn a_machine_that_its_own_fault_puts_wrong_is_found() {
    let summary = campaign::<false>(0..20);
    let failure = summary.failures.first().expect("a shaken machine answers otherwise");
    assert_eq!(failure.violation.property, Property::DigestsAgree);
    let plan = Plan::generate_for::<Counter<false>>(failure.seed, Profile::Default);
    let shrunk =
        shrink::<Node, Counter<false>>(&plan, Effort::default(), |_| ()).expect("it fails");
    let is_own =
        |fault: &Fault| matches!(fault, Fault::Machine { name, .. } if name.as_str() == "shake");
    assert!(shrunk.plan.faults.iter().any(|timed| is_own(&timed.fault)));
    let text = Scenario::of(shrunk.plan.clone()).write::<Counter<false>>();
    assert!(text.contains(" suffers shake"), "{text}");
    let again = Scenario::read::<Counter<false>>(&text).expect("it was just written").plan;
    assert_eq!(again.faults, shrunk.plan.faults);
    let violation = run::<Node, Counter<false>>(&again).violation.expect("it fails again");
    assert_eq!(violation.property, Property::DigestsAgree);
}

/// A fault that a machine does not have is refused, with those that it has.
#[test]
fn faults_of_another_machine_are_refused() {
    let read = |line: &str| {
        let text = format!("scenario 1\nnodes 3\n\n+1ms {line}\n+1s end\n");
        Scenario::read::<Counter<true>>(&text).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read("machine leader suffers shake"), Ok(()));
    let error = read("machine n2 suffers shkae").expect_err("it is misspelt");
    assert!(error.contains("`soak` or `shake`; did you mean `shake`?"), "{error}");
    let text = "scenario 1\nnodes 3\n\n+1ms machine n2 suffers shake\n+1s end\n";
    let error = Scenario::read::<raft_sim::kv::Kv>(text).expect_err("the store has none");
    assert!(error.to_string().contains("this machine has none"), "{error}");
    let plan = Scenario::read::<Counter<true>>(text).expect("it has").plan;
    assert_eq!(plan.validate_for::<Counter<true>>(), Ok(()));
    let error = plan.validate_for::<raft_sim::kv::Kv>().expect_err("the store has none");
    assert!(error.to_string().contains("has no faults of its own"), "{error}");
}
