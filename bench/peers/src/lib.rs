//! Other Rafts under the simulator: adapters of `raft-io` and of `raft` (tikv's raft-rs) to [`raft_sim::raft::Raft`].
//!
//! Both are libraries that a driver calls and whose log is in memory. What their drivers have in common is a
//! [`Driver`](driver::Driver): it keeps back what must not be seen before a write is durable, hands committed entries to the
//! machine, and gives every request its one answer. An adapter is then a [`Library`](library::Library).

pub mod driver;
pub mod library;
pub mod raft_io;
pub mod raft_rs;
mod requests;
