//! What replication costs without any of Raft: a leader appends, sends the same entries to everybody, and commits what a
//! majority has. Nobody checks anything. The payload of a command is allocated once, and shared by all.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::workload::{Cluster, Commands, Order};

#[derive(Clone)]
struct Entry {
    term: u64,
    data: Bytes,
}

#[derive(Default)]
struct Node {
    log: Vec<Entry>,
    commit: usize,
    applied: usize,
    order: Order,
}

impl Node {
    fn commit_to(&mut self, commit: usize) {
        self.commit = commit.min(self.log.len());
        for entry in &self.log[self.applied..self.commit] {
            self.order.take(&entry.data);
        }
        self.applied = self.commit;
    }
}

enum Message {
    Append { to: usize, entries: Arc<[Entry]>, commit: usize },
    Accepted { from: usize, matched: usize },
}

/// The first node leads.
pub(crate) struct Floor {
    nodes: Vec<Node>,
    /// Up to where each node has the log.
    matched: Vec<usize>,
    /// What everybody knows to be committed.
    told: usize,
    sent: usize,
    network: VecDeque<Message>,
}

impl Floor {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            nodes: (0..nodes).map(|_| Node::default()).collect(),
            matched: vec![0; nodes],
            told: 0,
            sent: 0,
            network: VecDeque::new(),
        }
    }

    /// Sends what is new, to everybody.
    fn send(&mut self) {
        let leader = &self.nodes[0];
        let entries: Arc<[Entry]> = leader.log[self.sent..].into();
        self.sent = leader.log.len();
        self.told = leader.commit;
        self.matched[0] = self.sent;
        if self.nodes.len() == 1 {
            self.accepted(0, self.sent);
        }
        for to in 1..self.nodes.len() {
            let (entries, commit) = (entries.clone(), self.told);
            self.network.push_back(Message::Append { to, entries, commit });
        }
    }

    fn accepted(&mut self, from: usize, matched: usize) {
        self.matched[from] = matched;
        // More than half of the nodes have it.
        let majority = self.nodes.len() / 2;
        let mut sorted = [0; 16];
        let sorted = &mut sorted[..self.nodes.len()];
        sorted.copy_from_slice(&self.matched);
        sorted.sort_unstable();
        let agreed = sorted[sorted.len() - 1 - majority];
        if agreed > self.nodes[0].commit {
            self.nodes[0].commit_to(agreed);
        }
    }
}

impl Cluster for Floor {
    fn propose(&mut self, commands: Commands) {
        let log = &mut self.nodes[0].log;
        log.extend(commands.bytes().map(|data| Entry { term: 1, data }));
    }

    fn run(&mut self) {
        while self.sent < self.nodes[0].log.len() || self.told < self.nodes[0].commit {
            self.send();
            while let Some(message) = self.network.pop_front() {
                match message {
                    Message::Append { to, entries, commit } => {
                        let node = &mut self.nodes[to];
                        debug_assert!(entries.iter().all(|entry| entry.term == 1));
                        node.log.extend(entries.iter().cloned());
                        node.commit_to(commit);
                        let matched = node.log.len();
                        self.network.push_back(Message::Accepted { from: to, matched });
                    }
                    Message::Accepted { from, matched } => self.accepted(from, matched),
                }
            }
        }
    }

    fn applied(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.order.count()).collect()
    }
}
