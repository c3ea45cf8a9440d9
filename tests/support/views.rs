//! What tests look at.

use bytes::Bytes;
use raft_core::{LogIndex, NodeId, Role};

use super::{Cluster, Host};

impl Cluster {
    /// The terms of a node's log, from index 1.
    pub(crate) fn terms(&self, id: NodeId) -> Vec<u64> {
        let node = self.node(id);
        (1..).map_while(|index| node.entry(LogIndex(index)).map(|entry| entry.term.0)).collect()
    }

    /// The commands that a node's machine was given.
    pub(crate) fn commands(&self, id: NodeId) -> Vec<String> {
        let text = |command: &Bytes| String::from_utf8_lossy(command).into_owned();
        self.hosts[&id].commands.iter().map(text).collect()
    }

    pub(crate) fn commit(&self, id: NodeId) -> u64 {
        self.node(id).commit().0
    }

    pub(crate) fn last(&self, id: NodeId) -> u64 {
        self.node(id).last().index.0
    }

    pub(crate) fn term(&self, id: NodeId) -> u64 {
        self.node(id).term().0
    }

    pub(crate) fn role(&self, id: NodeId) -> Role {
        self.node(id).role()
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        let leads = |host: &Host| host.node.as_ref().is_some_and(|n| n.role() == Role::Leader);
        let leaders = self.hosts.iter().filter(|(_, host)| leads(host)).map(|(id, _)| *id);
        leaders.max_by_key(|id| self.node(*id).term())
    }
}
