//! `raft` 0.7.0 (tikv/raft-rs).
//!
//! Settings, and why they are the best known:
//!
//! * The codec `protobuf-codec`, which `TiKV` uses too: payloads are `Bytes` there, and copies of an
//!   entry share them. With `prost-codec` they are a `Vec<u8>` that every copy of an entry copies.
//! * Logging is off twice: a drain that discards, and slog's level `off` at compile time.
//! * A burst is one `MsgPropose` with all its entries, which `RawNode::step` takes: one append and one
//!   message to each follower. `RawNode::propose` for each command, with `batch_append`, has to find
//!   and rebuild the waiting message each time.
//! * `max_size_per_msg` is unlimited, `max_inflight_msgs` is 256: nothing is ever held back.
//! * No pre-vote, no check of the quorum: without ticks they would do nothing, after the election.
//! * A node steps all that waits for it and then handles one `Ready`, as in the crate's example of
//!   five nodes. Writes count as done at once, so `advance` follows; a leader's messages leave first.
//! * The storage is a vector of its own, that entries are moved into. The crate's `MemStorage`, "mainly
//!   for tests", copies them, and locks.
//! * Messages are moved, nothing is serialized.

use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, EntryType, Message, MessageType, Snapshot};
use raft::{Config, GetEntriesContext, RaftState, RawNode, StateRole, Storage};
use slog::{Discard, Logger, o};

use crate::workload::{Cluster, Commands, Order};

/// A log that begins at index 1 and is never compacted, and the rest of what is stored.
struct Vector {
    log: Vec<Entry>,
    state: RaftState,
}

/// How many entries are before this index.
fn before(index: u64) -> usize {
    usize::try_from(index - 1).expect("a log that fits into memory")
}

impl Vector {
    fn append(&mut self, entries: Vec<Entry>) {
        if let Some(first) = entries.first() {
            self.log.truncate(before(first.index));
            self.log.extend(entries);
        }
    }
}

impl Storage for Vector {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(self.state.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        _: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        Ok(self.log[before(low)..before(high)].to_vec())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        Ok(if index == 0 { 0 } else { self.log[before(index)].term })
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.log.len() as u64)
    }

    fn snapshot(&self, _: u64, _: u64) -> raft::Result<Snapshot> {
        unreachable!("everybody has the log from its begin");
    }
}

struct Node {
    raft: RawNode<Vector>,
    order: Order,
    /// What waits for it.
    inbox: Vec<Message>,
}

impl Node {
    fn new(id: u64, voters: &[u64]) -> Self {
        let config = Config {
            id,
            max_size_per_msg: raft::NO_LIMIT,
            max_inflight_msgs: 256,
            ..Config::default()
        };
        let conf_state = ConfState::from((voters.to_vec(), Vec::new()));
        let storage =
            Vector { log: Vec::new(), state: RaftState { conf_state, ..RaftState::default() } };
        let logger = Logger::root(Discard, o!());
        let raft = RawNode::new(&config, storage, &logger).expect("the settings are valid");
        Self { raft, order: Order::default(), inbox: Vec::new() }
    }

    /// Handles what came, and gives what is to be sent.
    fn handle(&mut self, sent: &mut Vec<Message>) {
        for message in self.inbox.drain(..) {
            self.raft.step(message).expect("a message of this cluster");
        }
        if !self.raft.has_ready() {
            return;
        }
        let mut ready = self.raft.ready();
        sent.extend(ready.take_messages());
        self.apply(&ready.take_committed_entries());
        let storage = self.raft.mut_store();
        storage.append(ready.take_entries());
        if let Some(state) = ready.hs() {
            storage.state.hard_state = state.clone();
        }
        sent.extend(ready.take_persisted_messages());
        let mut light = self.raft.advance(ready);
        if let Some(commit) = light.commit_index() {
            self.raft.mut_store().state.hard_state.set_commit(commit);
        }
        sent.extend(light.take_messages());
        self.apply(&light.take_committed_entries());
        self.raft.advance_apply();
    }

    fn apply(&mut self, entries: &[Entry]) {
        for entry in entries {
            // A new leader's own entry is empty.
            if entry.get_entry_type() == EntryType::EntryNormal && !entry.data.is_empty() {
                self.order.take(&entry.data);
            }
        }
    }
}

/// The first node leads.
pub(crate) struct RaftRs {
    nodes: Vec<Node>,
    sent: Vec<Message>,
}

impl RaftRs {
    pub(crate) fn elected(nodes: usize) -> Self {
        let ids: Vec<u64> = (1..=nodes as u64).collect();
        let nodes = ids.iter().map(|id| Node::new(*id, &ids)).collect();
        let mut cluster = Self { nodes, sent: Vec::new() };
        cluster.nodes[0].raft.campaign().expect("a voter may stand");
        cluster.run();
        assert_eq!(cluster.nodes[0].raft.raft.state, StateRole::Leader);
        cluster
    }
}

fn entry(data: Bytes) -> Entry {
    Entry { data, ..Entry::default() }
}

impl Cluster for RaftRs {
    fn propose(&mut self, commands: Commands) {
        let raft = &mut self.nodes[0].raft;
        let mut message = Message { from: raft.raft.id, ..Message::default() };
        message.set_msg_type(MessageType::MsgPropose);
        message.set_entries(commands.bytes().map(entry).collect());
        raft.step(message).expect("the leader takes all");
    }

    fn run(&mut self) {
        loop {
            for node in &mut self.nodes {
                node.handle(&mut self.sent);
            }
            if self.sent.is_empty() {
                return;
            }
            for message in self.sent.drain(..) {
                let place = usize::try_from(message.to - 1).expect("a node of the cluster");
                self.nodes[place].inbox.push(message);
            }
        }
    }

    fn applied(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.order.count()).collect()
    }
}
