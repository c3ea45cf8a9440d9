//! The state machine under test: the user's own, or the built-in key-value store.

use bytes::Bytes;
use raft_core::LogPosition;

use crate::draw::Draw;

/// A replicated state machine that can be simulated.
///
/// It must be deterministic: the same commands in the same order give the same outputs and digests. What a
/// command does should not depend on its position in the log: the search for a linear order does not know
/// the positions of operations that nobody heard of again.
pub trait Machine: Default + Clone {
    /// Applies a committed command and says what the client is told.
    fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes;

    /// A digest of the whole state. It is asked after every entry, so keep it up to date as commands are
    /// applied. Machines in the same state have the same digest, and others another.
    fn digest(&self) -> u64;

    /// The whole state.
    fn snapshot(&self) -> Bytes;

    /// A machine in the state of a snapshot.
    ///
    /// # Errors
    /// What is wrong with the snapshot, in words.
    fn restore(snapshot: &Bytes) -> Result<Self, String>;

    /// What must always hold of the state; asked after every entry.
    ///
    /// # Errors
    /// What does not hold, in words.
    fn invariant(&self) -> Result<(), String> {
        Ok(())
    }

    /// A command for a simulated client. Only `draw` decides what it is.
    fn command(draw: &mut Draw) -> Bytes;

    /// The part of the state that a command concerns, if commands on different parts are independent of
    /// each other. It keeps the linearizability search small.
    fn partition(_command: &Bytes) -> Option<u64> {
        None
    }

    /// A command, and its output if there is one yet, for people: `put k3 = 17`.
    fn describe(command: &Bytes, output: Option<&Bytes>) -> String {
        match output {
            Some(output) => format!("{command:?} -> {output:?}"),
            None => format!("{command:?}"),
        }
    }
}
