//! Goal: plans that no seed makes survive their text: every fault, action, operation and fate, with odd numbers.

use bytes::Bytes;
use proptest::prelude::*;
use raft_core::{Instant, NodeId, Priority, Term, Ticks, Toggle};

use super::survives;
use crate::plan::{
    Action, Asks, CommandBytes, CrashPoint, Cut, Fate, Fault, MessageKind, Nodes, OtherSettings,
    Override, Plan, Span, StaticCut, TRUE_RATE, Target, TimedAction, TimedFault, TimedOperation,
    Way,
};

const NODES: u32 = 5;

fn node() -> impl Strategy<Value = NodeId> {
    (1..=u64::from(NODES)).prop_map(NodeId)
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        3 => node().prop_map(Target::Node),
        1 => Just(Target::Leader),
        1 => Just(Target::Follower),
        1 => Just(Target::Anyone),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Both), Just(Way::Inbound), Just(Way::Outbound)]
}

fn ticks() -> impl Strategy<Value = Ticks> {
    prop_oneof![0..2_000_u64, (1..900_u64).prop_map(|ms| ms * 1_000), 1..1_000_000_000_000_u64]
        .prop_map(Ticks)
}

fn some_time() -> impl Strategy<Value = Ticks> {
    ticks().prop_map(|ticks| Ticks(ticks.0.max(10_000)))
}

fn span() -> impl Strategy<Value = Span> {
    (0..900_000_u64, 0..900_000_u64).prop_map(|(min, more)| Span::new(min, min + more))
}

/// The nodes whose bits are set.
fn among(bits: u8) -> Nodes {
    let nodes = (1..=u64::from(NODES)).filter(|id| bits >> id & 1 == 1).map(NodeId);
    Nodes::of(nodes).expect("a plan may have them")
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![
        (target(), way()).prop_map(|(target, way)| Cut::Isolate { target, way }),
        (target(), 1..=NODES, way()).prop_map(|(target, size, way)| Cut::Split {
            target,
            size,
            way
        }),
        (target(), target(), way()).prop_map(|(target, other, way)| Cut::Link {
            target,
            other,
            way
        }),
        (any::<u8>(), any::<u8>(), way()).prop_map(|(first, second, way)| Cut::Between {
            first: among(first & !second),
            second: among(second & !first),
            way
        }),
        target().prop_map(|target| Cut::Bridge { target }),
        Just(Cut::Ring),
        way().prop_map(|way| Cut::Voters { way }),
    ]
}

fn kind() -> impl Strategy<Value = MessageKind> {
    prop::sample::select(MessageKind::ALL.to_vec())
}

fn link() -> impl Strategy<Value = (Option<Target>, Option<Target>)> {
    (prop::option::of(target()), prop::option::of(target()))
}

fn fault() -> impl Strategy<Value = Fault> {
    let point = prop::sample::select(CrashPoint::ALL.to_vec());
    let keeps = prop::option::of(any::<u64>());
    prop_oneof![
        (cut(), ticks()).prop_map(|(cut, lasts)| Fault::Cut { cut, lasts }),
        (cut(), some_time(), some_time(), 0..900_000_u64).prop_map(|(cut, down, up, lasts)| {
            Fault::Flap { cut, down, up, lasts: Ticks(lasts) }
        }),
        (kind(), link(), ticks()).prop_map(|(kind, (from, to), lasts)| Fault::Hold {
            kind,
            from,
            to,
            lasts
        }),
        (kind(), link(), ticks()).prop_map(|(kind, (from, to), lasts)| Fault::Drop {
            kind,
            from,
            to,
            lasts
        }),
        (target(), point, ticks(), keeps).prop_map(|(target, point, down, keeps)| Fault::Crash {
            target,
            point,
            down,
            keeps
        }),
        span().prop_map(|down| Fault::LoseMajority { down }),
        span().prop_map(|down| Fault::PowerLoss { down }),
        (target(), ticks()).prop_map(|(target, lasts)| Fault::Pause { target, lasts }),
        (target(), ticks()).prop_map(|(target, down)| Fault::LoseDisk { target, down }),
        (target(), span(), ticks()).prop_map(|(target, write, lasts)| Fault::SlowDisk {
            target,
            write,
            lasts
        }),
    ]
}

/// Nodes that are told at once not to stand, so that some lines tell of several.
fn suppressed() -> impl Strategy<Value = Vec<Action>> {
    let one = (node(), 1..=2_u64)
        .prop_map(|(node, lasts)| Action::Suppress { node, lasts: Ticks(lasts) });
    prop::collection::vec(one, 0..6)
}

fn action() -> impl Strategy<Value = Action> {
    let some = || prop::collection::vec(node(), 1..4);
    prop_oneof![
        (some(), some()).prop_map(|(voters, mut learners)| {
            learners.retain(|id| !voters.contains(id));
            Action::Members { voters, learners }
        }),
        node().prop_map(|to| Action::Transfer { to }),
        node().prop_map(|node| Action::Campaign { node }),
        (node(), 0..1_000_000_u64)
            .prop_map(|(node, lasts)| Action::Suppress { node, lasts: Ticks(lasts) }),
    ]
}

fn command() -> impl Strategy<Value = CommandBytes> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        ("[\\x01-\\x05]", "[\\x00-\\x07]", "[ -~é]{0,12}")
            .prop_map(|(tag, key, value)| format!("{tag}{key}{value}").into_bytes()),
    ];
    bytes.prop_map(|bytes| CommandBytes(Bytes::from(bytes)))
}

fn operation() -> impl Strategy<Value = (u32, NodeId, Asks, CommandBytes)> {
    let asks = prop_oneof![Just(Asks::Command), Just(Asks::Read)];
    (0..256_u32, node(), asks, command())
}

fn fate() -> impl Strategy<Value = Override> {
    let fate = prop_oneof![
        Just(Fate::Lost),
        ticks().prop_map(|delay| Fate::Once { delay }),
        (ticks(), ticks()).prop_map(|(delay, again)| Fate::Twice { delay, again }),
        (ticks(), any::<u32>()).prop_map(|(delay, number)| Fate::Malformed { delay, number }),
    ];
    (node(), node(), kind(), any::<u64>(), any::<u64>(), fate).prop_map(
        |(from, to, kind, term, nth, fate)| Override {
            from,
            to,
            kind,
            term: Term(term),
            nth,
            fate,
        },
    )
}

/// Things at times that often coincide, in the order of time.
fn timed<T: std::fmt::Debug + Clone + 'static>(
    things: impl Strategy<Value = T>,
    most: usize,
) -> impl Strategy<Value = Vec<(Instant, T)>> {
    let at = prop_oneof![0..4_u64, (0..20_u64).prop_map(|n| n * 100_000), 0..3_000_000_u64];
    prop::collection::vec((at.prop_map(Instant), things), 0..most).prop_map(|mut things| {
        things.sort_by_key(|(at, _)| *at);
        things
    })
}

fn others() -> impl Strategy<Value = Option<OtherSettings>> {
    let one = (prop::collection::vec(node(), 0..4), 0..3_u8, 1..70_u64, any::<bool>());
    prop::option::of(one).prop_map(|others| {
        others.map(|(nodes, priority, entries, on)| {
            let mut settings = Plan::benign(0, NODES).settings;
            (settings.priority, settings.max_batch_entries) = (Priority(priority), entries);
            settings.pre_vote = if on { Toggle::On } else { Toggle::Off };
            OtherSettings { nodes, settings }
        })
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let events = (timed(fault(), 12), suppressed(), timed(action(), 8), timed(operation(), 8));
    let rest = (
        any::<u64>(),
        prop_oneof![Just("hand".to_owned()), any::<String>()],
        1..=NODES,
        prop::collection::vec(900_000..1_100_000_u32, NODES as usize),
        prop::collection::vec(fate(), 0..6),
        others(),
        prop::option::of(1..4_000_000_u64),
        0..2_000_000_u64,
    );
    (events, rest).prop_map(|((faults, suppressed, actions, operations), rest)| {
        let (seed, profile, founders, clocks, overrides, other_settings, end, heal) = rest;
        let mut plan = Plan {
            profile,
            founders,
            other_settings,
            clocks,
            overrides,
            ..Plan::benign(seed, NODES)
        };
        let faults = faults.into_iter().map(|(at, fault)| TimedFault { at, fault });
        plan.faults = faults.collect();
        let suppressed = suppressed.into_iter().map(|action| (Instant(0), action));
        let actions = suppressed.chain(actions).map(|(at, action)| TimedAction { at, action });
        plan.actions = actions.collect();
        let operation = |(at, (client, node, asks, command))| TimedOperation {
            at,
            client,
            node,
            asks,
            command,
        };
        plan.operations = operations.into_iter().map(operation).collect();
        plan.ends_at = end.map(Instant);
        plan.heal_at = Instant(3_000_000 + if heal < 500_000 { 0 } else { heal });
        plan
    })
}

proptest! {
    /// Whatever is in a plan, it survives.
    #[test]
    fn odd_plans_survive(plan in plan()) {
        survives(&plan);
    }

    /// So do cuts that last.
    #[test]
    fn lasting_cuts_survive(target in target(), other in target(), way in way(), link in any::<bool>(), lasts in ticks()) {
        let cut = if link { Cut::Link { target, other, way } } else { Cut::Isolate { target, way } };
        let mut plan = Plan::benign(1, NODES);
        plan.clocks = vec![TRUE_RATE + 1; NODES as usize];
        plan.workload.clients = 1;
        plan.workload.patience = Span::exactly(150_000);
        plan.limits.events = u64::MAX;
        plan.static_cut = Some(StaticCut { cut, settle: Ticks(1_500_001), lasts });
        survives(&plan);
    }
}
