//! A disk that becomes full.

use std::time::Duration;

use kv::client::Client;
use kv::machine::Change;
use kv::protocol::Freshness;
use raft_core::NodeId;
use tokio::time::{Instant, sleep};

use super::cluster::Cluster;

/// So much room there is left.
const ROOM: u64 = 64 * 1024;
/// So much is written at a time. It stays there until the disk is full: what was freed in the file is used up first.
const VALUE_BYTES: usize = 128 * 1024;
/// The keys that are written begin with this.
const FILLER: &str = "filler-";
/// The disk is full before that.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a node again on a disk with little room, and writes to the cluster until the node ends. The node is expected
/// to end by itself, with a failure that says why. Answers its last words.
///
/// # Errors
/// When it does not end, or not as it should.
pub(crate) async fn fill(cluster: &mut Cluster, id: NodeId) -> Result<String, String> {
    cluster.kill(&[id]);
    let room = cluster.store_bytes(id) + ROOM;
    cluster.begin_with(id, &format!("full-at={room}"));
    cluster.expect_end(id);
    let began = Instant::now();
    let mut client = Client::new(cluster.client_options(Duration::from_secs(1)));
    for nth in 0_usize.. {
        if let Some(status) = cluster.process(id).ended() {
            let (log, words) = (cluster.process(id).logged(), cluster.process(id).last_words());
            return if status.code() == Some(1) && log.contains("the disk is full") {
                Ok(words)
            } else {
                Err(format!("node {} ended on a full disk with {status}:\n{words}", id.0))
            };
        }
        if began.elapsed() > PATIENCE {
            let there = cluster.store_bytes(id);
            return Err(format!(
                "node {} did not end on a disk of {room} bytes; its store has {there}",
                id.0
            ));
        }
        // Whether it is done does not matter here: the others are watched elsewhere.
        let value = vec![u8::try_from(nth % 251).expect("below 251"); VALUE_BYTES];
        if client.put(format!("{FILLER}{nth}"), value).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    }
    unreachable!("it gives up before that")
}

/// Removes what was written to fill disks.
pub(crate) async fn make_room(cluster: &Cluster) {
    const PAGE: u64 = 16;
    let mut client = Client::new(cluster.client_options(Duration::from_secs(3)));
    let after = FILLER.replace('-', ".");
    // What is left there does no harm.
    while let Ok(pairs) =
        client.scan(FILLER, Some(after.clone().into()), PAGE, Freshness::Linearizable).await
    {
        let gone = pairs.into_iter().map(|(key, _)| Change::Delete { key }).collect::<Vec<_>>();
        if gone.is_empty() || client.batch(gone).await.is_err() {
            break;
        }
    }
}
