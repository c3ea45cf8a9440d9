//! Raft as a specification: what a node may do, and what it may say.
//!
//! The abstract state is that of the formal specification (thesis, Appendix B), with a disk for each node, joint
//! consensus (thesis §4.3) and snapshots (paper §7): of a node its term, vote, role, log and commit index; of
//! the whole the messages that were sent, and the committed log. Logs are the terms of their entries: an index
//! and a term name an entry. Every step of a simulated node must be an action of the specification
//! ([`actions`]), or several in a row, whose conditions hold of that node and of messages that were sent
//! before; and every message must be one that the sender's state allows ([`messages`]).
//!
//! This is another net than the checks of properties: those say what must never be seen, this says what may be done.
//! A node may depart from it long before anything bad is seen, or without. It shares nothing with them but the
//! facts that it is told.
//!
//! The order of calls is that of [`Checks`](crate::check::Checks).

mod actions;
mod history;
mod log;
mod messages;
mod node;

use std::sync::Arc;

use raft_core::{LogIndex, Membership, NodeId, Role, Write};

use self::history::History;
use self::log::Log;
use self::node::{Disk, Node};
use crate::raft::{Facts, Raft, View};

/// Why a step is none that the specification allows, in a sentence.
pub(crate) type Departure = String;

/// The abstract state.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Who the cluster begins with.
    initial: Arc<Membership>,
    /// The membership of a node that knows none.
    nobody: Arc<Membership>,
    nodes: Vec<Node>,
    /// What was sent, and who led.
    history: History,
    /// What is committed.
    committed: Log,
}

impl Spec {
    pub(crate) fn new(nodes: impl Iterator<Item = NodeId>, initial: Arc<Membership>) -> Self {
        let nodes: Vec<Node> = nodes.map(Node::new).collect();
        Self {
            initial,
            nobody: Arc::default(),
            nodes,
            history: History::default(),
            committed: Log::default(),
        }
    }

    /// A node begins with what its disk holds.
    pub(crate) fn started<R: Raft>(
        &mut self,
        place: usize,
        view: &View,
        raft: &R,
    ) -> Result<(), Departure> {
        self.crash(place);
        self.restarted(place, view)?;
        self.follow(place, view, raft)
    }

    /// The same, with a membership that is forced upon it: an operator's act, not the protocol's.
    pub(crate) fn forced<R: Raft>(&mut self, place: usize, view: &View, raft: &R) {
        self.crash(place);
        let node = &mut self.nodes[place];
        let kept = node.log.common(view.last.index, |index| raft.term(index));
        node.log.take(kept, view.last.index, |index| (raft.term(index), raft.entry(index)));
        (node.term, node.vote, node.commit) = (view.term, view.vote, view.commit);
    }

    /// A node is as its disk, and no longer in office.
    fn crash(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if node.role == Role::Leader {
            self.history.era(node.term).left = Some(node.log.clone());
        }
        node.restart();
    }

    /// A node was stepped.
    pub(crate) fn stepped<R: Raft>(
        &mut self,
        place: usize,
        view: &View,
        raft: &R,
    ) -> Result<(), Departure> {
        let result =
            if self.nodes[place].is_as(view) { Ok(()) } else { self.follow(place, view, raft) };
        self.nodes[place].heard = None;
        result
    }

    /// A message is about to be handled by its receiver.
    pub(crate) fn delivered(&mut self, to: usize, facts: &Facts) {
        self.nodes[to].heard = Some(*facts);
    }

    /// A write, or what a crash left of it, is on a disk.
    pub(crate) fn written(&mut self, place: usize, write: &Write) {
        let Disk { term, vote, log } = &mut self.nodes[place].disk;
        if let Some(state) = write.hard_state {
            (*term, *vote) = (state.term, state.vote);
        }
        match (&write.install, write.truncate_from) {
            (Some(snapshot), _) => log.begin_with(&self.committed, snapshot.position.index),
            (None, Some(from)) => log.truncate(from.previous().max(log.base())),
            (None, None) => {}
        }
        if let Some(append) = &write.append {
            for entry in append.entries.iter() {
                log.push(entry.term, Some(entry));
            }
        }
    }

    /// The membership in force at a node: the last in its log (thesis §4.1). A node that joins knows none at first.
    fn membership(&self, place: usize) -> &Arc<Membership> {
        let Node { id, log, .. } = &self.nodes[place];
        match log.membership() {
            Some((_, membership)) => membership,
            None if self.initial.contains(*id) || log.base() > LogIndex::ZERO => &self.initial,
            None => &self.nobody,
        }
    }

    fn place(&self, id: NodeId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }
}
