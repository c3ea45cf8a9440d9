//! What a correct peer would answer to a message, if it is well disposed.

use raft_core::{
    AppendEntries, AppendReply, Ballot, Cause, Entry, Envelope, InstallSnapshot, Message, Node,
    Origin, Payload, SnapshotContent, SnapshotReceipt, Term, Ticks,
};

use crate::dice::Dice;

/// The answer to a message that the node sent; to an answer, the same question again.
pub fn answer(dice: &mut Dice<'_>, node: &Node, sent: &Envelope) -> Envelope {
    let mut term = sent.term;
    let message = match &sent.message {
        Message::RequestPreVote { .. } => {
            let campaign = Term(term.0.saturating_add(1));
            Message::PreVoteReply { campaign, ballot: Ballot::Granted }
        }
        Message::RequestVote { .. } => Message::VoteReply { ballot: Ballot::Granted },
        Message::AppendEntries(append) => Message::AppendReply(match dice.byte() {
            byte @ 224.. => {
                let (refused, back) = (append.previous, u64::from(byte % 8));
                let index = raft_core::LogIndex(refused.index.0.saturating_sub(back));
                let term = node.term_at(index).unwrap_or_default();
                AppendReply::Mismatch { refused, hint: raft_core::LogPosition::new(term, index) }
            }
            _ => AppendReply::Accepted { matched: append.last_index() },
        }),
        Message::Heartbeat { round, .. } => {
            Message::HeartbeatReply { round: *round, promise: Ticks(dice.near(100)) }
        }
        Message::InstallSnapshot(install) => {
            let InstallSnapshot { snapshot, content } = &**install;
            received(dice, snapshot.position, content)
        }
        Message::ReadIndex { incarnation, sequence } => {
            let (incarnation, sequence, index) = (*incarnation, *sequence, node.commit());
            Message::ReadIndexReply { incarnation, sequence, index }
        }
        Message::ForwardProposal { incarnation, sequence, data } => {
            let (incarnation, sequence) = (*incarnation, *sequence);
            let origin = Some(Box::new(Origin { node: node.id(), incarnation, sequence }));
            let payload = Payload::Command { data: data.clone(), origin };
            let (previous, entry) = (node.last(), Entry { term, payload });
            let entries = [entry].into_iter().collect();
            let commit = previous.index.next();
            Message::AppendEntries(AppendEntries { previous, entries, commit })
        }
        Message::TimeoutNow => {
            term = Term(term.0.saturating_add(1));
            Message::RequestVote { last: node.last(), cause: Cause::Transfer }
        }
        Message::AppendReply(_) | Message::HeartbeatReply { .. } => {
            let (previous, commit) = (node.last(), node.last().index);
            let entries = raft_core::Entries::EMPTY;
            Message::AppendEntries(AppendEntries { previous, entries, commit })
        }
        other => other.clone(),
    };
    let (version, cluster, from, to) = (sent.version, sent.cluster, sent.to, sent.from);
    Envelope { version, cluster, from, to, term, message }
}

fn received(
    dice: &mut Dice<'_>,
    position: raft_core::LogPosition,
    content: &SnapshotContent,
) -> Message {
    let receipt = match (content, dice.byte()) {
        (_, 224..) => SnapshotReceipt::Failed,
        (_, 208..) | (SnapshotContent::Locator(_), _) => {
            return Message::AppendReply(AppendReply::Accepted { matched: position.index });
        }
        (SnapshotContent::Chunk { offset, total, data }, _) => {
            let received = offset.saturating_add(data.len() as u64);
            if received >= *total {
                return Message::AppendReply(AppendReply::Accepted { matched: position.index });
            }
            SnapshotReceipt::Received(received)
        }
    };
    Message::SnapshotReply { position, receipt }
}
