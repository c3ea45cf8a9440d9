//! Messages as a peer might send them: what fits the state of the receiver as a rule, and whatever else.

mod answer;
mod twist;

use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, Ballot, Cause, Entry, Envelope, Incarnation, InstallSnapshot,
    LogIndex, LogPosition, Message, Node, NodeId, Origin, Payload, Refusal, Round, SnapshotContent,
    SnapshotMeta, SnapshotReceipt, Term, Ticks, WireVersion,
};

use crate::dice::Dice;
use crate::settings::{CLUSTER, membership};

pub use answer::answer;
pub use twist::twist;

/// How many kinds of messages there are.
const KINDS: u8 = 17;

/// A message of any kind to the node.
pub fn invented(dice: &mut Dice<'_>, node: &Node) -> Envelope {
    let kind = dice.below(KINDS);
    let message = message(kind, dice, node);
    let raises = matches!(kind, 2 | 11);
    let term = Term(node.term().0.max(1) + u64::from(raises));
    let mut envelope = addressed(dice, node, term, message);
    if !raises && dice.rarely(8) {
        envelope.term = Term(term.0 + 1);
    }
    twist(dice, &mut envelope);
    envelope
}

/// From the leader if it is known, or else from another member, or from anybody.
fn addressed(dice: &mut Dice<'_>, node: &Node, term: Term, message: Message) -> Envelope {
    let others = node.membership().members().into_iter().filter(|id| *id != node.id());
    let others: Vec<NodeId> = others.take(8).collect();
    let from = match dice.byte() {
        0..=95 => node.leader().filter(|leader| *leader != node.id()).or(others.first().copied()),
        byte @ 96..=223 => others.get(usize::from(byte) % others.len().max(1)).copied(),
        byte => Some(NodeId(u64::from(byte) % 8)),
    };
    let from = from.unwrap_or(NodeId(node.id().0 % 5 + 1));
    let (version, cluster) = (WireVersion::CURRENT, CLUSTER);
    Envelope { version, cluster, from, to: node.id(), term, message }
}

/// The position of the log at an index, or one that might be there.
fn at(node: &Node, index: u64) -> LogPosition {
    let index = LogIndex(index);
    let term = node.term_at(index).unwrap_or(if index < node.base().index {
        node.base().term
    } else {
        node.term()
    });
    LogPosition::new(term, index)
}

/// The last position of the log, or one a little before, or any.
fn place(dice: &mut Dice<'_>, node: &Node) -> LogPosition {
    match dice.byte() {
        byte @ 0..=191 => at(node, node.last().index.0.saturating_sub(u64::from(byte % 4))),
        byte @ 192..=207 => at(node, u64::from(byte % 16)),
        byte @ 208..=223 => at(node, node.last().index.0 + u64::from(byte % 16)),
        _ => at(node, dice.near(node.commit().0)),
    }
}

fn ballot(dice: &mut Dice<'_>) -> Ballot {
    if dice.rarely(4) { Ballot::Refused } else { Ballot::Granted }
}

fn message(kind: u8, dice: &mut Dice<'_>, node: &Node) -> Message {
    let last = node.last();
    match kind {
        0 => Message::RequestPreVote { last: place(dice, node) },
        1 => {
            let campaign = Term(node.term().0.saturating_add(1));
            Message::PreVoteReply { campaign, ballot: ballot(dice) }
        }
        2 => {
            let cause = if dice.rarely(2) { Cause::Transfer } else { Cause::Timeout };
            Message::RequestVote { last: place(dice, node), cause }
        }
        3 => Message::VoteReply { ballot: ballot(dice) },
        4..7 => Message::AppendEntries(append(dice, node)),
        7 => Message::AppendReply(AppendReply::Accepted { matched: place(dice, node).index }),
        8 => {
            let (refused, hint) = (place(dice, node), place(dice, node));
            Message::AppendReply(AppendReply::Mismatch { refused, hint: hint.min(refused) })
        }
        9 => {
            let commit = LogIndex(dice.near(last.index.0.min(node.durable().0)));
            Message::Heartbeat { commit, round: Round(dice.near(1)) }
        }
        10 => {
            let (round, promise) = (Round(dice.near(1)), Ticks(dice.near(100)));
            Message::HeartbeatReply { round, promise }
        }
        11 => Message::StaleTerm,
        12 => asked(dice),
        13 => Message::Commit { index: place(dice, node).index },
        14 => Message::InstallSnapshot(Box::new(install(dice, node))),
        15 => {
            let received = SnapshotReceipt::Received(dice.near(16));
            let receipt = if dice.rarely(4) { SnapshotReceipt::Failed } else { received };
            Message::SnapshotReply { position: node.snapshot().position, receipt }
        }
        _ => Message::TimeoutNow,
    }
}

/// What peers ask of a leader, and what it answers.
fn asked(dice: &mut Dice<'_>) -> Message {
    let (incarnation, sequence) = (Incarnation(dice.near(1)), dice.near(1));
    match dice.below(4) {
        0 => Message::ForwardProposal { incarnation, sequence, data: dice.data() },
        1 => Message::ReadIndex { incarnation, sequence },
        2 => {
            let index = LogIndex(dice.near(1));
            Message::ReadIndexReply { incarnation, sequence, index }
        }
        _ => {
            let refusals = [Refusal::Busy, Refusal::TooLarge, Refusal::Transferring];
            let refusal = dice.pick(&refusals);
            Message::ForwardRefused { incarnation, sequence, refusal }
        }
    }
}

/// Entries that follow the log, or repeat some of it, or contradict it.
fn append(dice: &mut Dice<'_>, node: &Node) -> AppendEntries {
    let previous = place(dice, node);
    let count = dice.below(6);
    let first = previous.index.next();
    let repeats = dice.rarely(2);
    let entries = (0..count).map(|offset| {
        let index = first.advanced(offset.into());
        match node.entry(index).filter(|_| repeats) {
            Some(entry) => entry.clone(),
            None => Entry { term: term(dice, node), payload: payload(dice, node) },
        }
    });
    let mut entries: Vec<Entry> = entries.collect();
    // Most logs are in order.
    if !dice.rarely(16) {
        entries.sort_by_key(|entry| entry.term);
    }
    let commit = LogIndex(dice.near(previous.index.0));
    AppendEntries { previous, entries: entries.into_iter().collect(), commit }
}

fn term(dice: &mut Dice<'_>, node: &Node) -> Term {
    match dice.byte() {
        0..=191 => node.term(),
        192..=223 => node.last().term,
        byte => Term(u64::from(byte % 8)),
    }
}

/// A command, one that answers a forward of the receiver's, a change of members, or nothing.
pub(crate) fn payload(dice: &mut Dice<'_>, node: &Node) -> Payload {
    match dice.below(8) {
        0..4 => Payload::command(dice.data()),
        4 => Payload::Blank,
        5 | 6 => {
            let incarnation = node.status().hard_state.incarnation;
            let sequence = dice.near(1);
            let origin = Origin { node: node.id(), incarnation, sequence };
            Payload::Command { data: dice.data(), origin: Some(Box::new(origin)) }
        }
        _ => Payload::Membership(membership(dice).into()),
    }
}

/// The next chunk of what is arriving, the first of another snapshot, or where one can be had.
fn install(dice: &mut Dice<'_>, node: &Node) -> InstallSnapshot {
    let chunk = |offset, total, data: Bytes| SnapshotContent::Chunk { offset, total, data };
    let status = node.status();
    if let Some(partial) = status.arriving.filter(|_| !dice.rarely(4)) {
        let left = partial.total.saturating_sub(partial.received).min(u64::from(dice.byte()) + 1);
        let data = vec![b'?'; usize::try_from(left).unwrap_or(0)];
        let content = chunk(partial.received, partial.total, data.into());
        return InstallSnapshot { snapshot: partial.snapshot, content };
    }
    let index = node.commit().0.saturating_add(1 + u64::from(dice.below(8)));
    let membership = membership(dice).into();
    let snapshot = SnapshotMeta { position: at(node, index), membership };
    let data = dice.data();
    let bytes = data.len() as u64;
    let content = match dice.below(4) {
        0 | 1 => chunk(0, bytes, data),
        2 => chunk(0, bytes.saturating_mul(2), data),
        _ => SnapshotContent::Locator(data),
    };
    InstallSnapshot { snapshot, content }
}
