//! What is to happen, in order of time, and the messages under way.
//!
//! Invariants: events come out in order of time, and those of one moment in the order in which they were
//! put in; an event is small and owns nothing: messages are kept apart and named by a number.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scheduled {
    at: u64,
    sequence: u64,
    event: Event,
}

impl Ord for Scheduled {
    /// The earliest is the greatest: that is what the heap hands out.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What is to happen, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Scheduled>,
    sequence: u64,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::with_capacity(512), sequence: 0 }
    }

    pub(super) fn push(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.heap.push(Scheduled { at, sequence: self.sequence, event });
    }

    /// When the next event is.
    pub(super) fn next(&self) -> Option<u64> {
        self.heap.peek().map(|scheduled| scheduled.at)
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|scheduled| (scheduled.at, scheduled.event))
    }
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
    use super::*;

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

    /// An event is as small as it was meant to be.
    #[test]
    fn events_are_small() {
        assert!(size_of::<Event>() <= 8);
        assert!(size_of::<Scheduled>() <= 24);
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
