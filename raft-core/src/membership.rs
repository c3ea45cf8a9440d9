//! Who belongs to the cluster: voters, learners, and the outgoing voters of a joint configuration.
//!
//! Memberships live in log entries and are in force from the moment they are appended (thesis §4.1),
//! so [`Memberships`] follows the log: appended to and truncated with it. Every quorum is asked of a
//! [`Membership`], which knows whether it is joint (thesis §4.3).
//!
//! Invariants of [`Membership`]: each set is sorted and without duplicates; nobody is both a voter and
//! a learner; there are voters, unless nobody is named at all (a node that waits to be told who
//! its cluster is).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::quorum::{self, VoteResult};
use crate::types::{LogIndex, NodeId};

/// A configuration of the cluster (thesis §4).
///
/// ```
/// use raft_core::{Membership, NodeId};
/// let membership = Membership::of_voters([1, 2, 3].map(NodeId)).unwrap();
/// assert!(membership.is_voter(NodeId(2)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "MembershipParts", into = "MembershipParts"))]
pub struct Membership {
    voters: Vec<NodeId>,
    /// The voters that are being replaced; empty unless joint.
    outgoing: Vec<NodeId>,
    learners: Vec<NodeId>,
    /// What the application keeps for each member, an address usually.
    contexts: BTreeMap<NodeId, Bytes>,
}

/// The parts of a [`Membership`], unchecked: what a person writes or a peer sends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MembershipParts {
    /// Those whose votes and acknowledgements count.
    pub voters: BTreeSet<NodeId>,
    /// The voters that are being replaced; empty unless joint.
    pub outgoing: BTreeSet<NodeId>,
    /// Those that receive the log and are not counted.
    pub learners: BTreeSet<NodeId>,
    /// Opaque bytes for each member.
    pub contexts: BTreeMap<NodeId, Bytes>,
}

/// Why parts make no [`Membership`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// A cluster without voters can decide nothing.
    #[error("a membership needs at least one voter")]
    NoVoters,
    /// A member is counted or it is not.
    #[error("{node} is both a voter and a learner: name it once")]
    VoterAndLearner {
        /// The node that is named twice.
        node: NodeId,
    },
    /// A context belongs to a member.
    #[error("{node} has a context but is not a member: add it as a voter or a learner")]
    ContextWithoutMember {
        /// The node that is not a member.
        node: NodeId,
    },
}

impl TryFrom<MembershipParts> for Membership {
    type Error = MembershipError;

    fn try_from(parts: MembershipParts) -> Result<Self, MembershipError> {
        let MembershipParts { voters, outgoing, learners, contexts } = parts;
        let names_anyone = !(outgoing.is_empty() && learners.is_empty() && contexts.is_empty());
        if voters.is_empty() && names_anyone {
            return Err(MembershipError::NoVoters);
        }
        if let Some(node) = learners.iter().find(|id| voters.contains(id)) {
            return Err(MembershipError::VoterAndLearner { node: *node });
        }
        let is_member =
            |id: &NodeId| voters.contains(id) || outgoing.contains(id) || learners.contains(id);
        if let Some(node) = contexts.keys().find(|id| !is_member(id)) {
            return Err(MembershipError::ContextWithoutMember { node: *node });
        }
        Ok(Self {
            voters: voters.into_iter().collect(),
            outgoing: outgoing.into_iter().collect(),
            learners: learners.into_iter().collect(),
            contexts,
        })
    }
}

impl From<Membership> for MembershipParts {
    fn from(membership: Membership) -> Self {
        Self {
            voters: membership.voters.into_iter().collect(),
            outgoing: membership.outgoing.into_iter().collect(),
            learners: membership.learners.into_iter().collect(),
            contexts: membership.contexts,
        }
    }
}

impl Membership {
    /// A membership of voters alone.
    ///
    /// # Errors
    /// [`MembershipError::NoVoters`] when there are none.
    pub fn of_voters(voters: impl IntoIterator<Item = NodeId>) -> Result<Self, MembershipError> {
        let voters: BTreeSet<NodeId> = voters.into_iter().collect();
        if voters.is_empty() {
            return Err(MembershipError::NoVoters);
        }
        MembershipParts { voters, ..MembershipParts::default() }.try_into()
    }

    /// The voters, sorted.
    pub fn voters(&self) -> &[NodeId] {
        &self.voters
    }

    /// The voters that are being replaced, sorted; empty unless joint.
    pub fn outgoing(&self) -> &[NodeId] {
        &self.outgoing
    }

    /// The learners, sorted.
    pub fn learners(&self) -> &[NodeId] {
        &self.learners
    }

    /// What the application keeps for a member.
    pub fn context(&self, node: NodeId) -> Option<&Bytes> {
        self.contexts.get(&node)
    }

    /// Whether the configuration is joint: both majorities must then agree (thesis §4.3).
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether `node`'s votes and acknowledgements count, in either half.
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters.binary_search(&node).is_ok() || self.outgoing.binary_search(&node).is_ok()
    }

    /// Whether `node` is named at all.
    pub fn contains(&self, node: NodeId) -> bool {
        self.is_voter(node) || self.learners.binary_search(&node).is_ok()
    }

    /// Everyone that is named, sorted, each once.
    pub fn members(&self) -> BTreeSet<NodeId> {
        self.voters.iter().chain(&self.outgoing).chain(&self.learners).copied().collect()
    }

    /// The configuration that leads from this one to `target`: joint (thesis §4.3), or `target` itself when it
    /// has one voter more or less, or none, so that any two majorities share a node (thesis §4.2).
    pub(crate) fn toward(&self, target: &Self) -> Self {
        let (old, new) = (&self.voters, &target.voters);
        let leaving = old.iter().filter(|id| !new.contains(id)).count();
        let coming = new.iter().filter(|id| !old.contains(id)).count();
        if leaving + coming <= 1 {
            return target.clone();
        }
        let mut contexts = self.contexts.clone();
        contexts.retain(|id, _| old.contains(id) && !target.contains(*id));
        contexts.extend(target.contexts.clone());
        Self { outgoing: old.clone(), contexts, ..target.clone() }
    }

    /// The configuration after a joint one.
    pub(crate) fn without_outgoing(&self) -> Self {
        let mut left = Self { outgoing: Vec::new(), ..self.clone() };
        left.contexts = self.contexts.clone();
        left.contexts.retain(|id, _| left.voters.contains(id) || left.learners.contains(id));
        left
    }

    /// The greatest value that a quorum has reached: a majority, or both majorities when joint. `None`
    /// while the membership is empty.
    pub fn reached_by_quorum<T: Ord + Copy>(&self, value: impl Fn(NodeId) -> T) -> Option<T> {
        let incoming = quorum::reached_by_majority(&self.voters, &value)?;
        if self.is_joint() {
            quorum::reached_by_majority(&self.outgoing, &value)
                .map(|outgoing| incoming.min(outgoing))
        } else {
            Some(incoming)
        }
    }

    /// How an election stands: when joint, both halves must be won.
    pub fn vote_result(&self, ballot: impl Fn(NodeId) -> Option<bool>) -> VoteResult {
        let incoming = quorum::vote_result(&self.voters, &ballot);
        if self.is_joint() {
            incoming.min(quorum::vote_result(&self.outgoing, &ballot))
        } else {
            incoming
        }
    }

    /// What it counts against byte budgets.
    pub(crate) fn size(&self) -> u64 {
        let names = self.voters.len() + self.outgoing.len() + self.learners.len();
        let contexts: usize = self.contexts.values().map(Bytes::len).sum();
        (names * size_of::<NodeId>() + contexts) as u64
    }
}

/// Every membership since the last snapshot, in log order; the last is in force.
///
/// Invariant: never empty, indexes strictly rise, the first is the one as of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Memberships {
    history: Vec<(LogIndex, Arc<Membership>)>,
}

impl Memberships {
    pub(crate) fn new(base: LogIndex, membership: Arc<Membership>) -> Self {
        Self { history: alloc::vec![(base, membership)] }
    }

    fn last(&self) -> &(LogIndex, Arc<Membership>) {
        self.history.last().expect("the membership as of the snapshot is never removed")
    }

    /// The membership in force: the last in the log, committed or not.
    pub(crate) fn active(&self) -> &Arc<Membership> {
        &self.last().1
    }

    /// The index of the entry that put it in force.
    pub(crate) fn active_since(&self) -> LogIndex {
        self.last().0
    }

    /// The membership before the one in force, unless that was the first known.
    pub(crate) fn previous(&self) -> Option<&Arc<Membership>> {
        self.history.iter().rev().nth(1).map(|(_, membership)| membership)
    }

    /// The membership as of `index`, which must not lie before the snapshot.
    pub(crate) fn as_of(&self, index: LogIndex) -> Option<&Arc<Membership>> {
        let after = self.history.partition_point(|(since, _)| *since <= index);
        after.checked_sub(1).map(|place| &self.history[place].1)
    }

    pub(crate) fn append(&mut self, index: LogIndex, membership: Arc<Membership>) {
        debug_assert!(self.active_since() < index);
        self.history.push((index, membership));
    }

    /// Forgets those at `first` and after; says whether the one in force changed.
    pub(crate) fn truncate_from(&mut self, first: LogIndex) -> bool {
        let before = self.history.len();
        let keep = self.history.partition_point(|(index, _)| *index < first).max(1);
        self.history.truncate(keep);
        self.history.len() != before
    }

    /// Forgets those before the one as of `index`.
    pub(crate) fn compact(&mut self, index: LogIndex) {
        let after = self.history.partition_point(|(since, _)| *since <= index);
        self.history.drain(..after.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(voters: &[u64], outgoing: &[u64], learners: &[u64]) -> MembershipParts {
        let set = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
        MembershipParts {
            voters: set(voters),
            outgoing: set(outgoing),
            learners: set(learners),
            contexts: BTreeMap::new(),
        }
    }

    fn membership(voters: &[u64], outgoing: &[u64], learners: &[u64]) -> Membership {
        parts(voters, outgoing, learners).try_into().expect("a sound membership")
    }

    /// Thesis §4.3: while joint, both majorities must agree; learners are never counted.
    #[test]
    fn a_joint_quorum_needs_both_majorities() {
        let joint = membership(&[3, 4, 5], &[1, 2, 3], &[6]);
        let reached_by = |ids: &[u64]| joint.reached_by_quorum(|id| ids.contains(&id.0));
        assert_eq!(reached_by(&[3, 4, 5, 6]), Some(false), "the incoming alone");
        assert_eq!(reached_by(&[1, 2, 6]), Some(false), "the outgoing alone");
        assert_eq!(reached_by(&[2, 3, 4]), Some(true), "two of each");
        let votes = |ids: &[u64]| joint.vote_result(|id| Some(ids.contains(&id.0)));
        assert_eq!(votes(&[3, 4, 5]), VoteResult::Lost);
        assert_eq!(votes(&[2, 3, 4]), VoteResult::Won);
        assert_eq!(joint.vote_result(|_| None), VoteResult::Pending);
    }

    #[test]
    fn an_empty_membership_decides_nothing() {
        let nobody = Membership::default();
        assert_eq!(nobody.reached_by_quorum(|id| id), None);
        assert_eq!(nobody.vote_result(|_| Some(true)), VoteResult::Lost);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |parts: MembershipParts| Membership::try_from(parts).expect_err("no sense");
        assert_eq!(refused(parts(&[], &[1], &[])), MembershipError::NoVoters);
        assert_eq!(refused(parts(&[], &[], &[1])), MembershipError::NoVoters);
        let node = NodeId(1);
        assert_eq!(refused(parts(&[1], &[], &[1])), MembershipError::VoterAndLearner { node });
        let contexts = BTreeMap::from([(node, Bytes::new())]);
        let stray = MembershipParts { contexts, ..parts(&[2], &[], &[]) };
        assert_eq!(refused(stray), MembershipError::ContextWithoutMember { node });
    }

    /// The one in force is the last in the log, also when the log is cut.
    #[test]
    fn memberships_follow_the_log() {
        let of = |id| Arc::new(membership(&[id], &[], &[]));
        let mut memberships = Memberships::new(LogIndex(0), of(1));
        memberships.append(LogIndex(3), of(3));
        memberships.append(LogIndex(5), of(5));
        assert!(!memberships.truncate_from(LogIndex(6)));
        assert!(memberships.truncate_from(LogIndex(5)));
        assert_eq!(memberships.active(), &of(3));
        assert!(memberships.truncate_from(LogIndex(1)));
        assert_eq!(memberships.active(), &of(1), "the base stays");
    }

    /// Fine point 13: the membership of a snapshot is the one as of its index, not the one in force.
    #[test]
    fn every_membership_since_the_snapshot_is_kept() {
        let of = |id| Arc::new(membership(&[id], &[], &[]));
        let mut memberships = Memberships::new(LogIndex(2), of(1));
        memberships.append(LogIndex(5), of(2));
        memberships.append(LogIndex(7), of(3));
        let as_of = |memberships: &Memberships, index| memberships.as_of(LogIndex(index)).cloned();
        assert_eq!(as_of(&memberships, 1), None, "from before the snapshot");
        assert_eq!(as_of(&memberships, 4), Some(of(1)));
        assert_eq!((as_of(&memberships, 6), memberships.previous()), (Some(of(2)), Some(&of(2))));
        memberships.compact(LogIndex(6));
        assert_eq!((as_of(&memberships, 6), as_of(&memberships, 7)), (Some(of(2)), Some(of(3))));
        assert_eq!(as_of(&memberships, 4), None);
        memberships.compact(LogIndex(9));
        assert_eq!((memberships.active(), memberships.previous()), (&of(3), None));
    }

    /// Thesis §4.2, §4.3: one voter more or less is one step; any other change goes through both majorities.
    #[test]
    fn the_way_to_a_membership() {
        let old = membership(&[1, 2, 3], &[], &[4]);
        let steps = |target: Membership| old.toward(&target);
        let one_more = membership(&[1, 2, 3, 4], &[], &[]);
        assert_eq!(steps(one_more.clone()), one_more);
        let only_learners = membership(&[1, 2, 3], &[], &[5, 6]);
        assert_eq!(steps(only_learners.clone()), only_learners);
        let replaced = membership(&[1, 2, 4], &[], &[3]);
        let joint = steps(replaced.clone());
        assert_eq!(joint, membership(&[1, 2, 4], &[1, 2, 3], &[3]));
        assert_eq!(joint.without_outgoing(), replaced);
    }
}
