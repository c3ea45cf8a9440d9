//! What an onlooker has been shown of each node's log and membership, so that only what changed is told.
//!
//! Invariant: without a trace nothing here is touched.

use raft_core::{Instant, LogIndex, Membership, PeerStatus, Term};

use super::World;
use super::trace::{LogEntry, Trace, TraceEvent};
use crate::machine::Machine;
use crate::raft::Raft;

/// What was shown of a node.
#[derive(Debug, Default)]
pub(super) struct Shown {
    base: LogIndex,
    /// Of the entries after the base.
    terms: Vec<Term>,
    membership: Option<Membership>,
    peers: Vec<PeerStatus>,
}

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    /// A node starts: all of its log is shown anew.
    pub(super) fn show_all(&mut self, node: usize) {
        if T::ENABLED {
            self.shown[node] = Shown::default();
            self.show(node);
        }
    }

    /// Shows what has changed of a node's log and membership.
    pub(super) fn show(&mut self, node: usize) {
        if !T::ENABLED {
            return;
        }
        let host = &self.hosts[node];
        let Some(raft) = &host.raft else { return };
        let (shown, at, id) = (&mut self.shown[node], Instant(self.now), host.id);
        let (base, last) = (host.view.base.index, host.view.last.index);
        let first = shown.first_change(base, last, raft);
        if base != shown.base || first <= last || last != shown.last() {
            let entries: Vec<LogEntry<'_>> = (first.0..=last.0)
                .map(LogIndex)
                .map(|index| LogEntry {
                    term: raft.term(index).unwrap_or_default(),
                    entry: raft.entry(index),
                })
                .collect();
            shown.take(base, first, entries.iter().map(|entry| entry.term));
            let event = TraceEvent::Log { node: id, base, first, entries: &entries };
            self.trace.record(at, event);
        }
        if shown.membership.as_ref() != Some(raft.membership()) {
            shown.membership = Some(raft.membership().clone());
            self.trace.record(at, TraceEvent::Members { node: id, members: raft.membership() });
        }
    }

    /// Shows what has changed of what a leader knows of its peers.
    pub(super) fn show_peers(&mut self, node: usize) {
        if !T::ENABLED {
            return;
        }
        let host = &self.hosts[node];
        let Some(raft) = &host.raft else { return };
        let (shown, peers) = (&mut self.shown[node], raft.peers());
        // How long ago each was heard is another number at every answer.
        let alike = |(one, other): (&PeerStatus, &PeerStatus)| {
            let told = |peer: &PeerStatus| (peer.id, peer.matched, peer.next, peer.flow);
            told(one) == told(other)
        };
        if shown.peers.len() != peers.len() || !shown.peers.iter().zip(&peers).all(alike) {
            shown.peers = peers;
            let event = TraceEvent::Peers { node: host.id, peers: &shown.peers };
            self.trace.record(Instant(self.now), event);
        }
    }
}

impl Shown {
    fn last(&self) -> LogIndex {
        self.base.advanced(self.terms.len())
    }

    /// The first entry that differs from what was shown: logs with an entry of the same index and term are the same up
    /// to it (paper §5.3).
    fn first_change<R: Raft>(&self, base: LogIndex, last: LogIndex, raft: &R) -> LogIndex {
        let mut first = last.next();
        while first > base.next() {
            let before = LogIndex(first.0 - 1);
            let place = usize::try_from(before.0.wrapping_sub(self.base.0 + 1)).ok();
            let known = place.and_then(|place| self.terms.get(place)).copied();
            if known.is_some() && known == raft.term(before) {
                break;
            }
            first = before;
        }
        first
    }

    fn take(&mut self, base: LogIndex, first: LogIndex, terms: impl Iterator<Item = Term>) {
        let kept = first.0.saturating_sub(self.base.0 + 1);
        self.terms.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        if self.last().next() < first {
            // Everything before was never shown: a log begins behind a snapshot.
            (self.base, self.terms) = (LogIndex(first.0 - 1), Vec::new());
        }
        self.terms.extend(terms);
        let gone = usize::try_from(base.0.saturating_sub(self.base.0)).unwrap_or(usize::MAX);
        self.terms.drain(..gone.min(self.terms.len()));
        self.base = base;
    }
}
