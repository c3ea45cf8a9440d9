//! A transfer of leadership, as the leader that hands over sees it (thesis §3.10).
//!
//! The target is brought up to date, then told to stand for election; proposals are refused meanwhile. It ends
//! with another leader, or after an election timeout.

use crate::types::{Instant, NodeId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Handover {
    pub(crate) to: NodeId,
    /// When it is given up.
    pub(crate) until: Instant,
    pub(crate) notice: Notice,
}

/// Whether the target has been told to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Notice {
    /// It is not up to date yet.
    Owed,
    /// It may stand at any time from now on, however the transfer ends.
    Given,
}
