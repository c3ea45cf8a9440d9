//! Plans that no seed makes, put together by proptest, which also shrinks what fails.
//!
//! The generator draws faults in patterns that experience suggests. Here any fault may follow any other at
//! any time, so a bug that hides from the patterns has another chance to show. And where people write plans, any
//! number may be extreme: then it is refused, or the run is sound.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, TestRunner};
use raft_core::{Instant, Node, NodeId, Ticks};
use raft_sim::kv::Kv;
use raft_sim::plan::{
    Action, CrashPoint, Cut, Fault, MessageKind, Plan, PlanError, Profile, Span, TRUE_RATE, Target,
    TimedAction, TimedFault, Way,
};
use raft_sim::world;
use serde_json::Value;

/// How long things go wrong, in microseconds.
const TROUBLE: u64 = 3_000_000;

fn target(nodes: u32) -> impl Strategy<Value = Target> {
    prop_oneof![
        (1..=u64::from(nodes)).prop_map(|id| Target::Node(NodeId(id))),
        Just(Target::Leader),
        Just(Target::Follower),
        Just(Target::Anyone),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Both), Just(Way::Inbound), Just(Way::Outbound)]
}

fn cut(nodes: u32) -> impl Strategy<Value = Cut> {
    prop_oneof![
        (target(nodes), way()).prop_map(|(target, way)| Cut::Isolate { target, way }),
        (target(nodes), 1..=nodes, way()).prop_map(|(target, size, way)| Cut::Split {
            target,
            size,
            way
        }),
        (target(nodes), target(nodes), way()).prop_map(|(target, other, way)| Cut::Link {
            target,
            other,
            way
        }),
        target(nodes).prop_map(|target| Cut::Bridge { target }),
        Just(Cut::Ring),
        way().prop_map(|way| Cut::Voters { way }),
    ]
}

fn ticks() -> impl Strategy<Value = Ticks> {
    (1_000..900_000_u64).prop_map(Ticks)
}

fn fault(nodes: u32) -> impl Strategy<Value = Fault> {
    let down =
        || (1_000..100_000_u64, 0..800_000_u64).prop_map(|(min, more)| Span::new(min, min + more));
    prop_oneof![
        (cut(nodes), ticks()).prop_map(|(cut, lasts)| Fault::Cut { cut, lasts }),
        (cut(nodes), ticks(), ticks(), ticks()).prop_map(|(cut, down, up, lasts)| Fault::Flap {
            cut,
            down,
            up,
            lasts
        }),
        (prop::sample::select(MessageKind::ALL.to_vec()), prop::option::of(target(nodes)), ticks())
            .prop_map(|(kind, from, lasts)| Fault::Hold { kind, from, to: None, lasts }),
        (target(nodes), prop::sample::select(CrashPoint::ALL.to_vec()), ticks())
            .prop_map(|(target, point, down)| Fault::Crash { target, point, down, keeps: None }),
        down().prop_map(|down| Fault::LoseMajority { down }),
        down().prop_map(|down| Fault::PowerLoss { down }),
        (target(nodes), ticks()).prop_map(|(target, lasts)| Fault::Pause { target, lasts }),
        (target(nodes), ticks()).prop_map(|(target, down)| Fault::LoseDisk { target, down }),
        (target(nodes), down(), ticks()).prop_map(|(target, write, lasts)| Fault::SlowDisk {
            target,
            write,
            lasts
        }),
    ]
}

/// Whether an action is about nodes that there are.
fn is_for(timed: &TimedAction, nodes: u32) -> bool {
    let is_there = |id: &NodeId| id.0 <= nodes.into();
    match &timed.action {
        Action::Members { voters, learners } => voters.iter().chain(learners).all(is_there),
        Action::Transfer { to: node }
        | Action::Campaign { node }
        | Action::Suppress { node, .. } => is_there(node),
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=7_u32, any::<u64>()).prop_flat_map(|(nodes, seed)| {
        prop::collection::vec((0..TROUBLE, fault(nodes)), 0..16).prop_map(move |mut faults| {
            faults.sort_by_key(|(at, _)| *at);
            let faults =
                faults.into_iter().map(|(at, fault)| TimedFault { at: Instant(at), fault });
            let drawn = Plan::generate(seed, Profile::Default);
            let is_there = |id: &NodeId| id.0 <= nodes.into();
            let others = drawn.other_settings.clone();
            Plan {
                profile: "proptest".to_owned(),
                nodes,
                founders: drawn.founders.min(nodes),
                clocks: vec![TRUE_RATE; nodes as usize],
                other_settings: others.filter(|others| others.nodes.iter().all(is_there)),
                faults: faults.collect(),
                actions: drawn
                    .actions
                    .iter()
                    .filter(|timed| timed.at.0 <= TROUBLE && is_for(timed, nodes))
                    .cloned()
                    .collect(),
                heal_at: Instant(TROUBLE),
                static_cut: None,
                overrides: Vec::new(),
                operations: Vec::new(),
                ends_at: None,
                ..drawn
            }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, rng_seed: RngSeed::Fixed(2026), ..ProptestConfig::default() })]

    /// Whatever goes wrong in whatever order: nothing is violated, and the plan survives its file.
    #[test]
    fn no_plan_violates_a_property(plan in plan()) {
        prop_assert_eq!(plan.validate(), Ok(()));
        prop_assert_eq!(Plan::from_json(&plan.to_json()), Ok(plan.clone()));
        let verdict = world::run::<Node, Kv>(&plan);
        let told = verdict.violation.map(|violation| format!("{violation}\n{}", plan.to_json()));
        prop_assert_eq!(told, None, "save the plan to a file and look at it with `raft-sim replay FILE`");
    }
}

/// What becomes of a number.
#[derive(Clone, Copy, Debug)]
enum Extreme {
    Zero,
    One,
    /// Over an hour, as a time: what is more is refused wherever it stands for one.
    Large,
    Greatest,
    Thousandfold,
    Thousandth,
}

impl Extreme {
    const ALL: [Self; 6] =
        [Self::Zero, Self::One, Self::Large, Self::Greatest, Self::Thousandfold, Self::Thousandth];

    fn of(self, number: u64) -> u64 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
            Self::Large => u32::MAX.into(),
            Self::Greatest => u64::MAX,
            Self::Thousandfold => number.saturating_mul(1_000),
            Self::Thousandth => number / 1_000,
        }
    }
}

/// Every number in a plan, as where it is and what it is.
fn numbers(value: &Value, place: &str, found: &mut Vec<(String, u64)>) {
    match value {
        Value::Number(number) => {
            found.push((place.to_owned(), number.as_u64().expect("plans hold no other numbers")));
        }
        Value::Array(items) => {
            for (item, value) in items.iter().enumerate() {
                numbers(value, &format!("{place}/{item}"), found);
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                numbers(value, &format!("{place}/{field}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// A plan of which one number is not what the generator makes of it.
#[derive(Debug)]
struct Changed {
    plan: Plan,
    /// The names of the field and of those that it is part of.
    field: Vec<String>,
    number: u64,
}

/// A place without the numbers of items in lists: `/faults/3/at` and `/faults/4/at` are the same field.
fn names(place: &str) -> Vec<&str> {
    place.split('/').skip(1).filter(|part| part.parse::<u64>().is_err()).collect()
}

/// Changes one number. Every field is as likely, however many of it there are in the plan's lists.
fn changed(plan: &Plan, extreme: Extreme, field: Index, item: Index) -> Changed {
    let mut value: Value = serde_json::from_str(&plan.to_json()).expect("a plan is JSON");
    let mut found = Vec::new();
    numbers(&value, "", &mut found);
    let mut fields = BTreeMap::<Vec<&str>, Vec<(&str, u64)>>::new();
    for (place, number) in &found {
        fields.entry(names(place)).or_default().push((place, *number));
    }
    let fields: Vec<_> = fields.into_values().collect();
    let (place, number) = *item.get(field.get(&fields[..]).as_slice());
    let mut write = |number: u64| {
        *value.pointer_mut(place).expect("it was found there") = number.into();
        serde_json::from_value(value.clone())
    };
    // The greatest that the field can hold, where it cannot hold the number.
    let (plan, number) = [extreme.of(number), u32::MAX.into(), u8::MAX.into()]
        .into_iter()
        .find_map(|number| Some((write(number).ok()?, number)))
        .expect("no field holds fewer than 8 bits");
    let field = names(place).into_iter().map(str::to_owned).collect();
    Changed { plan, field, number }
}

fn extreme_plan() -> impl Strategy<Value = Changed> {
    let profile = prop::sample::select(vec![Profile::Default, Profile::Calm]);
    let extreme = prop::sample::select(Extreme::ALL.to_vec());
    (0..1_000_000_u64, profile, extreme, any::<Index>(), any::<Index>()).prop_map(
        |(seed, profile, extreme, field, item)| {
            changed(&Plan::generate(seed, profile), extreme, field, item)
        },
    )
}

fn says_what_would_do(error: &PlanError) -> bool {
    match error {
        PlanError::Impossible { expected, .. } => !expected.is_empty(),
        PlanError::Settings(_) | PlanError::OtherSettings(_) | PlanError::Version { .. } => true,
        _ => false,
    }
}

/// A plan with an extreme number is refused in a sentence that names the field, what it is and what would do;
/// or it runs and comes to its end in good order: no plan is taken for a fault of the Raft under test.
#[test]
fn extreme_plans_are_refused_or_sound() {
    let config = ProptestConfig {
        cases: 2_400,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(2026),
        ..ProptestConfig::default()
    };
    let (refused, ran) = (Cell::new(0), Cell::new(0));
    let outcome =
        TestRunner::new(config).run(&extreme_plan(), |Changed { plan, field, number }| {
            if let Err(error) = plan.validate() {
                refused.set(refused.get() + 1);
                let text = error.to_string();
                prop_assert!(
                    field.iter().all(|name| text.contains(name))
                        && text.contains(&number.to_string()),
                    "{text}"
                );
                prop_assert!(says_what_would_do(&error), "{text}");
                return Ok(());
            }
            ran.set(ran.get() + 1);
            let violation = world::run::<Node, Kv>(&plan).violation;
            prop_assert_eq!(violation, None, "{}", plan.to_json());
            Ok(())
        });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert!(refused.get() > 500 && ran.get() > 500, "{} and {}", refused.get(), ran.get());
}
