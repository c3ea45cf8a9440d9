//! What clients asked and what they were told, in the order in which it happened.
//!
//! Invariants: operations are in the order of their invocations; every event (an invocation, an answer) has a
//! number of its own, which orders even what happened at the same instant; an operation has at most one
//! answer, and `waiting` names those that have none.

use std::fmt;

use bytes::Bytes;
use raft_core::{Instant, LogIndex, NodeId, Outcome};
use serde::{Deserialize, Serialize};

/// Names a client's operation; the value of its `RequestId`, unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpId(pub u64);

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "op {}", self.0)
    }
}

/// How a node took an operation: decides what its outcome says about forwarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The node led when it was asked.
    Leader,
    /// The node did not lead when it was asked.
    Forwarded,
}

/// How an operation is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As a command for the log.
    Command,
    /// As a linearizable read, which leaves no trace in the log.
    Read,
}

/// One operation of a client.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name.
    pub id: OpId,
    /// Whose it is.
    pub client: u32,
    /// The node that was asked.
    pub node: NodeId,
    /// What was asked.
    pub command: Bytes,
    /// When it was asked.
    pub invoked: Instant,
    /// The number of the invocation among all events.
    pub call: u64,
    /// The greatest index at which an operation was known done when this one was invoked: this one's entry
    /// must come later.
    pub floor: LogIndex,
    /// Whether the node led when it was asked.
    pub route: Route,
    /// How it is asked.
    pub manner: Manner,
    /// What the client was told, if it was told anything.
    pub answer: Option<Answer>,
}

/// What a client was told.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When.
    pub at: Instant,
    /// The number of the answer among all events.
    pub order: u64,
    /// What became of the operation.
    pub outcome: Outcome,
    /// The machine's output, when it was done.
    pub output: Option<Bytes>,
}

/// What may have become of an operation, as far as its client can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It took effect between its call and its answer.
    Done,
    /// It never took effect and never will.
    Never,
    /// It may have taken effect, or may yet, or never.
    Unknown,
}

/// Why an answer is impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nobody asked.
    #[error("{node} answered {op}, which nobody invoked")]
    Unasked {
        /// The operation.
        op: OpId,
        /// Who answered.
        node: NodeId,
    },
    /// It was answered before.
    #[error("{node} answered {op} a second time; at {first} it answered {outcome:?}")]
    Twice {
        /// The operation.
        op: OpId,
        /// Who answered.
        node: NodeId,
        /// When it was answered first.
        first: Instant,
        /// What the answer was then.
        outcome: Outcome,
    },
    /// Another node was asked.
    #[error("{node} answered {op}, which was asked of {asked}")]
    OtherNode {
        /// The operation.
        op: OpId,
        /// Who answered.
        node: NodeId,
        /// Who was asked.
        asked: NodeId,
    },
}

impl Operation {
    /// What may have become of it.
    pub fn fate(&self) -> Fate {
        match self.answer.as_ref().map(|answer| answer.outcome) {
            Some(Outcome::Done { .. } | Outcome::Readable { .. } | Outcome::Transferred { .. }) => {
                Fate::Done
            }
            Some(Outcome::Refused { .. } | Outcome::Lost { .. }) => Fate::Never,
            Some(Outcome::Unknown) | None => Fate::Unknown,
        }
    }
}

/// Everything that clients asked and were told in one run.
#[derive(Clone, Debug, Default)]
pub struct History {
    operations: Vec<Operation>,
    /// The places of the operations without an answer. Those that are answered are near the end: what
    /// clients have given up on stays behind and is not searched.
    waiting: Vec<(OpId, usize)>,
    events: u64,
    done: u64,
    /// The greatest index at which an operation is known done.
    floor: LogIndex,
}

impl History {
    /// An operation was invoked. Its name was not used before.
    pub fn invoke(
        &mut self,
        at: Instant,
        id: OpId,
        client: u32,
        node: NodeId,
        route: Route,
        command: &Bytes,
    ) {
        let call = self.next_event();
        let operation = Operation {
            id,
            client,
            node,
            command: command.clone(),
            invoked: at,
            call,
            floor: self.floor,
            route,
            manner: Manner::Command,
            answer: None,
        };
        self.waiting.push((id, self.operations.len()));
        self.operations.push(operation);
    }

    /// A client was told what became of its operation.
    ///
    /// # Errors
    /// When nobody asked, somebody else was asked, or it was answered before; the history stays as it was.
    pub fn answer(
        &mut self,
        at: Instant,
        op: OpId,
        node: NodeId,
        outcome: Outcome,
        output: Option<&Bytes>,
    ) -> Result<&Operation, AnswerError> {
        let Some(waiting) = self.waiting.iter().rposition(|(id, _)| *id == op) else {
            return Err(self.not_waiting(op, node));
        };
        let (_, place) = self.waiting[waiting];
        let asked = self.operations[place].node;
        if asked != node {
            return Err(AnswerError::OtherNode { op, node, asked });
        }
        self.waiting.remove(waiting);
        if let Outcome::Done { position } = outcome {
            self.floor = self.floor.max(position.index);
            self.done += 1;
        }
        let order = self.next_event();
        self.operations[place].answer =
            Some(Answer { at, order, outcome, output: output.cloned() });
        Ok(&self.operations[place])
    }

    /// The operations, in the order of their invocations.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// One operation, found by searching them all.
    pub fn operation(&self, id: OpId) -> Option<&Operation> {
        self.operations.iter().rev().find(|operation| operation.id == id)
    }

    /// What an operation without an answer asks for.
    pub fn command(&self, id: OpId) -> Option<&Bytes> {
        let (_, place) = self.waiting.iter().rfind(|(waiting, _)| *waiting == id)?;
        Some(&self.operations[*place].command)
    }

    /// An operation that was invoked is now asked as a read, of a cluster that has committed everything up to
    /// `committed`, by the route that it takes now.
    pub fn reads(&mut self, id: OpId, committed: LogIndex, route: Route) {
        if let Some((_, place)) = self.waiting.iter().rfind(|(waiting, _)| *waiting == id) {
            let operation = &mut self.operations[*place];
            (operation.manner, operation.route) = (Manner::Read, route);
            operation.floor = operation.floor.max(committed);
        }
    }

    /// How many operations were done.
    pub fn done(&self) -> u64 {
        self.done
    }

    fn next_event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    #[cold]
    fn not_waiting(&self, op: OpId, node: NodeId) -> AnswerError {
        match self.operation(op).and_then(|operation| operation.answer.as_ref()) {
            Some(answer) => {
                AnswerError::Twice { op, node, first: answer.at, outcome: answer.outcome }
            }
            None => AnswerError::Unasked { op, node },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::{LogPosition, Term};

    const NODE: NodeId = NodeId(1);

    fn invoke(history: &mut History, id: u64) {
        history.invoke(Instant(id), OpId(id), 0, NODE, Route::Leader, &Bytes::new());
    }

    fn done(index: u64) -> Outcome {
        Outcome::Done { position: LogPosition::new(Term(1), LogIndex(index)) }
    }

    /// Goal: exactly one answer, from the node that was asked, to something that was asked.
    #[test]
    fn impossible_answers_are_refused() {
        let mut history = History::default();
        invoke(&mut history, 3);
        let error = |result: Result<&Operation, AnswerError>| result.expect_err("impossible");
        let unasked = error(history.answer(Instant(9), OpId(4), NODE, done(1), None));
        assert_eq!(unasked, AnswerError::Unasked { op: OpId(4), node: NODE });
        let other = error(history.answer(Instant(9), OpId(3), NodeId(2), done(1), None));
        assert_eq!(other, AnswerError::OtherNode { op: OpId(3), node: NodeId(2), asked: NODE });
        history
            .answer(Instant(9), OpId(3), NODE, Outcome::Unknown, None)
            .expect("the first answer");
        let twice = error(history.answer(Instant(10), OpId(3), NODE, done(1), None));
        assert_eq!(
            twice,
            AnswerError::Twice {
                op: OpId(3),
                node: NODE,
                first: Instant(9),
                outcome: Outcome::Unknown
            }
        );
    }

    /// Goal: an invocation remembers how far the log was known to reach; names need not be dense or rising.
    #[test]
    fn floors_and_names() {
        let mut history = History::default();
        invoke(&mut history, 10);
        invoke(&mut history, 20);
        history.answer(Instant(11), OpId(10), NODE, done(7), None).expect("asked");
        invoke(&mut history, 15);
        let floor = |id| history.operation(OpId(id)).expect("invoked").floor;
        assert_eq!([10, 20, 15].map(floor), [LogIndex(0), LogIndex(0), LogIndex(7)]);
        assert!(history.operation(OpId(11)).is_none());
        assert_eq!(history.done(), 1);
        assert!(history.operations().is_sorted_by_key(|operation| operation.call));
    }
}
