//! Messages, and when one is worth no more.
//!
//! A message that can never again make a difference is taken out of the network, so that states that differ in it are
//! one; and of requests of past terms only that remains which they are still good for: to be answered with news of a
//! later term. What is said here of a core that keeps the rules is checked on the core at hand before it is relied on
//! (`tidy`).

use raft_core::{
    AppendReply, Cause, ClusterId, Envelope, LogPosition, Message, NodeId, Role, Term, WireVersion,
};

use super::scope::Scope;
use super::space::Facts;

/// A message that was met.
pub(super) struct Letter {
    pub(super) envelope: Envelope,
    /// The places of its sender and its receiver.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Its part of the fingerprint under each renaming.
    pub(super) prints: Box<[u64]>,
    kind: Kind,
}

/// What decides when it is worth no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    VoteReply,
    /// Of no use to a leader who knows that its sender holds so much.
    AppendReply(u64),
    HeartbeatReply,
    SnapshotReply,
    /// News of a term.
    News(Term),
    RequestVote,
    Append,
    Commit,
    /// Another message of a leader.
    Leads,
    TimeoutNow,
    /// What is always good for something.
    Other,
}

/// What a message is still good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// For what it says.
    Full,
    /// To be answered with news of a later term, as any request of this term is.
    News(Term),
    /// For nothing.
    Nothing,
}

/// What is known of both ends when a message is judged.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) scope: &'a Scope,
    pub(super) sender: &'a Facts,
    pub(super) receiver: &'a Facts,
    /// Whether nobody crashes any more, so that what is in memory is as good as on a disk.
    pub(super) crashes_are_over: bool,
    /// Whether leaders append nothing any more but what they begin with.
    pub(super) appends_are_over: bool,
}

impl Letter {
    pub(super) fn new(envelope: Envelope, prints: Box<[u64]>) -> Self {
        let kind = Kind::of(&envelope);
        let (from, to) = (place(envelope.from), place(envelope.to));
        Self { envelope, from, to, prints, kind }
    }

    /// What it is good for from now on.
    pub(super) fn worth(&self, ends: Ends<'_>) -> Worth {
        let Ends { scope, sender, receiver, crashes_are_over, .. } = ends;
        let term = self.envelope.term;
        // Terms that can never again be less.
        let least = |facts: &Facts| if crashes_are_over { facts.term } else { facts.durable };
        let (at_receiver, at_sender) = (least(receiver), least(sender));
        let is_over = at_receiver > term;
        let is_now = at_receiver == term;
        let follows = matches!(receiver.role, Role::Follower | Role::PreCandidate);
        let nothing_if = |is_so: bool| if is_so { Worth::Nothing } else { Worth::Full };
        let news_if = |is_so: bool, term: Term| match (is_so, at_sender.0 >= scope.terms) {
            (false, _) => Worth::Full,
            (true, true) => Worth::Nothing,
            (true, false) => Worth::News(term),
        };
        match self.kind {
            Kind::VoteReply => nothing_if(is_over || is_now && receiver.role != Role::Candidate),
            Kind::AppendReply(matched) => {
                let held = receiver.matched[self.from];
                // What its sender holds all of, it will never refuse; unless there will be more of it.
                let is_all = ends.appends_are_over && held + 1 == matched && held == receiver.last;
                let is_known = receiver.role == Role::Leader
                    && receiver.term == term
                    && (held >= matched || is_all)
                    && scope.snapshots == 0
                    && scope.changes < 2;
                nothing_if(is_over || is_now && follows || is_known)
            }
            Kind::SnapshotReply => nothing_if(is_over || is_now && follows),
            Kind::HeartbeatReply => {
                nothing_if(is_over || is_now && follows || scope.snapshots == 0)
            }
            Kind::News(term) => nothing_if(at_receiver >= term),
            Kind::TimeoutNow => nothing_if(is_over),
            _ if is_over && self.kind != Kind::Other => news_if(true, Term(1)),
            // Whatever the answer, nobody counts it.
            Kind::RequestVote => {
                let stands =
                    at_sender < term || at_sender == term && sender.role == Role::Candidate;
                news_if(is_now && receiver.has_voted(crashes_are_over) && !stands, term)
            }
            // If it changes nothing now, it never will.
            Kind::Commit | Kind::Append => news_if(is_now && crashes_are_over && follows, term),
            Kind::Leads | Kind::Other => Worth::Full,
        }
    }
}

/// The last entry of a request that is good for nothing but news: of no log, so that it is a request of nobody's.
const TOKEN: LogPosition = LogPosition::ZERO;

/// A request that is good for nothing but news.
pub(super) fn token(from: NodeId, to: NodeId, term: Term) -> Envelope {
    Envelope {
        version: WireVersion::CURRENT,
        cluster: ClusterId(1),
        from,
        to,
        term,
        message: Message::RequestVote { last: TOKEN, cause: Cause::Timeout },
    }
}

impl Kind {
    fn of(envelope: &Envelope) -> Self {
        match &envelope.message {
            Message::VoteReply { .. } => Self::VoteReply,
            Message::AppendReply(AppendReply::Accepted { matched }) => {
                Self::AppendReply(matched.0 + 1)
            }
            Message::AppendReply(AppendReply::Mismatch { refused, .. }) => {
                Self::AppendReply(refused.index.0)
            }
            Message::HeartbeatReply { .. } => Self::HeartbeatReply,
            Message::SnapshotReply { .. } => Self::SnapshotReply,
            Message::PreVoteReply { campaign, .. } => Self::News(*campaign),
            Message::StaleTerm => Self::News(envelope.term),
            Message::RequestVote { .. } => Self::RequestVote,
            Message::Commit { .. } => Self::Commit,
            Message::AppendEntries(_) => Self::Append,
            Message::Heartbeat { .. } | Message::InstallSnapshot(_) => Self::Leads,
            Message::TimeoutNow => Self::TimeoutNow,
            _ => Self::Other,
        }
    }
}

fn place(id: NodeId) -> usize {
    usize::try_from(id.0 - 1).expect("few nodes")
}
