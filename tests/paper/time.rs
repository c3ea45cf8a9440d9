//! Time: fine point 9 (what a step does first), fine point 2's deadlines, clocks that misbehave.

use raft_core::{
    Instant, LogIndex, Message, Outcome, RecordedInput, Role, Round, Settings, Term, Ticks, Toggle,
};

use support::messages::{append, at, message};
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, settings};

/// Fine point 9: a node that comes back from a pause hears the heartbeat that waited for it before it
/// considers to campaign.
#[test]
fn fine_point_9_the_input_comes_before_the_timers() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.wait(HEARTBEAT);
    cluster.tick(N1);
    let heartbeat = cluster.take(N1, N2, "Heartbeat");
    cluster.wait(Ticks(50 * E.0));
    cluster.receive(heartbeat);
    assert_eq!((cluster.role(N2), cluster.node(N2).leader()), (Role::Follower, Some(N1)));
}

/// Fine point 9: a loop that is always busy and never ticks has timers all the same.
#[test]
fn fine_point_9_a_busy_loop_has_timers() {
    let mut cluster = Cluster::of(3);
    cluster.wait(Ticks(2 * E.0));
    cluster.receive(message(N2, N1, 0, Message::RequestPreVote { last: at(0, 0) }));
    assert_eq!(cluster.role(N1), Role::PreCandidate);

    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.wait(HEARTBEAT);
    cluster.propose(N1, "x");
    cluster.take(N1, N2, "Heartbeat");
}

/// Fine point 9: a tick before the deadline does nothing at all.
#[test]
fn fine_point_9_an_early_tick_does_nothing() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    for id in [N1, N2, N3] {
        let before = cluster.node(id).clone();
        cluster.journal.clear();
        cluster.tick(id);
        assert_eq!(cluster.node(id), &before);
        assert_eq!(cluster.journal.len(), 1, "the tick and no effect");
    }
}

/// A step at the end of time ends, with pre-vote and without: nothing is due again and again.
#[test]
fn a_step_at_the_end_of_time_ends() {
    for pre_vote in [Toggle::On, Toggle::Off] {
        let mut cluster = Cluster::with(3, Settings { pre_vote, ..settings() });
        cluster.now = Instant::NEVER;
        cluster.tick(N1);
        cluster.settle();
        cluster.tick(N1);
        assert!(cluster.node(N1).term() <= Term(1), "one campaign at most");
    }
}

/// Fine point 8: a clock that falls is held where it was.
#[test]
fn a_clock_that_falls_is_clamped() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let deadline = cluster.node(N2).deadline();
    cluster.now = Instant(0);
    cluster.receive(message(
        N1,
        N2,
        1,
        Message::Heartbeat { commit: LogIndex(0), round: Round(1) },
    ));
    assert!(cluster.node(N2).deadline() >= deadline);
}

/// An idle node says when it must be stepped next, and nothing is due before.
#[test]
fn the_deadline_is_the_next_thing_due() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    assert_eq!(cluster.node(N1).deadline(), cluster.now.after(HEARTBEAT));
    let wait = cluster.node(N2).deadline().since(cluster.now);
    assert!(wait >= E && wait < Ticks(2 * E.0));
}

/// Fine point 2: every request has a deadline, and at it the answer is that nobody knows.
#[test]
fn fine_point_2_a_request_ends_at_its_deadline() {
    let mut cluster = Cluster::with(3, Settings { request_timeout: Ticks(40), ..settings() });
    cluster.elect(N1);
    cluster.isolate(N1);
    let local = cluster.propose(N1, "x");
    let forwarded = cluster.propose(N2, "y");
    cluster.pass(Ticks(39));
    assert_eq!((cluster.outcome(local), cluster.outcome(forwarded)), (None, None));
    cluster.pass(Ticks(1));
    assert_eq!(cluster.outcome(local), Some(Outcome::Unknown));
    assert_eq!(cluster.outcome(forwarded), Some(Outcome::Unknown));
    cluster.heal();
    cluster.pass(E);
    assert_eq!(cluster.commands(N1), ["x"], "unknown is not refused: it took effect later");
}

/// The same inputs give the same node and the same effects: a recorded life can be replayed.
#[test]
fn a_step_is_a_function_of_its_inputs() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.forge();
    let mut twin = cluster.clone();
    for cluster in [&mut cluster, &mut twin] {
        cluster.receive(message(N1, N2, 1, append(at(1, 1), &[1], 2)));
        cluster.step(N3, RecordedInput::Campaign);
        cluster.settle();
    }
    for id in cluster.ids() {
        assert_eq!(cluster.node(id), twin.node(id));
    }
    assert_eq!(format!("{:?}", cluster.journal), format!("{:?}", twin.journal));
}
