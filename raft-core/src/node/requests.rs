//! What callers ask of a node.

use alloc::sync::Arc;

use super::Node;
use crate::config::Forwarding;
use crate::effect::Effects;
use crate::membership::Membership;
use crate::message::Message;
use crate::request::{Outcome, Refusal, Request};
use crate::role::RoleState;
use crate::types::{NodeId, RequestId};

impl Node {
    pub(super) fn request(&mut self, request: Request, effects: &mut Effects) {
        let id = request.id();
        let accepted = if self.has_room() {
            match request {
                Request::Propose { id, command } => self.propose(id, command, effects),
                Request::Read { id } => self.read(id),
                Request::ChangeMembership { id, to } => self.change_membership(id, &to, effects),
                Request::Transfer { id, to } => self.transfer(id, to, effects),
            }
        } else {
            Err(Refusal::Busy)
        };
        if let Err(refusal) = accepted {
            effects.reply(id, Outcome::Refused { refusal, leader: self.leader() });
        }
    }

    fn has_room(&self) -> bool {
        (self.replica.pending.len() as u64) < self.replica.config.max_pending_requests
    }

    fn propose(
        &mut self,
        id: RequestId,
        command: bytes::Bytes,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let replica = &mut self.replica;
        let deadline = replica.now.after(replica.config.request_timeout);
        if let RoleState::Leader(leader) = &self.role {
            let position = leader.propose(replica, command, None, effects)?;
            replica.pending.appended(position, id, deadline);
            return Ok(());
        }
        let leader = self.leader_to_ask()?;
        let replica = &mut self.replica;
        if command.len() as u64 > replica.config.max_command_bytes {
            return Err(Refusal::TooLarge);
        }
        // A forward names its incarnation, which must be durable first.
        if !replica.is_hard_state_durable() {
            return Err(Refusal::NotReady);
        }
        let sequence = replica.pending.forward(id, deadline);
        let incarnation = replica.life().incarnation;
        let message = Message::ForwardProposal { incarnation, sequence, data: command };
        replica.send(leader, message, effects);
        Ok(())
    }

    /// The leader, for a node that is not and may ask it.
    fn leader_to_ask(&self) -> Result<NodeId, Refusal> {
        let leader = self.leader().ok_or(Refusal::NoLeader)?;
        match self.replica.config.forwarding {
            Forwarding::ToLeader => Ok(leader),
            Forwarding::Refuse => Err(Refusal::NotLeader),
        }
    }

    /// The question to the leader, or to itself, is asked when the step settles.
    fn read(&mut self, id: RequestId) -> Result<(), Refusal> {
        if !matches!(self.role, RoleState::Leader(_)) {
            self.leader_to_ask()?;
        }
        let deadline = self.replica.now.after(self.replica.config.request_timeout);
        self.replica.pending.reads.add(id, deadline);
        Ok(())
    }

    fn change_membership(
        &mut self,
        id: RequestId,
        to: &Arc<Membership>,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let RoleState::Leader(leader) = &mut self.role else { return Err(self.not_leader()) };
        let position = leader.change_membership(&mut self.replica, to, effects)?;
        let deadline = self.replica.now.after(self.replica.config.request_timeout);
        self.replica.pending.appended(position, id, deadline);
        Ok(())
    }

    fn transfer(
        &mut self,
        id: RequestId,
        to: NodeId,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let RoleState::Leader(leader) = &mut self.role else { return Err(self.not_leader()) };
        if to == self.replica.id() {
            effects.reply(id, Outcome::Transferred { leader: to });
            return Ok(());
        }
        if self.replica.pending.is_transferring() {
            return Err(Refusal::Transferring);
        }
        leader.transfer(&mut self.replica, to, effects)?;
        let deadline = self.replica.now.after(self.replica.config.request_timeout);
        self.replica.pending.transfer(to, id, deadline);
        Ok(())
    }

    fn not_leader(&self) -> Refusal {
        if self.leader().is_some() { Refusal::NotLeader } else { Refusal::NoLeader }
    }
}
