//! Whether a cluster suffers: writes must go on, no process may end, memory must not run away, and nothing may be said
//! at the level of errors.

use std::time::Duration;

use kv::client::Client;
use tokio::time::{Instant, sleep};

use super::cluster::Cluster;
use super::recovery;

/// A process may have so much more memory than it had before.
const MORE_BYTES: u64 = 96 * 1024 * 1024;
/// So often memory is looked at, and something is written.
const PAUSE: Duration = Duration::from_millis(20);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Writes that succeeded.
    pub(crate) writes: u64,
    /// The longest time without one.
    pub(crate) longest_pause: Duration,
    /// The most bytes by which a process grew.
    pub(crate) more_bytes: u64,
    /// What should not be.
    pub(crate) problems: Vec<String>,
}

/// Whether a cluster is to serve while it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// Writes go on.
    Serve,
    /// It is enough that nobody ends.
    Live,
}

/// Watches a cluster until a time.
pub(crate) async fn watch(cluster: &mut Cluster, must: Must, until: Instant) -> Seen {
    let mut seen = Seen::default();
    let before = resident_bytes(cluster);
    let options = cluster.client_options(recovery::limit());
    let mut client = Client::new(options.clone());
    let mut last = Instant::now();
    while Instant::now() < until {
        if must == Must::Serve {
            // Every other write is that of a client that has just come.
            if seen.writes.is_multiple_of(2) {
                client = Client::new(options.clone());
            }
            match client.put("watched", seen.writes.to_string()).await {
                Ok(()) => seen.writes += 1,
                Err(error) => seen.problems.push(format!("a write did not succeed: {error}")),
            }
            seen.longest_pause = seen.longest_pause.max(last.elapsed());
            last = Instant::now();
        }
        for (now, before) in resident_bytes(cluster).into_iter().zip(&before) {
            seen.more_bytes = seen.more_bytes.max(now.saturating_sub(*before));
        }
        sleep(PAUSE).await;
    }
    if seen.longest_pause > recovery::limit() {
        seen.problems.push(format!("nothing was written for {:?}", seen.longest_pause));
    }
    if seen.more_bytes > MORE_BYTES {
        seen.problems.push(format!(
            "a process grew by {} MiB, more than {}",
            seen.more_bytes >> 20,
            MORE_BYTES >> 20
        ));
    }
    seen.problems.extend(cluster.dead());
    for word in [" ERROR ", "panicked"] {
        let count = cluster.logged(word);
        if count > 0 {
            seen.problems.push(format!("'{}' is {count} times in the logs", word.trim()));
        }
    }
    seen
}

fn resident_bytes(cluster: &mut Cluster) -> Vec<u64> {
    let nodes = cluster.nodes();
    nodes.into_iter().map(|id| cluster.process(id).resident_bytes().unwrap_or(0)).collect()
}
