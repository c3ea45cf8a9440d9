//! Three nodes in this process, over a Redis, and how to wait for what they shall do.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

use raft_core::{ClusterId, NodeId, Role};
use raft_redis::node::{Answer, NodeStatus, Options, RunningNode, StartError, settings};
use tempfile::TempDir;

use crate::server::Server;

/// Many elections fit into it, on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(60);
/// How often is looked.
const PERIOD: Duration = Duration::from_millis(20);

pub(crate) const CLUSTER: ClusterId = ClusterId(1);
pub(crate) const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// Tries until it succeeds; fails with the last reason when that takes too long.
pub(crate) fn eventually<T, E: Debug>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(reason) if started.elapsed() > limit => {
                panic!("after {} s it does not hold that {what}: {reason:?}", limit.as_secs())
            }
            Err(_) => thread::sleep(PERIOD),
        }
    }
}

/// Nodes that run, and the disks of all.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: TempDir,
    url: String,
    running: BTreeMap<NodeId, RunningNode>,
}

impl Cluster {
    /// Founds one of all nodes.
    pub(crate) fn start(server: &Server) -> Self {
        let folder = TempDir::new().expect("a folder for the disks");
        let mut cluster = Self { folder, url: server.url(), running: BTreeMap::new() };
        for id in NODES {
            cluster.start_node(id);
        }
        cluster
    }

    /// Starts a node that does not run, from its disk if there is one.
    pub(crate) fn start_node(&mut self, id: NodeId) {
        let node = self.try_start(id, &self.url).expect("the node can start");
        assert!(self.running.insert(id, node).is_none(), "{id} runs already");
    }

    /// Tries to start a node that comes to Redis in another way.
    pub(crate) fn try_start(&self, id: NodeId, url: &str) -> Result<RunningNode, StartError> {
        RunningNode::start(&Options {
            redis: url.to_owned(),
            settings: settings(CLUSTER, id),
            members: NODES.to_vec(),
            data: self.folder.path().join(id.to_string()),
        })
    }

    /// Stops a node.
    pub(crate) fn stop_node(&mut self, id: NodeId) {
        let node = self.running.remove(&id).expect("it runs");
        node.stop().expect("no write failed");
    }

    /// A node that runs.
    pub(crate) fn node(&self, id: NodeId) -> &RunningNode {
        &self.running[&id]
    }

    /// How all are that run.
    pub(crate) fn statuses(&self) -> Vec<NodeStatus> {
        self.running.values().map(|node| node.status().expect("it runs")).collect()
    }

    /// Waits until all that run follow one leader.
    pub(crate) fn leader(&self) -> NodeId {
        eventually("all nodes follow one leader", LIMIT, || {
            let statuses = self.statuses();
            let leaders = statuses.iter().filter(|status| status.raft.role == Role::Leader);
            let mut leaders = leaders.map(|status| (status.raft.id, status.raft.term()));
            let (Some((leader, term)), None) = (leaders.next(), leaders.next()) else {
                return Err(statuses);
            };
            let follows = |status: &NodeStatus| {
                (status.raft.leader, status.raft.term()) == (Some(leader), term)
            };
            if statuses.iter().all(follows) { Ok(leader) } else { Err(statuses) }
        })
    }

    /// Waits until nobody leads, or is believed to: longer than an election timeout.
    pub(crate) fn wait_for_no_leader(&self) {
        eventually("nobody leads", LIMIT, || {
            let statuses = self.statuses();
            let is_led = statuses.iter().any(|status| status.raft.leader.is_some());
            if is_led { Err(statuses) } else { Ok(()) }
        });
    }

    /// Puts a value at a node, again until it is done: it may be put twice.
    pub(crate) fn put(&self, id: NodeId, key: &str, value: &str) {
        eventually(&format!("{id} puts {key}"), LIMIT, || match self.node(id).put(key, value) {
            Answer::Put(_) => Ok(()),
            other => Err((other, self.statuses())),
        });
    }

    /// Reads a value at a node, again until there is an answer.
    pub(crate) fn get(&self, id: NodeId, key: &str) -> Option<String> {
        eventually(&format!("{id} reads {key}"), LIMIT, || match self.node(id).get(key) {
            Answer::Got(value) => Ok(value),
            other => Err((other, self.statuses())),
        })
    }

    /// Every running node puts a value, and every running node must then read it.
    pub(crate) fn serves(&self, round: &str) {
        for writer in self.running.keys() {
            let key = format!("{round} at {writer}");
            self.put(*writer, &key, round);
            for reader in self.running.keys() {
                let read = self.get(*reader, &key);
                assert_eq!(read.as_deref(), Some(round), "{reader} reads what {writer} put");
            }
        }
    }

    /// Waits until a condition holds of a node.
    pub(crate) fn wait_for(&self, id: NodeId, what: &str, holds: impl Fn(&NodeStatus) -> bool) {
        eventually(&format!("{id} {what}"), LIMIT, || {
            let status = self.node(id).status().expect("it runs");
            if holds(&status) { Ok(()) } else { Err(status.to_string()) }
        });
    }
}
