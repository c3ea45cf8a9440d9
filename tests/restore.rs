//! Goal: a disk that holds any prefix of any write of any run makes a node that knows what the disk knows and
//! works on; a disk that contradicts itself is refused with words that name both sides.

use std::sync::Arc;

use raft_core::{
    Bootstrap, Effect, Effects, Entry, Force, HardState, Incarnation, Input, Instant, Join,
    LogIndex, LogPosition, LogSummary, Membership, Node, NodeId, PartialSnapshot, Payload, Reader,
    RestoreError, Restored, Role, Settings, SnapshotMeta, Start, Term, Ticks,
};
use support::chaos::Chaos;
use support::disk::{self, Disk, entries};
use support::messages::at;
use support::{E, Happened, N1, N2, N3, settings};

fn founders() -> Membership {
    Membership::of_voters([N1, N2, N3]).expect("there are voters")
}

fn start(id: NodeId, start: impl Into<Start>) -> Result<Node, RestoreError> {
    let config = Settings { id, ..settings() }.validate().expect("the settings are sound");
    Node::new(config, start, Instant(5_000))
}

/// A node must know exactly what its disk knows.
fn check_restored(id: NodeId, disk: &Disk) {
    if disk.hard_state == HardState::default() {
        assert!(disk.entries.is_empty(), "a node that has not started has its founders at most");
        return;
    }
    let node = start(id, disk.restored(LogIndex::ZERO).expect("terms do not fall"))
        .expect("every prefix of a write restores");
    assert_eq!(node.invariants(), Ok(()));
    let (status, on_disk) = (node.status(), disk.hard_state);
    let incarnation = Incarnation(on_disk.incarnation.0 + 1);
    assert_eq!(status.hard_state, HardState { incarnation, ..on_disk });
    assert!(!status.hard_state_durable, "the new incarnation is not written yet");
    assert_eq!(status.role, Role::Follower);
    assert_eq!((status.last.index, status.durable), (disk.last().index, disk.last().index));
    assert_eq!(node.snapshot(), &disk.snapshot());
    let snapshot = disk.snapshot().position;
    if status.base == disk.base {
        for (index, entry) in (disk.base.index.0 + 1..).map(LogIndex).zip(&disk.entries) {
            assert_eq!(node.term_at(index), Some(entry.term));
        }
    } else {
        assert_eq!((status.base, status.last), (snapshot, snapshot), "its log is from before it");
    }
    assert!(disk.commit <= status.last.index, "the hint follows what it speaks of");
    let commit = disk.commit.max(snapshot.index);
    assert_eq!((status.commit, status.applied), (commit, LogIndex::ZERO));
    assert_eq!(node.membership(), &membership_of(disk), "thesis §4.1, fine point 13");
}

/// The last membership in the durable log, committed or not; or else the snapshot's.
fn membership_of(disk: &Disk) -> Arc<Membership> {
    let snapshot = disk.snapshot();
    let last = disk.last().index.0;
    let after =
        (snapshot.position.index.0 + 1..=last).rev().filter_map(|i| disk.entry(LogIndex(i)));
    let membership = |entry: &Entry| match &entry.payload {
        Payload::Membership(membership) => Some(membership.clone()),
        _ => None,
    };
    after.map(membership).find_map(|found| found).unwrap_or(snapshot.membership)
}

/// Fine point 5: every prefix of every write of many runs restores, and nothing is lost or invented.
#[test]
fn every_prefix_of_every_write_restores() {
    let [mut writes, mut prefixes, mut truncations, mut installs, mut compactions] = [0; 5];
    for seed in 0..400 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..2_000 {
            chaos.act();
        }
        chaos.recover();
        for (id, happened) in &chaos.cluster.journal {
            let Happened::Wrote { onto, write } = happened else { continue };
            writes += 1;
            truncations += u64::from(write.truncate_from.is_some());
            let installs_one = write.install.as_ref().is_some_and(|of| of.position > at(0, 0));
            installs += u64::from(installs_one);
            compactions += u64::from(write.compact.is_some());
            for parts in 0..=disk::parts(write) {
                let mut torn = Disk::clone(onto);
                torn.write_prefix(write, parts);
                check_restored(*id, &torn);
                prefixes += 1;
            }
        }
    }
    println!("{writes} writes: {truncations} with truncations, {installs} with installations, ");
    println!("{compactions} with compactions; {prefixes} prefixes");
    assert!(writes > 2_000 && prefixes > 2 * writes);
    assert!(truncations > 50 && installs > 50 && compactions > 50);
}

/// Fine point 5: and the node goes on in its cluster: all agree in the end, and take commands.
#[test]
fn a_node_goes_on_after_a_torn_write() {
    let mut crashes = 0;
    for seed in 0..60 {
        let mut chaos = Chaos::new(seed);
        for step in 0..900 {
            chaos.act();
            chaos.cluster.journal.clear();
            if step % 20 != 0 {
                continue;
            }
            let writing = chaos.cluster.hosts.iter().filter_map(|(id, host)| {
                host.writing.as_ref().map(|(_, write)| (*id, disk::parts(write)))
            });
            for (id, parts) in writing.collect::<Vec<_>>() {
                let mut fork = chaos.clone();
                let kept = fork.dice.below(parts + 1);
                fork.cluster.crash_keeping(id, kept);
                fork.cluster.restart(id);
                for _ in 0..20 {
                    fork.act();
                }
                fork.recover();
                crashes += 1;
            }
        }
    }
    println!("{crashes} crashes in the middle of a write");
    assert!(crashes > 500);
}

/// The whole cluster may lose power at any moment, in the middle of any writes.
#[test]
fn a_cluster_goes_on_after_a_total_power_loss() {
    for seed in 0..300 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..500 {
            chaos.act();
        }
        chaos.cluster.network.clear();
        for id in chaos.cluster.ids() {
            let kept = chaos.dice.below(4);
            chaos.cluster.crash_keeping(id, kept);
        }
        chaos.recover();
    }
}

/// The machine may keep its state: what it has applied is known to be committed, and is not applied again.
#[test]
fn what_the_machine_holds_is_committed() {
    let disk = Restored { applied: LogIndex(2), ..three_entries() };
    let mut node = start(N1, disk).expect("a sound disk");
    assert_eq!((node.commit(), node.applied()), (LogIndex(2), LogIndex(2)));
    let mut effects = Effects::new();
    node.step(Instant(5_000), Input::Tick, &mut effects);
    while let Some(effect) = effects.pop() {
        assert!(!matches!(effect, Effect::Apply(_)), "nothing is applied twice");
    }
}

/// A commit hint that is lost does no harm; one that is there lets the machine catch up at once.
#[test]
fn a_commit_hint_lets_the_machine_catch_up() {
    let disk = Restored { commit: LogIndex(2), ..three_entries() };
    let mut node = start(N1, disk).expect("a sound disk");
    let mut effects = Effects::new();
    node.step(Instant(5_000), Input::Tick, &mut effects);
    let read = std::iter::from_fn(|| effects.pop()).find_map(|effect| match effect {
        Effect::Fetch(fetch) => Some((fetch.reader(), fetch.first(), fetch.last())),
        _ => None,
    });
    assert_eq!(read, Some((Reader::Machine, LogIndex(1), LogIndex(2))));
}

/// A crash between the founding write and the next leaves a founder without a hard state: it starts its
/// first life from there. Without the founding write there is nothing to come back to.
#[test]
fn a_founder_may_crash_before_its_first_hard_state() {
    let founded = Restored { hard_state: HardState::default(), log: log(&[]), ..three_entries() };
    let node = start(N1, founded.clone()).expect("the founding write is durable");
    assert_eq!(node.status().hard_state.incarnation, Incarnation(1));
    let nothing = Restored { snapshot: SnapshotMeta::default(), ..founded };
    assert_eq!(start(N1, nothing).err(), Some(RestoreError::NeverStarted));
    assert!(start(N1, Bootstrap { membership: founders() }).is_ok());
}

/// A node that joins waits, without a campaign, to be told who its cluster is.
#[test]
fn a_node_that_joins_waits() {
    let mut node = start(NodeId(9), Join).expect("an empty disk");
    let mut now = Instant(5_000);
    for _ in 0..50 {
        now = now.after(Ticks(E.0));
        node.step(now, Input::Tick, &mut Effects::new());
        node.step(now, Input::Campaign, &mut Effects::new());
        assert_eq!((node.role(), node.term()), (Role::Follower, Term::ZERO));
    }
}

fn three_entries() -> Restored {
    Restored {
        hard_state: HardState { term: Term(2), vote: Some(N2), incarnation: Incarnation(4) },
        snapshot: SnapshotMeta { position: LogPosition::ZERO, membership: Arc::new(founders()) },
        log: log(&[1, 2, 2]),
        commit: LogIndex::ZERO,
        applied: LogIndex::ZERO,
        partial: None,
    }
}

/// A log of the given terms, from its beginning.
fn log(terms: &[u64]) -> LogSummary {
    log_after(LogPosition::ZERO, terms)
}

fn log_after(base: LogPosition, terms: &[u64]) -> LogSummary {
    let mut log = LogSummary::after(base);
    for entry in entries(terms) {
        log.push(&entry).expect("terms that do not fall");
    }
    log
}

/// The error for a disk that contradicts itself, with the words that its message must contain.
fn refused(disk: Restored, words: &[&str]) -> RestoreError {
    let error = start(N1, disk).expect_err("the disk contradicts itself");
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{message}` does not name {word}");
    }
    error
}

#[test]
fn an_empty_disk_is_no_restart() {
    let snapshot = SnapshotMeta::default();
    let disk = Restored { hard_state: HardState::default(), snapshot, ..three_entries() };
    let error =
        refused(disk, &["hard state", "incarnation is 0", "membership", "Bootstrap or Join"]);
    assert_eq!(error, RestoreError::NeverStarted);
}

#[test]
fn a_stranger_founds_nothing() {
    let error =
        start(NodeId(9), Bootstrap { membership: founders() }).expect_err("n9 is no founder");
    assert_eq!(error, RestoreError::NotAMember { id: NodeId(9) });
    assert!(error.to_string().contains("n9") && error.to_string().contains("founding members"));
}

#[test]
fn a_log_ahead_of_the_hard_state_is_refused() {
    let disk = Restored { log: log(&[1, 2, 5]), ..three_entries() };
    let error = refused(disk, &["log's i3@T5", "hard state's T2"]);
    assert_eq!(error, RestoreError::EntryBeyondTerm { entry: at(5, 3), term: Term(2) });
}

#[test]
fn a_snapshot_ahead_of_the_hard_state_is_refused() {
    let snapshot = SnapshotMeta { position: at(3, 7), ..three_entries().snapshot };
    let disk = Restored {
        snapshot,
        log: log_after(at(1, 7), &[]),
        applied: LogIndex(7),
        ..three_entries()
    };
    let error = refused(disk, &["i7@T3", "hard state's T2"]);
    assert_eq!(error, RestoreError::EntryBeyondTerm { entry: at(3, 7), term: Term(2) });
}

/// What is wrong with an entry is told when the log is read, with the words that the message must contain.
fn unreadable(entry: &Entry, words: &[&str]) -> RestoreError {
    let mut log = log(&[1, 2]);
    let error = log.push(entry).expect_err("no leader wrote that there");
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{message}` does not name {word}");
    }
    assert_eq!(log.last(), at(2, 2), "nothing is added");
    error
}

#[test]
fn a_log_whose_terms_fall_is_refused() {
    let error = unreadable(&disk::entry(1, 3), &["i3@T1", "before it (T2)", "corrupt"]);
    assert_eq!(error, RestoreError::FallingTerm { entry: at(1, 3), before: Term(2) });
}

#[test]
fn an_entry_without_a_term_is_refused() {
    let error = unreadable(&disk::entry(0, 3), &["entry at i3", "term 0", "corrupt"]);
    assert_eq!(error, RestoreError::EntryWithoutTerm { index: LogIndex(3) });
}

#[test]
fn a_membership_without_voters_is_refused() {
    let nobody = || Arc::new(Membership::default());
    let entry = Entry { term: Term(2), payload: Payload::Membership(nobody()) };
    let error = unreadable(&entry, &["membership at i3", "no voters", "corrupt"]);
    assert_eq!(error, RestoreError::NoVoters { index: LogIndex(3) });
    let snapshot = SnapshotMeta { position: at(1, 7), membership: nobody() };
    let disk = Restored { snapshot, log: log_after(at(1, 7), &[]), ..three_entries() };
    assert_eq!(start(N1, disk).err(), Some(RestoreError::NoVoters { index: LogIndex(7) }));
}

#[test]
fn a_log_without_its_hard_state_is_refused() {
    let disk = Restored { hard_state: HardState::default(), ..three_entries() };
    assert_eq!(start(N1, disk).err(), Some(RestoreError::NeverStarted));
}

#[test]
fn an_impossible_snapshot_position_is_refused() {
    let snapshot = SnapshotMeta { position: at(0, 7), ..three_entries().snapshot };
    let disk = Restored { snapshot, applied: LogIndex(7), ..three_entries() };
    let error = refused(disk, &["i7@T0", "impossible"]);
    assert_eq!(error, RestoreError::ImpossibleBase { base: at(0, 7) });
}

#[test]
fn a_machine_ahead_of_the_log_is_refused() {
    let disk = Restored { applied: LogIndex(4), ..three_entries() };
    let error = refused(disk, &["applied up to i4", "log ends at i3"]);
    let expected = RestoreError::AppliedBeyondLog { applied: LogIndex(4), last: LogIndex(3) };
    assert_eq!(error, expected);
}

/// Fine point 7: a machine that is behind where the log begins is restored from the snapshot, whatever it holds.
#[test]
fn a_machine_behind_the_log_is_restored() {
    let snapshot = SnapshotMeta { position: at(1, 7), ..three_entries().snapshot };
    let log = log_after(at(1, 6), &[1, 2]);
    for (applied, expected) in [(0, Some(LogIndex(7))), (5, Some(LogIndex(7))), (6, None)] {
        let (snapshot, log, applied) = (snapshot.clone(), log.clone(), LogIndex(applied));
        let disk = Restored { snapshot, log, applied, ..three_entries() };
        let mut node = start(N1, disk).expect("a sound disk");
        let mut effects = Effects::new();
        node.step(Instant(5_000), Input::Tick, &mut effects);
        let restored = std::iter::from_fn(|| effects.pop()).find_map(|effect| match effect {
            Effect::Restore(restore) => Some(restore.index()),
            _ => None,
        });
        assert_eq!(restored, expected, "a machine at {applied}");
    }
}

/// What lies between the snapshot and the log is gone: the snapshot was lost (B58).
#[test]
fn a_log_that_begins_after_its_snapshot_is_refused() {
    let snapshot = SnapshotMeta { position: at(1, 5), ..three_entries().snapshot };
    let disk = Restored { snapshot, log: log_after(at(1, 6), &[1]), ..three_entries() };
    let error = refused(disk, &["begins after i6@T1", "snapshot ends at i5@T1"]);
    let expected = RestoreError::SnapshotBeforeLog { snapshot: at(1, 5), base: at(1, 6) };
    assert_eq!(error, expected);
}

/// A log that does not hold the snapshot's position is from before it: a crash interrupted the installation. It is
/// removed by the next write.
#[test]
fn a_log_from_before_the_snapshot_is_discarded() {
    for position in [at(2, 9), at(1, 2)] {
        let snapshot = SnapshotMeta { position, ..three_entries().snapshot };
        let disk = Restored { snapshot, ..three_entries() };
        let mut node = start(N1, disk).expect("a sound disk");
        assert_eq!((node.base(), node.last()), (position, position));
        let mut effects = Effects::new();
        node.step(Instant(5_000), Input::Tick, &mut effects);
        let truncates = std::iter::from_fn(|| effects.pop()).find_map(|effect| match effect {
            Effect::Persist(persist) => persist.write().truncate_from,
            _ => None,
        });
        assert_eq!(truncates, Some(LogIndex(1)), "all of it");
    }
}

#[test]
fn a_staged_snapshot_with_more_bytes_than_it_has_is_refused() {
    let snapshot = SnapshotMeta { position: at(2, 9), ..three_entries().snapshot };
    let partial = PartialSnapshot { source: N2, snapshot, total: 7, received: 8 };
    let disk = Restored { partial: Some(partial), ..three_entries() };
    let error = refused(disk, &["8 of 7 bytes", "remove it"]);
    assert_eq!(error, RestoreError::PartialBeyondTotal { received: 8, total: 7 });
}

/// It would be installed as it is.
#[test]
fn an_impossible_staged_snapshot_is_refused() {
    let staged = |snapshot| {
        let partial = PartialSnapshot { source: N2, snapshot, total: 7, received: 7 };
        start(N1, Restored { partial: Some(partial), ..three_entries() }).err()
    };
    let nowhere = SnapshotMeta { position: at(0, 9), ..three_entries().snapshot };
    assert_eq!(staged(nowhere), Some(RestoreError::ImpossibleBase { base: at(0, 9) }));
    let nobody = SnapshotMeta { position: at(2, 9), ..SnapshotMeta::default() };
    assert_eq!(staged(nobody), Some(RestoreError::NoVoters { index: LogIndex(9) }));
    let later = SnapshotMeta { position: at(9, 9), ..three_entries().snapshot };
    assert_eq!(staged(later), None, "the disk never learnt of its term: it is sent again");
}

/// The last resort names the survivors, this node among the voters.
#[test]
fn a_membership_is_forced_by_one_of_its_voters() {
    let forced = |voters: &[NodeId]| {
        let membership = Membership::of_voters(voters.iter().copied()).expect("there are voters");
        start(N1, Force { restored: three_entries(), membership })
    };
    let error = forced(&[N2, N3]).expect_err("n1 is not among them");
    assert_eq!(error, RestoreError::ForcedMembership { id: N1 });
    assert!(error.to_string().contains("name the survivors"));
    let node = forced(&[N1, N3]).expect("a sound membership");
    assert_eq!(node.membership().voters(), [N1, N3]);
}

#[test]
fn counters_at_their_end_are_refused() {
    for hard_state in [
        HardState { term: Term(Term::MAX.0 + 1), vote: None, incarnation: Incarnation(1) },
        HardState { term: Term(2), vote: None, incarnation: Incarnation(u64::MAX) },
    ] {
        let disk = Restored { hard_state, ..three_entries() };
        let error = refused(disk, &["term or incarnation", "hard state is corrupt"]);
        assert_eq!(error, RestoreError::OutOfRange);
    }
    let last = HardState { term: Term::MAX, vote: None, incarnation: Incarnation(u64::MAX - 1) };
    start(N1, Restored { hard_state: last, ..three_entries() }).expect("one more start is left");
}

#[test]
fn a_log_beyond_the_last_index_is_refused() {
    let end = LogIndex::MAX;
    let mut log = LogSummary::after(LogPosition::new(Term(1), end.previous()));
    assert_eq!(log.push(&disk::entry(1, end.0)), Ok(()));
    let beyond = LogPosition::new(Term(1), end.next());
    let error = log.push(&disk::entry(1, end.0 + 1)).expect_err("there is no such index");
    assert_eq!(error, RestoreError::EntryOutOfRange { entry: beyond });
    assert!(error.to_string().contains("the log is corrupt"), "{error}");

    let after = |base: LogPosition| {
        let snapshot = SnapshotMeta { position: base, ..three_entries().snapshot };
        start(N1, Restored { snapshot, log: LogSummary::after(base), ..three_entries() })
    };
    assert!(after(LogPosition::new(Term(1), end)).is_ok());
    let error = after(beyond).expect_err("there is no such index");
    assert_eq!(error, RestoreError::ImpossibleBase { base: beyond });
}
