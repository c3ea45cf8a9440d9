//! A snapshot on its way to a peer: one chunk at a time, from wherever the peer says it is.
//!
//! A chunk is read, sent and forgotten; when it is lost it is read again. So nothing of a snapshot is held here,
//! and a slow peer slows nobody.

use crate::message::SnapshotReceipt;
use crate::slot::Slot;
use crate::snapshot::SnapshotMeta;
use crate::types::{Instant, LogPosition, Ticks};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sending {
    /// It stays the same to the end, however many newer ones there are: the driver keeps it.
    snapshot: SnapshotMeta,
    /// How many bytes the peer has.
    received: u64,
    /// How many there are in all, once some have been read.
    total: Option<u64>,
    /// Bytes are being read for the peer.
    read: Slot,
    /// From which on.
    reading: u64,
    /// When the last chunk was sent that the peer has not answered.
    sent: Option<Instant>,
}

impl Sending {
    pub(crate) fn new(snapshot: SnapshotMeta) -> Self {
        Self { snapshot, received: 0, total: None, read: Slot::Free, reading: 0, sent: None }
    }

    /// Nothing has arrived yet, and there is a newer one.
    pub(crate) fn replace(&mut self, snapshot: SnapshotMeta) {
        debug_assert!(self.received == 0, "bytes of two snapshots are never joined");
        self.snapshot = snapshot;
        self.total = None;
    }

    pub(crate) fn snapshot(&self) -> &SnapshotMeta {
        &self.snapshot
    }

    pub(crate) fn position(&self) -> LogPosition {
        self.snapshot.position
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Whether the next bytes are to be read now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.sent.is_none() && self.read.is_free(now)
    }

    pub(crate) fn ask(&mut self, number: u64, now: Instant) {
        self.reading = self.received;
        self.read.ask(number, now);
    }

    /// Where the bytes begin that were asked for last. The peer may have said something else since.
    pub(crate) fn reading(&self) -> u64 {
        self.reading
    }

    /// The driver answered; says whether it is the answer that is waited for.
    pub(crate) fn answer(&mut self, number: u64) -> bool {
        self.read.answer(number)
    }

    /// A chunk, or a locator, is sent.
    pub(crate) fn sent(&mut self, total: Option<u64>, now: Instant) {
        self.total = total;
        self.sent = Some(now);
    }

    /// The peer says how far it is. When it has everything, it is busy installing it.
    pub(crate) fn receipt(&mut self, receipt: SnapshotReceipt, rest: Instant) {
        match receipt {
            SnapshotReceipt::Received(received) => {
                let total = self.total.unwrap_or(0);
                self.received = received.min(total);
                if received < total {
                    self.sent = None;
                }
            }
            SnapshotReceipt::Failed => self.fail(rest),
        }
    }

    /// It cannot go on now.
    pub(crate) fn fail(&mut self, rest: Instant) {
        self.received = 0;
        self.sent = None;
        self.read.rest(rest);
    }

    /// What has not been answered for `patience` is done again.
    pub(crate) fn give_up(&mut self, now: Instant, patience: Ticks) {
        self.read.give_up(now, patience);
        if self.sent.is_some_and(|sent| now.since(sent) >= patience) {
            self.sent = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LogIndex, Term};

    const PATIENCE: Ticks = Ticks(10);

    /// P5, B45: a chunk is sent once and again only when nobody answered for a while; a peer that says it has
    /// less is believed.
    #[test]
    fn a_chunk_is_sent_again_after_silence_only() {
        let mut sending = Sending::new(SnapshotMeta::default());
        assert!(sending.is_due(Instant(0)));
        sending.ask(1, Instant(0));
        assert!(!sending.is_due(Instant(0)) && sending.answer(1));
        sending.sent(Some(100), Instant(1));
        sending.give_up(Instant(10), PATIENCE);
        assert!(!sending.is_due(Instant(10)));
        sending.receipt(SnapshotReceipt::Received(60), Instant(20));
        assert_eq!((sending.received(), sending.is_due(Instant(10))), (60, true));
        sending.sent(Some(100), Instant(11));
        sending.receipt(SnapshotReceipt::Received(100), Instant(20));
        assert!(!sending.is_due(Instant(12)), "it is installing");
        sending.give_up(Instant(21), PATIENCE);
        assert_eq!((sending.received(), sending.is_due(Instant(21))), (100, true));
        sending.receipt(SnapshotReceipt::Received(0), Instant(30));
        assert_eq!(sending.received(), 0, "it has lost what it had");
    }

    /// Of what has not begun to arrive there may be a newer one.
    #[test]
    fn a_newer_snapshot_takes_the_place() {
        let mut sending = Sending::new(SnapshotMeta::default());
        let position = LogPosition::new(Term(2), LogIndex(7));
        sending.replace(SnapshotMeta { position, ..SnapshotMeta::default() });
        assert_eq!((sending.position(), sending.received()), (position, 0));
    }

    /// A failure rests.
    #[test]
    fn a_failed_transfer_rests() {
        let mut sending = Sending::new(SnapshotMeta::default());
        sending.ask(1, Instant(0));
        assert!(sending.answer(1));
        sending.fail(Instant(50));
        assert!(!sending.is_due(Instant(49)) && sending.is_due(Instant(50)));
    }
}
