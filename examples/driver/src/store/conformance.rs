//! What every store must do, as a suite to be run in a test of it.
//!
//! ```
//! use driver::store::{Memory, conformance};
//!
//! conformance::check(Memory::new, |store| store);
//! ```

use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    Append, ClusterId, Entry, HardState, Incarnation, LogIndex, LogPosition, Membership, NodeId,
    PartialSnapshot, Payload, SnapshotMeta, Term, Write,
};

use super::{Identity, Store, StoreError};

/// Runs the whole suite. `fresh` makes an empty store that nobody used; `reopen` closes one and opens it again (a store
/// that cannot be opened again answers the same one).
///
/// # Panics
/// When the store does not do what it must, with what was expected.
pub fn check<S: Store>(fresh: impl Fn() -> S, reopen: impl Fn(S) -> S) {
    let cases: [Case<S>; 8] = [
        nothing_is_loaded_from_an_empty_store,
        a_store_belongs_to_one_node,
        writes_add_up,
        truncation_makes_room,
        entries_are_read_back_within_limits,
        a_taken_snapshot_counts_and_compacts,
        a_staged_snapshot_is_installed,
        old_snapshots_go,
    ];
    for case in cases {
        case(fresh(), &reopen);
    }
}

type Reopen<'a, S> = &'a dyn Fn(S) -> S;
type Case<S> = fn(S, Reopen<'_, S>);

fn position(term: u64, index: u64) -> LogPosition {
    LogPosition::new(Term(term), LogIndex(index))
}

fn entry(term: u64, data: &'static [u8]) -> Entry {
    Entry { term: Term(term), payload: Payload::command(Bytes::from_static(data)) }
}

fn members() -> Arc<Membership> {
    Arc::new(Membership::of_voters([NodeId(1), NodeId(2)]).expect("two voters"))
}

fn meta(term: u64, index: u64) -> SnapshotMeta {
    SnapshotMeta { position: position(term, index), membership: members() }
}

fn hard_state(term: u64) -> HardState {
    HardState { term: Term(term), vote: Some(NodeId(2)), incarnation: Incarnation(3) }
}

fn appending(first: u64, entries: impl IntoIterator<Item = Entry>) -> Write {
    let append = Append { first: LogIndex(first), entries: entries.into_iter().collect() };
    Write { append: Some(append), ..Write::default() }
}

/// A store with a founding snapshot, a hard state and five entries.
fn founded<S: Store>(store: &S) {
    let founding = Write { install: Some(meta(0, 0)), ..Write::default() };
    store.write(&founding).expect("the founding write");
    let entries = [entry(1, b"a"), entry(1, b"b"), entry(2, b"c"), entry(2, b"d"), entry(2, b"e")];
    let write = Write { hard_state: Some(hard_state(2)), ..appending(1, entries) };
    store.write(&write).expect("a hard state and entries");
}

fn nothing_is_loaded_from_an_empty_store<S: Store>(store: S, reopen: Reopen<'_, S>) {
    assert_eq!(store.load().expect("loads"), None, "an empty store holds nothing");
    assert_eq!(reopen(store).load().expect("loads"), None, "nor after it was opened again");
}

fn a_store_belongs_to_one_node<S: Store>(store: S, reopen: Reopen<'_, S>) {
    let mine = Identity { cluster: ClusterId(7), node: NodeId(1) };
    store.claim(mine).expect("an empty store is anybody's");
    let store = reopen(store);
    store.claim(mine).expect("it is still mine");
    for other in [Identity { node: NodeId(2), ..mine }, Identity { cluster: ClusterId(8), ..mine }]
    {
        let refused = store.claim(other);
        let expected = matches!(
            refused,
            Err(StoreError::Identity { found, expected }) if found == mine && expected == other
        );
        assert!(expected, "{other} must be refused the store of {mine}, not: {refused:?}");
    }
}

fn writes_add_up<S: Store>(store: S, reopen: Reopen<'_, S>) {
    founded(&store);
    let write = Write { commit: Some(LogIndex(4)), ..appending(6, [entry(3, b"f")]) };
    store.write(&write).expect("follows");
    let later = Write { hard_state: Some(hard_state(3)), ..Write::default() };
    store.write(&later).expect("a hard state alone");
    let restored = reopen(store).load().expect("loads").expect("something was written");
    assert_eq!(restored.hard_state, hard_state(3), "the last hard state");
    assert_eq!(restored.snapshot, meta(0, 0), "the founding snapshot names the members");
    assert_eq!(restored.log.last(), position(3, 6), "the last entry");
    assert_eq!(restored.commit, LogIndex(4), "the last commit hint");
    assert_eq!(restored.partial, None, "nothing is staged");
}

fn truncation_makes_room<S: Store>(store: S, reopen: Reopen<'_, S>) {
    founded(&store);
    let write = Write { truncate_from: Some(LogIndex(3)), ..appending(3, [entry(4, b"x")]) };
    store.write(&write).expect("replaces the tail");
    let beyond = Write { truncate_from: Some(LogIndex(9)), ..Write::default() };
    store.write(&beyond).expect("what is not there need not be removed");
    let hole = store.write(&appending(6, [entry(4, b"y")]));
    assert!(hole.is_err(), "i6 does not follow i3 and must be refused");
    let store = reopen(store);
    let restored = store.load().expect("loads").expect("something was written");
    assert_eq!(restored.log.last(), position(4, 3), "the tail was replaced");
    let read = store.entries(LogIndex(1), LogIndex(3), u64::MAX).expect("they are there");
    assert_eq!(read, [entry(1, b"a"), entry(1, b"b"), entry(4, b"x")]);
}

fn entries_are_read_back_within_limits<S: Store>(store: S, reopen: Reopen<'_, S>) {
    founded(&store);
    let store = reopen(store);
    let read = |first, last, bytes| store.entries(LogIndex(first), LogIndex(last), bytes);
    let two = entry(1, b"a").size() + entry(1, b"b").size();
    assert_eq!(read(1, 5, two).expect("there").len(), 2, "as many as fit");
    assert_eq!(read(1, 5, 0).expect("there").len(), 1, "one at least");
    assert_eq!(read(2, 3, u64::MAX).expect("there"), [entry(1, b"b"), entry(2, b"c")]);
    assert_eq!(read(4, 9, u64::MAX).expect("there").len(), 2, "as many as there are");
    assert!(read(6, 9, u64::MAX).is_err(), "there is no i6");
    assert!(read(0, 1, u64::MAX).is_err(), "there is no i0");
}

fn bytes_of<S: Store>(store: &S, at: LogPosition, step: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let (total, data) = store
            .chunk(at, bytes.len() as u64, step)
            .expect("can be read")
            .unwrap_or_else(|| panic!("the snapshot at {at} is gone"));
        assert!(data.len() as u64 <= step, "no more than was asked for");
        bytes.extend_from_slice(&data);
        if bytes.len() as u64 == total {
            return bytes;
        }
        assert!(!data.is_empty(), "one byte at least, before the end");
    }
}

fn a_taken_snapshot_counts_and_compacts<S: Store>(store: S, reopen: Reopen<'_, S>) {
    founded(&store);
    let state: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    store.save(&meta(2, 4), &state).expect("is stored");
    let compact = Write { compact: Some(position(1, 2)), ..Write::default() };
    store.write(&compact).expect("the log is compacted");
    let store = reopen(store);
    let restored = store.load().expect("loads").expect("something was written");
    assert_eq!(restored.snapshot, meta(2, 4), "the last snapshot counts");
    assert_eq!(restored.log.base(), position(1, 2), "the log begins after what was compacted");
    assert_eq!(restored.log.last(), position(2, 5), "and ends where it did");
    assert!(store.entries(LogIndex(2), LogIndex(5), u64::MAX).is_err(), "i2 was compacted");
    assert_eq!(bytes_of(&store, position(2, 4), 700_000), state, "the snapshot's bytes");
    let whole = store.snapshot(position(2, 4)).expect("can be read");
    assert_eq!(whole.as_deref(), Some(state.as_slice()), "the snapshot as a whole");
    assert_eq!(store.snapshot(position(2, 3)).expect("can be read"), None, "there is no other");
    store.save(&meta(2, 5), &[]).expect("an empty state is one");
    assert_eq!(store.snapshot(position(2, 5)).expect("can be read"), Some(Bytes::new()));
}

fn partial(received: u64) -> PartialSnapshot {
    PartialSnapshot { source: NodeId(2), snapshot: meta(3, 9), total: 6, received }
}

fn a_staged_snapshot_is_installed<S: Store>(store: S, reopen: Reopen<'_, S>) {
    founded(&store);
    store.stage(&partial(2), 0, b"??").expect("is staged");
    store.unstage().expect("is dropped");
    store.stage(&partial(3), 0, b"xyz").expect("is staged");
    store.stage(&partial(4), 0, b"abcd").expect("begins anew");
    let hole = store.stage(&partial(6), 5, b"f");
    assert!(hole.is_err(), "the byte at 4 is missing");
    let early = Write { install: Some(meta(3, 9)), ..Write::default() };
    let refused = store.write(&early);
    assert!(refused.is_err(), "two bytes of the snapshot are missing");
    let store = reopen(store);
    let restored = store.load().expect("loads").expect("something was written");
    assert_eq!(restored.snapshot, meta(0, 0), "nothing was installed");
    assert_eq!(restored.partial, Some(partial(4)), "what is staged is still staged");
    store.stage(&partial(6), 4, b"ef").expect("goes on");
    let install = Write {
        hard_state: Some(hard_state(3)),
        install: Some(meta(3, 9)),
        truncate_from: Some(LogIndex(1)),
        ..appending(10, [entry(3, b"next")])
    };
    store.write(&install).expect("is installed");
    let store = reopen(store);
    let restored = store.load().expect("loads").expect("something was written");
    assert_eq!(restored.snapshot, meta(3, 9), "the installed snapshot counts");
    assert_eq!(restored.partial, None, "nothing is staged any more");
    assert_eq!(restored.log.base(), position(3, 9), "the log begins after it");
    assert_eq!(restored.log.last(), position(3, 10), "with what was appended");
    assert_eq!(bytes_of(&store, position(3, 9), 4), b"abcdef");
}

fn old_snapshots_go<S: Store>(store: S, reopen: Reopen<'_, S>) {
    founded(&store);
    store.save(&meta(1, 2), b"two").expect("is stored");
    store.save(&meta(2, 4), b"four").expect("is stored");
    store.delete_before(position(1, 2)).expect("the founding one goes");
    assert!(store.snapshot(position(0, 0)).expect("can be read").is_none());
    assert!(store.snapshot(position(1, 2)).expect("can be read").is_some(), "i2 was not before i2");
    store.delete_before(position(9, 9)).expect("all but the last go");
    let store = reopen(store);
    assert!(store.snapshot(position(1, 2)).expect("can be read").is_none());
    let last = store.snapshot(position(2, 4)).expect("can be read");
    assert_eq!(last.as_deref(), Some(b"four".as_slice()), "the one that counts stays");
}
