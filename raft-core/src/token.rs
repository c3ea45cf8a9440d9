//! What every obligation and its receipt have in common: whose it is, and which.
//!
//! Receipts of another life are worth nothing, and so is one that was not asked for: a life numbers what it
//! asks of its driver.

use crate::types::{Incarnation, Instant, NodeId};

/// One life of a node, from a start to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Life {
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
    /// Tells apart lives whose incarnation never became durable and was given again.
    pub(crate) started: Instant,
}

/// Names one question to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Ticket {
    pub(crate) life: Life,
    pub(crate) number: u64,
}
