//! The gate for messages: what no correct peer would send is rejected before anything changes.
//!
//! The gate reads and never writes. What passes it can still be a lie (a peer may claim a vote it did not
//! give), but it can be acted on without a panic and without unbounded memory.

use crate::entry::Payload;
use crate::message::{
    AppendEntries, AppendReply, Envelope, InstallSnapshot, Message, SnapshotContent, WireVersion,
};
use crate::rejection::Rejection;
use crate::replica::Replica;
use crate::role::RoleState;
use crate::snapshot::SnapshotMeta;
use crate::types::{LogIndex, LogPosition, NodeId, Term};

/// Judges a message by itself, then against the state of this node.
pub(crate) fn admit(
    replica: &Replica,
    role: &RoleState,
    envelope: &Envelope,
) -> Result<(), Rejection> {
    addressed(replica, envelope)?;
    well_formed(envelope)?;
    if envelope.term < replica.term() {
        return Ok(()); // It will be answered by its term or dropped; its contents are not used.
    }
    match &envelope.message {
        Message::AppendEntries(append) => {
            sole_leader(replica, role, envelope)?;
            keeps_committed(replica, append)
        }
        Message::Heartbeat { commit, .. } | Message::Commit { index: commit } => {
            sole_leader(replica, role, envelope)?;
            require(*commit <= replica.log.last_index(), Rejection::CommitBeyondLast)
        }
        Message::InstallSnapshot(install) => {
            sole_leader(replica, role, envelope)?;
            agrees(replica, install.snapshot.position)
        }
        Message::TimeoutNow => sole_leader(replica, role, envelope),
        Message::AppendReply(_)
        | Message::HeartbeatReply { .. }
        | Message::SnapshotReply { .. }
        | Message::ReadIndexReply { .. }
        | Message::VoteReply { .. }
        | Message::ForwardRefused { .. } => asked_for(replica, role, envelope),
        Message::PreVoteReply { campaign, .. } => {
            require(campaign.0 <= envelope.term.0.saturating_add(1), Rejection::Unasked)
        }
        Message::RequestPreVote { .. }
        | Message::RequestVote { .. }
        | Message::StaleTerm
        | Message::ReadIndex { .. }
        | Message::ForwardProposal { .. } => Ok(()),
    }
}

fn require(holds: bool, otherwise: Rejection) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Cluster and wire version come first: of another cluster's message not even the term means anything.
fn addressed(replica: &Replica, envelope: &Envelope) -> Result<(), Rejection> {
    require(envelope.version == WireVersion::CURRENT, Rejection::WireVersion)?;
    require(envelope.cluster == replica.config.cluster, Rejection::Cluster)?;
    require(envelope.to == replica.id(), Rejection::Recipient)?;
    require(envelope.from != replica.id(), Rejection::FromSelf)
}

/// What can be told from the message alone.
fn well_formed(envelope: &Envelope) -> Result<(), Rejection> {
    let term = envelope.term;
    require(term <= Term::MAX, Rejection::TermRange)?;
    match &envelope.message {
        Message::RequestPreVote { last } => possible(*last, term),
        Message::PreVoteReply { campaign, .. } => {
            require(*campaign > Term::ZERO && *campaign <= Term::MAX, Rejection::TermRange)
        }
        Message::RequestVote { last, cause: _ } => {
            require(term > Term::ZERO, Rejection::TermRange)?;
            // The candidate has just raised its term: none of its entries is of it.
            require(last.term < term, Rejection::Position)?;
            possible(*last, term)
        }
        Message::AppendEntries(append) => {
            require(term > Term::ZERO, Rejection::TermRange)?;
            ordered(append, term)
        }
        Message::AppendReply(AppendReply::Mismatch { refused, hint }) => {
            require(term > Term::ZERO, Rejection::TermRange)?;
            possible(*refused, term)?;
            possible(*hint, term)?;
            require(hint.index <= refused.index && hint.term <= refused.term, Rejection::Position)
        }
        Message::AppendReply(AppendReply::Accepted { matched: index })
        | Message::Heartbeat { commit: index, .. }
        | Message::Commit { index }
        | Message::ReadIndexReply { index, .. } => {
            require(term > Term::ZERO, Rejection::TermRange)?;
            require(*index <= LogIndex::MAX, Rejection::IndexRange)
        }
        Message::ForwardProposal { incarnation, sequence, .. }
        | Message::ReadIndex { incarnation, sequence } => {
            require(term > Term::ZERO, Rejection::TermRange)?;
            require(*sequence > 0 && incarnation.0 > 0, Rejection::Unasked)
        }
        Message::InstallSnapshot(install) => {
            require(term > Term::ZERO, Rejection::TermRange)?;
            sound_snapshot(install, term)
        }
        Message::SnapshotReply { position, .. } => {
            require(term > Term::ZERO, Rejection::TermRange)?;
            possible(*position, term)
        }
        Message::VoteReply { .. }
        | Message::HeartbeatReply { .. }
        | Message::TimeoutNow
        | Message::StaleTerm
        | Message::ForwardRefused { .. } => require(term > Term::ZERO, Rejection::TermRange),
    }
}

/// A position that a log of this term can have: zero in both parts or in neither.
fn possible(position: LogPosition, term: Term) -> Result<(), Rejection> {
    require(position.index <= LogIndex::MAX, Rejection::IndexRange)?;
    require(position.term <= term, Rejection::Position)?;
    let both_or_neither = (position.term == Term::ZERO) == (position.index == LogIndex::ZERO);
    require(both_or_neither, Rejection::Position)
}

/// Entries whose terms do not fall, from the entry before them to the leader's own term.
fn ordered(append: &AppendEntries, term: Term) -> Result<(), Rejection> {
    possible(append.previous, term)?;
    require(append.last_index() <= LogIndex::MAX, Rejection::IndexRange)?;
    require(append.commit <= LogIndex::MAX, Rejection::IndexRange)?;
    let mut before = append.previous.term.max(Term(1));
    for entry in append.entries.iter() {
        require(before <= entry.term && entry.term <= term, Rejection::EntryTerms)?;
        before = entry.term;
        if let Payload::Membership(membership) = &entry.payload {
            require(!membership.voters().is_empty(), Rejection::Membership)?;
        }
    }
    Ok(())
}

/// A snapshot of something, with numbers that fit together.
fn sound_snapshot(install: &InstallSnapshot, term: Term) -> Result<(), Rejection> {
    let SnapshotMeta { position, membership } = &install.snapshot;
    possible(*position, term)?;
    require(position.index > LogIndex::ZERO, Rejection::Position)?;
    require(!membership.voters().is_empty(), Rejection::Membership)?;
    match &install.content {
        SnapshotContent::Chunk { offset, total, data } => {
            let bytes = data.len() as u64;
            let fits = offset.checked_add(bytes).is_some_and(|end| end <= *total);
            require(fits && (bytes > 0 || offset == total), Rejection::Snapshot)
        }
        SnapshotContent::Locator(locator) => {
            require(locator.len() <= SnapshotContent::MAX_LOCATOR_BYTES, Rejection::Snapshot)
        }
    }
}

/// There is one leader a term (paper §5.2): this node is not it, and it has not heard of another.
fn sole_leader(replica: &Replica, role: &RoleState, envelope: &Envelope) -> Result<(), Rejection> {
    let known: Option<NodeId> = role.leader(replica.id());
    let is_rival = envelope.term == replica.term() && known.is_some_and(|id| id != envelope.from);
    require(!is_rival, Rejection::RivalLeader)
}

/// What is committed here is the same everywhere: no other entry is at its place.
fn agrees(replica: &Replica, position: LogPosition) -> Result<(), Rejection> {
    let LogPosition { term, index } = position;
    let is_known = index <= replica.log.commit() && index >= replica.log.base().index;
    let agrees = !is_known || replica.log.term_at(index) == Some(term);
    require(agrees, Rejection::ContradictsCommitted)
}

/// Leader Completeness (paper §5.4): a leader's log agrees with everything that is committed here.
fn keeps_committed(replica: &Replica, append: &AppendEntries) -> Result<(), Rejection> {
    agrees(replica, append.previous)?;
    let LogPosition { index, .. } = append.previous;
    let committed = replica.log.commit().entries_since(index);
    let known = append.entries.iter().zip(1..=committed);
    for (entry, offset) in known {
        let position = LogPosition::new(entry.term, LogIndex(index.0 + offset));
        agrees(replica, position)?;
    }
    Ok(())
}

/// Replies answer something. They carry the term of what they answer, so a later term than this node's
/// answers nothing it ever sent; and they cannot go beyond what was sent.
fn asked_for(replica: &Replica, role: &RoleState, envelope: &Envelope) -> Result<(), Rejection> {
    require(envelope.term == replica.term(), Rejection::Unasked)?;
    match (&envelope.message, role) {
        (Message::AppendReply(AppendReply::Accepted { matched }), RoleState::Leader(_)) => {
            require(*matched <= replica.log.last_index(), Rejection::MatchBeyondLast)
        }
        (Message::AppendReply(AppendReply::Mismatch { refused, .. }), RoleState::Leader(_)) => {
            // A leader's log only grows, so what it sent is still in it.
            require(replica.log.holds(*refused), Rejection::Unasked)
        }
        (Message::HeartbeatReply { round, promise: _ }, RoleState::Leader(leader)) => {
            require(*round <= leader.round(), Rejection::Unasked)
        }
        (Message::ForwardRefused { incarnation, sequence, .. }, _) => {
            // Only the leader that was asked can know.
            sole_leader(replica, role, envelope)?;
            let is_own = *incarnation <= replica.life().incarnation;
            require(is_own && *sequence > 0, Rejection::Unasked)?;
            let is_sent = *incarnation < replica.life().incarnation
                || *sequence <= replica.pending.forwards();
            require(is_sent, Rejection::Unasked)
        }
        (Message::ReadIndexReply { incarnation, sequence, .. }, _) => {
            sole_leader(replica, role, envelope)?;
            let is_own = *incarnation <= replica.life().incarnation;
            let is_asked = *incarnation < replica.life().incarnation
                || *sequence <= replica.pending.reads.asked();
            require(is_own && is_asked && *sequence > 0, Rejection::Unasked)
        }
        (Message::VoteReply { .. }, RoleState::Candidate(_)) => {
            // The requests leave when the own vote is durable.
            require(replica.is_hard_state_durable(), Rejection::Unasked)
        }
        _ => Ok(()),
    }
}
