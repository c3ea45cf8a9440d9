//! Ease of use: `cargo run -p raft-driver --example append`.
//!
//! Three nodes in one process, over one listener. Anything is appended at any node and told when it is committed; a
//! function runs at the leader, wherever it is called; what is committed and what happens can be listened to; nodes send
//! each other messages of the application's own. The state machine is a list of words.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use driver::clock::ticks;
use driver::machine::{Image, Machine};
use driver::replica::SnapshotPolicy;
use driver::runtime::{self, Founding, Functions, Options};
use driver::store::{Memory, Store};
use driver::transport::{Hub, Limits};
use driver::{Handle, To};
use raft_core::{ClusterId, LogPosition, NodeId, Settings};

/// The machine: words, in the order of the log.
#[derive(Clone, Debug, Default)]
struct Words(Vec<Bytes>);

impl Machine for Words {
    fn apply(&mut self, _: LogPosition, command: &Bytes) -> Bytes {
        self.0.push(command.clone());
        format!("word {}", self.0.len()).into()
    }

    fn image(&self) -> Image {
        let words = self.0.clone();
        Box::new(move || postcard::to_stdvec(&words).expect("words have bytes").into())
    }

    fn restore(&mut self, state: &Bytes) -> Result<(), String> {
        self.0 = postcard::from_bytes(state).map_err(|error| error.to_string())?;
        Ok(())
    }
}

fn start(id: u64, hub: &Hub) -> Result<Handle<Words>, Box<dyn Error>> {
    let address = hub.address().to_string();
    let founders: BTreeMap<_, _> = (1..=3).map(|id| (NodeId(id), address.clone())).collect();
    let options = Options {
        settings: Settings {
            election_timeout: ticks(Duration::from_millis(300)),
            heartbeat_interval: ticks(Duration::from_millis(50)),
            request_timeout: ticks(Duration::from_secs(5)),
            ..Settings::new(ClusterId(1), NodeId(id))
        },
        founding: Founding::Found(founders),
        address,
        routes: BTreeMap::new(),
        snapshots: SnapshotPolicy::default(),
        record: None,
    };
    // Runs at the leader, with the leader's own handle.
    let functions =
        Functions::new().with("shout", |leader: Handle<Words>, word: Bytes| async move {
            let loud = String::from_utf8_lossy(&word).to_uppercase();
            let appended = leader.append(loud).await.map_err(|error| error.to_string())?;
            Ok(format!("appended at {} by node {}", appended.position, leader.id().0).into())
        });
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let (handle, _) = runtime::start(options, &store, Words::default(), functions, hub)?;
    Ok(handle)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::bind("127.0.0.1:0".parse()?, None, Limits::default()).await?;
    let nodes = [start(1, &hub)?, start(2, &hub)?, start(3, &hub)?];
    let (mut committed, mut messages) = (nodes[2].committed(), nodes[1].messages());

    // Refused until somebody leads: appended again then.
    let word = loop {
        match nodes[0].append_within("hello", Duration::from_secs(5)).await {
            Ok(appended) => break appended,
            Err(error) => println!("not yet: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    println!("node 1 appended at {}: {:?}", word.position, word.output);
    let (position, command) = committed.recv().await?;
    println!("node 3 saw {command:?} committed at {position}");

    let answer = nodes[1].dispatch("shout", "hello", Duration::from_secs(5)).await?;
    println!("the leader says: {answer:?}");

    nodes[0].send(To::All, "the application's own").await?;
    let (from, message) = messages.recv().await?;
    println!("node 2 was sent {message:?} by node {}", from.0);

    for node in &nodes {
        let words = node.read(|words| words.0.clone()).await?;
        let status = node.status().await?;
        println!("node {} holds {words:?} ({status})", node.id().0);
    }
    for node in &nodes {
        node.stop().await;
    }
    Ok(())
}
