//! What keeps a cluster calm: pre-vote (thesis §9.6), stickiness (thesis §4.2.3), check-quorum (thesis §6.2).

use raft_core::{Ballot, LogPosition, Message, NodeId, Role, Settings, Term, Ticks, Toggle};

use support::messages::{at, message, vote_request};
use support::{Cluster, E, N1, N2, N3, N4, N5, settings};

fn pre_vote(cluster: &mut Cluster, from: NodeId, to: NodeId, term: u64) -> Ballot {
    pre_vote_with(cluster, from, to, term, at(term.min(1), term.min(1)))
}

/// The same of a node whose log ends at `last`.
fn pre_vote_with(
    cluster: &mut Cluster,
    from: NodeId,
    to: NodeId,
    term: u64,
    last: LogPosition,
) -> Ballot {
    cluster.receive(message(from, to, term, Message::RequestPreVote { last }));
    match cluster.take(to, from, "PreVoteReply").message {
        Message::PreVoteReply { ballot, .. } => ballot,
        other => panic!("not an answer to a pre-vote: {other:?}"),
    }
}

/// §9.6: a server that cannot win does not raise its term, so it disturbs nobody when it comes back.
#[test]
fn a_cut_off_node_does_not_raise_its_term() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N3);
    cluster.pass(Ticks(30 * E.0));
    assert_eq!((cluster.term(N3), cluster.role(N3)), (1, Role::PreCandidate));
    cluster.heal();
    cluster.pass(Ticks(5 * E.0));
    assert_eq!((cluster.leader(), cluster.term(N1)), (Some(N1), 1));
    assert_eq!(cluster.role(N3), Role::Follower);
}

/// §9.6: asking for a pre-vote changes neither the term nor the vote of anyone (B72).
#[test]
fn a_pre_vote_request_raises_nobodys_term() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    for id in [N1, N2] {
        let vote = cluster.node(id).vote();
        assert_eq!(pre_vote(&mut cluster, N3, id, 40), Ballot::Refused);
        assert_eq!((cluster.term(id), cluster.node(id).vote()), (1, vote));
    }
    assert_eq!(cluster.leader(), Some(N1));
}

/// §9.6: a pre-vote is no vote: it may be given to several, and costs no write.
#[test]
fn a_pre_vote_binds_nobody() {
    let mut cluster = Cluster::of(3);
    cluster.hold_disk(N3);
    assert_eq!(pre_vote(&mut cluster, N1, N3, 0), Ballot::Granted);
    assert_eq!(pre_vote(&mut cluster, N2, N3, 0), Ballot::Granted);
    assert_eq!(cluster.node(N3).vote(), None);
    assert!(cluster.hosts[&N3].writing.is_none());
}

/// §9.6: no election of a term that has begun can be won, however long the log of whoever asks.
#[test]
fn no_pre_vote_for_the_present_term() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N1);
    cluster.pass(Ticks(3 * E.0));
    cluster.isolate_all(&[N2, N3]);
    cluster.pass(Ticks(3 * E.0));
    let term = cluster.term(N2);
    let ballots = [term, term - 1].map(|of| pre_vote_with(&mut cluster, N3, N2, of, at(of, 99)));
    assert_eq!(ballots, [Ballot::Granted, Ballot::Refused]);
}

/// §9.6: with one link down, the server on the far side does not depose the leader, again and again.
#[test]
fn a_partial_partition_does_not_depose_the_leader() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.cut(N1, N2);
    cluster.pass(Ticks(50 * E.0));
    assert_eq!((cluster.leader(), cluster.term(N1), cluster.term(N3)), (Some(N1), 1, 1));
    let done = cluster.propose(N1, "progress");
    cluster.settle();
    assert!(cluster.outcome(done).is_some());
}

/// §9.6: a pre-vote is refused by a server that hears a leader, and granted when that is an election
/// timeout ago.
#[test]
fn a_pre_vote_is_refused_while_a_leader_is_heard() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.wait(Ticks(E.0 - 1));
    assert_eq!(pre_vote(&mut cluster, N3, N2, 1), Ballot::Refused);
    assert_eq!(pre_vote(&mut cluster, N3, N1, 1), Ballot::Refused, "a leader hears itself");
    cluster.wait(Ticks(1));
    assert_eq!(pre_vote(&mut cluster, N3, N2, 1), Ballot::Granted);
}

/// §9.6: a pre-vote for a term that is over is refused, and the answer brings the current term, so that
/// the asker is not behind for ever.
#[test]
fn a_pre_vote_for_an_earlier_term_is_answered_with_the_current_one() {
    let mut cluster = Cluster::of(3);
    cluster.receive(message(N1, N2, 6, Message::StaleTerm));
    cluster.campaign(N3);
    cluster.deliver(N3, N2, "RequestPreVote");
    cluster.deliver(N2, N3, "PreVoteReply");
    assert_eq!((cluster.term(N3), cluster.role(N3)), (6, Role::Follower));
}

/// §9.6: becoming a pre-candidate forgets no vote (B07).
#[test]
fn a_pre_candidate_keeps_its_vote() {
    let mut cluster = Cluster::of(3);
    cluster.receive(message(N1, N3, 2, vote_request(at(0, 0))));
    cluster.wait(Ticks(2 * E.0));
    cluster.campaign(N3);
    assert_eq!((cluster.role(N3), cluster.term(N3)), (Role::PreCandidate, 2));
    cluster.network.clear();
    cluster.receive(message(N2, N3, 2, vote_request(at(0, 0))));
    let reply = cluster.take(N3, N2, "VoteReply");
    assert_eq!(reply.message, Message::VoteReply { ballot: Ballot::Refused });
}

/// §9.6: a majority of pre-votes begins the election, in the next term; those for another term do not count.
#[test]
fn a_majority_of_pre_votes_begins_the_election() {
    let mut cluster = Cluster::of(5);
    cluster.campaign(N1);
    for voter in [N2, N3, N4, N5] {
        let wrong = Message::PreVoteReply { campaign: Term(2), ballot: Ballot::Granted };
        cluster.receive(message(voter, N1, 1, wrong));
    }
    assert_eq!(cluster.role(N1), Role::Follower, "the answers brought a later term");
    cluster.campaign(N1);
    let right = Message::PreVoteReply { campaign: Term(2), ballot: Ballot::Granted };
    cluster.receive(message(N2, N1, 1, right.clone()));
    assert_eq!((cluster.role(N1), cluster.term(N1)), (Role::PreCandidate, 1));
    cluster.receive(message(N3, N1, 1, right));
    assert_eq!((cluster.role(N1), cluster.term(N1)), (Role::Candidate, 2));
}

/// §4.2.3: a server that has heard from its leader within the least election timeout ignores vote requests
/// and does not even take their term.
#[test]
fn a_disruptive_server_is_ignored() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.wait(Ticks(E.0 - 1));
    for id in [N1, N2] {
        cluster.receive(message(N3, id, 9, vote_request(at(1, 1))));
        assert_eq!(cluster.term(id), 1);
    }
    assert!(cluster.network.iter().all(|envelope| envelope.to != N3 || envelope.term == Term(1)));
    assert_eq!(cluster.leader(), Some(N1));
    cluster.wait(Ticks(1));
    cluster.receive(message(N3, N2, 9, vote_request(at(1, 1))));
    assert_eq!(cluster.node(N2).vote(), Some(N3));
}

/// §4.2.3 is a choice: without it the disruptive server is heard.
#[test]
fn without_stickiness_a_candidate_is_heard() {
    let mut cluster = Cluster::with(3, Settings { stickiness: Toggle::Off, ..settings() });
    cluster.elect(N1);
    cluster.receive(message(N3, N2, 9, vote_request(at(1, 1))));
    assert_eq!(cluster.node(N2).vote(), Some(N3));
}

/// §4.2.3: asking a node to campaign does not bypass the loyalty of the others.
#[test]
fn fine_point_3_a_requested_campaign_does_not_bypass_stickiness() {
    for pre_vote in [Toggle::On, Toggle::Off] {
        let mut cluster = Cluster::with(3, Settings { pre_vote, ..settings() });
        cluster.elect(N1);
        cluster.campaign(N3);
        cluster.settle();
        assert_ne!(cluster.role(N3), Role::Leader);
        assert_eq!(cluster.role(N2), Role::Follower);
    }
}

/// §6.2: a leader that has not heard from a majority for an election timeout steps down (P6).
#[test]
fn a_leader_that_is_cut_off_steps_down() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N1);
    cluster.pass(Ticks(2 * E.0));
    assert_ne!(cluster.role(N1), Role::Leader);
    assert_eq!(cluster.node(N1).leader(), None);
}

/// §6.2: a majority is enough; one silent follower does not depose the leader.
#[test]
fn a_leader_with_a_majority_stays() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.crash(N3);
    cluster.pass(Ticks(20 * E.0));
    assert_eq!((cluster.leader(), cluster.term(N1)), (Some(N1), 1));
}

/// §6.2: what counts is what arrives, not what is sent: a leader that is heard but hears nobody steps
/// down, and the others elect one that can work (B71).
#[test]
fn a_leader_that_hears_nobody_steps_down() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.cut.extend([(N2, N1), (N3, N1)]);
    cluster.pass(Ticks(8 * E.0));
    let leader = cluster.leader().expect("two nodes that hear each other");
    assert_ne!(leader, N1);
    let done = cluster.propose(leader, "progress");
    cluster.pass(Ticks(E.0));
    assert!(cluster.outcome(done).is_some());
}

/// §6.2 is a choice: without it a leader that is cut off goes on until it hears of another.
#[test]
fn without_check_quorum_a_leader_stays() {
    let mut cluster = Cluster::with(3, Settings { check_quorum: Toggle::Off, ..settings() });
    cluster.elect(N1);
    cluster.isolate(N1);
    cluster.pass(Ticks(20 * E.0));
    assert_eq!(cluster.role(N1), Role::Leader);
    cluster.heal();
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.role(N1), Role::Follower);
    assert!(cluster.leader().is_some_and(|leader| leader != N1));
}
