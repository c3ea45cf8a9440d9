//! The table as bytes, for the machine's snapshots.
//!
//! Version, limits, the last position applied, and the sessions in the order of their names; of each its outputs in
//! the order of their numbers. Equal tables have equal bytes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use bytes::Bytes;

use super::codec::{DecodeError, Reader, VERSION, put_number, put_position};
use super::table::{Record, length};
use super::{Sequence, SessionId, SessionLimits, Sessions};
use crate::types::{LogIndex, LogPosition};

impl Sessions {
    /// The table as bytes. Store them with the machine's own: the one is worth nothing without the other.
    pub fn encode(&self) -> Bytes {
        let SessionLimits { max_sessions, max_outstanding, max_output_bytes } = self.limits;
        let mut out = Vec::new();
        out.push(VERSION);
        put_number(&mut out, max_sessions.get());
        put_number(&mut out, max_outstanding.get());
        put_number(&mut out, max_output_bytes);
        put_position(&mut out, self.applied);
        put_number(&mut out, self.records.len() as u64);
        for (session, record) in &self.records {
            put_position(&mut out, session.0);
            record.put(&mut out);
        }
        out.into()
    }

    /// The table that bytes are. Its limits are those of the table that was encoded.
    ///
    /// # Errors
    /// [`DecodeError`] when they are none that [`Sessions::encode`] gives.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes)?;
        let mut table = Self::new(SessionLimits {
            max_sessions: limit(&mut reader)?,
            max_outstanding: limit(&mut reader)?,
            max_output_bytes: reader.number()?,
        });
        table.applied = reader.position()?;
        let count = reader.number()?;
        if count > table.limits.max_sessions.get() {
            return Err(DecodeError::Limits);
        }
        for _ in 0..count {
            let session = reader.session()?;
            let record = Record::read(&mut reader, table.limits)?;
            table.add(session, record)?;
        }
        reader.end()?;
        Ok(table)
    }

    /// Adds the next session that was read, if it can be there.
    fn add(&mut self, session: SessionId, record: Record) -> Result<(), DecodeError> {
        let LogPosition { term, index } = session.0;
        let before = self.records.last_key_value().map_or(LogPosition::ZERO, |(last, _)| last.0);
        if index <= before.index || term < before.term || term > self.applied.term {
            return Err(DecodeError::Order);
        }
        let last_use = record.last_use;
        let is_taken = self.by_use.insert(last_use, session).is_some();
        if is_taken || last_use < index || last_use > self.applied.index {
            return Err(DecodeError::LastUse);
        }
        self.records.insert(session, record);
        Ok(())
    }
}

impl Record {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.last_use.0);
        put_number(out, self.lowest.0);
        put_number(out, self.outputs.len() as u64);
        for (sequence, output) in &self.outputs {
            put_number(out, sequence.0 - self.lowest.0);
            // Nothing is 0, so that an empty output is something.
            put_number(out, output.as_ref().map_or(0, |bytes| bytes.len() as u64 + 1));
            out.extend_from_slice(output.as_deref().unwrap_or_default());
        }
    }

    /// The outputs are copied, so that they do not keep the whole snapshot in memory.
    fn read(reader: &mut Reader<'_>, limits: SessionLimits) -> Result<Self, DecodeError> {
        let last_use = LogIndex(reader.number()?);
        let lowest = Sequence(reader.number()?);
        if lowest < Sequence::FIRST {
            return Err(DecodeError::Order);
        }
        let count = reader.number()?;
        let mut record = Self { last_use, lowest, outputs: BTreeMap::new(), output_bytes: 0 };
        for _ in 0..count {
            let ahead = reader.number()?;
            if ahead >= limits.max_outstanding.get() {
                return Err(DecodeError::Limits);
            }
            let sequence = Sequence(lowest.0.checked_add(ahead).ok_or(DecodeError::Order)?);
            if record.outputs.last_key_value().is_some_and(|(last, _)| *last >= sequence) {
                return Err(DecodeError::Order);
            }
            let output = match reader.number()? {
                0 => None,
                more => Some(Bytes::copy_from_slice(reader.bytes(more - 1)?)),
            };
            record.output_bytes += length(output.as_ref());
            if record.output_bytes > limits.max_output_bytes {
                return Err(DecodeError::Limits);
            }
            record.outputs.insert(sequence, output);
        }
        Ok(record)
    }
}

/// A limit; never 0.
fn limit(reader: &mut Reader<'_>) -> Result<NonZeroU64, DecodeError> {
    NonZeroU64::new(reader.number()?).ok_or(DecodeError::Limits)
}
