//! Nothing that was acknowledged is lost, what clients were told is linearizable, and service is back soon after each
//! fault; and a store that is broken is found out.

use std::time::Duration;

use bytes::Bytes;
use kv::client::Client;
use kv::protocol::Freshness;
use raft_sim::linearizability::{Finding, check};

use crate::support::cluster::{Cluster, Shape};
use crate::support::model::{Model, Operation, Told, Verb};
use crate::support::recorder::Recorder;
use crate::support::{campaign, dice, disk_filling, recovery};

/// How long a campaign takes when nothing else is asked for.
const SHORT: Duration = Duration::from_secs(10);
/// A broken store is caught by then.
const ROUNDS: u32 = 5;

async fn survives(nodes: u64) {
    let _alone = campaign::alone().await;
    let time = dice::time("KV_FAULTS_TIME", SHORT);
    let report = campaign::run(Shape::sound(nodes), dice::seed(), time).await;
    println!("{report}");
    assert!(report.problems.is_empty(), "{report}");
    let is_short = time < SHORT;
    assert!(is_short || report.compactions > 0, "no log was compacted, as it should be: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_keep_what_they_acknowledge() {
    survives(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_nodes_keep_what_they_acknowledge() {
    survives(5).await;
}

/// A test that no broken store fails would show nothing.
async fn is_caught(fault: &'static str) {
    let _alone = campaign::alone().await;
    let shape = Shape { fault, ..Shape::sound(3) };
    let report = campaign::until_caught(shape, dice::seed(), ROUNDS).await;
    println!("{report}");
    assert!(!report.problems.is_empty(), "'{fault}' was not caught: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_does_not_sync_is_caught() {
    is_caught("sync-does-nothing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_before_the_write_is_caught() {
    is_caught("early-receipt").await;
}

/// The control of the two before: it is not the killing that loses writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_sound_store_is_not_accused() {
    let _alone = campaign::alone().await;
    let report = campaign::until_caught(Shape::sound(3), dice::seed(), 2).await;
    assert!(report.problems.is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_its_node_alone_until_there_is_room() {
    let _alone = campaign::alone().await;
    let mut cluster = Cluster::start(Shape::sound(3)).await;
    recovery::of_writes(&cluster).await.expect("it begins to serve");
    let leader = cluster.leader().await.expect("a write succeeded");
    disk_filling::fill(&mut cluster, leader).await.expect("it ends, and says why");
    let mut client = Client::new(cluster.client_options(Duration::from_secs(5)));
    client.put("meanwhile", "x").await.expect("the others go on");
    cluster.heal();
    let mut there = Client::new(cluster.options_at(leader, Duration::from_secs(20)));
    let read = there.get("meanwhile", Freshness::Linearizable).await.expect("it is back");
    assert_eq!(read, Some("x".into()), "with what it missed");
    assert!(cluster.dead().is_empty(), "nobody else ended");
}

/// The judge knows what the store does, and what cannot be.
#[test]
fn the_judge_tells_the_possible_from_the_impossible() {
    let some = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let ends_with = |last: Option<Bytes>| {
        let recorder = Recorder::new();
        let swap = |expected, value| Verb::CompareAndSet { expected, value };
        let told = [
            (Verb::Get, Told::Holds(None)),
            (swap(some("a"), some("b")), Told::Differs(None)),
            (swap(None, some("a")), Told::Done),
            (Verb::Put("c".into()), Told::Done),
            (Verb::Get, Told::Holds(some("c"))),
            (Verb::Delete, Told::Done),
            (Verb::Put("d".into()), Told::Done),
            (Verb::Get, Told::Holds(last)),
        ];
        for (verb, told) in told {
            let id = recorder.asked(1, &Operation { key: 3, verb: verb.clone() });
            recorder.told(id, &verb, Ok(told));
        }
        let noted = recorder.noted();
        check::<Model>(&noted.history, 1_000).0
    };
    assert_eq!(ends_with(some("d")), Finding::Linearizable);
    for lost in [some("c"), None] {
        let finding = ends_with(lost);
        assert!(matches!(finding, Finding::Violated(_)), "{finding:?}");
    }
}
