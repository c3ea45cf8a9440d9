//! A message as bytes: [`Envelope`]s in the form of `postcard`, and a channel for each node.
//!
//! Bytes from a channel may be anything. What is too large, no message, or not for this node is told apart here; whether a
//! message makes sense is the node's business, which rejects what no correct peer sends.

use raft_core::{ClusterId, Envelope, NodeId};

/// No frame is larger. The largest that a node makes is an `AppendEntries` of `max_batch_bytes`
/// ([`settings`](crate::node::settings)), which is far below.
///
/// It bounds what is decoded. How much Redis passes on, and this process holds for a moment, is bounded by Redis alone
/// (`proto-max-bulk-len`).
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// Why bytes are no message for this node, or a message is no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Too many bytes.
    #[error(
        "the frame has {bytes} bytes, but {MAX_FRAME_BYTES} is the most: lower max_batch_bytes at its sender"
    )]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
    /// Not what a node sends.
    #[error(
        "these bytes are no message: somebody else publishes here, or a node of another version"
    )]
    Malformed,
    /// Published on the wrong channel.
    #[error("the message is for {to} of {cluster}: somebody publishes on the wrong channel")]
    Misdirected {
        /// The cluster it is for.
        cluster: ClusterId,
        /// The node it is for.
        to: NodeId,
    },
}

/// Where a node listens.
pub fn channel(cluster: ClusterId, node: NodeId) -> String {
    format!("raft/{}/{}", cluster.0, node.0)
}

/// The bytes of a message.
///
/// # Errors
/// [`FrameError::TooLarge`], when the receiver would not take them.
#[expect(clippy::missing_panics_doc, reason = "it never does")]
pub fn encode(envelope: &Envelope) -> Result<Vec<u8>, FrameError> {
    let frame = postcard::to_stdvec(envelope).expect("an envelope is plain data, of known lengths");
    within_limit(&frame)?;
    Ok(frame)
}

/// The message for `node` that the bytes are.
///
/// # Errors
/// What is wrong with them.
pub fn decode(frame: &[u8], cluster: ClusterId, node: NodeId) -> Result<Envelope, FrameError> {
    within_limit(frame)?;
    let decoded: Result<(Envelope, &[u8]), _> = postcard::take_from_bytes(frame);
    match decoded {
        Ok((envelope, [])) if (envelope.cluster, envelope.to) == (cluster, node) => Ok(envelope),
        Ok((Envelope { cluster, to, .. }, [])) => Err(FrameError::Misdirected { cluster, to }),
        Ok(_) | Err(_) => Err(FrameError::Malformed),
    }
}

fn within_limit(frame: &[u8]) -> Result<(), FrameError> {
    let bytes = frame.len();
    if bytes > MAX_FRAME_BYTES { Err(FrameError::TooLarge { bytes }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use raft_core::{
        AppendEntries, Entry, Incarnation, LogIndex, LogPosition, Message, Origin, Payload, Term,
        WireVersion,
    };

    use super::*;
    use crate::node::settings;

    const CLUSTER: ClusterId = ClusterId(7);
    const NODE: NodeId = NodeId(2);

    fn envelope(message: Message) -> Envelope {
        let (version, from, to, term) = (WireVersion::CURRENT, NodeId(1), NODE, Term::MAX);
        Envelope { version, cluster: CLUSTER, from, to, term, message }
    }

    /// An append whose entries are `size` bytes by the node's own count, and take as many bytes as they can.
    fn append(command: usize, entries: u64) -> Envelope {
        let origin = Origin {
            node: NodeId(u64::MAX),
            incarnation: Incarnation(u64::MAX),
            sequence: u64::MAX,
        };
        let data = vec![0; command].into();
        let payload = Payload::Command { data, origin: Some(Box::new(origin)) };
        let entry = Entry { term: Term::MAX, payload };
        envelope(Message::AppendEntries(AppendEntries {
            previous: LogPosition::new(Term::MAX, LogIndex::MAX),
            entries: (0..entries).map(|_| entry.clone()).collect(),
            commit: LogIndex::MAX,
        }))
    }

    #[test]
    fn a_message_survives_the_way() {
        let sent = append(10, 3);
        let frame = encode(&sent).expect("it is small");
        assert_eq!(decode(&frame, CLUSTER, NODE), Ok(sent));
    }

    #[test]
    fn the_largest_messages_of_a_node_fit() {
        let settings = settings(CLUSTER, NODE);
        let largest = usize::try_from(settings.max_command_bytes).expect("it is small");
        let of_large = settings.max_batch_bytes / settings.max_command_bytes + 1;
        assert!(encode(&append(largest, of_large)).is_ok());
        assert!(encode(&append(0, settings.max_batch_entries)).is_ok());
        assert!(encode(&append(32, settings.max_batch_entries)).is_ok());
    }

    #[test]
    fn what_is_no_message_for_this_node_is_refused() {
        let frame = encode(&envelope(Message::StaleTerm)).expect("it is small");
        for length in 0..frame.len() {
            let cut = decode(&frame[..length], CLUSTER, NODE);
            assert_eq!(cut, Err(FrameError::Malformed), "cut to {length}");
        }
        let longer = [&frame[..], &[0]].concat();
        assert_eq!(decode(&longer, CLUSTER, NODE), Err(FrameError::Malformed));
        let bytes = MAX_FRAME_BYTES + 1;
        assert_eq!(decode(&vec![0; bytes], CLUSTER, NODE), Err(FrameError::TooLarge { bytes }));
        let misdirected = Err(FrameError::Misdirected { cluster: CLUSTER, to: NODE });
        assert_eq!(decode(&frame, CLUSTER, NodeId(3)), misdirected);
        assert_eq!(decode(&frame, ClusterId(8), NODE), misdirected);
        let large = encode(&append(MAX_FRAME_BYTES, 1));
        assert!(matches!(large, Err(FrameError::TooLarge { .. })), "{large:?}");
    }
}
