//! Changes of membership: thesis §4.1 to §4.3, the correction of 2015, and fine point 13.

use std::sync::Arc;

use raft_core::{
    Event, LogIndex, Membership, MembershipParts, NodeId, Outcome, Refusal, Role, Settings,
};

use support::requests::members;
use support::{Cluster, E, N1, N2, N3, N4, N5, settings};

/// Three voters led by n1, and two nodes that have just been started beside them.
fn with_spares() -> Cluster {
    let mut cluster = Cluster::of(3);
    cluster.join(N4);
    cluster.join(N5);
    cluster.elect(N1);
    cluster
}

const OLD: [u64; 3] = [1, 2, 3];

fn simple(voters: &[u64]) -> [Vec<u64>; 3] {
    [voters.to_vec(), vec![], vec![]]
}

fn joint(incoming: &[u64], outgoing: &[u64]) -> [Vec<u64>; 3] {
    [incoming.to_vec(), outgoing.to_vec(), vec![]]
}

/// §4.1: a configuration is in force at each server as soon as it is in its log, committed or not, durable or
/// not (P1).
#[test]
fn a_configuration_is_in_force_when_it_is_appended() {
    let mut cluster = with_spares();
    cluster.hold_disk(N1);
    cluster.hold_disk(N2);
    cluster.change(N1, members(&[1, 2, 3, 4], &[]));
    assert_eq!((cluster.membership(N1), cluster.commit(N1)), (simple(&[1, 2, 3, 4]), 1));
    assert!(!cluster.node(N1).is_membership_committed());
    assert_eq!(cluster.membership(N2), simple(&OLD));
    assert!(cluster.node(N2).is_membership_committed());
    cluster.deliver(N1, N2, "AppendEntries");
    assert_eq!((cluster.membership(N2), cluster.commit(N2)), (simple(&[1, 2, 3, 4]), 1));
}

/// §4.2: one voter more, or one less, is a single step: any majorities of before and after share a server.
#[test]
fn one_voter_more_or_less_is_one_step() {
    for target in [&[1, 2, 3, 4][..], &[1, 2]] {
        let mut cluster = with_spares();
        let change = cluster.change(N1, members(target, &[]));
        assert_eq!(cluster.membership(N1), simple(target));
        cluster.settle();
        assert!(cluster.is_done(change));
        assert_eq!(cluster.last(N1), 2, "one entry");
    }
}

/// §4.3: any other change goes through a configuration that joins both; its end follows by itself, and then
/// alone the request is done.
#[test]
fn other_changes_go_through_a_joint_configuration() {
    for target in [[1, 4, 5], [3, 4, 5], [1, 2, 4]] {
        let mut cluster = with_spares();
        let change = cluster.change(N1, members(&target, &[]));
        assert_eq!(cluster.membership(N1), joint(&target, &OLD));
        cluster.settle();
        assert_eq!((cluster.membership(N1), cluster.last(N1)), (simple(&target), 3));
        let position = cluster.node(N1).last();
        assert_eq!(cluster.outcome(change), Some(Outcome::Done { position }));
    }
}

/// §4.3: when the outgoing voters do not count any more, what the others hold already is committed in the same step.
#[test]
fn leaving_a_joint_configuration_commits_what_the_rest_holds() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.change(N1, members(&[1], &[]));
    cluster.propose(N1, "x");
    assert_eq!((cluster.membership(N1), cluster.commit(N1)), (joint(&[1], &OLD), 1));
    cluster.hold_disk(N1);
    cluster.deliver(N1, N2, "AppendEntries");
    cluster.deliver(N2, N1, "AppendReply");
    assert_eq!((cluster.membership(N1), cluster.last(N1)), (simple(&[1]), 4));
    assert_eq!(
        cluster.commit(N1),
        3,
        "the command that n1 alone has, but not what it has yet to write"
    );
}

/// §4.3: a request is not done when its joint configuration is committed: the outgoing voters still count.
#[test]
fn a_change_is_not_done_while_joint() {
    let mut cluster = with_spares();
    let change = cluster.change(N1, members(&[1, 4, 5], &[]));
    while cluster.commit(N1) < 2 {
        cluster.deliver_next();
    }
    assert_eq!((cluster.commit(N1), cluster.outcome(change)), (2, None));
    cluster.settle();
    assert!(cluster.is_done(change));
}

/// §4.3: while joint, an entry is committed by a majority of the old and a majority of the new voters, and not
/// by either alone (B31).
#[test]
fn while_joint_both_majorities_commit() {
    for silent in [[N2, N3], [N4, N5]] {
        let mut cluster = with_spares();
        cluster.isolate_all(&silent);
        cluster.change(N1, members(&[1, 4, 5], &[]));
        cluster.settle();
        assert_eq!(cluster.commit(N1), 1, "without {silent:?}");
        cluster.heal();
        cluster.isolate(silent[1]);
        cluster.pass(E);
        assert_eq!(cluster.commit(N1), 3, "one of {silent:?} is enough");
    }
}

/// §4.3: and while joint a leader is elected by both majorities.
#[test]
fn while_joint_both_majorities_elect() {
    let mut cluster = with_spares();
    // Nobody answers n1, so the joint configuration reaches all but n3 and is not committed.
    cluster.cut.extend([(N2, N1), (N1, N3)]);
    cluster.change(N1, members(&[2, 4, 5], &[]));
    cluster.settle();
    assert_eq!((cluster.commit(N1), cluster.membership(N2)), (1, joint(&[2, 4, 5], &OLD)));
    cluster.crash(N1);
    cluster.isolate(N3);
    cluster.wait(E);
    cluster.campaign(N2);
    cluster.settle();
    assert_eq!(cluster.role(N2), Role::PreCandidate, "all of the new, one of three of the old");
    cluster.heal();
    cluster.campaign(N2);
    cluster.settle();
    assert_eq!(cluster.role(N2), Role::Leader);
    assert_eq!(cluster.membership(N2), simple(&[2, 4, 5]), "and it leaves it (B42)");
}

/// §4.3: a joint configuration is left by whoever leads, also by one that did not ask for it (B42); the one that
/// did answers when it learns of that.
#[test]
fn a_new_leader_leaves_a_joint_configuration() {
    let mut cluster = with_spares();
    cluster.cut.extend([(N2, N1), (N3, N1), (N4, N1), (N5, N1)]);
    let change = cluster.change(N1, members(&[1, 2, 4], &[]));
    cluster.settle();
    assert_eq!((cluster.commit(N1), cluster.membership(N2)), (1, joint(&[1, 2, 4], &OLD)));
    cluster.isolate(N1);
    cluster.elect(N2);
    assert_eq!(cluster.membership(N2), simple(&[1, 2, 4]));
    assert_eq!(cluster.outcome(change), None, "n1 has not heard of it");
    cluster.heal();
    cluster.pass(E);
    assert_eq!(cluster.membership(N1), simple(&[1, 2, 4]));
    assert!(cluster.is_done(change));
}

/// §4.1: a configuration whose entry is removed from the log is not in force any more (B37).
#[test]
fn a_configuration_is_rolled_back_with_its_entry() {
    for target in [&[1, 4, 5][..], &[1, 2, 3, 4]] {
        let mut cluster = with_spares();
        cluster.isolate(N1);
        let change = cluster.change(N1, members(target, &[]));
        assert_ne!(cluster.membership(N1), simple(&OLD));
        cluster.elect(N2);
        cluster.heal();
        cluster.pass(E);
        assert_eq!(cluster.membership(N1), simple(&OLD));
        assert!(cluster.noted(N1, |event| matches!(event, Event::Truncated { .. })));
        assert!(matches!(cluster.outcome(change), Some(Outcome::Lost { .. })));
    }
}

/// Ongaro, 2015: no change before the leader has committed an entry of its own term: another leader's change may
/// be in the making, of which nobody here knows (B33, P2).
#[test]
fn no_change_before_the_first_commit() {
    let mut cluster = with_spares();
    cluster.wait(E);
    cluster.cut.extend([(N1, N2), (N1, N3)]);
    cluster.campaign(N2);
    while cluster.role(N2) != Role::Leader {
        cluster.deliver_next();
    }
    let early = cluster.change(N2, members(&[1, 2, 3, 4], &[]));
    assert_eq!(cluster.refusal(early), Some(Refusal::NotYetCommitted));
    cluster.settle();
    let later = cluster.change(N2, members(&[1, 2, 3, 4], &[]));
    cluster.settle();
    assert!(cluster.is_done(later));
}

/// §4.1: one change at a time: another is refused until the last configuration is committed, and not joint.
#[test]
fn no_change_while_another_is_under_way() {
    for target in [&[1, 2, 3, 4][..], &[1, 4, 5]] {
        let mut cluster = with_spares();
        let first = cluster.change(N1, members(target, &[]));
        let mut refused = 0;
        while !cluster.is_done(first) {
            let second = cluster.change(N1, members(&OLD, &[]));
            assert_eq!(cluster.refusal(second), Some(Refusal::ChangePending));
            refused += 1;
            cluster.deliver_next();
        }
        assert!(refused > 2);
        let third = cluster.change(N1, members(&OLD, &[]));
        cluster.settle();
        assert!(cluster.is_done(third));
    }
}

/// A change is to a membership that can be in force in the end: with voters, and not joint.
#[test]
fn only_a_membership_can_be_asked_for() {
    let mut cluster = with_spares();
    let set = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
    let parts =
        MembershipParts { voters: set(&[1, 2]), outgoing: set(&[3]), ..MembershipParts::default() };
    let joint = Membership::try_from(parts).expect("a sound membership");
    for target in [Membership::default(), joint] {
        let change = cluster.change(N1, target);
        assert_eq!(cluster.refusal(change), Some(Refusal::NoMembership));
    }
    assert_eq!(cluster.last(N1), 1);
}

/// A membership counts as a command does: one that is too large is refused.
#[test]
fn a_membership_that_is_too_large_is_refused() {
    let mut cluster = Cluster::with(3, Settings { max_command_bytes: 100, ..settings() });
    cluster.elect(N1);
    let mut parts = MembershipParts::from(members(&OLD, &[]));
    parts.contexts.insert(N1, vec![b'x'; 100].into());
    let change = cluster.change(N1, parts.try_into().expect("a sound membership"));
    assert_eq!(cluster.refusal(change), Some(Refusal::TooLarge));
}

/// Only the leader changes members; others name it.
#[test]
fn a_follower_changes_nobody() {
    let mut cluster = with_spares();
    let change = cluster.change(N2, members(&[1, 2], &[]));
    let leader = Some(N1);
    let refused = Outcome::Refused { refusal: Refusal::NotLeader, leader };
    assert_eq!(cluster.outcome(change), Some(refused));
}

/// A change to the members that there are is a change like any other, and done.
#[test]
fn a_present_member_can_be_added() {
    let mut cluster = with_spares();
    for _ in 0..2 {
        let change = cluster.change(N1, members(&[1, 2, 3, 4], &[]));
        cluster.settle();
        assert!(cluster.is_done(change));
        assert_eq!(cluster.membership(N4), simple(&[1, 2, 3, 4]));
    }
}

/// Two become one, though the other has been gone for long: the configuration of one is in force at once, and
/// commits itself.
#[test]
fn one_of_two_goes_on_without_the_other() {
    let mut cluster = Cluster::of(2);
    cluster.elect(N1);
    cluster.crash(N2);
    let change = cluster.change(N1, members(&[1], &[]));
    assert!(cluster.is_done(change));
    let request = cluster.propose(N1, "alone");
    assert!(cluster.is_done(request));
}

/// Fine point 13: a restart puts the last configuration of the durable log in force, committed or not (P1: one
/// that is known to be committed may be older than what the node has acknowledged).
#[test]
fn fine_point_13_a_restart_goes_back_to_the_last_configuration_in_the_log() {
    let mut cluster = with_spares();
    cluster.change(N1, members(&[1, 4, 5], &[]));
    cluster.deliver(N1, N2, "AppendEntries");
    assert_eq!(cluster.commit(N2), 1);
    let promised = cluster.take(N2, N1, "AppendReply");
    cluster.crash(N2);
    cluster.restart(N2);
    assert_eq!(cluster.membership(N2), joint(&[1, 4, 5], &OLD), "it has sent {promised:?}");
}

/// A new leader's blank entry changes no members: learners stay (P3).
#[test]
fn a_new_leader_keeps_the_learners() {
    let mut cluster = with_spares();
    cluster.change(N1, members(&OLD, &[4]));
    cluster.settle();
    cluster.elect(N2);
    let expected = [OLD.to_vec(), vec![], vec![4]];
    assert_eq!((cluster.membership(N2), cluster.membership(N4)), (expected.clone(), expected));
    let request = cluster.propose(N2, "x");
    cluster.settle();
    assert!(cluster.is_done(request));
    assert_eq!(cluster.commands(N4), ["x"]);
}

/// What the application keeps for a member, its address perhaps, travels in the membership, to everyone.
#[test]
fn contexts_travel_in_the_membership() {
    let mut cluster = with_spares();
    let mut parts = MembershipParts::from(members(&[1, 2, 3, 4], &[5]));
    parts.contexts.insert(N2, "two:1".into());
    parts.contexts.insert(N5, "five:1".into());
    let target = Membership::try_from(parts).expect("a sound membership");
    cluster.change(N1, target.clone());
    cluster.settle();
    for id in cluster.ids() {
        assert_eq!(cluster.node(id).membership(), &Arc::new(target.clone()));
    }
    assert_eq!(target.context(N5).map(|context| &context[..]), Some(&b"five:1"[..]));
}

/// What is in force in the end is what was asked for, whichever way it goes there, contexts included; and while
/// joint, the leaving voters can be reached.
#[test]
fn the_end_of_a_change_is_its_target() {
    let context = |of: &[(NodeId, &'static str)], voters: &[u64]| {
        let mut parts = MembershipParts::from(members(voters, &[]));
        parts.contexts.extend(of.iter().map(|(id, address)| (*id, (*address).into())));
        Membership::try_from(parts).expect("a sound membership")
    };
    for voters in [&[1, 2, 3, 4][..], &[1, 2, 4]] {
        let mut cluster = with_spares();
        cluster.change(N1, context(&[(N1, "one"), (N2, "two"), (N3, "three")], &OLD));
        cluster.settle();
        // n1 has a new address, n2 none any more, and n3 may leave.
        let target = context(&[(N1, "moved"), (N4, "four")], voters);
        cluster.change(N1, target.clone());
        if cluster.node(N1).membership().is_joint() {
            assert!(cluster.node(N1).membership().context(N3).is_some());
        }
        cluster.settle();
        assert_eq!(**cluster.node(N1).membership(), target);
    }
}

/// Fine point 13: a snapshot stands for the membership as of its index, not for the one in force.
#[test]
fn fine_point_13_a_snapshot_has_the_membership_of_its_index() {
    let mut cluster = with_spares();
    cluster.propose(N1, "x");
    cluster.settle();
    cluster.change(N1, members(&[1, 4, 5], &[]));
    let voters = |cluster: &Cluster, index| {
        let take = cluster.node(N1).take_snapshot(LogIndex(index)).expect("it is applied");
        take.meta().membership.clone()
    };
    assert_eq!(*voters(&cluster, 2), members(&OLD, &[]), "the change is in force, at 3");
    cluster.settle();
    assert!(voters(&cluster, 3).is_joint());
    assert_eq!(*voters(&cluster, 4), members(&[1, 4, 5], &[]));
}
