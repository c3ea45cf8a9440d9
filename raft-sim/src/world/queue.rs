//! What is to happen, in order of time, and the messages under way.
//!
//! Invariants: events come out in order of time, and those of one moment in the order in which they were
//! put in; an event is small and owns nothing: messages are kept apart and named by a number.

use std::cmp::Reverse;

/// Something that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A message arrives.
    Arrive { flight: u32 },
    /// A node may be due.
    Wake { node: u8, stamp: u32 },
    /// A write becomes durable.
    Durable { node: u8, stamp: u32 },
    /// A node learns that its write is durable.
    Receipt { node: u8, stamp: u32 },
    /// A machine has taken a batch.
    Apply { node: u8, stamp: u32 },
    /// A node learns that its batch was applied.
    Report { node: u8, stamp: u32 },
    /// A node's driver has done a chore.
    Chore { node: u8, stamp: u32 },
    /// What a client asked of a node while that was suspended reaches it.
    Ask { node: u8, client: u16, attempt: u32 },
    /// An operator acts.
    Operate { action: u32 },
    /// What an operator asked of a node reaches it.
    Wish { node: u8, wish: u32 },
    /// A client begins an operation, or tries again.
    Act { client: u32 },
    /// A client asks for something that the plan lists.
    Listed { operation: u32 },
    /// The run is over.
    End,
    /// A client may have lost its patience.
    Patience { client: u32 },
    /// A fault of the plan begins.
    FaultBegins { fault: u32 },
    /// A fault ends, or a flapping link changes.
    FaultTurns { fault: u32 },
    /// A node comes back.
    Restart { node: u8, stamp: u32 },
    /// A node goes on.
    Resume { node: u8, stamp: u32 },
    /// The run's next phase, or the next look at how the present one goes.
    Phase { stamp: u32 },
}

/// When something happens, and what.
type Scheduled = (u64, Event);

/// What is to happen, in order: a radix heap (Ahuja, Mehlhorn, Orlin and Tarjan 1990) with a sorted list in front. It
/// is cheaper than a binary heap because time never goes back.
///
/// Invariants: what is at or before `reach` is in `near`, the latest first, and of one moment the youngest first;
/// everything else is in the bucket of the highest bit in which its time differs from `reach`, so that all of one bucket
/// is earlier than all of the next; in a bucket, what is of one moment is in the order in which it was put in.
#[derive(Debug)]
pub(super) struct Queue {
    near: Vec<Scheduled>,
    reach: u64,
    buckets: [Vec<Scheduled>; u64::BITS as usize],
    /// The buckets that hold something, as a set.
    filled: u64,
}

/// So many events are sorted; more are spread over buckets.
const FEW: usize = 16;

impl Queue {
    pub(super) fn new() -> Self {
        let buckets = [const { Vec::new() }; u64::BITS as usize];
        Self { near: Vec::new(), reach: 0, buckets, filled: 0 }
    }

    pub(super) fn push(&mut self, at: u64, event: Event) {
        if at <= self.reach {
            let sooner = self.near.iter().rev().take_while(|(other, _)| *other <= at).count();
            self.near.insert(self.near.len() - sooner, (at, event));
        } else {
            let bit = (at ^ self.reach).ilog2();
            self.buckets[bit as usize].push((at, event));
            self.filled |= 1 << bit;
        }
    }

    /// When the next event is.
    pub(super) fn next(&self) -> Option<u64> {
        match self.near.last() {
            Some((at, _)) => Some(*at),
            None => earliest(self.buckets.get(self.filled.trailing_zeros() as usize)?),
        }
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        if self.near.is_empty() {
            self.reach_on()?;
        }
        self.near.pop()
    }

    /// Brings what is next near, if there is anything.
    fn reach_on(&mut self) -> Option<()> {
        let first = self.filled.trailing_zeros() as usize;
        let bucket = self.buckets.get_mut(first)?;
        self.filled &= self.filled - 1;
        if bucket.len() <= FEW {
            // Through the latest time that belongs into the bucket.
            self.reach = bucket.first()?.0 | ((1 << first) - 1);
            std::mem::swap(&mut self.near, bucket);
            self.near.reverse();
            self.near.sort_by_key(|(at, _)| Reverse(*at));
        } else {
            self.reach = earliest(bucket)?;
            let mut bucket = std::mem::take(bucket);
            for (at, event) in bucket.drain(..) {
                self.push(at, event);
            }
            self.buckets[first] = bucket;
        }
        Some(())
    }
}

fn earliest(bucket: &[Scheduled]) -> Option<u64> {
    bucket.iter().map(|(at, _)| *at).min()
}

/// Messages under way, named by small numbers that are used again.
#[derive(Debug)]
pub(super) struct Flights<F> {
    places: Vec<Option<F>>,
    free: Vec<u32>,
}

impl<F> Flights<F> {
    pub(super) fn new() -> Self {
        Self { places: Vec::with_capacity(256), free: Vec::with_capacity(256) }
    }

    pub(super) fn add(&mut self, flight: F) -> u32 {
        if let Some(free) = self.free.pop() {
            self.places[free as usize] = Some(flight);
            return free;
        }
        self.places.push(Some(flight));
        u32::try_from(self.places.len() - 1)
            .expect("the event budget ends a run with 2^32 messages under way")
    }

    pub(super) fn get(&self, number: u32) -> &F {
        self.places[number as usize].as_ref().expect("a message is under way until it arrives")
    }

    pub(super) fn take(&mut self, number: u32) -> F {
        self.free.push(number);
        self.places[number as usize].take().expect("a message arrives once under one number")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::draw::{Domain, Draw};

    /// Events come in order of time, those of one moment in the order of their making.
    #[test]
    fn order_is_time_then_age() {
        let mut queue = Queue::new();
        for (at, client) in [(5, 0), (3, 1), (5, 2), (3, 3), (4, 4)] {
            queue.push(at, Event::Act { client });
        }
        let mut order = Vec::new();
        while let Some((_, Event::Act { client })) = queue.pop() {
            order.push(client);
        }
        assert_eq!(order, [1, 3, 4, 0, 2]);
    }

    /// The same when events are put in and taken out by turns, at times near and far, against a sorted list.
    #[test]
    fn order_survives_taking_out() {
        let mut draw = Draw::new(1, Domain::Host, &[]);
        let (mut queue, mut sorted) = (Queue::new(), BTreeMap::new());
        let mut now = 0;
        for number in 0..20_000 {
            for client in 0..*draw.pick(&[0, 1, 2, 3]) {
                let furthest = 1 << draw.between(1, 40);
                let at = now + draw.log_uniform(1, furthest) - 1;
                let event = Event::Ask { node: 0, client, attempt: number };
                queue.push(at, event);
                sorted.insert((at, number, client), event);
            }
            for _ in 0..draw.below(4) {
                let first = sorted.pop_first().map(|((at, ..), event)| (at, event));
                assert_eq!(queue.next(), first.map(|(at, _)| at));
                assert_eq!(queue.pop(), first);
                now = first.map_or(now, |(at, _)| at);
            }
        }
    }

    /// An event is as small as it was meant to be.
    #[test]
    fn events_are_small() {
        assert!(size_of::<Event>() <= 8);
        assert!(size_of::<Scheduled>() <= 16);
    }

    /// Numbers of messages that arrived are used again.
    #[test]
    fn flights_are_recycled() {
        let mut flights = Flights::new();
        let first = flights.add("a");
        let second = flights.add("b");
        assert_eq!(flights.take(first), "a");
        assert_eq!(flights.add("c"), first);
        assert_eq!((flights.take(second), flights.take(first)), ("b", "c"));
    }
}
