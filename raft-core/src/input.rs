//! Everything that can happen to a node.

use crate::apply::Applied;
use crate::fetch::Fetched;
use crate::message::Envelope;
use crate::persist::Persisted;
use crate::request::Request;
use crate::snapshot::{ChunkRead, ChunkWritten, SnapshotTaken};
use crate::types::Ticks;

/// One thing that happened, for [`Node::step`](crate::Node::step).
///
/// A receipt or answer that nobody waits for (of another life, or to a question that was given up) changes nothing but
/// the count of [`ForeignReceipt`](crate::Rejection::ForeignReceipt). Neither does an answer of use to nobody:
/// entries that are not the log's, bytes that were not asked for, a snapshot older than the one that counts; what
/// was asked is then asked again in a while.
#[derive(Debug)]
pub enum Input {
    /// Nothing but time. Stepping with it early does no harm.
    Tick,
    /// A message arrived. It may be late, repeated, out of order, or a lie.
    Receive(Envelope),
    /// A write became durable.
    Persisted(Persisted),
    /// A batch was applied, or the machine restored.
    Applied(Applied),
    /// Entries were read from the log's store.
    Fetched(Fetched),
    /// A snapshot of the machine was taken and is durable: the log may be compacted.
    SnapshotTaken(SnapshotTaken),
    /// Some of a snapshot was read, for a peer.
    ChunkRead(ChunkRead),
    /// Some of a snapshot that arrives was staged.
    ChunkWritten(ChunkWritten),
    /// A caller asks for something.
    Request(Request),
    /// Stand for election now, as if the election timeout had passed. Pre-vote and stickiness still apply, this
    /// node's own too: as long as the leader is heard, asking does not depose it. (Without pre-vote the term is
    /// raised at once, and the leader learns of that.) Ignored by nodes that may not campaign.
    Campaign,
    /// Do not stand for election for so long, or until a leader is heard of. The leader's own wish to hand over
    /// counts for more.
    Suppress(Ticks),
}
