//! Why a message or a receipt was not believed.
//!
//! A rejected input leaves the node as it was, but for the counter of its reason.

/// The reason. [`Rejection::ForeignReceipt`] is about this node's own driver, and rises when that is slow to answer; the others are
/// about messages that no correct peer of this version sends to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Rejection {
    /// Of another wire format.
    #[error("the message is of another wire version: upgrade the older node")]
    WireVersion,
    /// Of another cluster.
    #[error("the message belongs to another cluster: check the addresses")]
    Cluster,
    /// Addressed to somebody else.
    #[error("the message is addressed to another node: check the addresses")]
    Recipient,
    /// Sent under this node's own name.
    #[error("the message claims to come from this node itself: two nodes share a name")]
    FromSelf,
    /// A term of zero where there must be one, or above [`Term::MAX`](crate::Term::MAX).
    #[error("the message's term is zero or beyond Term::MAX")]
    TermRange,
    /// An index above [`LogIndex::MAX`](crate::LogIndex::MAX).
    #[error("the message names an index beyond LogIndex::MAX")]
    IndexRange,
    /// A position whose term is later than the message's, or which has a term but no index.
    #[error("the message names an impossible log position")]
    Position,
    /// Entries whose terms fall, or exceed the message's.
    #[error("the terms of the entries fall, or exceed the message's")]
    EntryTerms,
    /// A membership without voters, which no leader could write.
    #[error("the message carries a membership without voters")]
    Membership,
    /// An acknowledgement of entries this leader does not have.
    #[error("the acknowledgement goes beyond the leader's log")]
    MatchBeyondLast,
    /// An answer to a message that this node did not send.
    #[error("the message answers something that was never asked")]
    Unasked,
    /// A second leader in a term that has one.
    #[error("the term has another leader already")]
    RivalLeader,
    /// Entries that contradict what is known to be committed.
    #[error("the entries contradict what is committed here")]
    ContradictsCommitted,
    /// A heartbeat that commits what this node does not hold.
    #[error("the heartbeat commits entries that were never acknowledged")]
    CommitBeyondLast,
    /// A snapshot whose numbers contradict each other, or with a locator that is too long.
    #[error(
        "the snapshot's offset, bytes and total contradict each other, or its locator is too long"
    )]
    Snapshot,
    /// A receipt of another node, incarnation, or write.
    #[error("the receipt is not for what this incarnation has outstanding")]
    ForeignReceipt,
}

impl Rejection {
    /// Every reason.
    pub const ALL: [Self; 16] = [
        Self::WireVersion,
        Self::Cluster,
        Self::Recipient,
        Self::FromSelf,
        Self::TermRange,
        Self::IndexRange,
        Self::Position,
        Self::EntryTerms,
        Self::Membership,
        Self::MatchBeyondLast,
        Self::Unasked,
        Self::RivalLeader,
        Self::ContradictsCommitted,
        Self::CommitBeyondLast,
        Self::Snapshot,
        Self::ForeignReceipt,
    ];
}

/// The list above is complete: the last reason is its last.
const _: () = assert!(Rejection::ForeignReceipt as usize + 1 == Rejection::ALL.len());

/// How often each [`Rejection`] has happened, in the order of [`Rejection::ALL`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rejections {
    counts: [u64; Rejection::ALL.len()],
}

impl Rejections {
    /// How often inputs were rejected for `reason`.
    pub fn count(&self, reason: Rejection) -> u64 {
        self.counts[reason as usize]
    }

    /// How often inputs were rejected at all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn add(&mut self, reason: Rejection) {
        let count = &mut self.counts[reason as usize];
        *count = count.saturating_add(1);
    }
}
