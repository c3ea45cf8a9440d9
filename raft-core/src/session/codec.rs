//! Bytes: the numbers that requests and tables are written with, and why bytes are neither.
//!
//! Invariant: a value has one encoding. What decodes, encodes to the same bytes again.

use alloc::vec::Vec;

use super::SessionId;
use crate::types::{LogIndex, LogPosition, Term};

/// The first byte of every encoding.
pub(super) const VERSION: u8 = 1;

/// Why bytes are not a request, or not a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DecodeError {
    /// There is less than was announced.
    #[error("the bytes end too early: they are cut off, or no session data")]
    CutOff,
    /// There is more than belongs there.
    #[error("there are bytes after the end: they are corrupt, or no session data")]
    Trailing,
    /// Of another format.
    #[error("the bytes are of version {found}, and this is version 1: upgrade the older side")]
    Version {
        /// What the first byte says.
        found: u8,
    },
    /// A request that this version does not know.
    #[error("there is no request of kind {found}: the bytes are corrupt, or no request")]
    Kind {
        /// What the second byte says.
        found: u8,
    },
    /// A number beyond 64 bits, or one that could have been written shorter.
    #[error("a number is too long: the bytes are corrupt, or no session data")]
    Number,
    /// No table ever looks like this.
    #[error("the table contradicts itself ({what}): the snapshot is corrupt, take another one")]
    Contradiction {
        /// The rule that it breaks.
        what: Contradiction,
    },
}

/// What contradicts itself in an encoded table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Contradiction {
    /// A limit of nothing.
    #[error("a limit is 0")]
    ZeroLimit,
    /// More than the limits allow.
    #[error("it exceeds its own limits")]
    BeyondLimits,
    /// Sessions or outputs that are not in order, or twice there.
    #[error("it is out of order")]
    Order,
    /// A session used before it was opened, after the last entry, or by an entry that used another.
    #[error("a session's last use is impossible")]
    LastUse,
}
