//! Goal: whatever the store does when the power fails, what it has said is done is done, and nothing is done in half.

use std::sync::Arc;

use driver::store::Store;
use raft_core::{
    Append, Entry, HardState, Incarnation, LogIndex, LogPosition, Membership, NodeId,
    PartialSnapshot, Payload, Restored, SnapshotMeta, Term, Write,
};

use crate::power::Machine;

/// One call of the store.
enum Call {
    Write(Write),
    Stage(PartialSnapshot, u64, &'static [u8]),
    Save(SnapshotMeta, Vec<u8>),
}

impl Call {
    fn make(&self, store: &impl Store) -> bool {
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

fn append(first: u64, term: u64, count: usize) -> Append {
    let entry = |_| Entry { term: Term(term), payload: Payload::command(vec![7_u8; 300]) };
    Append { first: LogIndex(first), entries: (0..count).map(entry).collect() }
}

fn hard_state(term: u64) -> HardState {
    HardState { term: Term(term), vote: None, incarnation: Incarnation(1) }
}

/// A life with every part of a write in it.
fn calls() -> Vec<Call> {
    let partial =
        |received| PartialSnapshot { source: NodeId(2), snapshot: meta(3, 90), total: 6, received };
    let begun = Write {
        hard_state: Some(hard_state(1)),
        append: Some(append(1, 1, 40)),
        ..Write::default()
    };
    let replaced = Write {
        hard_state: Some(hard_state(2)),
        truncate_from: Some(LogIndex(20)),
        append: Some(append(20, 2, 5)),
        commit: Some(LogIndex(10)),
        ..Write::default()
    };
    let installed = Write {
        hard_state: Some(hard_state(3)),
        install: Some(meta(3, 90)),
        truncate_from: Some(LogIndex(9)),
        append: Some(append(91, 3, 3)),
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

fn loaded(machine: &Machine) -> Option<Restored> {
    machine.open().load().expect("what was written can be read")
}

/// The machine stops at every write and sync of the store, and any number of the writes that were not synced had reached
/// the disk: all of the call is there, or nothing, and what was there before is not lost.
#[test]
fn a_crash_at_any_moment_leaves_a_call_done_or_not_begun() {
    let mut machine = Machine::new();
    drop(machine.open());
    let mut crashes = 0;
    for (nth, call) in calls().iter().enumerate() {
        let before = loaded(&machine.copy());
        let done = machine.copy();
        assert!(call.make(&done.open()), "call {nth} works without a crash");
        let after = loaded(&done.copy());
        let (mut stop, mut is_over) = (0, false);
        while !is_over {
            // The same moment again and again, with more of what was not synced on the disk.
            let (mut kept, mut most) = ([0, 0], [0, 0]);
            while kept <= most {
                let copy = machine.copy();
                let store = copy.open();
                copy.power.stop_after(stop);
                let is_done = call.make(&store);
                (most, is_over) = (copy.unsynced(), is_done);
                let found = loaded(&copy.crashed(store, kept[0], kept[1]));
                let is_whole = found == after || (found == before && !is_done);
                assert!(is_whole, "call {nth}, stopped after {stop}, {kept:?} kept: {found:?}");
                crashes += 1;
                kept = if kept[1] < most[1] { [kept[0], kept[1] + 1] } else { [kept[0] + 1, 0] };
            }
            stop += 1;
        }
        machine = done;
    }
    println!("{crashes} crashes");
    assert!(crashes > 300);
}
