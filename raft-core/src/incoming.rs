//! A snapshot that arrives, chunk by chunk, and is staged on disk before it counts.
//!
//! A part belongs to one snapshot of one node, and is never completed with parts of another: the same state may
//! have other bytes elsewhere. One chunk is under way to the disk at a time; whatever else comes meanwhile is
//! dropped, and asked for again by saying how far the staged bytes go.
//!
//! Invariant: bytes count as received when their receipt has come, and the snapshot is installed when all have.

use crate::message::SnapshotReceipt;
use crate::snapshot::{PartialSnapshot, SnapshotMeta, StageAnswer};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Incoming {
    /// What is staged and durable; of a snapshot that is fetched from elsewhere, nothing yet.
    partial: Option<PartialSnapshot>,
    /// What the driver is busy with.
    under_way: Option<UnderWay>,
    /// All of it is staged: it waits to be installed.
    complete: Option<SnapshotMeta>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct UnderWay {
    number: u64,
    /// What will be staged then.
    partial: PartialSnapshot,
}

/// What to do about a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Stage it; this is what will be staged then.
    Stage(PartialSnapshot),
    /// Say how far the staged bytes go.
    Tell(SnapshotReceipt),
    /// Nothing: the disk is busy with it or with another.
    Wait,
}

impl Incoming {
    pub(crate) fn restored(partial: Option<PartialSnapshot>) -> Self {
        let is_whole = |partial: &&PartialSnapshot| partial.received == partial.total;
        let complete = partial.as_ref().filter(is_whole).map(|partial| partial.snapshot.clone());
        Self { partial, under_way: None, complete }
    }

    /// What is staged.
    pub(crate) fn partial(&self) -> Option<&PartialSnapshot> {
        self.partial.as_ref()
    }

    /// Judges a chunk, whose `partial` says which snapshot it is of and how much comes before it.
    pub(crate) fn judge(&self, partial: PartialSnapshot, bytes: u64) -> Verdict {
        if self.under_way.is_some() || self.complete.is_some() {
            return Verdict::Wait;
        }
        let offset = partial.received;
        let staged = self.partial.as_ref().filter(|staged| is_same(staged, &partial));
        let received = staged.map_or(0, |staged| staged.received);
        // Nothing to add: an empty snapshot is staged all the same.
        let is_empty = bytes == 0 && (partial.total > 0 || staged.is_some());
        if offset != received || is_empty {
            return Verdict::Tell(SnapshotReceipt::Received(received));
        }
        Verdict::Stage(PartialSnapshot { received: received + bytes, ..partial })
    }

    /// Whether a snapshot from elsewhere may be fetched now.
    pub(crate) fn is_free(&self) -> bool {
        self.under_way.is_none() && self.complete.is_none()
    }

    /// The driver is asked to stage something.
    pub(crate) fn ask(&mut self, number: u64, partial: PartialSnapshot) {
        debug_assert!(self.is_free(), "one chunk is staged at a time");
        self.under_way = Some(UnderWay { number, partial });
    }

    /// The driver answered: says what to tell the leader, unless the answer is not the one that is waited for.
    pub(crate) fn answer(
        &mut self,
        number: u64,
        answer: &StageAnswer,
    ) -> Option<(PartialSnapshot, SnapshotReceipt)> {
        let UnderWay { partial, .. } = self.under_way.take_if(|asked| asked.number == number)?;
        let is_staged = match answer {
            StageAnswer::Staged => true,
            // Out of band: refused when it is not what the leader named.
            StageAnswer::Fetched(found) => *found == partial.snapshot,
            StageAnswer::Failed => false,
        };
        if !is_staged {
            self.partial = None;
            return Some((partial, SnapshotReceipt::Failed));
        }
        if partial.received == partial.total {
            self.complete = Some(partial.snapshot.clone());
        }
        self.partial = Some(partial.clone());
        let receipt = SnapshotReceipt::Received(partial.received);
        Some((partial, receipt))
    }

    /// The snapshot that waits to be installed.
    pub(crate) fn complete(&self) -> Option<&SnapshotMeta> {
        self.complete.as_ref()
    }

    /// What was staged is not to be installed.
    pub(crate) fn forgo(&mut self) {
        if self.complete.is_some() {
            self.clear();
        }
    }

    /// What was staged is installed, or needed no more.
    pub(crate) fn clear(&mut self) {
        debug_assert!(self.under_way.is_none(), "nothing is staged after the last chunk");
        *self = Self::default();
    }
}

fn is_same(staged: &PartialSnapshot, other: &PartialSnapshot) -> bool {
    let PartialSnapshot { source, snapshot, total, received: _ } = staged;
    (*source, snapshot, *total) == (other.source, &other.snapshot, other.total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LogIndex, LogPosition, NodeId, Term};

    /// Ten bytes of a snapshot at `index` from node `source`, of which `offset` come before the chunk.
    fn of(source: u64, index: u64, offset: u64) -> PartialSnapshot {
        let position = LogPosition::new(Term(1), LogIndex(index));
        let snapshot = SnapshotMeta { position, ..SnapshotMeta::default() };
        PartialSnapshot { source: NodeId(source), snapshot, total: 10, received: offset }
    }

    fn stage(incoming: &mut Incoming, chunk: PartialSnapshot, bytes: u64) -> SnapshotReceipt {
        let Verdict::Stage(partial) = incoming.judge(chunk, bytes) else { panic!("it fits") };
        incoming.ask(1, partial);
        incoming.answer(1, &StageAnswer::Staged).expect("that was asked").1
    }

    /// A transfer goes on from what is staged, also when chunks are lost, repeated or restarted.
    #[test]
    fn a_transfer_goes_on_from_what_is_staged() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.judge(of(1, 5, 4), 4), Verdict::Tell(SnapshotReceipt::Received(0)));
        assert_eq!(stage(&mut incoming, of(1, 5, 0), 4), SnapshotReceipt::Received(4));
        assert_eq!(incoming.judge(of(1, 5, 0), 4), Verdict::Tell(SnapshotReceipt::Received(4)));
        let mut incoming = Incoming::restored(incoming.partial().cloned());
        assert_eq!(stage(&mut incoming, of(1, 5, 4), 6), SnapshotReceipt::Received(10));
        assert_eq!(incoming.complete(), Some(&of(1, 5, 0).snapshot));
        assert_eq!(incoming.judge(of(1, 5, 0), 4), Verdict::Wait);
    }

    /// B46: what is staged of one snapshot is never completed with bytes of another, nor of another node's.
    #[test]
    fn parts_of_two_snapshots_are_never_joined() {
        for other in [of(1, 6, 4), of(2, 5, 4)] {
            let mut incoming = Incoming::default();
            assert_eq!(stage(&mut incoming, of(1, 5, 0), 4), SnapshotReceipt::Received(4));
            let from_the_start = Verdict::Tell(SnapshotReceipt::Received(0));
            assert_eq!(incoming.judge(other, 4), from_the_start);
        }
    }

    /// One chunk at a time; a late receipt is not taken for another's.
    #[test]
    fn one_chunk_is_staged_at_a_time() {
        let mut incoming = Incoming::default();
        let Verdict::Stage(partial) = incoming.judge(of(1, 5, 0), 4) else { panic!("it fits") };
        incoming.ask(7, partial);
        assert_eq!(incoming.judge(of(1, 5, 4), 4), Verdict::Wait);
        assert_eq!(incoming.answer(6, &StageAnswer::Staged), None);
        let (_, receipt) = incoming.answer(7, &StageAnswer::Failed).expect("that was asked");
        assert_eq!((receipt, incoming.partial()), (SnapshotReceipt::Failed, None));
    }

    /// Out of band: a snapshot that is not what the leader named is refused.
    #[test]
    fn a_fetched_snapshot_must_be_the_one_named() {
        for (found, expected) in [(5, SnapshotReceipt::Received(10)), (6, SnapshotReceipt::Failed)]
        {
            let mut incoming = Incoming::default();
            incoming.ask(1, of(1, 5, 10));
            let answer = StageAnswer::Fetched(of(1, found, 0).snapshot);
            assert_eq!(incoming.answer(1, &answer).map(|(_, receipt)| receipt), Some(expected));
        }
    }
}
