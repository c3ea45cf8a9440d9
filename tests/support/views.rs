//! What tests look at.

use bytes::Bytes;
use raft_core::{
    Envelope, Event, LogIndex, Message, NodeId, Outcome, PeerFlow, PeerStatus, Refusal, RequestId,
    Role,
};

use super::{Cluster, Happened, Host};

impl Cluster {
    /// The terms of a node's log, from where it begins.
    pub fn terms(&self, id: NodeId) -> Vec<u64> {
        let node = self.node(id);
        let first = node.base().index.next().0;
        (first..).map_while(|index| node.term_at(LogIndex(index))).map(|term| term.0).collect()
    }

    /// The commands that a node's machine was given.
    pub fn commands(&self, id: NodeId) -> Vec<String> {
        let text = |command: &Bytes| String::from_utf8_lossy(command).into_owned();
        self.hosts[&id].machine.commands.iter().map(text).collect()
    }

    pub fn commit(&self, id: NodeId) -> u64 {
        self.node(id).commit().0
    }

    pub fn last(&self, id: NodeId) -> u64 {
        self.node(id).last().index.0
    }

    pub fn base(&self, id: NodeId) -> u64 {
        self.node(id).base().index.0
    }

    pub fn term(&self, id: NodeId) -> u64 {
        self.node(id).term().0
    }

    pub fn role(&self, id: NodeId) -> Role {
        self.node(id).role()
    }

    pub fn leader(&self) -> Option<NodeId> {
        let leads = |host: &Host| host.node.as_ref().is_some_and(|n| n.role() == Role::Leader);
        let leaders = self.hosts.iter().filter(|(_, host)| leads(host)).map(|(id, _)| *id);
        leaders.max_by_key(|id| self.node(*id).term())
    }

    /// A line for each node.
    pub fn describe(&self) -> String {
        let line = |(id, host): (&NodeId, &Host)| match &host.node {
            Some(node) => format!("{}, members {:?}\n", node.status(), self.membership(*id)),
            None => format!("{id} is down\n"),
        };
        self.hosts.iter().map(line).collect()
    }

    /// The voters, the outgoing voters and the learners in force at a node.
    pub fn membership(&self, id: NodeId) -> [Vec<u64>; 3] {
        let membership = self.node(id).membership();
        let numbers = |ids: &[NodeId]| ids.iter().map(|id| id.0).collect();
        [membership.voters(), membership.outgoing(), membership.learners()].map(numbers)
    }

    /// What a leader knows of a peer.
    pub fn peer(&self, leader: NodeId, id: NodeId) -> PeerStatus {
        let peers = self.node(leader).status().peers;
        peers.into_iter().find(|peer| peer.id == id).expect("a peer of the leader")
    }

    pub fn is_sent_a_snapshot(&self, leader: NodeId, id: NodeId) -> bool {
        matches!(self.peer(leader, id).flow, PeerFlow::Snapshot { .. })
    }

    /// The answer of a request that was refused.
    pub fn refusal(&self, request: RequestId) -> Option<Refusal> {
        match self.outcome(request) {
            Some(Outcome::Refused { refusal, .. }) => Some(refusal),
            _ => None,
        }
    }

    /// The messages of a kind that a node has sent since the journal was cleared.
    pub fn sent(&self, from: NodeId, kind: &str) -> Vec<&Envelope> {
        let envelopes = self.journal.iter().filter_map(|(id, happened)| match happened {
            Happened::Sent(envelope) if *id == from => Some(envelope),
            _ => None,
        });
        envelopes.filter(|envelope| envelope.message.kind() == kind).collect()
    }

    /// Whether a node noted something since the journal was cleared.
    pub fn noted(&self, id: NodeId, is_it: impl Fn(&Event) -> bool) -> bool {
        self.journal.iter().any(|(of, happened)| {
            *of == id && matches!(happened, Happened::Noted(event) if is_it(event))
        })
    }

    /// How many messages of a kind are on their way from one node to another.
    pub fn waiting(&self, from: NodeId, to: NodeId, kind: &str) -> usize {
        let of_kind = |message: &Message| message.kind() == kind;
        let waiting = self.network.iter().filter(|e| (e.from, e.to) == (from, to));
        waiting.filter(|envelope| of_kind(&envelope.message)).count()
    }
}
