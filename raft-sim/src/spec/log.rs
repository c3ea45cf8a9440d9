//! A log as the specification sees it: which term's entry stands at each index, and the memberships among them.
//!
//! Terms are kept in runs, so that a log is as long as it has terms: copies and comparisons cost next to nothing.
//!
//! Invariant: runs and memberships are in the order of their indexes, which are at most `last`.

use std::sync::Arc;

use raft_core::{Entry, LogIndex, LogPosition, Membership, Payload, Term};

/// What stands at an index, as far as a node tells.
type Stands<'a> = (Option<Term>, Option<&'a Entry>);

/// A membership with the index of its entry.
type Dated = (LogIndex, Arc<Membership>);

/// A log from index 1 on, whatever a node has compacted.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    last: LogIndex,
    /// What a snapshot has put in the place of the log's beginning lies up to here.
    base: LogIndex,
    /// The first index of each term.
    runs: Vec<(LogIndex, Term)>,
    memberships: Vec<Dated>,
}

impl Log {
    pub(super) fn last_index(&self) -> LogIndex {
        self.last
    }

    pub(super) fn base(&self) -> LogIndex {
        self.base
    }

    pub(super) fn last(&self) -> LogPosition {
        LogPosition::new(self.runs.last().map_or(Term::ZERO, |run| run.1), self.last)
    }

    /// The term at an index; of the beginning, at index 0.
    pub(super) fn at(&self, index: LogIndex) -> Option<Term> {
        if index > self.last {
            return None;
        }
        let run = self.runs.iter().rfind(|(first, _)| *first <= index);
        Some(run.map_or(Term::ZERO, |run| run.1))
    }

    pub(super) fn holds(&self, position: LogPosition) -> bool {
        self.at(position.index) == Some(position.term)
    }

    /// Whether both reach `index` and are equal up to it.
    pub(super) fn equals_up_to(&self, other: &Self, index: LogIndex) -> bool {
        let starts = |log: &Self| log.runs.partition_point(|(first, _)| *first <= index);
        let (own, others) = (starts(self), starts(other));
        index <= self.last.min(other.last) && self.runs[..own] == other.runs[..others]
    }

    pub(super) fn push(&mut self, term: Term, entry: Option<&Entry>) {
        self.last = self.last.next();
        if self.runs.last().is_none_or(|run| run.1 != term) {
            self.runs.push((self.last, term));
        }
        if let Some(Payload::Membership(membership)) = entry.map(|entry| &entry.payload) {
            self.memberships.push((self.last, membership.clone()));
        }
    }

    /// Removes everything after `keep`.
    pub(super) fn truncate(&mut self, keep: LogIndex) {
        self.last = self.last.min(keep);
        let runs = self.runs.partition_point(|(first, _)| *first <= keep);
        self.runs.truncate(runs);
        let kept = self.memberships.partition_point(|(at, _)| *at <= keep);
        self.memberships.truncate(kept);
    }

    /// A snapshot of `other` as of `index` takes the place of the log, unless the log holds its position.
    pub(super) fn begin_with(&mut self, other: &Self, index: LogIndex) {
        if !self.equals_up_to(other, index) {
            *self = other.clone();
            self.truncate(index);
        }
        self.base = self.base.max(index);
    }

    /// Up to where a log that a node tells of is this one. Entries of one term at one index are the same.
    pub(super) fn common(
        &self,
        last: LogIndex,
        term: impl Fn(LogIndex) -> Option<Term>,
    ) -> LogIndex {
        let mut common = self.last.min(last);
        while common > self.base && term(common).is_some_and(|term| Some(term) != self.at(common)) {
            common = common.previous();
        }
        common
    }

    /// Keeps what lies before, and goes on with what a node tells.
    pub(super) fn take<'a>(
        &mut self,
        kept: LogIndex,
        last: LogIndex,
        tell: impl Fn(LogIndex) -> Stands<'a>,
    ) {
        self.truncate(kept);
        while self.last < last {
            let (term, entry) = tell(self.last.next());
            self.push(term.unwrap_or_default(), entry);
        }
    }

    /// Goes on like `other`, which begins with all of this, through `last`.
    pub(super) fn extend(&mut self, other: &Self, last: LogIndex) {
        let runs = other.runs.iter().filter(|(first, _)| *first > self.last && *first <= last);
        self.runs.extend(runs);
        let memberships = other.memberships.iter();
        self.memberships
            .extend(memberships.filter(|(at, _)| *at > self.last && *at <= last).cloned());
        self.last = last;
    }

    /// The last membership, with its index.
    pub(super) fn membership(&self) -> Option<&Dated> {
        self.memberships.last()
    }

    /// The memberships after `index`, in order, each with the one before it.
    pub(super) fn memberships_after(
        &self,
        index: LogIndex,
    ) -> impl Iterator<Item = (Option<&Dated>, &Dated)> {
        let first = self.memberships.partition_point(|(at, _)| *at <= index);
        let before = |place: usize| place.checked_sub(1).map(|place| &self.memberships[place]);
        (first..self.memberships.len()).map(move |place| (before(place), &self.memberships[place]))
    }
}
