//! What clients ask of their sessions, as the bytes of commands in the log.
//!
//! Version, kind, then the fields as numbers; the command of a `Do` is whatever is left, and shares the
//! memory of the entry.

use alloc::vec::Vec;

use bytes::Bytes;

use super::codec::{DecodeError, Reader, VERSION, put_number, put_position};
use super::{Sequence, SessionId};

/// A command for [`Sessions`](super::Sessions); its bytes are what is proposed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SessionRequest {
    /// Opens a session. One that stands in the log twice opens two; the one that nobody uses expires.
    Open,
    /// Runs a command once.
    Do {
        /// The session.
        session: SessionId,
        /// The command's number.
        sequence: Sequence,
        /// The lowest number the client still waits for, which is `sequence` or one before it.
        lowest: Sequence,
        /// For the machine.
        command: Bytes,
    },
    /// Closes a session, that others may have its place. Nothing is lost when it is never sent.
    Close {
        /// The session.
        session: SessionId,
    },
}

const OPEN: u8 = 0;
const DO: u8 = 1;
const CLOSE: u8 = 2;

impl SessionRequest {
    /// The bytes to propose.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Open => [VERSION, OPEN].to_vec().into(),
            Self::Do { session, sequence, lowest, command } => {
                encode_do(*session, *sequence, *lowest, command)
            }
            Self::Close { session } => {
                let mut out = [VERSION, CLOSE].to_vec();
                put_position(&mut out, session.0);
                out.into()
            }
        }
    }

    /// The request that bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] when they are none.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes)?;
        let request = match reader.byte()? {
            OPEN => Self::Open,
            DO => {
                let session = reader.session()?;
                let sequence = Sequence(reader.number()?);
                let lowest = Sequence(sequence.0.wrapping_sub(reader.number()?));
                let command = bytes.slice(bytes.len() - reader.left()..);
                return Ok(Self::Do { session, sequence, lowest, command });
            }
            CLOSE => Self::Close { session: reader.session()? },
            found => return Err(DecodeError::Kind { found }),
        };
        reader.end()?;
        Ok(request)
    }
}

/// The bytes of a [`SessionRequest::Do`]. The lowest number is written as a distance, which is small; it wraps, so
/// that any two numbers can be written.
pub(super) fn encode_do(
    session: SessionId,
    sequence: Sequence,
    lowest: Sequence,
    command: &[u8],
) -> Bytes {
    const HEAD_BYTES: usize = 32;
    let mut out = Vec::with_capacity(HEAD_BYTES + command.len());
    out.extend([VERSION, DO]);
    put_position(&mut out, session.0);
    put_number(&mut out, sequence.0);
    put_number(&mut out, sequence.0.wrapping_sub(lowest.0));
    out.extend_from_slice(command);
    out.into()
}
