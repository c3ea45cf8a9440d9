//! What must hold of those who stand and of those who lead.

use raft_core::{Instant, LogIndex, NodeId, Role, Term};

use super::Checks;
use super::contact::Contact;
use super::elections::{Change, Claimed};
use super::node::{Power, Watched};
use crate::coverage::Situation;
use crate::machine::Machine;
use crate::raft::View;
use crate::violation::{Property, Violation};

impl<M: Machine> Checks<M> {
    /// The role or the term changed.
    pub(super) fn check_role(
        &mut self,
        at: Instant,
        place: usize,
        before: &View,
    ) -> Result<(), Violation> {
        let Watched { id, view, .. } = &self.nodes[place];
        let (id, view) = (*id, *view);
        match view.role {
            Role::Leader => {
                self.claim_leadership(at, place, view.term)?;
                self.check_completeness(at, place)?;
                self.nodes[place].contact.enter_office();
                self.nodes[place].largest_batch = 0;
                let others = self.nodes.iter().filter(|other| other.id != id);
                if others.filter(|other| other.leads() && other.view.term < view.term).count() > 0 {
                    self.coverage.note(Situation::TwoLeaders);
                }
            }
            Role::Candidate | Role::PreCandidate if before.role != view.role => {
                if !self.nodes[place].may_campaign(&self.initial) {
                    let witness =
                        format!("{id} stands for election after {}, but is no voter", view.term);
                    return Err(Violation::new(Property::NonVoterCampaign, at, &[id], witness));
                }
            }
            Role::Candidate | Role::PreCandidate | Role::Follower => {}
        }
        Ok(())
    }

    /// A node leads a term, or says so in a message.
    pub(super) fn claim_leadership(
        &mut self,
        at: Instant,
        place: usize,
        term: Term,
    ) -> Result<(), Violation> {
        let watched = &mut self.nodes[place];
        if watched.led == term {
            return Ok(());
        }
        let id = watched.id;
        match self.elections.leads(term, id) {
            Claimed::Rival(rival) => {
                let witness = format!("{id} leads {term}, but {rival} was its leader before");
                return Err(Violation::new(Property::ElectionSafety, at, &[id, rival], witness));
            }
            Claimed::First(change) => {
                self.check_elected(at, place, term)?;
                self.coverage.note(Situation::LeaderElected);
                if change == Change::Other {
                    self.coverage.note(Situation::LeaderChanged);
                }
            }
            Claimed::Again => {}
        }
        self.nodes[place].led = term;
        Ok(())
    }

    /// A quorum of the leader's membership has its vote for it on disk (paper §5.2).
    fn check_elected(&self, at: Instant, place: usize, term: Term) -> Result<(), Violation> {
        let watched = &self.nodes[place];
        let id = watched.id;
        let voted = |voter: NodeId| {
            self.place_of(voter)
                .is_some_and(|place| self.nodes[place].votes_on_disk.get(term) == Some(&id))
        };
        if watched.membership(&self.initial).reached_by_quorum(voted) == Some(true) {
            return Ok(());
        }
        let witness = format!("{id} leads {term}, but no quorum has voted for it");
        Err(Violation::new(Property::ElectionSafety, at, &[id], witness))
    }

    /// A new leader holds everything that was committed in earlier terms.
    fn check_completeness(&self, at: Instant, place: usize) -> Result<(), Violation> {
        let Watched { id, view, log, .. } = &self.nodes[place];
        let committed = self.ghost.committed_before(view.term);
        if log.equals_up_to(&self.ghost.log, committed) {
            return Ok(());
        }
        let witness = format!(
            "{id} leads {} with a log up to {} that lacks committed entries: {committed} was committed before",
            view.term, view.last
        );
        Err(Violation::new(Property::LeaderCompleteness, at, &[*id], witness))
    }

    /// Judges what the node had under way after its last step, now that all its messages are known.
    pub(super) fn check_inflight(&self, at: Instant, place: usize) -> Result<(), Violation> {
        let Watched { id, settings, inflight: (messages, bytes), largest_batch, .. } =
            &self.nodes[place];
        let (max_messages, max_bytes) =
            (settings.max_inflight_messages, settings.max_inflight_bytes);
        let too_much = *bytes > max_bytes && bytes > largest_batch;
        if *messages <= max_messages && !too_much {
            return Ok(());
        }
        let witness = format!(
            "{id} has {messages} messages of {bytes} bytes under way to one peer; \
             {max_messages} messages of {max_bytes} bytes are allowed"
        );
        Err(Violation::new(Property::BoundedMemory, at, &[*id], witness))
    }

    /// With check-quorum, a leader that no quorum answers does not stay.
    pub(super) fn check_contact(&mut self, at: Instant, place: usize) -> Result<(), Violation> {
        let watched = &mut self.nodes[place];
        if !watched.settings.check_quorum.is_on() || !watched.contact.is_due(&watched.settings) {
            return Ok(());
        }
        let watched = &self.nodes[place];
        let limit = Contact::limit(&watched.settings);
        let quorum_heard = watched.membership(&self.initial).reached_by_quorum(|voter| {
            watched.contact.silence(place, self.place_of(voter)) <= limit
        });
        if quorum_heard == Some(true) {
            return Ok(());
        }
        let (id, term) = (watched.id, watched.view.term);
        let witness = format!(
            "{id} still leads {term}, although no quorum was heard from for more than {limit} ticks"
        );
        Err(Violation::new(Property::StaleLeader, at, &[id], witness))
    }

    /// A leader refuses to take anything, because it hands its office over: it does so for a while only.
    pub(super) fn check_transfer(&self, at: Instant, place: usize) -> Result<(), Violation> {
        let Watched { id, settings, view, contact, .. } = &self.nodes[place];
        let limit = Contact::limit(settings);
        let lasts = contact.handing_over_for().filter(|_| view.role == Role::Leader);
        let Some(lasts) = lasts.filter(|lasts| *lasts > limit) else { return Ok(()) };
        let witness = format!(
            "{id}, leader of {}, refuses proposals because of a transfer that began {lasts} ticks ago; {limit} are enough",
            view.term
        );
        Err(Violation::new(Property::TransferEnds, at, &[*id], witness))
    }

    /// Up to where a quorum of the given membership holds the committed log on disk.
    pub(super) fn durable_on_quorum(&mut self, membership: &raft_core::Membership) -> LogIndex {
        for watched in &mut self.nodes {
            super::mirror::raise_agreement(&mut watched.agreed, &watched.disk, &self.ghost.log);
        }
        let held = |node: NodeId| {
            self.place_of(node).map_or(LogIndex::ZERO, |place| self.nodes[place].agreed)
        };
        membership.reached_by_quorum(held).unwrap_or(LogIndex::ZERO)
    }

    /// How many nodes run.
    pub(super) fn running(&self) -> usize {
        self.nodes.iter().filter(|watched| watched.power == Power::On).count()
    }
}
