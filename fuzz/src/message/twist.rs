//! Changes fields of a message, so that no correct peer may have sent it.

use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, Ballot, Entries, Envelope, InstallSnapshot, LogPosition,
    Membership, Message, Payload, SnapshotContent, SnapshotReceipt,
};

use crate::dice::Dice;
use crate::settings::membership;

enum Field<'a> {
    Number(&'a mut u64),
    Version(&'a mut u16),
    Ballot(&'a mut Ballot),
    Entries(&'a mut Entries),
    Membership(&'a mut Arc<Membership>),
    Data(&'a mut Bytes),
}

/// Changes no field as a rule, else one or two.
pub fn twist(dice: &mut Dice<'_>, envelope: &mut Envelope) {
    let changes = match dice.byte() {
        0..=199 => 0,
        200..=239 => 1,
        _ => 2,
    };
    for _ in 0..changes {
        let mut fields = fields(envelope);
        let place = dice.place(fields.len());
        match &mut fields[place] {
            Field::Number(number) => **number = dice.near(number.wrapping_add(1)),
            Field::Version(version) => **version = u16::from(dice.byte()),
            Field::Ballot(ballot) => {
                let is_granted = **ballot == Ballot::Granted;
                **ballot = if is_granted { Ballot::Refused } else { Ballot::Granted };
            }
            Field::Entries(entries) => spoil(entries, dice),
            Field::Membership(membership) => **membership = self::membership(dice).into(),
            Field::Data(data) => **data = dice.data(),
        }
    }
}

/// Drops, repeats or changes an entry.
fn spoil(shared: &mut Entries, dice: &mut Dice<'_>) {
    let mut entries = shared.to_vec();
    if entries.is_empty() {
        return;
    }
    let place = dice.place(entries.len());
    match dice.below(4) {
        0 => drop(entries.remove(place)),
        1 => entries.push(entries[place].clone()),
        2 => entries[place].payload = Payload::Membership(membership(dice).into()),
        _ => entries[place].term.0 = dice.near(entries[place].term.0.wrapping_add(1)),
    }
    *shared = entries.into_iter().collect();
}

fn fields(envelope: &mut Envelope) -> Vec<Field<'_>> {
    let Envelope { version, cluster, from, to, term, message } = envelope;
    let mut fields = fields_of(message);
    fields.extend([
        Field::Number(&mut from.0),
        Field::Number(&mut term.0),
        Field::Number(&mut to.0),
        Field::Number(&mut cluster.0),
        Field::Version(&mut version.0),
    ]);
    fields
}

fn position(position: &mut LogPosition) -> [Field<'_>; 2] {
    let LogPosition { term, index } = position;
    [Field::Number(&mut index.0), Field::Number(&mut term.0)]
}

fn fields_of(message: &mut Message) -> Vec<Field<'_>> {
    match message {
        Message::RequestPreVote { last } | Message::RequestVote { last, .. } => {
            position(last).into()
        }
        Message::PreVoteReply { campaign, ballot } => {
            vec![Field::Number(&mut campaign.0), Field::Ballot(ballot)]
        }
        Message::VoteReply { ballot } => vec![Field::Ballot(ballot)],
        Message::AppendEntries(AppendEntries { previous, entries, commit }) => {
            let mut fields: Vec<Field<'_>> = position(previous).into();
            fields.extend([Field::Number(&mut commit.0), Field::Entries(entries)]);
            fields
        }
        Message::AppendReply(AppendReply::Accepted { matched: index })
        | Message::Commit { index } => vec![Field::Number(&mut index.0)],
        Message::AppendReply(AppendReply::Mismatch { refused, hint }) => {
            position(refused).into_iter().chain(position(hint)).collect()
        }
        Message::Heartbeat { commit, round } => {
            vec![Field::Number(&mut commit.0), Field::Number(&mut round.0)]
        }
        Message::HeartbeatReply { round, promise } => {
            vec![Field::Number(&mut round.0), Field::Number(&mut promise.0)]
        }
        Message::InstallSnapshot(install) => fields_of_snapshot(install),
        Message::SnapshotReply { position: of, receipt } => {
            let mut fields: Vec<Field<'_>> = position(of).into();
            if let SnapshotReceipt::Received(bytes) = receipt {
                fields.push(Field::Number(bytes));
            }
            fields
        }
        Message::TimeoutNow | Message::StaleTerm => vec![],
        Message::ReadIndex { incarnation, sequence }
        | Message::ForwardProposal { incarnation, sequence, data: _ }
        | Message::ForwardRefused { incarnation, sequence, refusal: _ } => {
            vec![Field::Number(&mut incarnation.0), Field::Number(sequence)]
        }
        Message::ReadIndexReply { incarnation, sequence, index } => vec![
            Field::Number(&mut incarnation.0),
            Field::Number(sequence),
            Field::Number(&mut index.0),
        ],
    }
}

fn fields_of_snapshot(install: &mut InstallSnapshot) -> Vec<Field<'_>> {
    let InstallSnapshot { snapshot, content } = install;
    let mut fields: Vec<Field<'_>> = position(&mut snapshot.position).into();
    fields.push(Field::Membership(&mut snapshot.membership));
    match content {
        SnapshotContent::Chunk { offset, total, data } => {
            fields.extend([Field::Number(offset), Field::Number(total), Field::Data(data)]);
        }
        SnapshotContent::Locator(locator) => fields.push(Field::Data(locator)),
    }
    fields
}
