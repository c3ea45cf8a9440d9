//! What must hold of messages: nothing is said that is not durable, not true, or too much.

use raft_core::{Instant, LogIndex, LogPosition, NodeId, Role, Term};

use super::Checks;
use super::node::Watched;
use super::window::{Change, Range};
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::raft::{Claim, Facts};
use crate::violation::{Property, Violation};

/// What one `AppendEntries` carries.
#[derive(Clone, Copy)]
struct Batch {
    previous: LogPosition,
    entries: u32,
    bytes: u64,
}

impl<M: Machine> Checks<M> {
    /// A step emitted a message.
    ///
    /// # Errors
    /// When it says what is not durable or not true, or is more than the leader may send.
    pub fn sent(&mut self, at: Instant, facts: &Facts) -> Result<(), Violation> {
        self.specified(at, facts.from, |spec, place| spec.sent(place, facts))?;
        let Some(place) = self.watched(facts.from)? else { return Ok(()) };
        let Watched { id, hard_state, .. } = &self.nodes[place];
        if facts.term > hard_state.term {
            let witness = format!(
                "{id} sends {} in {}, but its disk holds only {}",
                facts.name, facts.term, hard_state.term
            );
            return Err(Violation::new(Property::DurableBeforeSend, at, &[*id], witness));
        }
        match facts.claim {
            Claim::GrantVote => self.check_vote(at, place, facts, facts.to),
            Claim::AskVote { .. } => {
                self.elections.stands(facts.term, place);
                self.check_vote(at, place, facts, facts.from)
            }
            Claim::Append { previous, entries, bytes, commit } => {
                self.check_leader_says(at, place, facts.term, commit)?;
                self.check_batch(at, place, facts, Batch { previous, entries, bytes })
            }
            Claim::Snapshot { position, .. } => {
                self.check_leader_says(at, place, facts.term, position.index)?;
                self.check_part(at, place, facts)
            }
            Claim::Heartbeat { commit } => self.check_leader_says(at, place, facts.term, commit),
            Claim::Acknowledge { matched } => self.check_acknowledgement(at, place, facts, matched),
            Claim::Nothing
            | Claim::AskPreVote { .. }
            | Claim::GrantPreVote
            | Claim::Refuse
            | Claim::Answer
            | Claim::Forward { .. } => Ok(()),
        }
    }

    /// A vote that leaves the node is on its disk and is the only one of the term.
    fn check_vote(
        &mut self,
        at: Instant,
        place: usize,
        facts: &Facts,
        vote: NodeId,
    ) -> Result<(), Violation> {
        let Watched { id, votes_on_disk, votes_sent, .. } = &mut self.nodes[place];
        let first = *votes_sent.or_insert(facts.term, vote);
        if first != vote {
            let witness =
                format!("{id} gave its vote of {} to {first} and then to {vote}", facts.term);
            return Err(Violation::new(Property::OneVotePerTerm, at, &[*id, first, vote], witness));
        }
        if votes_on_disk.get(facts.term) == Some(&vote) {
            return Ok(());
        }
        let witness = format!(
            "{id} sends {} in {}, but its vote for {vote} is not on its disk",
            facts.name, facts.term
        );
        Err(Violation::new(Property::DurableBeforeSend, at, &[*id], witness))
    }

    fn check_leader_says(
        &mut self,
        at: Instant,
        place: usize,
        term: Term,
        commit: LogIndex,
    ) -> Result<(), Violation> {
        self.claim_leadership(at, place, term)?;
        let Watched { id, view, .. } = &self.nodes[place];
        if commit <= view.commit {
            return Ok(());
        }
        let witness = format!(
            "{id} tells others that {commit} is committed, but knows only of {}",
            view.commit
        );
        Err(Violation::new(Property::CommitKnown, at, &[*id], witness))
    }

    /// A batch is of the leader's own log, and within the limits.
    fn check_batch(
        &mut self,
        at: Instant,
        place: usize,
        facts: &Facts,
        batch: Batch,
    ) -> Result<(), Violation> {
        let Batch { previous, entries, bytes } = batch;
        let Watched { id, settings, log, .. } = &self.nodes[place];
        let id = *id;
        let last = LogIndex(previous.index.0.saturating_add(u64::from(entries)));
        let held = log.at(previous.index).is_some_and(|link| link.term == previous.term);
        if !held || last > log.last_index() {
            let witness = format!(
                "{id} sends {entries} entries after {previous}, but its log up to {} does not hold them",
                log.last()
            );
            return Err(Violation::new(Property::LogMatching, at, &[id], witness));
        }
        if entries == 0 {
            return Ok(());
        }
        let (max_entries, max_bytes) = (settings.max_batch_entries, settings.max_batch_bytes);
        if entries > 1 && (u64::from(entries) > max_entries || bytes > max_bytes) {
            let witness = format!(
                "{id} sends {entries} entries of {bytes} bytes in one message; \
                 {max_entries} entries of {max_bytes} bytes are allowed"
            );
            return Err(Violation::new(Property::BoundedMemory, at, &[id], witness));
        }
        if bytes > max_bytes {
            self.coverage.note(Situation::OversizeEntry);
        }
        self.nodes[place].largest_batch = self.nodes[place].largest_batch.max(bytes);
        let range = Range { term: facts.term, first: previous.index.next(), last, bytes };
        self.check_window(at, place, facts.to, range)
    }

    fn check_window(
        &mut self,
        at: Instant,
        place: usize,
        to: NodeId,
        range: Range,
    ) -> Result<(), Violation> {
        let Some(peer) = self.place_of(to) else { return Ok(()) };
        let window = &mut self.windows[place * self.nodes.len() + peer];
        let settings = &self.nodes[place].settings;
        match window.send(range, settings) {
            Change::Filled => self.coverage.note(Situation::WindowFilled),
            Change::Overfull { messages, bytes } => {
                let id = self.nodes[place].id;
                let witness = format!(
                    "{id} streams on to {to} with {messages} messages of {bytes} bytes unacknowledged; \
                     {} messages of {} bytes are allowed",
                    settings.max_inflight_messages, settings.max_inflight_bytes
                );
                return Err(Violation::new(Property::BoundedMemory, at, &[id, to], witness));
            }
            Change::Usual | Change::Drained => {}
        }
        Ok(())
    }

    /// A peer that says nothing is not sent one part of a snapshot after another.
    fn check_part(&mut self, at: Instant, place: usize, facts: &Facts) -> Result<(), Violation> {
        let Some(peer) = self.place_of(facts.to) else { return Ok(()) };
        let window = &mut self.windows[place * self.nodes.len() + peer];
        let Change::Overfull { messages, .. } = window.send_part(facts.term) else { return Ok(()) };
        let (id, to) = (facts.from, facts.to);
        let witness = format!(
            "{id} has sent {to} {messages} parts of a snapshot since it was heard from last; it may be down"
        );
        Err(Violation::new(Property::BoundedMemory, at, &[id, to], witness))
    }

    /// What is acknowledged is on disk, and is the leader's log.
    fn check_acknowledgement(
        &self,
        at: Instant,
        place: usize,
        facts: &Facts,
        matched: LogIndex,
    ) -> Result<(), Violation> {
        let Watched { id, log, disk, .. } = &self.nodes[place];
        if !disk.equals_up_to(log, matched) {
            let witness = format!(
                "{id} acknowledges {matched} to {}, but its disk holds {} and differs from its log there",
                facts.to,
                disk.last()
            );
            return Err(Violation::new(Property::DurableBeforeSend, at, &[*id], witness));
        }
        let Some(leader) = self.place_of(facts.to).map(|place| &self.nodes[place]) else {
            return Ok(());
        };
        let in_office = leader.leads() && leader.view.term == facts.term;
        if !in_office || log.equals_up_to(&leader.log, matched) {
            return Ok(());
        }
        let witness = format!(
            "{id} acknowledges {matched} to {}, leader of {}, whose log up to {} is another",
            leader.id,
            facts.term,
            leader.log.last()
        );
        Err(Violation::new(Property::LogMatching, at, &[*id, leader.id], witness))
    }

    /// What a message that is sent now proves to its receiver: as of when its sender has heard from it.
    pub fn echo(&self, facts: &Facts) -> Instant {
        match (self.place_of(facts.from), self.place_of(facts.to)) {
            (Some(from), Some(to)) => self.echoes.carried(from, to),
            _ => Instant(0),
        }
    }

    /// A message is about to be delivered: when it was sent, and what it proves.
    pub fn arrives(&mut self, facts: &Facts, sent: Instant, echo: Instant) {
        let (Some(from), Some(to)) = (self.place_of(facts.from), self.place_of(facts.to)) else {
            return;
        };
        let view = &self.nodes[to].view;
        if facts.term >= view.term {
            self.echoes.hear(from, to, sent);
        }
        if facts.term == view.term && view.role == Role::Leader {
            self.echoes.tell(from, to, echo);
        }
    }

    /// A message is about to be handled by its receiver.
    ///
    /// # Errors
    /// None of its own; what was found where nothing could be reported.
    pub fn delivered(&mut self, at: Instant, facts: &Facts) -> Result<(), Violation> {
        self.specified(at, facts.to, |spec, place| {
            spec.delivered(place, facts);
            Ok(())
        })?;
        let Some(to) = self.watched(facts.to)? else { return Ok(()) };
        let Some(from) = self.place_of(facts.from) else { return Ok(()) };
        let nodes = self.nodes.len();
        let Watched { settings, view, log, contact, .. } = &mut self.nodes[to];
        if facts.term.0.saturating_add(2) <= view.term.0 {
            self.coverage.note(Situation::TwoTermsLate);
        }
        if view.role == Role::Leader && view.term == facts.term {
            contact.hear(at, from, settings);
        }
        self.windows[to * nodes + from].hear();
        match facts.claim {
            Claim::Acknowledge { matched } => {
                let window = &mut self.windows[to * nodes + from];
                if window.acknowledge(facts.term, matched) == Change::Drained {
                    self.coverage.note(Situation::WindowDrained);
                }
            }
            Claim::AskPreVote { last } if view.last > last || view.role == Role::Leader => {
                self.coverage.note(Situation::PreVoteRefused);
            }
            Claim::AskVote { last } if view.last > last => {
                self.coverage.note(Situation::VoteRefusedForLog);
            }
            Claim::Append { previous, .. }
                if facts.term >= view.term
                    && log.at(previous.index).is_none_or(|link| link.term != previous.term) =>
            {
                self.coverage.note(Situation::FollowerBacktracked);
            }
            _ => {}
        }
        Ok(())
    }
}
