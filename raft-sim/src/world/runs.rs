//! The entries on a disk: runs as they were written, shared with the node that wrote them.
//!
//! Invariants: the entries are those of the runs, in order; no run is empty; `len` is the sum of their lengths, and `before`
//! of a run the sum of those before it and of what was removed.

use std::collections::VecDeque;

use raft_core::{Entries, Entry};

/// A queue of entries that grows by whole runs and copies none of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    parts: VecDeque<Run>,
    len: usize,
    /// How many were removed from the front so far.
    removed: usize,
}

/// What is left of a run.
#[derive(Clone, Debug)]
struct Run {
    /// How many entries there were before it, removed ones too.
    before: usize,
    entries: Entries,
    from: usize,
    to: usize,
}

impl Run {
    fn len(&self) -> usize {
        self.to - self.from
    }

    fn left(&self) -> &[Entry] {
        &self.entries[self.from..self.to]
    }
}

impl Runs {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.parts.back()?.left().last()
    }

    /// All but the first `place`, in order.
    pub(super) fn after(&self, place: usize) -> impl Iterator<Item = &Entry> {
        let before = self.removed + place;
        let whole = self.parts.partition_point(|run| run.before + run.len() <= before);
        self.parts
            .range(whole..)
            .flat_map(move |run| &run.left()[before.saturating_sub(run.before)..])
    }

    pub(super) fn push(&mut self, entries: &Entries) {
        if !entries.is_empty() {
            let before = self.removed + self.len;
            let to = entries.len();
            self.parts.push_back(Run { before, entries: entries.clone(), from: 0, to });
            self.len += to;
        }
    }

    /// Removes all but the first `kept`.
    pub(super) fn truncate(&mut self, kept: usize) {
        while self.len > kept {
            let excess = self.len - kept;
            let last = self.parts.back_mut().expect("there are entries, and so there are runs");
            let gone = excess.min(last.len());
            last.to -= gone;
            self.len -= gone;
            if last.len() == 0 {
                self.parts.pop_back();
            }
        }
    }

    /// Removes the first `gone`, or all.
    pub(super) fn remove_first(&mut self, gone: usize) {
        let kept = self.len.saturating_sub(gone);
        while self.len > kept {
            let excess = self.len - kept;
            let first = self.parts.front_mut().expect("there are entries, and so there are runs");
            let gone = excess.min(first.len());
            first.from += gone;
            first.before += gone;
            self.removed += gone;
            self.len -= gone;
            if first.len() == 0 {
                self.parts.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use raft_core::{Payload, Term};

    use super::*;
    use crate::draw::{Domain, Draw};

    /// Runs are a list of entries, whatever is added and removed at either end.
    #[test]
    fn runs_are_a_list() {
        let (mut runs, mut list) = (Runs::default(), Vec::new());
        let mut draw = Draw::new(1, Domain::Disk, &[]);
        for round in 0..2_000 {
            let some = *draw.pick(&[0, 1, 2, 3, 4]);
            match draw.below(4) {
                0 => {
                    let kept = list.len().saturating_sub(some);
                    runs.truncate(kept);
                    list.truncate(kept);
                }
                1 => {
                    runs.remove_first(some);
                    list.drain(..some.min(list.len()));
                }
                _ => {
                    let entry = Entry { term: Term(round), payload: Payload::Blank };
                    let entries = vec![entry; some];
                    list.extend_from_slice(&entries);
                    runs.push(&entries.into_iter().collect());
                }
            }
            assert_eq!((runs.len(), runs.is_empty()), (list.len(), list.is_empty()));
            assert_eq!(runs.last(), list.last());
            let place = some.min(list.len());
            assert!(runs.after(place).eq(&list[place..]));
            assert!(runs.parts.iter().all(|run| run.len() > 0));
        }
    }
}
