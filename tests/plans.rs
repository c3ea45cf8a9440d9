//! Plans that no seed makes: faults put together by proptest, which also shrinks what fails.
//!
//! The generator draws faults in patterns that experience suggests. Here any fault may follow any other at
//! any time, so a bug that hides from the patterns has another chance to show.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use raft_core::{Instant, Node, NodeId, Ticks};
use raft_sim::kv::Kv;
use raft_sim::plan::{
    CrashPoint, Cut, Fault, MessageKind, Plan, Profile, Span, TRUE_RATE, Target, TimedFault, Way,
};
use raft_sim::world;

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
            .prop_map(|(kind, from, lasts)| Fault::Hold { kind, from, lasts }),
        (target(nodes), prop::sample::select(CrashPoint::ALL.to_vec()), ticks())
            .prop_map(|(target, point, down)| Fault::Crash { target, point, down }),
        down().prop_map(|down| Fault::LoseMajority { down }),
        down().prop_map(|down| Fault::PowerLoss { down }),
        (target(nodes), ticks()).prop_map(|(target, lasts)| Fault::Pause { target, lasts }),
        (target(nodes), down(), ticks()).prop_map(|(target, write, lasts)| Fault::SlowDisk {
            target,
            write,
            lasts
        }),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=7_u32, any::<u64>()).prop_flat_map(|(nodes, seed)| {
        prop::collection::vec((0..TROUBLE, fault(nodes)), 0..16).prop_map(move |mut faults| {
            faults.sort_by_key(|(at, _)| *at);
            let faults =
                faults.into_iter().map(|(at, fault)| TimedFault { at: Instant(at), fault });
            let drawn = Plan::generate(seed, Profile::Default);
            Plan {
                profile: "proptest".to_owned(),
                nodes,
                clocks: vec![TRUE_RATE; nodes as usize],
                faults: faults.collect(),
                heal_at: Instant(TROUBLE),
                static_cut: None,
                overrides: Vec::new(),
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
