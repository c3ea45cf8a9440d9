//! `raft-core` alone, driven by hand: what the program and the benches of single steps have in common.

pub mod allocations;
pub mod driver;
pub mod group;
pub mod steps;
