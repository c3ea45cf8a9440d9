//! The log: terms for all of it, payloads for the end of it, and how far it is on disk and committed.
//!
//! Four marks run along it. `submitted` is what has been given to a write, `durable` what a receipt has
//! confirmed, `commit` what a quorum holds. Marks always speak of *this* log: truncating it
//! pulls them back, and with them the mark that the write under way will set, so that a late receipt
//! cannot make a replaced entry count as durable.
//!
//! Payloads are kept while they are not durable, and after that as far as a budget goes; older ones are read
//! back from the disk when somebody needs them.
//!
//! Invariants: `base.index <= commit <= last`, `base.index <= durable <= submitted <= last`; terms never
//! fall; what is committed is never truncated; what is not durable is in memory.

use crate::cache::Cache;
use crate::entry::{Entries, Entry};
use crate::persist::{Append, Write};
use crate::terms::Terms;
use crate::types::{LogIndex, LogPosition, Term};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Log {
    terms: Terms,
    /// The last entries of the log.
    cache: Cache,
    /// Invariant: never falls.
    commit: LogIndex,
    durable: LogIndex,
    submitted: LogIndex,
    /// The write under way.
    in_flight: Option<InFlight>,
    /// The disk may hold other entries from here on; the next write removes them.
    stale_from: Option<LogIndex>,
    /// The disk may hold entries before the base; the next write removes them.
    compacts: bool,
    /// Bytes after `durable`.
    undurable_bytes: u64,
    /// Cached bytes after `commit`.
    uncommitted_bytes: u64,
}

/// What becomes durable with the write under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct InFlight {
    /// What `durable` becomes.
    mark: LogIndex,
    /// The bytes between the two.
    bytes: u64,
}

impl Log {
    /// The log as a disk holds it.
    pub(crate) fn restore(terms: Terms, commit: LogIndex) -> Self {
        let (base, last) = (terms.base().index, terms.last().index);
        Self {
            terms,
            cache: Cache::default(),
            commit: commit.clamp(base, last),
            durable: last,
            submitted: last,
            in_flight: None,
            stale_from: None,
            compacts: false,
            undurable_bytes: 0,
            uncommitted_bytes: 0,
        }
    }

    /// The log of a disk whose entries do not hold the snapshot's position, and are all to be removed.
    pub(crate) fn discarded(base: LogPosition) -> Self {
        let log = Self::restore(Terms::after(base), base.index);
        Self { stale_from: Some(LogIndex(1)), ..log }
    }

    pub(crate) fn base(&self) -> LogPosition {
        self.terms.base()
    }

    pub(crate) fn last(&self) -> LogPosition {
        self.terms.last()
    }

    pub(crate) fn last_index(&self) -> LogIndex {
        self.terms.last_index()
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

    pub(crate) fn cached_bytes(&self) -> u64 {
        self.cache.bytes()
    }

    /// The entry at `index`, if it is in memory.
    pub(crate) fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.offset(index).and_then(|offset| self.cache.get(offset))
    }

    /// The term at `index`, also at the base; `None` outside the log.
    pub(crate) fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.terms.at(index)
    }

    /// Whether the log holds `position`, or held it before its base.
    pub(crate) fn holds(&self, position: LogPosition) -> bool {
        self.terms.hold(position)
    }

    /// The last entry that could be shared with a log that holds `position` (paper §5.3).
    pub(crate) fn last_agreeable(&self, position: LogPosition) -> LogPosition {
        self.terms.last_agreeable(position)
    }

    /// Whether these are this log's entries from `first` on.
    pub(crate) fn agrees_with(&self, first: LogIndex, entries: &[Entry]) -> bool {
        let agrees = |(offset, entry): (usize, &Entry)| {
            self.terms.at(first.advanced(offset)) == Some(entry.term)
        };
        first > self.base().index && entries.iter().enumerate().all(agrees)
    }

    /// How many of the first of these entries, which follow `previous`, are in this log, or lie before it begins.
    pub(crate) fn held(&self, previous: LogIndex, entries: &[Entry]) -> usize {
        if previous == self.last_index() {
            return 0;
        }
        let base = self.base().index;
        let is_held = |(offset, entry): &(usize, &Entry)| {
            let index = previous.advanced(offset + 1);
            index <= base || self.terms.at(index) == Some(entry.term)
        };
        entries.iter().enumerate().take_while(is_held).count()
    }

    /// The entries after `after`, as many as fit; one at least if there is one, however large. They must be
    /// in memory, or there is none.
    pub(crate) fn batch_after(&self, after: LogIndex, limits: Limits) -> Entries {
        let most = LogIndex(after.0.saturating_add(limits.entries.max(1)));
        let until = limits.until.min(self.last_index()).min(most);
        let Some(start) = self.offset(after.next()).filter(|_| until > after) else {
            return Entries::EMPTY;
        };
        self.cache.batch(start, start + until.entries_since(after), limits.bytes)
    }

    pub(crate) fn append(&mut self, entry: Entry) -> LogPosition {
        let size = entry.size();
        self.undurable_bytes += size;
        self.uncommitted_bytes += size;
        self.terms.push(entry.term);
        self.cache.push(entry);
        self.last()
    }

    /// Appends entries that are shared with the message that brought them.
    pub(crate) fn append_run(&mut self, entries: Entries) {
        self.undurable_bytes += entries.size();
        self.uncommitted_bytes += entries.size();
        self.terms.push_all(entries.iter().map(|entry| entry.term));
        self.cache.push_run(entries);
    }

    /// What was appended one by one is shared from now on.
    pub(crate) fn seal(&mut self) {
        self.cache.seal();
    }

    /// Removes `first` and all after it.
    pub(crate) fn truncate_from(&mut self, first: LogIndex) {
        assert!(first > self.commit, "INV-2: what is committed is never truncated");
        let last = self.last_index();
        let keep = first.previous();
        self.undurable_bytes -= self.bytes_in(keep.max(self.durable), last);
        self.uncommitted_bytes -= self.bytes_in(keep, last);
        self.cache.truncate(self.offset(first).unwrap_or(0));
        self.terms.truncate_after(keep);
        if first <= self.submitted {
            self.stale_from = Some(self.stale_from.map_or(first, |stale| stale.min(first)));
        }
        // INV-3: a receipt never makes a replaced entry count as durable.
        self.submitted = self.submitted.min(keep);
        self.durable = self.durable.min(keep);
        if let Some(InFlight { mark, .. }) = self.in_flight.filter(|write| write.mark > keep) {
            let mark = mark.min(keep);
            self.in_flight = Some(InFlight { mark, bytes: self.bytes_in(self.durable, mark) });
        }
    }

    /// Notes that everything up to `index` is committed; says whether that is news.
    pub(crate) fn commit_to(&mut self, index: LogIndex) -> bool {
        assert!(index <= self.last_index(), "INV-4: nothing is committed that is not in the log");
        if index <= self.commit {
            return false;
        }
        self.uncommitted_bytes -= if index == self.last_index() {
            self.uncommitted_bytes
        } else {
            self.bytes_in(self.commit, index)
        };
        self.commit = index;
        true
    }

    /// Begins after `index`, which must be committed and durable. The next write removes what lies before.
    pub(crate) fn compact(&mut self, index: LogIndex) {
        let last = index.min(self.commit).min(self.durable);
        let Some(term) = self.terms.at(last).filter(|_| last > self.base().index) else { return };
        let cached_first = self.cached_first();
        self.forget_cached(last.next().entries_since(cached_first));
        self.terms.compact(LogPosition::new(term, last));
        self.compacts = true;
    }

    /// Lets durable payloads go until `limit` is kept. What is not committed stays, unless there is more of it
    /// than any leader of this cluster would have.
    pub(crate) fn evict(&mut self, limit: u64, most_uncommitted: u64) {
        if self.cache.bytes() > limit {
            self.evict_excess(self.cache.bytes() - limit, most_uncommitted);
        }
    }

    /// Lets at least `excess` bytes of payloads go, or as many as may.
    #[inline(never)]
    fn evict_excess(&mut self, mut excess: u64, most_uncommitted: u64) {
        let (mut index, mut uncommitted) = (self.cached_first(), self.uncommitted_bytes);
        let durable = self.durable.next().entries_since(index);
        let may_go = |entry: &&Entry| {
            let is_committed = index <= self.commit;
            if excess == 0 || !is_committed && uncommitted - entry.size() < most_uncommitted {
                return false;
            }
            uncommitted -= if is_committed { 0 } else { entry.size() };
            excess = excess.saturating_sub(entry.size());
            index = index.next();
            true
        };
        let count = self.cache.range(0, durable).take_while(may_go).count();
        self.forget_cached(count as u64);
    }

    /// Drops the first `count` cached entries.
    fn forget_cached(&mut self, count: u64) {
        let last = LogIndex(self.cached_first().previous().0 + count.min(self.cache.len()));
        self.uncommitted_bytes -= self.bytes_in(self.commit, last);
        self.cache.forget(count);
    }

    /// A snapshot at `position`, which the log does not hold, is installed on disk, and the log there removed.
    pub(crate) fn install(&mut self, position: LogPosition) {
        let LogPosition { index, .. } = position;
        debug_assert!(index > self.commit, "what is committed here needs no snapshot");
        self.terms = Terms::after(position);
        self.cache.clear();
        (self.uncommitted_bytes, self.undurable_bytes) = (0, 0);
        (self.commit, self.durable, self.submitted) = (index, index, index);
        (self.stale_from, self.compacts, self.in_flight) = (None, false, None);
    }

    /// Whether the disk lacks anything that no write carries yet.
    pub(crate) fn has_unsubmitted(&self) -> bool {
        self.stale_from.is_some() || self.compacts || self.submitted < self.last_index()
    }

    /// Puts everything the disk lacks into a write, which is then under way.
    pub(crate) fn submit(&mut self, write: &mut Write) {
        assert!(self.in_flight.is_none(), "INV-5: one write is under way at a time");
        write.truncate_from = self.stale_from.take();
        let last = self.last_index();
        if self.submitted < last {
            self.cache.seal();
            let start =
                self.offset(self.submitted.next()).expect("what is not durable is in memory");
            let entries = self.cache.shared(start, self.cache.len());
            write.append = Some(Append { first: self.submitted.next(), entries });
        }
        if core::mem::take(&mut self.compacts) {
            write.compact = Some(self.base());
        }
        self.submitted = last;
        self.in_flight = Some(InFlight { mark: last, bytes: self.undurable_bytes });
    }

    /// The write under way is durable.
    pub(crate) fn complete(&mut self) {
        if let Some(InFlight { mark, bytes }) = self.in_flight.take() {
            self.undurable_bytes -= bytes;
            self.durable = self.durable.max(mark);
        }
    }

    /// The index of the first entry in memory; the one after the last if there is none.
    pub(crate) fn cached_first(&self) -> LogIndex {
        LogIndex(self.last_index().0 - self.cache.len()).next()
    }

    /// Where the entry at `index` lies in the cache; `None` before it.
    fn offset(&self, index: LogIndex) -> Option<u64> {
        index.0.checked_sub(self.cached_first().0)
    }

    /// The bytes of those entries of `(after, last]` that are in memory.
    fn bytes_in(&self, after: LogIndex, last: LogIndex) -> u64 {
        let start = self.offset(after.next()).unwrap_or(0);
        let end = self.offset(last.next()).unwrap_or(0);
        if start < end { self.cache.bytes_in(start, end) } else { 0 }
    }

    /// The marks in their order, for the invariants.
    pub(crate) fn marks(&self) -> [LogIndex; 4] {
        [self.base().index, self.durable, self.submitted, self.last_index()]
    }

    /// Whether the byte counters agree with the entries. Linear: for tests.
    #[cfg(test)]
    pub(crate) fn counters_agree(&self) -> bool {
        let last = self.last_index();
        self.undurable_bytes == self.bytes_in(self.durable, last)
            && self.uncommitted_bytes == self.bytes_in(self.commit, last)
            && self.cache.bytes() == self.cache.range(0, self.cache.len()).map(Entry::size).sum()
            && self.cached_first() <= self.durable.next()
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
    use alloc::vec::Vec;

    use super::*;
    use crate::entry::Payload;

    fn log_of(terms: &[u64]) -> Log {
        let mut log = Log::restore(Terms::after(LogPosition::ZERO), LogIndex::ZERO);
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

    /// Entries that begin where the log does, or before, are not the log's: it does not hold them.
    #[test]
    fn the_base_is_no_entry() {
        let mut log = Log::restore(Terms::after(at(1, 5)), LogIndex(5));
        log.append(entry(1));
        assert!(log.agrees_with(LogIndex(6), &[entry(1)]));
        assert!(!log.agrees_with(LogIndex(5), &[entry(1), entry(1)]));
        assert!(!log.agrees_with(LogIndex(6), &[entry(1), entry(1)]), "it ends before");
    }

    /// B67: of what is not committed as much stays in memory as a leader may have of it.
    #[test]
    fn eviction_spares_what_is_not_committed() {
        let mut log = log_of(&[1; 6]);
        flush(&mut log);
        log.commit_to(LogIndex(1));
        let size = entry(1).size();
        log.evict(0, 2 * size);
        assert_eq!(log.cached_first(), LogIndex(5), "two of the five stay");
        assert!(log.counters_agree());
    }

    /// A log that begins there already has nothing to tell the disk.
    #[test]
    fn compaction_at_the_base_is_none() {
        let mut log = log_of(&[1, 1, 1]);
        flush(&mut log);
        log.commit_to(LogIndex(3));
        log.compact(LogIndex(2));
        assert!(log.has_unsubmitted());
        flush(&mut log);
        log.compact(LogIndex(2));
        assert!(!log.has_unsubmitted());
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
        let mut terms = Terms::after(at(2, 10));
        terms.push(Term(2));
        terms.push(Term(3));
        let log = Log::restore(terms, LogIndex(99));
        assert_eq!(
            (log.last(), log.commit(), log.durable()),
            (at(3, 12), LogIndex(12), LogIndex(12))
        );
        assert_eq!((log.term_at(LogIndex(10)), log.term_at(LogIndex(9))), (Some(Term(2)), None));
        assert!(log.holds(at(1, 4)) && log.holds(at(2, 10)) && !log.holds(at(3, 13)));
        assert!(log.counters_agree() && log.entry(LogIndex(12)).is_none());
    }

    /// A cache keeps its budget, and whatever is not durable beside it.
    #[test]
    fn durable_payloads_leave_and_others_stay() {
        let mut log = log_of(&[1, 1, 1]);
        let size = entry(1).size();
        log.evict(0, 0);
        assert_eq!(log.cached_bytes(), 3 * size);
        flush(&mut log);
        log.append(entry(1));
        log.evict(3 * size, u64::MAX);
        assert_eq!(log.cached_first(), LogIndex(1), "not committed, and a leader holds as much");
        log.commit_to(LogIndex(2));
        log.evict(0, u64::MAX);
        assert_eq!(log.cached_first(), LogIndex(3));
        log.evict(0, 2 * size);
        assert_eq!(log.cached_first(), LogIndex(3), "as much as one entry more");
        log.evict(0, size);
        assert_eq!(log.cached_first(), LogIndex(4), "no leader would hold as much");
        assert!(log.counters_agree());
        let limits = Limits { until: LogIndex(9), bytes: u64::MAX, entries: 9 };
        assert!(log.batch_after(LogIndex(1), limits).is_empty());
        assert_eq!(log.batch_after(LogIndex(3), limits).len(), 1);
        log.truncate_from(LogIndex(3));
        assert_eq!((log.cached_bytes(), log.last()), (0, at(1, 2)));
        assert!(log.counters_agree());
    }

    /// Paper §7: what lies before a snapshot goes, the rest stays where it is.
    #[test]
    fn compaction_keeps_the_rest() {
        let mut log = log_of(&[1, 1, 2, 3]);
        flush(&mut log);
        log.commit_to(LogIndex(3));
        log.compact(LogIndex(9));
        assert_eq!((log.base(), log.last(), log.cached_first()), (at(2, 3), at(3, 4), LogIndex(4)));
        let mut write = Write::default();
        log.submit(&mut write);
        assert_eq!(write.compact, Some(at(2, 3)));
        assert!(log.counters_agree() && !log.has_unsubmitted());
    }

    /// Paper §7: an installed snapshot replaces a log that does not hold its position.
    #[test]
    fn a_snapshot_replaces_another_log() {
        let mut log = log_of(&[1, 1, 2]);
        flush(&mut log);
        log.append(entry(2));
        log.install(at(3, 3));
        assert_eq!((log.commit(), log.base(), log.last()), (LogIndex(3), at(3, 3), at(3, 3)));
        assert_eq!((log.durable(), log.cached_bytes()), (LogIndex(3), 0));
        assert!(!log.has_unsubmitted() && log.counters_agree());
    }
}
