//! What must hold of writes, of disks, and of what a crash leaves.

use raft_core::{HardState, Instant, LogIndex, NodeId, Write};

use super::node::{Power, Size, Watched};
use super::{Checks, Loss};
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::violation::{Property, Violation};

impl<M: Machine> Checks<M> {
    /// A node asked for a write.
    ///
    /// # Errors
    /// When it waits for one already, or the write does not continue the log on disk.
    pub fn submitted(&mut self, at: Instant, node: NodeId, write: &Write) -> Result<(), Violation> {
        let Some(place) = self.watched(node)? else { return Ok(()) };
        let watched = &mut self.nodes[place];
        if watched.outstanding.replace(Size::of(write)).is_some() {
            let witness = format!("{node} asked for a write while it waits for another");
            return Err(Violation::new(Property::WriteLane, at, &[node], witness));
        }
        check_continuity(at, watched, write)
    }

    /// A whole write is on disk; the node does not know yet.
    ///
    /// # Errors
    /// When the disk now contradicts what was on it, or what is committed is no longer on a quorum's disks.
    pub fn durable(&mut self, at: Instant, node: NodeId, write: &Write) -> Result<(), Violation> {
        self.specified(at, node, |spec, place| {
            spec.written(place, write);
            Ok(())
        })?;
        let Some(place) = self.watched(node)? else { return Ok(()) };
        self.nodes[place].outstanding = None;
        self.take_write(at, place, write)
    }

    /// A node crashed; this prefix of the write it waited for is on its disk. What is wrong with that is
    /// reported by the next call that can report.
    pub fn crashed(&mut self, at: Instant, node: NodeId, survived: &Write) {
        let Some(place) = self.place_of(node) else { return };
        if self.level != super::CheckLevel::None && self.departure.is_none() {
            self.spec.written(place, survived);
        }
        if let (super::CheckLevel::Full, None) = (self.level, &self.pending) {
            self.note_crash(place, survived);
            let result = self.take_write(at, place, survived);
            self.note_lost(place);
            self.pending = result.and_then(|()| self.check_durability(at, node)).err();
        }
        if self.turbulence.crash(at, self.nodes[place].settings.election_timeout) {
            self.coverage.note(Situation::TwoChangesAndCrash);
        }
        let watched = &mut self.nodes[place];
        (watched.power, watched.outstanding, watched.crashed) = (Power::Off, None, Some(at));
        watched.pending = 0;
        let running = self.running();
        let loss = match running {
            0 if self.nodes.len() > 1 => Loss::Everyone,
            running if 2 * running <= self.nodes.len() && self.nodes.len() > 1 => Loss::Majority,
            _ => Loss::Minority,
        };
        self.loss = self.loss.max(loss);
    }

    /// What the crash found the node doing, before the disk changes.
    fn note_crash(&mut self, place: usize, survived: &Write) {
        let watched = &self.nodes[place];
        let coverage = &mut self.coverage;
        match (watched.outstanding, Size::of(survived)) {
            (Some(whole), left) => {
                coverage.note(Situation::CrashWhileWriting);
                if left != whole && !left.is_nothing() {
                    coverage.note(Situation::TornWrite);
                }
            }
            (None, _) if watched.disk.last_index() > watched.view.durable => {
                coverage.note(Situation::CrashBeforeReceipt);
            }
            (None, _) => {}
        }
        if watched.leads() {
            coverage.note(Situation::LeaderCrashed);
            if watched.disk.last().term < watched.view.term {
                coverage.note(Situation::CrashOnWinning);
            }
        }
    }

    /// What the node knew and its disk does not.
    fn note_lost(&mut self, place: usize) {
        let Watched { view, hard_state, log, disk, .. } = &self.nodes[place];
        let on_disk = hard_state.term == view.term && hard_state.vote == view.vote;
        let vote_lost = view.vote.is_some() && !on_disk;
        let suffix_lost = !disk.equals_up_to(log, log.last_index());
        if vote_lost {
            self.coverage.note(Situation::VoteLost);
        }
        if suffix_lost {
            self.coverage.note(Situation::SuffixLost);
        }
    }

    /// Does to the remembered disk what the write does to the disk.
    fn take_write(&mut self, at: Instant, place: usize, write: &Write) -> Result<(), Violation> {
        let watched = &mut self.nodes[place];
        let id = watched.id;
        if let Some(hard_state) = write.hard_state {
            take_hard_state(at, watched, hard_state)?;
        }
        check_continuity(at, watched, write)?;
        let agreed = watched.agreed;
        if let Some(snapshot) = &write.install {
            // A log that does not hold the snapshot is worth nothing from here on, removed or not.
            let index = snapshot.position.index;
            watched.disk.begin_with(&self.ghost.log, index);
            watched.agreed = watched.agreed.max(index);
            watched.snapshot = watched.snapshot.max(index);
        } else if let Some(from) = write.truncate_from {
            watched.disk.truncate(from.previous().max(watched.snapshot));
            watched.agreed = agreed.min(watched.disk.last_index());
        }
        if let Some(append) = &write.append {
            for entry in append.entries.iter() {
                let link = watched.disk.append(entry);
                let position = watched.disk.last();
                if !self.entries.matches(position.index, link) {
                    let witness = format!(
                        "{id} wrote {position}, which no log in memory ever held like this"
                    );
                    return Err(Violation::new(Property::LogMatching, at, &[id], witness));
                }
            }
            self.note_older_term(place);
        }
        if self.nodes[place].agreed < agreed { self.check_durability(at, id) } else { Ok(()) }
    }

    /// Figure 8: an entry of an earlier term is on a quorum's disks and is not committed, and this node at least
    /// holds nothing of its own term after it.
    fn note_older_term(&mut self, place: usize) {
        let Watched { view, disk, .. } = &self.nodes[place];
        let last = disk.last();
        if last.term >= view.term || last.index <= self.ghost.last_index() {
            return;
        }
        let holds = |node: NodeId| {
            self.place_of(node)
                .is_some_and(|other| self.nodes[other].disk.equals_up_to(disk, last.index))
        };
        if self.nodes[place].membership(&self.initial).reached_by_quorum(holds) == Some(true) {
            self.coverage.note(Situation::OlderTermOnQuorum);
        }
    }
}

/// The entries of a write go right after what the disk then holds.
fn check_continuity(at: Instant, watched: &Watched, write: &Write) -> Result<(), Violation> {
    let Some(append) = &write.append else { return Ok(()) };
    let kept = match write.install {
        Some(_) => LogIndex::MAX,
        None => write.truncate_from.map_or(LogIndex::MAX, LogIndex::previous).max(watched.snapshot),
    };
    let last = watched.disk.last_index().min(kept);
    if append.first == last.next() {
        return Ok(());
    }
    let id = watched.id;
    let witness = format!(
        "{id} writes entries from {}, but the log on its disk ends at {last}",
        append.first
    );
    Err(Violation::new(Property::WriteLane, at, &[id], witness))
}

/// The hard state on disk never goes back, and a vote on disk is for ever.
fn take_hard_state(at: Instant, watched: &mut Watched, new: HardState) -> Result<(), Violation> {
    let (id, old) = (watched.id, std::mem::replace(&mut watched.hard_state, new));
    if new.term < old.term || new.incarnation < old.incarnation {
        let witness = format!(
            "{id} wrote {} of start {} over {} of start {}",
            new.term, new.incarnation.0, old.term, old.incarnation.0
        );
        return Err(Violation::new(Property::Monotonic, at, &[id], witness));
    }
    if new.term == old.term && old.vote.is_some() && new.vote.is_none() {
        let witness = format!("{id} erased its vote of {} from its disk", new.term);
        return Err(Violation::new(Property::Monotonic, at, &[id], witness));
    }
    let Some(vote) = new.vote else { return Ok(()) };
    let first = *watched.votes_on_disk.or_insert(new.term, vote);
    if first == vote {
        return Ok(());
    }
    let witness = format!("{id} voted for {first} and then for {vote} in {}, on disk", new.term);
    Err(Violation::new(Property::OneVotePerTerm, at, &[id, first, vote], witness))
}
