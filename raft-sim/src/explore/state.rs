//! A state: nodes, messages under way, the past, and what of the scope is used up; each as a number of an arena.

use super::scope::MAX_NODES;

/// The most nodes, as a length.
pub(super) const PLACES: usize = 5;
const _: () = assert!(PLACES as u64 == MAX_NODES);

/// What of a scope is used up: eight counters of eight bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent(pub(super) u64);

/// One bound of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Campaigns,
    Entries,
    Crashes,
    Losses,
    Duplicates,
    Heartbeats,
    Changes,
    Snapshots,
}

impl Spent {
    pub(super) fn of(self, bound: Bound) -> u8 {
        self.0.to_le_bytes()[bound as usize]
    }

    /// One more, if that is within `limit`.
    pub(super) fn and(self, bound: Bound, limit: u8) -> Option<Self> {
        let one_more = || Self(self.0 + (1 << (8 * bound as u64)));
        (self.of(bound) < limit).then(one_more)
    }
}

/// A state of the whole cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// One for each node, in the order of their names; the rest is unused.
    pub(super) locals: [u32; PLACES],
    pub(super) ghost: u32,
    pub(super) spent: Spent,
    /// What is under way, sorted; one that is there twice comes twice.
    pub(super) messages: Vec<u32>,
}

impl State {
    pub(super) fn add(&mut self, message: u32) {
        let place = self.messages.partition_point(|held| *held < message);
        self.messages.insert(place, message);
    }

    pub(super) fn remove(&mut self, message: u32) {
        if let Ok(place) = self.messages.binary_search(&message) {
            self.messages.remove(place);
        }
    }

    /// Writes it behind what is there.
    pub(super) fn pack(&self, nodes: usize, number: u32, into: &mut Vec<u32>) {
        let count = u32::try_from(self.messages.len()).expect("few messages");
        let (low, high) = (self.spent.0 & u64::from(u32::MAX), self.spent.0 >> 32);
        let half = |half: u64| u32::try_from(half).expect("half of the bits");
        into.extend([count, number, self.ghost, half(low), half(high)]);
        into.extend_from_slice(&self.locals[..nodes]);
        into.extend_from_slice(&self.messages);
    }

    /// Reads one that was written; says what number it was given, and how much was read.
    pub(super) fn unpack(&mut self, nodes: usize, from: &[u32]) -> (u32, usize) {
        let [count, number, ghost, low, high] = from[..HEAD] else { unreachable!("a whole state") };
        let messages = HEAD + nodes;
        let end = messages + usize::try_from(count).expect("few messages");
        self.ghost = ghost;
        self.spent = Spent(u64::from(low) | u64::from(high) << 32);
        self.locals[..nodes].copy_from_slice(&from[HEAD..messages]);
        self.messages.clear();
        self.messages.extend_from_slice(&from[messages..end]);
        (number, end)
    }
}

/// How many numbers come before those of the nodes.
const HEAD: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what is written is read again.
    #[test]
    fn states_are_packed_and_unpacked() {
        let mut state = State { locals: [7, 8, 9, 0, 0], ghost: 3, ..State::default() };
        for message in [5, 2, 9, 2] {
            state.add(message);
        }
        state.remove(9);
        state.spent = state.spent.and(Bound::Snapshots, 1).expect("one is allowed");
        assert_eq!(
            (state.spent.and(Bound::Snapshots, 1), state.spent.of(Bound::Crashes)),
            (None, 0)
        );
        let mut words = Vec::new();
        state.pack(3, 77, &mut words);
        state.pack(3, 78, &mut words);
        let (mut read, mut at) = (State::default(), 0);
        for number in [77, 78] {
            let (found, length) = read.unpack(3, &words[at..]);
            at += length;
            assert_eq!((found, &read), (number, &state));
        }
        assert_eq!((at, state.messages), (words.len(), vec![2, 2, 5]));
    }
}
