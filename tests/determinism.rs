//! A seed is a run, and the same run everywhere.
//!
//! `determinism.txt` holds the digests of fifty seeds. They must come out the same in debug and release
//! builds, on any number of threads, in any order, on 32 and 64 bits and on every system: the table is
//! compared wherever this test runs. Whoever changes what happens in runs on purpose writes it anew:
//! `UPDATE_DIGESTS=1 cargo test --release --test determinism`.

use std::fmt::Write;
use std::thread;

use raft_core::Node;
use raft_sim::kv::Kv;
use raft_sim::plan::{Plan, Profile};
use raft_sim::world;

const TABLE: &str = include_str!("determinism.txt");
const TABLE_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/determinism.txt");
const SEEDS: u64 = 50;

fn digest(seed: u64) -> u64 {
    world::run::<Node, Kv>(&Plan::generate(seed, Profile::Default)).digest
}

fn table(digests: &[u64]) -> String {
    let mut text = String::new();
    for (seed, digest) in digests.iter().enumerate() {
        writeln!(text, "{seed:>2} {digest:016x}").expect("a string takes any text");
    }
    text
}

/// Every seed of the table has the digest that it has on every other machine.
#[test]
fn fifty_seeds_have_their_committed_digests() {
    let found = table(&(0..SEEDS).map(digest).collect::<Vec<_>>());
    if std::env::var_os("UPDATE_DIGESTS").is_some() {
        std::fs::write(TABLE_PATH, &found).expect("the table can be written");
        return;
    }
    let differing = found.lines().zip(TABLE.lines()).find(|(found, listed)| found != listed);
    assert_eq!(
        differing, None,
        "a run differs (found, listed); if that is meant, see the head of this file"
    );
    assert_eq!(found.lines().count(), TABLE.lines().count(), "the table lists other seeds");
}

/// Neither the order of runs, nor running one twice, nor other threads change a run.
#[test]
fn order_and_threads_change_nothing() {
    let listed: Vec<u64> = (0..12).map(digest).collect();
    let backwards: Vec<u64> = (0..12).rev().map(digest).collect();
    assert!(listed.iter().eq(backwards.iter().rev()));
    let workers: Vec<_> = (0..12).map(|seed| thread::spawn(move || digest(seed))).collect();
    for (worker, expected) in workers.into_iter().zip(listed) {
        assert_eq!(worker.join().expect("the run does not panic"), expected);
    }
}
