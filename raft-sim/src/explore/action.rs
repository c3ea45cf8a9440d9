//! What may happen next.

/// Something that happens in a state. Nodes go by their places, messages and memberships by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A message arrives.
    Deliver(u32),
    /// A message arrives, and will once more.
    DeliverTwice(u32),
    /// A message is lost.
    Lose(u32),
    /// The write under way is durable, and the node is told.
    Persisted(usize),
    /// A node crashes and comes back; so many parts of its write under way survive.
    Crash(usize, usize),
    /// A node is told to stand for election.
    Campaign(usize),
    /// A leader is asked for a command.
    Propose(usize),
    /// A leader finds that a heartbeat is due.
    Heartbeat(usize),
    /// A leader is asked for a membership.
    Change(usize, usize),
    /// A node's machine is taken a snapshot of.
    Snapshot(usize),
}

impl Action {
    /// What the same happening at the same node in the same state is known by.
    pub(super) fn code(self) -> u32 {
        let small = |number: usize| u32::try_from(number).expect("a small number");
        match self {
            Self::Deliver(message) | Self::DeliverTwice(message) | Self::Lose(message) => message,
            Self::Persisted(_) => 0xf000_0000,
            Self::Campaign(_) => 0xf000_0001,
            Self::Propose(_) => 0xf000_0002,
            Self::Heartbeat(_) => 0xf000_0003,
            Self::Snapshot(_) => 0xf000_0004,
            Self::Crash(_, kept) => 0xf100_0000 + small(kept),
            Self::Change(_, target) => 0xf200_0000 + small(target),
        }
    }
}
