//! The state machine that is replicated.

use bytes::Bytes;
use raft_core::LogPosition;

/// Gives the bytes of a machine's state as it was at some moment, on whatever thread has the time.
pub type Image = Box<dyn FnOnce() -> Bytes + Send>;

/// A deterministic state machine in memory: the same commands in the same order make the same state and the same
/// outputs, on every node and at every time.
pub trait Machine: Send + 'static {
    /// Carries out a committed command and answers its output. It must not fail: what is wrong with a command is said in
    /// the output.
    fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes;

    /// The state as of now. It is called on the thread that everything waits for, so it should copy little: a
    /// structure that shares its parts, or a part that is encoded at once.
    fn image(&self) -> Image;

    /// Takes over a state.
    ///
    /// # Errors
    /// When the bytes are no state, in words.
    fn restore(&mut self, state: &Bytes) -> Result<(), String>;
}
