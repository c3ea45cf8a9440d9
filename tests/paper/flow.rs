//! Flow control: windows and batches (thesis §10.2.1), so that a slow follower costs bounded memory.

use raft_core::{AppendEntries, LogIndex, Message, NodeId, PeerFlow, PeerStatus, Settings, Ticks};

use support::{Cluster, E, HEARTBEAT, N1, N2, N3, settings};

/// A leader that streams to both followers, with everything so far acknowledged.
fn streaming(settings: Settings) -> Cluster {
    let mut cluster = Cluster::with(3, settings);
    cluster.elect(N1);
    assert!(cluster.node(N1).status().peers.iter().all(|peer| peer.flow == PeerFlow::Stream));
    cluster.isolate(N3);
    cluster
}

/// The appends on their way to a peer.
fn appends(cluster: &Cluster, to: NodeId) -> Vec<&AppendEntries> {
    let to_peer = cluster.network.iter().filter(|envelope| envelope.to == to);
    let appends = to_peer.filter_map(|envelope| match &envelope.message {
        Message::AppendEntries(append) => Some(append),
        _ => None,
    });
    appends.collect()
}

fn progress(cluster: &Cluster, id: NodeId) -> PeerStatus {
    let peers = cluster.node(N1).status().peers;
    peers.into_iter().find(|peer| peer.id == id).expect("a peer of the leader")
}

/// What an entry with `length` bytes is charged.
fn size(length: usize) -> u64 {
    length as u64 + 32
}

/// §10.2.1: the next append leaves before the one before it is acknowledged.
#[test]
fn appends_are_pipelined() {
    let mut cluster = streaming(settings());
    for command in ["a", "b", "c"] {
        cluster.propose(N1, command);
    }
    let previous: Vec<u64> =
        appends(&cluster, N2).iter().map(|append| append.previous.index.0).collect();
    assert_eq!(previous, [1, 2, 3]);
}

/// A peer whose log is not known yet is sent one message at a time.
#[test]
fn a_probed_peer_has_one_message_in_flight() {
    let mut cluster = Cluster::of(3);
    cluster.wait(E);
    cluster.campaign(N1);
    cluster.isolate(N3);
    for voter in [N2, N3] {
        cluster.deliver(N1, voter, "RequestPreVote");
        cluster.deliver(voter, N1, "PreVoteReply");
    }
    cluster.deliver(N1, N2, "RequestVote");
    cluster.deliver(N2, N1, "VoteReply");
    for _ in 0..10 {
        cluster.propose(N1, "x");
    }
    assert_eq!(appends(&cluster, N3).len(), 1);
    cluster.network.clear();
    cluster.wait(HEARTBEAT);
    cluster.tick(N1);
    let [probe] = appends(&cluster, N3)[..] else { panic!("one probe a heartbeat") };
    assert!(probe.entries.is_empty(), "nobody may be there to take entries");
}

/// The window is bounded in messages (B67).
#[test]
fn the_window_is_bounded_in_messages() {
    let mut cluster = streaming(Settings { max_inflight_messages: 3, ..settings() });
    for _ in 0..20 {
        cluster.propose(N1, "x");
    }
    assert_eq!(appends(&cluster, N2).len(), 3);
    assert_eq!(progress(&cluster, N2).inflight_messages, 3);
    cluster.settle();
    assert_eq!(cluster.commit(N2), 21, "acknowledgements make room");
}

/// The window is bounded in bytes, whatever the sizes of the entries (B67).
#[test]
fn the_window_is_bounded_in_bytes() {
    for length in [0, 1, 30, 67, 68, 69, 70, 100] {
        let limit = 300;
        let mut cluster = streaming(Settings { max_inflight_bytes: limit, ..settings() });
        for place in 0..20 {
            cluster.propose(N1, vec![0; length + place % 3]);
            let sent: u64 = appends(&cluster, N2).iter().map(|append| append.size()).sum();
            assert!(sent <= limit, "{sent} bytes of at most {limit} with length {length}");
            assert_eq!(progress(&cluster, N2).inflight_bytes, sent);
        }
        cluster.settle();
        assert_eq!(cluster.commit(N2), 21);
    }
}

/// An entry that is larger than the window travels alone, when the window is empty.
#[test]
fn an_oversize_entry_travels_alone() {
    let limits = Settings { max_inflight_bytes: 100, max_batch_bytes: 100, ..settings() };
    let mut cluster = streaming(limits);
    cluster.propose(N1, "small");
    cluster.propose(N1, vec![0; 5_000]);
    cluster.propose(N1, "small");
    assert_eq!(appends(&cluster, N2).len(), 1, "the large one waits for the window to be empty");
    cluster.deliver(N1, N2, "AppendEntries");
    cluster.deliver(N2, N1, "AppendReply");
    let [large] = appends(&cluster, N2)[..] else { panic!("the large one, and nothing beside it") };
    assert_eq!((large.entries.len(), large.size()), (1, size(5_000)));
    cluster.settle();
    assert_eq!(cluster.commit(N2), 4);
}

/// Batches are capped in entries and in bytes; none is left out in the packing, so that each entry arrives
/// at its own index (B13).
#[test]
fn batches_are_capped_and_complete() {
    // The entries have 33, 34, 232, 36, 37, 38 and 39 bytes.
    let cases = [(2, 10_000, vec![2, 2, 2, 1]), (100, 105, vec![2, 1, 2, 2]), (1, 1, vec![1; 7])];
    for (max_batch_entries, max_batch_bytes, expected) in cases {
        let mut cluster = streaming(Settings { max_batch_entries, max_batch_bytes, ..settings() });
        cluster.cut(N1, N2);
        for length in [1, 2, 200, 4, 5, 6, 7] {
            cluster.propose(N1, vec![0; length]);
        }
        cluster.settle();
        cluster.wait(Ticks(E.0 / 2));
        cluster.tick(N1); // silence leads to probing,
        cluster.heal();
        cluster.network.clear();
        cluster.wait(HEARTBEAT);
        cluster.tick(N1);
        cluster.deliver(N1, N2, "AppendEntries");
        cluster.deliver(N2, N1, "AppendReply"); // and the answer to a probe back to streaming.
        let batches: Vec<usize> =
            appends(&cluster, N2).iter().map(|append| append.entries.len()).collect();
        assert_eq!(batches, expected);
        cluster.settle();
        assert_eq!((cluster.terms(N2), cluster.commit(N2)), (cluster.terms(N1), 8));
    }
}

/// A window whose messages were lost is given up after a while, and forgotten with them: the follower is
/// probed and catches up (B65).
#[test]
fn a_lost_window_is_given_up() {
    let mut cluster = streaming(Settings { max_inflight_messages: 4, ..settings() });
    cluster.cut(N1, N2);
    for _ in 0..20 {
        cluster.propose(N1, "x");
    }
    cluster.settle();
    assert_eq!(progress(&cluster, N2).inflight_messages, 4);
    cluster.heal();
    cluster.pass(Ticks(5 * HEARTBEAT.0));
    assert_eq!(cluster.commit(N2), 21);
    assert_eq!(
        (progress(&cluster, N2).inflight_messages, progress(&cluster, N2).inflight_bytes),
        (0, 0)
    );
}

/// A refusal ends streaming; what was in flight does not count against the window any more (B65).
#[test]
fn a_refusal_empties_the_window() {
    let mut cluster = streaming(Settings { max_inflight_messages: 2, ..settings() });
    cluster.propose(N1, "lost");
    cluster.propose(N1, "refused");
    drop(cluster.take(N1, N2, "AppendEntries"));
    cluster.deliver(N1, N2, "AppendEntries");
    cluster.deliver(N2, N1, "AppendReply");
    let peer = progress(&cluster, N2);
    assert_eq!((peer.flow, peer.inflight_messages, peer.next), (PeerFlow::Probe, 0, LogIndex(2)));
    cluster.settle();
    assert_eq!(cluster.commit(N2), 3);
}

/// Entries that wait to be committed are bounded at the leader: a proposal beyond is refused, and taken when
/// there is room again.
#[test]
fn uncommitted_bytes_are_bounded() {
    let limit = 200;
    let mut cluster = streaming(Settings { max_uncommitted_bytes: limit, ..settings() });
    let requests: Vec<_> = (0..10).map(|_| cluster.propose(N1, vec![0; 50])).collect();
    assert!(cluster.node(N1).status().uncommitted_bytes <= limit);
    let refused = requests.iter().filter(|request| cluster.outcome(**request).is_some());
    assert_eq!(refused.count(), 8, "two of 82 bytes fit");
    cluster.settle();
    let later = cluster.propose(N1, vec![0; 50]);
    cluster.settle();
    assert!(matches!(cluster.outcome(later), Some(raft_core::Outcome::Done { .. })));
}
