//! Raft over the publish/subscribe of a Redis, with plain threads: a complete driver around [`raft_core::Node`], small
//! enough to be read in one go.
//!
//! * [`frame`]: a message as bytes, and what makes bytes no message;
//! * [`transport`]: bytes from node to node, by way of a Redis;
//! * [`disk`]: a durable log in one file;
//! * [`store`]: the state machine, a map from keys to values;
//! * [`clock`]: the time as Raft needs it;
//! * [`node`]: the loop that holds all of it together.
//!
//! **Who may publish is believed.** Redis does not say who published a message, so anybody who can reach the Redis and may
//! publish there can claim to be any member, and Raft trusts its members. Protect the Redis by a password or, better, by a
//! user of its own (ACL), and by the network: the connection is not encrypted.
//!
//! It takes no snapshots, so the log on disk grows for ever, and its members never change. `docs/GUIDE.md` of the repository has
//! the rest.

pub mod clock;
pub mod frame;
mod outage;
pub mod transport;
pub mod disk;
pub mod store;
pub mod node;
