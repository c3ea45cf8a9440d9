//! A log larger than memory: entries that have left it are read back from the disk, for followers that are far behind
//! and for the machine (fine points 10 and 12).

use raft_core::{
    AppendReply, Effect, Effects, Entries, Input, LogIndex, Message, NodeId, Reader, RecordedInput,
    Rejection, Settings, Ticks,
};

use support::disk;
use support::messages::{at, message};
use support::requests::members;
use support::{Cluster, E, HEARTBEAT, Happened, N1, N2, N3, N4, Pace, settings};

/// What a node may keep in memory.
const BUDGET: u64 = 4_000;

/// Little memory, for all purposes.
fn small() -> Settings {
    Settings {
        max_cached_bytes: BUDGET,
        max_uncommitted_bytes: BUDGET,
        max_undurable_bytes: BUDGET,
        max_batch_bytes: BUDGET / 4,
        max_inflight_bytes: BUDGET,
        max_command_bytes: BUDGET / 4,
        ..settings()
    }
}

fn cached(cluster: &Cluster, id: NodeId) -> u64 {
    cluster.node(id).status().cached_bytes
}

/// How often entries were read for somebody since the journal was cleared.
fn fetches(cluster: &Cluster, reader: Reader) -> usize {
    let is_one =
        |happened: &Happened| matches!(happened, Happened::Fetches(of) if of.reader == reader);
    cluster.journal.iter().filter(|(_, happened)| is_one(happened)).count()
}

/// Three nodes led by n1; n3 was away while commands of a hundred bytes were committed, so many times the budget.
fn with_long_log(settings: Settings, budgets: u64) -> Cluster {
    let mut cluster = Cluster::with(3, settings);
    cluster.elect(N1);
    cluster.isolate(N3);
    for _ in 0..budgets * BUDGET / 100 {
        cluster.propose(N1, vec![b'x'; 100]);
        cluster.settle();
        cluster.journal.clear();
    }
    cluster.heal();
    cluster
}

/// A log of fifty times the budget is replicated to a fresh follower, and no node ever has more of it in memory than
/// the budget and what cannot leave.
#[test]
fn a_log_of_fifty_times_the_memory_is_replicated() {
    let mut cluster = with_long_log(small(), 50);
    assert!(
        cluster.hosts[&N1].disk.entries.iter().map(raft_core::Entry::size).sum::<u64>()
            > 50 * BUDGET
    );
    cluster.join(N4);
    cluster.change(N1, members(&[1, 2, 3], &[4]));
    let (mut most, mut steps) = (0, 0);
    while cluster.node(N4).applied() < cluster.node(N1).last().index {
        if !cluster.deliver_next() {
            cluster.pass(HEARTBEAT);
        }
        for id in cluster.ids() {
            most = most.max(cached(&cluster, id));
        }
        steps += 1;
        assert!(steps < 20_000, "{}", cluster.describe());
    }
    assert_eq!(cluster.commands(N4), cluster.commands(N1));
    println!("at most {most} bytes in memory, of a budget of {BUDGET}, in {steps} steps");
    // Beside the budget: the last entry, which was taken when there was room for a little less.
    assert!(most <= BUDGET + 132, "{most} bytes");
    assert!(fetches(&cluster, Reader::Peer(N4)) > 50);
}

/// What is in memory is not read; what is not is read once for each batch.
#[test]
fn what_is_in_memory_is_not_read() {
    let mut cluster = with_long_log(settings(), 2);
    cluster.pass(E);
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
    assert_eq!(fetches(&cluster, Reader::Peer(N3)), 0);
}

/// A leader that has restarted has nothing of its log in memory, and brings a follower up to date all the same.
#[test]
fn a_restarted_leader_reads_its_log() {
    let mut cluster = with_long_log(settings(), 2);
    cluster.isolate(N3);
    cluster.crash(N1);
    cluster.restart(N1);
    cluster.save_machine(N1);
    assert_eq!(cached(&cluster, N1), 0);
    cluster.elect(N1);
    cluster.heal();
    cluster.pass(E);
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
    assert!(fetches(&cluster, Reader::Peer(N3)) > 0);
}

/// Fine point 10: entries that are durable and wait for a slow machine may leave memory; the machine is given them
/// from the disk.
#[test]
fn fine_point_10_a_slow_machine_is_served_from_the_disk() {
    let mut cluster = Cluster::with(3, small());
    cluster.elect(N1);
    cluster.host(N2).machine_pace = Pace::Held;
    for number in 0..200 {
        cluster.propose(N1, format!("{number:0>100}"));
        cluster.settle();
        assert!(cached(&cluster, N2) <= BUDGET);
    }
    assert_eq!(cluster.node(N2).applied(), LogIndex(1));
    cluster.host(N2).machine_pace = Pace::Prompt;
    cluster.finish_apply(N2);
    assert_eq!(cluster.commands(N2), cluster.commands(N1));
    assert!(fetches(&cluster, Reader::Machine) > 10);
}

/// Fine point 12: entries that are not the log's, by their terms, are not sent, but read again after a while; so are
/// those that could not be read at all.
#[test]
fn fine_point_12_what_disagrees_with_the_log_is_read_again() {
    let wrong: Entries = disk::entries(&[9, 9]).into_iter().collect();
    for answer in [None, Some(Entries::EMPTY), Some(wrong)] {
        let mut cluster = with_long_log(small(), 2);
        cluster.host(N1).fetch_pace = Pace::Held;
        cluster.pass(E);
        let fetching = cluster.host(N1).lanes.fetches.remove(0);
        let first = fetching.first;
        cluster.journal.clear();
        let (number, reader, entries) = (fetching.number, fetching.reader, answer);
        cluster.step(N1, RecordedInput::Fetched { number, reader, first, entries });
        let carried = |cluster: &Cluster| {
            let sent = cluster.sent(N1, "AppendEntries");
            sent.iter().filter(|envelope| envelope.to == N3).count()
        };
        assert_eq!((carried(&cluster), fetches(&cluster, Reader::Peer(N3))), (0, 0));
        cluster.pass(HEARTBEAT);
        assert_eq!(cluster.hosts[&N1].lanes.fetches[0].first, first, "the same again");
        cluster.release_lanes(N1);
        cluster.pass(Ticks(3 * E.0));
        assert_eq!(cluster.commands(N3), cluster.commands(N1));
    }
}

/// The same for the machine: it is given nothing but the log.
#[test]
fn fine_point_12_the_machine_is_given_nothing_else() {
    let wrong: Entries = disk::entries(&[9]).into_iter().collect();
    for answer in [None, Some(wrong)] {
        let mut cluster = with_long_log(small(), 2);
        cluster.host(N2).fetch_pace = Pace::Held;
        cluster.crash(N2);
        cluster.restart(N2);
        let fetching = cluster.host(N2).lanes.fetches.remove(0);
        assert_eq!((fetching.reader, fetching.first), (Reader::Machine, LogIndex(1)));
        let (number, reader, first) = (fetching.number, fetching.reader, fetching.first);
        cluster.step(N2, RecordedInput::Fetched { number, reader, first, entries: answer });
        assert!(cluster.commands(N2).is_empty() && cluster.hosts[&N2].lanes.fetches.is_empty());
        let deadline = cluster.node(N2).deadline();
        assert!(deadline <= cluster.now.after(HEARTBEAT), "it asks to be woken for it");
        cluster.pass(HEARTBEAT);
        cluster.release_lanes(N2);
        cluster.pass(E);
        assert_eq!(cluster.commands(N2), cluster.commands(N1));
    }
}

/// Fine point 12: there is one question a peer; one that is not answered is asked again after a while, and the late
/// answer to the first is refused.
#[test]
fn fine_point_12_an_unanswered_question_is_asked_again() {
    let mut cluster = with_long_log(small(), 2);
    cluster.host(N1).fetch_pace = Pace::Held;
    cluster.pass(E);
    let asked = cluster.hosts[&N1].lanes.fetches.len();
    assert!((1..=2).contains(&asked), "{asked} questions in an election timeout");
    cluster.pass(E);
    let questions = cluster.hosts[&N1].lanes.fetches.clone();
    assert!(questions.len() > asked && questions.len() <= 4);
    assert!(questions.iter().all(|question| question.first == questions[0].first));
    cluster.finish_fetch(N1);
    let rejections = cluster.node(N1).status().rejections;
    assert_eq!(
        rejections.count(Rejection::ForeignReceipt),
        1,
        "nobody waits for the first any more"
    );
    cluster.release_lanes(N1);
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
}

/// Fine point 12: what was compacted away while it was to be read is replaced by the snapshot.
#[test]
fn fine_point_12_what_was_compacted_meanwhile_comes_as_a_snapshot() {
    let mut cluster = with_long_log(Settings { retained_entries: 0, ..small() }, 2);
    cluster.host(N1).fetch_pace = Pace::Held;
    cluster.pass(Ticks(E.0 / 2 + 2 * HEARTBEAT.0));
    assert!(!cluster.hosts[&N1].lanes.fetches.is_empty());
    cluster.compact(N1);
    cluster.release_lanes(N1);
    cluster.pass(E);
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
    assert!(!cluster.sent(N1, "InstallSnapshot").is_empty());
}

/// An entry that is larger than what the window has room for waits for room; it is not read again and again.
#[test]
fn an_entry_that_does_not_fit_is_not_read_in_a_loop() {
    let limits = Settings { max_inflight_bytes: 200, max_batch_bytes: 100, ..small() };
    let mut cluster = with_long_log(limits, 2);
    cluster.pass(Ticks(E.0 / 2 + 2 * HEARTBEAT.0));
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
    let entries = cluster.last(N1);
    let read = fetches(&cluster, Reader::Peer(N3)) as u64;
    assert!(read <= 2 * entries, "{read} reads of {entries} entries");
}

/// An answer for a peer that is not led any more, or of another life, does nothing.
#[test]
fn an_answer_of_another_life_is_refused() {
    let mut cluster = with_long_log(small(), 2);
    let config = Settings { id: N1, ..small() }.validate().expect("sound settings");
    let restored = cluster.hosts[&N1].disk.restored(LogIndex::ZERO).expect("terms do not fall");
    let mut twin = raft_core::Node::new(config, restored, cluster.now).expect("a sound disk");
    let mut effects = Effects::new();
    twin.step(cluster.now, Input::Tick, &mut effects);
    let fetch = std::iter::from_fn(|| effects.pop()).find_map(|effect| match effect {
        Effect::Fetch(fetch) => Some(fetch),
        _ => None,
    });
    let answer = Input::Fetched(fetch.expect("for its machine").failed());
    let recorded = RecordedInput::of(&answer, cluster.node(N1));
    assert_eq!(recorded, RecordedInput::ForeignReceipt);
    let node = cluster.host(N1).node.as_mut().expect("it is up");
    let before = node.clone();
    node.step(before.status().deadline, answer, &mut Effects::new());
    assert_eq!(node.status().rejections.count(Rejection::ForeignReceipt), 1);
    assert_eq!(node.last(), before.last());
}

/// Fine point 12: there is one question a peer, also when it refuses append after append.
#[test]
fn fine_point_12_a_peer_has_one_question_whatever_it_says() {
    let mut cluster = with_long_log(small(), 2);
    cluster.isolate(N3);
    cluster.elect(N2);
    cluster.forge();
    cluster.host(N2).fetch_pace = Pace::Held;
    let questions = |cluster: &Cluster| cluster.hosts[&N2].lanes.fetches.len();
    for index in (2..cluster.last(N1)).rev() {
        let (refused, hint) = (at(1, index), at(1, index - 1));
        let refusal = Message::AppendReply(AppendReply::Mismatch { refused, hint });
        cluster.receive(message(N3, N2, 2, refusal));
    }
    assert_eq!((cluster.peer(N2, N3).next, questions(&cluster)), (LogIndex(2), 1));
    cluster.heal();
    cluster.release_lanes(N2);
    cluster.pass(Ticks(2 * E.0));
    assert_eq!(cluster.commands(N3), cluster.commands(N1));
}
