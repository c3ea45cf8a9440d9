//! `raft-io` 1.0.0.
//!
//! Settings, and why they are the best known:
//!
//! * Its own `MemoryLog`: a vector of entries, whose sync does nothing.
//! * `max_batch` is beyond every burst, so that what is behind is never cut into pieces.
//! * There is no way to propose many commands at once: each is sent to each follower in a message of
//!   its own, as soon as it is proposed.
//! * A leader tells the followers what is committed with the next entries or the next heartbeat, and
//!   does not send it for its own sake. So the leader is ticked, with a heartbeat at each tick, when
//!   nothing else is left to do and a follower lags. Others send a message for that too.
//! * Messages are delivered in the order in which they were sent, and moved.

use std::collections::VecDeque;

use raft_io::{Action, Event, Message, RaftConfig, RaftNode};

use crate::workload::{Cluster, Commands, Order};

/// The first node leads. Names of nodes are their places.
pub(crate) struct RaftIo {
    nodes: Vec<(RaftNode, Order)>,
    network: VecDeque<(usize, Message)>,
}

impl RaftIo {
    pub(crate) fn elected(nodes: usize) -> Self {
        let ids = 0..nodes as u64;
        let node = |id| {
            let config =
                RaftConfig::new(id, ids.clone()).with_heartbeat_interval(1).with_max_batch(1 << 20);
            (RaftNode::new(config), Order::default())
        };
        let nodes = ids.clone().map(node).collect();
        let mut cluster = Self { nodes, network: VecDeque::new() };
        while !cluster.nodes[0].0.is_leader() {
            cluster.step(0, Event::Tick);
            cluster.deliver();
        }
        cluster
    }

    fn step(&mut self, place: usize, event: Event) {
        let (node, order) = &mut self.nodes[place];
        for action in node.step(event).expect("nothing fails in memory") {
            match action {
                Action::Send { to, message } => {
                    let to = usize::try_from(to).expect("a node of the cluster");
                    self.network.push_back((to, message));
                }
                Action::Apply { command, .. } => order.take(&command),
                _ => {}
            }
        }
    }

    fn deliver(&mut self) {
        while let Some((place, message)) = self.network.pop_front() {
            self.step(place, Event::Message(message));
        }
    }

    fn a_follower_lags(&self) -> bool {
        let commit = self.nodes[0].0.commit_index();
        self.nodes.iter().any(|(node, _)| node.commit_index() < commit)
    }
}

impl Cluster for RaftIo {
    fn propose(&mut self, commands: Commands) {
        for command in commands.vectors() {
            self.step(0, Event::Propose(command));
        }
    }

    fn run(&mut self) {
        self.deliver();
        while self.a_follower_lags() {
            self.step(0, Event::Tick);
            self.deliver();
        }
    }

    fn applied(&self) -> Vec<u64> {
        self.nodes.iter().map(|(_, order)| order.count()).collect()
    }
}
