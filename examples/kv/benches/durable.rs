//! How fast durable writes are, against what the disk allows: `cargo bench -p kv`.
//!
//! Three `kv` servers, each a process with a disk file of its own, and clients over loopback, with 64 connections and with
//! one. Against them, in the same run and in turns: the same clients, frames and threads with nothing but group
//! commit behind them (each batch is appended to three files by three threads, and answered when two of them have synced
//! it). And for one client: how long two such syncs in parallel and one round trip take.
//!
//! What is printed are ratios of medians over the rounds; the machine's noise is in both sides.

#[path = "durable/baseline.rs"]
mod baseline;
#[path = "durable/cluster.rs"]
mod cluster;
#[path = "durable/load.rs"]
mod load;

use std::time::Duration;

use load::Figures;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const CLIENTS: usize = 64;

fn main() {
    // `cargo test --benches` runs this as well, to see that it works.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, round) = if is_test { (1, Duration::from_millis(200)) } else { (ROUNDS, ROUND) };
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(measure(rounds, round));
}

async fn measure(rounds: usize, round: Duration) {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = cluster::Cluster::start(folder.path()).await;
    let baseline = baseline::Baseline::start(folder.path()).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut our_one, mut their_one) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(load::against_baseline(&baseline, CLIENTS, round).await);
        ours.push(load::against_cluster(&cluster, CLIENTS, round).await);
        their_one.push(load::against_baseline(&baseline, 1, round).await);
        our_one.push(load::against_cluster(&cluster, 1, round).await);
    }
    let rate = |figures: &[Figures]| median(figures.iter().map(|it| it.per_second).collect());
    let latency = |figures: &[Figures]| median(figures.iter().map(|it| it.median_micros).collect());
    let (ours, theirs) = (rate(&ours), rate(&theirs));
    println!(
        "{CLIENTS} clients: {ours:.0} writes a second; group commit alone: {theirs:.0}; ratio {:.2}",
        ours / theirs
    );
    let (ours, theirs) = (latency(&our_one), latency(&their_one));
    println!(
        "one client: {ours:.0} us a write; two syncs in parallel and a round trip: {theirs:.0} us; ratio {:.2}",
        ours / theirs
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
