//! The table of sessions, beside the state machine on every replica.
//!
//! Invariants: there are no more sessions, and no more outputs in any of them, than the limits allow; every
//! command that was run is remembered, or lies before what its client still waits for; each session was last
//! used by an entry of its own.

use alloc::collections::BTreeMap;
use core::num::NonZeroU64;

use bytes::Bytes;

use super::codec::DecodeError;
use super::{Sequence, SessionId, SessionRequest};
use crate::types::{LogIndex, LogPosition};

/// How much a table remembers. The limits decide what is answered, so they are part of the replicated state: every
/// replica begins with the same, they are in the encoded table, and they stay for the life of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionLimits {
    /// The most sessions. One more, and the one that was not used for longest expires.
    pub max_sessions: NonZeroU64,
    /// The most commands of a session without an answer, and so the most outputs that are remembered of it.
    pub max_outstanding: NonZeroU64,
    /// The most bytes of outputs that are remembered of a session. Outputs beyond them are given once, and not kept:
    /// a copy of such a command is refused as [`SessionRefusal::OutputNotKept`].
    pub max_output_bytes: u64,
}

/// 4,096 sessions, each with 64 commands outstanding and 64 KiB of their outputs.
impl Default for SessionLimits {
    fn default() -> Self {
        const SESSIONS: NonZeroU64 = NonZeroU64::new(4_096).expect("not zero");
        const OUTSTANDING: NonZeroU64 = NonZeroU64::new(64).expect("not zero");
        let max_output_bytes = 64 * 1024;
        Self { max_sessions: SESSIONS, max_outstanding: OUTSTANDING, max_output_bytes }
    }
}

/// What a [`SessionRequest`] is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SessionReply {
    /// The session is open.
    Opened(SessionId),
    /// The output of the command, from now or from when it was run.
    Done(Bytes),
    /// The session is closed, now or before.
    Closed,
    /// Nothing was run.
    Refused(SessionRefusal),
}

/// Why nothing was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SessionRefusal {
    /// There is no such session, not any more at least. The command may have been run before.
    #[error(
        "the session has expired or was closed: open another one, and find out what took effect"
    )]
    Expired,
    /// The client has said that it does not wait for the command. It was run before, or never will be.
    #[error("the command's number lies before what the session still waits for: it is a late copy")]
    NotAwaited,
    /// Too many numbers lie between the command and the lowest that the client waits for.
    #[error(
        "too many commands of the session are outstanding: wait for answers, then send it again"
    )]
    TooFarAhead,
    /// The command was run before, and its output was too large to be remembered.
    #[error(
        "the command took effect, but its output was too large to keep: read the machine instead"
    )]
    OutputNotKept,
    /// The table has been at this entry before. An answer was given then.
    #[error(
        "the entry was applied before: apply each committed entry once, in the order of the log"
    )]
    AppliedBefore,
    /// The bytes are no request.
    #[error("the command is no session request: {0}")]
    Malformed(DecodeError),
}

/// Which sessions there are, and what they were answered. Beside the machine, and part of its snapshots.
///
/// Equal on all replicas at equal positions, and comparable in three ways: as a value, by hash, and by its
/// [bytes](Sessions::encode).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sessions {
    pub(super) limits: SessionLimits,
    pub(super) applied: LogPosition,
    pub(super) records: BTreeMap<SessionId, Record>,
    /// Invariant: every session once, under its last use.
    pub(super) by_use: BTreeMap<LogIndex, SessionId>,
}

/// What is remembered of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) last_use: LogIndex,
    /// What the client still waits for begins here.
    pub(super) lowest: Sequence,
    /// The commands from `lowest` on that were run; without an output if it was too large.
    pub(super) outputs: BTreeMap<Sequence, Option<Bytes>>,
    /// Invariant: the bytes of all outputs.
    pub(super) output_bytes: u64,
}

impl Sessions {
    /// No sessions, as of the beginning of the log.
    pub fn new(limits: SessionLimits) -> Self {
        let (records, by_use) = (BTreeMap::new(), BTreeMap::new());
        Self { limits, applied: LogPosition::ZERO, records, by_use }
    }

    /// Applies a committed command. `run` gives it to the machine, if it has not had it yet.
    ///
    /// Outputs are kept as they are, with the whole buffer they may be slices of: copy small ones out of large
    /// buffers.
    pub fn apply(
        &mut self,
        position: LogPosition,
        bytes: &Bytes,
        run: impl FnOnce(&Bytes) -> Bytes,
    ) -> SessionReply {
        if position.index <= self.applied.index {
            return SessionReply::Refused(SessionRefusal::AppliedBefore);
        }
        self.applied = position;
        match SessionRequest::decode(bytes) {
            Ok(SessionRequest::Open) => SessionReply::Opened(self.open(position)),
            Ok(SessionRequest::Do { session, sequence, lowest, command }) => self
                .used(session, lowest)
                .and_then(|(record, limits)| record.once(sequence, limits, || run(&command)))
                .map_or_else(SessionReply::Refused, SessionReply::Done),
            Ok(SessionRequest::Close { session }) => {
                self.close(session);
                SessionReply::Closed
            }
            Err(error) => SessionReply::Refused(SessionRefusal::Malformed(error)),
        }
    }

    /// What may be remembered.
    pub fn limits(&self) -> SessionLimits {
        self.limits
    }

    /// The last entry that was applied here.
    pub fn applied(&self) -> LogPosition {
        self.applied
    }

    /// How many sessions are open.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no session is open.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn open(&mut self, position: LogPosition) -> SessionId {
        while self.len() as u64 >= self.limits.max_sessions.get() {
            let (_, unused) =
                self.by_use.pop_first().expect("there are sessions, so one was used last");
            self.records.remove(&unused);
        }
        let session = SessionId(position);
        self.records.insert(session, Record::new(position.index));
        self.by_use.insert(position.index, session);
        debug_assert_eq!(self.records.len(), self.by_use.len());
        session
    }

    fn close(&mut self, session: SessionId) {
        if let Some(record) = self.records.remove(&session) {
            self.by_use.remove(&record.last_use);
        }
    }

    /// The session that the entry just reached uses, with what its client has told by it.
    fn used(
        &mut self,
        session: SessionId,
        lowest: Sequence,
    ) -> Result<(&mut Record, SessionLimits), SessionRefusal> {
        let record = self.records.get_mut(&session).ok_or(SessionRefusal::Expired)?;
        self.by_use.remove(&record.last_use);
        record.last_use = self.applied.index;
        self.by_use.insert(record.last_use, session);
        record.forget_before(lowest);
        Ok((record, self.limits))
    }
}

impl Record {
    fn new(opened: LogIndex) -> Self {
        let outputs = BTreeMap::new();
        Self { last_use: opened, lowest: Sequence::FIRST, outputs, output_bytes: 0 }
    }

    fn forget_before(&mut self, lowest: Sequence) {
        self.lowest = self.lowest.max(lowest);
        while let Some(first) = self.outputs.first_entry() {
            if *first.key() >= self.lowest {
                break;
            }
            self.output_bytes -= length(first.remove().as_ref());
        }
    }

    /// Runs a command that was not run before, or remembers what it was answered.
    fn once(
        &mut self,
        sequence: Sequence,
        limits: SessionLimits,
        run: impl FnOnce() -> Bytes,
    ) -> Result<Bytes, SessionRefusal> {
        let ahead = sequence.0.checked_sub(self.lowest.0).ok_or(SessionRefusal::NotAwaited)?;
        if ahead >= limits.max_outstanding.get() {
            return Err(SessionRefusal::TooFarAhead);
        }
        if let Some(remembered) = self.outputs.get(&sequence) {
            return remembered.clone().ok_or(SessionRefusal::OutputNotKept);
        }
        let output = run();
        let output_bytes = self.output_bytes.saturating_add(output.len() as u64);
        let kept = (output_bytes <= limits.max_output_bytes).then(|| output.clone());
        self.output_bytes += length(kept.as_ref());
        self.outputs.insert(sequence, kept);
        debug_assert!(self.outputs.len() as u64 <= limits.max_outstanding.get());
        Ok(output)
    }
}

/// The bytes of an output that is kept.
pub(super) fn length(output: Option<&Bytes>) -> u64 {
    output.map_or(0, |bytes| bytes.len() as u64)
}
