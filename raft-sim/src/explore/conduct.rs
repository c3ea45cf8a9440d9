//! What must hold of one node by itself, whatever the others do; and what the others' states must be asked about.
//!
//! The same as `check` demands of a run, under the same names. That module follows one run and remembers all of it; here
//! states fork, so that what the past decides is part of the state, or of the [`Ghost`](super::ghost::Ghost).

use std::sync::Arc;

use raft_core::{
    Apply, Envelope, HardState, LogIndex, LogPosition, Membership, Node, NodeId, Payload, Role,
    Term,
};

use super::core::Core;
use super::image::Image;
use super::local::Local;
use super::scope::Scope;
use crate::check::memberships::overlaps;
use crate::raft::{Claim, Facts, Raft, View};
use crate::violation::Property;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub property: Property,
    /// Who takes part; the node that acted comes first.
    pub nodes: Vec<NodeId>,
    /// One sentence: who, what.
    pub witness: String,
}

/// What the other nodes, or the past, must be asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// It began to lead this term, or says that it leads it.
    pub(super) leads: Option<Term>,
    /// It began to lead.
    pub(super) elected: bool,
    /// Its log in memory is another.
    pub(super) log_changed: bool,
    /// It removed entries from here on; and what its log was before.
    pub(super) truncated: Option<(LogIndex, Image)>,
    /// It took everything up to here for committed; as the leader of a term, or as a follower.
    pub(super) commits: Vec<(LogIndex, Option<Term>)>,
    /// Its disk has lost entries, or may have.
    pub(super) disk_truncated: bool,
    /// It acknowledged so much to the leader of a term.
    pub(super) acknowledged: Vec<(NodeId, Term, LogIndex)>,
}

impl Notes {
    /// Whether nobody needs to be asked.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Judges what a node does, step by step.
#[derive(Debug)]
pub(super) struct Conduct {
    pub(super) notes: Notes,
    window: u64,
    batch: u64,
}

type Judged = Result<(), Breach>;

impl Conduct {
    pub(super) fn new(scope: &Scope) -> Self {
        Self { notes: Notes::default(), window: scope.window, batch: scope.batch }
    }

    /// A node knows what its disk says.
    pub(super) fn restarted<C: Core>(local: &Local<C>) -> Judged {
        let (id, view) = (local.node().id(), local.node().view());
        let disk = local.disk.hard_state.unwrap_or_default();
        if view.term < disk.term
            || (view.term == disk.term && disk.vote.is_some() && view.vote != disk.vote)
        {
            return breach(
                Property::Monotonic,
                id,
                format!(
                    "{id} restarted in {} with vote {:?}, but its disk holds {} and {:?}",
                    view.term, view.vote, disk.term, disk.vote
                ),
            );
        }
        let held = local.disk.log.last();
        if view.last != held && view.last != view.snapshot {
            return breach(
                Property::Durability,
                id,
                format!("{id} restarted with a log up to {}, but its disk holds {held}", view.last),
            );
        }
        Self::durable(local, &view)
    }

    /// On a disk no term falls, and no vote is changed (paper §5.2).
    pub(super) fn wrote(id: NodeId, before: HardState, after: HardState) -> Judged {
        if after.term < before.term {
            return breach(
                Property::Monotonic,
                id,
                format!("{id} wrote {} over {}", after.term, before.term),
            );
        }
        match before.vote {
            Some(vote) if before.term == after.term && after.vote != before.vote => breach(
                Property::OneVotePerTerm,
                id,
                format!(
                    "{id} gave its vote of {} to {vote}, and wrote {:?} over it",
                    before.term, after.vote
                ),
            ),
            _ => Ok(()),
        }
    }

    /// Entries are given to the machine in order, committed, and durable.
    pub(super) fn applies<C: Core>(local: &Local<C>, apply: &Apply) -> Judged {
        let node = local.node();
        let (id, first, last) = (node.id(), apply.first(), apply.last());
        if first != node.applied().next() || last > node.commit() {
            return breach(
                Property::StateMachineSafety,
                id,
                format!(
                    "{id} hands {first} to {last} to a machine that has applied {} of {} committed",
                    node.applied(),
                    node.commit()
                ),
            );
        }
        if !local.disk.log.equals_up_to(&local.log, last) {
            return breach(
                Property::DurableKnown,
                id,
                format!("{id} applies up to {last}, but its disk holds {}", local.disk.log.last()),
            );
        }
        Ok(())
    }

    /// A step was taken; its effects are not carried out yet.
    pub(super) fn stepped<C: Core>(&mut self, before: &C, log: &Image, local: &Local<C>) -> Judged {
        let (before, node) = (before.node().view(), local.node());
        let (id, view) = (node.id(), node.view());
        Self::monotonic(id, &before, &view)?;
        self.follow_log(&before, log, local, &view)?;
        self.role(&before, local, &view)?;
        Self::durable(local, &view)?;
        if view.commit != before.commit {
            self.commit(&before, local, &view)?;
        }
        let (messages, _) = node.max_inflight();
        if messages > self.window {
            return breach(
                Property::BoundedMemory,
                id,
                format!(
                    "{id} has {messages} messages under way to one peer; {} are allowed",
                    self.window
                ),
            );
        }
        Node::invariants(node).map_err(|wrong| Breach {
            property: Property::Invariant,
            nodes: vec![id],
            witness: format!("{id}: {wrong}"),
        })
    }

    fn monotonic(id: NodeId, before: &View, view: &View) -> Judged {
        let kept_vote = before.vote.is_none() || view.vote == before.vote;
        let falls = view.term < before.term
            || (view.term == before.term && !kept_vote)
            || view.commit < before.commit
            || view.applied < before.applied;
        let crosses = view.applied > view.commit || view.commit > view.last.index;
        if !falls && !crosses {
            return Ok(());
        }
        let told = |view: &View| {
            format!(
                "{}, vote {:?}, commit {}, applied {}",
                view.term, view.vote, view.commit, view.applied
            )
        };
        breach(
            Property::Monotonic,
            id,
            format!("{id} went from {} to {}", told(before), told(view)),
        )
    }

    /// What the log in memory became.
    fn follow_log<C: Core>(
        &mut self,
        before: &View,
        log: &Image,
        local: &Local<C>,
        view: &View,
    ) -> Judged {
        let id = local.node().id();
        if *log != local.log {
            self.notes.log_changed = true;
            let kept = log.agreement(&local.log);
            let installed = local.log.base.index > log.last().index || local.log.entries.is_empty();
            if kept < log.last().index && !installed {
                if before.role == Role::Leader
                    && view.role == Role::Leader
                    && before.term == view.term
                {
                    return breach(
                        Property::LeaderAppendOnly,
                        id,
                        format!(
                            "{id}, leader of {}, removed {} to {} from its log",
                            view.term,
                            kept.next(),
                            log.last()
                        ),
                    );
                }
                self.notes.truncated = Some((kept.next(), log.clone()));
            }
            Self::terms_rise(id, &local.log, view)?;
            if view.role == Role::Leader {
                Self::changes(local, view, kept)?;
            }
        }
        let expected = membership(local.node(), &local.log, local.log.last().index);
        if expected != local.node().membership() {
            return breach(
                Property::ConfigurationFollowsLog,
                id,
                format!(
                    "{id} goes by voters {:?}, but the last membership in its log has {:?}",
                    local.node().membership().voters(),
                    expected.voters()
                ),
            );
        }
        Ok(())
    }

    fn terms_rise(id: NodeId, log: &Image, view: &View) -> Judged {
        let mut before = log.base.term;
        for entry in log.entries.iter() {
            if entry.term < before || entry.term > view.term {
                return breach(
                    Property::LogMatching,
                    id,
                    format!(
                        "{id} in {} holds an entry of {} after one of {before}",
                        view.term, entry.term
                    ),
                );
            }
            before = entry.term;
        }
        Ok(())
    }

    /// A leader appends a membership only when the one before is committed and, unless it leaves a joint one, so is an
    /// entry of its own term; and only one whose majorities overlap with those before (thesis §4.1, §4.3).
    fn changes<C: Core>(local: &Local<C>, view: &View, kept: LogIndex) -> Judged {
        let (node, log) = (local.node(), &local.log);
        let new = (kept.0 + 1..=log.last().index.0).map(LogIndex);
        for index in new {
            let Some(Payload::Membership(next)) = log.at(index).map(|entry| &entry.payload) else {
                continue;
            };
            let earlier = (log.base.index.0 + 1..index.0).rev().map(LogIndex);
            let since = earlier.into_iter().find(|at| is_membership(log, *at)).unwrap_or_default();
            let before = membership(node, log, index.previous());
            let knows_commits = log.term(view.commit) == Some(view.term);
            let problem = if since > view.commit {
                format!("the one before it, at {since}, is not committed")
            } else if !before.is_joint() && !knows_commits {
                format!("it has not committed an entry of its term {}", view.term)
            } else if !overlaps(before, next) {
                "majorities of it and of the one before need not overlap".to_owned()
            } else {
                continue;
            };
            let id = node.id();
            return breach(
                Property::OneChangeAtATime,
                id,
                format!("{id} appended a membership at {index}, but {problem}"),
            );
        }
        Ok(())
    }

    fn role<C: Core>(&mut self, before: &View, local: &Local<C>, view: &View) -> Judged {
        if view.role == before.role && view.term == before.term {
            return Ok(());
        }
        let id = local.node().id();
        match view.role {
            Role::Leader => {
                self.notes.leads = Some(view.term);
                self.notes.elected = true;
            }
            Role::Candidate | Role::PreCandidate if !may_campaign(local, view) => {
                return breach(
                    Property::NonVoterCampaign,
                    id,
                    format!("{id} stands for election after {}, but is no voter", view.term),
                );
            }
            Role::Candidate | Role::PreCandidate | Role::Follower => {}
        }
        Ok(())
    }

    /// It believes no more of its log to be durable than is.
    fn durable<C: Core>(local: &Local<C>, view: &View) -> Judged {
        if local.disk.log.equals_up_to(&local.log, view.durable) {
            return Ok(());
        }
        let id = local.node().id();
        breach(
            Property::DurableKnown,
            id,
            format!(
                "{id} believes its log durable up to {}, but its disk holds {} and differs from its log there",
                view.durable,
                local.disk.log.last()
            ),
        )
    }

    fn commit<C: Core>(&mut self, before: &View, local: &Local<C>, view: &View) -> Judged {
        let led = before.role == Role::Leader && before.term == view.term;
        let leads = (led || view.role == Role::Leader).then_some(view.term);
        let term = local.log.term(view.commit);
        if let Some(leads) = leads.filter(|leads| term != Some(*leads)) {
            let id = local.node().id();
            let position = LogPosition::new(term.unwrap_or_default(), view.commit);
            return breach(
                Property::CommitTerm,
                id,
                format!("{id}, leader of {leads}, committed up to {position}, of another term"),
            );
        }
        self.notes.commits.push((view.commit, leads));
        Ok(())
    }

    /// Nothing is said that is not durable, or not true.
    pub(super) fn sent<C: Core>(&mut self, local: &Local<C>, envelope: &Envelope) -> Judged {
        let facts = Node::facts(envelope);
        let id = facts.from;
        let disk = local.disk.hard_state.unwrap_or_default();
        if facts.term > disk.term {
            return breach(
                Property::DurableBeforeSend,
                id,
                format!(
                    "{id} sends {} in {}, but its disk holds only {}",
                    facts.name, facts.term, disk.term
                ),
            );
        }
        match facts.claim {
            Claim::GrantVote => Self::vote(&facts, disk, facts.to),
            Claim::AskVote { .. } => Self::vote(&facts, disk, facts.from),
            Claim::Append { commit, .. } | Claim::Heartbeat { commit } => {
                self.leader_says(local, &facts, commit)?;
                self.batch(local, &facts, envelope)
            }
            Claim::Snapshot { position, .. } => self.leader_says(local, &facts, position.index),
            Claim::Acknowledge { matched } => {
                self.notes.acknowledged.push((facts.to, facts.term, matched));
                if local.disk.log.equals_up_to(&local.log, matched) {
                    return Ok(());
                }
                breach(
                    Property::DurableBeforeSend,
                    id,
                    format!(
                        "{id} acknowledges {matched} to {}, but its disk holds {} and differs from its log there",
                        facts.to,
                        local.disk.log.last()
                    ),
                )
            }
            _ => Ok(()),
        }
    }

    fn vote(facts: &Facts, disk: HardState, vote: NodeId) -> Judged {
        if disk.term == facts.term && disk.vote == Some(vote) {
            return Ok(());
        }
        let id = facts.from;
        if let Some(first) = disk.vote.filter(|_| disk.term == facts.term) {
            let witness =
                format!("{id} gave its vote of {} to {first} and then to {vote}", facts.term);
            return breach(Property::OneVotePerTerm, id, witness);
        }
        breach(
            Property::DurableBeforeSend,
            id,
            format!(
                "{id} sends {} in {}, but its vote for {vote} is not on its disk",
                facts.name, facts.term
            ),
        )
    }

    fn leader_says<C: Core>(
        &mut self,
        local: &Local<C>,
        facts: &Facts,
        commit: LogIndex,
    ) -> Judged {
        if !local.leads() {
            self.notes.leads = Some(facts.term);
        }
        let (id, known) = (facts.from, local.node().commit());
        if commit <= known {
            return Ok(());
        }
        breach(
            Property::CommitKnown,
            id,
            format!("{id} tells others that {commit} is committed, but knows only of {known}"),
        )
    }

    /// A batch is of the leader's own log.
    fn batch<C: Core>(&self, local: &Local<C>, facts: &Facts, envelope: &Envelope) -> Judged {
        let raft_core::Message::AppendEntries(append) = &envelope.message else { return Ok(()) };
        let (log, previous) = (&local.log, append.previous);
        let is_held =
            log.term(previous.index) == Some(previous.term) || previous.index < log.base.index;
        let indexes = (previous.index.0 + 1..).map(LogIndex);
        let is_own =
            append.entries.iter().zip(indexes).all(|(entry, at)| log.at(at) == Some(entry));
        let (id, count) = (facts.from, append.entries.len() as u64);
        if count > self.batch {
            return breach(
                Property::BoundedMemory,
                id,
                format!("{id} sends {count} entries in one message; {} are allowed", self.batch),
            );
        }
        if is_held && is_own {
            return Ok(());
        }
        breach(
            Property::LogMatching,
            id,
            format!(
                "{id} sends {count} entries after {previous}, but its log up to {} does not hold them",
                log.last()
            ),
        )
    }
}

fn breach(property: Property, node: NodeId, witness: String) -> Judged {
    Err(Breach { property, nodes: vec![node], witness })
}

fn is_membership(log: &Image, index: LogIndex) -> bool {
    log.at(index).is_some_and(|entry| matches!(entry.payload, Payload::Membership(_)))
}

/// The membership as of an index, as the log says.
fn membership<'a>(node: &'a Node, log: &'a Image, index: LogIndex) -> &'a Arc<Membership> {
    let indexes = (log.base.index.0 + 1..=index.0).rev().map(LogIndex);
    let in_log = indexes.filter_map(|at| match log.at(at).map(|entry| &entry.payload) {
        Some(Payload::Membership(membership)) => Some(membership),
        _ => None,
    });
    in_log.into_iter().next().unwrap_or(&node.snapshot().membership)
}

/// Whether it may stand (thesis §4.2.2): by the membership in force, or by the one before while that is uncommitted.
fn may_campaign<C: Core>(local: &Local<C>, view: &View) -> bool {
    let (node, log) = (local.node(), &local.log);
    let last = log.last().index;
    let is_voter = |index| membership(node, log, index).is_voter(node.id());
    let since =
        (log.base.index.0 + 1..=last.0).rev().map(LogIndex).find(|at| is_membership(log, *at));
    is_voter(last) || since.is_some_and(|since| since > view.commit && is_voter(since.previous()))
}
