//! Terms as a logical clock: paper §5.1, thesis §3.3.

use raft_core::{Ballot, LogIndex, Message, Rejection, Role, Round, Settings, Term, Toggle};

use support::messages::{accepted, append, at, message, vote_request};
use support::{Cluster, N1, N2, N3, settings};

/// §5.1: a server whose term is smaller than another's takes the larger one, and a leader or candidate
/// then reverts to follower.
#[test]
fn a_higher_term_is_adopted() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.receive(message(N2, N1, 5, Message::StaleTerm));
    assert_eq!((cluster.term(N1), cluster.role(N1)), (5, Role::Follower));
    assert_eq!(cluster.node(N1).vote(), None);

    cluster.campaign(N2);
    cluster.receive(message(N3, N2, 6, Message::StaleTerm));
    assert_eq!((cluster.term(N2), cluster.role(N2)), (6, Role::Follower));
}

/// §5.1: a request with a stale term is rejected, and the answer brings the current one.
#[test]
fn a_request_of_an_earlier_term_is_rejected() {
    let stale = [
        append(at(0, 0), &[2], 0),
        Message::Heartbeat { commit: LogIndex(0), round: Round(1) },
        vote_request(at(1, 9)),
    ];
    for request in stale {
        let mut cluster = Cluster::of(3);
        cluster.receive(message(N3, N2, 3, Message::StaleTerm));
        cluster.receive(message(N1, N2, 2, request));
        assert_eq!(cluster.take(N2, N1, "StaleTerm").term, Term(3));
        assert_eq!((cluster.last(N2), cluster.node(N2).vote()), (0, None));
        assert!(cluster.network.is_empty());
    }
}

/// §5.1: a leader that discovers that its term is out of date reverts to follower.
#[test]
fn a_stale_leader_steps_down() {
    let settings = Settings { check_quorum: Toggle::Off, ..settings() };
    let mut cluster = Cluster::with(3, settings);
    cluster.elect(N1);
    cluster.isolate(N1);
    cluster.elect(N2);
    assert_eq!(cluster.role(N1), Role::Leader, "it does not know yet");

    cluster.heal();
    cluster.tick(N1);
    cluster.settle();
    assert_eq!((cluster.term(N1), cluster.role(N1)), (cluster.term(N2), Role::Follower));
    assert_eq!(cluster.role(N2), Role::Leader);
}

/// Thesis §3.3: a leader never acts on an answer of an earlier term (B02: a vote, P8: an acknowledgement).
#[test]
fn a_reply_of_an_earlier_term_is_ignored() {
    let mut cluster = Cluster::of(3);
    cluster.forge();
    cluster.receive(message(N3, N1, 2, Message::StaleTerm));
    cluster.campaign(N1);
    cluster.receive(message(
        N2,
        N1,
        2,
        Message::PreVoteReply { campaign: Term(3), ballot: Ballot::Granted },
    ));
    assert_eq!((cluster.term(N1), cluster.role(N1)), (3, Role::Candidate));
    cluster.receive(message(N2, N1, 2, Message::VoteReply { ballot: Ballot::Granted }));
    assert_eq!(cluster.role(N1), Role::Candidate, "a vote of term 2 elects nobody in term 3");
    cluster.receive(message(N2, N1, 3, Message::VoteReply { ballot: Ballot::Granted }));
    assert_eq!(cluster.role(N1), Role::Leader);

    cluster.receive(message(N2, N1, 2, accepted(1)));
    assert_eq!(cluster.commit(N1), 0);
    cluster.receive(message(N2, N1, 3, accepted(1)));
    assert_eq!(cluster.commit(N1), 1);
}

/// §5.1: the current term never falls, not even over a crash.
#[test]
fn terms_survive_crashes() {
    let mut cluster = Cluster::of(3);
    cluster.receive(message(N2, N1, 7, Message::StaleTerm));
    cluster.crash(N1);
    cluster.restart(N1);
    assert_eq!(cluster.term(N1), 7);
}

/// §5.1: terms begin at 1; a message of term zero is of nobody (P9: it must not reset a candidate).
#[test]
fn a_message_of_term_zero_changes_nothing() {
    let mut cluster = Cluster::of(3);
    cluster.campaign(N1);
    cluster.receive(message(
        N2,
        N1,
        0,
        Message::PreVoteReply { campaign: Term(1), ballot: Ballot::Granted },
    ));
    assert_eq!((cluster.term(N1), cluster.role(N1)), (1, Role::Candidate));
    for forged in [append(at(0, 0), &[], 0), Message::StaleTerm, vote_request(at(0, 0))] {
        cluster.receive(message(N2, N1, 0, forged));
        assert_eq!((cluster.term(N1), cluster.role(N1)), (1, Role::Candidate));
        assert_eq!(cluster.node(N1).vote(), Some(N1));
    }
    assert_eq!(cluster.node(N1).status().rejections.count(Rejection::TermRange), 3);
}
