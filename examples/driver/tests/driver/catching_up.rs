//! A node that is far behind comes up to the others while they go on. What it needs after the snapshot that it is sent
//! must still be in the leader's log when it has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use driver::Handle;
use driver::machine::{Image, Machine};
use driver::runtime::{self, Founding, Functions, Options, Running};
use driver::store::{Memory, Store};
use driver::transport::Hub;
use raft_core::{LogPosition, NodeId, PeerFlow};
use tokio::task::JoinSet;

use crate::support;

/// A snapshot is taken after so many entries. While one is sent there are about twice as many more.
const ENTRIES: u64 = 500;

/// A state of many chunks that nothing changes: it takes as long to send at any time.
#[derive(Clone)]
struct Large;

impl Machine for Large {
    fn apply(&mut self, _: LogPosition, _: &Bytes) -> Bytes {
        Bytes::new()
    }

    fn image(&self) -> Image {
        Box::new(|| Bytes::from(vec![7; 150_000]))
    }

    fn restore(&mut self, _: &Bytes) -> Result<(), String> {
        Ok(())
    }
}

struct Node {
    hub: Hub,
    options: Options,
    store: Arc<dyn Store>,
    running: Option<(Handle<Large>, Running)>,
}

impl Node {
    fn begin(&mut self) {
        let begun =
            runtime::start(self.options.clone(), &self.store, Large, Functions::new(), &self.hub);
        self.running = Some(begun.expect("starts"));
    }

    fn handle(&self) -> Handle<Large> {
        self.running.as_ref().expect("it runs").0.clone()
    }
}

async fn three() -> Vec<Node> {
    let mut nodes = Vec::new();
    for id in 1..=3 {
        let (hub, mut options) = support::options(id, 3).await;
        options.snapshots.entries = ENTRIES;
        nodes.push(Node { hub, options, store: Arc::new(Memory::new()), running: None });
    }
    let founders: BTreeMap<NodeId, String> =
        nodes.iter().map(|node| (node.options.settings.id, node.options.address.clone())).collect();
    for node in &mut nodes {
        node.options.founding = Founding::Found(founders.clone());
        node.begin();
    }
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_comes_up_while_the_others_go_on() {
    let mut nodes = three().await;
    let leader = support::eventually("a leader", || async {
        let status = nodes[0].handle().status().await.ok()?;
        status.leader
    })
    .await;
    let at_leader = |node: &Node| node.options.settings.id == leader;
    let behind = nodes.iter().position(|node| !at_leader(node)).expect("three nodes");
    let handle = nodes.iter().find(|node| at_leader(node)).expect("it leads").handle();
    nodes[behind].handle().stop().await;
    // More than the log keeps, as long as the test takes.
    let is_over = Arc::new(AtomicBool::new(false));
    let mut others = JoinSet::new();
    for _ in 0..16 {
        let (handle, is_over) = (handle.clone(), is_over.clone());
        others.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                handle.append("x").await.expect("the leader goes on");
            }
        });
    }
    support::eventually("the log is compacted", || async {
        let status = handle.status().await.ok()?;
        (status.base.index.0 > 2 * ENTRIES).then_some(())
    })
    .await;
    nodes[behind].begin();
    let late = nodes[behind].options.settings.id;
    support::eventually("it is sent entries, and no snapshots any more", || async {
        let status = handle.status().await.ok()?;
        let peer = status.peers.iter().find(|peer| peer.id == late)?;
        (peer.flow == PeerFlow::Stream).then_some(())
    })
    .await;
    is_over.store(true, Ordering::Relaxed);
    others.join_all().await;
}
