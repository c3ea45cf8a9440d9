//! A run as a story: everything that happened, in order, each event with the one that led to it.
//!
//! A [`Story`] is what the page, the JSON and the causal chain are made of. It is made by running a plan with a
//! [`Narrator`]; telling changes nothing about the run.
//!
//! Invariants: events are in the order in which they happened; an event's number is its place; what led to an event
//! came before it.

mod causes;
mod disk;
mod json;
mod ledger;
mod narrator;
mod shiviz;
#[cfg(test)]
mod tests;
mod why;

use raft_core::{Instant, LogIndex, LogPosition, NodeId, Role, Term};
use serde::Serialize;

use crate::violation::Violation;

use narrator::told;

pub use ledger::{Clerk, Ledger, Line, Step};
pub use narrator::Narrator;
pub use shiviz::SHIVIZ_PARSER;

/// The version of the format in which stories are written as JSON. It is raised when a reader of the one before could
/// misunderstand; fields may be added without that.
pub const STORY_VERSION: u32 = 1;

/// Everything that happened in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Story {
    /// The nodes.
    pub nodes: Vec<NodeId>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl Story {
    /// Adds what was violated, unless the run has told it itself: a run that panics or does not end does not.
    pub fn conclude(&mut self, violation: &Violation) {
        if self.violated().is_some() {
            return;
        }
        let because = self.events.len().checked_sub(1).and_then(|last| u32::try_from(last).ok());
        let at = self.events.last().map_or(violation.at, |event| event.at.max(violation.at));
        let (text, what) = (told(violation), What::Violated { violation: violation.clone() });
        self.events.push(Event { at, node: None, because, text, what });
    }

    /// Leaves out what happened later. What is left keeps its numbers.
    pub fn cut(&mut self, until: Instant) {
        self.events.truncate(self.events.partition_point(|event| event.at <= until));
    }

    /// The number of the event that says what was violated.
    pub fn violated(&self) -> Option<usize> {
        self.events.iter().rposition(|event| matches!(event.what, What::Violated { .. }))
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, in simulated time.
    pub at: Instant,
    /// At which node; none for what concerns all, or a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The event that led to it, by its number: what the node was given in the step that did this; for an arrival, the
    /// sending; for a write that is durable, its hand-over; for an answer, the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<u32>,
    /// What, in a sentence for people. It names no time.
    pub text: String,
    /// What, for programs.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum What {
    /// A node starts; its log and membership follow as events of their own.
    Started {
        /// Its state.
        state: State,
        /// Whether it begins with an empty disk.
        empty: bool,
    },
    /// A node's disk was lost, and it may not start.
    StartRefused,
    /// A step changed the node.
    Changed {
        /// Its state afterwards.
        state: State,
    },
    /// A node's log changed: from `first` on it holds `entries`, and nothing after them.
    Log {
        /// The last index compacted away.
        base: LogIndex,
        /// The first that changed.
        first: LogIndex,
        /// From there on.
        entries: Vec<Entry>,
    },
    /// A node has another membership in force.
    Members {
        /// Those who vote.
        voters: Vec<NodeId>,
        /// In a joint configuration, those who voted before.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        outgoing: Vec<NodeId>,
        /// Those who learn.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        learners: Vec<NodeId>,
    },
    /// A leader knows something else of its peers.
    Peers {
        /// Each of them.
        peers: Vec<Peer>,
    },
    /// A node's timer is due.
    Due,
    /// A node sends a message.
    Sent {
        /// Names it in what follows.
        message: u64,
        /// To whom.
        to: NodeId,
        /// The kind, as in the paper.
        name: &'static str,
        /// The sender's term.
        term: Term,
        /// How many of its kind went before it on its link in its term.
        nth: u64,
        /// When it is to arrive; never, if nothing is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        arrives: Option<Instant>,
    },
    /// The network makes a copy of a message.
    Duplicated {
        /// Which.
        message: u64,
        /// When the copy is to arrive.
        arrives: Instant,
    },
    /// A message is lost, or one copy of it.
    Lost {
        /// Which.
        message: u64,
        /// Why.
        why: &'static str,
    },
    /// A message arrives, or one copy of it.
    Delivered {
        /// Which.
        message: u64,
    },
    /// A version of a message arrives that no correct peer sends.
    Malformed {
        /// Of which.
        message: u64,
    },
    /// A write is handed to the disk.
    Submitted,
    /// It is on the disk. What the disk then holds of the log ends here.
    Durable {
        /// The last index on the disk.
        last: LogIndex,
        /// The term on the disk.
        term: Term,
        /// The vote on the disk.
        #[serde(skip_serializing_if = "Option::is_none")]
        vote: Option<NodeId>,
    },
    /// The node learns that.
    Receipt,
    /// The machine takes an entry.
    Applied {
        /// Which.
        position: LogPosition,
    },
    /// The node learns how far its machine is.
    Reported {
        /// Up to here.
        applied: LogIndex,
    },
    /// A node crashes. What its disk then holds of the log ends at `last`.
    Crashed {
        /// The last index on the disk.
        last: LogIndex,
    },
    /// A node is suspended.
    Paused,
    /// It goes on.
    Resumed,
    /// A fault begins; a crash may strike later.
    FaultBegan {
        /// Its number in the plan; none for the cut of the static phase.
        #[serde(skip_serializing_if = "Option::is_none")]
        fault: Option<u32>,
        /// Whom it is for.
        nodes: Vec<NodeId>,
    },
    /// A fault ends.
    FaultEnded {
        /// Its number in the plan.
        #[serde(skip_serializing_if = "Option::is_none")]
        fault: Option<u32>,
    },
    /// Messages on a link are cut off from now on.
    LinkCut {
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
    },
    /// They get through again.
    LinkMended {
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
    },
    /// The run's next phase begins.
    Phase,
    /// A client asks a node for something.
    Invoked {
        /// Names the operation.
        op: u64,
        /// The client.
        client: u32,
    },
    /// A client is answered.
    Answered {
        /// The operation.
        op: u64,
        /// Whether it was done.
        done: bool,
    },
    /// A client waits no longer.
    GaveUp {
        /// The operation.
        op: u64,
    },
    /// A node is elected.
    Elected {
        /// In which term.
        term: Term,
    },
    /// The operator asks a node for something, or is answered.
    Operator,
    /// A node's driver is asked for something, has done it, or has taken a snapshot or restored the machine.
    Driver,
    /// A node said something for people.
    Said,
    /// Something is violated; the run ends here.
    Violated {
        /// What.
        violation: Violation,
    },
}

/// A node's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// Its role.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Its vote in that term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote: Option<NodeId>,
    /// The leader it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<NodeId>,
    /// Up to here it believes its log to be on its disk.
    pub durable: LogIndex,
    /// Up to here it believes its log to be committed.
    pub commit: LogIndex,
    /// Up to here its machine has reported.
    pub applied: LogIndex,
    /// Its last entry.
    pub last: LogPosition,
}

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its term.
    pub term: Term,
    /// What it does, for people; empty if it is not in memory.
    pub text: String,
}

/// What a leader knows of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Who.
    pub id: NodeId,
    /// Up to here its log is known to be the leader's, on its disk.
    #[serde(rename = "match")]
    pub matched: LogIndex,
    /// The next entry to send.
    pub next: LogIndex,
    /// How it is sent to: `probe`, `stream` or `snapshot`.
    pub flow: &'static str,
}
