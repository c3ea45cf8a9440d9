//! Hostile bytes on every port: what strangers say is not believed and keeps nobody from being served, and what a member
//! says ends no process, whatever it is.
//!
//! `KV_HOSTILE_TIME=60s` goes on for longer than the few seconds that each of these takes, and `KV_FAULTS_SEED` draws
//! the same bytes again.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use driver::transport::{
    ConnectError, Greeting, GreetingError, PROTOCOL_VERSION, Purpose, Refused, Tls, connect,
};
use kv::client::Client;
use raft_core::{ClusterId, NodeId};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::cluster::{Cluster, Shape};
use crate::support::conversation::{self, Conversation};
use crate::support::dice::{self, Dice};
use crate::support::strangers::{self, Deeds, Stranger, Target};
use crate::support::watch::{self, Must, Seen};
use crate::support::wire::{self, CLUSTER};
use crate::support::{campaign, impostors, members, recovery};

/// How long each of these takes when nothing else is asked for.
const SHORT: Duration = Duration::from_secs(4);
/// So many connections a node lets in.
const CONNECTIONS: usize = 32;
/// More than that are silent at a time.
const SILENT: usize = 64;

fn hostile_time() -> Duration {
    dice::time("KV_HOSTILE_TIME", SHORT)
}

/// Few connections, so that strangers could take all of them.
fn few_connections(_: &Path, _: NodeId) -> Vec<String> {
    let arguments = ["--max-connections", &CONNECTIONS.to_string(), "--metrics", "127.0.0.1:0"];
    arguments.map(str::to_owned).into()
}

async fn begun(shape: Shape) -> (Cluster, Vec<Target>) {
    let mut cluster = Cluster::start(shape).await;
    recovery::of_writes(&cluster).await.expect("the cluster begins to serve");
    let mut targets = Vec::new();
    for node in cluster.nodes() {
        let metrics = metrics(&cluster.process(node).logged());
        targets.push(Target { node, address: cluster.address(node), metrics });
    }
    (cluster, targets)
}

/// Where a node says in its log that it answers for its metrics.
fn metrics(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains(" metrics address="))?;
    line.rsplit_once("address=")?.1.trim().parse().ok()
}

fn judge(what: &str, cluster: Cluster, seen: &Seen, deeds: &Deeds) {
    let report = format!(
        "{what}: {} writes, the longest pause {} ms, at most {} MiB more memory\n{deeds:#?}",
        seen.writes,
        seen.longest_pause.as_millis(),
        seen.more_bytes >> 20,
    );
    println!("{report}");
    if !seen.problems.is_empty() {
        let kept = cluster.keep();
        panic!("{report}\n{}\nlogs in {}", seen.problems.join("\n"), kept.display());
    }
}

async fn joined(mut attackers: JoinSet<Deeds>) -> Deeds {
    let mut deeds = Deeds::new();
    while let Some(done) = attackers.join_next().await {
        for (name, count) in done.expect("attackers do not panic") {
            *deeds.entry(name).or_default() += count;
        }
    }
    deeds
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_keep_nobody_from_being_served() {
    let _alone = campaign::alone().await;
    let seed = dice::seed();
    println!("KV_FAULTS_SEED={seed}");
    let shape = Shape { also: few_connections, ..Shape::sound(3) };
    let (mut cluster, targets) = begun(shape).await;
    assert!(targets.iter().all(|target| target.metrics.is_some()), "every node has metrics");
    // Something to say again.
    cluster.network.reset();
    recovery::of_writes(&cluster).await.expect("the cluster serves");
    sleep(Duration::from_millis(500)).await;
    let said = Conversation::all(&cluster, &targets);
    assert!(!said.is_empty(), "nodes have talked");

    let until = Instant::now() + hostile_time();
    let mut attackers = JoinSet::new();
    for stream in 0..3 {
        let dice = Dice::new(seed, stream);
        attackers.spawn(Stranger { dice, targets: targets.clone() }.visit(until));
    }
    attackers.spawn(conversation::repeat(said, Dice::new(seed, 3), until));
    attackers.spawn(strangers::be_silent(targets.clone(), SILENT, until));
    let mut suffered = watch::watch(&mut cluster, Must::Serve, until).await;
    let deeds = joined(attackers).await;
    for metrics in targets.iter().filter_map(|target| target.metrics) {
        let answer = wire::get(metrics, "/metrics").await;
        if !answer.starts_with("HTTP/1.1 200 OK") || !answer.contains("\nraft_is_leader ") {
            suffered.problems.push(format!("{metrics} does not answer for metrics: {answer}"));
        }
    }
    judge("strangers", cluster, &suffered, &deeds);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_lies_ends_nobody() {
    let _alone = campaign::alone().await;
    let seed = dice::seed();
    println!("KV_FAULTS_SEED={seed}");
    let (mut cluster, targets) = begun(Shape::sound(3)).await;
    // Nobody else speaks for this one.
    let liar = NodeId(3);
    cluster.kill(&[liar]);
    let asked: Vec<_> = targets
        .iter()
        .filter(|target| target.node != liar)
        .map(|target| (*target, cluster.options_at(target.node, Duration::from_secs(1))))
        .collect();
    let until = Instant::now() + hostile_time();
    let mut attackers = JoinSet::new();
    for stream in 0..2 {
        attackers.spawn(members::lie(liar, asked.clone(), Dice::new(seed, stream), until));
    }
    let mut suffered = watch::watch(&mut cluster, Must::Live, until).await;
    let deeds = joined(attackers).await;
    for (_, options) in asked {
        match Client::new(options).status().await {
            Ok(status) => println!("{status}; {} not believed", status.rejections.total()),
            Err(error) => suffered.problems.push(format!("no answer any more: {error}")),
        }
    }
    judge("a member that lies", cluster, &suffered, &deeds);
}

async fn refused(target: Target, greeting: &Greeting) -> Refused {
    let answer = connect(&target.address.to_string(), None, greeting, 1024).await;
    match answer.map(drop) {
        Err(ConnectError::Greeting { error: GreetingError::Refused(why), .. }) => why,
        other => panic!("{greeting:?} is not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_let_in_is_told_why() {
    let _alone = campaign::alone().await;
    let (cluster, targets) = begun(Shape::sound(1)).await;
    let target = targets[0];
    let other = Greeting { cluster: ClusterId(2), purpose: Purpose::Client };
    assert_eq!(refused(target, &other).await, Refused::NotHere);
    let address = String::new();
    let purpose = Purpose::Peer { from: NodeId(2), to: NodeId(9), address };
    let nobody = Greeting { cluster: CLUSTER, purpose };
    assert_eq!(refused(target, &nobody).await, Refused::NotHere);
    let mut stream = wire::reach(target.address).await.expect("it listens");
    wire::send(&mut stream, &wire::preface(PROTOCOL_VERSION + 1)).await;
    let heard = wire::heard(&mut stream, Duration::from_secs(2)).await;
    assert_eq!(heard, wire::preface(PROTOCOL_VERSION), "it says its own version, and goes");
    drop(cluster);
}

fn with_certificates(folder: &Path, id: NodeId) -> Vec<String> {
    let mut arguments = few_connections(folder, id);
    arguments.extend(impostors::arguments(folder, id));
    arguments
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_certificate_nobody_is_a_node() {
    let _alone = campaign::alone().await;
    let seed = dice::seed();
    println!("KV_FAULTS_SEED={seed}");
    let certify = Some(impostors::certify as fn(&Path, &[NodeId]) -> Tls);
    let shape = Shape { certify, also: with_certificates, ..Shape::sound(3) };
    let (mut cluster, targets) = begun(shape).await;
    let folder = cluster.folder().to_owned();
    for target in &targets {
        for (name, expected, told) in impostors::all(&folder, *target).await {
            assert!(told.contains(expected), "{name} was told: {told}");
        }
    }
    let until = Instant::now() + hostile_time();
    let mut attackers = JoinSet::new();
    for stream in 0..2 {
        let dice = Dice::new(seed, stream);
        attackers.spawn(Stranger { dice, targets: targets.clone() }.visit(until));
    }
    attackers.spawn(strangers::be_silent(targets.clone(), SILENT, until));
    attackers.spawn(impostors::visit(folder, targets, until));
    let suffered = watch::watch(&mut cluster, Must::Serve, until).await;
    let deeds = joined(attackers).await;
    judge("strangers before TLS", cluster, &suffered, &deeds);
}
