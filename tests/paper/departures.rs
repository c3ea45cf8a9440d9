//! Members that leave, and who may still stand for election: thesis §4.2.2, §4.2.3, fine point 3; and the last
//! resort when a majority is gone for good.

use raft_core::{Event, LogIndex, Message, Role, Settings, StepDown, Ticks, Toggle};

use support::messages::{at, message, vote_request};
use support::requests::members;
use support::{Cluster, E, N1, N2, N3, N4, N5, settings};

fn removed(event: &Event) -> bool {
    matches!(event, Event::SteppedDown { reason: StepDown::Removed, .. })
}

/// §4.2.2: a leader that is removed manages the cluster until its removal is committed, then steps down.
#[test]
fn a_removed_leader_steps_down_when_that_is_committed() {
    let mut cluster = Cluster::of(4);
    cluster.elect(N1);
    cluster.cut(N1, N2);
    cluster.cut(N1, N3);
    let change = cluster.change(N1, members(&[2, 3, 4], &[]));
    let request = cluster.propose(N1, "managed");
    cluster.settle();
    assert_eq!((cluster.role(N1), cluster.commit(N1)), (Role::Leader, 1));
    assert!(!cluster.node(N1).membership().contains(N1));
    cluster.heal();
    cluster.pass(E);
    assert!(cluster.noted(N1, removed) && cluster.role(N1) == Role::Follower);
    assert!(cluster.is_done(change) && cluster.is_done(request));
    cluster.pass(Ticks(4 * E.0));
    assert!(cluster.leader().is_some_and(|leader| leader != N1));
}

/// §4.2.2: and it does not count itself meanwhile (B40).
#[test]
fn a_removed_leader_is_not_counted() {
    let mut cluster = Cluster::of(4);
    cluster.elect(N1);
    cluster.isolate(N2);
    cluster.isolate(N4);
    cluster.change(N1, members(&[2, 3, 4], &[]));
    let request = cluster.propose(N1, "x");
    cluster.settle();
    assert_eq!(cluster.last(N3), 3);
    assert_eq!(cluster.commit(N1), 1, "n3 alone of n2, n3 and n4 holds it");
    cluster.heal();
    cluster.pass(E);
    assert!(cluster.is_done(request));
}

/// The same when many are replaced at once, the leader among them.
#[test]
fn a_replaced_leader_leaves_the_joint_configuration_first() {
    let mut cluster = Cluster::of(3);
    cluster.join(N4);
    cluster.join(N5);
    cluster.elect(N1);
    let change = cluster.change(N1, members(&[3, 4, 5], &[]));
    cluster.settle();
    assert!(cluster.is_done(change) && cluster.noted(N1, removed));
    assert_eq!(cluster.membership(N1), [vec![3, 4, 5], vec![], vec![]]);
    cluster.pass(Ticks(4 * E.0));
    assert!([N3, N4, N5].contains(&cluster.leader().expect("a leader of the new voters")));
}

/// A leader that becomes a learner steps down too, and goes on as one.
#[test]
fn a_demoted_leader_goes_on_as_a_learner() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.change(N1, members(&[2, 3], &[1]));
    cluster.settle();
    assert!(cluster.noted(N1, removed));
    cluster.elect(N2);
    cluster.propose(N2, "x");
    cluster.settle();
    assert_eq!(cluster.commands(N1), ["x"]);
}

/// A follower that is removed hears that its removal is committed, and then nothing more.
#[test]
fn a_removed_follower_learns_of_it() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.change(N1, members(&[1, 2], &[]));
    cluster.settle();
    assert_eq!((cluster.membership(N3)[0].clone(), cluster.commit(N3)), (vec![1, 2], 2));
    cluster.pass(E);
    assert!(cluster.node(N1).status().peers.iter().all(|peer| peer.id != N3));
    cluster.journal.clear();
    cluster.pass(Ticks(20 * E.0));
    assert!(!cluster.noted(N3, |event| matches!(event, Event::ElectionTimeout { .. })));
    cluster.campaign(N3);
    assert_eq!((cluster.role(N3), cluster.term(N1)), (Role::Follower, 1));
}

/// One that cannot be told is let go after a while all the same.
#[test]
fn a_removed_follower_that_is_away_is_let_go() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.crash(N3);
    cluster.change(N1, members(&[1, 2], &[]));
    cluster.settle();
    assert_eq!(cluster.peer(N1, N3).id, N3, "it may come back");
    cluster.pass(Ticks(3 * E.0));
    assert!(cluster.node(N1).status().peers.iter().all(|peer| peer.id != N3));
}

/// §4.2.3: a server that does not know of its removal does not disturb the others, with pre-vote or without.
#[test]
fn a_removed_server_does_not_disturb() {
    for pre_vote in [Toggle::On, Toggle::Off] {
        let mut cluster = Cluster::with(4, Settings { pre_vote, ..settings() });
        cluster.elect(N1);
        cluster.isolate(N4);
        let change = cluster.change(N1, members(&[1, 2, 3], &[]));
        cluster.pass(Ticks(4 * E.0));
        assert!(cluster.is_done(change));
        cluster.heal();
        cluster.pass(Ticks(30 * E.0));
        assert!(cluster.noted(N4, |event| matches!(event, Event::ElectionTimeout { .. })));
        assert_eq!((cluster.leader(), cluster.term(N1), cluster.term(N2)), (Some(N1), 1, 1));
    }
}

/// §4.2.2, fine point 3: a server whose latest configuration is without it may have to stand all the same, since
/// nobody else may be able to win: until that configuration is known to be committed it stands, not counting
/// itself.
#[test]
fn fine_point_3_a_server_may_be_needed_to_commit_its_own_removal() {
    let mut cluster = Cluster::of(2);
    cluster.elect(N1);
    cluster.isolate(N1);
    cluster.change(N1, members(&[2], &[]));
    cluster.crash(N1);
    cluster.restart(N1);
    cluster.heal();
    assert_eq!((cluster.last(N1), cluster.last(N2)), (2, 1));
    cluster.wait(E);
    cluster.campaign(N2);
    cluster.settle();
    assert_ne!(cluster.role(N2), Role::Leader, "n1 has the longer log, and n2 needs its vote");
    cluster.pass(Ticks(10 * E.0));
    assert_eq!(cluster.leader(), Some(N2), "n1 led, committed its removal and went");
    assert!(cluster.noted(N1, removed));
    assert_eq!(cluster.membership(N2), [vec![2], vec![], vec![]]);
}

/// Fine point 3: once the removal is known to be committed it does not stand any more, also after a restart.
#[test]
fn fine_point_3_a_removed_server_does_not_stand() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.change(N1, members(&[1, 2], &[]));
    cluster.settle();
    cluster.propose(N1, "so that a commit hint is written");
    cluster.settle();
    cluster.crash(N3);
    cluster.restart(N3);
    for _ in 0..10 {
        cluster.wait(Ticks(2 * E.0));
        cluster.campaign(N3);
        cluster.tick(N3);
        assert!(matches!(cluster.role(N3), Role::Follower | Role::PreCandidate));
        cluster.settle();
    }
    assert!(cluster.term(N3) <= 1 && cluster.term(N1) == 1);
}

/// Fine point 3: membership decides who stands and who is counted, not who is answered: a server that was removed
/// votes, by term and log like any other.
#[test]
fn fine_point_3_a_removed_server_votes() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.change(N1, members(&[1, 2], &[]));
    cluster.settle();
    cluster.wait(E);
    cluster.receive(message(N2, N3, 5, vote_request(at(1, 2))));
    assert_eq!(cluster.node(N3).vote(), Some(N2));
    // And a stranger is answered, too.
    cluster.receive(message(N5, N3, 6, vote_request(at(5, 9))));
    assert_eq!(cluster.node(N3).vote(), Some(N5));
}

/// A majority is lost for good: the survivor with the latest log is started with the survivors as its members.
/// All it holds is committed then, under a term that nobody had.
#[test]
fn a_membership_can_be_forced() {
    let mut cluster = Cluster::of(5);
    cluster.elect(N1);
    cluster.isolate(N1);
    cluster.cut.retain(|(from, to)| ![*from, *to].contains(&N2));
    cluster.propose(N1, "held by n1 and n2 alone");
    cluster.settle();
    assert_eq!((cluster.last(N2), cluster.commit(N2)), (2, 1));
    for id in cluster.ids() {
        cluster.crash(id);
    }
    cluster.heal();
    cluster.force(N2, members(&[2, 3], &[]));
    cluster.restart(N3);
    cluster.pass(Ticks(4 * E.0));
    assert_eq!(cluster.leader(), Some(N2));
    assert!(cluster.term(N2) > 1_000, "no election of the lost ones was in this term");
    assert_eq!(cluster.membership(N3), [vec![2, 3], vec![], vec![]]);
    assert_eq!(cluster.commands(N3), ["held by n1 and n2 alone"]);
    let request = cluster.propose(N3, "more");
    cluster.settle();
    assert!(cluster.is_done(request));
}

/// A crash before the forced membership is written leaves the disk as it was, but for a later term; it can be
/// forced again.
#[test]
fn a_membership_can_be_forced_again() {
    for kept in 0..=2 {
        let mut cluster = Cluster::of(3);
        cluster.elect(N1);
        for id in cluster.ids() {
            cluster.crash(id);
        }
        cluster.hold_disk(N1);
        cluster.force(N1, members(&[1], &[]));
        assert!(cluster.network.is_empty());
        cluster.crash_keeping(N1, kept);
        cluster.restart(N1);
        let expected = if kept == 2 { vec![1] } else { vec![1, 2, 3] };
        assert_eq!(cluster.membership(N1)[0], expected, "{kept} parts are kept");
        cluster.crash(N1);
        cluster.force(N1, members(&[1], &[]));
        cluster.release_disk(N1);
        cluster.pass(Ticks(3 * E.0));
        let request = cluster.propose(N1, "alone");
        assert!(cluster.is_done(request));
    }
}

/// A node that answers a lower term's leader brings it the later term, so that one which was away is not ignored
/// for ever: it is freed by an election (fine point 3).
#[test]
fn fine_point_3_a_member_of_a_later_term_is_heard() {
    let mut cluster = Cluster::with(3, Settings { pre_vote: Toggle::Off, ..settings() });
    cluster.elect(N1);
    cluster.isolate(N3);
    cluster.pass(Ticks(10 * E.0));
    assert!(cluster.term(N3) > 3 && cluster.term(N1) == 1);
    cluster.heal();
    let request = cluster.propose(N1, "x");
    cluster.pass(Ticks(10 * E.0));
    let leader = cluster.leader().expect("a leader of a later term");
    assert!(cluster.term(leader) > 3);
    assert!(cluster.is_done(request));
    assert_eq!((cluster.commands(N3), cluster.commands(N2)), (vec!["x".into()], vec!["x".into()]));
    let sent = cluster.sent(N3, "StaleTerm");
    assert!(sent.iter().any(|envelope| envelope.message == Message::StaleTerm));
    assert_eq!(cluster.node(N1).commit(), LogIndex(cluster.last(leader)));
}
