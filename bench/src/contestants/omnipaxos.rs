//! `omnipaxos` 0.2.4, with the `MemoryStorage` of `omnipaxos_storage` 0.2.4.
//!
//! Not Raft, but the same service: Sequence Paxos under a leader. Settings, and why they are the best
//! known:
//!
//! * The leader batches (`batch_size`): what is proposed gathers until a tick flushes it, after each
//!   burst (`flush_batch_tick_timeout` is 1). Followers do not (their `batch_size` is 1, the default):
//!   they would hold back what came in a message.
//! * Elections and repetitions of messages come with ticks, too. They are so far away that they never
//!   come; the leader is made with `try_become_leader`.
//! * A command is `Bytes`, so that copies of an entry share it; there are no snapshots.
//! * Messages are taken after all that came is handled, since `OmniPaxos` merges those that wait to be
//!   taken. They are moved, nothing is serialized.
//!
//! A cluster has at least two nodes.

use bytes::Bytes;
use omnipaxos::messages::Message;
use omnipaxos::storage::{Entry, NoSnapshot};
use omnipaxos::util::LogEntry;
use omnipaxos::{ClusterConfig, OmniPaxos, ServerConfig};
use omnipaxos_storage::memory_storage::MemoryStorage;

use crate::workload::{Cluster, Commands, Order};

const NEVER: u64 = u64::MAX;

#[derive(Clone, Debug)]
struct Command(Bytes);

impl Entry for Command {
    type Snapshot = NoSnapshot;
}

struct Node {
    paxos: OmniPaxos<Command, MemoryStorage<Command>>,
    /// How much of the log is applied.
    applied: usize,
    order: Order,
}

impl Node {
    fn new(pid: u64, nodes: Vec<u64>) -> Self {
        let cluster = ClusterConfig { configuration_id: 1, nodes, flexible_quorum: None };
        let leads = pid == 1;
        let server = ServerConfig {
            pid,
            election_tick_timeout: NEVER,
            resend_message_tick_timeout: NEVER,
            flush_batch_tick_timeout: 1,
            batch_size: if leads { 1 << 16 } else { 1 },
            ..ServerConfig::default()
        };
        let paxos = cluster.build_for_server(server, MemoryStorage::default());
        Self { paxos: paxos.expect("the settings are valid"), applied: 0, order: Order::default() }
    }

    fn apply(&mut self) {
        if self.paxos.get_decided_idx() == self.applied {
            return;
        }
        let entries = self.paxos.read_decided_suffix(self.applied).unwrap_or_default();
        self.applied += entries.len();
        for entry in entries {
            if let LogEntry::Decided(Command(data)) = entry {
                self.order.take(&data);
            }
        }
    }
}

/// The first node leads.
pub(crate) struct Omni {
    nodes: Vec<Node>,
    taken: Vec<Message<Command>>,
}

impl Omni {
    pub(crate) fn elected(nodes: usize) -> Self {
        let pids: Vec<u64> = (1..=nodes as u64).collect();
        let nodes = pids.iter().map(|pid| Node::new(*pid, pids.clone())).collect();
        let mut cluster = Self { nodes, taken: Vec::new() };
        cluster.nodes[0].paxos.try_become_leader();
        cluster.run();
        for node in &cluster.nodes {
            assert_eq!(node.paxos.get_current_leader(), Some((1, true)));
        }
        cluster
    }
}

impl Cluster for Omni {
    fn propose(&mut self, commands: Commands) {
        let leader = &mut self.nodes[0].paxos;
        for command in commands.bytes() {
            leader.append(Command(command)).expect("no reconfiguration is under way");
        }
        leader.tick();
    }

    fn run(&mut self) {
        loop {
            for node in &mut self.nodes {
                node.paxos.take_outgoing_messages(&mut self.taken);
            }
            if self.taken.is_empty() {
                return;
            }
            for message in self.taken.drain(..) {
                let place = usize::try_from(message.get_receiver() - 1).expect("a node");
                self.nodes[place].paxos.handle_incoming(message);
            }
            for node in &mut self.nodes {
                node.apply();
            }
        }
    }

    fn applied(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.order.count()).collect()
    }
}
