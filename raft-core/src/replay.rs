//! Recorded inputs: what a node was given, as plain data, and the way back.
//!
//! A node is deterministic, so the inputs of a life and the start it began with are the whole life. Receipts
//! cannot be serialized (a receipt states that a disk did its work); a recording holds their numbers, and
//! only here are they minted again.
//!
//! A driver that keeps a flight recorder writes a [`RecordedLine`] for the start, one for each input before it is given,
//! and now and then the node's status, with which a replay is compared. One that keeps only the last part of a life
//! begins that part with the node as it was ([`RecordedNode`]). `raft-sim replay` reads a file of such lines as JSON.

use alloc::boxed::Box;

use crate::apply::Applied;
use crate::config::{ConfigError, Settings};
use crate::effect::Effects;
use crate::entry::Entries;
use crate::fetch::{Fetched, Reader};
use crate::input::Input;
use crate::message::Envelope;
use crate::node::Node;
use crate::persist::Persisted;
use crate::replica::Replica;
use crate::request::Request;
use crate::restore::{RestoreError, Start};
use crate::role::RoleState;
use crate::snapshot::{
    ChunkAnswer, ChunkRead, ChunkWritten, SnapshotMeta, SnapshotTaken, StageAnswer,
};
use crate::status::Status;
use crate::token::{Life, Ticket};
use crate::types::{Incarnation, Instant, LogIndex, NodeId, Ticks, WriteNumber};

/// One line of a recording.
///
/// ```
/// use raft_core::{
///     Bootstrap, ClusterId, Effects, Input, Instant, Membership, NodeId, RecordedInput, RecordedStart, RecordedStep,
///     Settings,
/// };
///
/// let membership = Membership::of_voters([NodeId(1)])?;
/// let settings = Settings::new(ClusterId(1), NodeId(1));
/// let started = RecordedStart { settings, start: Bootstrap { membership }.into(), now: Instant(0) };
/// let (mut node, mut effects) = (started.begin()?, Effects::new());
/// // The driver writes `RecordedLine::Started` with this, and before each step:
/// let input = Input::Tick;
/// let step = RecordedStep { now: Instant(5), input: RecordedInput::of(&input, &node) };
/// node.step(Instant(5), input, &mut effects);
///
/// // Later, elsewhere: the same life again.
/// let mut again = started.begin()?;
/// step.replay(&mut again, &mut Effects::new());
/// assert_eq!(again, node);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum RecordedLine {
    /// The first line: how the life began.
    Started(Box<RecordedStart>),
    /// A step, written before it is taken.
    Step(RecordedStep),
    /// What the node says of itself after the steps so far.
    Status(Box<Status>),
    /// The first line when what came before was thrown away: the node as it was then.
    Continued(Box<RecordedNode>),
    /// An input that was fed ([`Node::feed`]), written before that.
    Fed(RecordedStep),
}

/// A node in the middle of its life, as plain data, for recordings that do not go back to the start.
///
/// It is no way to keep a node: one that comes back begins a new life, from its disk
/// ([`Restored`](crate::Restored)). Everything that the node holds in memory is in it, commands too. Only the same version
/// of this crate reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecordedNode {
    replica: Replica,
    role: RoleState,
}

impl RecordedNode {
    /// The node as it is, between two steps.
    pub fn of(node: &Node) -> Self {
        let Node { replica, role } = node.clone();
        Self { replica, role }
    }

    /// The time of its last step.
    pub fn now(&self) -> Instant {
        self.replica.now
    }

    /// The node again, to take the recorded steps.
    pub fn begin(&self) -> Node {
        let Self { replica, role } = self.clone();
        Node { replica, role }
    }
}

/// How a life began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecordedStart {
    /// The settings.
    pub settings: Settings,
    /// What it started from.
    pub start: Start,
    /// When.
    pub now: Instant,
}

impl RecordedStart {
    /// The node at the beginning of this life.
    ///
    /// # Errors
    /// [`ReplayError`] when no node can have started like this.
    pub fn begin(&self) -> Result<Node, ReplayError> {
        let config = self.settings.validate()?;
        Ok(Node::new(config, self.start.clone(), self.now)?)
    }
}

/// Why a recorded life cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The settings contradict each other.
    #[error("the recorded settings are none that a node runs with: {0}")]
    Settings(#[from] ConfigError),
    /// The start does.
    #[error("no node starts from what was recorded: {0}")]
    Start(#[from] RestoreError),
}

/// One input of a recording, stepped with or fed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecordedStep {
    /// The `now` that went with it.
    pub now: Instant,
    /// The input.
    pub input: RecordedInput,
}

impl RecordedStep {
    /// Takes the step again.
    pub fn replay(&self, node: &mut Node, effects: &mut Effects) {
        let input = self.input.replay(node);
        node.step(self.now, input, effects);
    }

    /// Feeds the input again.
    pub fn feed(&self, node: &mut Node, effects: &mut Effects) {
        let input = self.input.replay(node);
        node.feed(self.now, input, effects);
    }
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
    /// [`Input::Fetched`].
    Fetched {
        /// The number of the question.
        number: u64,
        /// For whom.
        reader: Reader,
        /// The index of the first entry.
        first: LogIndex,
        /// What was read, if anything could be.
        entries: Option<Entries>,
    },
    /// [`Input::SnapshotTaken`].
    SnapshotTaken(SnapshotMeta),
    /// [`Input::ChunkRead`].
    ChunkRead {
        /// The number of the question.
        number: u64,
        /// For whom.
        peer: NodeId,
        /// What was read.
        answer: ChunkAnswer,
    },
    /// [`Input::ChunkWritten`].
    ChunkWritten {
        /// The number of the question.
        number: u64,
        /// What became of it.
        answer: StageAnswer,
    },
    /// A receipt of another node or another life, which the node refuses.
    ForeignReceipt,
    /// [`Input::Request`].
    Request(Request),
    /// [`Input::Campaign`].
    Campaign,
    /// [`Input::Suppress`].
    Suppress(Ticks),
}

impl RecordedInput {
    /// What to record of an input, before it is given to the node.
    pub fn of(input: &Input, node: &Node) -> Self {
        if life_of(input).is_some_and(|life| life != node.life()) {
            return Self::ForeignReceipt;
        }
        match input {
            Input::Tick => Self::Tick,
            Input::Receive(envelope) => Self::Receive(envelope.clone()),
            Input::Persisted(receipt) => Self::Persisted(receipt.number()),
            Input::Applied(receipt) => Self::Applied(receipt.last()),
            Input::Fetched(Fetched { ticket, reader, first, entries }) => Self::Fetched {
                number: ticket.number,
                reader: *reader,
                first: *first,
                entries: entries.clone(),
            },
            Input::SnapshotTaken(receipt) => Self::SnapshotTaken(receipt.meta().clone()),
            Input::ChunkRead(ChunkRead { ticket, peer, answer }) => {
                Self::ChunkRead { number: ticket.number, peer: *peer, answer: answer.clone() }
            }
            Input::ChunkWritten(ChunkWritten { ticket, answer }) => {
                Self::ChunkWritten { number: ticket.number, answer: answer.clone() }
            }
            Input::Request(request) => Self::Request(request.clone()),
            Input::Campaign => Self::Campaign,
            Input::Suppress(span) => Self::Suppress(*span),
        }
    }

    /// The input again, for the same node in a replay.
    pub fn replay(&self, node: &Node) -> Input {
        let life = node.life();
        let ticket = |number: u64| Ticket { life, number };
        match self.clone() {
            Self::Tick => Input::Tick,
            Self::Receive(envelope) => Input::Receive(envelope),
            Self::Persisted(number) => Input::Persisted(Persisted { life, number, spent: None }),
            Self::Applied(last) => Input::Applied(Applied { last, life }),
            Self::Fetched { number, reader, first, entries } => {
                Input::Fetched(Fetched { ticket: ticket(number), reader, first, entries })
            }
            Self::SnapshotTaken(meta) => Input::SnapshotTaken(SnapshotTaken { meta, life }),
            Self::ChunkRead { number, peer, answer } => {
                Input::ChunkRead(ChunkRead { ticket: ticket(number), peer, answer })
            }
            Self::ChunkWritten { number, answer } => {
                Input::ChunkWritten(ChunkWritten { ticket: ticket(number), answer })
            }
            Self::ForeignReceipt => {
                let life = Life { incarnation: Incarnation(0), ..life };
                Input::Persisted(Persisted { life, number: WriteNumber(0), spent: None })
            }
            Self::Request(request) => Input::Request(request),
            Self::Campaign => Input::Campaign,
            Self::Suppress(span) => Input::Suppress(span),
        }
    }
}

/// The life that a receipt is of.
fn life_of(input: &Input) -> Option<Life> {
    match input {
        Input::Persisted(receipt) => Some(receipt.life),
        Input::Applied(receipt) => Some(receipt.life),
        Input::Fetched(fetched) => Some(fetched.ticket.life),
        Input::SnapshotTaken(receipt) => Some(receipt.life),
        Input::ChunkRead(read) => Some(read.ticket.life),
        Input::ChunkWritten(written) => Some(written.ticket.life),
        Input::Tick
        | Input::Receive(_)
        | Input::Request(_)
        | Input::Campaign
        | Input::Suppress(_) => None,
    }
}
