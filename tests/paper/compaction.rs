//! The log is shortened by snapshots of the machine: paper §7, thesis §5.1, fine point 13.

use raft_core::{LogIndex, RecordedInput, Settings, Ticks};

use support::requests::members;
use support::scenes::{lagging, small_chunks};
use support::{Cluster, E, Happened, N1, N2, N3, N4, N5, Pace, settings};

/// Three nodes led by n1 that have committed so many commands, from 2 on.
fn with_commands(settings: Settings, count: u64) -> Cluster {
    let mut cluster = Cluster::with(3, settings);
    cluster.elect(N1);
    for number in 0..count {
        cluster.propose(N1, format!("{number}"));
        cluster.settle();
    }
    cluster
}

/// §7: everyone may take a snapshot on its own, at any index that its machine has applied; the log goes on as before.
#[test]
fn any_applied_index_will_do() {
    for id in [N1, N2] {
        for index in 1..=6 {
            let mut cluster = with_commands(small_chunks(), 5);
            assert!(cluster.compact_at(id, index));
            assert_eq!((cluster.base(id), cluster.last(id), cluster.commit(id)), (index, 6, 6));
            assert_eq!(cluster.hosts[&id].disk.base.index, LogIndex(index));
            let request = cluster.propose(N1, "more");
            cluster.settle();
            assert!(cluster.is_done(request));
        }
    }
}

/// There is no permission for what the machine was not given, nor for what there is already.
#[test]
fn there_must_be_a_reason() {
    let mut cluster = with_commands(settings(), 5);
    let may =
        |cluster: &Cluster, id, index| cluster.node(id).take_snapshot(LogIndex(index)).is_some();
    assert!(!may(&cluster, N1, 7), "it is not in the log");
    cluster.host(N2).machine_pace = Pace::Held;
    for command in ["x", "y"] {
        cluster.propose(N1, command);
        cluster.settle();
    }
    assert!(may(&cluster, N2, 7) && !may(&cluster, N2, 8), "one batch is out");
    assert!(cluster.compact(N1));
    assert!(!may(&cluster, N1, 8) && !may(&cluster, N1, 3));
}

/// §7: the log is not shortened before the snapshot is durable (B58): asking for the permission changes nothing.
#[test]
fn the_snapshot_comes_before_the_compaction() {
    let cluster = with_commands(small_chunks(), 5);
    let before = cluster.node(N1).clone();
    drop(cluster.node(N1).take_snapshot(LogIndex(6)));
    assert_eq!(cluster.node(N1), &before);
}

/// Some entries are kept for followers that are a little behind.
#[test]
fn some_entries_are_kept() {
    for retained_entries in [0, 1, 4, 100] {
        let mut cluster = with_commands(Settings { retained_entries, ..settings() }, 9);
        cluster.isolate(N3);
        cluster.propose(N1, "missed");
        cluster.settle();
        cluster.compact(N1);
        assert_eq!(cluster.base(N1), 11_u64.saturating_sub(retained_entries));
        cluster.heal();
        cluster.journal.clear();
        cluster.pass(E);
        assert_eq!(cluster.commands(N3), cluster.commands(N1));
        assert_eq!(cluster.sent(N1, "InstallSnapshot").is_empty(), retained_entries > 0);
    }
}

/// A compaction is a part of a write, after the entries; a commit index alone still causes none.
#[test]
fn a_compaction_is_written_down() {
    let mut cluster = with_commands(small_chunks(), 5);
    cluster.journal.clear();
    cluster.compact(N1);
    let writes = cluster.journal.iter().filter_map(|(_, happened)| match happened {
        Happened::Wrote { write, .. } => write.compact,
        _ => None,
    });
    assert_eq!(writes.map(|base| base.index.0).collect::<Vec<_>>(), [6]);
    cluster.crash(N1);
    cluster.restart(N1);
    assert_eq!((cluster.base(N1), cluster.last(N1)), (6, 6));
    assert_eq!(cluster.commands(N1).len(), 5, "restored from the snapshot");
}

/// Two nodes more, which a change of all five at once has brought in: joint at 5, final at 6. n5 was away.
fn grown() -> Cluster {
    let mut cluster = with_commands(small_chunks(), 3);
    cluster.join(N4);
    cluster.join(N5);
    cluster.isolate(N5);
    let change = cluster.change(N1, members(&[1, 2, 3, 4, 5], &[]));
    cluster.settle();
    assert!(cluster.is_done(change));
    cluster.heal();
    cluster
}

/// The log can be compacted inside a joint configuration. The snapshot has that configuration; a restart puts the
/// last one of the log in force.
#[test]
fn compaction_inside_a_joint_configuration() {
    let mut cluster = grown();
    assert!(cluster.compact_at(N1, 5));
    let snapshot = cluster.node(N1).snapshot();
    assert!(snapshot.membership.is_joint() && snapshot.position.index == LogIndex(5));
    let in_force = [vec![1, 2, 3, 4, 5], vec![], vec![]];
    assert_eq!((cluster.base(N1), cluster.membership(N1)), (5, in_force.clone()));
    cluster.crash(N1);
    cluster.restart(N1);
    assert_eq!(cluster.membership(N1), in_force, "it is in the log at 6");
}

/// A snapshot that is installed while its configuration is joint leaves the follower in that, over a restart; it
/// leaves it with the entries that follow.
#[test]
fn a_snapshot_may_be_installed_while_joint() {
    let mut cluster = grown();
    cluster.compact_at(N1, 5);
    cluster.lose_patience(N1);
    while cluster.base(N5) < 5 {
        assert!(cluster.deliver_next(), "{}", cluster.describe());
    }
    let joint = [vec![1, 2, 3, 4, 5], vec![1, 2, 3], vec![]];
    assert_eq!((cluster.last(N5), cluster.membership(N5)), (5, joint.clone()));
    cluster.crash(N5);
    cluster.restart(N5);
    assert_eq!(cluster.membership(N5), joint);
    cluster.pass(E);
    assert_eq!(cluster.membership(N5), [vec![1, 2, 3, 4, 5], vec![], vec![]]);
}

/// A configuration can be told from the disk at least as new as any that was acknowledged, with compactions and
/// snapshots in between.
#[test]
fn a_configuration_survives_compaction_and_restarts() {
    let mut cluster = with_commands(small_chunks(), 3);
    cluster.join(N4);
    for voters in [&[1, 2, 3, 4][..], &[1, 2, 4], &[2, 3, 4], &[1, 2, 3, 4]] {
        let leader = cluster.leader().expect("a leader");
        let change = cluster.change(leader, members(voters, &[]));
        cluster.pass(Ticks(5 * E.0));
        assert!(cluster.is_done(change), "{:?}", cluster.outcome(change));
        for id in cluster.ids() {
            cluster.compact(id);
            let before = cluster.membership(id);
            cluster.crash(id);
            cluster.restart(id);
            assert_eq!(cluster.membership(id), before);
        }
        cluster.pass(Ticks(5 * E.0));
    }
    let leader = cluster.leader().expect("a leader");
    assert_eq!(cluster.membership(leader), [vec![1, 2, 3, 4], vec![], vec![]]);
}

/// A node that joins and does not know yet who its cluster was at some index takes no snapshot of it.
#[test]
fn a_node_that_joins_takes_no_snapshot_of_the_unknown() {
    let mut cluster = with_commands(settings(), 3);
    cluster.join(N4);
    cluster.change(N1, members(&[1, 2, 3], &[4]));
    cluster.settle();
    assert_eq!(cluster.node(N4).applied(), LogIndex(5));
    for (index, may) in [(1, false), (4, false), (5, true)] {
        assert_eq!(cluster.node(N4).take_snapshot(LogIndex(index)).is_some(), may, "{index}");
    }
}

/// A snapshot of the machine that is older than one that was installed meanwhile does not count.
#[test]
fn an_installed_snapshot_may_be_newer() {
    let mut cluster = lagging(small_chunks());
    let take = cluster.node(N3).take_snapshot(LogIndex(1)).expect("it is applied");
    let meta = take.meta().clone();
    cluster.lose_patience(N1);
    cluster.settle();
    assert_eq!(cluster.base(N3), 11);
    cluster.step(N3, RecordedInput::SnapshotTaken(meta));
    assert_eq!((cluster.base(N3), cluster.node(N3).snapshot().position.index.0), (11, 11));
}
