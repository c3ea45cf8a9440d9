//! Candidates: before the term is raised (thesis §9.6) and after (paper §5.2).
//!
//! Invariant: a candidate's own vote is counted, and its timer runs, only once that vote is durable.

use alloc::vec::Vec;

use crate::effect::Effects;
use crate::membership::Membership;
use crate::message::{Ballot, Cause, Message};
use crate::quorum::VoteResult;
use crate::replica::Replica;
use crate::transition::Transition;
use crate::types::{Instant, NodeId, Ticks};

/// Who has voted, and how. A grant counts whatever else the voter said: a refusal may be a late answer to
/// an earlier question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Ballots(Vec<(NodeId, Ballot)>);

impl Ballots {
    fn cast(&mut self, voter: NodeId, ballot: Ballot, membership: &Membership) {
        // Only voters are noted, so a flood of strangers takes no memory.
        if !membership.is_voter(voter) {
            return;
        }
        match self.0.iter_mut().find(|(id, _)| *id == voter) {
            None => self.0.push((voter, ballot)),
            Some(slot) if ballot == Ballot::Granted => slot.1 = ballot,
            Some(_) => {}
        }
    }

    fn of(&self, voter: NodeId) -> Option<Ballot> {
        self.0.iter().find(|(id, _)| *id == voter).map(|(_, ballot)| *ballot)
    }

    /// What follows from the ballots: `won`, defeat, or a new attempt when time is up.
    fn verdict(&self, replica: &Replica, won: Transition, deadline: Instant) -> Option<Transition> {
        let ballot = |voter| self.of(voter).map(|ballot| ballot == Ballot::Granted);
        match replica.membership().vote_result(ballot) {
            VoteResult::Won => Some(won),
            VoteResult::Pending if replica.now < deadline => None,
            VoteResult::Pending if replica.may_stand() => Some(Transition::Stand),
            VoteResult::Lost | VoteResult::Pending => Some(Transition::Concede),
        }
    }
}

/// Asks whether it could win, without disturbing anyone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct PreCandidate {
    ballots: Ballots,
    deadline: Instant,
}

impl PreCandidate {
    pub(crate) fn start(replica: &mut Replica, effects: &mut Effects) -> Self {
        let timeout = replica.draw_election_timeout();
        let mut ballots = Ballots::default();
        ballots.cast(replica.id(), Ballot::Granted, replica.membership());
        let last = replica.log.last();
        ask_voters(replica, &Message::RequestPreVote { last }, effects);
        Self { ballots, deadline: replica.now.after(timeout) }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn on_reply(&mut self, replica: &Replica, from: NodeId, ballot: Ballot) {
        self.ballots.cast(from, ballot, replica.membership());
    }

    pub(crate) fn due(&self, replica: &Replica) -> Option<Transition> {
        self.ballots.verdict(replica, Transition::Campaign, self.deadline)
    }
}

/// Stands for election in the current term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Candidate {
    ballots: Ballots,
    timeout: Ticks,
    /// When the election is given up; not known before the own vote is durable.
    deadline: Option<Instant>,
}

impl Candidate {
    /// The term is raised and the own vote given already; both are on their way to the disk, and the
    /// requests wait for them.
    pub(crate) fn start(replica: &mut Replica, cause: Cause, effects: &mut Effects) -> Self {
        debug_assert_eq!(replica.hard_state.vote, Some(replica.id()));
        let timeout = replica.draw_election_timeout();
        let last = replica.log.last();
        ask_voters(replica, &Message::RequestVote { last, cause }, effects);
        Self { ballots: Ballots::default(), timeout, deadline: None }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline.unwrap_or(Instant::NEVER)
    }

    pub(crate) fn on_reply(&mut self, replica: &Replica, from: NodeId, ballot: Ballot) {
        self.ballots.cast(from, ballot, replica.membership());
    }

    /// A write became durable: if it was the own vote, it counts from now on.
    pub(crate) fn on_persisted(&mut self, replica: &Replica) {
        if self.deadline.is_none() && replica.is_hard_state_durable() {
            self.ballots.cast(replica.id(), Ballot::Granted, replica.membership());
            self.deadline = Some(replica.now.after(self.timeout));
        }
    }

    pub(crate) fn due(&self, replica: &Replica) -> Option<Transition> {
        self.ballots.verdict(replica, Transition::Lead, self.deadline())
    }
}

fn ask_voters(replica: &mut Replica, question: &Message, effects: &mut Effects) {
    let membership = replica.membership().clone();
    let id = replica.id();
    for voter in membership.members().into_iter().filter(|voter| *voter != id) {
        if membership.is_voter(voter) {
            replica.send(voter, question.clone(), effects);
        }
    }
}
