//! Writes, disks, crashes and restarts.

use super::*;
use crate::coverage::Situation;

/// Goal: a second write before the first is durable fires, and so does a gap.
#[test]
fn two_writes_and_gaps_fire() {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c")]).expect("sound");
    let write = scene.pending_write(1);
    scene.checks.submitted(scene.at(), NodeId(1), &write).expect("sound");
    fires(scene.checks.submitted(Instant(9), NodeId(1), &write), Property::WriteLane);
    let mut scene = Scene::settled();
    let entries = [entry(1, "c")].into_iter().collect();
    let append = Some(Append { first: LogIndex(5), entries });
    let gap = Write { append, ..Write::default() };
    fires(scene.checks.submitted(scene.at(), NodeId(1), &gap), Property::WriteLane);
}

/// Goal: a hard state that goes back, or a vote that changes on disk, fires.
#[test]
fn a_hard_state_that_goes_back_fires() {
    let write = |term, vote| {
        let hard_state = HardState { term: Term(term), vote, incarnation: Incarnation(1) };
        Write { hard_state: Some(hard_state), ..Write::default() }
    };
    let cases = [
        (write(0, None), Property::Monotonic),
        (write(1, None), Property::Monotonic),
        (write(1, Some(NodeId(3))), Property::OneVotePerTerm),
    ];
    for (write, property) in cases {
        let mut scene = Scene::settled();
        fires(scene.checks.durable(scene.at(), NodeId(2), &write), property);
    }
}

/// Goal: a write that removes committed entries from a quorum's disks fires.
#[test]
fn losing_committed_entries_fires() {
    let truncation = Write { truncate_from: Some(LogIndex(3)), ..Write::default() };
    let mut scene = Scene::settled();
    scene.checks.durable(scene.at(), NodeId(1), &truncation).expect("two of three still hold it");
    fires(scene.checks.durable(scene.at(), NodeId(2), &truncation), Property::Durability);
    let mut scene = Scene::settled();
    scene.checks.durable(scene.at(), NodeId(1), &truncation).expect("two of three still hold it");
    scene.checks.submitted(scene.at(), NodeId(2), &truncation).expect("not on disk yet");
    scene.crash(2, &truncation);
    fires(scene.step(3), Property::Durability);
}

/// Goal: what a crash loses and what it tears is counted; the node comes back with what is left.
#[test]
fn crashes_are_told_apart() {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c"), entry(1, "d")]).expect("sound");
    let whole = scene.pending_write(1);
    scene.checks.submitted(scene.at(), NodeId(1), &whole).expect("sound");
    let entries = [entry(1, "c")].into_iter().collect();
    let append = Some(Append { first: LogIndex(4), entries });
    scene.crash(1, &Write { append, ..Write::default() });
    scene.start(1).expect("what survived is a sound disk");
    let count = |scene: &Scene, situation| scene.checks.coverage.count(situation);
    for situation in [
        Situation::TornWrite,
        Situation::SuffixLost,
        Situation::CrashWhileWriting,
        Situation::LeaderCrashed,
    ] {
        assert_eq!(count(&scene, situation), 1, "{situation}");
    }
    for situation in [Situation::VoteLost, Situation::CrashOnWinning, Situation::CrashBeforeReceipt]
    {
        assert_eq!(count(&scene, situation), 0, "{situation}");
    }

    let voter = scene.node(2);
    (voter.view.term, voter.view.vote) = (Term(2), Some(NodeId(3)));
    scene.step(2).expect("sound");
    scene.crash(2, &Write::default());
    assert_eq!(count(&scene, Situation::VoteLost), 1);

    scene.append(3, 3, &[entry(1, "c")]).expect("sound");
    let write = scene.pending_write(3);
    scene.checks.submitted(scene.at(), NodeId(3), &write).expect("sound");
    scene.checks.durable(scene.at(), NodeId(3), &write).expect("sound");
    scene.remember(3, &write);
    scene.crash(3, &Write::default());
    assert_eq!(count(&scene, Situation::CrashBeforeReceipt), 1);
}

/// Goal: a cluster that lost power as a whole and commits again has recovered.
#[test]
fn a_total_loss_of_power_is_recovered_from() {
    let mut scene = Scene::settled();
    for node in 1..=3 {
        scene.crash(node, &Write::default());
    }
    for node in 1..=3 {
        scene.now += if node == 3 { 4 * settings().election_timeout.0 } else { 0 };
        scene.start(node).expect("sound");
    }
    scene.elect(3, 2, &[1, 2]).expect("sound");
    for node in [3, 1] {
        scene.append(node, 3, &[entry(2, "c")]).expect("sound");
        scene.persist(node).expect("sound");
    }
    scene.commit(3, 4).expect("sound");
    let count = |situation| scene.checks.coverage.count(situation);
    let recovered = [Situation::TotalLossRecovered, Situation::MajorityLossRecovered];
    assert_eq!(recovered.map(count), [1, 0]);
    assert_eq!([Situation::QuickRestart, Situation::LateRestart].map(count), [2, 1]);
}

/// Goal: a node that comes back with less than its disk holds fires.
#[test]
fn a_forgetful_restart_fires() {
    type Forget = fn(&mut Fake);
    let cases: [(Forget, Property); 3] = [
        (|fake| fake.view.term = Term(0), Property::Monotonic),
        (|fake| fake.view.vote = None, Property::Monotonic),
        (|fake| fake.view.last = position(2, 1), Property::Durability),
    ];
    for (forget, property) in cases {
        let mut scene = Scene::settled();
        scene.crash(2, &Write::default());
        forget(scene.node(2));
        fires(scene.start(2), property);
    }
}

/// Goal: a durable mark that ignores a truncation, or runs ahead of the disk, fires.
#[test]
fn a_durable_mark_beyond_the_disk_fires() {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c")]).expect("sound");
    scene.node(1).view.durable = LogIndex(4);
    fires(scene.step(1), Property::DurableKnown);

    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "stale")]).expect("sound");
    scene.persist(1).expect("sound");
    scene.elect(2, 2, &[3]).expect("sound");
    let old_leader = scene.node(1);
    (old_leader.view.term, old_leader.view.role, old_leader.view.vote) =
        (Term(2), Role::Follower, None);
    old_leader.entries[3] = entry(2, "c");
    fires(scene.step(1), Property::DurableKnown);
}
