//! Real nodes over real sockets, in one process.

use std::time::Duration;

use driver::members::{self, Change};
use driver::store::Memory;
use driver::{DispatchError, Happened, RequestError, To};
use raft_core::{Event, NodeId, Role};

use crate::support::{self, Cluster, eventually};

const SHORT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_at_any_node_is_read_at_every_node() {
    let cluster = Cluster::start(3).await;
    cluster.leader().await;
    for (nth, node) in cluster.nodes.iter().enumerate() {
        let appended = node.handle.append_within(format!("w{nth}"), SHORT).await.expect("is done");
        // One's own write is there when the answer comes.
        let seen = node.handle.read_stale(move |words| words.at(appended.position)).await;
        assert_eq!(seen.expect("runs"), Some(format!("w{nth}")));
        assert_eq!(appended.output, format!("{}", nth + 1), "what the machine said");
    }
    for node in &cluster.nodes {
        let words = node.handle.read(support::Words::all).await.expect("a quorum is there");
        assert_eq!(words, ["w0", "w1", "w2"], "at node {}", node.handle.id().0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn service_goes_on_without_the_leader_and_with_it_again() {
    let mut cluster = Cluster::start(3).await;
    let first = cluster.leader().await;
    cluster.node(first).handle.append("before").await.expect("is done");
    cluster.stop(first).await;
    let second = cluster.leader().await;
    assert_ne!(first, second);
    let gone = cluster.node(first).handle.append("nowhere").await;
    assert_eq!(gone, Err(RequestError::Stopped));
    support::persist(&cluster.node(second).handle, "meanwhile").await;
    cluster.start_again(first);
    let handle = cluster.node(first).handle.clone();
    eventually("the old leader has what it missed", || {
        let handle = handle.clone();
        async move { handle.read(support::Words::all).await.ok().filter(|words| words.len() == 2) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_far_behind_gets_a_snapshot() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let behind = cluster.nodes.iter().map(|node| node.handle.id()).find(|id| *id != leader);
    let behind = behind.expect("three nodes");
    cluster.stop(behind).await;
    // More than the log keeps: a snapshot is taken after 100 entries, or four times as many as long as the one that is
    // behind was heard just now, and 10 are kept before it.
    for nth in 0..1_000 {
        cluster.node(leader).handle.append(format!("w{nth}")).await.expect("is done");
    }
    let events = cluster.start_again(behind);
    let handle = cluster.node(behind).handle.clone();
    eventually("all words are there", || {
        let handle = handle.clone();
        async move { handle.read(support::Words::all).await.ok().filter(|words| words.len() == 1_000) }
    })
    .await;
    assert!(
        support::drained(events).iter().any(|happened| {
            matches!(happened, Happened::Raft(Event::SnapshotInstalled { .. }))
        }),
        "it came up by a snapshot"
    );
    let base = handle.status().await.expect("runs").base;
    assert!(base.index.0 > 0, "and its own log is compacted");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_run_at_the_leader_and_may_append_there() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    for node in &cluster.nodes {
        let greeting = node.handle.dispatch("greet", "you", SHORT).await.expect("it answers");
        assert_eq!(greeting, format!("hello you, says {}", leader.0));
        let wrong = node.handle.dispatch("nothing", "", SHORT).await;
        assert!(
            matches!(&wrong, Err(DispatchError::Call(error)) if error.to_string().contains("'nothing'")),
            "{wrong:?}"
        );
        let failed = node.handle.dispatch("fail", "", SHORT).await;
        assert!(
            matches!(&failed, Err(DispatchError::Call(error)) if error.to_string() == "it fails"),
            "{failed:?}"
        );
    }
    let words = cluster.nodes[0].handle.read(support::Words::all).await.expect("a quorum is there");
    assert_eq!(words, ["you"; 3], "the function appended once for each call");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_the_applications_own_go_to_whom_they_are_for() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let mut inboxes: Vec<_> =
        cluster.nodes.iter().map(|node| (node.handle.id(), node.handle.messages())).collect();
    let sender = &cluster.node(leader).handle;
    // A follower is not a leader, and every link has carried something by now.
    for (id, inbox) in &mut inboxes {
        if *id != leader {
            sender.send(To::Node(*id), "to you").await.expect("runs");
            let (from, heard) = support::within(inbox.recv()).await.expect("a message");
            assert_eq!((from, heard), (leader, "to you".into()));
        }
    }
    sender.send(To::All, "to all").await.expect("runs");
    sender.send(To::Followers, "to followers").await.expect("runs");
    for (id, inbox) in &mut inboxes {
        if *id != leader {
            for expected in ["to all", "to followers"] {
                let (_, heard) = support::within(inbox.recv()).await.expect("a message");
                assert_eq!(heard, expected);
            }
            cluster.node(*id).handle.send(To::Leader, "to the leader").await.expect("runs");
        }
    }
    let (_, inbox) = inboxes.iter_mut().find(|(id, _)| *id == leader).expect("the leader's");
    for _ in 0..2 {
        let (_, heard) = support::within(inbox.recv()).await.expect("a message");
        assert_eq!(heard, "to the leader");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_and_leaves_through_any_node() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    cluster.node(leader).handle.append("before").await.expect("is done");
    let fourth = cluster.join(NodeId(4));
    let follower = cluster.nodes.iter().find(|node| node.handle.id() != leader).expect("three");
    let add = Change::Add { node: NodeId(4), address: fourth, votes: true };
    for _ in 0..2 {
        members::change(&follower.handle, &add).await.expect("it is added, and again");
    }
    let handle = &cluster.node(NodeId(4)).handle;
    let words = handle.read(support::Words::all).await.expect("a quorum is there");
    assert_eq!(words, ["before"]);
    let status = handle.status().await.expect("runs");
    assert!(status.membership.is_voter(NodeId(4)));
    let remove = Change::Remove { node: leader };
    members::change(handle, &remove).await.expect("the leader leaves");
    let next = eventually("another leader", || async {
        let status = handle.status().await.ok()?;
        status.leader.filter(|id| *id != leader && !status.membership.contains(leader))
    })
    .await;
    support::persist(&cluster.node(next).handle, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over_and_not_sought_by_the_weakened() {
    let mut cluster = Cluster::start(3).await;
    let first = cluster.leader().await;
    cluster.node(first).handle.append("x").await.expect("is done");
    let others: Vec<NodeId> =
        cluster.nodes.iter().map(|node| node.handle.id()).filter(|id| *id != first).collect();
    cluster.node(first).handle.transfer(others[0]).await.expect("is handed over");
    let status = cluster.node(others[0]).handle.status().await.expect("runs");
    assert_eq!(status.role, Role::Leader);
    cluster.stop(others[0]).await;
    // What the leader said last has arrived by then: to hear a leader is the end of weakness.
    tokio::time::sleep(Duration::from_millis(50)).await;
    cluster.node(others[1]).handle.weaken(Duration::from_secs(60)).await.expect("runs");
    let next = cluster.leader().await;
    assert_eq!(next, first, "the weakened one does not stand");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_started_by_its_own_node_alone() {
    let store = std::sync::Arc::new(Memory::new());
    let (hub, mut options) = support::options(1, 1).await;
    let (handle, _) = support::begin(&options, store.clone(), &hub).expect("starts");
    handle.stop().await;
    options.settings.id = NodeId(2);
    let refused = support::begin(&options, store, &hub).map(drop).expect_err("not its store");
    assert_eq!(
        refused.to_string(),
        "the store belongs to node 1 of cluster 1, not to node 2 of cluster 1: start with the right folder, or the right name"
    );
}
