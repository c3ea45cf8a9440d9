//! Leader election: paper §5.2, §5.4.1 and §5.6, thesis §3.4, §3.6.1 and §3.9.

use raft_core::{
    Ballot, Envelope, Instant, LogIndex, LogPosition, Message, Role, Round, Settings, Ticks, Toggle,
};

use support::messages::{at, message, vote_request};
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, N5, settings};

/// The plain algorithm of the paper: no pre-vote.
fn plain() -> Settings {
    Settings { pre_vote: Toggle::Off, ..settings() }
}

fn ask(cluster: &mut Cluster, from: u64, to: u64, term: u64, last: LogPosition) -> Ballot {
    let (from, to) = (raft_core::NodeId(from), raft_core::NodeId(to));
    cluster.receive(message(from, to, term, vote_request(last)));
    ballot(&cluster.take(to, from, "VoteReply"))
}

fn ballot(reply: &Envelope) -> Ballot {
    match reply.message {
        Message::VoteReply { ballot } | Message::PreVoteReply { ballot, .. } => ballot,
        _ => panic!("not a ballot: {reply:?}"),
    }
}

/// §5.2: each server votes for at most one candidate in a term, first come, first served (B01).
#[test]
fn one_vote_a_term() {
    let mut cluster = Cluster::of(5);
    assert_eq!(ask(&mut cluster, 1, 3, 1, at(0, 0)), Ballot::Granted);
    assert_eq!(ask(&mut cluster, 2, 3, 1, at(0, 0)), Ballot::Refused);
    assert_eq!(ask(&mut cluster, 1, 3, 1, at(0, 0)), Ballot::Granted, "asked again");
    assert_eq!(ask(&mut cluster, 2, 3, 2, at(0, 0)), Ballot::Granted, "a new term, a new vote");
}

/// §5.2: a candidate that has the votes of a majority becomes leader, and not before.
#[test]
fn a_majority_of_votes_wins() {
    let mut cluster = Cluster::with(5, plain());
    cluster.campaign(N1);
    assert_eq!(cluster.node(N1).vote(), Some(N1), "it votes for itself");
    cluster.deliver(N1, N2, "RequestVote");
    cluster.deliver(N2, N1, "VoteReply");
    assert_eq!(cluster.role(N1), Role::Candidate, "two of five");
    let reply = message(N2, N1, 1, Message::VoteReply { ballot: Ballot::Granted });
    cluster.receive(reply);
    assert_eq!(cluster.role(N1), Role::Candidate, "the same voter counts once");
    cluster.deliver(N1, N3, "RequestVote");
    cluster.deliver(N3, N1, "VoteReply");
    assert_eq!(cluster.role(N1), Role::Leader, "three of five");
}

/// §5.2: half of an even number of servers is no majority.
#[test]
fn half_is_no_majority() {
    let mut cluster = Cluster::with(4, plain());
    cluster.campaign(N1);
    cluster.deliver(N1, N2, "RequestVote");
    cluster.deliver(N2, N1, "VoteReply");
    assert_eq!(cluster.role(N1), Role::Candidate);
}

/// §5.2: a cluster of one elects itself.
#[test]
fn a_single_voter_elects_itself() {
    let mut cluster = Cluster::of(1);
    cluster.pass(Ticks(2 * E.0));
    assert_eq!((cluster.role(N1), cluster.commit(N1)), (Role::Leader, 1));
}

/// §5.2: the vote of a server that is no voter, or of a stranger, does not count.
#[test]
fn strangers_do_not_elect() {
    let mut cluster = Cluster::with(3, plain());
    cluster.campaign(N1);
    for stranger in [N4, N5] {
        cluster.receive(message(stranger, N1, 1, Message::VoteReply { ballot: Ballot::Granted }));
    }
    assert_eq!(cluster.role(N1), Role::Candidate);
}

/// §5.2: a candidate that hears from a leader of its term recognises it and returns to follower.
#[test]
fn a_candidate_yields_to_a_leader_of_its_term() {
    let mut cluster = Cluster::with(3, plain());
    cluster.campaign(N1);
    cluster.receive(message(
        N2,
        N1,
        1,
        Message::Heartbeat { commit: LogIndex(0), round: Round(1) },
    ));
    assert_eq!((cluster.role(N1), cluster.term(N1)), (Role::Follower, 1));
    assert_eq!(cluster.node(N1).leader(), Some(N2));
}

/// §5.2: a candidate rejects a leader of an earlier term and stays a candidate.
#[test]
fn a_candidate_does_not_yield_to_an_earlier_term() {
    let mut cluster = Cluster::with(3, plain());
    cluster.elect(N2);
    cluster.isolate(N1);
    cluster.wait(E);
    cluster.campaign(N1);
    cluster.settle();
    let heartbeat = Message::Heartbeat { commit: LogIndex(0), round: Round(1) };
    cluster.receive(message(N2, N1, 1, heartbeat));
    assert_eq!((cluster.role(N1), cluster.term(N1)), (Role::Candidate, 2));
}

/// §5.2: when votes are split, candidates time out and a new election, in a new term, decides.
#[test]
fn a_split_vote_ends_in_a_new_election() {
    let mut cluster = Cluster::with(4, plain());
    cluster.campaign(N1);
    cluster.campaign(N2);
    cluster.deliver(N1, N3, "RequestVote");
    cluster.deliver(N2, N4, "RequestVote");
    cluster.settle();
    assert_eq!(cluster.leader(), None, "two votes each");
    assert_eq!((cluster.node(N3).vote(), cluster.node(N4).vote()), (Some(N1), Some(N2)));
    cluster.pass(Ticks(6 * E.0));
    assert!(cluster.leader().is_some_and(|leader| cluster.term(leader) > 1));
}

/// §5.2: a candidate that a majority has refused waits for the winner instead of asking again.
#[test]
fn a_candidate_concedes_when_a_majority_refuses() {
    let mut cluster = Cluster::with(3, plain());
    cluster.campaign(N1);
    for voter in [N2, N3] {
        cluster.receive(message(voter, N1, 1, Message::VoteReply { ballot: Ballot::Refused }));
    }
    assert_eq!((cluster.role(N1), cluster.node(N1).vote()), (Role::Follower, Some(N1)));
}

/// §5.2: election timeouts are drawn anew, at random, from E up to 2E.
#[test]
fn election_timeouts_are_random() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let cluster = Cluster::with(3, Settings { seed, ..settings() });
        for id in cluster.ids() {
            let timeout = cluster.node(id).deadline().since(Instant(1_000));
            assert!(timeout >= E && timeout < Ticks(2 * E.0), "{timeout}");
            seen.insert(timeout);
        }
    }
    assert!(seen.len() > 50, "150 draws from 100 values gave only {}", seen.len());
}

/// §5.2: a follower stays a follower as long as it hears from a leader.
#[test]
fn heartbeats_prevent_elections() {
    let mut cluster = Cluster::of(5);
    cluster.elect(N1);
    cluster.pass(Ticks(50 * E.0));
    assert!(cluster.ids().into_iter().all(|id| cluster.term(id) == 1));
    assert_eq!(cluster.leader(), Some(N1));
}

/// §5.2: when the heartbeats stop, an election begins after an election timeout, not earlier.
#[test]
fn silence_begins_an_election() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.crash(N1);
    cluster.pass(Ticks(E.0 - 1));
    assert!([N2, N3].into_iter().all(|id| cluster.role(id) == Role::Follower));
    cluster.pass(Ticks(5 * E.0));
    assert!(cluster.leader().is_some());
}

/// §5.2: a leader announces itself to all other servers at once.
#[test]
fn a_new_leader_announces_itself() {
    let mut cluster = Cluster::of(5);
    cluster.elect(N1);
    assert!(cluster.ids().into_iter().all(|id| cluster.node(id).leader() == Some(N1)));
}

/// §5.2: only a granted vote and a leader's message restart the timer: a refused candidate does not.
#[test]
fn a_refused_request_of_the_same_term_does_not_postpone_the_election() {
    let mut cluster = Cluster::of(3);
    assert_eq!(ask(&mut cluster, 1, 3, 1, at(0, 0)), Ballot::Granted);
    let deadline = cluster.node(N3).deadline();
    cluster.wait(HEARTBEAT);
    assert_eq!(ask(&mut cluster, 2, 3, 1, at(0, 0)), Ballot::Refused);
    assert_eq!(cluster.node(N3).deadline(), deadline);
    assert_eq!(ask(&mut cluster, 1, 3, 1, at(0, 0)), Ballot::Granted);
    assert!(cluster.node(N3).deadline() > deadline);
}

/// §5.4.1: a voter refuses a candidate whose log is less up to date: the later last term wins, and with
/// equal terms the longer log (B04: length alone decides nothing).
#[test]
fn votes_go_to_logs_that_are_up_to_date() {
    let cases = [
        (at(3, 3), Ballot::Granted, "the same log"),
        (at(3, 4), Ballot::Granted, "the same term, longer"),
        (at(4, 1), Ballot::Granted, "a later term, shorter"),
        (at(3, 2), Ballot::Refused, "the same term, shorter"),
        (at(2, 9), Ballot::Refused, "an earlier term, longer"),
        (at(0, 0), Ballot::Refused, "an empty log"),
    ];
    for (last, expected, why) in cases {
        let mut cluster = Cluster::with_logs(settings(), &[&[], &[1, 2, 3]]);
        assert_eq!(ask(&mut cluster, 1, 2, 5, last), expected, "{why}");
        let pre_vote = Message::RequestPreVote { last };
        let mut cluster = Cluster::with_logs(settings(), &[&[], &[1, 2, 3]]);
        cluster.receive(message(N1, N2, 5, pre_vote));
        assert_eq!(ballot(&cluster.take(N2, N1, "PreVoteReply")), expected, "{why}");
    }
}

/// §5.4.1, Leader Completeness: a leader's long tail that was never committed loses to a shorter log
/// of a later term.
#[test]
fn a_minority_leader_cannot_win_back_with_its_tail() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N1);
    for _ in 0..5 {
        cluster.propose(N1, "never committed");
    }
    cluster.settle();
    cluster.elect(N2);
    let kept = cluster.propose(N2, "kept");
    cluster.settle();
    assert!(cluster.outcome(kept).is_some());
    assert!(cluster.last(N1) > cluster.last(N3));

    cluster.crash(N2);
    cluster.heal();
    cluster.pass(Ticks(6 * E.0));
    assert_eq!(cluster.leader(), Some(N3));
    cluster.settle();
    assert_eq!(cluster.commands(N1), ["kept"]);
}

/// §5.6: with a majority up, a leader is found within a few election timeouts.
#[test]
fn elections_take_a_few_timeouts() {
    for seed in 0..100 {
        let mut cluster = Cluster::with(5, Settings { seed, ..settings() });
        cluster.pass(Ticks(4 * E.0));
        let leader = cluster.leader().expect("a first leader");
        cluster.crash(leader);
        cluster.pass(Ticks(4 * E.0));
        assert!(cluster.leader().is_some(), "seed {seed}: no second leader");
    }
}

/// §5.6: requests go out in parallel; a leader needs one round trip, whatever the number of servers.
#[test]
fn a_candidate_asks_everyone_at_once() {
    let mut cluster = Cluster::with(5, plain());
    cluster.campaign(N1);
    for voter in [N2, N3, N4, N5] {
        cluster.take(N1, voter, "RequestVote");
    }
}
