//! Goal: what cannot be run, or proves nothing, is refused by name, with what was found and what would do; and
//! nothing else is.

use raft_core::{Instant, NodeId, Term, Toggle};

use super::*;
use crate::plan::{
    Cut, Fate, Fault, MessageKind, Override, Profile, Span, Target, TimedFault, Way,
};

/// Three nodes, one fault, a static cut, one override.
fn plan() -> Plan {
    let mut plan = Plan::generate(3, Profile::Calm);
    let (target, way) = (Target::Leader, Way::Both);
    let cut = Cut::Link { target, other: Target::Anyone, way };
    let ticks = |timeouts: u64| Ticks(timeouts * plan.settings.election_timeout.0);
    plan.static_cut = Some(StaticCut { cut, settle: ticks(10), lasts: ticks(8) });
    let lasts = ticks(3);
    plan.faults = vec![
        TimedFault { at: Instant(5), fault: Fault::Cut { cut: Cut::Ring, lasts } },
        TimedFault { at: Instant(8), fault: Fault::Cut { cut, lasts } },
    ];
    (plan.nodes, plan.clocks) = (3, vec![TRUE_RATE; 3]);
    let [pre_vote, check_quorum, stickiness] = [Toggle::On; 3];
    plan.settings =
        crate::plan::PlanSettings { pre_vote, check_quorum, stickiness, ..plan.settings };
    plan.overrides = vec![Override {
        from: NodeId(1),
        to: NodeId(2),
        kind: MessageKind::VoteReply,
        term: Term(1),
        nth: 0,
        fate: Fate::Lost,
    }];
    assert_eq!(plan.validate(), Ok(()));
    plan
}

/// The changed plan is refused on account of `field`, and the sentence holds all of `parts`.
#[track_caller]
fn refused(field: &str, parts: &[&str], change: impl FnOnce(&mut Plan)) {
    let mut plan = plan();
    change(&mut plan);
    let error = plan.validate().expect_err("the plan makes no sense");
    let text = error.to_string();
    match error {
        PlanError::Impossible { field: named, .. } => assert_eq!(named, field, "{text}"),
        other => panic!("{other}"),
    }
    for part in parts {
        assert!(text.contains(part), "{text} says nothing of {part}");
    }
    assert!(!text.contains('\n'), "{text}");
}

#[test]
fn clusters_have_one_to_seven_nodes_with_clocks_that_agree() {
    refused("nodes", &["8", "at most 7"], |plan| plan.nodes = 8);
    refused("nodes", &["0", "at least 1"], |plan| plan.nodes = 0);
    refused("clocks", &["3 rates", "nodes is 2"], |plan| plan.nodes = 2);
    refused("clocks[1]", &["499999", "at least 500000"], |plan| plan.clocks[1] = 499_999);
    refused("clocks[2]", &["2000001", "at most 2000000"], |plan| plan.clocks[2] = 2_000_001);
    let apart = ["1500001", "at most 1500000", "slowest of clocks (1000000)"];
    refused("clocks[0]", &apart, |plan| plan.clocks[0] = 1_500_001);
}

#[test]
fn settings_leave_time_and_room() {
    let mut contradictory = plan();
    contradictory.settings.heartbeat_interval = Ticks(75_001);
    let error = contradictory.validate().expect_err("two heartbeats in an election timeout");
    assert!(matches!(error, PlanError::Settings(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("75001") && text.contains("150000"), "{text}");

    let long = ["10000000001", "at most 10000000000"];
    refused("settings.election_timeout", &long, |plan| {
        plan.settings.election_timeout = Ticks(10_000_000_001);
    });
    refused("settings.request_timeout", &long, |plan| {
        plan.settings.request_timeout = Ticks(10_000_000_001);
    });
    let short = ["149999", "at least 150000, settings.election_timeout"];
    refused("settings.request_timeout", &short, |plan| {
        plan.settings.request_timeout = Ticks(149_999);
    });
    refused("settings.max_command_bytes", &["63", "at least 64"], |plan| {
        plan.settings.max_command_bytes = 63;
    });
    refused("settings.max_undurable_bytes", &["511", "at least 512"], |plan| {
        plan.settings.max_undurable_bytes = 511;
    });
    refused("settings.max_inflight_messages", &["257", "at most 256"], |plan| {
        plan.settings.max_inflight_messages = 257;
    });
}

#[test]
fn messages_arrive_in_time() {
    let backwards = ["is 9:", "at most network.delay.max, which is 3"];
    refused("network.delay.min", &backwards, |plan| plan.network.delay = Span::new(9, 3));
    refused("network.delay.min", &["75001", "at most 75000", "(150000)"], |plan| {
        plan.network.delay = Span::new(75_001, 80_000);
    });
    refused("network.delay.max", &["600001", "at most 600000", "(150000)"], |plan| {
        plan.network.delay = Span::new(1, 600_001);
    });
    refused("network.leave.max", &["9376", "at most 9375", "(150000)"], |plan| {
        plan.network.leave = Span::new(1, 9_376);
    });
    refused("network.slow.takes.max", &["1000000000001", "at most 1000000000000"], |plan| {
        plan.network.slow.takes = Span::new(1, 1_000_000_000_001);
    });
    refused("network.slow.per_million", &["1000001", "at most 1000000"], |plan| {
        plan.network.slow.per_million = 1_000_001;
    });
    refused("network.loss_per_million", &["900001", "at most 900000"], |plan| {
        plan.network.loss_per_million = 900_001;
    });
    refused("network.duplicate_per_million", &["1000001"], |plan| {
        plan.network.duplicate_per_million = 1_000_001;
    });
    refused("network.malformed_per_million", &["1000001"], |plan| {
        plan.network.malformed_per_million = 1_000_001;
    });
}

#[test]
fn disks_and_machines_answer_in_time() {
    let slow = Span::new(75_001, 80_000);
    let parts = ["75001", "at most 75000"];
    refused("disk.write.min", &parts, |plan| plan.disk.write = slow);
    refused("disk.receipt.min", &parts, |plan| plan.disk.receipt = slow);
    refused("apply.latency.min", &parts, |plan| plan.apply.latency = slow);
    refused("apply.report.min", &parts, |plan| plan.apply.report = slow);
    refused("disk.slow.per_million", &["1000001"], |plan| plan.disk.slow.per_million = 1_000_001);
}

#[test]
fn there_is_time_before_everything_is_healed() {
    refused("heal_at", &["299999", "at least 300000", "(150000)"], |plan| {
        (plan.heal_at, plan.faults) = (Instant(299_999), Vec::new());
    });
    let eternal = ["18446744073709551615", "at most 1000000000000"];
    refused("heal_at", &eternal, |plan| plan.heal_at = Instant::NEVER);
    // Twenty election timeouts become a fiftieth of one.
    refused("heal_at", &["at least 300000000", "(150000000)"], |plan| {
        let settings = &mut plan.settings;
        (settings.election_timeout, settings.request_timeout) =
            (Ticks(150_000_000), Ticks(150_000_000));
    });
}

#[test]
fn clients_ask_and_wait_for_answers() {
    refused("workload.clients", &["257", "at most 256"], |plan| plan.workload.clients = 257);
    let zero = ["is 0:", "at least 1", "without time going on"];
    refused("workload.think.min", &zero, |plan| plan.workload.think = Span::exactly(0));
    refused("workload.patience.min", &zero, |plan| plan.workload.patience.min = Ticks(0));
    refused("workload.backoff.min", &zero, |plan| plan.workload.backoff.min = Ticks(0));
    refused("workload.patience.max", &["74999", "at least 75000", "(150000)"], |plan| {
        plan.workload.patience = Span::exactly(74_999);
    });
    refused("workload.think.min", &["20000000", "heal_at"], |plan| {
        plan.workload.think = Span::exactly(20_000_000);
        plan.heal_at = Instant(19_999_999);
    });
    refused("settings.max_command_bytes", &["127", "at least 128", "workload.sessions"], |plan| {
        (plan.workload.sessions, plan.settings.max_command_bytes) = (2, 127);
    });
    refused("workload.follow_per_million", &["1000001"], |plan| {
        plan.workload.follow_per_million = 1_000_001;
    });
    refused("workload.stay_per_million", &["1000001"], |plan| {
        plan.workload.stay_per_million = 1_000_001;
    });
}

/// The plan's only faults.
fn with(fault: Fault) -> impl FnOnce(&mut Plan) {
    move |plan| plan.faults = vec![TimedFault { at: Instant(5), fault }]
}

#[test]
fn faults_are_in_order_and_of_this_cluster() {
    refused("faults[1].at", &["is 8:", "9"], |plan| plan.faults[0].at = Instant(9));
    refused("faults[1].at", &["after heal_at"], |plan| {
        plan.faults[1].at = Instant(plan.heal_at.0 + 1);
    });
    let (target, lasts) = (Target::Node(NodeId(9)), Ticks(1_000));
    let nobody = ["is 9:", "from 1 to nodes, which is 3"];
    refused("faults[0].fault.pause.target.node", &nobody, with(Fault::Pause { target, lasts }));
    let nobody_sends =
        Fault::Hold { kind: MessageKind::Heartbeat, from: Some(target), to: None, lasts };
    refused("faults[0].fault.hold.from.node", &nobody, with(nobody_sends));
    let cut = Cut::Link { target: Target::Leader, other: target, way: Way::Both };
    refused("faults[0].fault.cut.cut.link.other.node", &nobody, with(Fault::Cut { cut, lasts }));
    let too_many = Cut::Split { target: Target::Leader, size: 4, way: Way::Both };
    let split = Fault::Cut { cut: too_many, lasts };
    refused("faults[0].fault.cut.cut.split.size", &["is 4:", "which is 3"], with(split));
    let eternal = Fault::PowerLoss { down: Span::new(1, u64::MAX) };
    refused("faults[0].fault.power-loss.down.max", &["18446744073709551615"], with(eternal));
    let (target, write) = (Target::Leader, Span::new(3, 2));
    let backwards = Fault::SlowDisk { target, write, lasts };
    refused("faults[0].fault.slow-disk.write.min", &["is 3:", "which is 2"], with(backwards));
    let still = Fault::Flap { cut, down: Ticks(0), up: lasts, lasts };
    refused("faults[0].fault.flap.down", &["is 0:", "at least 1"], with(still));
    refused("overrides[0].to", &nobody, |plan| plan.overrides[0].to = NodeId(9));
    refused("overrides[0].fate.once.delay", &["1000000000001"], |plan| {
        plan.overrides[0].fate = Fate::Once { delay: Ticks(1_000_000_000_001) };
    });
}

#[test]
fn static_cuts_leave_a_cluster_that_can_work() {
    let off = ["is off", "it must be on"];
    let lose = Fault::LoseDisk { target: Target::Leader, down: Ticks(1) };
    let whole = ["static_cut", "clusters that are whole"];
    refused("faults[0].fault.lose-disk", &whole, with(lose));
    refused("settings.pre_vote", &off, |plan| plan.settings.pre_vote = Toggle::Off);
    refused("settings.check_quorum", &off, |plan| plan.settings.check_quorum = Toggle::Off);
    refused("settings.stickiness", &off, |plan| plan.settings.stickiness = Toggle::Off);
    refused("nodes", &["is 2:", "at least 3"], |plan| {
        (plan.nodes, plan.clocks) = (2, vec![TRUE_RATE; 2]);
    });
    refused("workload.clients", &["is 0:", "static_cut"], |plan| plan.workload.clients = 0);
    let changed = |change: fn(&mut StaticCut)| {
        move |plan: &mut Plan| plan.static_cut.iter_mut().for_each(change)
    };
    refused("static_cut.cut", &["ring"], changed(|cut| cut.cut = Cut::Ring));
    let soon = ["1499999", "at least 1500000", "(150000)"];
    refused("static_cut.settle", &soon, changed(|cut| cut.settle = Ticks(1_499_999)));
    let late = ["1500001", "at most 1500000", "static_cut.settle"];
    refused("workload.think.max", &late, |plan| plan.workload.think.max = Ticks(1_500_001));
    refused("workload.backoff.max", &late, |plan| plan.workload.backoff.max = Ticks(1_500_001));
    refused("workload.patience.max", &late, |plan| {
        plan.workload.patience.max = Ticks(1_500_001);
        plan.settings.request_timeout = Ticks(1_500_001);
    });
}

/// Goal: what needs more events than it may have is not run at all, and the sentence says what for.
#[test]
fn runs_have_enough_events_for_what_they_do() {
    let field = "limits.events";
    refused(field, &["is 400:", "a run may take"], |plan| plan.limits.events = 400);
    let beats = ["400000", "settings.heartbeat_interval 30", "heal_at", "settle 1500000"];
    refused(field, &beats, |plan| plan.settings.heartbeat_interval = Ticks(30));
    refused(field, &["heal_at 9000000000"], |plan| plan.heal_at = Instant(9_000_000_000));
    refused(field, &["settings.request_timeout 9000000000"], |plan| {
        plan.settings.request_timeout = Ticks(9_000_000_000);
    });
    refused(field, &["settle 1500000, lasts 9000000000"], |plan| {
        plan.static_cut.iter_mut().for_each(|cut| cut.lasts = Ticks(9_000_000_000));
    });
    refused(field, &["1000000 operations", "think (min 1, max 1)"], |plan| {
        plan.static_cut = None;
        (plan.workload.operations, plan.workload.think) = (1_000_000, Span::exactly(1));
    });
    refused(field, &["workload.backoff (min 1, max 1)"], |plan| {
        plan.workload.backoff = Span::exactly(1);
    });
    let (down, up, lasts) = (Ticks(1), Ticks(2), Ticks(2_000_000));
    let flap = Fault::Flap { cut: Cut::Ring, down, up, lasts };
    refused(field, &["faults[0].fault.flap has down 1, up 2, lasts 2000000"], with(flap));
}

/// Goal: what the generator makes can be run.
#[test]
fn generated_plans_are_valid() {
    for seed in 0..2_000 {
        for profile in Profile::ALL {
            assert_eq!(Plan::generate(seed, profile).validate(), Ok(()));
        }
    }
}
