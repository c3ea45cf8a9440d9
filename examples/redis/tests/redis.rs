//! Goal: three nodes agree over a real Redis, and go on when it comes back, when a node comes back, and when somebody else
//! publishes on their channels.
//!
//! Needs the program `redis-server`, so it is built only with
//! `cargo test -p raft-redis --features redis-server`. Each test has a Redis of its own.

#[path = "redis/cluster.rs"]
mod cluster;
#[path = "redis/server.rs"]
mod server;

use cluster::{CLUSTER, Cluster, NODES};
use raft_core::{ClusterId, Envelope, LogPosition, Message, NodeId, Term, WireVersion};
use raft_redis::frame;
use raft_redis::node::Answer;
use server::Server;

#[test]
fn three_nodes_agree_on_a_leader_and_on_values() {
    let server = Server::start();
    let cluster = Cluster::start(&server);
    cluster.leader();
    cluster.serves("first");

    assert_eq!(cluster.node(NODES[0]).get("nothing"), Answer::Got(None));
    cluster.put(NODES[1], "k", "1");
    assert_eq!(cluster.node(NODES[2]).put("k", "2"), Answer::Put(Some("1".to_owned())));
    let dropped: u64 = cluster.statuses().iter().map(|status| status.dropped_frames).sum();
    assert_eq!(dropped, 0, "nobody else publishes here");
}

#[test]
fn service_comes_back_with_redis() {
    let mut server = Server::start();
    let cluster = Cluster::start(&server);
    for round in ["before", "after one outage", "after two"] {
        cluster.leader();
        cluster.serves(round);
        server.kill();
        cluster.wait_for_no_leader();
        let answer = cluster.node(NODES[0]).put("k", round);
        assert!(matches!(answer, Answer::Refused(_)), "nobody leads, but: {answer:?}");
        server.resume();
    }
    cluster.leader();
    cluster.serves("at last");
    for round in ["before", "after one outage", "after two"] {
        let key = format!("{round} at {}", NODES[0]);
        assert_eq!(cluster.get(NODES[2], &key).as_deref(), Some(round), "it was kept");
    }
}

/// The connections stay, but nothing answers on them.
#[test]
fn service_comes_back_when_redis_hung() {
    let server = Server::start();
    let cluster = Cluster::start(&server);
    cluster.leader();
    cluster.serves("before");
    let mut connection = server.connect();
    let mut pause = redis::cmd("CLIENT");
    pause.arg("PAUSE").arg(5_000).arg("ALL").exec(&mut connection).expect("the owner may");
    cluster.wait_for_no_leader();
    cluster.leader();
    cluster.serves("after");
}

#[test]
fn a_node_comes_back_from_its_disk_and_catches_up() {
    let server = Server::start();
    let mut cluster = Cluster::start(&server);
    // The leader too: the others must then elect another.
    for round in ["once", "twice"] {
        let node = cluster.leader();
        cluster.serves(round);
        let before = cluster.node(node).status().expect("it runs").raft;
        cluster.stop_node(node);

        let other = cluster.leader();
        cluster.serves(&format!("{round}, without {node}"));
        let missed = cluster.node(other).status().expect("it runs").raft.commit;
        assert!(missed > before.commit);

        cluster.start_node(node);
        let after = cluster.node(node).status().expect("it runs").raft;
        assert!(after.last.index >= before.durable, "the log was on the disk: {after:?}");
        assert!(after.term() >= before.term(), "so was the term: {after:?}");
        cluster.wait_for(node, "catches up", |status| status.raft.applied >= missed);
        let key = format!("{round} at {node}");
        assert_eq!(cluster.get(node, &key).as_deref(), Some(round));
        cluster.serves(&format!("{round}, with {node} again"));
    }
}

#[test]
fn the_whole_cluster_comes_back_from_its_disks() {
    let server = Server::start();
    let mut cluster = Cluster::start(&server);
    cluster.leader();
    cluster.serves("before");
    for id in NODES {
        cluster.stop_node(id);
    }
    for id in NODES {
        cluster.start_node(id);
    }
    let key = format!("before at {}", NODES[1]);
    assert_eq!(cluster.get(NODES[0], &key).as_deref(), Some("before"));
    cluster.serves("after");
}

#[test]
fn who_may_not_use_redis_is_told_so() {
    let mut server = Server::start();
    let mut cluster = Cluster::start(&server);
    cluster.stop_node(NODES[0]);
    let reason = |url: &str| {
        let refused = cluster.try_start(NODES[0], url).expect_err("it may not use Redis");
        refused.to_string()
    };
    let without_login = server.url_of("").replace('@', "");
    let cases = [
        (server.url_of("raft:wr0ng"), "refuses the login"),
        (server.url_of("nobody:wr0ng"), "refuses the login"),
        (without_login, "refuses the login"),
        (server.url_of("deaf:deaf"), "does not let this user publish and subscribe on raft/1/1"),
        (server.url_of("mute:mute"), "does not let this user publish and subscribe on raft/1/1"),
        (server.url().replace("redis:", "http:"), "write redis://user:password@host:port"),
        ("not a url".to_owned(), "write redis://user:password@host:port"),
    ];
    for (url, expected) in cases {
        let reason = reason(&url);
        assert!(reason.contains(expected), "{url}: {reason}");
        let login = url.split_once("//").and_then(|(_, rest)| rest.rsplit_once('@'));
        let password = login.and_then(|(login, _)| login.split_once(':'));
        if let Some((_, "wr0ng")) = password {
            assert!(!reason.contains("wr0ng"), "the password is not for the log: {reason}");
        }
    }
    server.kill();
    let reason = reason(&server.url());
    assert!(reason.contains("cannot be used") && reason.contains("start it"), "{reason}");
}

#[test]
fn what_others_publish_leaves_a_node_serving() {
    let server = Server::start();
    let cluster = Cluster::start(&server);
    let leader = cluster.leader();
    cluster.serves("before");

    let mut connection = server.connect();
    let garbage = garbage(leader);
    let channel = frame::channel(CLUSTER, leader);
    for frame in &garbage {
        let listeners: u64 = redis::cmd("PUBLISH")
            .arg(&channel)
            .arg(frame)
            .query(&mut connection)
            .expect("the owner may publish");
        assert_eq!(listeners, 1, "the leader listens on {channel}");
    }
    let all = garbage.len() as u64;
    cluster.wait_for(leader, "drops the garbage", |status| status.dropped_frames == all);

    // What is a message, but of no peer, is for the node itself to reject.
    let stranger = Envelope { version: WireVersion(999), ..envelope(leader) };
    let frame = frame::encode(&stranger).expect("it is small");
    redis::cmd("PUBLISH").arg(&channel).arg(frame).exec(&mut connection).expect("published");
    cluster.wait_for(leader, "rejects a stranger", |status| status.raft.rejections.total() > 0);

    cluster.serves("after");
    assert_eq!(cluster.leader(), leader, "it leads as before");
}

/// Bytes that are no message for the node: none, too many, random ones, parts of messages, and messages for others.
fn garbage(node: NodeId) -> Vec<Vec<u8>> {
    let encode = |envelope: &Envelope| frame::encode(envelope).expect("it is small");
    let message = encode(&envelope(node));
    let mut garbage = vec![Vec::new(), vec![0xff; frame::MAX_FRAME_BYTES + 1], vec![0xff; 1_000]];
    garbage.extend((0..message.len()).map(|length| message[..length].to_vec()));
    garbage.push([&message[..], b"more"].concat());
    garbage.push(encode(&Envelope { to: NodeId(99), ..envelope(node) }));
    garbage.push(encode(&Envelope { cluster: ClusterId(99), ..envelope(node) }));
    // An append that claims to have more entries than there can be.
    let append = [1, 1, 2, u8::try_from(node.0).expect("it is small"), 1, 4, 1, 1];
    garbage.push([&append[..], &[0xff; 9], &[0x01]].concat());
    garbage
}

fn envelope(to: NodeId) -> Envelope {
    let message = Message::RequestPreVote { last: LogPosition::ZERO };
    let (version, cluster) = (WireVersion::CURRENT, CLUSTER);
    Envelope { version, cluster, from: NodeId(2), to, term: Term(1), message }
}
