//! The operator: asks for other members and other leaders, and when everything is healed, for all nodes as voters.

use std::sync::Arc;

use raft_core::{Instant, Membership, MembershipParts, NodeId, Outcome, Request, RequestId, Ticks};

use super::drive::Cause;
use super::host::Held;
use super::queue::Event;
use super::trace::{Trace, TraceEvent};
use super::{Checked, World, short};
use crate::history::OpId;
use crate::machine::Machine;
use crate::plan::Action;
use crate::raft::{Input, Raft};

/// The number of the operator among the clients, in the names of what it asks.
pub(super) const OPERATOR: u64 = 1_000;

impl<R: Raft, M: Machine, T: Trace> World<'_, R, M, T> {
    /// An action of the plan is taken.
    pub(super) fn operate(&mut self, number: u32) -> Checked {
        if self.stage.is_healed() {
            return Ok(());
        }
        let action = self.plan.actions[number as usize].action.clone();
        match action {
            Action::Members { voters, learners } => {
                let to = membership(&voters, &learners);
                self.ask_leaders(&Wish::Members(to))
            }
            Action::Transfer { to } => self.ask_leaders(&Wish::Leader(to)),
            Action::Campaign { node } => self.tell_node(node, None),
            Action::Suppress { node, lasts } => self.tell_node(node, Some(lasts)),
        }
    }

    fn tell_node(&mut self, id: NodeId, suppressed: Option<Ticks>) -> Checked {
        let Some(node) = self.place(id) else { return Ok(()) };
        if !self.hosts[node].is_up() || self.hosts[node].is_paused() {
            return Ok(());
        }
        self.tell(TraceEvent::Urged { node: id, suppressed });
        let input = suppressed.map_or(Input::Campaign, Input::Suppress);
        self.step(node, input, Cause::Request)
    }

    fn ask_leaders(&mut self, wish: &Wish) -> Checked {
        for node in 0..self.hosts.len() {
            if self.hosts[node].leads() {
                self.wishes_made += 1;
                let op = OpId(self.wishes_made << super::clients::CLIENT_BITS | OPERATOR);
                self.wishes.push((op, wish.clone()));
                let number = u32::try_from(self.wishes.len() - 1).unwrap_or(u32::MAX);
                let event = Event::Wish { node: short(node), wish: number };
                if self.hosts[node].hold(event) == Held::No {
                    self.wish(node, number)?;
                }
            }
        }
        Ok(())
    }

    /// What the operator asks reaches a node.
    pub(super) fn wish(&mut self, node: usize, number: u32) -> Checked {
        let event = Event::Wish { node: short(node), wish: number };
        if !self.hosts[node].is_up() || self.hosts[node].hold(event) == Held::Yes {
            return Ok(());
        }
        if (number as usize) < self.wishes_before_healing && self.stage.is_healed() {
            // It waited at a suspended node. By now the operator wants something else.
            return Ok(());
        }
        let (op, wish) = self.wishes[number as usize].clone();
        let id = RequestId(op.0);
        let request = match wish {
            Wish::Members(to) => Request::ChangeMembership { id, to },
            Wish::Leader(to) => Request::Transfer { id, to },
        };
        self.hosts[node].unanswered += 1;
        self.digest.add(self.now ^ op.0 << 24);
        let at = Instant(self.now);
        self.checks.proposed(at, self.id(node))?;
        self.checks.ordered(op, self.id(node), &request);
        self.tell(TraceEvent::Ordered { node: self.id(node), request: &request });
        self.step(node, Input::Request(request), Cause::Request)
    }

    /// Whether an answer is for the operator.
    pub(super) fn is_wish(op: OpId) -> bool {
        op.0 & ((1 << super::clients::CLIENT_BITS) - 1) == OPERATOR
    }

    /// The operator is answered.
    pub(super) fn wish_answered(&mut self, node: usize, op: OpId, outcome: &Outcome) -> Checked {
        self.digest.add(op.0 ^ 1 << 61);
        self.tell(TraceEvent::OrderAnswered { node: self.id(node), outcome: *outcome });
        self.checks.order_answered(Instant(self.now), op, self.id(node), outcome)
    }

    // ----- after the healing -----

    /// Whether all nodes vote that have not lost their disks, and every one of them knows.
    pub(super) fn is_mended(&self) -> bool {
        let all = self.everyone_left();
        let knows = |raft: &R| *raft.membership() == all && raft.is_membership_committed();
        self.survivors().all(|host| host.raft.as_ref().is_some_and(knows))
    }

    /// Asks whoever leads for all of them as voters, unless that is on its way.
    pub(super) fn mend_members(&mut self) -> Checked {
        let all = self.everyone_left();
        let leads = |host: &&super::host::Host<R, M>| host.leads();
        let lacks = |raft: &R| *raft.membership() != all;
        let leader = self.hosts.iter().find(leads).and_then(|host| host.raft.as_ref());
        if leader.is_some_and(lacks) {
            return self.ask_leaders(&Wish::Members(Arc::new(all)));
        }
        Ok(())
    }
}

/// What the operator asks of a leader.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    Members(Arc<Membership>),
    Leader(NodeId),
}

fn membership(voters: &[NodeId], learners: &[NodeId]) -> Arc<Membership> {
    let parts = MembershipParts {
        voters: voters.iter().copied().collect(),
        learners: learners.iter().copied().collect(),
        ..MembershipParts::default()
    };
    Arc::new(parts.try_into().expect("a plan that was validated names voters and learners apart"))
}
