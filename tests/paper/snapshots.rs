//! Snapshots on their way to a follower: paper §7, thesis §5, fine points 11 and 12.

use raft_core::{
    LogIndex, Message, PeerFlow, RecordedInput, SnapshotMeta, SnapshotReceipt, StageAnswer, Ticks,
};

use support::lanes::{Staging, Transport};
use support::messages::{at, message};
use support::requests::members;
use support::scenes::{CHUNK, lagging, small_chunks};
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, Pace};

/// The snapshot of the ten commands: two bytes each.
const TOTAL: u64 = 20;

fn all_hold_everything(cluster: &Cluster) {
    for id in [N2, N3] {
        assert_eq!(cluster.commands(id), cluster.commands(N1), "{id}");
        assert_eq!(cluster.commit(id), cluster.last(N1));
    }
}

/// Delivers messages until n3 has staged this many bytes.
fn until_staged(cluster: &mut Cluster, bytes: u64) {
    let staged = |cluster: &Cluster| {
        cluster.node(N3).status().arriving.map_or(0, |partial| partial.received)
    };
    while staged(cluster) < bytes {
        assert!(cluster.deliver_next(), "only {} bytes are staged", staged(cluster));
    }
}

/// §7: a follower that lacks what the log holds no more is sent the snapshot, and goes on from there.
#[test]
fn a_lagging_follower_is_sent_the_snapshot() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    let flow = PeerFlow::Snapshot { position: at(1, 11), received: 0 };
    assert_eq!(cluster.peer(N1, N3).flow, flow);
    cluster.settle();
    assert_eq!((cluster.base(N3), cluster.peer(N1, N3).flow), (11, PeerFlow::Stream));
    all_hold_everything(&cluster);
    cluster.propose(N1, "more");
    cluster.settle();
    all_hold_everything(&cluster);
}

/// Chunks are no larger than allowed, follow each other without gaps, and only one is on its way at a time, however
/// many heartbeats go by (P5).
#[test]
fn one_chunk_is_on_its_way_at_a_time() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    for _ in 0..3 {
        cluster.wait(HEARTBEAT);
        cluster.tick(N1);
    }
    assert_eq!(cluster.waiting(N1, N3, "InstallSnapshot"), 1);
    loop {
        assert!(cluster.waiting(N1, N3, "InstallSnapshot") <= 1);
        if !cluster.deliver_next() {
            break;
        }
    }
    assert_eq!(cluster.staged_offsets(N3), [0, CHUNK, 2 * CHUNK]);
    for sent in cluster.sent(N1, "InstallSnapshot") {
        let Message::InstallSnapshot(install) = &sent.message else { panic!("a snapshot") };
        let raft_core::SnapshotContent::Chunk { total, data, .. } = &install.content else {
            panic!("a chunk")
        };
        assert_eq!(*total, TOTAL);
        assert!(data.len() as u64 <= CHUNK);
    }
    all_hold_everything(&cluster);
}

/// A chunk that is lost, or whose answer is, is sent again after a while, and what arrived before is not.
#[test]
fn a_lost_chunk_is_sent_again() {
    for kind in ["InstallSnapshot", "SnapshotReply"] {
        let mut cluster = lagging(small_chunks());
        cluster.lose_patience(N1);
        until_staged(&mut cluster, CHUNK);
        let (from, to) = if kind == "InstallSnapshot" { (N1, N3) } else { (N3, N1) };
        while cluster.find(from, to, kind).is_none() {
            cluster.deliver_next();
        }
        cluster.settle();
        assert!(cluster.is_sent_a_snapshot(N1, N3), "the {kind} is lost");
        cluster.pass(E);
        all_hold_everything(&cluster);
        assert_eq!(cluster.staged_offsets(N3), [0, CHUNK, 2 * CHUNK], "none is staged twice");
    }
}

/// A follower that restarts in the middle goes on from what its disk has staged (B45).
#[test]
fn a_transfer_goes_on_after_the_follower_restarts() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    until_staged(&mut cluster, 2 * CHUNK);
    cluster.crash(N3);
    cluster.network.clear();
    cluster.restart(N3);
    cluster.pass(E);
    assert_eq!(cluster.staged_offsets(N3), [0, CHUNK, 2 * CHUNK]);
    all_hold_everything(&cluster);
}

/// So does one that crashes when the bytes are on the disk and it has not heard of that.
#[test]
fn a_chunk_may_be_staged_unseen() {
    let mut cluster = lagging(small_chunks());
    cluster.host(N3).chunk_pace = Pace::Held;
    cluster.lose_patience(N1);
    cluster.settle();
    cluster.stage_unseen(N3);
    cluster.crash(N3);
    cluster.restart(N3);
    cluster.release_lanes(N3);
    cluster.pass(E);
    assert_eq!(cluster.staged_offsets(N3), [0, CHUNK, 2 * CHUNK]);
    all_hold_everything(&cluster);
}

/// One that has lost what it had staged starts over; bytes that were read for another place are not taken for the
/// first ones.
#[test]
fn a_follower_that_lost_its_part_starts_over() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    cluster.host(N1).chunk_pace = Pace::Held;
    until_staged(&mut cluster, CHUNK);
    cluster.settle();
    let [reading] = cluster.hosts[&N1].lanes.chunks[..] else { panic!("the second is being read") };
    assert_eq!(reading.offset, CHUNK);
    cluster.crash(N3);
    cluster.host(N3).disk.staged = None;
    cluster.restart(N3);
    let position = at(1, 11);
    let lost = Message::SnapshotReply { position, receipt: SnapshotReceipt::Received(0) };
    cluster.receive(message(N3, N1, 1, lost));
    cluster.release_lanes(N1);
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.staged_offsets(N3), [0, 0, CHUNK, 2 * CHUNK]);
    all_hold_everything(&cluster);
}

/// What is staged of one leader's snapshot is not completed with bytes of another's, be it a later snapshot or the
/// same position: other nodes have other bytes (B46).
#[test]
fn another_leaders_snapshot_starts_over() {
    for more in [0, 5] {
        let mut cluster = lagging(small_chunks());
        cluster.lose_patience(N1);
        until_staged(&mut cluster, 2 * CHUNK);
        for _ in 0..more {
            cluster.propose(N1, "x");
            cluster.deliver(N1, N2, "AppendEntries");
            cluster.deliver(N2, N1, "AppendReply");
            cluster.deliver(N1, N2, "Commit");
        }
        cluster.crash(N1);
        cluster.network.clear();
        cluster.compact(N2);
        assert_eq!(cluster.base(N2), 11 + more);
        cluster.journal.clear();
        cluster.elect(N2);
        cluster.pass(Ticks(2 * E.0));
        assert_eq!(cluster.commands(N3), cluster.commands(N2));
        assert_eq!(cluster.staged_offsets(N3)[..2], [0, CHUNK], "from the beginning");
    }
}

/// Fine point 12: bytes that cannot be read are asked for again, and not at once.
#[test]
fn fine_point_12_a_chunk_that_cannot_be_read_is_read_later() {
    let mut cluster = lagging(small_chunks());
    cluster.host(N1).chunk_pace = Pace::Held;
    cluster.lose_patience(N1);
    cluster.fail_chunk(N1);
    cluster.pass(Ticks(E.0 - 1));
    assert!(cluster.hosts[&N1].lanes.chunks.is_empty(), "it rests");
    cluster.pass(Ticks(2 * HEARTBEAT.0));
    assert_eq!(cluster.hosts[&N1].lanes.chunks.len(), 1);
    cluster.release_lanes(N1);
    cluster.pass(E);
    all_hold_everything(&cluster);
}

/// A follower that cannot keep what arrives says so; it is sent the snapshot again, from the beginning, and not at
/// once.
#[test]
fn a_chunk_that_cannot_be_kept_is_sent_later() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    until_staged(&mut cluster, CHUNK);
    cluster.host(N3).chunk_pace = Pace::Held;
    cluster.settle();
    cluster.fail_staging(N3);
    cluster.settle();
    cluster.journal.clear();
    cluster.pass(Ticks(E.0 - 1));
    assert!(cluster.sent(N1, "InstallSnapshot").is_empty(), "it rests");
    cluster.release_lanes(N3);
    cluster.pass(E);
    assert_eq!(cluster.staged_offsets(N3), [0, CHUNK, 2 * CHUNK]);
    all_hold_everything(&cluster);
}

/// A snapshot may be had elsewhere: the leader names it and passes on where, and the follower's driver fetches it.
#[test]
fn a_snapshot_may_be_had_elsewhere() {
    let mut cluster = lagging(small_chunks());
    cluster.transport = Transport::Locators;
    cluster.lose_patience(N1);
    cluster.settle();
    assert_eq!(cluster.base(N3), 11);
    all_hold_everything(&cluster);
}

/// It is refused when it stands for anything but what the leader named, and asked for again.
#[test]
fn a_snapshot_that_is_not_the_one_named_is_refused() {
    let named = SnapshotMeta { position: at(1, 11), membership: members(&[1, 2, 3], &[]).into() };
    let stale = SnapshotMeta { position: at(1, 10), ..named.clone() };
    let of_others = SnapshotMeta { membership: members(&[1, 2], &[]).into(), ..named };
    for found in [stale, of_others] {
        let mut cluster = lagging(small_chunks());
        cluster.transport = Transport::Locators;
        cluster.host(N3).chunk_pace = Pace::Held;
        cluster.lose_patience(N1);
        cluster.settle();
        let Some(Staging::Fetch { number, .. }) = cluster.host(N3).lanes.staging.take() else {
            panic!("it is to be fetched")
        };
        let answer = StageAnswer::Fetched(found);
        cluster.step(N3, RecordedInput::ChunkWritten { number, answer });
        assert_eq!(cluster.commit(N3), 1);
        let reply = cluster.take(N3, N1, "SnapshotReply");
        let (position, receipt) = (at(1, 11), SnapshotReceipt::Failed);
        assert_eq!(reply.message, Message::SnapshotReply { position, receipt });
        cluster.receive(reply);
        cluster.release_lanes(N3);
        cluster.pass(Ticks(3 * E.0));
        all_hold_everything(&cluster);
    }
}

/// A transfer slows nobody: others commit, and the follower hears heartbeats all the while.
#[test]
fn a_transfer_slows_nobody() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    cluster.host(N3).chunk_pace = Pace::Held;
    for _ in 0..20 {
        let request = cluster.propose(N1, "x");
        cluster.pass(Ticks(E.0 / 2));
        assert!(cluster.is_done(request));
    }
    assert_eq!((cluster.leader(), cluster.term(N3)), (Some(N1), 1));
    cluster.release_lanes(N3);
    cluster.pass(E);
    all_hold_everything(&cluster);
}

/// A snapshot that is being sent is kept to its end, however many newer ones there are (fine point 12); a follower
/// for which the log has moved on meanwhile is sent the next.
#[test]
fn fine_point_12_a_snapshot_is_kept_while_it_is_sent() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    until_staged(&mut cluster, CHUNK);
    for _ in 0..3 {
        cluster.cut(N1, N3);
        cluster.propose(N1, "x");
        cluster.settle();
        cluster.heal();
        cluster.compact(N1);
    }
    assert_eq!(cluster.base(N1), 14);
    assert_eq!(cluster.node(N1).oldest_snapshot_in_use(), at(1, 11));
    cluster.pass(Ticks(2 * E.0));
    all_hold_everything(&cluster);
    assert_eq!(cluster.base(N3), 14, "the first one ended at 11, where the log began no more");
    assert_eq!(cluster.node(N1).oldest_snapshot_in_use(), at(1, 14));
}

/// A peer that takes the snapshot is done with its acknowledgement, also when the answers to the chunks are lost.
#[test]
fn an_installed_snapshot_ends_the_transfer() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    while cluster.base(N3) < 11 {
        assert!(cluster.deliver_next());
    }
    let is_answer = |message: &Message| message.kind() == "SnapshotReply";
    cluster.network.retain(|envelope| !is_answer(&envelope.message));
    assert!(cluster.is_sent_a_snapshot(N1, N3));
    cluster.deliver(N3, N1, "AppendReply");
    assert_eq!(cluster.peer(N1, N3).matched, LogIndex(11));
    assert_eq!(cluster.peer(N1, N3).flow, PeerFlow::Stream);
}

/// A peer that comes back with enough of the log is sent what it lacks of that, and no snapshot.
#[test]
fn a_follower_that_reaches_the_log_needs_no_snapshot() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    cluster.settle();
    cluster.isolate(N3);
    cluster.propose(N1, "one");
    cluster.settle();
    cluster.compact(N2);
    cluster.heal();
    cluster.journal.clear();
    cluster.pass(E);
    all_hold_everything(&cluster);
    assert!(cluster.sent(N1, "InstallSnapshot").is_empty());
}

/// Nor does one that turns out to have it when the first bytes arrive: it says how far it is.
#[test]
fn a_follower_that_has_it_all_says_so() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    let first = cluster.take(N1, N3, "InstallSnapshot");
    cluster.pass(E);
    all_hold_everything(&cluster);
    cluster.propose(N1, "beyond");
    cluster.settle();
    cluster.receive(first);
    let reply = cluster.take(N3, N1, "AppendReply");
    assert_eq!(reply.message, support::messages::accepted(12));
    cluster.settle();
    all_hold_everything(&cluster);
}

/// A follower that cannot be reached is not sent chunk after chunk.
#[test]
fn an_unreachable_follower_costs_nothing() {
    let mut cluster = lagging(small_chunks());
    cluster.lose_patience(N1);
    cluster.crash(N3);
    cluster.pass(Ticks(2 * E.0));
    cluster.journal.clear();
    cluster.pass(Ticks(50 * E.0));
    assert!(cluster.sent(N1, "InstallSnapshot").is_empty());
    cluster.restart(N3);
    cluster.pass(Ticks(2 * E.0));
    all_hold_everything(&cluster);
}
