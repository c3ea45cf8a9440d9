//! Log replication: paper §5.3, thesis §3.5.

use raft_core::{
    AppendReply, Envelope, LogIndex, LogPosition, Message, NodeId, Outcome, Rejection, Role,
    Settings, Ticks,
};

use support::messages::{accepted, append, at, message, round_reply};
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, settings};

/// What a follower answers to an append: the last of its answers, since it may first acknowledge what its
/// disk holds already.
fn answer(cluster: &mut Cluster, append: Envelope) -> AppendReply {
    cluster.receive(append);
    match cluster.network.drain(..).last().map(|envelope| envelope.message) {
        Some(Message::AppendReply(reply)) => reply,
        other => panic!("not an answer to an append: {other:?}"),
    }
}

fn mismatch(refused: LogPosition, hint: LogPosition) -> AppendReply {
    AppendReply::Mismatch { refused, hint }
}

fn matched(index: u64) -> AppendReply {
    AppendReply::Accepted { matched: LogIndex(index) }
}

/// §5.3: a command is appended, replicated, committed on a majority, applied, and answered.
#[test]
fn a_command_is_committed_and_applied_everywhere() {
    let mut cluster = Cluster::of(5);
    cluster.elect(N1);
    let request = cluster.propose(N1, "x");
    assert_eq!(cluster.outcome(request), None);
    cluster.settle();
    assert_eq!(cluster.outcome(request), Some(Outcome::Done { position: at(1, 2) }));
    for id in cluster.ids() {
        assert_eq!(cluster.commands(id), ["x"]);
    }
}

/// §5.3: commands are applied in log order, the same on all servers.
#[test]
fn commands_are_applied_in_order() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    for command in ["a", "b", "c"] {
        cluster.propose(N1, command);
    }
    cluster.settle();
    assert!(cluster.ids().into_iter().all(|id| cluster.commands(id) == ["a", "b", "c"]));
}

/// §5.3, Figure 2: an append is refused unless the log holds an entry of the previous term at the previous
/// index, and the refusal names the last entry that could agree.
#[test]
fn an_append_must_fit_the_log() {
    let logs: &[&[u64]] = &[&[], &[1, 1, 4, 4]];
    let cases = [
        (at(4, 7), mismatch(at(4, 7), at(4, 4)), "there is no such entry"),
        (at(3, 4), mismatch(at(3, 4), at(1, 2)), "it is of another term"),
        (at(6, 3), mismatch(at(6, 3), at(4, 3)), "it is of a later term"),
        (at(4, 4), matched(5), "it fits at the end"),
        (at(1, 2), matched(3), "it fits in the middle"),
        (at(0, 0), matched(1), "it always fits at the beginning"),
    ];
    for (previous, expected, why) in cases {
        let mut cluster = Cluster::with_logs(settings(), logs);
        let append = message(N1, N2, 7, append(previous, &[7], 0));
        assert_eq!(answer(&mut cluster, append), expected, "{why}");
        let was_taken = matches!(expected, AppendReply::Accepted { .. });
        assert_eq!(cluster.terms(N2) == [1, 1, 4, 4], !was_taken, "{why}");
    }
}

/// §5.3: entries that conflict with the leader's are removed with all that follow them.
#[test]
fn a_conflict_removes_the_suffix() {
    let mut cluster = Cluster::with_logs(settings(), &[&[], &[1, 2, 2, 2, 2]]);
    let append = message(N1, N2, 3, append(at(1, 1), &[2, 3], 0));
    assert_eq!(answer(&mut cluster, append), matched(3));
    assert_eq!(cluster.terms(N2), [1, 2, 3]);
}

/// §5.3, Figure 2: *only* a conflict removes anything; an old append that arrives late or twice does not
/// shorten the log (B09).
#[test]
fn an_old_append_does_not_truncate() {
    let mut cluster = Cluster::of(2);
    let first = message(N1, N2, 1, append(at(0, 0), &[1], 0));
    let second = message(N1, N2, 1, append(at(1, 1), &[1, 1], 0));
    assert_eq!(answer(&mut cluster, first.clone()), matched(1));
    assert_eq!(answer(&mut cluster, second), matched(3));
    assert_eq!(answer(&mut cluster, first), matched(3), "what was acknowledged stays so");
    let empty = message(N1, N2, 1, append(at(1, 1), &[], 0));
    assert_eq!(answer(&mut cluster, empty), matched(3));
    assert_eq!(cluster.last(N2), 3);
}

/// §5.3 and §5.5: appends are idempotent: the same one twice is the same as once.
#[test]
fn appends_are_idempotent() {
    let mut cluster = Cluster::with_logs(settings(), &[&[], &[1, 2, 2]]);
    let append = message(N1, N2, 3, append(at(1, 1), &[3, 3], 2));
    assert_eq!(answer(&mut cluster, append.clone()), matched(3));
    let status = cluster.node(N2).status();
    assert_eq!(answer(&mut cluster, append), matched(3));
    assert_eq!(cluster.node(N2).status(), status);
}

/// §5.3: appends that overtake each other are sorted out.
#[test]
fn appends_out_of_order_converge() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    for command in ["a", "b", "c", "d"] {
        cluster.propose(N1, command);
    }
    cluster.network.reverse();
    cluster.settle();
    cluster.pass(Ticks(3 * HEARTBEAT.0));
    assert!(cluster.ids().into_iter().all(|id| cluster.commands(id) == ["a", "b", "c", "d"]));
}

/// §5.3, Figure 7: followers that miss entries, have extra ones, or both, in one term or several, all
/// come to hold the leader's log.
#[test]
fn figure_7_every_follower_converges() {
    let logs: &[&[u64]] = &[
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    let mut cluster = Cluster::with_logs(settings(), logs);
    // It first learns of term 7, then wins term 8 with the votes of (a), (b), (e) and (f).
    cluster.receive(message(N4, N1, 7, Message::StaleTerm));
    cluster.elect(N1);
    cluster.pass(Ticks(4 * HEARTBEAT.0));
    assert_eq!((cluster.leader(), cluster.term(N1)), (Some(N1), 8));
    for id in cluster.ids() {
        assert_eq!(cluster.terms(id), [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8], "{id}");
        assert_eq!(cluster.commit(id), 11);
    }
}

/// §5.3, end: a refusal lets the leader skip all entries of a term, so that a follower is found in one
/// step a term and not one an entry.
#[test]
fn backtracking_skips_whole_terms() {
    let leaders: Vec<u64> = [vec![1; 50], vec![5; 50]].concat();
    let followers: Vec<u64> = [vec![1; 50], vec![2; 20], vec![3; 20], vec![4; 20]].concat();
    let mut cluster = Cluster::with_logs(settings(), &[&leaders, &leaders, &followers]);
    cluster.elect(N1);
    cluster.pass(Ticks(4 * HEARTBEAT.0));
    assert_eq!(cluster.terms(N3), cluster.terms(N1));
    let refusals = cluster.journal.iter().filter(|(id, happened)| {
        let is_refusal = |envelope: &Envelope| {
            matches!(envelope.message, Message::AppendReply(AppendReply::Mismatch { .. }))
        };
        *id == N3 && matches!(happened, support::Happened::Sent(e) if is_refusal(e))
    });
    assert!(refusals.count() <= 4, "one for each of its terms at most");
}

/// §5.3: each refusal moves the leader back, whatever the follower hints, so probing ends (B12).
#[test]
fn backtracking_always_recedes() {
    let mut cluster = Cluster::with_logs(settings(), &[&[1, 1, 1, 1, 2], &[], &[]]);
    cluster.campaign(N1);
    cluster.receive(pre_vote_granted(N2));
    cluster.receive(message(N2, N1, 3, Message::VoteReply { ballot: raft_core::Ballot::Granted }));
    assert_eq!(cluster.role(N1), Role::Leader);
    let mut next = next_of(&cluster, N2);
    while next > LogIndex(1) {
        let probe = cluster.take(N1, N2, "AppendEntries");
        let Message::AppendEntries(append) = probe.message else { panic!("an append") };
        let refused = append.previous;
        let reply = Message::AppendReply(mismatch(refused, refused));
        cluster.receive(message(N2, N1, 3, reply.clone()));
        assert!(next_of(&cluster, N2) < next, "the hint does not recede, the leader does");
        next = next_of(&cluster, N2);
        cluster.receive(message(N2, N1, 3, reply));
        assert_eq!(next_of(&cluster, N2), next, "a repeated refusal says nothing new");
    }
}

fn pre_vote_granted(from: NodeId) -> Envelope {
    let ballot = raft_core::Ballot::Granted;
    message(from, N1, 2, Message::PreVoteReply { campaign: raft_core::Term(3), ballot })
}

fn next_of(cluster: &Cluster, peer: NodeId) -> LogIndex {
    let status = cluster.node(N1).status();
    status.peers.iter().find(|progress| progress.id == peer).expect("a peer").next
}

/// §5.3, Leader Append-Only: a leader never overwrites or removes entries of its own log; a second leader of
/// its term does not exist and is not believed.
#[test]
fn a_leader_never_changes_its_own_log() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N1, "x");
    let before = cluster.terms(N1);
    cluster.receive(message(N2, N1, 1, append(at(0, 0), &[1, 1, 1, 1], 4)));
    assert_eq!((cluster.terms(N1), cluster.role(N1)), (before, Role::Leader));
    assert_eq!(cluster.node(N1).status().rejections.count(Rejection::RivalLeader), 1);
}

/// §5.3: a leader repeats appends until every follower has stored every entry.
#[test]
fn lost_appends_are_repeated() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let request = cluster.propose(N1, "x");
    cluster.network.clear();
    cluster.pass(Ticks(5 * HEARTBEAT.0));
    assert!(cluster.outcome(request).is_some());
    assert!(cluster.ids().into_iter().all(|id| cluster.commands(id) == ["x"]));
}

/// §5.3: a follower that was away, for however long, is brought up to date.
#[test]
fn a_follower_that_was_away_catches_up() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N3);
    for number in 0..300 {
        cluster.propose(N1, format!("{number}"));
        cluster.settle();
    }
    assert_eq!(cluster.last(N3), 1);
    cluster.heal();
    cluster.pass(E);
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
}

/// §5.3, Figure 2: a follower believes a commit index as far as the message proves its log equal to the
/// leader's, and no further (B17): its own stale tail is not committed by a leader that never saw it.
#[test]
fn a_commit_index_is_believed_as_far_as_it_is_proved() {
    let mut cluster = Cluster::with_logs(settings(), &[&[], &[1, 1, 1, 2, 2, 2, 2]]);
    cluster.receive(message(N1, N2, 3, append(at(1, 3), &[], 7)));
    assert_eq!(cluster.commit(N2), 3);
    cluster.receive(message(N1, N2, 3, append(at(1, 3), &[3], 7)));
    assert_eq!((cluster.commit(N2), cluster.terms(N2)), (4, vec![1, 1, 1, 3]));
}

/// §5.3: heartbeats carry the commit index only as far as the follower has acknowledged (B17).
#[test]
fn a_heartbeat_commits_only_what_was_acknowledged() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N3);
    cluster.propose(N1, "x");
    cluster.settle();
    assert_eq!(cluster.commit(N1), 2);
    cluster.wait(HEARTBEAT);
    cluster.tick(N1);
    let heartbeat = cluster.take(N1, N3, "Heartbeat");
    assert!(matches!(heartbeat.message, Message::Heartbeat { commit: LogIndex(1), .. }));
}

/// §5.3: followers learn what is committed at once when it is news, without waiting for a heartbeat.
#[test]
fn followers_learn_of_commits_at_once() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N1, "x");
    cluster.settle();
    assert!(cluster.ids().into_iter().all(|id| cluster.commit(id) == 2));
}

/// §5.3: an acknowledgement counts for what it names, not for what the leader has meanwhile (P10).
#[test]
fn an_acknowledgement_counts_for_what_it_names() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N1, "x");
    cluster.deliver(N1, N2, "AppendEntries");
    cluster.propose(N1, "y");
    cluster.deliver(N2, N1, "AppendReply");
    assert_eq!((cluster.commit(N1), cluster.last(N1)), (2, 3));
}

/// §5.3: an acknowledgement of entries that the leader does not have is not believed (P8), nor one of
/// messages it never sent.
#[test]
fn an_acknowledgement_beyond_the_log_is_rejected() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let before = cluster.node(N1).status();
    cluster.receive(message(N2, N1, 1, accepted(1_000_000)));
    let never_sent = Message::AppendReply(mismatch(at(1, 9), at(1, 1)));
    cluster.receive(message(N2, N1, 1, never_sent));
    cluster.receive(message(N2, N1, 1, round_reply(99)));
    let after = cluster.node(N1).status();
    assert_eq!(after.peers, before.peers);
    assert_eq!(after.rejections.count(Rejection::MatchBeyondLast), 1);
    assert_eq!(after.rejections.count(Rejection::Unasked), 2);
}

/// §5.4.3: entries that contradict what is committed here are not taken from anyone.
#[test]
fn what_is_committed_is_never_replaced() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N1, "x");
    cluster.settle();
    cluster.receive(message(N3, N2, 9, append(at(1, 1), &[9], 9)));
    cluster.receive(message(N3, N2, 9, append(at(8, 2), &[], 9)));
    assert_eq!((cluster.terms(N2), cluster.commands(N2)), (vec![1, 1], vec!["x".to_owned()]));
    let rejections = cluster.node(N2).status().rejections;
    assert_eq!(rejections.count(Rejection::ContradictsCommitted), 2);
}

/// §5.5: a follower that crashes is sent everything again that it had not stored, and nothing is applied
/// twice in one life.
#[test]
fn a_crashed_follower_is_brought_back() {
    let mut cluster = Cluster::with(3, Settings { max_batch_entries: 1, ..settings() });
    cluster.elect(N1);
    cluster.hold_disk(N3);
    cluster.propose(N1, "x");
    cluster.propose(N1, "y");
    cluster.settle();
    cluster.crash(N3);
    cluster.propose(N1, "z");
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.leader(), Some(N1));

    cluster.restart(N3);
    cluster.release_disk(N3);
    cluster.pass(E);
    assert_eq!(cluster.commands(N3), ["x", "y", "z"]);
}
