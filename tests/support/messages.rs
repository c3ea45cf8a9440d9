//! Messages as a peer would send them.

use std::sync::Arc;

use raft_core::{
    AppendEntries, AppendReply, Cause, ClusterId, Envelope, InstallSnapshot, LogIndex, LogPosition,
    Membership, Message, NodeId, Round, SnapshotContent, SnapshotMeta, Term, Ticks, WireVersion,
};

use super::disk;

/// A message in its envelope.
pub fn message(from: NodeId, to: NodeId, term: u64, message: Message) -> Envelope {
    Envelope {
        version: WireVersion::CURRENT,
        cluster: ClusterId(7),
        from,
        to,
        term: Term(term),
        message,
    }
}

/// `at(3, 7)` is the entry of term 3 at index 7.
pub fn at(term: u64, index: u64) -> LogPosition {
    LogPosition::new(Term(term), LogIndex(index))
}

/// An append after `previous` of entries with the given terms.
pub fn append(previous: LogPosition, terms: &[u64], commit: u64) -> Message {
    let entries = (previous.index.0 + 1..).zip(terms).map(|(i, term)| disk::entry(*term, i));
    let entries = entries.collect();
    Message::AppendEntries(AppendEntries { previous, entries, commit: LogIndex(commit) })
}

/// An acknowledgement of everything up to `matched`.
pub fn accepted(matched: u64) -> Message {
    Message::AppendReply(AppendReply::Accepted { matched: LogIndex(matched) })
}

/// A candidate whose election timeout has passed asks for a vote.
pub fn vote_request(last: LogPosition) -> Message {
    Message::RequestVote { last, cause: Cause::Timeout }
}

/// A heartbeat of the first round.
pub fn heartbeat(commit: u64) -> Message {
    Message::Heartbeat { commit: LogIndex(commit), round: Round(1) }
}

/// An answer to a round that promises nothing.
pub fn round_reply(round: u64) -> Message {
    Message::HeartbeatReply { round: Round(round), promise: Ticks(0) }
}

/// A chunk of a snapshot as of `position`.
pub fn chunk(
    position: LogPosition,
    membership: &Membership,
    offset: u64,
    total: u64,
    data: &'static str,
) -> Message {
    let snapshot = SnapshotMeta { position, membership: Arc::new(membership.clone()) };
    let content = SnapshotContent::Chunk { offset, total, data: data.into() };
    Message::InstallSnapshot(Box::new(InstallSnapshot { snapshot, content }))
}
