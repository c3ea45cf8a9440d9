//! The fields of a message, to be changed one at a time into what no correct peer sends.

use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, Ballot, Cause, Entries, InstallSnapshot, LogPosition, Membership,
    Message, Payload, SnapshotContent, SnapshotReceipt,
};

/// One of them.
#[derive(Debug)]
pub enum Field<'a> {
    Number(&'a mut u64),
    Ballot(&'a mut Ballot),
    Cause(&'a mut Cause),
    Entries(&'a mut Entries),
    Membership(&'a mut Arc<Membership>),
    Data(&'a mut Bytes),
}

/// Where the numbers and words come from that fields are changed to.
pub trait Changes {
    /// Instead of this number.
    fn number(&mut self, present: u64) -> u64;
    /// One of so many.
    fn one_of(&mut self, many: usize) -> usize;
    /// Somebody's idea of the members.
    fn membership(&mut self) -> Membership;
    /// Instead of bytes of this length.
    fn data(&mut self, length: usize) -> Bytes;
}

impl Field<'_> {
    /// Changes it.
    pub fn change(&mut self, changes: &mut impl Changes) {
        match self {
            Field::Number(number) => **number = changes.number(**number),
            Field::Ballot(ballot) => {
                let is_granted = **ballot == Ballot::Granted;
                **ballot = if is_granted { Ballot::Refused } else { Ballot::Granted };
            }
            Field::Cause(cause) => {
                let is_timeout = **cause == Cause::Timeout;
                **cause = if is_timeout { Cause::Transfer } else { Cause::Timeout };
            }
            Field::Entries(entries) => spoil(entries, changes),
            Field::Membership(membership) => **membership = changes.membership().into(),
            Field::Data(data) => **data = changes.data(data.len()),
        }
    }
}

/// Drops, repeats or changes an entry, if there is one.
fn spoil(shared: &mut Entries, changes: &mut impl Changes) {
    let mut entries = shared.to_vec();
    if entries.is_empty() {
        return;
    }
    let place = changes.one_of(entries.len());
    match changes.one_of(4) {
        0 => drop(entries.remove(place)),
        1 => entries.push(entries[place].clone()),
        2 => entries[place].payload = Payload::Membership(changes.membership().into()),
        _ => entries[place].term.0 = changes.number(entries[place].term.0),
    }
    *shared = entries.into_iter().collect();
}

fn position(position: &mut LogPosition) -> [Field<'_>; 2] {
    let LogPosition { term, index } = position;
    [Field::Number(&mut index.0), Field::Number(&mut term.0)]
}

/// What can be changed in a message.
pub fn fields_of(message: &mut Message) -> Vec<Field<'_>> {
    match message {
        Message::RequestPreVote { last } => position(last).into(),
        Message::RequestVote { last, cause } => {
            position(last).into_iter().chain([Field::Cause(cause)]).collect()
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
