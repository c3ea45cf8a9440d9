//! A replicated key-value store: server, client, and the command line of both.
//!
//! * [`machine`]: the store as a deterministic state machine, with sessions for exactly-once retries.
//! * [`protocol`]: what clients and servers say to each other.
//! * [`client`]: asks whichever server answers, and asks again.
//! * [`server`]: serves clients from a node of `raft-driver`.
//! * [`metrics`]: numbers for Prometheus.
//! * [`cli`]: the command line.

// In the order of dependence: nobody imports from below.
pub mod machine;
pub mod protocol;
pub mod client;
pub mod metrics;
pub mod server;
pub mod certificates;
pub mod cli;
