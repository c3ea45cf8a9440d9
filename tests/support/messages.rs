//! Messages as a peer would send them.

use raft_core::{
    AppendEntries, AppendReply, ClusterId, Envelope, LogIndex, LogPosition, Message, NodeId, Term,
    WireVersion,
};

use super::disk;

/// A message in its envelope.
pub(crate) fn message(from: NodeId, to: NodeId, term: u64, message: Message) -> Envelope {
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
pub(crate) fn at(term: u64, index: u64) -> LogPosition {
    LogPosition::new(Term(term), LogIndex(index))
}

/// An append after `previous` of entries with the given terms.
pub(crate) fn append(previous: LogPosition, terms: &[u64], commit: u64) -> Message {
    let entries = (previous.index.0 + 1..).zip(terms).map(|(i, term)| disk::entry(*term, i));
    let entries = entries.collect();
    Message::AppendEntries(AppendEntries { previous, entries, commit: LogIndex(commit) })
}

/// An acknowledgement of everything up to `matched`.
pub(crate) fn accepted(matched: u64) -> Message {
    Message::AppendReply(AppendReply::Accepted { matched: LogIndex(matched) })
}
