//! Real faults on real processes: `kv` on disks that lose what was not synced, killed, stopped, cut off from each other
//! and out of room, while clients are at work; and whatever strangers and liars send to its ports.
//!
//! A longer run, with what it came to:
//!
//! ```sh
//! KV_FAULTS_TIME=5m KV_HOSTILE_TIME=1m cargo test --release -p kv --test faults -- --nocapture
//! ```
//!
//! `KV_FAULTS_SEED` draws the same faults and the same bytes again. (When they meet what the processes do, no seed
//! decides.)

mod support;

mod hostile;
mod survival;
