//! What each node is known to have heard from each other: a leader that is followed learns it from their answers.
//!
//! An answer proves that its sender followed the leader when it was sent, and it was sent after the latest of the
//! leader's messages that had arrived there. So the leader is known to be followed as of when it sent that one.

use raft_core::Instant;

/// Two tables, each with a place for every pair of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Echoes {
    nodes: usize,
    /// When the latest message from the one was sent that has arrived at the other, in a term the other follows.
    heard: Vec<Instant>,
    /// The same, as far as answers have told it to the one.
    told: Vec<Instant>,
}

impl Echoes {
    pub(crate) fn new(nodes: usize) -> Self {
        let table = vec![Instant(0); nodes * nodes];
        Self { nodes, heard: table.clone(), told: table }
    }

    /// What an answer from `from` proves to `to` if it is sent now.
    pub(crate) fn carried(&self, from: usize, to: usize) -> Instant {
        self.heard[from * self.nodes + to]
    }

    /// A message that was sent at `sent` arrives at somebody who does not know a later term.
    pub(crate) fn hear(&mut self, from: usize, to: usize, sent: Instant) {
        let heard = &mut self.heard[to * self.nodes + from];
        *heard = sent.max(*heard);
    }

    /// An answer of the leader's term arrives at the leader.
    pub(crate) fn tell(&mut self, from: usize, to: usize, carried: Instant) {
        let told = &mut self.told[to * self.nodes + from];
        *told = carried.max(*told);
    }

    /// As of when `leader` knows that `peer` followed it.
    pub(crate) fn followed(&self, leader: usize, peer: usize) -> Instant {
        self.told[leader * self.nodes + peer]
    }
}
