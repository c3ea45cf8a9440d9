#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

// In the order of dependence: nobody imports from below.
mod types;
mod token;
mod spare;
mod config;
pub mod quorum;
mod membership;
mod entry;
mod cache;
mod snapshot;
mod request;
mod message;
mod persist;
mod apply;
mod fetch;
mod input;
mod rejection;
mod status;
mod effect;
mod terms;
mod restore;
mod rng;
mod log;
mod slot;
mod sending;
mod progress;
mod outbox;
mod reads;
mod pending;
mod write_lane;
mod incoming;
mod machine_lane;
mod replica;
mod applying;
mod staging;
mod origins;
mod transition;
mod role;
mod gate;
mod invariants;
mod node;
mod replay;
pub mod session;

pub use apply::{Applied, Apply, Committed};
pub use config::{Config, ConfigError, Forwarding, Priority, Settings, Toggle};
pub use effect::{Effect, Effects, Event, StepDown};
pub use entry::{Entries, Entry, Origin, Payload};
pub use fetch::{Fetch, Fetched, Reader};
pub use input::Input;
pub use membership::{Membership, MembershipError, MembershipParts};
pub use message::{
    AppendEntries, AppendReply, Ballot, Cause, Envelope, InstallSnapshot, Message, SnapshotContent,
    SnapshotReceipt, WireVersion,
};
pub use node::Node;
pub use persist::{Append, HardState, Persist, Persisted, Write};
pub use rejection::{Rejection, Rejections};
pub use replay::{
    RecordedInput, RecordedLine, RecordedNode, RecordedStart, RecordedStep, ReplayError,
};
pub use request::{Outcome, Refusal, Reply, Request};
pub use restore::{Bootstrap, Force, Join, LogSummary, RestoreError, Restored, Start};
pub use snapshot::{
    ChunkAnswer, ChunkRead, ChunkWritten, FetchSnapshot, PartialSnapshot, ReadChunk, Restore,
    SnapshotMeta, SnapshotTaken, StageAnswer, TakeSnapshot, WriteChunk,
};
pub use status::{PeerFlow, PeerStatus, Role, Status};
pub use types::{
    ClusterId, Incarnation, Instant, LogIndex, LogPosition, NodeId, RequestId, Round, Term, Ticks,
    WriteNumber,
};
