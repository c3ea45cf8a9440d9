//! `sailing-proto` 0.0.0. Its licence is MPL-2.0, and its build needs `protoc` (in the path, or named by
//! the variable `PROTOC`): so it takes part with `--features sailing-proto` only.
//!
//! Settings, and why they are the best known:
//!
//! * Each command of a burst is proposed, then `flush_appends` sends all of them in one message to each
//!   follower, as the crate's drivers do.
//! * `max_size_per_msg` is unlimited, `max_inflight_msgs` is 256 (the default): nothing is held back.
//! * No snapshots: the threshold is out of reach. No pre-vote, no check of the quorum (the defaults).
//! * The crate has no stores, so there are two here: vectors, whose writes are done at once.
//! * The core encodes a command itself, which copies it once. The codec adds nothing to it.
//! * A node handles all messages that wait for it, then the receipts of its writes, once.
//! * With more than three nodes, a follower whose answer came before the others' learns what is
//!   committed with the next heartbeat. So time passes, for the leader alone, until its next heartbeat,
//!   when nothing else is left to do and a follower lags.
//! * Messages are moved, nothing is serialized.

mod store;

use std::time::Duration;

use sailing_proto::{Config, Endpoint, Instant, Message};

use crate::workload::{Cluster, Commands};
use store::{Command, Log, Machine, Stable};

struct Node {
    endpoint: Endpoint<u64, Machine>,
    log: Log,
    stable: Stable,
    /// What waits for it, and from whom it is.
    inbox: Vec<(u64, Message<u64>)>,
}

impl Node {
    fn new(id: u64, voters: Vec<u64>) -> Self {
        let (election, heartbeat) = (Duration::from_secs(1), Duration::from_millis(100));
        let config = Config::try_new(id, voters, election, heartbeat)
            .expect("the settings are valid")
            .with_max_size_per_msg(u64::MAX)
            .with_snapshot_threshold(usize::MAX);
        Self {
            endpoint: Endpoint::new(config, Instant::ORIGIN, id, Machine::default()),
            log: Log::default(),
            stable: Stable::default(),
            inbox: Vec::new(),
        }
    }

    /// Lets time pass until a timer is due.
    fn time_out(&mut self, now: &mut Instant) {
        *now = (*now).max(self.endpoint.poll_timeout().expect("a voter has a timer"));
        self.endpoint.handle_timeout(*now, &mut self.log, &mut self.stable);
    }

    /// Handles what came and what is written.
    fn handle(&mut self, now: Instant) {
        let Self { endpoint, log, stable, inbox } = self;
        for (from, message) in inbox.drain(..) {
            endpoint.handle_message(now, log, stable, from, message);
        }
        while endpoint.handle_storage(now, log, stable).is_more_pending() {}
        // Nobody waits for these.
        while endpoint.poll_event().is_some() {}
    }
}

/// The first node leads.
pub(crate) struct Sailing {
    nodes: Vec<Node>,
    now: Instant,
}

impl Sailing {
    pub(crate) fn elected(nodes: usize) -> Self {
        let ids: Vec<u64> = (1..=nodes as u64).collect();
        let nodes = ids.iter().map(|id| Node::new(*id, ids.clone())).collect();
        let mut cluster = Self { nodes, now: Instant::ORIGIN };
        cluster.nodes[0].time_out(&mut cluster.now);
        cluster.run();
        assert!(cluster.nodes[0].endpoint.role().is_leader());
        cluster
    }

    /// Delivers messages until there are none.
    fn deliver(&mut self) {
        let mut delivered = true;
        while delivered {
            delivered = false;
            for place in 0..self.nodes.len() {
                self.nodes[place].handle(self.now);
                let from = self.nodes[place].endpoint.id();
                while let Some(message) = self.nodes[place].endpoint.poll_message() {
                    let (to, message) = message.into_parts();
                    let to = usize::try_from(to - 1).expect("a node of the cluster");
                    self.nodes[to].inbox.push((from, message));
                    delivered = true;
                }
            }
        }
    }

    fn a_follower_lags(&self) -> bool {
        let commit = self.nodes[0].endpoint.commit_index();
        self.nodes.iter().any(|node| node.endpoint.commit_index() < commit)
    }
}

impl Cluster for Sailing {
    fn propose(&mut self, commands: Commands) {
        let Node { endpoint, log, stable, .. } = &mut self.nodes[0];
        for command in commands.bytes() {
            let command = Command(command);
            endpoint.propose(self.now, log, stable, &command).expect("the leader takes all");
        }
        endpoint.flush_appends(self.now, log, stable);
    }

    fn run(&mut self) {
        self.deliver();
        while self.a_follower_lags() {
            self.nodes[0].time_out(&mut self.now);
            self.deliver();
        }
    }

    fn applied(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.endpoint.state_machine().0.count()).collect()
    }
}
