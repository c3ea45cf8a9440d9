//! A campaign: a cluster, clients, and a nemesis, for some time; then the verdict.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::cluster::{Cluster, Shape};
use super::dice::Dice;
use super::faults::{Deed, Fault, Leaves};
use super::nemesis::{Nemesis, Round};
use super::recorder::Recorder;
use super::recovery;
use super::report::Report;
use super::verdict;
use super::workload::{PAUSE, Workload};

/// One cluster at a time: times are measured.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// Puts a cluster through faults for some time, and through one round at least.
pub(crate) async fn run(shape: Shape, seed: u64, time: Duration) -> Report {
    println!("{} nodes: KV_FAULTS_SEED={seed} draws the same faults", shape.nodes);
    let mut cluster = Cluster::start(shape.clone()).await;
    let mut problems = Vec::new();
    if recovery::of_writes(&cluster).await.is_none() {
        problems.push("the cluster does not begin to serve".to_owned());
    }
    let recorder = Arc::new(Recorder::new());
    let workload = Workload::start(&cluster, &recorder, seed, PAUSE);
    let mut nemesis = Nemesis::new(seed);
    let began = Instant::now();
    let mut rounds = Vec::new();
    while problems.is_empty() && (began.elapsed() < time || rounds.is_empty()) {
        let at = began.elapsed();
        let round = nemesis.round(&mut cluster).await;
        println!("{:>7.1} s  {}", at.as_secs_f64(), told(&round));
        problems.extend(round.problems.iter().cloned());
        rounds.push(round);
    }
    workload.stop().await;
    let times = rounds.iter().flat_map(|round| [round.failover, round.recovery]);
    problems.extend(recovery::judge(&times.flatten().collect::<Vec<_>>()));
    problems.extend(recovery::of_every_node(&cluster).await);
    problems.extend(verdict::of(&cluster, &recorder).await);
    problems.extend(cluster.dead());
    Outcome { shape, seed, time: began.elapsed(), rounds, problems }.report(cluster, &recorder)
}

/// What a campaign came to, but for what the cluster and the clients know.
struct Outcome {
    shape: Shape,
    seed: u64,
    time: Duration,
    rounds: Vec<Round>,
    problems: Vec<String>,
}

impl Outcome {
    fn report(self, cluster: Cluster, recorder: &Recorder) -> Report {
        let Self { shape, seed, time, rounds, mut problems } = self;
        let counts = recorder.noted().counts.clone();
        let compactions = cluster.logged("Compacted {");
        let installations = cluster.logged("SnapshotInstalled {");
        let Shape { nodes, fault, .. } = shape;
        if !problems.is_empty() && fault == Shape::SOUND {
            problems.push(format!("the stores and logs are kept in {}", cluster.keep().display()));
        }
        Report { nodes, fault, seed, time, rounds, counts, compactions, installations, problems }
    }
}

fn told(round: &Round) -> String {
    let faults: Vec<String> = round.faults.iter().map(Fault::text).collect();
    let after = |what: &str, time: Option<Duration>| {
        time.map(|time| format!("; {what} after {:.1} E", recovery::in_elections(time)))
    };
    let failover = after("served in spite of it", round.failover).unwrap_or_default();
    let recovery = after("healed, served", round.recovery);
    let recovery = recovery.unwrap_or("; healed, NOT SERVED".to_owned());
    format!("{}{failover}{recovery}", faults.join(", and "))
}

/// Kills all nodes of a cluster at once, again and again, until something is not as it should be.
pub(crate) async fn until_caught(shape: Shape, seed: u64, rounds: u32) -> Report {
    let mut cluster = Cluster::start(shape.clone()).await;
    let began = Instant::now();
    let recorder = Arc::new(Recorder::new());
    let mut dice = Dice::new(seed, 0);
    let mut done = Vec::new();
    let mut problems = Vec::new();
    while problems.is_empty() && done.len() < rounds as usize {
        if recovery::of_writes(&cluster).await.is_none() {
            problems.push("no write succeeds any more".to_owned());
            break;
        }
        // Without pauses, so that there is always something that was acknowledged just now.
        let seed = seed + done.len() as u64;
        let workload = Workload::start(&cluster, &recorder, seed, Duration::ZERO);
        tokio::time::sleep(dice.time(Duration::from_millis(500), Duration::from_secs(1))).await;
        let deed = Deed::Kill(cluster.nodes());
        let fault = Fault { kind: "all killed at once", deed, leaves: Leaves::Nothing };
        problems.extend(fault.inflict(&mut cluster).await.err());
        cluster.heal();
        let recovery = recovery::of_writes(&cluster).await;
        if recovery.is_none() {
            problems.push("no write succeeds any more".to_owned());
        }
        workload.stop().await;
        problems.extend(cluster.dead());
        problems.extend(verdict::of(&cluster, &recorder).await);
        done.push(Round { faults: vec![fault], failover: None, recovery, problems: Vec::new() });
    }
    let (time, rounds) = (began.elapsed(), done);
    Outcome { shape, seed, time, rounds, problems }.report(cluster, &recorder)
}
