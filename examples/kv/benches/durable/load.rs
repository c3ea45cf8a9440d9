//! Clients that write, one after the other on each connection.

use std::time::{Duration, Instant};

use kv::client::Client;
use tokio::task::JoinSet;

use super::baseline::{Baseline, Caller};
use super::cluster::Cluster;

/// Bytes of a value.
const VALUE: usize = 100;

/// What a round gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) median_micros: f64,
}

pub(crate) async fn against_cluster(cluster: &Cluster, clients: usize, round: Duration) -> Figures {
    let mut tasks = JoinSet::new();
    for nth in 0..clients {
        let mut client = Client::new(cluster.options());
        // The session is open, and the leader found, before the clock starts.
        client.put(format!("k{nth}"), "first").await.expect("it is written");
        tasks.spawn(async move {
            let (began, mut took) = (Instant::now(), Vec::new());
            while began.elapsed() < round {
                let asked = Instant::now();
                client.put(format!("k{nth}"), vec![7; VALUE]).await.expect("it is written");
                took.push(asked.elapsed());
            }
            took
        });
    }
    figures(tasks, round).await
}

pub(crate) async fn against_baseline(
    baseline: &Baseline,
    clients: usize,
    round: Duration,
) -> Figures {
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let mut caller = Caller::new(baseline.address()).await;
        caller.write(vec![7; VALUE]).await;
        tasks.spawn(async move {
            let (began, mut took) = (Instant::now(), Vec::new());
            while began.elapsed() < round {
                let asked = Instant::now();
                caller.write(vec![7; VALUE]).await;
                took.push(asked.elapsed());
            }
            took
        });
    }
    figures(tasks, round).await
}

async fn figures(mut tasks: JoinSet<Vec<Duration>>, round: Duration) -> Figures {
    let mut all = Vec::new();
    while let Some(took) = tasks.join_next().await {
        all.extend(took.expect("no client panics"));
    }
    all.sort();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let per_second = all.len() as f64 / round.as_secs_f64();
    Figures { per_second, median_micros: all[all.len() / 2].as_secs_f64() * 1e6 }
}
