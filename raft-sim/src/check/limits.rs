//! What a node may hold: entries that are not committed, entries that its disk lacks, requests without an answer.
//!
//! All of it is counted from outside: from the log in memory, the log on disk, and what the node was asked and has
//! answered. A node that holds nothing may always take one entry, however large.

use raft_core::{Entry, Instant, LogIndex, NodeId, Payload};

use super::Checks;
use super::commit::leading_term;
use super::mirror::raise_agreement;
use super::node::Watched;
use crate::machine::Machine;
use crate::raft::View;
use crate::violation::{Property, Violation};

/// Who made the entries that a node's log gains in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// The node itself, as a leader.
    Itself,
    /// The leader that it follows.
    Leader,
}

/// What the entries that a log gains in a step are judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    pub(super) author: Author,
    /// Up to here the log is on disk.
    on_disk: LogIndex,
}

impl<M: Machine> Checks<M> {
    /// The node's log is about to gain entries; what contradicts them is gone from it.
    pub(super) fn intake(&self, place: usize, before: &View) -> Intake {
        let Watched { view, log, disk, .. } = &self.nodes[place];
        let author =
            if leading_term(before, view).is_some() { Author::Itself } else { Author::Leader };
        let mut on_disk = view.durable;
        raise_agreement(&mut on_disk, log, disk);
        Intake { author, on_disk }
    }

    /// A leader refuses proposals, and a follower does not take entries, that are too much to hold.
    pub(super) fn check_room(
        &self,
        at: Instant,
        place: usize,
        intake: Intake,
        entry: &Entry,
    ) -> Result<(), Violation> {
        let Watched { id, settings, view, log, .. } = &self.nodes[place];
        // A leader judges a proposal by its command, and does not refuse what it appends for the protocol.
        let size = match (intake.author, &entry.payload) {
            (Author::Leader, _) => entry.size(),
            (Author::Itself, Payload::Command { data, .. }) => data.len() as u64,
            (Author::Itself, Payload::Blank | Payload::Membership(_)) => return Ok(()),
        };
        let crowded = |held: u64, most: u64| held > 0 && held + size > most;
        let wrong = |held: u64, what: &str, most: u64| {
            let index = log.last_index().next();
            let witness = format!(
                "{id} took {index} of {size} bytes on top of {held} bytes that {what}; {most} bytes are allowed"
            );
            Err(Violation::new(Property::BoundedMemory, at, &[*id], witness))
        };
        let undurable = log.bytes_after(intake.on_disk);
        if crowded(undurable, settings.max_undurable_bytes) {
            return wrong(undurable, "its disk lacks", settings.max_undurable_bytes);
        }
        // What an earlier life or another leader left is on disk, and need not be in memory.
        let uncommitted = log.bytes_after(view.commit.max(log.last_before(view.term)));
        let max_uncommitted = settings.max_uncommitted_bytes;
        if intake.author == Author::Itself && crowded(uncommitted, max_uncommitted) {
            return wrong(uncommitted, "are not committed", max_uncommitted);
        }
        Ok(())
    }

    /// A client's request reaches a node, which is stepped with it next.
    ///
    /// # Errors
    /// When it holds too many requests already, all of its answers being known.
    pub fn proposed(&mut self, at: Instant, node: NodeId) -> Result<(), Violation> {
        let Some(place) = self.watched(node)? else { return Ok(()) };
        let watched = &mut self.nodes[place];
        let (pending, most) = (watched.pending, watched.settings.max_pending_requests);
        watched.pending += 1;
        if pending <= most {
            return Ok(());
        }
        let witness =
            format!("{node} holds {pending} requests that it has not answered; {most} are allowed");
        Err(Violation::new(Property::BoundedMemory, at, &[node], witness))
    }
}
