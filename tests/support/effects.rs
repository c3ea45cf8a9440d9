//! Carries effects out, and checks what must always hold while doing so.

use raft_core::{
    AppendReply, Ballot, Effect, Envelope, HardState, LogIndex, LogPosition, Message, NodeId,
    Payload, RecordedInput, Role,
};

use super::disk::Disk;
use super::{Cluster, Happened, Pace};

impl Cluster {
    /// Does what a node asks for; returns the receipt, if it is at hand.
    pub(super) fn carry_out(&mut self, id: NodeId, effect: Effect) -> Option<RecordedInput> {
        let (happened, follows) = match effect {
            Effect::Persist(persist) => {
                let (number, write) = (persist.number(), persist.write().clone());
                let host = self.host(id);
                let onto = host.disk.clone();
                assert!(host.writing.is_none(), "one write is under way at a time");
                let follows = if host.disk_pace == Pace::Prompt {
                    host.disk.write(&write);
                    Some(RecordedInput::Persisted(number))
                } else {
                    host.writing = Some((number, write.clone()));
                    None
                };
                (Happened::Wrote { onto, write }, follows)
            }
            Effect::Send(envelope) => {
                self.hosts[&id].disk.check_promise(&envelope);
                self.network.push(envelope.clone());
                (Happened::Sent(envelope), None)
            }
            Effect::Apply(apply) => {
                let positions = apply.entries().map(|entry| entry.position).collect();
                let last = apply.last();
                for entry in apply.entries() {
                    self.check_agreement(id, entry.position, entry.payload);
                    self.host(id).commands.extend(entry.command().cloned());
                }
                let is_prompt = self.host(id).machine_pace == Pace::Prompt;
                if !is_prompt {
                    self.host(id).applying = Some(last);
                }
                (Happened::Applied(positions), is_prompt.then_some(RecordedInput::Applied(last)))
            }
            Effect::Reply(reply) => {
                let before = self.outcomes.insert(reply.request, reply.outcome);
                assert_eq!(before, None, "{} has one answer", reply.request);
                (Happened::Replied(reply), None)
            }
            Effect::Event(event) => (Happened::Noted(event), None),
        };
        self.journal.push((id, happened));
        follows
    }

    pub(super) fn check_leader(&mut self, id: NodeId) {
        let node = self.node(id);
        assert_eq!(node.invariants(), Ok(()), "{}", node.status());
        if node.role() == Role::Leader {
            let leader = *self.leaders.entry(self.node(id).term()).or_insert(id);
            assert_eq!(leader, id, "one leader a term (paper §5.2)");
        }
    }

    fn check_agreement(&mut self, id: NodeId, position: LogPosition, payload: &Payload) {
        let place = usize::try_from(position.index.previous().0).expect("logs here are short");
        if place == self.agreed.len() {
            self.agreed.push((position.term, payload.clone()));
        }
        let entry = (position.term, payload.clone());
        assert_eq!(self.agreed.get(place), Some(&entry), "{id} applies {position} (paper §5.4.3)");
    }
}

impl Disk {
    /// Nothing leaves a node before the disk holds what it promises (paper Figure 2).
    fn check_promise(&self, envelope: &Envelope) {
        let HardState { term, vote, .. } = self.restored.hard_state;
        assert!(term >= envelope.term, "sent before the term was durable: {envelope:?}");
        let last = LogIndex(self.restored.entries.len() as u64);
        match &envelope.message {
            Message::VoteReply { ballot: Ballot::Granted } => {
                assert_eq!(vote, Some(envelope.to), "the vote was not durable");
            }
            Message::RequestVote { .. } => {
                assert_eq!(vote, Some(envelope.from), "the own vote was not durable");
            }
            Message::AppendReply(AppendReply::Accepted { matched }) => {
                assert!(*matched <= last, "acknowledged before it was durable: {envelope:?}");
            }
            _ => {}
        }
    }
}
