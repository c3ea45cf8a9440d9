//! The exhaustive search of small scopes, on the real core.
//!
//! A [`Scope`] bounds how many nodes there are and how often what may happen. [`explore`] meets every state that a cluster
//! can be in within those bounds, whatever the order of events, and judges each step as the simulator's checks do.
//! It steps [`raft_core::Node`] itself, not a model of it.
//!
//! # What happens
//!
//! Messages under way are a bag: any of them may arrive next, or never. A write under way becomes durable, and the node is told,
//! at any time; or its node crashes, with any prefix of the write on its disk, and comes back at once (which is no restriction:
//! a node that is away is one to which nothing happens). Nodes are told to stand for election; leaders are asked for
//! commands and memberships, find that heartbeats are due, and are taken snapshots of. Time passes for nobody else:
//! a leader's clock moves with its heartbeats, and that of a node that comes back by the election timeout for which it may
//! have promised its vote. So whatever keeps leaders in office by time (check-quorum, stickiness, leases) is off.
//!
//! # What is done at once, and why no behaviour is lost
//!
//! * Committed entries are applied and the node is told, in the step that hands them over. The machine is built anew after a
//!   crash, no message depends on what is applied, and reads are not explored: it commutes with everything but
//!   the snapshot of a machine, which is thereby only taken of what could have been applied.
//! * That a write is durable and that the node is told are one event. Between the two only a crash can tell the
//!   difference, and a crash finds the write under way complete on the disk as one of its outcomes.
//! * A message is lost by never arriving. A state with a message under way can do all that the one without it can.
//! * A message that would change nothing is not delivered, for the same reason. An answer that comes too late for good is
//!   taken out of the network if it would change nothing now ([`Scope::forgets`]): a node whose disk knows of a term never
//!   asks again what that term's answers are to. (Messages to it that want an answer stay: the answer is news.)
//!
//! Two things are restrictions: a chunk of a snapshot is read and staged at once, so that no message comes in between;
//! and the cluster's founding writes are durable before the search begins.
//!
//! # How it is fast
//!
//! What happens to a node depends on the node alone, so it is computed once and looked up after that
//! (`space`). States that differ in what makes no difference have one fingerprint (`fingerprint`), and so have
//! those that differ in the names of nodes.

mod action;
mod arena;
mod checks;
mod conduct;
mod core;
mod disk;
mod fingerprint;
mod ghost;
mod image;
mod led;
mod letter;
mod local;
mod scope;
mod search;
mod simulated;
mod space;
mod state;
mod step;
mod table;
mod tidy;
mod told;
mod visited;

#[cfg(test)]
mod tests;

pub use self::conduct::Breach;
pub use self::core::Core;
pub use self::scope::{Beginning, MAX_NODES, Scope, ScopeError};
pub use self::search::{Explored, Found, Limits, Progress, explore};
pub use self::simulated::plan as simulated;
pub use self::told::{Event, Step};
