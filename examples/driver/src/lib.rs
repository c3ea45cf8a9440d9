//! Everything around a `raft-core` node: an example to read, and to copy from.
//!
//! * [`store`]: what must survive a crash, behind a trait, in a database and in memory, with a suite for others.
//! * [`job`]: what a node asks of its disk, as work for other threads.
//! * [`machine`]: the replicated state machine.
//! * [`recorder`]: what a node was told, kept for a replay.
//! * [`replica`]: a node and its machine, without any I/O: inputs in, things to do out.
//! * [`transport`]: connections between nodes, over TCP, with or without TLS.
//! * [`runtime`]: all of that under tokio, and [`Handle`], by which a program uses it.
//!
//! `examples/kv` is a key-value store made of these parts.

// In the order of dependence: nobody imports from below.
pub mod clock;
pub mod store;
pub mod job;
pub mod machine;
pub mod recorder;
pub mod replica;
pub mod packet;
pub mod transport;
mod lanes;
mod command;
mod handle;
pub mod runtime;
pub mod members;

pub use command::{Appended, DispatchError, RequestError, To};
pub use handle::{Handle, Happened};
pub use packet::CallError;
