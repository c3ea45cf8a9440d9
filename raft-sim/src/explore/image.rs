//! A log as it can be compared: of a node's memory, or of its disk.

use std::sync::Arc;

use raft_core::{Entry, LogIndex, LogPosition, Node, Term};
use serde::Serialize;

/// The entries after a position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Image {
    /// What lies before the first entry.
    pub(super) base: LogPosition,
    pub(super) entries: Arc<Vec<Entry>>,
}

impl Image {
    /// The log of a node. What it does not keep in memory it reads from its disk.
    pub(super) fn of(node: &Node, disk: &Self) -> Self {
        let base = node.base();
        let indexes = (base.index.0 + 1..=node.last().index.0).map(LogIndex);
        let on_disk = |index| disk.at(index).filter(|read| Some(read.term) == node.term_at(index));
        let entry = |index| node.entry(index).or_else(|| on_disk(index)).cloned();
        Self { base, entries: Arc::new(indexes.map_while(entry).collect()) }
    }

    pub(super) fn last(&self) -> LogPosition {
        let index = self.base.index.advanced(self.entries.len());
        let term = self.entries.last().map_or(self.base.term, |entry| entry.term);
        LogPosition::new(term, index)
    }

    /// The entry at an index, if it is not before the beginning or after the end.
    pub(super) fn at(&self, index: LogIndex) -> Option<&Entry> {
        let place = index.0.checked_sub(self.base.index.0 + 1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// The term at an index, also at the base.
    pub(super) fn term(&self, index: LogIndex) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.at(index).map(|entry| entry.term)
    }

    /// Whether both reach `index` and are equal up to it. What lies before either begins is committed: where they begin,
    /// the terms tell.
    pub(super) fn equals_up_to(&self, other: &Self, index: LogIndex) -> bool {
        let begin = self.base.index.max(other.base.index);
        if index > self.last().index || index > other.last().index {
            return false;
        }
        index < begin
            || self.term(begin) == other.term(begin)
                && (begin.0 + 1..=index.0)
                    .map(LogIndex)
                    .all(|index| self.at(index) == other.at(index))
    }

    /// The last index up to which both are equal.
    pub(super) fn agreement(&self, other: &Self) -> LogIndex {
        let mut agreed = self.last().index.min(other.last().index);
        while agreed > LogIndex::ZERO && !self.equals_up_to(other, agreed) {
            agreed = agreed.previous();
        }
        agreed
    }

    /// The first index at which both hold an entry of the same term and differ there or before (Log Matching).
    pub(super) fn mismatch(&self, other: &Self) -> Option<LogIndex> {
        let last = self.last().index.min(other.last().index);
        let begin = self.base.index.max(other.base.index);
        (begin.0..=last.0).rev().map(LogIndex).find(|index| {
            self.term(*index) == other.term(*index) && !self.equals_up_to(other, *index)
        })
    }

    /// Removes `first` and all after it.
    pub(super) fn truncate(&mut self, first: LogIndex) {
        let kept = first.0.saturating_sub(self.base.index.0 + 1);
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        if kept < self.entries.len() {
            Arc::make_mut(&mut self.entries).truncate(kept);
        }
    }

    /// Begins after `base` from now on.
    pub(super) fn compact(&mut self, base: LogPosition) -> Result<(), String> {
        let gone = usize::try_from(base.index.entries_since(self.base.index)).unwrap_or(usize::MAX);
        let held = gone.checked_sub(1).and_then(|last| self.entries.get(last));
        if held.is_some_and(|entry| entry.term != base.term) || gone > self.entries.len() {
            return Err(format!("compacts its log to {base}, which is not in it"));
        }
        Arc::make_mut(&mut self.entries).drain(..gone);
        self.base = self.base.max(base);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use raft_core::Payload;

    use super::*;

    fn log(base: (u64, u64), terms: &[u64]) -> Image {
        let entry = |term: &u64| Entry { term: Term(*term), payload: Payload::Blank };
        Image {
            base: LogPosition::new(Term(base.0), LogIndex(base.1)),
            entries: Arc::new(terms.iter().map(entry).collect()),
        }
    }

    /// Goal: logs agree up to where they differ first, wherever they begin.
    #[test]
    fn logs_agree_up_to_the_first_difference() {
        let one = log((0, 0), &[1, 1, 2]);
        assert_eq!(one.agreement(&log((0, 0), &[1, 1, 3])), LogIndex(2));
        assert_eq!(one.agreement(&log((1, 2), &[2, 2])), LogIndex(3));
        assert_eq!(one.agreement(&log((1, 2), &[3])), LogIndex(2));
        assert_eq!(one.agreement(&log((2, 2), &[2])), LogIndex(1), "another beginning");
        assert_eq!(one.mismatch(&log((0, 0), &[1, 2, 2])), Some(LogIndex(3)));
        assert_eq!(one.mismatch(&log((0, 0), &[1, 1, 3])), None);
    }
}
