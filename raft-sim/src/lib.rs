//! A deterministic simulator for Raft.
//!
//! A run is a value: a seed makes a [`Plan`](plan::Plan), the [`World`](world::World) runs it in virtual
//! time, and what became of it is a [`Verdict`](verdict::Verdict). The same seed gives the same run, bit
//! for bit, on every machine, so whatever goes wrong can be looked at again.
//!
//! The Raft under test is anything that implements [`Raft`](raft::Raft) (`raft-core` does), and the state
//! machine is anything that implements [`Machine`]: the user's own, or the built-in
//! key-value store. In a test, [`check`](fn@check) runs a campaign of seeds:
//!
//! ```no_run
//! # type MyMachine = raft_sim::kv::Kv;
//! raft_sim::check::<MyMachine>();
//! ```
//!
//! Invariants of the whole crate: nothing in a run reads a clock, draws from a shared stream of random
//! numbers, or depends on the order of a hash table, the width of a pointer or the number of threads.

// In the order of dependence: nobody imports from below.
pub mod draw;
mod hash;
mod units;
pub mod machine;
pub mod violation;
pub mod history;
pub mod coverage;
pub mod linearizability;
pub mod kv;
pub mod served;
pub mod plan;
pub mod raft;
pub mod scenario;
mod fate;
mod spec;
pub mod check;
pub mod verdict;
pub mod world;
mod core_adapter;
pub mod campaign;
pub mod timeline;
pub mod recording;
pub mod report;
pub mod story;
pub mod page;
pub mod run_file;
pub mod rerun;
pub mod shrink;
pub mod explore;
mod testing;
#[cfg(feature = "command")]
pub mod command;

pub use draw::Draw;
pub use machine::{Machine, Mark, Positions};
pub use testing::{Check, check, scenario_text, scenarios};
