//! Elections among nodes that do not agree on what is going on: some cut off, some of a later term, some configured
//! otherwise; with check-quorum, pre-vote and loyalty in all their combinations (thesis §4.2.3, §6.2, §9.6).

use raft_core::{Ballot, Envelope, Message, NodeId, Role, Settings, Ticks, Toggle};

use support::messages::{at, heartbeat, message, vote_request};
use support::requests::members;
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, settings};

const BOTH: [Toggle; 2] = [Toggle::On, Toggle::Off];

/// Every combination of the three safeguards.
fn combinations() -> Vec<Settings> {
    let mut all = Vec::new();
    for pre_vote in BOTH {
        for check_quorum in BOTH {
            for stickiness in BOTH {
                all.push(Settings { pre_vote, check_quorum, stickiness, ..settings() });
            }
        }
    }
    all
}

fn is_granted(reply: &Envelope) -> bool {
    let (Message::VoteReply { ballot } | Message::PreVoteReply { ballot, .. }) = reply.message
    else {
        panic!("not a ballot: {reply:?}")
    };
    ballot == Ballot::Granted
}

/// A node in the given role, which has heard no leader for long.
fn in_role(role: Role) -> Cluster {
    let pre_vote = if role == Role::Candidate { Toggle::Off } else { Toggle::On };
    let check_quorum = Toggle::Off;
    let stickiness = Toggle::Off;
    let settings = Settings { pre_vote, check_quorum, stickiness, ..settings() };
    let mut cluster = Cluster::with(3, settings);
    if role == Role::Leader {
        cluster.elect(N1);
    } else if role != Role::Follower {
        cluster.campaign(N1);
    }
    assert_eq!(cluster.role(N1), role);
    cluster.network.clear();
    cluster
}

/// §5.2, §9.6: a candidate of a later term gets a vote from a node in any role, and so does one that asks first.
#[test]
fn a_vote_is_given_in_any_role() {
    for role in [Role::Follower, Role::PreCandidate, Role::Candidate, Role::Leader] {
        let mut cluster = in_role(role);
        cluster.receive(message(N2, N1, 4, Message::RequestPreVote { last: at(1, 9) }));
        assert!(is_granted(&cluster.take(N1, N2, "PreVoteReply")), "{role}");
        assert_eq!(cluster.role(N1), role, "an answer, no more");
        cluster.receive(message(N2, N1, 5, vote_request(at(1, 9))));
        assert!(is_granted(&cluster.take(N1, N2, "VoteReply")), "{role}");
        assert_eq!((cluster.role(N1), cluster.term(N1)), (Role::Follower, 5));
    }
}

/// §5.2: two stand at once who cannot reach each other: one wins, the other follows when it hears of that.
#[test]
fn duels_end() {
    for settings in combinations() {
        let mut cluster = Cluster::with(3, settings);
        cluster.cut(N1, N3);
        cluster.campaign(N1);
        cluster.campaign(N3);
        cluster.settle();
        cluster.pass(Ticks(6 * E.0));
        cluster.heal();
        cluster.pass(Ticks(6 * E.0));
        let leader = cluster.leader().expect("n2 reaches both");
        for id in cluster.ids() {
            assert_eq!(cluster.node(id).leader(), Some(leader), "{settings:?}");
        }
    }
}

/// §4.2.3: a rival is refused as long as the leader is heard, and wins when it is not any more.
#[test]
fn a_rival_wins_when_the_leader_is_silent() {
    let mut cluster = Cluster::with(3, Settings { pre_vote: Toggle::Off, ..settings() });
    cluster.elect(N1);
    cluster.cut(N1, N3);
    cluster.pass(Ticks(5 * E.0));
    assert!(cluster.term(N3) > 2, "it has stood again and again");
    assert_eq!((cluster.leader(), cluster.term(N2)), (Some(N1), 1), "n2 hears n1");
    cluster.crash(N1);
    cluster.pass(Ticks(4 * E.0));
    assert!(cluster.leader().is_some_and(|leader| leader != N1));
}

/// §6.2, §9.6: a node that was cut off and comes back disturbs nobody where it asks first; where it does not, its term
/// is heard and an election frees it. Either way the cluster works in the end.
#[test]
fn a_node_that_was_cut_off_comes_back() {
    for settings in combinations() {
        let mut cluster = Cluster::with(3, settings);
        cluster.elect(N1);
        cluster.isolate(N3);
        cluster.pass(Ticks(10 * E.0));
        cluster.propose(N1, "x");
        cluster.settle();
        let term = cluster.term(N1);
        cluster.heal();
        cluster.pass(Ticks(20 * E.0));
        let leader = cluster.leader().expect("a leader");
        if settings.pre_vote.is_on() {
            assert_eq!((leader, cluster.term(N1)), (N1, term), "{settings:?}");
        } else {
            assert!(cluster.term(leader) > 5, "{settings:?}");
        }
        let request = cluster.propose(leader, "y");
        cluster.settle();
        assert!(cluster.is_done(request));
        assert_eq!(cluster.commands(N3), ["x", "y"]);
    }
}

/// §9.6: two ask at once and split the answers; they ask again, after times of their own, and one wins.
#[test]
fn split_pre_votes_end() {
    for seed in 0..30 {
        let mut cluster = Cluster::with(4, Settings { seed, ..settings() });
        cluster.campaign(N1);
        cluster.campaign(N2);
        for (from, to) in [(N1, N3), (N2, N4)] {
            cluster.deliver(from, to, "RequestPreVote");
        }
        cluster.network.clear();
        cluster.pass(Ticks(6 * E.0));
        assert!(cluster.leader().is_some(), "seed {seed}");
    }
}

/// §9.6: one of a later term whose log is behind cannot win, and does not keep one of an earlier term from winning:
/// its refusal brings the later term.
#[test]
fn one_of_an_earlier_term_can_win() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N3);
    for _ in 0..3 {
        cluster.propose(N1, "x");
        cluster.settle();
    }
    cluster.receive(message(N2, N3, 9, Message::StaleTerm));
    cluster.crash(N1);
    cluster.heal();
    cluster.wait(E);
    cluster.campaign(N3);
    cluster.settle();
    assert_ne!(cluster.role(N3), Role::Leader, "its log is behind");
    for _ in 0..2 {
        cluster.campaign(N2);
        cluster.settle();
    }
    assert_eq!((cluster.role(N2), cluster.term(N2)), (Role::Leader, 10));
}

/// A cluster may be reconfigured node by node: some ask first and some do not.
#[test]
fn nodes_may_be_configured_differently() {
    for odd in [N1, N2, N3] {
        for pre_vote in BOTH {
            let other = if pre_vote.is_on() { Toggle::Off } else { Toggle::On };
            let mut cluster = Cluster::with(3, Settings { pre_vote, ..settings() });
            cluster.host(odd).settings.pre_vote = other;
            cluster.host(odd).settings.check_quorum = other;
            cluster.crash(odd);
            cluster.restart(odd);
            for _ in 0..4 {
                cluster.pass(Ticks(8 * E.0));
                let leader = cluster.leader().expect("a leader");
                let request = cluster.propose(leader, "x");
                cluster.settle();
                assert!(cluster.is_done(request));
                cluster.isolate(leader);
                cluster.pass(Ticks(8 * E.0));
                cluster.heal();
            }
        }
    }
}

/// §6.2: a new voter that never answers does not depose the leader as long as a quorum does; when it is needed for one,
/// the leader steps down after an election timeout, not at once.
#[test]
fn a_new_voter_that_is_silent() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.change(N1, members(&[1, 2, 3, 4], &[]));
    cluster.pass(Ticks(10 * E.0));
    assert_eq!(cluster.leader(), Some(N1), "n4 was never started");

    let mut cluster = Cluster::of(1);
    cluster.pass(Ticks(2 * E.0));
    cluster.change(N1, members(&[1, 2], &[]));
    cluster.pass(Ticks(E.0 - HEARTBEAT.0));
    assert_eq!(cluster.role(N1), Role::Leader, "it may have to be started first");
    cluster.pass(Ticks(2 * HEARTBEAT.0));
    assert_ne!(cluster.role(N1), Role::Leader);
    cluster.join(N2);
    cluster.pass(Ticks(10 * E.0));
    assert_eq!(cluster.membership(N2), [vec![1, 2], vec![], vec![]], "n1 could not win without it");
}

/// A node that has not been told yet that it is a member follows, and votes, like one that has.
#[test]
fn a_member_that_does_not_know_it_follows() {
    let mut cluster = Cluster::of(3);
    cluster.join(N4);
    cluster.receive(message(N1, N4, 3, heartbeat(0)));
    assert_eq!((cluster.node(N4).leader(), cluster.term(N4)), (Some(N1), 3));
    cluster.wait(Ticks(2 * E.0));
    cluster.receive(message(N2, N4, 4, vote_request(at(0, 0))));
    assert!(is_granted(&cluster.take(N4, N2, "VoteReply")));
    cluster.wait(Ticks(2 * E.0));
    cluster.campaign(N4);
    assert_eq!(cluster.role(N4), Role::Follower);
}

/// §5.2: a node that leads, or stands, is not impressed by being asked to stand.
#[test]
fn a_leader_does_not_stand() {
    for pre_vote in BOTH {
        let mut cluster = Cluster::with(3, Settings { pre_vote, ..settings() });
        cluster.elect(N1);
        cluster.campaign(N1);
        assert_eq!((cluster.role(N1), cluster.term(N1)), (Role::Leader, 1));
        assert!(cluster.network.is_empty());
    }
}

/// §5.2: a later term alone does not restart a follower's timer: one that stands again and again and cannot win does
/// not keep one that can from standing.
#[test]
fn one_that_cannot_win_does_not_keep_others_from_it() {
    let mut cluster = Cluster::with(2, Settings { pre_vote: Toggle::Off, ..settings() });
    cluster.elect(N1);
    cluster.isolate(N2);
    cluster.propose(N1, "n2 lacks this");
    cluster.crash(N1);
    cluster.restart(N1);
    cluster.heal();
    cluster.wait(E);
    let deadline = cluster.node(N1).deadline();
    let step = Ticks(deadline.since(cluster.now).0 / 10);
    for term in 2..9 {
        cluster.wait(step);
        cluster.receive(message(N2, N1, term, vote_request(at(1, 1))));
        assert!(!is_granted(&cluster.take(N1, N2, "VoteReply")));
        assert!(cluster.node(N1).deadline() <= deadline);
    }
    let asked = |cluster: &Cluster, id: NodeId| cluster.waiting(id, N2, "RequestVote") > 0;
    cluster.now = deadline;
    cluster.tick(N1);
    assert!(asked(&cluster, N1));
}
