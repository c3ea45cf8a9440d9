//! How long a write of the log takes in each store, against a record appended to a plain file and synced:
//! `cargo bench -p raft-driver`. Medians, in turns.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use driver::store::{Database, Journaled, Store};
use raft_core::{Append, Entry, HardState, Incarnation, LogIndex, Payload, Term, Write};

/// Writes for each median.
const WRITES: usize = 300;
const COMMAND_BYTES: usize = 130;

fn main() {
    // `cargo test --benches` runs this as well, to see that it works.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let writes = if is_test { 3 } else { WRITES };
    let folder = tempfile::tempdir().expect("a folder");
    let journaled = Journaled::open(&folder.path().join("journaled")).expect("opens");
    let database = Database::open(&folder.path().join("database.redb")).expect("opens");
    let mut file = File::create(folder.path().join("plain")).expect("opens");
    let mut next = [1, 1];
    println!("entries  plain file  journaled  ratio  database alone  ratio");
    for entries in [1, 8, 64] {
        let plain = median(writes, |_| {
            let bytes = vec![7; entries * (COMMAND_BYTES + 8)];
            file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the disk works");
        });
        let ours = median(writes, |_| write(&journaled, &mut next[0], entries));
        let alone = median(writes, |_| write(&database, &mut next[1], entries));
        let ratio = |time: Duration| time.as_secs_f64() / plain.as_secs_f64();
        println!(
            "{entries:>7}  {plain:>10.0?}  {ours:>9.0?}  {:>5.2}  {alone:>14.0?}  {:>5.2}",
            ratio(ours),
            ratio(alone)
        );
    }
}

fn write(store: &impl Store, next: &mut u64, entries: usize) {
    let payload = Payload::command(vec![7; COMMAND_BYTES]);
    let entry = Entry { term: Term(1), payload };
    let first = LogIndex(*next);
    let hard_state = HardState { term: Term(1), vote: None, incarnation: Incarnation(1) };
    let write = Write {
        hard_state: (*next == 1).then_some(hard_state),
        append: Some(Append { first, entries: vec![entry; entries].into_iter().collect() }),
        commit: Some(first.previous()),
        ..Write::default()
    };
    store.write(&write).expect("the disk works");
    *next += entries as u64;
}

fn median(count: usize, mut work: impl FnMut(usize)) -> Duration {
    let mut times: Vec<Duration> = (0..count)
        .map(|nth| {
            let began = Instant::now();
            work(nth);
            began.elapsed()
        })
        .collect();
    times.sort();
    times[count / 2]
}
