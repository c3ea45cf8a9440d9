//! Clusters of real processes, the faults they are put through, and the judgement of what clients saw.
//!
//! * [`ports`], [`proxy`], [`network`]: links between nodes that can be cut.
//! * [`process`], [`cluster`]: nodes that can be killed and stopped.
//! * [`dice`], [`nemesis`]: which faults, and when.
//! * [`model`], [`recorder`], [`workload`]: what clients ask, and what they are told.
//! * [`recovery`], [`verdict`], [`report`], [`campaign`]: whether that is as it should be.
//! * [`wire`], [`strangers`], [`conversation`], [`impostors`], [`members`], [`watch`]: hostile bytes, and whether
//!   anybody suffers.

// In the order of dependence: nobody imports from below.
pub(crate) mod dice;
pub(crate) mod ports;
pub(crate) mod proxy;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod cluster;
pub(crate) mod model;
pub(crate) mod recorder;
pub(crate) mod workload;
pub(crate) mod recovery;
pub(crate) mod disk_filling;
pub(crate) mod faults;
pub(crate) mod nemesis;
pub(crate) mod verdict;
pub(crate) mod report;
pub(crate) mod campaign;
pub(crate) mod wire;
pub(crate) mod strangers;
pub(crate) mod conversation;
pub(crate) mod members;
pub(crate) mod impostors;
pub(crate) mod watch;
