//! A node that comes back with a log of ten million entries: the summary that its driver makes while it reads the log, the
//! start, and the way of a machine that has to take all entries again. Reading and decoding are the driver's, and
//! not measured. Terms matter, since a run of entries of one term takes a few bytes: one term is usual, ten thousand are
//! many, and a term for each entry is the worst that can be.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use raft_bench::allocations::{ARE_COUNTED, counted};
use raft_core::{
    ClusterId, Effect, Effects, Entries, Entry, HardState, Incarnation, Input, Instant, LogIndex,
    LogPosition, LogSummary, Membership, Node, NodeId, Payload, Restored, Settings, SnapshotMeta,
    Term,
};

const ENTRIES: u64 = 10_000_000;
const TERMS: [u64; 3] = [1, 10_000, ENTRIES];

const NOW: Instant = Instant(1);

fn entry(term: Term) -> Entry {
    Entry { term, payload: Payload::command(&b"sixteen bytes..."[..]) }
}

/// What a driver keeps of a log when it has read it.
fn summary(terms: u64) -> LogSummary {
    let mut log = LogSummary::after(LogPosition::ZERO);
    for term in 1..=terms {
        let entry = entry(Term(term));
        for _ in 0..ENTRIES / terms {
            log.push(&entry).expect("terms rise");
        }
    }
    log
}

/// A disk with that log, all of which is committed, and a machine that has applied so much of it.
fn disk(log: LogSummary, applied: u64) -> Restored {
    let voters = [1, 2, 3].map(NodeId);
    let membership = Membership::of_voters(voters).expect("there are voters").into();
    let LogPosition { term, index } = log.last();
    Restored {
        hard_state: HardState { term, vote: None, incarnation: Incarnation(1) },
        snapshot: SnapshotMeta { position: LogPosition::ZERO, membership },
        log,
        commit: index,
        applied: LogIndex(applied),
        partial: None,
    }
}

/// Starts the node, until it waits for others.
fn start(disk: Restored, effects: &mut Effects) -> Node {
    let config = Settings::new(ClusterId(1), NodeId(1)).validate().expect("the usual settings");
    let mut node = Node::new(config, disk, Instant(0)).expect("the disk is sound");
    node.step(NOW, Input::Tick, effects);
    node
}

/// Carries out what the node asks for, and says how many entries its machine took. The store gives batches that
/// are there already.
fn replay(node: &mut Node, effects: &mut Effects) -> u64 {
    let mut batch = Entries::EMPTY;
    let mut taken = 0;
    while let Some(effect) = effects.pop() {
        let answer = match effect {
            Effect::Persist(persist) => Input::Persisted(persist.done()),
            Effect::Fetch(fetch) => {
                let wanted = fetch.last().entries_since(fetch.first().previous());
                if wanted != batch.len() as u64 {
                    batch = (0..wanted).map(|_| entry(Term(1))).collect();
                }
                Input::Fetched(fetch.done(batch.clone()))
            }
            Effect::Apply(apply) => {
                taken += apply.entries().filter(|entry| entry.command().is_some()).count() as u64;
                Input::Applied(apply.done())
            }
            _ => continue,
        };
        node.step(NOW, answer, effects);
    }
    taken
}

fn restart(criterion: &mut Criterion) {
    print_heap();
    let mut group = criterion.benchmark_group("restart");
    group.sample_size(10);
    for terms in TERMS {
        group.bench_function(BenchmarkId::new("summary", terms), |bencher| {
            bencher.iter_with_large_drop(|| summary(black_box(terms)));
        });
    }
    for terms in TERMS {
        let disk = disk(summary(terms), ENTRIES);
        let mut effects = Effects::new();
        group.bench_function(BenchmarkId::new("start", terms), |bencher| {
            let start = |disk| (start(disk, &mut effects), std::mem::take(&mut effects));
            bencher.iter_batched(|| disk.clone(), start, BatchSize::PerIteration);
        });
    }
    let disk = disk(summary(1), 0);
    group.bench_function("machine", |bencher| {
        let all = |disk| {
            let mut effects = Effects::new();
            let mut node = start(disk, &mut effects);
            assert_eq!(replay(&mut node, &mut effects), ENTRIES, "the machine takes all");
            node
        };
        bencher.iter_batched(|| disk.clone(), all, BatchSize::PerIteration);
    });
    group.finish();
}

/// What the node holds of the log, when that is counted.
fn print_heap() {
    if !ARE_COUNTED {
        return;
    }
    for terms in TERMS {
        let mut log = LogSummary::default();
        let heap = counted(|| log = summary(terms)).kept_bytes;
        println!("{ENTRIES} entries of {terms} terms: a summary of {heap} bytes on the heap");
        black_box(log);
    }
}

criterion_group!(benches, restart);
criterion_main!(benches);
