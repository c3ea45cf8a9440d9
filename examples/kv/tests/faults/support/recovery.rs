//! How long it takes until service is back.
//!
//! What is measured: from the moment when all processes run and all links are open, until a client has the answer to
//! a write that it began after that. A fresh client begins every few milliseconds, at one node after the other, so
//! that the patience of clients is not measured. It includes the start of processes that were killed.
//!
//! What is expected: five election timeouts, as they are configured. Each is drawn up to twice as long, and votes are split
//! now and then, so one time in twenty may be longer, but none than five of the longest.

use std::time::Duration;

use kv::client::Client;
use kv::protocol::Freshness;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::cluster::{Cluster, ELECTION, LONGEST_ELECTION};

/// Service must be back after so many election timeouts.
const ELECTIONS: u32 = 5;
/// But for one time in so many, and one in every run.
const EXCEPTIONS: usize = 20;
/// After so long it will not come back at all.
const NEVER: Duration = Duration::from_secs(20);
/// So often a client begins.
const PAUSE: Duration = Duration::from_millis(20);

/// How long it may take as a rule.
pub(crate) fn expected() -> Duration {
    ELECTION * ELECTIONS
}

/// How long it may take at all.
pub(crate) fn limit() -> Duration {
    LONGEST_ELECTION * ELECTIONS
}

/// What is wrong when these are too often longer than expected.
pub(crate) fn judge(times: &[Duration]) -> Option<String> {
    let longer = times.iter().filter(|time| **time > expected()).count();
    (longer > 1 + times.len() / EXCEPTIONS).then(|| {
        format!(
            "service was back after more than {ELECTIONS} election timeouts {longer} times of {}",
            times.len()
        )
    })
}

/// A time in election timeouts: how many times the least, which is the one that is configured.
pub(crate) fn in_elections(time: Duration) -> f64 {
    time.as_secs_f64() / ELECTION.as_secs_f64()
}

/// Waits until a write succeeds: how long it took, or `None` when none did.
pub(crate) async fn of_writes(cluster: &Cluster) -> Option<Duration> {
    let began = Instant::now();
    let mut attempts = JoinSet::new();
    for nth in 0_u32.. {
        let id = cluster.nodes()[nth as usize % cluster.nodes().len()];
        let options = cluster.options_at(id, Duration::from_secs(1));
        attempts.spawn(async move { Client::new(options).put("probe", nth.to_string()).await });
        let next = began + PAUSE * (nth + 1);
        while let Ok(Some(ended)) = timeout_at(next, attempts.join_next()).await {
            if ended.expect("clients do not panic").is_ok() {
                return Some(began.elapsed());
            }
        }
        sleep_until(next).await;
        if began.elapsed() > NEVER {
            break;
        }
    }
    None
}

/// Waits until every node answers a linearizable read; says which do not.
pub(crate) async fn of_every_node(cluster: &Cluster) -> Vec<String> {
    let mut attempts = JoinSet::new();
    for id in cluster.nodes() {
        let options = cluster.options_at(id, NEVER);
        attempts.spawn(async move {
            let read = Client::new(options).get("probe", Freshness::Linearizable).await;
            read.err().map(|error| format!("node {} does not serve again: {error}", id.0))
        });
    }
    attempts.join_all().await.into_iter().flatten().collect()
}
