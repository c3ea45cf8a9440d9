//! The payloads at the end of the log, in runs that are shared with whoever is given them: messages to peers, the
//! write to the disk, and the batch for the machine are parts of the same runs.
//!
//! Invariants: the runs follow each other without a gap, the open entries follow the last run, and no run is empty;
//! `bytes` is the sum of their sizes.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::iter;
use core::ops::Range;

use crate::entry::{Entries, Entry};

/// Entries by their offset from the first of them.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Cache {
    runs: VecDeque<Run>,
    /// Entries that came one by one, until they are made a run.
    open: Vec<Entry>,
    /// How many entries have left at the front since the beginning: what runs count from.
    gone: u64,
    /// How many there are.
    len: u64,
    bytes: u64,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Run {
    /// The offset of its first entry, counted from the beginning of all.
    first: u64,
    entries: Entries,
}

impl Run {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Where an entry is in it, or would be nearest.
    fn place(&self, at: u64) -> usize {
        let place = usize::try_from(at.saturating_sub(self.first)).unwrap_or(usize::MAX);
        place.min(self.entries.len())
    }
}

/// Caches are equal when their entries are, however they are cut into runs.
impl PartialEq for Cache {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.range(0, self.len).eq(other.range(0, other.len))
    }
}

impl Eq for Cache {}

impl Hash for Cache {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.range(0, self.len).for_each(|entry| entry.hash(state));
    }
}

impl Cache {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn get(&self, offset: u64) -> Option<&Entry> {
        match self.run_with(offset, offset + 1) {
            Some((entries, part)) => entries.get(part.start),
            None => self.open_part(offset, offset + 1).first(),
        }
    }

    /// Adds one entry.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.len += 1;
        self.bytes += entry.size();
        self.open.push(entry);
    }

    /// Adds entries that are shared already.
    pub(crate) fn push_run(&mut self, entries: Entries) {
        self.seal();
        if !entries.is_empty() {
            let first = self.gone + self.len;
            self.len += entries.len() as u64;
            self.bytes += entries.size();
            self.runs.push_back(Run { first, entries });
        }
    }

    /// Makes a run of the entries that came one by one.
    pub(crate) fn seal(&mut self) {
        if !self.open.is_empty() {
            let first = self.gone + self.len - self.open.len() as u64;
            let entries = self.open.drain(..).collect();
            self.runs.push_back(Run { first, entries });
        }
    }

    /// Keeps the first `count`.
    pub(crate) fn truncate(&mut self, count: u64) {
        if count >= self.len {
            return;
        }
        self.bytes -= self.bytes_in(count, self.len);
        self.len = count;
        let end = self.gone + count;
        while self.runs.back().is_some_and(|run| run.first >= end) {
            self.runs.pop_back();
        }
        match self.runs.back_mut() {
            Some(run) if run.end() > end => {
                self.open.clear();
                let kept = usize::try_from(end - run.first).expect("less than a run has");
                run.entries = run.entries.part(0..kept);
            }
            back => {
                let sealed = back.map_or(self.gone, |run| run.end());
                self.open.truncate(usize::try_from(end - sealed).expect("no more than are open"));
            }
        }
    }

    /// Drops the first `count`.
    pub(crate) fn forget(&mut self, count: u64) {
        let mut left = count.min(self.len);
        self.gone += left;
        self.len -= left;
        while let Some(run) = self.runs.front_mut().filter(|_| left > 0) {
            let dropped = usize::try_from(left).unwrap_or(usize::MAX).min(run.entries.len());
            left -= dropped as u64;
            self.bytes -= run.entries.size_of(0..dropped);
            if dropped == run.entries.len() {
                self.runs.pop_front();
            } else {
                run.entries = run.entries.part(dropped..run.entries.len());
                run.first = self.gone;
            }
        }
        let open = usize::try_from(left).expect("no more than are open");
        self.bytes -= size(&self.open[..open]);
        self.open.drain(..open);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The entries in `start..end`, or those of them that there are.
    pub(crate) fn range(&self, start: u64, end: u64) -> impl Iterator<Item = &Entry> {
        let parts = self.parts(start, end).flat_map(|(run, part)| &run.entries[part]);
        parts.chain(self.open_part(start, end))
    }

    /// What they count against byte budgets.
    pub(crate) fn bytes_in(&self, start: u64, end: u64) -> u64 {
        if let Some((entries, part)) = self.run_with(start, end) {
            return entries.size_of(part);
        }
        let sealed = self.parts(start, end).map(|(run, part)| run.entries.size_of(part));
        sealed.sum::<u64>() + size(self.open_part(start, end))
    }

    /// As many of `start..end` as fit into `bytes`; one, however large, if there is one.
    pub(crate) fn batch(&self, start: u64, end: u64, bytes: u64) -> Entries {
        if let Some(run) = self.last_run(start, end).filter(|run| run.size() <= bytes) {
            return run.clone();
        }
        let (mut left, mut count) = (bytes, 0);
        let runs = self.parts(start, end).map(|(run, part)| {
            let size = run.entries.size_of(part.clone());
            (&run.entries[part], size)
        });
        let open = self.open_part(start, end);
        for (entries, size) in runs.chain(iter::once_with(|| (open, size(open)))) {
            if size <= left {
                left -= size;
                count += entries.len() as u64;
                continue;
            }
            let fitting = entries.iter().take_while(|entry| {
                let rest = left.checked_sub(entry.size());
                left = rest.unwrap_or(0);
                rest.is_some()
            });
            count += fitting.count() as u64;
            break;
        }
        self.shared(start, end.min(start + count.max(1)))
    }

    /// The entries in `start..end`: a part of a run if they lie in one, a copy if not.
    pub(crate) fn shared(&self, start: u64, end: u64) -> Entries {
        if let Some(run) = self.last_run(start, end) {
            return run.clone();
        }
        match self.run_with(start, end) {
            Some((entries, part)) => entries.part(part),
            None => self.range(start, end).cloned().collect(),
        }
    }

    /// The last run, if it is just `start..end`: as it is when everything before is done.
    fn last_run(&self, start: u64, end: u64) -> Option<&Entries> {
        let run = self.runs.back()?;
        let is_it = run.first == self.gone + start && run.end() == self.gone + end;
        is_it.then_some(&run.entries)
    }

    /// The run that holds all of `start..end`, and where; nearly every question is about the last.
    fn run_with(&self, start: u64, end: u64) -> Option<(&Entries, Range<usize>)> {
        let (start, end) = (self.gone + start, self.gone + end);
        let run = match self.runs.back()? {
            last if last.first <= start => last,
            _ => self.runs.get(self.runs.partition_point(|run| run.end() <= start))?,
        };
        (end <= run.end()).then(|| (&run.entries, run.place(start)..run.place(end)))
    }

    /// The runs that hold any of `start..end`, each with the part that they hold.
    fn parts(&self, start: u64, end: u64) -> impl Iterator<Item = (&Run, Range<usize>)> {
        let (start, end) = (self.gone + start, self.gone + end);
        let place = self.runs.partition_point(|run| run.end() <= start);
        let runs = self.runs.range(place..).take_while(move |run| run.first < end);
        let parts = runs.map(move |run| (run, run.place(start)..run.place(end)));
        parts.filter(|(_, part)| !part.is_empty())
    }

    /// The part of `start..end` that is in no run yet.
    fn open_part(&self, start: u64, end: u64) -> &[Entry] {
        let sealed = self.len - self.open.len() as u64;
        let within = |at: u64| {
            usize::try_from(at.saturating_sub(sealed)).unwrap_or(usize::MAX).min(self.open.len())
        };
        let (from, to) = (within(start), within(end));
        &self.open[from..to.max(from)]
    }
}

fn size(entries: &[Entry]) -> u64 {
    entries.iter().map(Entry::size).sum()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::format;
    use alloc::vec::Vec;

    use super::*;
    use crate::entry::Payload;
    use crate::types::Term;

    fn entry(number: u64) -> Entry {
        let command = "x".repeat(usize::try_from(number % 7).expect("small"));
        Entry { term: Term(number), payload: Payload::command(command) }
    }

    fn at(entries: &[Entry], start: u64, end: u64) -> Vec<Entry> {
        let place = |at: u64| usize::try_from(at).expect("small").min(entries.len());
        entries[place(start)..place(end)].to_vec()
    }

    /// Caches are the same when their entries are, however they came in.
    #[test]
    fn caches_are_what_they_hold() {
        use core::hash::{BuildHasher, BuildHasherDefault};
        use std::hash::DefaultHasher;

        let hash = |cache: &Cache| BuildHasherDefault::<DefaultHasher>::default().hash_one(cache);
        let of = |runs: &[&[u64]]| {
            let mut cache = Cache::default();
            for run in runs {
                cache.push_run(run.iter().copied().map(entry).collect());
            }
            cache
        };
        let cache = of(&[&[1, 2], &[3]]);
        let cut_otherwise = of(&[&[1], &[2, 3]]);
        assert_eq!((&cache, hash(&cache)), (&cut_otherwise, hash(&cut_otherwise)));
        for other in [of(&[&[1, 2]]), of(&[&[1, 2], &[4]]), of(&[&[1, 2], &[3, 4]])] {
            assert_ne!(cache, other);
            assert_ne!(hash(&cache), hash(&other));
        }
    }

    /// Through any sequence of changes a cache answers as a plain list does, however it is cut into runs.
    #[test]
    fn a_cache_is_a_list() {
        let mut bits: u64 = 7;
        let mut below = |bound: u64| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (bits >> 33) % bound
        };
        let (mut cache, mut list) = (Cache::default(), Vec::new());
        let (mut copied, mut as_they_are) = (0, 0);
        for number in 0..30_000 {
            match below(9) {
                0..=2 => {
                    cache.push(entry(number));
                    list.push(entry(number));
                }
                3 => {
                    let run: Vec<Entry> = (0..below(5)).map(|nth| entry(number + nth)).collect();
                    list.extend(run.iter().cloned());
                    cache.push_run(run.into_iter().collect());
                }
                4 => cache.seal(),
                5 if below(3) == 0 => {
                    let kept = below(list.len() as u64 + 2);
                    cache.truncate(kept);
                    list.truncate(usize::try_from(kept).expect("small"));
                }
                6 => {
                    let gone = below(3).min(list.len() as u64);
                    cache.forget(gone);
                    list.drain(..usize::try_from(gone).expect("small"));
                }
                _ => {}
            }
            let len = list.len() as u64;
            assert_eq!((cache.len(), cache.bytes()), (len, size(&list)));
            let (start, end) = (below(len + 1), below(len + 2));
            let (start, end) = (start.min(end), start.max(end));
            let expected = at(&list, start, end);
            assert!(cache.range(start, end).eq(&expected));
            assert_eq!(cache.bytes_in(start, end), size(&expected));
            let shared = cache.shared(start, end);
            assert_eq!((&*shared, shared.size()), (&expected[..], size(&expected)));
            let is_part = cache.run_with(start, end).is_some();
            (copied, as_they_are) =
                (copied + u32::from(!is_part), as_they_are + u32::from(is_part));
            assert_eq!(cache.get(start), at(&list, start, start + 1).first());
            let limit = below(200);
            let batch = cache.batch(start, end, limit);
            assert!(batch.len() <= expected.len() && expected.starts_with(&batch));
            assert!(batch.len() <= 1 || batch.size() <= limit);
            let more = expected.get(batch.len()).map(Entry::size);
            assert!(more.is_none_or(|more| !batch.is_empty() && batch.size() + more > limit));
        }
        assert!(copied > 1_000 && as_they_are > 1_000, "{copied} {as_they_are}");
    }

    /// Where runs are cut makes no difference, nor does the part of a longer run that is used.
    #[test]
    fn equal_entries_are_equal() {
        let run: Entries = (0..6).map(entry).collect();
        let (mut one, mut other) = (Cache::default(), Cache::default());
        one.push_run(run.part(1..3));
        one.push_run(run.part(3..5));
        (1..5).for_each(|number| other.push(entry(number)));
        assert_eq!(one, other);
        assert_eq!(format!("{:?}", run.part(2..3)), format!("{:?}", other.shared(1, 2)));
        other.push(entry(9));
        assert_ne!(one, other);
    }
}
