//! One node as the checks remember it: its last view, its log in memory, and what its disk holds.

use std::sync::Arc;

use raft_core::{
    HardState, Instant, LogIndex, LogPosition, Membership, NodeId, Role, Settings, Term, Write,
};

use super::contact::Contact;
use super::mirror::Mirror;
use super::ordered::Ordered;
use crate::raft::View;

/// Whether a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    On,
    Off,
}

/// The size of the write that a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Hard state, install, truncation.
    parts: u32,
    entries: u64,
}

impl Size {
    pub(crate) fn of(write: &Write) -> Self {
        let parts =
            [write.hard_state.is_some(), write.install.is_some(), write.truncate_from.is_some()];
        Self {
            parts: parts.into_iter().map(u32::from).sum(),
            entries: write.append.as_ref().map_or(0, |append| append.entries.len() as u64),
        }
    }

    pub(crate) fn is_nothing(self) -> bool {
        self == Self { parts: 0, entries: 0 }
    }
}

/// What is remembered of a node.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) id: NodeId,
    /// Whether it is one of those that the cluster starts with.
    pub(crate) is_founder: bool,
    /// What it was configured to do.
    pub(crate) settings: Settings,
    pub(crate) power: Power,
    pub(crate) view: View,
    /// The membership of a node that has not been told.
    nobody: Arc<Membership>,
    /// Its log in memory.
    pub(crate) log: Mirror,
    /// The log on its disk.
    pub(crate) disk: Mirror,
    /// The latest snapshot on its disk.
    pub(crate) snapshot: LogIndex,
    /// The hard state on its disk.
    pub(crate) hard_state: HardState,
    /// Every vote that ever was on its disk.
    pub(crate) votes_on_disk: Ordered<Term, NodeId>,
    /// Every vote that it ever sent.
    pub(crate) votes_sent: Ordered<Term, NodeId>,
    /// Up to here `disk` equals the committed log. May be raised at any time, see `raise_agreement`.
    pub(crate) agreed: LogIndex,
    /// When it crashed last, if it did.
    pub(crate) crashed: Option<Instant>,
    /// The write it waits for, until that is durable.
    pub(crate) outstanding: Option<Size>,
    /// How many requests of this life reached it and were not answered.
    pub(crate) pending: u64,
    /// Up to here its machine has been given entries.
    pub(crate) machine: LogIndex,
    /// The last term for which it is known to be the leader.
    pub(crate) led: Term,
    /// What it had under way after its last step, at most to any one peer: messages and bytes.
    pub(crate) inflight: (u64, u64),
    /// The largest batch it has sent in this leadership.
    pub(crate) largest_batch: u64,
    pub(crate) contact: Contact,
}

impl Watched {
    pub(crate) fn new(settings: Settings, initial: &Membership, nodes: usize) -> Self {
        Self {
            id: settings.id,
            is_founder: initial.contains(settings.id),
            settings,
            power: Power::Off,
            view: View {
                term: Term::ZERO,
                vote: None,
                role: Role::Follower,
                leader: None,
                snapshot: LogPosition::ZERO,
                base: LogPosition::ZERO,
                last: LogPosition::ZERO,
                durable: LogIndex::ZERO,
                commit: LogIndex::ZERO,
                applied: LogIndex::ZERO,
            },
            nobody: Arc::default(),
            log: Mirror::default(),
            disk: Mirror::default(),
            snapshot: LogIndex::ZERO,
            hard_state: HardState::default(),
            votes_on_disk: Ordered::default(),
            votes_sent: Ordered::default(),
            agreed: LogIndex::ZERO,
            crashed: None,
            outstanding: None,
            pending: 0,
            machine: LogIndex::ZERO,
            led: Term::ZERO,
            inflight: (0, 0),
            largest_batch: 0,
            contact: Contact::new(nodes),
        }
    }

    /// The membership in force, as the log says. A node that joined knows none before it is told.
    pub(crate) fn membership<'a>(&'a self, initial: &'a Arc<Membership>) -> &'a Arc<Membership> {
        match self.log.membership() {
            Some((_, membership)) => membership,
            None if self.is_founder || self.view.snapshot.index > LogIndex::ZERO => initial,
            None => &self.nobody,
        }
    }

    /// Whether it may stand for election (thesis §4.2.2).
    pub(crate) fn may_campaign(&self, initial: &Arc<Membership>) -> bool {
        if self.membership(initial).is_voter(self.id) {
            return true;
        }
        let uncommitted = self.log.membership().is_some_and(|(index, _)| *index > self.view.commit);
        uncommitted && self.log.membership_before().unwrap_or(initial).is_voter(self.id)
    }

    /// Whether it leads now, as it sees it.
    pub(crate) fn leads(&self) -> bool {
        self.power == Power::On && self.view.role == Role::Leader
    }
}
