//! Memory is bounded by configuration, whatever peers send or withhold (fine point 10): a test for each collection of
//! a node that could grow, named after its limit, fills it and looks.
//!
//! Beside what `status` counts, a node is weighed: by the length of its `Debug` text, in which everything occurs
//! that it holds.

use raft_core::{Ballot, Incarnation, LogIndex, Message, NodeId, Refusal, Settings, Ticks, Toggle};

use support::messages::{append, at, chunk, message, vote_request};
use support::requests::members;
use support::scenes::{CHUNK, lagging, small_chunks};
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, Pace, settings};

/// A limit in bytes.
const LIMIT: u64 = 1_000;
/// What a command of a hundred bytes is charged.
const ENTRY: u64 = 132;
/// Numbers become longer; nothing else may.
const DIGITS: usize = 200;

fn weight(cluster: &Cluster, id: NodeId) -> usize {
    format!("{:?}", cluster.node(id)).len()
}

/// Sends a node message after message; four times as many weigh no more. Nothing it says is delivered.
fn flood(cluster: &mut Cluster, id: NodeId, from: fn(u64) -> NodeId, say: impl Fn(u64) -> Message) {
    let term = cluster.term(id);
    let send = |cluster: &mut Cluster, numbers: std::ops::Range<u64>| {
        for number in numbers {
            cluster.receive(message(from(number), id, term, say(number)));
            cluster.network.clear();
        }
        cluster.journal.clear();
        weight(cluster, id)
    };
    let before = send(cluster, 0..1_500);
    let after = send(cluster, 1_500..6_000);
    assert!(after <= before + DIGITS, "from {before} to {after}");
}

/// n1 leads n2 and n3 and hears nobody any more, which does not bother it.
fn deaf(settings: Settings) -> Cluster {
    let mut cluster = Cluster::with(3, Settings { check_quorum: Toggle::Off, ..settings });
    cluster.elect(N1);
    cluster.isolate(N1);
    cluster.forge();
    cluster
}

fn strangers(number: u64) -> NodeId {
    NodeId(100 + number)
}

/// Durable entries that a slow machine has not taken yet leave the cache.
#[test]
fn max_cached_bytes() {
    let limits = Settings {
        max_cached_bytes: LIMIT,
        max_uncommitted_bytes: LIMIT,
        max_undurable_bytes: LIMIT,
        ..settings()
    };
    let mut cluster = Cluster::with(3, limits);
    cluster.elect(N1);
    for id in cluster.ids() {
        cluster.host(id).machine_pace = Pace::Held;
    }
    for _ in 0..100 {
        cluster.propose(N1, vec![b'x'; 100]);
        cluster.settle();
    }
    for id in cluster.ids() {
        let cached = cluster.node(id).status().cached_bytes;
        assert!((LIMIT - ENTRY..=LIMIT).contains(&cached), "{cached} bytes at {id}");
    }
}

/// A leader refuses what it cannot commit, its own callers' and others'.
#[test]
fn max_uncommitted_bytes() {
    let mut cluster = deaf(Settings { max_uncommitted_bytes: LIMIT, ..settings() });
    let requests: Vec<_> = (0..100).map(|_| cluster.propose(N1, vec![b'x'; 100])).collect();
    let forward = |sequence| Message::ForwardProposal {
        incarnation: Incarnation(1),
        sequence: sequence + 1,
        data: vec![b'x'; 100].into(),
    };
    flood(&mut cluster, N1, |_| N2, forward);
    let uncommitted = cluster.node(N1).status().uncommitted_bytes;
    assert!((LIMIT - ENTRY..=LIMIT + ENTRY).contains(&uncommitted), "{uncommitted} bytes");
    let busy = requests.iter().filter(|id| cluster.refusal(**id) == Some(Refusal::Busy));
    assert!(busy.count() > 90);
}

/// A follower cannot refuse what is uncommitted, but lets it leave memory when there is more than a leader may have.
#[test]
fn max_uncommitted_bytes_of_a_leader_that_lies() {
    let limits =
        Settings { max_cached_bytes: LIMIT / 2, max_uncommitted_bytes: LIMIT, ..settings() };
    let mut cluster = Cluster::with(3, limits);
    cluster.forge();
    for index in 0..1_000 {
        let entries = append(at(index.min(1), index), &[1], 0);
        cluster.receive(message(N1, N2, 1, entries));
        cluster.network.clear();
        assert!(cluster.node(N2).status().cached_bytes <= LIMIT + ENTRY);
    }
    assert_eq!((cluster.last(N2), cluster.commit(N2)), (1_000, 0));
    assert!(cluster.node(N2).status().cached_bytes > LIMIT - ENTRY);
}

/// What waits for a disk that does not answer is bounded at a follower. (And at a leader, by
/// `fine_point_10_a_leader_bounds_what_its_disk_lacks`.)
#[test]
fn max_undurable_bytes() {
    let mut cluster = Cluster::with(3, Settings { max_undurable_bytes: LIMIT, ..settings() });
    cluster.forge();
    cluster.hold_disk(N2);
    for index in 0..1_000 {
        let entries = append(at(index.min(1), index), &[1, 1, 1], index);
        cluster.receive(message(N1, N2, 1, entries));
        cluster.network.clear();
    }
    let cached = cluster.node(N2).status().cached_bytes;
    assert!((LIMIT - ENTRY..=LIMIT).contains(&cached), "{cached} bytes");
}

/// Whatever is asked, where it is asked, and whatever it waits for.
#[test]
fn max_pending_requests() {
    let limits = Settings { max_pending_requests: 7, ..settings() };
    for asked in [N1, N2] {
        for kinds in 1..16 {
            let mut cluster = deaf(limits);
            for _ in 0..10 {
                let of_kind = |kind| kinds & (1 << kind) != 0;
                if of_kind(0) {
                    cluster.propose(asked, "x");
                }
                if of_kind(1) {
                    cluster.read(asked);
                }
                if of_kind(2) {
                    cluster.change(asked, members(&[1, 2, 3], &[4]));
                }
                if of_kind(3) {
                    cluster.transfer(asked, N3);
                }
            }
            let waiting = cluster.node(asked).status().pending_requests;
            assert_eq!(waiting, cluster.unanswered().len() as u64);
            let most = if kinds & 3 != 0 { 7 } else { 2 };
            assert!(waiting <= most, "{waiting} requests of kinds {kinds} at {asked}");
            assert!(kinds & 1 == 0 || kinds & 8 != 0 || waiting == most);
        }
    }
}

/// A peer that does not answer is sent a windowful, and then nothing.
#[test]
fn max_inflight_messages_and_max_inflight_bytes() {
    let by_messages = (Settings { max_inflight_messages: 5, ..settings() }, 5, 5 * ENTRY);
    let by_bytes = (Settings { max_inflight_bytes: LIMIT, ..settings() }, 7, LIMIT);
    for (limits, messages, bytes) in [by_messages, by_bytes] {
        let mut cluster = Cluster::with(3, limits);
        cluster.elect(N1);
        for _ in 0..100 {
            cluster.propose(N1, vec![b'x'; 100]);
        }
        assert_eq!(cluster.node(N1).max_inflight().0, messages);
        assert!(cluster.node(N1).max_inflight().1 <= bytes);
        assert_eq!(cluster.waiting(N1, N2, "AppendEntries") as u64, messages);
    }
}

/// One chunk is on its way to a peer, however much the driver has read.
#[test]
fn max_chunk_bytes() {
    let mut cluster = lagging(small_chunks());
    cluster.forge();
    cluster.host(N1).chunk_pace = Pace::Held;
    cluster.lose_patience(N1);
    while cluster.hosts[&N1].lanes.chunks.is_empty() {
        assert!(cluster.deliver_next());
    }
    let before = weight(&cluster, N1);
    let reading = cluster.host(N1).lanes.chunks.pop().expect("a chunk is to be read");
    assert_eq!(reading.max_bytes, CHUNK);
    let data = vec![b'x'; 9].into();
    cluster.step(N1, reading.answered(raft_core::ChunkAnswer::Chunk { total: 20, data }));
    assert_eq!(cluster.waiting(N1, N3, "InstallSnapshot"), 0, "more than was asked for");
    assert!(weight(&cluster, N1) <= before + DIGITS);
}

/// A node stages one chunk at a time: what else arrives meanwhile is dropped.
#[test]
fn one_chunk_is_staged_at_a_time() {
    let mut cluster = Cluster::of(3);
    cluster.forge();
    cluster.host(N3).chunk_pace = Pace::Held;
    cluster.receive(message(N1, N3, 1, vote_request(at(0, 0))));
    let founders = members(&[1, 2, 3], &[]);
    let say = |number| match number % 3 {
        0 => chunk(at(1, 9), &founders, 0, 99, "some of it"),
        1 => chunk(at(1, 9), &founders, 10, 99, "more of it"),
        _ => chunk(at(1, 9 + number), &founders, 0, 4, "all."),
    };
    flood(&mut cluster, N3, |_| N1, say);
    assert!(cluster.hosts[&N3].lanes.staging.is_some());
}

/// What waits for the disk is a slot a receiver and kind, and there are so many slots.
#[test]
fn a_thousand_withheld_messages() {
    let mut cluster = Cluster::of(3);
    cluster.forge();
    cluster.hold_disk(N3);
    cluster.receive(message(N1, N3, 1, vote_request(at(0, 0))));
    let say = |number| match number % 2 {
        0 => vote_request(at(0, 0)),
        _ => Message::RequestPreVote { last: at(0, 0) },
    };
    flood(&mut cluster, N3, strangers, say);
    let withheld = cluster.node(N3).status().withheld_messages;
    assert!((200..=1_024).contains(&withheld), "{withheld} messages");
}

/// A leader remembers a window of each member's forwards, and nothing of strangers.
#[test]
fn a_window_of_forwards() {
    let mut cluster = deaf(Settings { max_command_bytes: 1, ..settings() });
    let forward = |number: u64| Message::ForwardProposal {
        incarnation: Incarnation(1 + number / 2_000),
        sequence: 1 + number * 7,
        data: "too large".into(),
    };
    for from in [strangers, |_| N2, |_| N3] {
        flood(&mut cluster, N1, from, forward);
    }
}

/// A leader that cannot answer remembers the last question of each member.
#[test]
fn a_question_a_member() {
    let mut cluster = deaf(settings());
    let question =
        |number| Message::ReadIndex { incarnation: Incarnation(1), sequence: 1 + number };
    for from in [strangers, |_| N2, |_| N3] {
        flood(&mut cluster, N1, from, question);
    }
}

/// Votes that nobody may cast take no memory, nor do their like before an election.
#[test]
fn a_ballot_a_voter() {
    let mut cluster = Cluster::of(3);
    cluster.wait(E);
    cluster.isolate_all(&[N1, N2, N3]);
    cluster.campaign(N1);
    let ballot = Ballot::Refused;
    let reply = |_| Message::PreVoteReply { campaign: raft_core::Term(1), ballot };
    let before = weight(&cluster, N1);
    for number in 0..2_000 {
        cluster.receive(message(strangers(number), N1, 0, reply(number)));
    }
    assert!(weight(&cluster, N1) <= before + DIGITS);
    let off = Settings { pre_vote: Toggle::Off, ..settings() };
    let mut cluster = Cluster::with(3, off);
    cluster.campaign(N1);
    flood(&mut cluster, N1, strangers, |_| Message::VoteReply { ballot });
}

/// A leader remembers when its last rounds began, not all.
#[test]
fn the_last_rounds() {
    let mut cluster = deaf(settings());
    cluster.pass(Ticks(100 * HEARTBEAT.0));
    let before = weight(&cluster, N1);
    cluster.pass(Ticks(1_000 * HEARTBEAT.0));
    assert!(weight(&cluster, N1) <= before + DIGITS);
}

/// Members that come and go are forgotten.
#[test]
fn a_progress_a_member() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    for number in 0..40 {
        let learner = 10 + number;
        cluster.change(N1, members(&[1, 2, 3], &[learner]));
        cluster.settle();
        cluster.change(N1, members(&[1, 2, 3], &[]));
        cluster.settle();
        cluster.pass(HEARTBEAT);
        let peers = cluster.node(N1).status().peers.len();
        assert!(peers <= 2 + 21, "those of the last two election timeouts, not {peers}");
    }
    cluster.pass(Ticks(2 * E.0 + HEARTBEAT.0));
    assert_eq!(cluster.node(N1).status().peers.len(), 2);
}

/// Of its past a log keeps terms and memberships, until it is compacted: how far back that is depends on the driver
/// and on `retained_entries`.
#[test]
fn retained_entries() {
    let mut cluster = Cluster::with(3, Settings { max_cached_bytes: 0, ..small_chunks() });
    cluster.elect(N1);
    cluster.compact(N1);
    let before = weight(&cluster, N2);
    for round in 0..30 {
        let learners: &[u64] = if round % 2 == 0 { &[4] } else { &[] };
        cluster.elect([N2, N1][round % 2]);
        cluster.change([N2, N1][round % 2], members(&[1, 2, 3], learners));
        cluster.settle();
    }
    assert!(weight(&cluster, N2) > before + 3_000);
    for id in cluster.ids() {
        assert!(cluster.compact(id));
        cluster.settle();
    }
    cluster.elect(N2);
    cluster.elect(N1);
    assert!(weight(&cluster, N2) < before + 500);
}

/// Limits may also be as large as can be: nothing overflows.
#[test]
fn no_limits_at_all() {
    const MOST: u64 = u64::MAX;
    let most = Settings {
        max_batch_bytes: MOST,
        max_batch_entries: MOST,
        max_inflight_messages: MOST,
        max_inflight_bytes: MOST,
        max_uncommitted_bytes: MOST,
        max_undurable_bytes: MOST,
        max_command_bytes: MOST,
        max_chunk_bytes: MOST,
        max_pending_requests: MOST,
        max_cached_bytes: 0,
        request_timeout: Ticks(MOST),
        retained_entries: 0,
        ..settings()
    };
    let mut cluster = lagging(most);
    cluster.host(N2).machine_pace = Pace::Held;
    for _ in 0..5 {
        cluster.propose(N1, "and on");
        cluster.settle();
    }
    cluster.host(N2).machine_pace = Pace::Prompt;
    cluster.finish_apply(N2);
    cluster.join(N4);
    cluster.change(N1, members(&[1, 2, 3], &[4]));
    cluster.pass(Ticks(3 * E.0));
    for id in cluster.ids() {
        assert_eq!(cluster.commands(id), cluster.commands(N1), "{id}");
        assert!(cluster.node(id).applied() > LogIndex(15));
    }
}
