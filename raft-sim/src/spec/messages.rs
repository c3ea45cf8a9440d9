//! What a node may say, given its state and its disk; and what is remembered of it.

use raft_core::{LogIndex, LogPosition, NodeId, Term};

use super::node::Node;
use super::{Departure, Spec};
use crate::raft::{Claim, Facts};

impl Spec {
    /// A step emitted a message.
    pub(crate) fn sent(&mut self, place: usize, facts: &Facts) -> Result<(), Departure> {
        if self.is_true(place, facts) && facts.term <= self.nodes[place].disk.term {
            self.remember(facts);
            return Ok(());
        }
        let Facts { from, to, term, name, claim, .. } = facts;
        Err(format!(
            "{from} sends {name} of {term} to {to}, which its state and disk do not allow: {claim:?}"
        ))
    }

    fn is_true(&self, place: usize, facts: &Facts) -> bool {
        let Node { id, log, disk, commit, .. } = &self.nodes[place];
        let (id, term, to) = (*id, facts.term, facts.to);
        match facts.claim {
            // It may not stand any more, nor hold that, by the time that its vote is on disk.
            Claim::AskVote { last } => disk.has_voted(term, id) && self.stood(id, term, last),
            Claim::GrantVote => disk.has_voted(term, to),
            Claim::Append { previous, entries, commit: told, .. } => {
                let last = LogIndex(previous.index.0 + u64::from(entries));
                self.led(id, term)
                    && log.holds(previous)
                    && last <= log.last_index()
                    && told <= *commit
            }
            // The receiver may hold anything beyond what it has acknowledged.
            Claim::Heartbeat { commit: told } => {
                self.led(id, term) && told <= (*commit).min(self.acknowledged(term, to))
            }
            Claim::Snapshot { position, .. } => {
                self.led(id, term) && self.committed.holds(position)
            }
            Claim::Acknowledge { matched } => {
                let leaders = self.leader_log(term).filter(|_| self.led(to, term));
                leaders.is_some_and(|leaders| log.equals_up_to(leaders, matched))
                    && disk.log.equals_up_to(log, matched)
            }
            Claim::Nothing
            | Claim::AskPreVote { .. }
            | Claim::GrantPreVote
            | Claim::Refuse
            | Claim::Answer
            | Claim::Forward { .. } => true,
        }
    }

    fn stood(&self, id: NodeId, term: Term, last: LogPosition) -> bool {
        self.history.of(term).is_some_and(|era| era.stood.contains(&(id, last)))
    }

    fn led(&self, id: NodeId, term: Term) -> bool {
        self.history.of(term).is_some_and(|era| era.leader == Some(id))
    }

    fn acknowledged(&self, term: Term, node: NodeId) -> LogIndex {
        self.history.of(term).map_or(LogIndex::ZERO, |era| era.acknowledged(node))
    }

    fn remember(&mut self, facts: &Facts) {
        let Facts { from, to, term, claim, .. } = *facts;
        let era = self.history.era(term);
        match claim {
            Claim::AskVote { last } => era.asked.push((from, last)),
            Claim::GrantVote => era.votes.push((from, to)),
            Claim::Append { commit, .. } | Claim::Heartbeat { commit } => era.tell(to, commit),
            Claim::Snapshot { position, .. } => era.sent(position),
            Claim::Acknowledge { matched } => era.acknowledge(from, matched),
            _ => {}
        }
    }
}

impl super::node::Disk {
    fn has_voted(&self, term: Term, for_whom: NodeId) -> bool {
        (self.term, self.vote) == (term, Some(for_whom))
    }
}
