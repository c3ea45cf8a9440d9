//! Every store of the driver, by the suite that is there for all stores, and the database under crashes.

use std::sync::Arc;

use raft_core::{
    Append, ClusterId, Entry, HardState, Incarnation, LogIndex, LogPosition, Membership, NodeId,
    PartialSnapshot, Payload, Restored, SnapshotMeta, Term, Write,
};

use driver::store::disk::{Defect, Handle, Platter, Volatile};
use driver::store::{Database, Memory, Store, conformance};

#[test]
fn the_store_in_memory_conforms() {
    conformance::check(Memory::new, |store| store);
}

#[test]
fn the_database_conforms_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = std::cell::Cell::new(0);
    let path = |nth: u32| folder.path().join(format!("{nth}.redb"));
    conformance::check(
        || {
            number.set(number.get() + 1);
            Database::open(&path(number.get())).expect("a new file")
        },
        |store| {
            drop(store);
            Database::open(&path(number.get())).expect("the same file")
        },
    );
}

/// A power loss instead of closing: what a call has returned for is there.
#[test]
fn the_database_conforms_on_a_disk_that_loses_what_was_not_synced() {
    let platter = std::cell::RefCell::new(Platter::default());
    let disk = std::cell::RefCell::new(None);
    let open = || {
        let volatile = Arc::new(Volatile::new(platter.borrow().clone(), Defect::None));
        disk.replace(Some(volatile.clone()));
        Database::on(Handle(volatile)).expect("opens")
    };
    conformance::check(
        || {
            platter.replace(Platter::default());
            open()
        },
        |store| {
            let volatile: Arc<Volatile<Platter>> = disk.borrow().clone().expect("was opened");
            volatile.crash(0).expect("memory does not fail");
            drop(store);
            open()
        },
    );
}

/// The suite above would not pass without syncs.
#[test]
fn a_disk_that_does_not_sync_loses_everything() {
    let platter = Platter::default();
    let volatile = Arc::new(Volatile::new(platter.clone(), Defect::SyncDoesNothing));
    let store = Database::on(Handle(volatile.clone())).expect("opens");
    let mine = driver::store::Identity { cluster: ClusterId(1), node: NodeId(1) };
    store.claim(mine).expect("is claimed");
    volatile.crash(0).expect("memory does not fail");
    drop(store);
    let other = driver::store::Identity { node: NodeId(2), ..mine };
    let store = Database::on(Volatile::new(platter, Defect::None)).expect("opens");
    store.claim(other).expect("nobody's name is on it");
}

/// One call of the store.
enum Call {
    Write(Write),
    Stage(PartialSnapshot, u64, &'static [u8]),
    Save(SnapshotMeta, Vec<u8>),
}

impl Call {
    fn make(&self, store: &Database) -> bool {
        match self {
            Self::Write(write) => store.write(write).is_ok(),
            Self::Stage(partial, offset, data) => store.stage(partial, *offset, data).is_ok(),
            Self::Save(meta, state) => store.save(meta, state).is_ok(),
        }
    }
}

fn meta(term: u64, index: u64) -> SnapshotMeta {
    let membership = Membership::of_voters([NodeId(1)]).expect("a voter");
    SnapshotMeta {
        position: LogPosition::new(Term(term), LogIndex(index)),
        membership: Arc::new(membership),
    }
}

fn append(first: u64, term: u64, count: usize) -> Option<Append> {
    let entry = |_| Entry { term: Term(term), payload: Payload::command(vec![7_u8; 300]) };
    Some(Append { first: LogIndex(first), entries: (0..count).map(entry).collect() })
}

fn hard_state(term: u64) -> Option<HardState> {
    Some(HardState { term: Term(term), vote: None, incarnation: Incarnation(1) })
}

/// A life with every part of a write in it.
fn calls() -> Vec<Call> {
    let partial =
        |received| PartialSnapshot { source: NodeId(2), snapshot: meta(3, 90), total: 6, received };
    let begun = Write { hard_state: hard_state(1), append: append(1, 1, 40), ..Write::default() };
    let replaced = Write {
        hard_state: hard_state(2),
        truncate_from: Some(LogIndex(20)),
        append: append(20, 2, 5),
        commit: Some(LogIndex(10)),
        ..Write::default()
    };
    let installed = Write {
        hard_state: hard_state(3),
        install: Some(meta(3, 90)),
        truncate_from: Some(LogIndex(9)),
        append: append(91, 3, 3),
        ..Write::default()
    };
    vec![
        Call::Write(Write { install: Some(meta(0, 0)), ..Write::default() }),
        Call::Write(begun),
        Call::Write(replaced),
        Call::Save(meta(1, 10), vec![9; 5_000]),
        Call::Write(Write { compact: Some(meta(1, 8).position), ..Write::default() }),
        Call::Stage(partial(4), 0, b"abcd"),
        Call::Stage(partial(6), 4, b"ef"),
        Call::Write(installed),
    ]
}

fn opened(platter: &Platter) -> (Database, Arc<Volatile<Platter>>) {
    let volatile = Arc::new(Volatile::new(platter.clone(), Defect::None));
    (Database::on(Handle(volatile.clone())).expect("a disk after a crash opens"), volatile)
}

fn loaded(platter: &Platter) -> Option<Restored> {
    opened(platter).0.load().expect("what was written can be read")
}

/// The call again, on a copy of the disk; the machine stops after so many writes and syncs, and so many of those that
/// were not synced had reached the disk. Answers whether the call returned as done, how many were not synced, and
/// what the disk is then.
fn crashed(platter: &Platter, call: &Call, stop: u64, kept: usize) -> (bool, usize, Platter) {
    let copy = platter.copy();
    let (store, volatile) = opened(&copy);
    volatile.stop_after(stop);
    let is_done = call.make(&store);
    let unsynced = volatile.unsynced();
    volatile.crash(kept).expect("memory does not fail");
    (is_done, unsynced, copy)
}

/// The machine stops at every write and sync of the store, and any number of the writes that were not synced had reached
/// the disk: all of the call is there, or nothing, and what was there before is not lost.
#[test]
fn a_crash_at_any_moment_leaves_a_call_done_or_not_begun() {
    let mut platter = Platter::default();
    drop(opened(&platter));
    let mut crashes = 0;
    for (nth, call) in calls().iter().enumerate() {
        let before = loaded(&platter);
        let done = platter.copy();
        assert!(call.make(&opened(&done).0), "call {nth} works without a crash");
        let after = loaded(&done);
        let mut stops = 0..;
        let mut is_over = false;
        while !is_over {
            let stop = stops.next().expect("there is no end");
            let (is_done, unsynced, _) = crashed(&platter, call, stop, 0);
            for kept in 0..=unsynced {
                let (_, _, disk) = crashed(&platter, call, stop, kept);
                let found = loaded(&disk);
                let is_whole = found == after || (found == before && !is_done);
                assert!(is_whole, "call {nth}, stopped after {stop}, {kept} kept: {found:?}");
                crashes += 1;
            }
            is_over = is_done;
        }
        platter = done;
    }
    println!("{crashes} crashes");
    assert!(crashes > 100);
}
