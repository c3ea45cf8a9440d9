//! Tests of whole runs: that they are the same every time, and that faults do what they say.

pub(crate) mod broken;

use raft_core::{Instant, NodeId, Ticks};

use super::*;
use crate::check::CheckLevel;
use crate::kv::Kv;
use crate::plan::{
    CrashPoint, Cut, Fault, FaultKind, MessageKind, Profile, Span, StaticCut, Target, TimedFault,
    Way,
};

type Node = raft_core::Node;

/// Counts what happens, as far as tests look at it.
#[derive(Default)]
struct Counter {
    crashes: Vec<(NodeId, CrashPoint)>,
    started: u64,
    cut: u64,
    mended: u64,
    never_left: u64,
    held_latest: u64,
    phases: Vec<Phase>,
}

impl Trace for Counter {
    fn record(&mut self, at: Instant, event: TraceEvent<'_>) {
        match event {
            TraceEvent::Crashed { node, point, .. } => self.crashes.push((node, point)),
            TraceEvent::Started { .. } => self.started += 1,
            TraceEvent::LinkCut { .. } => self.cut += 1,
            TraceEvent::LinkMended { .. } => self.mended += 1,
            TraceEvent::Lost { loss: Loss::NeverLeft, .. } => self.never_left += 1,
            TraceEvent::Delivered { facts, sent, .. }
                if facts.kind == MessageKind::Heartbeat.number() =>
            {
                self.held_latest = self.held_latest.max(at.since(sent).0);
            }
            TraceEvent::Phase { phase } => self.phases.push(phase),
            _ => {}
        }
    }
}

/// A quiet plan with these faults.
fn plan(faults: &[(u64, Fault)]) -> Plan {
    let mut plan = Plan::generate(2, Profile::Bench);
    plan.workload.operations = 200;
    plan.workload.think = Span::new(1_000, 50_000);
    plan.heal_at = Instant(3_000_000);
    plan.faults =
        faults.iter().map(|(at, fault)| TimedFault { at: Instant(*at), fault: *fault }).collect();
    plan
}

fn watched(plan: &Plan) -> (Verdict, Counter) {
    let mut counter = Counter::default();
    let verdict = run_traced::<Node, Kv, _>(plan, &mut counter);
    assert_eq!(verdict.violation, None, "seed {}", plan.seed);
    (verdict, counter)
}

/// The same plan gives the same verdict twice, looked at or not, checked or not.
#[test]
fn a_run_is_a_value() {
    for seed in 0..20 {
        let plan = Plan::generate(seed, Profile::Default);
        let first = run::<Node, Kv>(&plan);
        assert_eq!(run::<Node, Kv>(&plan), first);
        assert_eq!(run_traced::<Node, Kv, _>(&plan, &mut Counter::default()), first);
        let unchecked = run_with::<Node, Kv, _>(&plan, &mut NoTrace, CheckLevel::None);
        assert_eq!(unchecked.digest, first.digest);
    }
}

/// Events can be let happen one by one, and the run is the same.
#[test]
fn slices_make_the_same_run() {
    let plan = Plan::generate(4, Profile::Default);
    let mut trace = NoTrace;
    let mut world = World::<Node, Kv>::new(&plan, &mut trace, CheckLevel::Full);
    while world.advance(17) == RunState::Running {}
    assert_eq!(world.verdict(), run::<Node, Kv>(&plan));
}

/// A plan read back from its text runs as the one that was written.
#[test]
fn a_plan_from_a_file_runs_alike() {
    let plan = Plan::generate(9, Profile::Default);
    let read = Plan::from_json(&plan.to_json()).expect("it was just written");
    assert_eq!(run::<Node, Kv>(&read), run::<Node, Kv>(&plan));
}

/// Every named point of a node's work can be crashed at, and the node comes back.
#[test]
fn crashes_strike_at_every_point() {
    for point in CrashPoint::ALL {
        let now = Fault::Crash {
            target: Target::Leader,
            point: CrashPoint::Now,
            down: Ticks(400_000),
            keeps: None,
        };
        let crash =
            Fault::Crash { target: Target::Leader, point, down: Ticks(200_000), keeps: None };
        let (verdict, counter) = watched(&plan(&[(800_000, crash), (801_000, now)]));
        assert!(
            counter.crashes.iter().any(|(_, at)| *at == point),
            "{point:?}: {:?}",
            counter.crashes
        );
        assert_eq!(verdict.statistics.crashes, 2, "{point:?}");
        assert_eq!(counter.started, 5 + 2, "{point:?}");
    }
}

/// What a crashed node had not sent yet is lost; what had left arrives.
#[test]
fn messages_that_had_not_left_die_with_their_sender() {
    let crash = Fault::Crash {
        target: Target::Leader,
        point: CrashPoint::Now,
        down: Ticks(300_000),
        keeps: None,
    };
    let faults: Vec<(u64, Fault)> = (2..12).map(|turn| (turn * 250_000, crash)).collect();
    let mut plan = plan(&faults);
    assert_eq!(watched(&plan).1.never_left, 0);
    plan.network.leave = Span::new(1_000, 9_000);
    assert!(watched(&plan).1.never_left > 0);
}

/// Total power loss takes every node down, and the cluster comes back from its disks.
#[test]
fn total_power_loss_is_survived() {
    let loss = Fault::PowerLoss { down: Span::new(10_000, 300_000) };
    let (verdict, counter) = watched(&plan(&[(1_000_000, loss)]));
    assert_eq!(counter.crashes.len(), 5);
    assert_eq!(verdict.statistics.restarts, 5);
    assert_eq!(verdict.statistics.faults.get(&FaultKind::PowerLoss), Some(&1));
}

/// Links that a fault takes down come back when it ends; a flapping one does so again and again.
#[test]
fn links_are_cut_and_mended() {
    let cut = Cut::Isolate { target: Target::Leader, way: Way::Both };
    let once = Fault::Cut { cut, lasts: Ticks(500_000) };
    let (_, counter) = watched(&plan(&[(1_000_000, once)]));
    assert_eq!((counter.cut, counter.mended), (8, 8));
    let flap = Fault::Flap { cut, down: Ticks(100_000), up: Ticks(50_000), lasts: Ticks(600_000) };
    let (_, counter) = watched(&plan(&[(1_000_000, flap)]));
    assert_eq!((counter.cut, counter.mended), (32, 32));
}

/// A kind of message that is held back arrives after the hold.
#[test]
fn held_messages_arrive_late() {
    let hold =
        Fault::Hold { kind: MessageKind::Heartbeat, from: None, to: None, lasts: Ticks(450_000) };
    let (_, counter) = watched(&plan(&[(1_000_000, hold)]));
    assert!(counter.held_latest >= 400_000, "{}", counter.held_latest);
}

/// The phases follow each other; a static cut has one of its own.
#[test]
fn static_cuts_are_watched() {
    let mut plan = plan(&[]);
    assert_eq!(watched(&plan).1.phases, [Phase::Liveness]);
    let cut = Cut::Link { target: Target::Leader, other: Target::Anyone, way: Way::Both };
    let election = plan.settings.election_timeout.0;
    plan.static_cut =
        Some(StaticCut { cut, settle: Ticks(10 * election), lasts: Ticks(10 * election) });
    let (_, counter) = watched(&plan);
    assert_eq!(counter.phases, [Phase::StaticCut, Phase::Liveness]);
    assert_eq!((counter.cut, counter.mended), (2, 2));
}

/// Clusters of every size live through the default profile.
#[test]
fn every_size_runs() {
    let mut seen = [false; 8];
    for seed in 0..60 {
        let plan = Plan::generate(seed, Profile::Default);
        seen[plan.nodes as usize] = true;
        assert_eq!(run::<Node, Kv>(&plan).violation, None, "seed {seed}");
    }
    assert!(seen[3] && seen[5] && (seen[2] || seen[4] || seen[6]));
}
