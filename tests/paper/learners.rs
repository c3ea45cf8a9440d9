//! Members without a vote, and members that come with an empty disk: thesis §4.2.1, fine point 3.

use raft_core::{Ballot, Event, Message, Role, Settings, Start, Ticks};

use support::messages::message;
use support::requests::members;
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, N5, settings};

/// n1 to n3 vote, n4 and n5 learn; n1 leads.
fn with_learners() -> Cluster {
    let mut cluster = Cluster::of(3);
    cluster.join(N4);
    cluster.join(N5);
    cluster.elect(N1);
    let change = cluster.change(N1, members(&[1, 2, 3], &[4, 5]));
    cluster.settle();
    assert!(cluster.is_done(change));
    cluster
}

/// §4.2.1: a learner receives the log, and applies it.
#[test]
fn a_learner_receives_the_log() {
    let mut cluster = with_learners();
    cluster.propose(N1, "x");
    cluster.settle();
    assert_eq!((cluster.commands(N4), cluster.commands(N5)), (vec!["x".into()], vec!["x".into()]));
}

/// §4.2.1: learners do not count towards a majority that commits (B36).
#[test]
fn learners_do_not_commit() {
    let mut cluster = with_learners();
    cluster.isolate(N2);
    cluster.isolate(N3);
    let request = cluster.propose(N1, "x");
    cluster.settle();
    assert_eq!((cluster.last(N4), cluster.last(N5)), (3, 3));
    assert_eq!((cluster.commit(N1), cluster.outcome(request)), (2, None));
}

/// §4.2.1: nor towards one that elects.
#[test]
fn learners_do_not_elect() {
    let mut cluster = with_learners();
    cluster.isolate(N1);
    cluster.isolate(N3);
    cluster.pass(Ticks(5 * E.0));
    for learner in [N4, N5] {
        let campaign = cluster.node(N2).term().next().expect("terms are left");
        let ballot = Ballot::Granted;
        let reply = Message::PreVoteReply { campaign, ballot };
        cluster.receive(message(learner, N2, cluster.term(N2), reply));
    }
    assert!(matches!(cluster.role(N2), Role::PreCandidate | Role::Follower));
}

/// §6.2: nor towards one that a leader must hear.
#[test]
fn learners_do_not_keep_a_leader() {
    let mut cluster = with_learners();
    cluster.isolate(N2);
    cluster.isolate(N3);
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.role(N1), Role::Follower);
}

/// A learner never stands for election, however long it hears nobody, and whoever asks it to.
#[test]
fn a_learner_does_not_stand() {
    let mut cluster = with_learners();
    cluster.isolate(N4);
    cluster.journal.clear();
    cluster.pass(Ticks(20 * E.0));
    cluster.campaign(N4);
    assert_eq!(cluster.role(N4), Role::Follower);
    assert!(!cluster.noted(N4, |event| matches!(event, Event::ElectionTimeout { .. })));
}

/// A learner can be asked for anything, like any follower.
#[test]
fn a_learner_serves_its_clients() {
    let mut cluster = with_learners();
    let (request, read) = (cluster.propose(N4, "x"), cluster.read(N4));
    cluster.settle();
    assert!(cluster.is_done(request) && cluster.outcome(read).is_some());
    assert_eq!(cluster.commands(N4), ["x"]);
}

/// Fine point 3: one that does not know yet that it may vote is asked, and answers: without it nobody may win.
#[test]
fn fine_point_3_a_learner_votes_that_does_not_know_of_its_promotion() {
    let mut cluster = with_learners();
    cluster.isolate(N3);
    cluster.cut(N1, N4);
    cluster.change(N1, members(&[1, 2, 3, 4], &[5]));
    cluster.settle();
    assert!(cluster.node(N2).membership().is_voter(N4));
    assert!(!cluster.node(N4).membership().is_voter(N4), "it was not told");
    cluster.crash(N1);
    cluster.heal();
    cluster.crash(N5);
    // Three of four voters are needed, and n1 is away.
    cluster.elect(N2);
    assert_eq!(cluster.node(N4).vote(), Some(N2));
    assert!(cluster.node(N4).membership().is_voter(N4));
}

/// §4.2.1: a learner becomes a voter when it has caught up; until then the others need nobody new.
#[test]
fn a_learner_catches_up_before_it_votes() {
    let mut cluster = with_learners();
    cluster.hold_disk(N4);
    for _ in 0..50 {
        let request = cluster.propose(N1, "x");
        cluster.settle();
        assert!(cluster.is_done(request), "a slow learner slows nobody");
    }
    cluster.release_disk(N4);
    cluster.pass(E);
    assert_eq!(cluster.peer(N1, N4).matched, cluster.node(N1).last().index);
    let change = cluster.change(N1, members(&[1, 2, 3, 4], &[5]));
    cluster.settle();
    assert!(cluster.is_done(change));
    cluster.isolate(N2);
    let request = cluster.propose(N1, "three of four");
    cluster.settle();
    assert!(cluster.is_done(request));
    cluster.isolate(N4);
    let request = cluster.propose(N1, "two of four");
    cluster.settle();
    assert!(!cluster.is_done(request), "its vote counts now");
}

/// A node that joins with an empty disk learns who its cluster is from the log.
#[test]
fn a_node_that_joins_catches_up() {
    let limits = Settings { max_batch_entries: 3, ..settings() };
    let mut cluster = Cluster::with(3, limits);
    cluster.elect(N1);
    for number in 0..100 {
        cluster.propose(N1, format!("{number}"));
        cluster.settle();
    }
    cluster.join(N4);
    assert_eq!(cluster.membership(N4), [vec![], vec![], vec![]]);
    cluster.change(N1, members(&[1, 2, 3], &[4]));
    cluster.pass(Ticks(2 * HEARTBEAT.0));
    assert_eq!(cluster.membership(N4), cluster.membership(N1));
    assert_eq!(cluster.commands(N4), cluster.commands(N1));
}

/// It may crash before it is told anything, and after.
#[test]
fn a_node_that_joins_may_crash() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.join(N4);
    cluster.crash(N4);
    cluster.restart(N4);
    assert!(
        matches!(cluster.hosts[&N4].start.0, Start::Restart(_)),
        "its first life is on the disk"
    );
    assert_eq!(cluster.membership(N4), [vec![], vec![], vec![]]);
    cluster.change(N1, members(&[1, 2, 3], &[4]));
    cluster.settle();
    cluster.crash(N4);
    cluster.restart(N4);
    assert_eq!(cluster.membership(N4), cluster.membership(N1));
    cluster.propose(N1, "x");
    cluster.pass(E);
    assert_eq!(cluster.commands(N4), ["x"]);
}
