//! The states that were met, as fingerprints, each with the one from which it was met first.
//!
//! Two states of the same fingerprint count as one: among `n` states that happens with a probability of less than
//! n² / 2⁶⁵.
//!
//! Invariant: a state's number does not change.

use std::sync::{Mutex, PoisonError};

const SHARD_BITS: u32 = 8;
const SHARDS: usize = 1 << SHARD_BITS;
/// The number of a state within its shard.
const PLACE_BITS: u32 = u32::BITS - SHARD_BITS;
const VACANT: u32 = u32::MAX;

/// The set of states.
pub(super) struct Visited {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    /// Places in the two lists below, by fingerprint.
    table: Vec<u32>,
    prints: Vec<u64>,
    /// From which state each was met first; the first from itself.
    parents: Vec<u32>,
}

impl Visited {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// The number of a state that is new; it was met from `parent`, or is the first.
    pub(super) fn insert(&self, print: u64, parent: Option<u32>) -> Option<u32> {
        let shard = print >> (u64::BITS - SHARD_BITS);
        let number = u32::try_from(shard).expect("eight bits") << PLACE_BITS;
        let mut shard = self.shard(number);
        let place = shard.insert(print)?;
        shard.parents.push(parent.unwrap_or(number | place));
        Some(number | place)
    }

    /// The fingerprint of a state, and the number of the one from which it was met first.
    pub(super) fn get(&self, number: u32) -> (u64, u32) {
        let shard = self.shard(number);
        let place = usize::try_from(number & ((1 << PLACE_BITS) - 1)).expect("24 bits");
        (shard.prints[place], shard.parents[place])
    }

    /// The bytes that are in use.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.shards.iter().map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            4 * (shard.table.capacity() + shard.parents.capacity()) + 8 * shard.prints.capacity()
        });
        bytes.sum::<usize>() as u64
    }

    fn shard(&self, number: u32) -> std::sync::MutexGuard<'_, Shard> {
        let shard = usize::try_from(number >> PLACE_BITS).expect("eight bits");
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// The place of a fingerprint that was not there.
    fn insert(&mut self, print: u64) -> Option<u32> {
        // Three quarters full at most.
        if 4 * (self.prints.len() + 1) > 3 * self.table.len() {
            self.grow();
        }
        let mut slot = self.slot(print);
        while self.table[slot] != VACANT {
            let place = usize::try_from(self.table[slot]).expect("24 bits");
            if self.prints[place] == print {
                return None;
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
        let place = u32::try_from(self.prints.len()).expect("fewer than 2^32");
        assert!(place >> PLACE_BITS == 0, "a search has room for four thousand million states");
        self.table[slot] = place;
        reserve(&mut self.prints);
        reserve(&mut self.parents);
        self.prints.push(print);
        Some(place)
    }

    /// Where a fingerprint is looked for first. Its first bits are those of the shard.
    fn slot(&self, print: u64) -> usize {
        let low = usize::try_from(print & u64::from(u32::MAX)).expect("32 bits");
        low & (self.table.len() - 1)
    }

    fn grow(&mut self) {
        self.table = vec![VACANT; (2 * self.table.len()).max(64)];
        for (place, print) in (0..).zip(&self.prints) {
            let mut slot = self.slot(*print);
            while self.table[slot] != VACANT {
                slot = (slot + 1) & (self.table.len() - 1);
            }
            self.table[slot] = place;
        }
    }
}

/// Grows by an eighth, not by the whole: there is much of it.
fn reserve<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 8).max(64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::mix;

    /// Goal: each fingerprint is new once, and knows from where it came.
    #[test]
    fn a_state_is_new_once() {
        let visited = Visited::new();
        let first = visited.insert(mix(0), None).expect("it is new");
        let mut before = first;
        for value in 1..100_000 {
            let number = visited.insert(mix(value), Some(before)).expect("it is new");
            assert_eq!(visited.insert(mix(value), None), None);
            assert_eq!(visited.get(number), (mix(value), before));
            before = number;
        }
        assert_eq!(visited.get(first), (mix(0), first));
        assert!(visited.bytes() < 32 * 100_000, "{}", visited.bytes());
    }
}
