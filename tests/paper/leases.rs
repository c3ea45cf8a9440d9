//! Reads from a lease: thesis §6.4.1, fine point 8. (That every answer sees what was done before its question is
//! checked by the harness in every test.)

use raft_core::{
    Ballot, Cause, Instant, Message, Outcome, RequestId, Role, Settings, Ticks, Toggle,
};

use support::messages::{at, heartbeat, message, vote_request};
use support::requests::members;
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, N5, settings};

const DRIFT_PPM: u32 = 100_000;
/// What is left of a promise of [`E`] when both clocks may be a tenth wrong: 100 * 0.9 / 1.1.
const LEASE: u64 = 81;

fn leased() -> Settings {
    Settings { read_lease: Toggle::On, max_clock_drift_ppm: DRIFT_PPM, ..settings() }
}

/// n1 leads, and a round of heartbeats has just been answered.
fn with_lease() -> Cluster {
    let mut cluster = Cluster::with(3, leased());
    cluster.elect(N1);
    cluster.wait(HEARTBEAT);
    cluster.tick(N1);
    cluster.settle();
    cluster
}

fn lease_until(cluster: &Cluster) -> Option<Instant> {
    cluster.node(N1).status().lease_until
}

fn is_readable(cluster: &Cluster, read: RequestId) -> bool {
    matches!(cluster.outcome(read), Some(Outcome::Readable { .. }))
}

/// §6.4.1: a leader with a lease answers at once, and asks nobody; a follower gets its answer in one exchange.
#[test]
fn a_lease_answers_at_once() {
    let mut cluster = with_lease();
    cluster.journal.clear();
    let read = cluster.read(N1);
    assert!(is_readable(&cluster, read) && cluster.network.is_empty());
    let read = cluster.read(N2);
    cluster.deliver(N2, N1, "ReadIndex");
    cluster.deliver(N1, N2, "ReadIndexReply");
    assert!(is_readable(&cluster, read));
    assert!(cluster.sent(N1, "Heartbeat").is_empty());
}

/// §6.4.1: when the lease has run out, a quorum is asked.
#[test]
fn without_a_lease_a_quorum_is_asked() {
    let mut cluster = with_lease();
    cluster.wait(Ticks(LEASE - 1));
    cluster.isolate(N2);
    cluster.isolate(N3);
    let read = cluster.read(N1);
    assert!(is_readable(&cluster, read));
    cluster.wait(Ticks(1));
    let read = cluster.read(N1);
    assert!(!is_readable(&cluster, read));
    cluster.settle();
    cluster.heal();
    cluster.pass(HEARTBEAT);
    assert!(is_readable(&cluster, read));
}

/// §6.4.1: it holds from when the round was *sent*: how late an answer arrives gains nothing (B26).
#[test]
fn a_lease_counts_from_when_the_round_was_sent() {
    let mut cluster = Cluster::with(3, leased());
    cluster.elect(N1);
    let sent = cluster.now.after(HEARTBEAT);
    cluster.wait(HEARTBEAT);
    cluster.tick(N1);
    cluster.deliver(N1, N2, "Heartbeat");
    cluster.wait(Ticks(E.0 / 2));
    cluster.deliver(N2, N1, "HeartbeatReply");
    assert_eq!(lease_until(&cluster), Some(sent.after(Ticks(LEASE))));
}

/// §6.4.1: and for less than what was promised, by what both clocks may drift (B28).
#[test]
fn a_lease_is_shortened_by_the_drift() {
    for (ppm, expected) in [(0, 100), (10_000, 98), (DRIFT_PPM, LEASE), (500_000, 33)] {
        let settings = Settings { max_clock_drift_ppm: ppm, ..leased() };
        let mut cluster = Cluster::with(3, settings);
        cluster.elect(N1);
        cluster.wait(HEARTBEAT);
        cluster.tick(N1);
        let sent = cluster.now;
        cluster.settle();
        assert_eq!(lease_until(&cluster), Some(sent.after(Ticks(expected))), "{ppm}");
    }
}

/// Fine point 8: a lease is what a quorum has promised, each in its own words: the leader's own timeout is not what
/// counts, and who promises nothing gives nothing.
#[test]
fn fine_point_8_a_lease_is_what_a_quorum_promised() {
    let mut cluster = Cluster::with(5, leased());
    cluster.elect(N1);
    cluster.wait(Ticks(LEASE + HEARTBEAT.0)); // what was promised at the election is over
    cluster.tick(N1);
    let sent = cluster.now;
    let mut promise = |from, ticks| {
        let round = raft_core::Round(2);
        let reply = Message::HeartbeatReply { round, promise: Ticks(ticks) };
        cluster.receive(message(from, N1, 1, reply));
        lease_until(&cluster).expect("an entry of its own term is committed").since(sent)
    };
    assert_eq!(promise(N2, 1_100), Ticks(0), "one other of four");
    assert_eq!(promise(N3, 0), Ticks(0));
    assert_eq!(promise(N4, 110), Ticks(90));
    assert_eq!(promise(N5, 220), Ticks(180));
}

/// §6.4.1: no lease before an entry of the leader's own term is committed.
#[test]
fn no_lease_before_the_first_commit() {
    let mut cluster = Cluster::with(3, leased());
    cluster.campaign(N1);
    while cluster.role(N1) != Role::Leader {
        cluster.deliver_next();
    }
    cluster.network.retain(|envelope| envelope.message.kind() != "AppendEntries");
    cluster.wait(HEARTBEAT);
    cluster.tick(N1);
    cluster.network.retain(|envelope| envelope.message.kind() == "Heartbeat");
    cluster.settle();
    assert_eq!(lease_until(&cluster), None);
    let read = cluster.read(N1);
    assert!(!is_readable(&cluster, read));
    cluster.pass(Ticks(2 * HEARTBEAT.0));
    assert!(lease_until(&cluster).is_some() && is_readable(&cluster, read));
}

/// Learners promise nothing that counts; while joint, both majorities must.
#[test]
fn a_lease_needs_voters() {
    let mut cluster = Cluster::with(3, leased());
    cluster.join(N4);
    cluster.join(N5);
    cluster.elect(N1);
    for (voters, learners, silent) in [
        (&[1, 2, 3][..], &[4, 5][..], [N2, N3]),
        (&[1, 4, 5], &[], [N2, N3]),
        (&[1, 4, 5], &[], [N4, N5]),
    ] {
        let mut cluster = cluster.clone();
        cluster.isolate_all(&silent);
        cluster.change(N1, members(voters, learners));
        cluster.pass(Ticks(LEASE + 1)); // what was promised before is over
        assert_eq!(cluster.role(N1), Role::Leader);
        let read = cluster.read(N1);
        assert!(!is_readable(&cluster, read), "without {silent:?} of {voters:?}");
    }
}

/// §6.4.1: who has promised votes for nobody else, nor stands, until the time is up: a higher term that it learns of
/// does not free it.
#[test]
fn a_promise_outlives_the_term() {
    let mut cluster = with_lease();
    cluster.receive(message(N3, N2, 7, Message::StaleTerm));
    assert_eq!((cluster.term(N2), cluster.node(N2).leader()), (7, None));
    cluster.network.clear();
    for term in [7, 8] {
        cluster.receive(message(N3, N2, term, vote_request(at(1, 9))));
        assert_eq!(cluster.node(N2).vote(), None);
        cluster.receive(message(N3, N2, term, Message::RequestPreVote { last: at(1, 9) }));
        let reply = cluster.take(N2, N3, "PreVoteReply");
        let refused =
            matches!(reply.message, Message::PreVoteReply { ballot: Ballot::Refused, .. });
        assert!(refused, "{reply:?}");
    }
    cluster.wait(E);
    cluster.receive(message(N3, N2, 8, vote_request(at(1, 9))));
    assert_eq!(cluster.node(N2).vote(), Some(N3));
}

/// §6.4.1: asking a node to stand does not make it break its promise.
#[test]
fn a_requested_campaign_does_not_break_a_promise() {
    for pre_vote in [Toggle::On, Toggle::Off] {
        let mut cluster = Cluster::with(3, Settings { pre_vote, ..leased() });
        cluster.elect(N1);
        cluster.pass(HEARTBEAT);
        cluster.receive(message(N3, N2, 7, Message::StaleTerm));
        cluster.campaign(N2);
        assert_eq!(cluster.role(N2), Role::Follower);
        cluster.wait(E);
        cluster.campaign(N2);
        assert_ne!(cluster.role(N2), Role::Follower);
    }
}

/// Fine point 8: a voter that restarts may have promised, also if it is told to promise nothing from now on; it
/// votes for nobody for as long as a promise lasts.
#[test]
fn fine_point_8_a_restarted_voter_keeps_a_promise_it_may_have_given() {
    for read_lease in [Toggle::On, Toggle::Off] {
        let mut cluster = with_lease();
        cluster.crash(N2);
        cluster.host(N2).settings.read_lease = read_lease;
        cluster.restart(N2);
        cluster.wait(Ticks(E.0 - 1));
        cluster.receive(message(N3, N2, 7, vote_request(at(1, 9))));
        assert_eq!((cluster.node(N2).vote(), cluster.term(N2)), (Some(N1), 1));
        cluster.campaign(N2);
        assert_eq!(cluster.role(N2), Role::Follower);
        cluster.wait(Ticks(1));
        cluster.receive(message(N3, N2, 7, vote_request(at(1, 9))));
        assert_eq!(cluster.node(N2).vote(), Some(N3));
    }
    // A founder that never was in a term has promised nothing.
    let mut cluster = Cluster::with(3, leased());
    cluster.receive(message(N3, N2, 1, vote_request(at(0, 0))));
    assert_eq!(cluster.node(N2).vote(), Some(N3));
}

/// Without leases nobody promises anything, and nobody is bound.
#[test]
fn without_leases_nobody_promises() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.receive(message(N1, N2, 1, heartbeat(1)));
    let reply = cluster.take(N2, N1, "HeartbeatReply");
    assert_eq!(reply.message, support::messages::round_reply(1));
    cluster.receive(message(N3, N2, 7, Message::StaleTerm));
    cluster.receive(message(N3, N2, 7, vote_request(at(1, 9))));
    assert_eq!(cluster.node(N2).vote(), Some(N3));
}

/// §6.4.1 with §3.10: before a leader hands over it gives up its lease, for the rest of its term, however the transfer
/// ends: the target may stand at any time after it was told to (B64).
#[test]
fn fine_point_8_no_lease_after_a_notice() {
    let mut cluster = with_lease();
    cluster.cut(N1, N2);
    cluster.transfer(N1, N2);
    cluster.network.clear();
    assert_eq!(lease_until(&cluster), None);
    cluster.heal();
    cluster.cut.insert((N1, N2));
    for _ in 0..30 {
        cluster.pass(HEARTBEAT);
        assert_eq!((cluster.role(N1), lease_until(&cluster)), (Role::Leader, None));
    }
    assert!(cluster.node(N1).status().transfer_to.is_none(), "it was aborted long ago");
    let read = cluster.read(N1);
    assert!(!is_readable(&cluster, read), "a quorum is asked");
    cluster.settle();
    assert!(is_readable(&cluster, read));
}

/// §3.10: who stands because the leader asked it to is voted for in spite of promises: that leader relies on them no
/// more.
#[test]
fn a_transfer_is_no_breach_of_promise() {
    let mut cluster = with_lease();
    let transfer = cluster.transfer(N1, N3);
    cluster.settle();
    assert_eq!(cluster.outcome(transfer), Some(Outcome::Transferred { leader: N3 }));
    let mut cluster = with_lease();
    let request = Message::RequestVote { last: at(1, 1), cause: Cause::Transfer };
    cluster.receive(message(N3, N2, 2, request));
    assert_eq!(cluster.node(N2).vote(), Some(N3));
}

/// A single voter holds its lease from itself.
#[test]
fn a_single_voter_has_a_lease_from_itself() {
    let mut cluster = Cluster::with(1, leased());
    cluster.pass(Ticks(3 * E.0));
    let read = cluster.read(N1);
    assert!(is_readable(&cluster, read));
}

/// The safety of it all: a leader that is cut off and answers from its lease until the last moment is never behind a
/// new leader, whatever the new one has committed (the harness compares).
#[test]
fn a_lease_ends_before_another_can_lead() {
    for seed in 0..50 {
        let mut cluster = Cluster::with(3, Settings { seed, max_clock_drift_ppm: 0, ..leased() });
        cluster.elect(N1);
        cluster.pass(HEARTBEAT);
        cluster.isolate(N1);
        let mut answered = 0;
        for _ in 0..4 * E.0 {
            cluster.pass(Ticks(1));
            let rival = cluster.leader().filter(|leader| *leader != N1);
            if let Some(rival) = rival {
                cluster.propose(rival, "newer");
            } else {
                cluster.campaign(N2);
            }
            let read = cluster.read(N1);
            answered += u64::from(is_readable(&cluster, read));
        }
        assert!(answered > E.0 / 2 && cluster.commit(N2) > 2);
    }
}
