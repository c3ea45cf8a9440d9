//! What is true of the past, whatever nodes remember of it: who led which term, and what was committed.

use std::sync::Arc;

use raft_core::{Entry, LogIndex, LogPosition, NodeId, Payload, Term};
use serde::Serialize;

use super::image::Image;

/// The past, as far as the present is judged by it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Ghost {
    /// The leader of each term, by its number.
    leaders: Vec<Option<NodeId>>,
    /// The committed log.
    pub(super) log: Image,
    /// In which term each of its entries was committed.
    committed_in: Vec<Term>,
}

impl Ghost {
    pub(super) fn leader(&self, term: Term) -> Option<NodeId> {
        self.leaders.get(place(term.0)).copied().flatten()
    }

    /// A node leads a term that had no leader until now.
    pub(super) fn leads(&mut self, term: Term, node: NodeId) {
        if self.leaders.len() <= place(term.0) {
            self.leaders.resize(place(term.0) + 1, None);
        }
        self.leaders[place(term.0)] = Some(node);
    }

    /// The leader of `term` commits what its log holds up to `through`.
    pub(super) fn commit(&mut self, log: &Image, through: LogIndex, term: Term) {
        let after = self.log.last().index.0;
        let new: Vec<Entry> =
            (after + 1..=through.0).filter_map(|at| log.at(LogIndex(at)).cloned()).collect();
        let earlier = self.committed_in.last().copied().unwrap_or_default();
        self.committed_in.extend(new.iter().map(|_| term.max(earlier)));
        Arc::make_mut(&mut self.log.entries).extend(new);
    }

    pub(super) fn last(&self) -> LogPosition {
        self.log.last()
    }

    /// The last entry that was committed in a term before `term`.
    pub(super) fn committed_before(&self, term: Term) -> LogIndex {
        LogIndex(self.committed_in.partition_point(|in_term| *in_term < term) as u64)
    }

    /// The last membership that is committed.
    pub(super) fn membership(&self) -> Option<&raft_core::Membership> {
        self.log.entries.iter().rev().find_map(|entry| match &entry.payload {
            Payload::Membership(membership) => Some(&**membership),
            _ => None,
        })
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).expect("terms are few")
}
