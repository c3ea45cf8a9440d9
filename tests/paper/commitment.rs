//! What is committed, and when: paper §5.4.2, §5.5 and §8, thesis §3.6.2, §10.2.1.

use raft_core::{Message, NodeId, Payload, Role, Settings, Ticks};

use support::messages::{accepted, message};
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, N5, settings};

/// Paper Figure 8, moment (c): S1 led term 2 and reached S2 only; S5 led term 3 and reached nobody; S1 is
/// elected again, in term 4, and brings its entry of term 2 to S3.
fn figure_8() -> Cluster {
    let logs: &[&[u64]] = &[&[1, 2], &[1, 2], &[1], &[1], &[1, 3]];
    // One entry a message, so that the entry of term 2 travels without the blank one of term 4.
    let mut cluster = Cluster::with_logs(Settings { max_batch_entries: 1, ..settings() }, logs);
    cluster.isolate(N5);
    for voter in [N1, N2, N3, N4] {
        cluster.receive(message(N5, voter, 3, Message::StaleTerm));
    }
    cluster.wait(E);
    cluster.campaign(N1);
    for kind in ["RequestPreVote", "PreVoteReply", "RequestVote", "VoteReply"] {
        for voter in [N2, N3, N4] {
            let is_question = kind.starts_with("Request");
            let (from, to) = if is_question { (N1, voter) } else { (voter, N1) };
            cluster.deliver(from, to, kind);
        }
    }
    assert_eq!((cluster.role(N1), cluster.term(N1)), (Role::Leader, 4));
    assert_eq!(cluster.terms(N1), [1, 2, 4]);
    exchange(&mut cluster, N3); // refused: S3 does not have the entry of term 2
    exchange(&mut cluster, N3); // the entry of term 2
    assert_eq!(cluster.terms(N3), [1, 2]);
    cluster
}

/// The leader's next append to a peer, and the answers.
fn exchange(cluster: &mut Cluster, peer: NodeId) {
    cluster.deliver(N1, peer, "AppendEntries");
    while let Some(reply) = cluster.find(peer, N1, "AppendReply") {
        cluster.receive(reply);
    }
}

/// §5.4.2, Figure 8: an entry of an earlier term is not committed by counting replicas (B15)...
#[test]
fn figure_8_an_earlier_terms_entry_on_a_majority_is_not_committed() {
    let mut cluster = figure_8();
    cluster.network.retain(|envelope| envelope.to == N2 && envelope.from == N1);
    cluster.deliver(N1, N2, "AppendEntries"); // after the entry of term 2, which S2 holds: the blank one
    cluster.network.retain(|envelope| envelope.to == N1);
    cluster.receive(message(N2, N1, 4, accepted(2)));
    assert_eq!(cluster.commit(N1), 0, "S1, S2 and S3 hold the entry of term 2");

    // (d): S5 is elected by S3 and S4 and overwrites it, and rightly so.
    cluster.network.clear();
    cluster.crash(N1);
    cluster.crash(N2);
    cluster.heal();
    cluster.receive(message(N4, N5, 4, Message::StaleTerm));
    cluster.elect(N5);
    cluster.pass(Ticks(4 * HEARTBEAT.0));
    cluster.restart(N1);
    cluster.restart(N2);
    cluster.pass(Ticks(4 * HEARTBEAT.0));
    for id in cluster.ids() {
        assert_eq!(cluster.terms(id), [1, 3, 5], "{id}");
    }
}

/// §5.4.2, Figure 8: ...but by committing an entry of the current term after it, which S5 cannot undo.
#[test]
fn figure_8_an_entry_of_the_current_term_commits_those_before_it() {
    let mut cluster = figure_8();
    exchange(&mut cluster, N2);
    assert_eq!(cluster.commit(N1), 0);
    while cluster.last(N3) < 3 {
        exchange(&mut cluster, N3); // in the end the blank entry of term 4: now on S1, S2 and S3
    }
    assert_eq!(cluster.commit(N1), 3);

    cluster.network.clear();
    cluster.crash(N1);
    cluster.heal();
    cluster.wait(Ticks(2 * E.0));
    cluster.campaign(N5);
    cluster.settle();
    assert_ne!(cluster.role(N5), Role::Leader, "(e): S5 cannot win");
    cluster.pass(Ticks(6 * E.0));
    let leader = cluster.leader().expect("S2 or S3");
    assert!([N2, N3].contains(&leader), "{leader}");
    assert_eq!(cluster.terms(N5)[..3], [1, 2, 4]);
}

/// §5.4.2: whether entries of earlier terms wait for one of the present term can be seen from outside.
#[test]
fn entries_of_earlier_terms_wait_visibly() {
    let mut cluster = Cluster::with_logs(settings(), &[&[1, 1], &[1], &[1]]);
    let waits = |cluster: &Cluster| cluster.node(N1).status().has_uncommitted_of_earlier_terms;
    cluster.wait(E);
    cluster.campaign(N1);
    for asked in ["RequestPreVote", "RequestVote"] {
        let answer = if asked == "RequestVote" { "VoteReply" } else { "PreVoteReply" };
        cluster.deliver(N1, N2, asked);
        cluster.deliver(N2, N1, answer);
    }
    assert_eq!((cluster.role(N1), cluster.commit(N1), waits(&cluster)), (Role::Leader, 0, true));
    cluster.settle();
    assert_eq!((cluster.commit(N1), waits(&cluster)), (3, false));
    cluster.isolate(N1);
    cluster.propose(N1, "of the present term");
    assert!(cluster.last(N1) > cluster.commit(N1) && !waits(&cluster));
}

/// §5.4.2: entries of earlier terms do not keep the commit index back for ever (B19).
#[test]
fn commit_advances_past_entries_of_earlier_terms() {
    let mut cluster = Cluster::with_logs(settings(), &[&[1, 1, 2], &[1], &[1]]);
    cluster.elect(N1);
    assert_eq!((cluster.commit(N1), cluster.last(N1)), (4, 4));
}

/// §8: a new leader commits a blank entry of its own term, and so learns what is committed, without
/// waiting for a client.
#[test]
fn a_new_leader_appends_a_blank_entry() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let blank = cluster.node(N1).entry(raft_core::LogIndex(1)).map(|entry| &entry.payload);
    assert_eq!(blank, Some(&Payload::Blank));
    assert!(cluster.ids().into_iter().all(|id| cluster.commit(id) == 1));
    assert!(cluster.commands(N1).is_empty(), "the machine sees no command");
}

/// §5.3: an entry is committed when a majority holds it, not before.
#[test]
fn a_majority_commits() {
    let mut cluster = Cluster::of(5);
    cluster.elect(N1);
    cluster.propose(N1, "x");
    exchange(&mut cluster, N2);
    assert_eq!(cluster.commit(N1), 1, "two of five");
    exchange(&mut cluster, N3);
    assert_eq!(cluster.commit(N1), 2, "three of five");
}

/// §5.4.3, Leader Completeness: what is committed is in the log of every later leader, through any number
/// of leaders.
#[test]
fn committed_entries_outlive_their_leaders() {
    let mut cluster = Cluster::of(5);
    let mut expected = Vec::new();
    for round in 0..10 {
        let leader = NodeId(round % 5 + 1);
        cluster.wait(E);
        while cluster.role(leader) != Role::Leader {
            cluster.wait(E);
            cluster.campaign(leader);
            cluster.settle();
        }
        let name = format!("of round {round}");
        cluster.propose(leader, name.clone());
        cluster.pass(Ticks(3 * HEARTBEAT.0));
        expected.push(name);
        cluster.crash(leader);
        cluster.restart(leader);
    }
    cluster.pass(Ticks(5 * E.0));
    assert!(cluster.ids().into_iter().all(|id| cluster.commands(id) == expected));
}

/// §5.5: a cluster goes on as long as a majority is up, stops without one, and goes on when it is back.
#[test]
fn a_majority_is_needed_and_enough() {
    let mut cluster = Cluster::of(5);
    cluster.elect(N1);
    cluster.crash(N4);
    cluster.crash(N5);
    let done = cluster.propose(N1, "with three");
    cluster.settle();
    assert!(cluster.outcome(done).is_some());

    cluster.crash(N3);
    let waits = cluster.propose(N1, "with two");
    cluster.pass(Ticks(10 * E.0));
    assert_eq!((cluster.outcome(waits), cluster.leader()), (None, None));

    cluster.restart(N4);
    cluster.pass(Ticks(10 * E.0));
    assert!(cluster.leader().is_some());
    assert!(cluster.outcome(waits).is_some());
}

/// §5.5: after the loss of power everywhere, what was committed is there.
#[test]
fn a_total_power_loss_loses_nothing_committed() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N1, "x");
    cluster.settle();
    for id in cluster.ids() {
        cluster.crash(id);
    }
    cluster.network.clear();
    for id in cluster.ids() {
        cluster.restart(id);
    }
    cluster.pass(Ticks(5 * E.0));
    assert!(cluster.ids().into_iter().all(|id| cluster.commands(id) == ["x"]));
}

/// §10.2.1: a leader sends entries to its followers while its own disk writes them.
#[test]
fn a_leader_writes_and_replicates_in_parallel() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.hold_disk(N1);
    cluster.propose(N1, "x");
    assert!(cluster.hosts[&N1].writing.is_some());
    cluster.take(N1, N2, "AppendEntries");
    cluster.take(N1, N3, "AppendEntries");
}

/// §10.2.1: the leader counts itself only when its own disk holds the entry (B55).
#[test]
fn a_leader_counts_its_own_disk() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.hold_disk(N1);
    cluster.isolate(N3);
    cluster.propose(N1, "x");
    cluster.settle();
    assert_eq!(cluster.commit(N1), 1, "only one disk holds it, that of n2");
    cluster.sync(N1);
    assert_eq!(cluster.commit(N1), 2);
}

/// §10.2.1: the leader may commit before its own disk holds the entry, if a majority of others does; it
/// does not apply it before.
#[test]
fn a_majority_of_followers_commits_without_the_leaders_disk() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.hold_disk(N1);
    let request = cluster.propose(N1, "x");
    cluster.settle();
    assert_eq!((cluster.commit(N1), cluster.commit(N2)), (2, 2));
    assert!(cluster.commands(N1).is_empty() && cluster.outcome(request).is_none());
    cluster.sync(N1);
    assert_eq!(cluster.commands(N1), ["x"]);
    assert!(cluster.outcome(request).is_some());
}
