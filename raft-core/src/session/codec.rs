//! Bytes: what requests and tables are written with, and why bytes are neither.
//!
//! Invariant: a value has one encoding. What decodes, encodes to the same bytes again.

use alloc::vec::Vec;

use super::SessionId;
use crate::types::{LogIndex, LogPosition, Term};

/// The first byte of every encoding.
pub(super) const VERSION: u8 = 1;

/// Why bytes are no request, or no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DecodeError {
    /// There is less than was announced.
    #[error("the bytes end too early: they were cut off, or are no session data")]
    CutOff,
    /// There is more than belongs there.
    #[error("bytes are left over at the end: they are corrupt, or no session data")]
    LeftOver,
    /// Of another format.
    #[error(
        "the bytes are of version {found}, but version 1 is known here: upgrade the older side"
    )]
    Version {
        /// What the first byte says.
        found: u8,
    },
    /// A request that this version does not know.
    #[error("there is no request of kind {found}: the bytes are corrupt, or no session data")]
    Kind {
        /// What the second byte says.
        found: u8,
    },
    /// A number beyond 64 bits, or one that could have been written shorter.
    #[error("a number is written in too many bytes: they are corrupt, or no session data")]
    Number,
    /// A table with a limit of nothing, or with more than its limits allow.
    #[error("the table has no limits, or is beyond them: it is corrupt, use another snapshot")]
    Limits,
    /// A table whose parts are not in order, or twice there.
    #[error("the parts of the table are out of order: it is corrupt, use another snapshot")]
    Order,
    /// A table with a session that was used when it cannot have been.
    #[error("a session's last use in the table is impossible: it is corrupt, use another snapshot")]
    LastUse,
}

/// Seven bits a byte, the lowest first; all bytes but the last have the highest bit.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

pub(super) fn put_position(out: &mut Vec<u8>, position: LogPosition) {
    put_number(out, position.term.0);
    put_number(out, position.index.0);
}

/// What is left to decode.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Past the version, which must be the one that is known.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Self { rest: bytes };
        match reader.byte()? {
            VERSION => Ok(reader),
            found => Err(DecodeError::Version { found }),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let is_too_large = shift == 63 && byte > 1;
            let is_needless = shift > 0 && byte == 0;
            if is_too_large || is_needless {
                return Err(DecodeError::Number);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(number)
    }

    pub(super) fn position(&mut self) -> Result<LogPosition, DecodeError> {
        Ok(LogPosition::new(Term(self.number()?), LogIndex(self.number()?)))
    }

    pub(super) fn session(&mut self) -> Result<SessionId, DecodeError> {
        self.position().map(SessionId)
    }

    pub(super) fn bytes(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError::CutOff)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::LeftOver) }
    }
}
