//! What a node's effects lead to beside messages: its disk, its machine, its answers.

use raft_core::{Instant, Outcome, Reply, Start, Write};

use super::drive::Cause;
use super::host::{Activity, Applying, Held, Progress, Series, Timer, Work, Writing};
use super::queue::Event;
use super::trace::{Started, Trace, TraceEvent};
use super::{Checked, World, disk, short};
use crate::coverage::Situation;
use crate::draw::{Domain, Draw};
use crate::history::OpId;
use crate::machine::Machine;
use crate::plan::{CrashPoint, MachineMemory};
use crate::raft::{Committed, Input, Raft};
use crate::violation::{Property, Violation};

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    // ----- the disk -----

    /// Hands a write to the disk.
    pub(super) fn submit(&mut self, node: usize, persist: R::Persist) -> Checked {
        let id = self.id(node);
        self.checks.submitted(Instant(self.now), id, R::write(&persist))?;
        self.tell(TraceEvent::Submitted { node: id, write: R::write(&persist) });
        if self.hosts[node].writing.is_some() {
            let witness = format!("{id} asks for a write while another is outstanding");
            return Err(Violation::new(Property::WriteLane, Instant(self.now), &[id], witness));
        }
        let stamp = self.hosts[node].number(Series::Write);
        let takes = self.write_time(node, stamp);
        if takes > self.plan.settings.heartbeat_interval.0 {
            self.checks.note(Situation::SlowDisk);
        }
        self.hosts[node].writing = Some(Writing { persist, progress: Progress::Pending, stamp });
        self.queue.push(self.now + takes, Event::Durable { node: short(node), stamp });
        Ok(())
    }

    fn write_time(&self, node: usize, stamp: u32) -> u64 {
        let mut draw = self.disk_draw(node, stamp);
        if let Some((_, span)) = self.hosts[node].slow {
            return span.draw(&mut draw);
        }
        let profile = &self.plan.disk;
        if !self.stage.is_healed() && draw.fork(1).chance(profile.slow.per_million) {
            return profile.slow.takes.draw(&mut draw);
        }
        self.softened(profile.write).draw(&mut draw)
    }

    fn disk_draw(&self, node: usize, stamp: u32) -> Draw {
        Draw::new(self.plan.seed, Domain::Disk, &[node as u64, stamp.into()])
    }

    /// A write is on disk.
    pub(super) fn durable(&mut self, node: usize, stamp: u32) -> Checked {
        let id = self.id(node);
        let host = &mut self.hosts[node];
        let Some(writing) = host.writing.as_mut().filter(|writing| writing.stamp == stamp) else {
            return Ok(());
        };
        if writing.progress == Progress::Durable {
            return Ok(());
        }
        writing.progress = Progress::Durable;
        self.statistics.writes += 1;
        let write = R::write(&writing.persist);
        let taken = host.image.take(write);
        self.checks.durable(Instant(self.now), id, write)?;
        if T::ENABLED {
            self.trace.record(Instant(self.now), TraceEvent::Durable { node: id, write });
        }
        taken.map_err(|reason| self.broken_write(node, &reason))?;
        self.digest.add(self.now ^ id.0 << 56);
        if let Some(strike) = self.faults.strike(node, CrashPoint::Durable) {
            return self.strike_down(node, strike);
        }
        let receipt = self.softened(self.plan.disk.receipt);
        if receipt.max.0 == 0 {
            return self.receipt(node, stamp);
        }
        let delay = receipt.draw(&mut self.disk_draw(node, stamp).fork(2));
        self.queue.push(self.now + delay, Event::Receipt { node: short(node), stamp });
        Ok(())
    }

    #[cold]
    pub(super) fn broken_write(&self, node: usize, reason: &str) -> Violation {
        let id = self.id(node);
        Violation::new(Property::WriteLane, Instant(self.now), &[id], format!("{id} {reason}"))
    }

    /// The node learns that its write is durable.
    pub(super) fn receipt(&mut self, node: usize, stamp: u32) -> Checked {
        let host = &mut self.hosts[node];
        if host.writing.as_ref().is_none_or(|writing| writing.stamp != stamp) {
            return Ok(());
        }
        if host.hold(Event::Receipt { node: short(node), stamp }) == Held::Yes {
            return Ok(());
        }
        let Some(writing) = host.writing.take() else { return Ok(()) };
        let id = host.id;
        self.tell(TraceEvent::Receipt { node: id });
        self.step(node, Input::Persisted(writing.persist), Cause::Receipt)
    }

    // ----- the machine -----

    /// Hands a batch to the machine.
    pub(super) fn hand_to_machine(&mut self, node: usize, work: Work<R>) {
        self.tell(TraceEvent::Handed { node: self.id(node) });
        let stamp = self.hosts[node].number(Series::Batch);
        let latency =
            self.softened(self.plan.apply.latency).draw(&mut self.apply_draw(node, stamp));
        if latency > self.plan.settings.heartbeat_interval.0 {
            self.checks.note(Situation::SlowMachine);
        }
        self.hosts[node].applying = Some(Applying { work, stamp });
        self.queue.push(self.now + latency, Event::Apply { node: short(node), stamp });
    }

    fn apply_draw(&self, node: usize, stamp: u32) -> Draw {
        Draw::new(self.plan.seed, Domain::Apply, &[node as u64, stamp.into()])
    }

    /// The machine takes a batch.
    pub(super) fn apply(&mut self, node: usize, stamp: u32) -> Checked {
        let host = &mut self.hosts[node];
        if host.applying.as_ref().is_none_or(|applying| applying.stamp != stamp) {
            return Ok(());
        }
        if host.hold(Event::Apply { node: short(node), stamp }) == Held::Yes {
            return Ok(());
        }
        let Some(applying) = host.applying.take() else { return Ok(()) };
        let taken = match &applying.work {
            Work::Batch(batch) => self.take_batch(node, batch),
            Work::Restore(restore) => self.restore_machine(node, restore),
        };
        self.hosts[node].reporting = Some(applying);
        taken?;
        if let Some(strike) = self.faults.strike(node, CrashPoint::Apply) {
            return self.strike_down(node, strike);
        }
        let report = self.softened(self.plan.apply.report);
        if report.max.0 == 0 {
            return self.report(node, stamp);
        }
        let delay = report.draw(&mut self.apply_draw(node, stamp).fork(1));
        self.queue.push(self.now + delay, Event::Report { node: short(node), stamp });
        Ok(())
    }

    fn take_batch(&mut self, node: usize, batch: &R::Apply) -> Checked {
        let host = &mut self.hosts[node];
        for Committed { position, command, request } in R::committed(batch) {
            let output = command.map(|command| host.machine.apply(position, command));
            host.applied = position.index;
            self.checks.applied(
                Instant(self.now),
                host.id,
                position,
                command,
                &host.machine,
                output.as_ref(),
            )?;
            if T::ENABLED {
                let output = output.as_ref();
                let event = TraceEvent::Applied { node: host.id, position, command, output };
                self.trace.record(Instant(self.now), event);
            }
            self.digest.add(position.index.0 ^ position.term.0 << 40);
            if let (Some(request), Some(output)) = (request, output) {
                host.outputs.push((OpId(request.0), output));
            }
        }
        Ok(())
    }

    /// The machine becomes what the snapshot that counts says, at one stroke.
    fn restore_machine(&mut self, node: usize, restore: &R::Restore) -> Checked {
        let meta = R::restores(restore);
        let host = &mut self.hosts[node];
        let id = host.id;
        let wrong = |what: String| {
            let witness = format!("{id} is to be restored to {}: {what}", meta.position);
            Violation::new(Property::DigestsAgree, Instant(self.now), &[id], witness)
        };
        let stored = host.image.stored(meta.position);
        let stored = stored.ok_or_else(|| wrong("there is no such snapshot".to_owned()))?;
        let restored = host.machine.restore(&stored.bytes);
        host.machine =
            restored.map_err(|reason| wrong(format!("the snapshot is none: {reason}")))?;
        host.applied = meta.position.index;
        self.checks.machine_restored(Instant(self.now), id, meta, &host.machine)?;
        self.digest.add(meta.position.index.0 ^ 1 << 62);
        self.tell(TraceEvent::Restored { node: id, meta });
        Ok(())
    }

    /// The node learns that its batch was applied.
    pub(super) fn report(&mut self, node: usize, stamp: u32) -> Checked {
        let host = &mut self.hosts[node];
        if host.reporting.as_ref().is_none_or(|reporting| reporting.stamp != stamp) {
            return Ok(());
        }
        if host.hold(Event::Report { node: short(node), stamp }) == Held::Yes {
            return Ok(());
        }
        let Some(applying) = host.reporting.take() else { return Ok(()) };
        let (id, applied) = (host.id, host.applied);
        self.tell(TraceEvent::Reported { node: id, applied });
        let input = match applying.work {
            Work::Batch(batch) => Input::Applied(batch),
            Work::Restore(restore) => Input::Restored(restore),
        };
        self.step(node, input, Cause::Report)?;
        self.compact(node);
        Ok(())
    }

    // ----- answers -----

    /// Passes a reply on to whoever asked.
    pub(super) fn answer(&mut self, node: usize, reply: Reply) -> Checked {
        let Reply { request, outcome } = reply;
        let op = OpId(request.0);
        let host = &mut self.hosts[node];
        host.unanswered = host.unanswered.saturating_sub(1);
        if Self::is_wish(op) {
            return self.wish_answered(node, op, &outcome);
        }
        let is_done = matches!(outcome, Outcome::Done { .. } | Outcome::Readable { .. });
        let output = match outcome {
            Outcome::Done { .. } => host.output(op),
            // Now is when the machine may be read.
            Outcome::Readable { .. } => {
                let command = self.checks.history().command(op);
                command.and_then(|command| host.machine.query(command))
            }
            _ => None,
        };
        let id = host.id;
        self.checks.answered(Instant(self.now), op, id, &outcome, output.as_ref())?;
        self.tell(TraceEvent::Answered { op, node: id, outcome, output: output.as_ref() });
        self.digest.add(op.0 ^ u64::from(is_done) << 63);
        if is_done {
            self.statistics.operations_committed += 1;
        }
        self.client_answered(op, outcome, output.as_ref())
    }

    // ----- life and death -----

    /// Stops a node without warning. It comes back after `down`.
    pub(super) fn crash(&mut self, node: usize, point: CrashPoint, down: u64) -> Checked {
        self.crash_keeping(node, point, down, None)
    }

    /// The same, if so many parts of the write under way are to survive.
    pub(super) fn crash_keeping(
        &mut self,
        node: usize,
        point: CrashPoint,
        down: u64,
        keeps: Option<u64>,
    ) -> Checked {
        let host = &mut self.hosts[node];
        if !host.is_up() {
            return Ok(());
        }
        let id = host.id;
        host.raft = None;
        let torn = host.writing.take().filter(|writing| writing.progress == Progress::Pending);
        let survived = torn.map_or_else(Write::default, |writing| {
            let (key, write) = ([node as u64, writing.stamp.into()], R::write(&writing.persist));
            match keeps {
                Some(parts) => disk::prefix(write, parts),
                None => disk::torn(write, &mut Draw::new(self.plan.seed, Domain::Tear, &key)),
            }
        });
        let taken = host.image.take(&survived);
        (host.applying, host.reporting) = (None, None);
        host.chores.clear();
        host.outputs.clear();
        host.unanswered = 0;
        host.ended.push(self.now);
        if self.plan.apply.machine == MachineMemory::Rebuilt {
            host.forget();
        }
        let stamp = host.number(Series::Stamp);
        host.awaited = stamp;
        self.drop_held(node);
        let restart = self.now + down.max(1);
        self.queue.push(restart, Event::Restart { node: short(node), stamp });
        self.statistics.crashes += 1;
        self.digest.add(self.now ^ id.0 << 48 ^ 1 << 63);
        self.digest.add(disk::parts(&survived));
        self.checks.crashed(Instant(self.now), id, &survived);
        let restart = Instant(restart);
        self.tell(TraceEvent::Crashed { node: id, point, survived: &survived, restart });
        self.desert(node);
        taken.map_err(|reason| self.broken_write(node, &reason))
    }

    /// What waited for a suspended node is lost with it.
    fn drop_held(&mut self, node: usize) {
        let activity = std::mem::replace(&mut self.hosts[node].activity, Activity::Running);
        if let Activity::Paused { held, .. } = activity {
            for event in held {
                if let Event::Arrive { flight } = event {
                    self.flights.take(flight);
                }
            }
        }
    }

    /// Starts a node from what its disk holds.
    pub(super) fn restart(&mut self, node: usize, stamp: u32) -> Checked {
        let host = &self.hosts[node];
        if host.is_up() || stamp != host.awaited {
            return Ok(());
        }
        let start = self.start_from_disk(node);
        self.start_as(node, start)
    }

    /// How a node starts with what its disk holds.
    pub(super) fn start_from_disk(&self, node: usize) -> Start {
        let host = &self.hosts[node];
        if host.has_lost_disk() {
            Self::amnesiac()
        } else if self.founders.contains(host.id) {
            host.image.start(&self.founders, host.applied)
        } else {
            host.image.join(host.applied)
        }
    }

    pub(super) fn start_as(&mut self, node: usize, start: Start) -> Checked {
        let host = &self.hosts[node];
        let id = host.id;
        let how = match &start {
            Start::Restart(_) => Started::FromDisk,
            Start::Bootstrap(_) | Start::Join(_) => Started::Founding,
            Start::Force(_) => Started::Forced,
        };
        let settings = self.plan.settings_of(id);
        let raft =
            match R::start_with_log(settings, start, || host.image.entries(), host.local(self.now))
            {
                Ok(raft) => raft,
                Err(reason) if host.has_lost_disk() => {
                    self.refused(node, &reason);
                    return Ok(());
                }
                Err(reason) => {
                    let witness = format!("{id} cannot start from its disk: {reason}");
                    return Err(Violation::new(
                        Property::RestoreFailed,
                        Instant(self.now),
                        &[id],
                        witness,
                    ));
                }
            };
        let view = raft.view();
        match how {
            Started::Forced => self.checks.forced(Instant(self.now), id, &raft)?,
            Started::Founding | Started::FromDisk => {
                self.checks.started(Instant(self.now), id, &raft)?;
            }
        }
        let host = &mut self.hosts[node];
        host.view = view;
        host.raft = Some(raft);
        host.timer.at = Timer::NONE;
        host.gathering = None;
        if !host.ended.is_empty() {
            self.statistics.restarts += 1;
        }
        self.digest.add(self.now ^ id.0 << 48 ^ 1 << 62);
        self.tell(TraceEvent::Started { node: id, start: how, view });
        self.show_all(node);
        self.set_timer(node);
        Ok(())
    }
}
