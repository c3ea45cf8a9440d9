//! What callers ask of a cluster, and what must hold of the answers.

use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    LogIndex, LogPosition, Membership, MembershipParts, NodeId, Outcome, Payload, RecordedInput,
    Reply, Request, RequestId, Ticks,
};

use super::Cluster;

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    node: NodeId,
    /// Up to here something was known to be committed when it was asked.
    seen: LogIndex,
    /// The entry with which a batch for the machine named it.
    named: Option<LogPosition>,
}

/// A membership of voters and learners by number.
pub fn members(voters: &[u64], learners: &[u64]) -> Membership {
    let set = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
    let parts = MembershipParts {
        voters: set(voters),
        learners: set(learners),
        ..MembershipParts::default()
    };
    parts.try_into().expect("the test names a sound membership")
}

impl Cluster {
    fn request(&mut self, node: NodeId, request: impl FnOnce(RequestId) -> Request) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        let seen = LogIndex(self.agreed.len() as u64);
        self.asked.insert(id, Asked { node, seen, named: None });
        self.step(node, RecordedInput::Request(request(id)));
        id
    }

    pub fn propose(&mut self, node: NodeId, command: impl Into<Bytes>) -> RequestId {
        self.request(node, |id| Request::Propose { id, command: command.into() })
    }

    pub fn read(&mut self, node: NodeId) -> RequestId {
        self.request(node, |id| Request::Read { id })
    }

    pub fn change(&mut self, node: NodeId, to: Membership) -> RequestId {
        self.request(node, |id| Request::ChangeMembership { id, to: Arc::new(to) })
    }

    pub fn transfer(&mut self, node: NodeId, to: NodeId) -> RequestId {
        self.request(node, |id| Request::Transfer { id, to })
    }

    pub fn suppress(&mut self, node: NodeId, span: Ticks) {
        self.step(node, RecordedInput::Suppress(span));
    }

    /// The one answer of a request, if it has been given.
    pub fn outcome(&self, request: RequestId) -> Option<Outcome> {
        self.outcomes.get(&request).copied()
    }

    pub fn is_done(&self, request: RequestId) -> bool {
        matches!(self.outcome(request), Some(Outcome::Done { .. }))
    }

    /// Requests of present lives that have no answer.
    pub fn unanswered(&self) -> Vec<RequestId> {
        self.asked.keys().copied().collect()
    }

    /// A life ends, and its requests with it.
    pub(super) fn forget_requests(&mut self, node: NodeId) {
        self.asked.retain(|_, asked| asked.node != node);
    }

    /// A batch for the machine names a request with an entry: once, and at the node where it was asked.
    pub(super) fn check_named(&mut self, node: NodeId, request: RequestId, at: LogPosition) {
        let asked = self.asked.get_mut(&request).expect("what was asked in this life");
        assert_eq!((asked.node, asked.named), (node, None), "{request} is named once");
        asked.named = Some(at);
    }

    pub(super) fn check_reply(&mut self, node: NodeId, reply: &Reply) {
        let Reply { request, outcome } = *reply;
        let before = self.outcomes.insert(request, outcome);
        assert_eq!(before, None, "{request} has one answer");
        let asked = self.asked.remove(&request).expect("what was asked in this life");
        assert_eq!(asked.node, node, "{request} is answered where it was asked");
        let agreed = |index: LogIndex| {
            let place = usize::try_from(index.0 - 1).expect("logs here are short");
            self.agreed.get(place).map(|(term, _)| *term)
        };
        let applied = self.hosts[&node].machine.applied;
        match outcome {
            Outcome::Done { position } => {
                assert_eq!(agreed(position.index), Some(position.term), "{request} was applied");
                assert!(position.index <= applied, "{request} was applied here");
                assert_eq!(asked.named, Some(position), "{request} was named with its entry");
            }
            Outcome::Lost { position } => {
                // The machine may be given the entry that took its place right after this.
                let taken = agreed(position.index);
                assert!(taken.is_none_or(|term| term != position.term), "{request} is lost");
            }
            Outcome::Readable { index } => {
                assert!(index >= asked.seen, "{request} misses what was done before (thesis §6.4)");
                assert!(index <= applied, "{request} is answered before its index is applied");
            }
            Outcome::Transferred { .. } | Outcome::Refused { .. } | Outcome::Unknown => {}
        }
    }

    /// What a machine holds that has applied everything up to `index`.
    pub(super) fn agreed_commands(&self, index: LogIndex) -> Vec<Bytes> {
        let count = usize::try_from(index.0).expect("logs here are short");
        assert!(count <= self.agreed.len(), "nobody has applied {index}");
        let command = |(_, payload): &(_, Payload)| match payload {
            Payload::Command { data, .. } => Some(data.clone()),
            Payload::Blank | Payload::Membership(_) => None,
        };
        self.agreed[..count].iter().filter_map(command).collect()
    }
}
