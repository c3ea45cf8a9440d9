//! What a node asks of its worker, as JSON.

use raft_core::{LogIndex, NodeId, Outcome, Reply};
use serde::Serialize;

use crate::machine::Machine;
use crate::records::Operation;

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Output {
    /// Carry out the operations in one transaction; when it is durable, call `stored(number)`.
    Store { number: u32, operations: Vec<Operation> },
    /// Read these records of the log, then call `loaded(number, records)`.
    Load { number: u32, first: LogIndex, last: LogIndex },
    /// Give the message to another node, if it can be reached.
    Send { to: NodeId, message: String },
    /// Answer a caller. `map` is what a read sees.
    Reply { id: u64, answer: &'static str, text: String, map: Option<Machine> },
    /// Something that a person may want to see.
    Event { text: String },
}

impl Output {
    pub(crate) fn reply(Reply { request, outcome }: Reply, machine: &Machine) -> Self {
        let (answer, text) = match outcome {
            Outcome::Done { position } => ("done", format!("committed at {position}")),
            Outcome::Readable { index } => ("readable", format!("as of {index} or later")),
            Outcome::Transferred { leader } => ("done", format!("{leader} leads")),
            Outcome::Refused { refusal, leader: _ } => ("refused", refusal.to_string()),
            Outcome::Lost { position } => ("lost", format!("another entry is at {position}")),
            Outcome::Unknown => ("unknown", "it may have taken effect, or may yet".to_owned()),
        };
        let map = matches!(outcome, Outcome::Readable { .. }).then(|| machine.clone());
        Self::Reply { id: request.0, answer, text, map }
    }
}
