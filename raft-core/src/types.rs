//! The vocabulary of the protocol: one newtype for every integer that means something.
//!
//! All of them are plain values: `Copy`, ordered, hashable, and serializable with the `serde`
//! feature. Arithmetic that could overflow is either checked or saturating; no operation here
//! panics.

use core::fmt;

/// Names one member of a cluster, for ever.
///
/// A machine that lost its disk is a new member and needs a new `NodeId`: the old one may have
/// voted and acknowledged entries that the new disk does not remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeId(pub u64);

/// Names a cluster. Messages of another cluster are rejected before anything else is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClusterId(pub u64);

/// Raft's logical clock (paper §5.1): at most one leader is elected in a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Term(pub u64);

impl Term {
    /// The term of a node that has never taken part in an election, and of an empty log.
    pub const ZERO: Self = Self(0);
    /// No message may carry a term above this one, so that arithmetic on terms cannot overflow. (A peer
    /// that lies about its term can still drive a cluster here, where no election is possible any more:
    /// Raft trusts its members. A message of an unauthenticated stranger must not reach a node.)
    pub const MAX: Self = Self(1 << 62);

    /// The term after this one, or `None` at [`Term::MAX`].
    pub fn next(self) -> Option<Self> {
        (self < Self::MAX).then_some(Self(self.0 + 1))
    }
}

/// A position's number in the log. The first entry has index 1; 0 stands before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogIndex(pub u64);

impl LogIndex {
    /// The place before the first entry.
    pub const ZERO: Self = Self(0);
    /// No message may name an index above this one. (As with [`Term::MAX`], a leader that lies about its snapshot
    /// can bring a log here, where nothing can be added any more.)
    pub const MAX: Self = Self(1 << 62);

    /// The index after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The index before this one; zero stays zero.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The index `count` entries further on.
    #[must_use]
    pub fn advanced(self, count: usize) -> Self {
        Self(self.0.saturating_add(count as u64))
    }

    /// How many entries lie in `(earlier, self]`; zero when `earlier` is not earlier.
    pub fn entries_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A place in a log together with the term of the entry there, which by Log Matching (paper §5.3)
/// determines the whole prefix up to it.
///
/// The order is that of paper §5.4.1: the later term wins, then the longer log. So
/// `candidate_last >= my_last` reads "at least as up to date as mine".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogPosition {
    /// The term in which the entry was created.
    pub term: Term,
    /// Where in the log the entry is.
    pub index: LogIndex,
}

impl LogPosition {
    /// The position before the first entry of every log.
    pub const ZERO: Self = Self { term: Term::ZERO, index: LogIndex::ZERO };

    /// A position from its parts.
    pub const fn new(term: Term, index: LogIndex) -> Self {
        Self { term, index }
    }
}

/// A reading of the driver's monotonic clock, in units of the driver's choice.
///
/// The clock must not fall (the node clamps it if it does), must be read after the input arrived,
/// and must count the time during which the machine was suspended. A driver that counts ticks
/// passes its counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(pub u64);

impl Instant {
    /// A moment that never comes: a step at it counts as one at the last moment before.
    pub const NEVER: Self = Self(u64::MAX);
    /// The last moment that may come.
    pub(crate) const LAST: Self = Self(u64::MAX - 1);

    /// The moment `span` after this one.
    #[must_use]
    pub fn after(self, span: Ticks) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span from `earlier` to this moment; zero when `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Ticks {
        Ticks(self.0.saturating_sub(earlier.0))
    }
}

/// A span of time, in the unit of [`Instant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ticks(pub u64);

/// The caller's name for a request; it comes back in the request's one [`Reply`](crate::Reply).
///
/// The node never interprets it. Two requests that are pending at the same time should differ in it,
/// or their replies cannot be told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId(pub u64);

/// How many times a node has been started on its disk. Part of the hard state, raised at each start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Incarnation(pub u64);

/// Numbers the writes of one incarnation, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WriteNumber(pub u64);

/// Numbers the heartbeat rounds of one leader in one term, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Round(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {:x}", self.0)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}", self.0)
    }
}

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.0)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// Goal: the last term has no successor, and the one before has it for one.
    #[test]
    fn terms_end() {
        assert_eq!(Term(Term::MAX.0 - 1).next(), Some(Term::MAX));
        assert_eq!(Term::MAX.next(), None);
    }

    /// Goal: in messages and timelines one can tell what a number is of.
    #[test]
    fn numbers_are_told_apart() {
        let position = LogPosition::new(Term(2), LogIndex(5));
        let told = [
            NodeId(1).to_string(),
            ClusterId(26).to_string(),
            Term(2).to_string(),
            LogIndex(5).to_string(),
            position.to_string(),
            RequestId(7).to_string(),
            Instant(30).to_string(),
            Ticks(40).to_string(),
        ];
        assert_eq!(told, ["n1", "cluster 1a", "T2", "i5", "i5@T2", "r7", "30", "40"]);
    }
}
