//! A member that lies: it is believed, and says what a node might say, with some bits turned. Raft trusts its members,
//! so it may keep the others from serving; but no process may end of it, and no memory be used up.

use std::time::Duration;

use bytes::Bytes;
use driver::packet::Packet;
use kv::client::{Client, Options};
use raft_core::{
    AppendEntries, AppendReply, Ballot, Cause, Entry, Envelope, Incarnation, LogIndex, LogPosition,
    Message, NodeId, Payload, Refusal, Round, SnapshotReceipt, Status, Term, Ticks, WireVersion,
};
use tokio::time::Instant;

use super::dice::Dice;
use super::strangers::{Deeds, Target, turn_bits};
use super::wire::{CLUSTER, as_node, frame, heard, reach, send};

/// So many packets are sent on a connection, as long as it is believed.
const PACKETS: usize = 40;

/// Lies to nodes until a time. `options` says how a node is asked for its state.
pub(crate) async fn lie(
    liar: NodeId,
    targets: Vec<(Target, Options)>,
    mut dice: Dice,
    until: Instant,
) -> Deeds {
    let mut deeds = Deeds::new();
    while Instant::now() < until {
        let (target, options) = &targets[dice.place(targets.len())];
        let Ok(status) = Client::new(options.clone()).status().await else { continue };
        let Some(mut stream) = reach(target.address).await else { continue };
        let mut bytes = as_node(liar, target.node);
        for _ in 0..PACKETS {
            let (kind, packet) = packet(&mut dice, &status, liar);
            *deeds.entry(kind).or_default() += 1;
            bytes.extend(frame(&packet));
        }
        send(&mut stream, &bytes).await;
        heard(&mut stream, Duration::from_millis(dice.below(20))).await;
    }
    deeds
}

fn packet(dice: &mut Dice, status: &Status, liar: NodeId) -> (&'static str, Vec<u8>) {
    let envelope = Envelope {
        version: WireVersion::CURRENT,
        cluster: CLUSTER,
        from: liar,
        to: status.id,
        term: term(dice, status),
        message: message(dice, status),
    };
    let kind = envelope.message.kind();
    let packet = postcard::to_stdvec(&Packet::Raft(envelope)).expect("plain data has bytes");
    // What is no packet at all ends the connection, and what would have followed is not heard.
    if dice.chance(15) {
        let turned = turn_bits(dice, &packet);
        if !brings_a_snapshot(&turned) {
            return (kind, turned);
        }
    }
    (kind, packet)
}

/// A snapshot that no machine can load ends a node for good, and must: it has nothing else.
fn brings_a_snapshot(packet: &[u8]) -> bool {
    matches!(
        postcard::take_from_bytes(packet),
        Ok((Packet::Raft(Envelope { message: Message::InstallSnapshot(_), .. }), _))
    )
}

/// Mostly the present one: what is far beyond would end the conversation for good.
fn term(dice: &mut Dice, status: &Status) -> Term {
    let Term(now) = status.hard_state.term;
    Term(match dice.below(40) {
        0 => 0,
        1 => now + dice.below(1_000),
        2..10 => now + 1,
        10..14 => now.saturating_sub(1),
        _ => now,
    })
}

fn index(dice: &mut Dice, status: &Status) -> LogIndex {
    let known = [status.last.index, status.commit, status.base.index, status.applied];
    let near = dice.pick(&known);
    LogIndex((near.0 + dice.below(5)).saturating_sub(2))
}

fn position(dice: &mut Dice, status: &Status) -> LogPosition {
    let known = [status.last, status.base, status.snapshot, LogPosition::ZERO];
    let LogPosition { term, .. } = dice.pick(&known);
    if dice.chance(70) { dice.pick(&known) } else { LogPosition::new(term, index(dice, status)) }
}

fn entries(dice: &mut Dice, status: &Status) -> Vec<Entry> {
    let term = status.hard_state.term;
    let entry = |dice: &mut Dice| {
        let payload = match dice.below(4) {
            0 => Payload::Blank,
            1 => Payload::Membership(status.membership.clone()),
            _ => Payload::command(Bytes::from(dice.bytes(40))),
        };
        Entry { term, payload }
    };
    (0..dice.below(4)).map(|_| entry(dice)).collect()
}

fn message(dice: &mut Dice, status: &Status) -> Message {
    let ballot = dice.pick(&[Ballot::Granted, Ballot::Refused]);
    let incarnation = Incarnation(1 + dice.below(3));
    let sequence = 1 + dice.below(1_000);
    match dice.below(15) {
        0 => Message::RequestPreVote { last: position(dice, status) },
        1 => Message::PreVoteReply { campaign: term(dice, status), ballot },
        2 => Message::RequestVote {
            last: position(dice, status),
            cause: dice.pick(&[Cause::Timeout, Cause::Transfer]),
        },
        3 => Message::VoteReply { ballot },
        4 | 5 => Message::AppendEntries(AppendEntries {
            previous: position(dice, status),
            entries: entries(dice, status).into_iter().collect(),
            commit: index(dice, status),
        }),
        6 => Message::AppendReply(AppendReply::Accepted { matched: index(dice, status) }),
        7 => {
            let (refused, hint) = (position(dice, status), position(dice, status));
            Message::AppendReply(AppendReply::Mismatch { refused, hint })
        }
        8 => Message::Heartbeat { commit: index(dice, status), round: Round(dice.below(1_000)) },
        9 => {
            let promise = Ticks(dice.pick(&[0, 1, u64::MAX]));
            Message::HeartbeatReply { round: Round(dice.below(1_000)), promise }
        }
        10 => Message::SnapshotReply {
            position: position(dice, status),
            receipt: dice.pick(&[SnapshotReceipt::Failed, SnapshotReceipt::Received(u64::MAX)]),
        },
        11 if dice.chance(50) => Message::TimeoutNow,
        11 => Message::StaleTerm,
        12 if dice.chance(50) => Message::Commit { index: index(dice, status) },
        12 => Message::ReadIndex { incarnation, sequence },
        13 => Message::ReadIndexReply { incarnation, sequence, index: index(dice, status) },
        _ if dice.chance(50) => {
            Message::ForwardProposal { incarnation, sequence, data: dice.bytes(40).into() }
        }
        _ => Message::ForwardRefused { incarnation, sequence, refusal: Refusal::NoLeader },
    }
}
