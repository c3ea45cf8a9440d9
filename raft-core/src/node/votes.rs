//! Who gets this node's vote (paper §5.2, §5.4.1; thesis §4.2.3, §9.6).

use super::Node;
use crate::effect::Effects;
use crate::message::{Ballot, Cause, Message};
use crate::role::RoleState;
use crate::types::{LogPosition, NodeId, Term};

impl Node {
    pub(super) fn answer_pre_vote(
        &mut self,
        from: NodeId,
        term: Term,
        last: LogPosition,
        effects: &mut Effects,
    ) {
        let Some(campaign) = term.next() else { return };
        let could_win = campaign > self.replica.term() && last >= self.replica.log.last();
        let ballot = if could_win && !self.is_loyal() { Ballot::Granted } else { Ballot::Refused };
        self.replica.send(from, Message::PreVoteReply { campaign, ballot }, effects);
    }

    pub(super) fn answer_vote(
        &mut self,
        from: NodeId,
        last: LogPosition,
        cause: Cause,
        effects: &mut Effects,
    ) {
        // A promise outlives the term: a leader may be reading on the strength of it (thesis §6.4.1).
        let is_bound = cause == Cause::Timeout && self.replica.has_promised();
        let is_free = match self.replica.hard_state.vote {
            Some(vote) => vote == from,
            None => self.leader().is_none(),
        };
        // At least as up to date as this log (paper §5.4.1).
        let ballot = if is_free && !is_bound && last >= self.replica.log.last() {
            self.replica.vote_for(from, effects);
            if let RoleState::Follower(follower) = &mut self.role {
                follower.postpone(self.replica.now);
            }
            Ballot::Granted
        } else {
            Ballot::Refused
        };
        self.replica.send(from, Message::VoteReply { ballot }, effects);
    }

    /// Whether this node hears a leader, or is one that is heard, and so gives no vote to others.
    pub(super) fn is_loyal(&self) -> bool {
        let config = &self.replica.config;
        let hears_leader = || match &self.role {
            RoleState::Follower(follower) => {
                follower.hears_leader(self.replica.now, config.election_timeout)
            }
            RoleState::Leader(leader) => leader.hears_quorum(&self.replica),
            RoleState::PreCandidate(_) | RoleState::Candidate(_) => false,
        };
        self.replica.has_promised() || (config.stickiness.is_on() && hears_leader())
    }
}
