//! What an operator may be told: one answer a request, and only what is so.

use raft_core::{Instant, Membership, NodeId, Outcome, Refusal, Request};

use super::{CheckLevel, Checks};
use crate::coverage::Situation;
use crate::history::OpId;
use crate::machine::Machine;
use crate::violation::{Property, Violation};

/// Something that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    op: OpId,
    node: NodeId,
    request: Request,
    answered: Option<Outcome>,
}

impl<M: Machine> Checks<M> {
    /// An operator asks a node for other members or another leader.
    pub fn ordered(&mut self, op: OpId, node: NodeId, request: &Request) {
        if self.level == CheckLevel::Full {
            let request = request.clone();
            self.orders.push(Ordered { op, node, request, answered: None });
        }
    }

    /// The operator is told what became of that.
    ///
    /// # Errors
    /// When it was told before, or is told what is not so.
    pub fn order_answered(
        &mut self,
        at: Instant,
        op: OpId,
        node: NodeId,
        outcome: &Outcome,
    ) -> Result<(), Violation> {
        let Some(place) = self.watched(node)? else { return Ok(()) };
        self.nodes[place].pending = self.nodes[place].pending.saturating_sub(1);
        let wrong = |property, what: &str| {
            let witness = format!("{node} answered {op} with {outcome:?}: {what}");
            Err(Violation::new(property, at, &[node], witness))
        };
        let Some(ordered) = self.orders.iter_mut().find(|order| order.op == op) else {
            return wrong(Property::OneReply, "nobody asked");
        };
        if ordered.node != node {
            return wrong(Property::OneReply, "another node was asked");
        }
        if let Some(before) = ordered.answered.replace(*outcome) {
            return wrong(Property::OneReply, &format!("it answered {before:?} before"));
        }
        let request = ordered.request.clone();
        match (&request, outcome) {
            (Request::ChangeMembership { to, .. }, Outcome::Done { position }) => {
                self.note(Situation::MembershipChanged);
                let committed = self.ghost.log.at(position.index).map(|link| link.term);
                let in_force = self.ghost.log.membership_at(position.index);
                if committed != Some(position.term) {
                    return wrong(Property::Durability, "nothing like that is committed");
                }
                if in_force.is_none_or(|membership| !is_same(membership, to)) {
                    return wrong(
                        Property::ConfigurationFollowsLog,
                        "other members are in force there",
                    );
                }
                Ok(())
            }
            (Request::Transfer { to, .. }, Outcome::Transferred { leader }) => {
                self.note(Situation::LeadershipTransferred);
                if leader == to { Ok(()) } else { wrong(Property::OneReply, "another was to lead") }
            }
            (Request::Transfer { .. }, Outcome::Refused { refusal, .. }) => {
                if *refusal == Refusal::TransferAborted {
                    self.note(Situation::TransferAborted);
                }
                Ok(())
            }
            (Request::ChangeMembership { .. }, Outcome::Refused { refusal, .. }) => {
                match refusal {
                    Refusal::ChangePending => self.note(Situation::ChangeRefusedPending),
                    Refusal::NotYetCommitted => self.note(Situation::ChangeRefusedEarly),
                    _ => {}
                }
                Ok(())
            }
            (_, Outcome::Lost { position }) => {
                let committed = self.ghost.log.at(position.index).map(|link| link.term);
                if committed.is_some_and(|term| term != position.term) {
                    return Ok(());
                }
                wrong(Property::ClientOrder, "no other entry is committed there")
            }
            (_, Outcome::Unknown) => Ok(()),
            _ => wrong(Property::OneReply, "that is no answer to what was asked"),
        }
    }
}

fn is_same(one: &Membership, other: &Membership) -> bool {
    (one.voters(), one.outgoing(), one.learners())
        == (other.voters(), other.outgoing(), other.learners())
}
