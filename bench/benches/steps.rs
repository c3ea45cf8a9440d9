//! The time of each single step (`src/steps.rs`).

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use raft_bench::steps::ALL;

#[expect(clippy::disallowed_methods, reason = "this is what is measured")]
fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("steps");
    for step in ALL {
        group.bench_function(BenchmarkId::from_parameter(step.name), |bencher| {
            bencher.iter_custom(|count| {
                let mut prepared = step.prepare();
                let began = Instant::now();
                prepared.repeat(count);
                began.elapsed()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
