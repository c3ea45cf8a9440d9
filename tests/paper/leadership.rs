//! Who leads, by choice: transfers of leadership (thesis §3.10), priorities, and nodes that are asked to stand or
//! not to.

use raft_core::{
    Ballot, Event, Forwarding, Message, Outcome, Priority, Refusal, Role, Settings, Ticks, Toggle,
};

use support::messages::{at, message, vote_request};
use support::requests::members;
use support::scenes::{lagging, small_chunks};
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, N5, Pace, settings};

fn led() -> Cluster {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal, leader: Some(N1) }
}

/// §3.10: a target that is up to date is told to stand at once, and wins; the old leader answers when it knows.
#[test]
fn leadership_is_handed_over() {
    for forwarding in [Forwarding::ToLeader, Forwarding::Refuse] {
        let mut cluster = Cluster::with(3, Settings { forwarding, ..settings() });
        cluster.elect(N1);
        let transfer = cluster.transfer(N1, N2);
        cluster.take(N1, N2, "TimeoutNow");
        cluster.receive(message(N1, N2, 1, Message::TimeoutNow));
        cluster.settle();
        assert_eq!((cluster.leader(), cluster.term(N2)), (Some(N2), 2));
        assert_eq!(cluster.outcome(transfer), Some(Outcome::Transferred { leader: N2 }));
    }
}

/// §3.10: one that lags is brought up to date first.
#[test]
fn the_target_catches_up_first() {
    let mut cluster = led();
    cluster.isolate(N2);
    for _ in 0..5 {
        cluster.propose(N1, "x");
        cluster.settle();
    }
    let transfer = cluster.transfer(N1, N2);
    cluster.settle();
    assert!(cluster.sent(N1, "TimeoutNow").is_empty());
    cluster.heal();
    cluster.pass(Ticks(E.0 - 2 * HEARTBEAT.0));
    assert_eq!(cluster.outcome(transfer), Some(Outcome::Transferred { leader: N2 }));
    assert_eq!(cluster.commands(N2).len(), 5);
}

/// §3.10: and if what it lacks is compacted, it is sent the snapshot first.
#[test]
fn the_target_may_need_a_snapshot_first() {
    let mut cluster = lagging(small_chunks());
    let transfer = cluster.transfer(N1, N3);
    cluster.pass(Ticks(E.0 - 1));
    assert_eq!(cluster.outcome(transfer), Some(Outcome::Transferred { leader: N3 }));
    assert_eq!(cluster.base(N3), 11);
    assert_eq!(cluster.commands(N3).len(), 10);
}

/// §3.10: meanwhile nothing is accepted that the target would lack, neither commands, own or forwarded, nor changes of
/// membership, nor another transfer; reads are.
#[test]
fn nothing_is_accepted_meanwhile() {
    let mut cluster = led();
    cluster.isolate(N2);
    cluster.propose(N1, "x");
    cluster.settle();
    cluster.transfer(N1, N2);
    let (own, forwarded) = (cluster.propose(N1, "y"), cluster.propose(N3, "z"));
    let change = cluster.change(N1, members(&[1, 2], &[]));
    let others = [cluster.transfer(N1, N3), cluster.transfer(N1, N2)];
    let read = cluster.read(N1);
    cluster.settle();
    for request in [own, forwarded, change, others[0], others[1]] {
        assert_eq!(cluster.outcome(request), Some(refused(Refusal::Transferring)));
    }
    assert!(matches!(cluster.outcome(read), Some(Outcome::Readable { .. })));
}

/// §3.10: a transfer that is not done within an election timeout is given up, and the leader goes on (P4).
#[test]
fn a_transfer_to_an_unreachable_target_is_given_up() {
    let mut cluster = led();
    cluster.isolate(N2);
    cluster.propose(N1, "x");
    cluster.settle();
    let transfer = cluster.transfer(N1, N2);
    cluster.pass(Ticks(E.0 - 1));
    assert_eq!(cluster.outcome(transfer), None);
    cluster.pass(Ticks(1));
    assert_eq!(cluster.outcome(transfer), Some(refused(Refusal::TransferAborted)));
    assert!(cluster.noted(N1, |event| matches!(event, Event::TransferAborted { to } if *to == N2)));
    let request = cluster.propose(N1, "on we go");
    cluster.settle();
    assert!(cluster.is_done(request));
    assert_eq!((cluster.leader(), cluster.term(N1)), (Some(N1), 1));
}

/// Once the target has been told to stand it may do so at any time: a transfer that is given up then is not refused;
/// nobody knows how it ends.
#[test]
fn a_transfer_is_unknown_after_the_notice() {
    let mut cluster = led();
    cluster.cut.insert((N1, N2));
    let transfer = cluster.transfer(N1, N2);
    let notice = cluster.take(N1, N2, "TimeoutNow");
    cluster.pass(E);
    assert_eq!(cluster.outcome(transfer), Some(Outcome::Unknown));
    let request = cluster.propose(N1, "on we go");
    cluster.settle();
    assert!(cluster.is_done(request));
    cluster.heal();
    cluster.pass(E);
    cluster.receive(notice);
    cluster.settle();
    assert_eq!(cluster.leader(), Some(N2), "it arrives after all");
}

/// A notice that is lost is given again, as long as the transfer lasts.
#[test]
fn a_lost_notice_is_given_again() {
    let mut cluster = led();
    let transfer = cluster.transfer(N1, N2);
    drop(cluster.take(N1, N2, "TimeoutNow"));
    cluster.pass(Ticks(2 * HEARTBEAT.0));
    assert_eq!(cluster.outcome(transfer), Some(Outcome::Transferred { leader: N2 }));
}

/// A target that crashes in the middle comes back as a follower.
#[test]
fn the_target_may_crash() {
    let mut cluster = led();
    let transfer = cluster.transfer(N1, N2);
    cluster.crash(N2);
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.outcome(transfer), Some(Outcome::Unknown));
    cluster.restart(N2);
    cluster.pass(E);
    assert_eq!((cluster.leader(), cluster.node(N2).leader()), (Some(N1), Some(N1)));
}

/// When somebody else takes over, the transfer has come to nothing.
#[test]
fn another_may_take_over() {
    let mut cluster = led();
    cluster.isolate(N1);
    cluster.propose(N1, "x");
    let transfer = cluster.transfer(N1, N2);
    cluster.wait(Ticks(E.0 - 1));
    cluster.receive(message(N3, N1, 2, support::messages::heartbeat(0)));
    let other = Outcome::Refused { refusal: Refusal::TransferAborted, leader: Some(N3) };
    assert_eq!(cluster.outcome(transfer), Some(other));
}

/// Only to a voter of the membership in force can be handed over; to itself a leader has.
#[test]
fn only_a_voter_can_take_over() {
    let mut cluster = led();
    cluster.join(N4);
    cluster.join(N5);
    cluster.change(N1, members(&[1, 2], &[4]));
    cluster.settle();
    for (target, what) in [(N3, "removed"), (N4, "a learner"), (N5, "unknown")] {
        let transfer = cluster.transfer(N1, target);
        assert_eq!(cluster.outcome(transfer), Some(refused(Refusal::NotAVoter)), "{what}");
    }
    let transfer = cluster.transfer(N1, N1);
    assert_eq!(cluster.outcome(transfer), Some(Outcome::Transferred { leader: N1 }));
    let transfer = cluster.transfer(N2, N1);
    assert_eq!(cluster.outcome(transfer), Some(refused(Refusal::NotLeader)));
}

/// A joint configuration that is left while its leader hands over to one that goes: the transfer is given up.
#[test]
fn a_target_that_leaves_cannot_take_over() {
    let mut cluster = led();
    cluster.join(N4);
    cluster.isolate(N2);
    cluster.change(N1, members(&[1, 3, 4], &[]));
    let transfer = cluster.transfer(N1, N2);
    assert_eq!(cluster.outcome(transfer), None, "it is a voter still");
    cluster.settle();
    assert_eq!(cluster.membership(N1), [vec![1, 3, 4], vec![], vec![]]);
    assert_eq!(cluster.outcome(transfer), Some(refused(Refusal::TransferAborted)));
}

/// Fine point 3: membership decides who stands, also when the leader asks: a notice that reaches a node without a vote
/// does nothing (B63), nor does one of an earlier term, or from somebody who does not lead.
#[test]
fn fine_point_3_a_notice_to_a_node_without_a_vote_is_ignored() {
    let mut cluster = led();
    cluster.join(N4);
    cluster.change(N1, members(&[1, 2], &[4]));
    cluster.settle();
    for id in [N3, N4] {
        cluster.receive(message(N1, id, 1, Message::TimeoutNow));
        assert_eq!((cluster.role(id), cluster.term(id)), (Role::Follower, 1));
    }
    cluster.elect(N2);
    cluster.receive(message(N1, N1, 1, Message::TimeoutNow));
    cluster.receive(message(N2, N1, 1, Message::TimeoutNow));
    assert_eq!((cluster.role(N1), cluster.term(N1)), (Role::Follower, 2));
}

/// §3.10, §4.2.3: the target needs no pre-vote, and the others' loyalty to the leader does not hold them back.
#[test]
fn a_transfer_bypasses_loyalty() {
    for (pre_vote, check_quorum) in [(Toggle::On, Toggle::On), (Toggle::Off, Toggle::Off)] {
        let mut cluster = Cluster::with(5, Settings { pre_vote, check_quorum, ..settings() });
        cluster.elect(N1);
        cluster.journal.clear();
        cluster.transfer(N1, N4);
        cluster.settle();
        assert_eq!(cluster.leader(), Some(N4));
        assert!(cluster.sent(N4, "RequestPreVote").is_empty());
    }
}

/// And back again, as often as one likes.
#[test]
fn leadership_goes_round() {
    let mut cluster = led();
    for (from, to) in [(N1, N2), (N2, N3), (N3, N1), (N1, N2)] {
        let transfer = cluster.transfer(from, to);
        cluster.settle();
        assert_eq!(cluster.outcome(transfer), Some(Outcome::Transferred { leader: to }));
        let request = cluster.propose(to, "x");
        cluster.settle();
        assert!(cluster.is_done(request));
    }
}

/// Fine point 15: a low priority waits longer before it stands.
#[test]
fn fine_point_15_priorities_lengthen_timeouts() {
    for steps in [0, 1, 3] {
        for seed in 0..30 {
            let priority = Priority(steps);
            let cluster = Cluster::with(3, Settings { seed, priority, ..settings() });
            let timeout = cluster.node(N1).deadline().since(cluster.now).0;
            let least = E.0 * (u64::from(steps) + 1);
            assert!((least..least + E.0).contains(&timeout), "{timeout} with {priority:?}");
        }
    }
}

/// Fine point 15: so the one with the highest priority leads, where all else is equal.
#[test]
fn fine_point_15_the_highest_priority_stands_first() {
    for seed in 0..20 {
        let mut cluster = Cluster::with(5, Settings { seed, ..settings() });
        for id in cluster.ids() {
            let steps = if id == N3 { 0 } else { 2 };
            cluster.host(id).settings.priority = Priority(steps);
            cluster.crash(id);
            cluster.restart(id);
        }
        cluster.network.clear();
        cluster.pass(Ticks(3 * E.0));
        assert_eq!(cluster.leader(), Some(N3));
        cluster.crash(N3);
        cluster.pass(Ticks(8 * E.0));
        assert!(cluster.leader().is_some(), "others do when it is away");
    }
}

/// Fine point 15: nobody refuses a vote for its own priority, or the candidate's.
#[test]
fn fine_point_15_priorities_refuse_no_votes() {
    let mut cluster = Cluster::with(3, Settings { priority: Priority(5), ..settings() });
    cluster.host(N2).settings.priority = Priority::HIGHEST;
    cluster.crash(N2);
    cluster.restart(N2);
    for id in [N2, N3] {
        cluster.receive(message(N1, id, 3, vote_request(at(0, 0))));
        let reply = cluster.take(id, N1, "VoteReply");
        assert_eq!(reply.message, Message::VoteReply { ballot: Ballot::Granted });
    }
}

/// A node that is told to keep still does not stand by itself for so long. It votes all the same, and stands when it
/// is asked to.
#[test]
fn a_suppressed_node_does_not_stand() {
    let mut cluster = led();
    cluster.crash(N1);
    cluster.suppress(N2, Ticks(20 * E.0));
    cluster.hold_disk(N3);
    cluster.pass(Ticks(15 * E.0));
    assert!(!cluster.noted(N2, |event| matches!(event, Event::ElectionTimeout { .. })));
    cluster.release_disk(N3);
    cluster.crash(N3);
    cluster.pass(Ticks(10 * E.0));
    assert_eq!(cluster.role(N2), Role::PreCandidate, "the time is up");

    let mut cluster = led();
    cluster.suppress(N2, Ticks(20 * E.0));
    cluster.elect(N3);
    assert_eq!(cluster.node(N2).vote(), Some(N3));
    cluster.suppress(N2, Ticks(20 * E.0));
    cluster.elect(N2);
    cluster.elect(N1);
    cluster.suppress(N2, Ticks(20 * E.0));
    let transfer = cluster.transfer(N1, N2);
    cluster.settle();
    assert_eq!(cluster.outcome(transfer), Some(Outcome::Transferred { leader: N2 }));
}

/// It is over when a leader is heard.
#[test]
fn a_leader_ends_the_suppression() {
    let mut cluster = led();
    cluster.suppress(N2, Ticks(1_000 * E.0));
    cluster.pass(E);
    cluster.crash(N1);
    cluster.crash(N3);
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.role(N2), Role::PreCandidate);
}

/// A round trip that takes more than half an election timeout is worth a note; how long the last took can be seen.
#[test]
fn slow_heartbeats_are_noted() {
    for (span, is_slow) in [(E.0 / 2, false), (E.0 / 2 + 1, true)] {
        let mut cluster = led();
        cluster.wait(HEARTBEAT);
        cluster.tick(N1);
        cluster.deliver(N1, N2, "Heartbeat");
        cluster.wait(Ticks(span));
        cluster.deliver(N2, N1, "HeartbeatReply");
        let slow =
            |event: &Event| matches!(event, Event::HeartbeatSlow { peer, .. } if *peer == N2);
        assert_eq!(cluster.noted(N1, slow), is_slow);
        assert_eq!(cluster.peer(N1, N2).round_trip, Some(Ticks(span)));
    }
}

/// A machine that lags does not stop its node from taking over (fine point 7: reads and answers wait, not the log).
#[test]
fn a_lagging_machine_may_lead() {
    let mut cluster = led();
    cluster.host(N2).machine_pace = Pace::Held;
    for _ in 0..5 {
        cluster.propose(N1, "x");
        cluster.settle();
    }
    cluster.transfer(N1, N2);
    cluster.settle();
    assert_eq!(cluster.leader(), Some(N2));
    let request = cluster.propose(N2, "y");
    cluster.settle();
    assert!(!cluster.is_done(request) && cluster.commit(N1) == cluster.last(N2));
    cluster.host(N2).machine_pace = Pace::Prompt;
    cluster.finish_apply(N2);
    assert!(cluster.is_done(request));
}
