//! What arrives of a snapshot goes to the driver, and what becomes of it to the leader.

use alloc::boxed::Box;

use bytes::Bytes;

use crate::effect::{Effect, Effects};
use crate::message::Message;
use crate::rejection::Rejection;
use crate::replica::Replica;
use crate::snapshot::{ChunkWritten, FetchSnapshot, PartialSnapshot, SnapshotMeta, WriteChunk};
use crate::types::NodeId;

impl Replica {
    /// Has a chunk staged.
    pub(crate) fn stage(
        &mut self,
        partial: PartialSnapshot,
        offset: u64,
        data: Bytes,
        effects: &mut Effects,
    ) {
        let ticket = self.ticket();
        self.incoming.ask(ticket.number, partial.clone());
        let partial = Box::new(partial);
        effects.push(Effect::WriteChunk(WriteChunk { ticket, partial, offset, data }));
    }

    /// Has a whole snapshot fetched from elsewhere.
    pub(crate) fn fetch_snapshot(
        &mut self,
        source: NodeId,
        snapshot: SnapshotMeta,
        locator: Bytes,
        effects: &mut Effects,
    ) {
        let ticket = self.ticket();
        let partial = PartialSnapshot { source, snapshot: snapshot.clone(), total: 0, received: 0 };
        self.incoming.ask(ticket.number, partial);
        effects.push(Effect::FetchSnapshot(FetchSnapshot { ticket, source, snapshot, locator }));
    }

    /// The driver has staged something, or failed to; `leader` is told.
    pub(crate) fn chunk_written(
        &mut self,
        written: &ChunkWritten,
        leader: Option<NodeId>,
        effects: &mut Effects,
    ) {
        let ticket = written.ticket;
        let answer = (ticket.life == self.life())
            .then(|| self.incoming.answer(ticket.number, &written.answer))
            .flatten();
        let Some((partial, receipt)) = answer else {
            self.rejections.add(Rejection::ForeignReceipt);
            return;
        };
        // Another leader has another snapshot, or will ask.
        if leader == Some(partial.source) {
            let position = partial.snapshot.position;
            self.send(partial.source, Message::SnapshotReply { position, receipt }, effects);
        }
    }
}
