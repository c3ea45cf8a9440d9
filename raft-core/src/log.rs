//! The replicated log, and how far it is durable and committed.
//!
//! The disk follows the log in memory at a distance. Two marks say how far: `durable` (on the disk) and
//! `submitted` (on the disk or in the write that is under way). Both speak of *this* log: truncating it
//! pulls them back, and with them the mark that the write under way will set, so that a late receipt
//! cannot make a replaced entry count as durable.
//!
//! Invariants: `base.index <= commit <= last`, `base.index <= durable <= submitted <= last`; terms never
//! fall; what is committed is never truncated.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::entry::{Entries, Entry};
use crate::persist::{Append, Write};
use crate::types::{LogIndex, LogPosition, Term};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Log {
    /// What lies before the first entry: the position of the last snapshot.
    base: LogPosition,
    entries: VecDeque<Entry>,
    /// Invariant: never falls.
    commit: LogIndex,
    durable: LogIndex,
    submitted: LogIndex,
    /// What `durable` becomes at the receipt of the write under way.
    in_flight: Option<LogIndex>,
    /// The disk may hold other entries from here on; the next write removes them.
    stale_from: Option<LogIndex>,
    /// Bytes after `durable`.
    undurable_bytes: u64,
    /// Bytes after `commit`.
    uncommitted_bytes: u64,
}

impl Log {
    /// The log as a disk holds it.
    pub(crate) fn restore(base: LogPosition, entries: Vec<Entry>, commit: LogIndex) -> Self {
        let last = base.index.advanced(entries.len());
        let mut log = Self {
            base,
            entries: entries.into(),
            commit: base.index,
            durable: last,
            submitted: last,
            in_flight: None,
            stale_from: None,
            undurable_bytes: 0,
            uncommitted_bytes: 0,
        };
        log.uncommitted_bytes = log.bytes_in(base.index, last);
        log.commit_to(commit.clamp(base.index, last));
        log
    }

    pub(crate) fn base(&self) -> LogPosition {
        self.base
    }

    pub(crate) fn last(&self) -> LogPosition {
        let term = self.entries.back().map_or(self.base.term, |entry| entry.term);
        LogPosition::new(term, self.last_index())
    }

    pub(crate) fn last_index(&self) -> LogIndex {
        self.base.index.advanced(self.entries.len())
    }

    pub(crate) fn commit(&self) -> LogIndex {
        self.commit
    }

    pub(crate) fn durable(&self) -> LogIndex {
        self.durable
    }

    pub(crate) fn undurable_bytes(&self) -> u64 {
        self.undurable_bytes
    }

    pub(crate) fn uncommitted_bytes(&self) -> u64 {
        self.uncommitted_bytes
    }

    pub(crate) fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.offset(index).and_then(|offset| self.entries.get(offset))
    }

    /// The term at `index`, also at the base; `None` outside the log.
    pub(crate) fn term_at(&self, index: LogIndex) -> Option<Term> {
        if index == self.base.index {
            Some(self.base.term)
        } else {
            self.entry(index).map(|entry| entry.term)
        }
    }

    /// Whether the log holds `position`. What lies before the base is committed, so every leader holds
    /// it and it cannot differ.
    pub(crate) fn holds(&self, position: LogPosition) -> bool {
        position.index < self.base.index || self.term_at(position.index) == Some(position.term)
    }

    /// The last entry that could be shared with a log that holds `position`: at or before it, and of no
    /// later term. Both sides of a mismatch use it to skip whole terms at once (paper §5.3).
    pub(crate) fn last_agreeable(&self, position: LogPosition) -> LogPosition {
        let of_no_later_term = self.entries.partition_point(|entry| entry.term <= position.term);
        let index =
            self.base.index.advanced(of_no_later_term).min(position.index).max(self.base.index);
        let term = self.term_at(index).expect("the index lies between the base and the last entry");
        LogPosition::new(term, index)
    }

    /// The entries after `after`, as many as fit; one at least if there is one, however large.
    pub(crate) fn batch_after(&self, after: LogIndex, limits: Limits) -> Entries {
        let until = limits.until.min(self.last_index());
        let mut bytes = 0;
        let fits = |(count, entry): &(u64, &Entry)| {
            bytes += entry.size();
            *count == 1 || (*count <= limits.entries && bytes <= limits.bytes)
        };
        let count = (1..).zip(self.entries_in(after, until)).take_while(fits).count();
        self.entries_in(after, after.advanced(count)).cloned().collect()
    }

    pub(crate) fn append(&mut self, entry: Entry) -> LogPosition {
        debug_assert!(entry.term >= self.last().term, "INV-1: the terms of a log never fall");
        self.undurable_bytes += entry.size();
        self.uncommitted_bytes += entry.size();
        self.entries.push_back(entry);
        self.last()
    }

    /// Removes `first` and all after it.
    pub(crate) fn truncate_from(&mut self, first: LogIndex) {
        assert!(first > self.commit, "INV-2: what is committed is never truncated");
        let last = self.last_index();
        let keep = first.previous();
        self.undurable_bytes -= self.bytes_in(keep.max(self.durable), last);
        self.uncommitted_bytes -= self.bytes_in(keep, last);
        let offset = self.offset(first).expect("the first entry to go is in the log");
        self.entries.truncate(offset);
        if first <= self.submitted {
            self.stale_from = Some(self.stale_from.map_or(first, |stale| stale.min(first)));
        }
        // INV-3: a receipt never makes a replaced entry count as durable.
        self.submitted = self.submitted.min(keep);
        self.durable = self.durable.min(keep);
        self.in_flight = self.in_flight.map(|mark| mark.min(keep));
    }

    /// Notes that everything up to `index` is committed; says whether that is news.
    pub(crate) fn commit_to(&mut self, index: LogIndex) -> bool {
        debug_assert!(
            index <= self.last_index(),
            "INV-4: nothing is committed that is not in the log"
        );
        if index <= self.commit {
            return false;
        }
        self.uncommitted_bytes -= self.bytes_in(self.commit, index);
        self.commit = index;
        true
    }

    /// Whether the disk lacks anything that no write carries yet.
    pub(crate) fn has_unsubmitted(&self) -> bool {
        self.stale_from.is_some() || self.submitted < self.last_index()
    }

    /// Puts everything the disk lacks into a write, which is then under way.
    pub(crate) fn submit(&mut self, write: &mut Write) {
        debug_assert!(self.in_flight.is_none(), "INV-5: one write is under way at a time");
        write.truncate_from = self.stale_from.take();
        let last = self.last_index();
        if self.submitted < last {
            let entries = self.entries_in(self.submitted, last).cloned().collect();
            write.append = Some(Append { first: self.submitted.next(), entries });
        }
        self.submitted = last;
        self.in_flight = Some(last);
    }

    /// The write under way is durable.
    pub(crate) fn complete(&mut self) {
        if let Some(mark) = self.in_flight.take() {
            self.undurable_bytes -= self.bytes_in(self.durable, mark);
            self.durable = self.durable.max(mark);
        }
    }

    /// Where the entry at `index` lies in `entries`; `None` at or before the base.
    fn offset(&self, index: LogIndex) -> Option<usize> {
        let number = index.0.checked_sub(self.base.index.0)?.checked_sub(1)?;
        usize::try_from(number).ok()
    }

    /// The entries in `(after, last]`, which must be in the log.
    fn entries_in(&self, after: LogIndex, last: LogIndex) -> impl Iterator<Item = &Entry> {
        let start = self.offset(after.next()).unwrap_or(0).min(self.entries.len());
        let end = self.offset(last).map_or(start, |offset| (offset + 1).max(start));
        self.entries.range(start..end.min(self.entries.len()).max(start))
    }

    fn bytes_in(&self, after: LogIndex, last: LogIndex) -> u64 {
        self.entries_in(after, last).map(Entry::size).sum()
    }

    /// The marks in their order, for the invariants.
    pub(crate) fn marks(&self) -> [LogIndex; 4] {
        [self.base.index, self.durable, self.submitted, self.last_index()]
    }

    /// Whether the byte counters agree with the entries. Linear: for tests.
    #[cfg(test)]
    pub(crate) fn counters_agree(&self) -> bool {
        let last = self.last_index();
        self.undurable_bytes == self.bytes_in(self.durable, last)
            && self.uncommitted_bytes == self.bytes_in(self.commit, last)
    }
}

/// How much of the log to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The last index.
    pub(crate) until: LogIndex,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}
