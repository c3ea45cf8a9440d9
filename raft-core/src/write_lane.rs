//! The one write that may be under way, and the hard state it carries.

use alloc::boxed::Box;

use crate::log::Log;
use crate::persist::{HardState, Persist, Persisted, Write};
use crate::snapshot::SnapshotMeta;
use crate::spare::Spare;
use crate::token::Life;
use crate::types::{Instant, LogIndex, Ticks, WriteNumber};

/// Invariant: writes are numbered without gaps, and at most one is outstanding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// The memory of an earlier write.
    #[cfg_attr(feature = "serde", serde(skip))]
    spare: Spare<Box<Write>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Outstanding {
    number: WriteNumber,
    hard_state: HardState,
    purpose: Purpose,
    since: Instant,
}

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Purpose {
    /// The disk follows the node.
    Follow,
    /// A snapshot takes the place of the log.
    Install,
}

/// What a receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// It is not for the outstanding write.
    Foreign,
    /// The write is durable.
    Durable(Purpose),
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
            spare: Spare::default(),
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

    /// Whether nothing is under way, nor the founding write to come first.
    pub(crate) fn is_free(&self) -> bool {
        self.outstanding.is_none() && self.founding.is_none()
    }

    /// Whether a snapshot is being installed.
    pub(crate) fn is_installing(&self) -> bool {
        self.outstanding.is_some_and(|write| write.purpose == Purpose::Install)
    }

    /// Whether there is something to write and nothing under way.
    pub(crate) fn is_due(&self, current: HardState, log: &Log) -> bool {
        let is_behind = self.founding.is_some() || self.durable != current || log.has_unsubmitted();
        self.outstanding.is_none() && is_behind
    }

    /// Starts a write of everything the disk lacks.
    pub(crate) fn submit(&mut self, current: HardState, log: &mut Log, now: Instant) -> Persist {
        let mut write = self.spare.take();
        write.install = self.founding.take();
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
        self.start(write, covered, Purpose::Follow, now)
    }

    /// Starts a write that puts a snapshot in the place of the log. What else the log has for the disk goes with it.
    pub(crate) fn install(
        &mut self,
        current: HardState,
        snapshot: SnapshotMeta,
        now: Instant,
    ) -> Persist {
        let hard_state = (self.durable != current).then_some(current);
        // The disk may still hold what was compacted in memory: all of it goes.
        let truncate_from = Some(LogIndex(1));
        let install = Some(snapshot);
        let write = Write { hard_state, install, truncate_from, ..Write::default() };
        self.start(Box::new(write), current, Purpose::Install, now)
    }

    fn start(
        &mut self,
        write: Box<Write>,
        hard_state: HardState,
        purpose: Purpose,
        now: Instant,
    ) -> Persist {
        assert!(self.outstanding.is_none(), "INV-5: one write is under way at a time");
        let number = self.next;
        self.next = WriteNumber(number.0 + 1);
        self.outstanding = Some(Outstanding { number, hard_state, purpose, since: now });
        Persist::new(self.life, number, write)
    }

    /// Takes a receipt.
    pub(crate) fn complete(&mut self, receipt: Persisted) -> Receipt {
        match self.outstanding {
            Some(write) if receipt.life == self.life && receipt.number == write.number => {
                self.durable = write.hard_state;
                self.outstanding = None;
                if let Some(mut spent) = receipt.spent {
                    *spent = Write::default();
                    self.spare.keep(spent);
                }
                Receipt::Durable(write.purpose)
            }
            _ => Receipt::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Terms;
    use crate::types::{Incarnation, LogPosition, NodeId, Term};

    const LIFE: Life = Life { node: NodeId(1), incarnation: Incarnation(1), started: Instant(0) };
    const NOW: Instant = Instant(0);

    fn term(term: u64) -> HardState {
        HardState { term: Term(term), vote: None, incarnation: LIFE.incarnation }
    }

    fn empty() -> Log {
        Log::restore(Terms::after(LogPosition::ZERO), LogIndex::ZERO)
    }

    /// The founding write stands alone; what depends on the hard state waits for the one after it.
    #[test]
    fn the_founding_write_stands_alone() {
        let mut log = empty();
        let founding = Some(SnapshotMeta::default());
        let mut lane = WriteLane::new(LIFE, HardState::default(), founding);
        assert_eq!(lane.covering(term(1)), Some(WriteNumber(2)));
        let first = lane.submit(term(1), &mut log, NOW);
        assert!(first.write().install.is_some() && first.write().hard_state.is_none());
        assert_eq!(lane.covering(term(1)), Some(WriteNumber(2)));
        assert_eq!(lane.complete(first.done()), Receipt::Durable(Purpose::Follow));
        let second = lane.submit(term(1), &mut log, NOW);
        assert_eq!(second.write().hard_state, Some(term(1)));
        assert_eq!(lane.complete(second.done()), Receipt::Durable(Purpose::Follow));
        assert_eq!(lane.covering(term(1)), None);
        assert!(!lane.is_due(term(1), &log));
    }

    /// A change during a write is covered by the next one, not by the one under way.
    #[test]
    fn a_change_during_a_write_waits_for_the_next() {
        let mut log = empty();
        let mut lane = WriteLane::new(LIFE, term(1), None);
        let first = lane.submit(term(2), &mut log, NOW);
        assert_eq!(lane.covering(term(2)), Some(WriteNumber(1)));
        assert_eq!(lane.covering(term(3)), Some(WriteNumber(2)));
        assert_eq!(lane.complete(first.done()), Receipt::Durable(Purpose::Follow));
        assert_eq!(lane.covering(term(3)), Some(WriteNumber(2)));
    }

    /// A receipt counts once, and only for the write that is outstanding in this life of this node.
    #[test]
    fn foreign_receipts_are_refused() {
        let mut log = empty();
        let mut lane = WriteLane::new(LIFE, term(1), None);
        let persist = lane.submit(term(2), &mut log, NOW);
        let number = persist.number();
        let other_life = Life { incarnation: Incarnation(9), ..LIFE };
        let other_node = Life { node: NodeId(2), ..LIFE };
        let same_incarnation_again = Life { started: Instant(5), ..LIFE };
        let of = |life, number| Persisted { life, number, spent: None };
        for foreign in [
            of(other_life, number),
            of(other_node, number),
            of(same_incarnation_again, number),
            of(LIFE, WriteNumber(number.0 + 1)),
        ] {
            assert_eq!(lane.complete(foreign), Receipt::Foreign);
        }
        assert_eq!(lane.complete(persist.done()), Receipt::Durable(Purpose::Follow));
        assert_eq!(lane.complete(of(LIFE, number)), Receipt::Foreign);
    }

    /// A write is stalled when its own time is long, however long others took.
    #[test]
    fn a_stall_is_of_one_write() {
        let mut log = empty();
        let mut lane = WriteLane::new(LIFE, term(1), None);
        let persist = lane.submit(term(2), &mut log, Instant(100));
        assert!(!lane.is_stalled(Instant(149), Ticks(50)));
        assert!(lane.is_stalled(Instant(150), Ticks(50)));
        assert_eq!(lane.complete(persist.done()), Receipt::Durable(Purpose::Follow));
        assert!(!lane.is_stalled(Instant(999), Ticks(50)));
    }
}
