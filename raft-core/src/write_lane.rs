//! The one write that may be under way, and the hard state it carries.

use crate::log::Log;
use crate::persist::{HardState, Life, Persist, Persisted, Write};
use crate::snapshot::SnapshotMeta;
use crate::types::{Instant, LogIndex, Ticks, WriteNumber};

/// Invariant: writes are numbered without gaps, and at most one is outstanding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WriteLane {
    life: Life,
    /// The number of the next write.
    next: WriteNumber,
    outstanding: Option<Outstanding>,
    /// The hard state on the disk.
    durable: HardState,
    /// The founding membership, until it is submitted: alone in the first write, so that no crash leaves
    /// a node that has started but does not know its cluster.
    founding: Option<SnapshotMeta>,
    /// The commit hint last written.
    hinted: LogIndex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Outstanding {
    number: WriteNumber,
    hard_state: HardState,
    since: Instant,
}

impl WriteLane {
    pub(crate) fn new(life: Life, durable: HardState, founding: Option<SnapshotMeta>) -> Self {
        Self {
            life,
            next: WriteNumber(1),
            outstanding: None,
            durable,
            founding,
            hinted: LogIndex::ZERO,
        }
    }

    pub(crate) fn life(&self) -> Life {
        self.life
    }

    pub(crate) fn outstanding(&self) -> Option<WriteNumber> {
        self.outstanding.map(|write| write.number)
    }

    /// Whether the disk has kept a write for `patience` or longer.
    pub(crate) fn is_stalled(&self, now: Instant, patience: Ticks) -> bool {
        self.outstanding.is_some_and(|write| now.since(write.since) >= patience)
    }

    /// The write that must be durable before `current` is; `None` when it is already.
    pub(crate) fn covering(&self, current: HardState) -> Option<WriteNumber> {
        if self.durable == current {
            return None;
        }
        Some(match self.outstanding {
            Some(write) if write.hard_state == current => write.number,
            _ if self.founding.is_some() => WriteNumber(self.next.0 + 1),
            _ => self.next,
        })
    }

    /// Whether there is something to write and nothing under way.
    pub(crate) fn is_due(&self, current: HardState, log: &Log) -> bool {
        let is_behind = self.founding.is_some() || self.durable != current || log.has_unsubmitted();
        self.outstanding.is_none() && is_behind
    }

    /// Starts a write of everything the disk lacks.
    pub(crate) fn submit(&mut self, current: HardState, log: &mut Log, now: Instant) -> Persist {
        debug_assert!(self.outstanding.is_none(), "INV-5: one write is under way at a time");
        let mut write = Write { install: self.founding.take(), ..Write::default() };
        let mut covered = self.durable;
        if write.install.is_none() {
            write.hard_state = (self.durable != current).then_some(current);
            covered = current;
            log.submit(&mut write);
            if log.commit() > self.hinted {
                write.commit = Some(log.commit());
                self.hinted = log.commit();
            }
        }
        debug_assert!(!write.is_empty(), "a commit hint alone is not worth a write");
        let number = self.next;
        self.next = WriteNumber(number.0 + 1);
        self.outstanding = Some(Outstanding { number, hard_state: covered, since: now });
        Persist::new(self.life, number, write)
    }

    /// Takes a receipt; says whether it is for the outstanding write.
    pub(crate) fn complete(&mut self, receipt: &Persisted) -> bool {
        match self.outstanding {
            Some(write) if receipt.life == self.life && receipt.number == write.number => {
                self.durable = write.hard_state;
                self.outstanding = None;
                true
            }
            _ => false,
        }
    }
}
