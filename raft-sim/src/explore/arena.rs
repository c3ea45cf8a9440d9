//! Values that occur in many states, kept once and known by a number.
//!
//! Numbers are given in the order in which values are met, which depends on the threads: they are good for looking up, and
//! for nothing that is counted or printed.
//!
//! Invariant: a number stands for the same value for ever, and two values of the same fingerprint have one number.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::table::Table;

/// The first segment holds so many values, each further one twice as many as the one before.
const FIRST: usize = 1 << 10;
/// Enough for all numbers of 32 bits.
const SEGMENTS: usize = 23;
const SHARDS: usize = 64;

type Segment<T> = OnceLock<Box<[OnceLock<T>]>>;

/// Values by numbers, and numbers by fingerprints.
pub(super) struct Arena<T> {
    segments: [Segment<T>; SEGMENTS],
    next: AtomicU32,
    numbers: [Mutex<Table<u32>>; SHARDS],
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            segments: std::array::from_fn(|_| OnceLock::new()),
            next: AtomicU32::new(0),
            numbers: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl<T> Arena<T> {
    /// How many values there are.
    pub(super) fn len(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// The value of a number that was given.
    pub(super) fn get(&self, number: u32) -> &T {
        let (segment, place) = place(number);
        let value = self.segments[segment].get().and_then(|values| values[place].get());
        value.expect("the number was given to a value")
    }

    /// The number of the value with this fingerprint, if there is one.
    pub(super) fn find(&self, print: u64) -> Option<u32> {
        self.shard(print).lock().unwrap_or_else(PoisonError::into_inner).get(&print).copied()
    }

    /// The number of the value with this fingerprint, which is made if it is new.
    pub(super) fn intern(&self, print: u64, make: impl FnOnce() -> T) -> u32 {
        let mut numbers = self.shard(print).lock().unwrap_or_else(PoisonError::into_inner);
        *numbers.entry(print).or_insert_with(|| {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let (segment, place) = place(number);
            let values = self.segments[segment]
                .get_or_init(|| (0..FIRST << segment).map(|_| OnceLock::new()).collect());
            let is_new = values[place].set(make()).is_ok();
            assert!(is_new, "a number is given once");
            number
        })
    }

    fn shard(&self, print: u64) -> &Mutex<Table<u32>> {
        let shard = usize::try_from(print >> 58).expect("six bits");
        &self.numbers[shard]
    }
}

/// The segment of a number, and its place there.
fn place(number: u32) -> (usize, usize) {
    let number = usize::try_from(number).expect("a pointer has 32 bits at least") + FIRST;
    let segment = number.ilog2() - FIRST.ilog2();
    let segment = usize::try_from(segment).expect("few segments");
    (segment, number - (FIRST << segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: values are found by their numbers and by their fingerprints, across segments.
    #[test]
    fn values_are_found_again() {
        let arena = Arena::default();
        let prints = (0..5_000_u64).map(crate::draw::mix);
        for (value, print) in prints.clone().enumerate() {
            assert_eq!(arena.find(print), None);
            let number = arena.intern(print, || value);
            assert_eq!((*arena.get(number), arena.find(print)), (value, Some(number)));
            assert_eq!(arena.intern(print, || unreachable!("it is there")), number);
        }
        assert_eq!(arena.len(), 5_000);
    }
}
