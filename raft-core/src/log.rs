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
        assert!(entry.term >= self.last().term, "INV-1: the terms of a log never fall");
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
        assert!(index <= self.last_index(), "INV-4: nothing is committed that is not in the log");
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
        assert!(self.in_flight.is_none(), "INV-5: one write is under way at a time");
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The last index.
    pub(crate) until: LogIndex,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::entry::Payload;

    fn log_of(terms: &[u64]) -> Log {
        let mut log = Log::restore(LogPosition::ZERO, Vec::new(), LogIndex::ZERO);
        for term in terms {
            log.append(entry(*term));
        }
        log
    }

    fn entry(term: u64) -> Entry {
        Entry { term: Term(term), payload: Payload::command("x") }
    }

    fn at(term: u64, index: u64) -> LogPosition {
        LogPosition::new(Term(term), LogIndex(index))
    }

    /// Makes everything durable.
    fn flush(log: &mut Log) {
        log.submit(&mut Write::default());
        log.complete();
    }

    /// A receipt that comes after a truncation covers what is left of its write, and nothing of what took
    /// the place of the rest.
    #[test]
    fn a_late_receipt_covers_what_is_left() {
        let mut log = log_of(&[1, 1, 1]);
        log.submit(&mut Write::default());
        log.truncate_from(LogIndex(3));
        log.append(entry(2));
        log.append(entry(2));
        log.complete();
        assert_eq!(log.durable(), LogIndex(2));
        assert!(log.counters_agree());

        let mut write = Write::default();
        log.submit(&mut write);
        assert_eq!(write.truncate_from, Some(LogIndex(3)));
        assert_eq!(write.append.map(|append| append.first), Some(LogIndex(3)));
        log.complete();
        assert_eq!(log.durable(), LogIndex(4));
        assert!(log.counters_agree());
    }

    /// What never reached a write is not removed from the disk.
    #[test]
    fn a_truncation_of_what_was_not_submitted_is_no_write() {
        let mut log = log_of(&[1]);
        flush(&mut log);
        log.append(entry(1));
        log.truncate_from(LogIndex(2));
        assert!(!log.has_unsubmitted());
    }

    /// Through any sequence of changes the writes, taken one after the other, make a disk that holds what the
    /// durable mark says; and the byte counters agree.
    #[test]
    fn writes_follow_the_log() {
        let mut bits: u64 = 1;
        let mut below = |bound: u64| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (bits >> 33) % bound
        };
        let mut log = log_of(&[]);
        let mut disk: Vec<Entry> = vec![];
        let mut under_way: Option<Write> = None;
        for step in 0..20_000_u64 {
            match below(5) {
                0 | 1 => drop(log.append(entry(step / 100))),
                2 if log.last_index() > log.commit() => {
                    let open = log.last_index().entries_since(log.commit());
                    log.truncate_from(LogIndex(log.commit().0 + 1 + below(open)));
                }
                3 if under_way.is_none() && log.has_unsubmitted() => {
                    let mut write = Write::default();
                    log.submit(&mut write);
                    under_way = Some(write);
                }
                4 => {
                    if let Some(write) = under_way.take() {
                        take(&mut disk, write);
                        log.complete();
                        let most = log.durable().entries_since(log.commit()).min(3);
                        log.commit_to(LogIndex(log.commit().0 + below(most + 1)));
                    }
                }
                _ => {}
            }
            assert!(log.counters_agree());
            for index in (1..=log.durable().0).rev().take(5) {
                let on_disk = usize::try_from(index - 1).expect("small");
                assert_eq!(log.entry(LogIndex(index)), disk.get(on_disk));
            }
        }
        assert!(log.commit() > LogIndex(100));
    }

    fn take(disk: &mut Vec<Entry>, write: Write) {
        if let Some(first) = write.truncate_from {
            disk.truncate(usize::try_from(first.previous().0).expect("small"));
        }
        if let Some(append) = write.append {
            assert_eq!(append.first.0, disk.len() as u64 + 1, "no gap and no overlap");
            disk.extend(append.entries.iter().cloned());
        }
    }

    /// Paper §5.3: the hint skips all entries of later terms.
    #[test]
    fn the_last_agreeable_entry_is_of_no_later_term() {
        let log = log_of(&[1, 1, 4, 4, 6]);
        let cases = [
            (at(6, 9), at(6, 5)),
            (at(5, 9), at(4, 4)),
            (at(5, 3), at(4, 3)),
            (at(3, 9), at(1, 2)),
            (at(9, 4), at(4, 4)),
            (at(0, 0), at(0, 0)),
        ];
        for (position, expected) in cases {
            assert_eq!(log.last_agreeable(position), expected, "{position}");
        }
    }

    /// A batch keeps its limits, holds one entry at least, and skips none (B13).
    #[test]
    fn batches_keep_their_limits() {
        let log = log_of(&[1, 1, 2, 2, 3]);
        let size = entry(1).size();
        let batch = |after, until, bytes, entries| {
            let limits = Limits { until: LogIndex(until), bytes, entries };
            log.batch_after(LogIndex(after), limits).iter().map(|e| e.term.0).collect::<Vec<_>>()
        };
        assert_eq!(batch(0, 9, u64::MAX, u64::MAX), [1, 1, 2, 2, 3]);
        assert_eq!(batch(1, 4, u64::MAX, u64::MAX), [1, 2, 2]);
        assert_eq!(batch(2, 9, 2 * size, u64::MAX), [2, 2]);
        assert_eq!(batch(2, 9, 2 * size - 1, u64::MAX), [2]);
        assert_eq!(batch(2, 9, 0, 0), [2], "however large");
        assert!(batch(5, 9, u64::MAX, u64::MAX).is_empty());
        assert!(batch(3, 3, u64::MAX, u64::MAX).is_empty());
    }

    /// A log that begins after a snapshot counts from there.
    #[test]
    fn a_log_after_a_snapshot_counts_from_its_base() {
        let log = Log::restore(at(2, 10), vec![entry(2), entry(3)], LogIndex(99));
        assert_eq!(
            (log.last(), log.commit(), log.durable()),
            (at(3, 12), LogIndex(12), LogIndex(12))
        );
        assert_eq!((log.term_at(LogIndex(10)), log.term_at(LogIndex(9))), (Some(Term(2)), None));
        assert!(log.holds(at(1, 4)) && log.holds(at(2, 10)) && !log.holds(at(3, 13)));
        assert_eq!(log.last_agreeable(at(9, 4)), at(2, 10));
        assert!(log.counters_agree());
    }
}
