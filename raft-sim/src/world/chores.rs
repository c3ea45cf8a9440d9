//! What a driver does beside writing, sending and applying: it takes snapshots of the machine, reads them for
//! peers, stages those that arrive, and reads old entries back.
//!
//! Invariant: a chore is done at one moment, and the node learns of it then; a crash before that moment leaves
//! nothing of it, but for bytes that were staged.

use bytes::Bytes;
use raft_core::{LogPosition, NodeId, Term};

use super::disk::Stored;
use super::drive::Cause;
use super::host::{Held, Series};
use super::queue::Event;
use super::trace::{Trace, TraceEvent};
use super::{Checked, World, short};
use crate::coverage::Situation;
use crate::draw::{Domain, Draw};
use crate::machine::Machine;
use crate::plan::CrashPoint;
use crate::raft::{Answer, Input, Raft, Task};

/// Something that a node's driver is busy with.
pub(super) struct Chore<R: Raft> {
    stamp: u32,
    what: What<R>,
}

impl<R: Raft> Chore<R> {
    pub(super) fn stamp(&self) -> u32 {
        self.stamp
    }
}

enum What<R: Raft> {
    /// A question of the node's.
    Asked(R::Chore),
    /// A snapshot of the machine, which was copied already.
    Taking { take: R::Take, bytes: Bytes },
}

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    /// A node asks its driver for something.
    pub(super) fn begin_chore(&mut self, node: usize, chore: R::Chore) {
        let stamp = self.hosts[node].number(Series::Chore);
        self.tell(TraceEvent::Tasked { node: self.id(node), stamp, task: R::task(&chore) });
        self.begin(node, stamp, What::Asked(chore));
    }

    /// Takes a snapshot of the machine when enough has been applied since the last.
    pub(super) fn compact(&mut self, node: usize) {
        let every = self.plan.snapshots.every;
        let host = &self.hosts[node];
        let is_taking = host.chores.iter().any(|chore| matches!(chore.what, What::Taking { .. }));
        let since = host.applied.entries_since(host.view.snapshot.index);
        if every == 0 || since < every || is_taking {
            return;
        }
        let take = host.raft.as_ref().and_then(|raft| raft.take_snapshot(host.applied));
        if let Some(take) = take {
            let bytes = host.machine.snapshot();
            let stamp = self.hosts[node].number(Series::Chore);
            self.begin(node, stamp, What::Taking { take, bytes });
        }
    }

    fn begin(&mut self, node: usize, stamp: u32, what: What<R>) {
        let takes =
            self.softened(self.plan.snapshots.latency).draw(&mut self.chore_draw(node, stamp));
        self.hosts[node].chores.push(Chore { stamp, what });
        self.queue.push(self.now + takes, Event::Chore { node: short(node), stamp });
    }

    fn chore_draw(&self, node: usize, stamp: u32) -> Draw {
        Draw::new(self.plan.seed, Domain::Chore, &[node as u64, stamp.into()])
    }

    /// A chore is done.
    pub(super) fn chore(&mut self, node: usize, stamp: u32) -> Checked {
        let host = &mut self.hosts[node];
        let Some(place) = host.chores.iter().position(|chore| chore.stamp == stamp) else {
            return Ok(());
        };
        if host.hold(Event::Chore { node: short(node), stamp }) == Held::Yes {
            return Ok(());
        }
        match host.chores.remove(place).what {
            What::Taking { take, bytes } => {
                let meta = R::takes(&take).clone();
                self.checks.took(raft_core::Instant(self.now), self.hosts[node].id, &meta)?;
                self.tell(TraceEvent::SnapshotTaken { node: self.id(node), meta: &meta });
                self.hosts[node].image.store(Stored { meta, bytes });
                if let Some(strike) = self.faults.strike(node, CrashPoint::Chore) {
                    return self.strike_down(node, strike);
                }
                self.step(node, Input::Taken(take), Cause::Chore)?;
                self.delete_old(node);
                Ok(())
            }
            What::Asked(chore) => {
                let answer = self.carry_out_chore(node, stamp, R::task(&chore))?;
                self.tell(TraceEvent::TaskDone { node: self.id(node), stamp, answer: &answer });
                if let Some(strike) = self.faults.strike(node, CrashPoint::Chore) {
                    return self.strike_down(node, strike);
                }
                self.step(node, Input::Answered(chore, answer), Cause::Chore)
            }
        }
    }

    /// Deletes the snapshots that nobody reads any more.
    fn delete_old(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        if let Some(raft) = &host.raft {
            host.image.delete_before(raft.oldest_snapshot_in_use());
        }
    }

    fn carry_out_chore(
        &mut self,
        node: usize,
        stamp: u32,
        task: Task<'_>,
    ) -> Result<Answer, crate::violation::Violation> {
        let profile = self.plan.snapshots;
        let draw = self.chore_draw(node, stamp);
        let fails = !self.stage.is_healed() && draw.fork(1).chance(profile.failure_per_million);
        let image = &mut self.hosts[node].image;
        if fails {
            self.checks.note(Situation::ChoreFailed);
            if let Task::WriteChunk { .. } | Task::FetchSnapshot { .. } = task {
                image.unstage();
            }
            return Ok(Answer::Failed);
        }
        Ok(match task {
            Task::Fetch { first, last, max_bytes } => {
                self.checks.note(Situation::EntriesFetched);
                image.read(first, last, max_bytes).map_or(Answer::Failed, Answer::Entries)
            }
            Task::ReadChunk { position, offset, max_bytes } => match image.stored(position) {
                None => Answer::Failed,
                Some(_) if draw.fork(2).chance(profile.elsewhere_per_million) => {
                    Answer::Located(locator(self.id(node), position))
                }
                Some(stored) => {
                    let total = stored.bytes.len() as u64;
                    let from = usize::try_from(offset.min(total)).unwrap_or(0);
                    let until = usize::try_from(offset.saturating_add(max_bytes).min(total));
                    let data = stored.bytes.slice(from..until.unwrap_or(from).max(from));
                    Answer::Chunk { total, data }
                }
            },
            Task::WriteChunk { partial, offset, data } => {
                image
                    .stage(partial, offset, data)
                    .map_err(|reason| self.broken_write(node, &reason))?;
                if offset > 0 {
                    self.checks.note(Situation::SnapshotChunked);
                }
                Answer::Staged
            }
            Task::FetchSnapshot { source, snapshot, locator } => {
                let is_stale =
                    !self.stage.is_healed() && draw.fork(3).chance(profile.stale_per_million);
                self.fetch_elsewhere(node, source, snapshot, locator, is_stale)?
            }
        })
    }

    /// The place that a locator names is the other node's store of snapshots, which answers also while that node
    /// is down, but may have deleted the snapshot, or still hold an older one only.
    fn fetch_elsewhere(
        &mut self,
        node: usize,
        source: NodeId,
        snapshot: &raft_core::SnapshotMeta,
        locator: &Bytes,
        is_stale: bool,
    ) -> Result<Answer, crate::violation::Violation> {
        let found = located(locator).and_then(|(id, position)| {
            let image = &self.hosts[self.place(id)?].image;
            if is_stale { image.oldest() } else { image.stored(position) }
        });
        let Some(Stored { meta, bytes }) = found.cloned() else { return Ok(Answer::Failed) };
        if meta != *snapshot {
            self.checks.note(Situation::StaleSnapshotFound);
            return Ok(Answer::Found(meta));
        }
        let partial = raft_core::PartialSnapshot {
            source,
            snapshot: snapshot.clone(),
            total: 0,
            received: 0,
        };
        let staged = self.hosts[node].image.stage(&partial, 0, &bytes);
        staged.map_err(|reason| self.broken_write(node, &reason))?;
        self.checks.note(Situation::SnapshotFetched);
        Ok(Answer::Found(meta))
    }
}

/// Names a snapshot of a node.
fn locator(node: NodeId, position: LogPosition) -> Bytes {
    let numbers = [node.0, position.term.0, position.index.0];
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn located(locator: &Bytes) -> Option<(NodeId, LogPosition)> {
    let number = |nth: usize| -> Option<u64> {
        Some(u64::from_le_bytes(locator.get(8 * nth..8 * nth + 8)?.try_into().ok()?))
    };
    let position = LogPosition::new(Term(number(1)?), raft_core::LogIndex(number(2)?));
    Some((NodeId(number(0)?), position))
}
