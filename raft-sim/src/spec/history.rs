//! What was sent and who led, in every term: what conditions of actions ask.
//!
//! Messages are never taken back: the network may lose, repeat and delay them, so whatever was sent may arrive at any
//! time.

use std::collections::BTreeMap;

use raft_core::{LogIndex, LogPosition, NodeId, Term};

use super::log::Log;

/// One term.
#[derive(Debug, Default)]
pub(super) struct Era {
    /// Nodes that stood, and where their logs ended then.
    pub(super) stood: Vec<(NodeId, LogPosition)>,
    /// Those that asked for votes.
    pub(super) asked: Vec<(NodeId, LogPosition)>,
    /// Votes that were sent: by whom, to whom.
    pub(super) votes: Vec<(NodeId, NodeId)>,
    pub(super) leader: Option<NodeId>,
    /// The leader's log, as it was when it stepped down or crashed.
    pub(super) left: Option<Log>,
    /// Up to where each node has said that it holds the leader's log.
    pub(super) acknowledged: Vec<(NodeId, LogIndex)>,
    /// What the leader has told each node to be committed.
    pub(super) told: Vec<(NodeId, LogIndex)>,
    /// Snapshots that the leader has sent parts of.
    pub(super) snapshots: Vec<LogPosition>,
}

#[derive(Debug, Default)]
pub(super) struct History {
    eras: BTreeMap<Term, Era>,
}

impl History {
    pub(super) fn of(&self, term: Term) -> Option<&Era> {
        self.eras.get(&term)
    }

    pub(super) fn era(&mut self, term: Term) -> &mut Era {
        self.eras.entry(term).or_default()
    }

    /// Whether anybody ever stood in a term or said anything in it.
    pub(super) fn has(&self, term: Term) -> bool {
        self.eras.contains_key(&term)
    }

    /// Whether a leader of a term has sent a part of a snapshot.
    pub(super) fn was_sent(&self, snapshot: LogPosition, until: Term) -> bool {
        let eras = self.eras.range(..=until);
        eras.rev().any(|(_, era)| era.snapshots.contains(&snapshot))
    }
}

impl Era {
    pub(super) fn acknowledged(&self, node: NodeId) -> LogIndex {
        value(&self.acknowledged, node)
    }

    pub(super) fn told(&self, node: NodeId) -> LogIndex {
        value(&self.told, node)
    }

    pub(super) fn acknowledge(&mut self, node: NodeId, matched: LogIndex) {
        raise(&mut self.acknowledged, node, matched);
    }

    pub(super) fn tell(&mut self, node: NodeId, commit: LogIndex) {
        raise(&mut self.told, node, commit);
    }

    pub(super) fn sent(&mut self, snapshot: LogPosition) {
        if !self.snapshots.contains(&snapshot) {
            self.snapshots.push(snapshot);
        }
    }
}

fn value(of: &[(NodeId, LogIndex)], node: NodeId) -> LogIndex {
    of.iter().find(|(id, _)| *id == node).map_or(LogIndex::ZERO, |(_, index)| *index)
}

fn raise(of: &mut Vec<(NodeId, LogIndex)>, node: NodeId, to: LogIndex) {
    match of.iter_mut().find(|(id, _)| *id == node) {
        Some((_, index)) => *index = to.max(*index),
        None => of.push((node, to)),
    }
}
