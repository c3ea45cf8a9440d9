//! What becomes of a node when a snapshot is installed: paper §7, fine points 2, 5, 7 and 11.

use raft_core::{HardState, LogIndex, Membership, Message, NodeId, Outcome, Role, Settings, Ticks};

use support::messages::{accepted, append, at, chunk, heartbeat, message, vote_request};
use support::requests::members;
use support::scenes::{lagging, small_chunks};
use support::{Cluster, E, Happened, N1, N2, N3, Pace, settings};

fn founders() -> Membership {
    members(&[1, 2, 3], &[])
}

/// n2, with a log of the given terms, of which nothing is known to be committed. Logs made of the same terms hold
/// the same commands, so those are agreed on.
fn follower(terms: &[u64]) -> Cluster {
    let mut cluster = Cluster::with_logs(settings(), &[&[], terms, &[]]);
    cluster.forge();
    cluster.network.clear();
    cluster
}

/// All of a snapshot up to `index`, in one message of a leader of term 5: the machine holds the given commands.
fn snapshot(cluster: &mut Cluster, term: u64, index: u64, commands: &'static str) -> Message {
    use raft_core::Payload;
    let lines = commands.lines().map(|line| Payload::command(line.to_owned()));
    let blanks = std::iter::repeat(Payload::Blank);
    let terms = std::iter::repeat(raft_core::Term(term));
    let count = usize::try_from(index).expect("a small number");
    cluster.agreed = terms.zip(lines.chain(blanks)).take(count).collect();
    chunk(at(term, index), &founders(), 0, commands.len() as u64, commands)
}

fn restores(cluster: &Cluster, id: NodeId) -> usize {
    let is_one = |(of, happened): &&(NodeId, Happened)| {
        *of == id && matches!(happened, Happened::Restored(_))
    };
    cluster.journal.iter().filter(is_one).count()
}

/// §7: if the log holds the snapshot's last entry, what follows it stays; the machine goes on from the log.
#[test]
fn a_log_that_holds_the_position_is_kept() {
    let mut cluster = follower(&[1, 1, 1, 1, 1]);
    let install = snapshot(&mut cluster, 1, 3, "i1@T1\ni2@T1\ni3@T1\n");
    cluster.receive(message(N1, N2, 5, install));
    assert_eq!((cluster.terms(N2), cluster.commit(N2)), (vec![1; 5], 3));
    assert_eq!((cluster.commands(N2).len(), restores(&cluster, N2)), (3, 0));
    let reply = cluster.network.pop().map(|envelope| envelope.message);
    assert_eq!(reply, Some(accepted(3)), "more is not known to be the leader's");
}

/// §7: if it does not, all of it goes: it is shorter, or of another leader.
#[test]
fn a_log_that_does_not_hold_the_position_is_replaced() {
    for terms in [&[1, 1][..], &[1, 1, 2, 2, 2], &[]] {
        let mut cluster = follower(terms);
        let install = snapshot(&mut cluster, 3, 4, "a\nb\nc\nd\n");
        cluster.receive(message(N1, N2, 5, install));
        assert_eq!((cluster.node(N2).base(), cluster.node(N2).last()), (at(3, 4), at(3, 4)));
        assert_eq!((cluster.commit(N2), restores(&cluster, N2)), (4, 1));
        assert_eq!(cluster.commands(N2), ["a", "b", "c", "d"]);
        let disk = &cluster.hosts[&N2].disk;
        assert_eq!((disk.base, disk.entries.len()), (at(3, 4), 0));
        let next = message(N1, N2, 5, append(at(3, 4), &[5], 4));
        cluster.receive(next);
        assert_eq!(cluster.last(N2), 5, "it goes on from there");
    }
}

/// A snapshot of what is committed here already changes nothing, whenever it arrives (B43); the answer says what
/// need not be sent.
#[test]
fn an_old_snapshot_changes_nothing() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    let mut late = Vec::new();
    while !cluster.network.is_empty() {
        late.extend(
            cluster.network.iter().filter(|e| e.message.kind() == "InstallSnapshot").cloned(),
        );
        cluster.deliver_next();
    }
    cluster.propose(N1, "kept");
    cluster.settle();
    let before = cluster.node(N3).status();
    assert!(late.len() >= 3);
    for envelope in late {
        cluster.receive(envelope);
        let answers = std::mem::take(&mut cluster.network);
        assert!(answers.iter().all(|answer| answer.message == accepted(12)), "{answers:?}");
    }
    assert_eq!(cluster.node(N3).status(), before);
}

/// A snapshot's term is that of its last entry: it is neither the node's term nor a reason to forget a vote (B49).
#[test]
fn a_snapshot_changes_neither_term_nor_vote() {
    let mut cluster = follower(&[1, 1]);
    cluster.receive(message(N1, N2, 5, vote_request(at(3, 4))));
    let hard_state = |cluster: &Cluster| {
        let HardState { term, vote, .. } = cluster.hosts[&N2].disk.hard_state;
        (term.0, vote)
    };
    assert_eq!(hard_state(&cluster), (5, Some(N1)));
    let install = snapshot(&mut cluster, 3, 4, "a\n");
    cluster.receive(message(N1, N2, 5, install));
    assert_eq!(cluster.commit(N2), 4);
    assert_eq!(hard_state(&cluster), (5, Some(N1)));
    assert_eq!((cluster.term(N2), cluster.node(N2).vote()), (5, Some(N1)));
}

/// Fine point 5: a crash between the parts of an installation leaves a log from before the snapshot; it is worth
/// nothing and goes with the next write.
#[test]
fn fine_point_5_an_installation_may_be_interrupted() {
    for terms in [&[1, 1][..], &[1, 1, 2, 2, 2]] {
        for kept in 0..=2 {
            let mut cluster = follower(terms);
            cluster.receive(message(N1, N2, 5, heartbeat(0)));
            cluster.hold_disk(N2);
            let install = snapshot(&mut cluster, 3, 4, "a\nb\n");
            cluster.receive(message(N1, N2, 5, install));
            cluster.crash_keeping(N2, kept);
            cluster.restart(N2);
            cluster.release_disk(N2);
            cluster.sync(N2);
            assert_eq!(cluster.node(N2).last(), at(3, 4), "{kept} parts, or the staged bytes");
            assert_eq!(cluster.commands(N2), ["a", "b"]);
            cluster.receive(message(N1, N2, 5, append(at(3, 4), &[5, 5], 4)));
            cluster.crash(N2);
            cluster.restart(N2);
            assert_eq!((cluster.node(N2).base(), cluster.terms(N2)), (at(3, 4), vec![5, 5]));
        }
    }
}

/// Fine point 7: a machine that does not hold what the log does not reach back to is restored, at every start.
#[test]
fn fine_point_7_a_machine_behind_the_log_is_restored_again() {
    let mut cluster = lagging(small_chunks());
    cluster.host(N3).machine_pace = Pace::Held;
    cluster.lose_patience(N1);
    cluster.settle();
    assert_eq!((restores(&cluster, N3), cluster.node(N3).applied().0), (1, 1));
    cluster.crash(N3);
    cluster.restart(N3);
    assert_eq!(restores(&cluster, N3), 2, "the first was not reported");
    cluster.finish_apply(N3);
    assert_eq!(cluster.node(N3).applied(), LogIndex(11));
    cluster.save_machine(N3);
    cluster.crash(N3);
    cluster.restart(N3);
    assert_eq!(restores(&cluster, N3), 2, "it has kept its state");
    assert_eq!(cluster.commands(N3).len(), 10);
}

/// Fine point 7: restorations and batches are one lane, and keep their order.
#[test]
fn fine_point_7_a_restoration_waits_for_the_batch() {
    let mut cluster = Cluster::with(3, small_chunks());
    cluster.elect(N1);
    cluster.host(N3).machine_pace = Pace::Held;
    cluster.propose(N1, "in hand");
    cluster.settle();
    assert_eq!(cluster.commands(N3), ["in hand"]);
    cluster.isolate(N3);
    for _ in 0..5 {
        cluster.propose(N1, "x");
        cluster.settle();
    }
    cluster.compact(N1);
    cluster.heal();
    cluster.pass(E);
    assert_eq!(
        (cluster.base(N3), restores(&cluster, N3)),
        (7, 0),
        "installed, and not restored yet"
    );
    cluster.finish_apply(N3);
    assert_eq!(restores(&cluster, N3), 1);
    cluster.finish_apply(N3);
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
}

/// Fine point 2: what became of a request whose place lies under a snapshot cannot be known.
#[test]
fn fine_point_2_a_request_under_a_snapshot_is_unknown() {
    let mut cluster = Cluster::with(3, small_chunks());
    cluster.elect(N1);
    cluster.isolate(N1);
    let request = cluster.propose(N1, "under it");
    let change = cluster.change(N1, members(&[2, 3], &[1]));
    cluster.elect(N2);
    for _ in 0..5 {
        cluster.propose(N2, "x");
        cluster.settle();
    }
    let later = cluster.propose(N1, "refused");
    cluster.compact(N2);
    cluster.heal();
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.base(N1), cluster.base(N2));
    assert_eq!(cluster.outcome(request), Some(Outcome::Unknown));
    assert_eq!(cluster.outcome(change), Some(Outcome::Unknown));
    assert!(cluster.outcome(later).is_some());
}

/// Fine point 11: an installation is a write like any other: it waits for the one under way, and what that one wrote
/// does not count any more when the log is replaced.
#[test]
fn fine_point_11_an_installation_waits_for_the_write_under_way() {
    let mut cluster = follower(&[1, 1]);
    cluster.receive(message(N1, N2, 5, heartbeat(0)));
    cluster.hold_disk(N2);
    cluster.receive(message(N1, N2, 5, append(at(1, 2), &[2, 2, 2], 0)));
    let install = snapshot(&mut cluster, 3, 4, "a\n");
    cluster.receive(message(N1, N2, 5, install));
    cluster.sync(N2); // of the entries of term 2
    let (_, write) = cluster.hosts[&N2].writing.clone().expect("now the installation");
    assert_eq!((write.install.map(|of| of.position), write.append), (Some(at(3, 4)), None));
    assert!(write.truncate_from.is_some());
    cluster.sync(N2);
    assert_eq!((cluster.node(N2).durable(), cluster.node(N2).last()), (LogIndex(4), at(3, 4)));
}

/// Fine point 11: while a snapshot is being installed nothing is added to the log, nor committed: it is about to be
/// another. What comes meanwhile is sent again.
#[test]
fn fine_point_11_nothing_is_taken_during_an_installation() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    cluster.hold_disk(N3);
    cluster.settle();
    assert!(cluster.hosts[&N3].writing.as_ref().is_some_and(|(_, write)| write.install.is_some()));
    let append = append(at(1, 1), &[1], 2);
    cluster.receive(message(N1, N3, 1, append));
    assert_eq!((cluster.last(N3), cluster.commit(N3)), (1, 1));
    cluster.release_disk(N3);
    cluster.propose(N1, "after");
    cluster.pass(E);
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
}

/// A node that installs a snapshot does not stand for election before its log is the one it will have.
#[test]
fn a_node_that_installs_does_not_stand() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    cluster.hold_disk(N3);
    cluster.settle();
    cluster.wait(Ticks(2 * E.0));
    cluster.campaign(N3);
    cluster.receive(message(N1, N3, 1, Message::TimeoutNow));
    assert_eq!((cluster.role(N3), cluster.term(N3)), (Role::Follower, 1));
}

/// §5.4.3: a leader's log has everything that is committed, so a snapshot that was arriving before it was elected is
/// not installed.
#[test]
fn a_leader_installs_nothing() {
    let mut cluster = follower(&[1, 1]);
    cluster.host(N2).chunk_pace = Pace::Held;
    let install = snapshot(&mut cluster, 3, 9, "a\n");
    cluster.receive(message(N1, N2, 5, install));
    cluster.wait(Ticks(2 * E.0));
    cluster.campaign(N2);
    let ballot = raft_core::Ballot::Granted;
    let campaign = raft_core::Term(6);
    cluster.receive(message(N3, N2, 5, Message::PreVoteReply { campaign, ballot }));
    cluster.receive(message(N3, N2, 6, Message::VoteReply { ballot }));
    assert_eq!(cluster.role(N2), Role::Leader);
    cluster.finish_staging(N2);
    assert_eq!((cluster.role(N2), cluster.terms(N2)), (Role::Leader, vec![1, 1, 6]));
    assert_eq!(cluster.node(N2).snapshot().position, at(0, 0));
}

/// When the entries come in another way while the snapshot arrives, it is not installed any more.
#[test]
fn a_snapshot_that_is_not_needed_any_more_is_dropped() {
    let mut cluster = follower(&[1, 1]);
    cluster.host(N2).chunk_pace = Pace::Held;
    let install = snapshot(&mut cluster, 1, 2, "i1@T1\ni2@T1\n");
    cluster.receive(message(N1, N2, 5, install));
    cluster.receive(message(N1, N2, 5, append(at(1, 2), &[5], 3)));
    assert_eq!(cluster.commit(N2), 3);
    cluster.network.clear();
    cluster.finish_staging(N2);
    assert_eq!(cluster.node(N2).snapshot().position, at(0, 0));
    assert_eq!(cluster.terms(N2), [1, 1, 5]);
}

/// No peer can stop a node: a snapshot that contradicts what others had committed here while it was arriving, so that
/// somebody lies, is not installed.
#[test]
fn a_snapshot_that_contradicts_what_is_committed_is_dropped() {
    let mut cluster = follower(&[1, 1]);
    cluster.receive(message(N1, N2, 5, heartbeat(0)));
    cluster.hold_disk(N2);
    cluster.receive(message(N1, N2, 5, append(at(1, 2), &[2], 0)));
    let install = snapshot(&mut cluster, 3, 4, "a\n");
    cluster.receive(message(N1, N2, 5, install));
    cluster.agreed.clear();
    cluster.receive(message(N3, N2, 6, append(at(1, 2), &[6, 6, 6], 5)));
    assert_eq!((cluster.terms(N2), cluster.commit(N2)), (vec![1, 1, 6, 6, 6], 5));
    cluster.release_disk(N2);
    cluster.sync(N2);
    assert_eq!((cluster.terms(N2), cluster.commit(N2)), (vec![1, 1, 6, 6, 6], 5));
    assert_eq!(cluster.node(N2).snapshot().position, at(0, 0));
}

/// §7, end to end, with the least of everything: a byte a chunk, no cache, an entry a batch, a message at a time.
#[test]
fn the_least_of_everything_is_enough() {
    let least = Settings {
        max_chunk_bytes: 1,
        max_cached_bytes: 0,
        max_batch_entries: 1,
        max_inflight_messages: 1,
        ..small_chunks()
    };
    let mut cluster = lagging(least);
    cluster.lose_patience(N1);
    for _ in 0..5 {
        cluster.propose(N1, "and on");
    }
    cluster.pass(Ticks(3 * E.0));
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
    assert_eq!(cluster.commands(N3).len(), 15);
}
