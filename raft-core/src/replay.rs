//! Recorded inputs: what a node was given, as plain data, and the way back.
//!
//! A node is deterministic, so the inputs of a life and the start it began with are the whole life. Receipts
//! cannot be serialized (a receipt states that a disk did its work); a recording holds their numbers, and
//! only here are they minted again.

use crate::apply::Applied;
use crate::input::Input;
use crate::message::Envelope;
use crate::node::Node;
use crate::persist::{Life, Persisted};
use crate::request::Request;
use crate::types::{Incarnation, Instant, LogIndex, WriteNumber};

/// One step of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecordedStep {
    /// The `now` of the step.
    pub now: Instant,
    /// The input.
    pub input: RecordedInput,
}

/// An [`Input`] as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RecordedInput {
    /// [`Input::Tick`].
    Tick,
    /// [`Input::Receive`].
    Receive(Envelope),
    /// [`Input::Persisted`]: the number of the write.
    Persisted(WriteNumber),
    /// [`Input::Applied`]: the last index applied.
    Applied(LogIndex),
    /// A receipt of another node or another life, which the node refuses.
    ForeignReceipt,
    /// [`Input::Request`].
    Request(Request),
    /// [`Input::Campaign`].
    Campaign,
}

impl RecordedInput {
    /// What to record of an input, before it is given to the node.
    pub fn of(input: &Input, node: &Node) -> Self {
        let life = node.life();
        match input {
            Input::Persisted(receipt) if receipt.life != life => Self::ForeignReceipt,
            Input::Applied(receipt) if receipt.life != life => Self::ForeignReceipt,
            Input::Tick => Self::Tick,
            Input::Receive(envelope) => Self::Receive(envelope.clone()),
            Input::Persisted(receipt) => Self::Persisted(receipt.number()),
            Input::Applied(receipt) => Self::Applied(receipt.last()),
            Input::Request(request) => Self::Request(request.clone()),
            Input::Campaign => Self::Campaign,
        }
    }

    /// The input again, for the same node in a replay.
    pub fn replay(&self, node: &Node) -> Input {
        let life = node.life();
        match self {
            Self::Tick => Input::Tick,
            Self::Receive(envelope) => Input::Receive(envelope.clone()),
            Self::Persisted(number) => Input::Persisted(Persisted { life, number: *number }),
            Self::Applied(last) => Input::Applied(Applied { life, last: *last }),
            Self::ForeignReceipt => {
                let life = Life { incarnation: Incarnation(0), ..life };
                Input::Persisted(Persisted { life, number: WriteNumber(0) })
            }
            Self::Request(request) => Input::Request(request.clone()),
            Self::Campaign => Input::Campaign,
        }
    }
}
