//! Messages that no correct peer sends: genuine ones with one field changed, and invented ones.

use bytes::Bytes;
use proptest::prelude::*;
use raft_core::{
    AppendEntries, AppendReply, Ballot, Cause, ClusterId, Entry, Envelope, Incarnation,
    InstallSnapshot, LogIndex, LogPosition, Membership, MembershipParts, Message, NodeId, Origin,
    Payload, Refusal, Round, SnapshotContent, SnapshotMeta, SnapshotReceipt, Term, Ticks,
};
use support::fields::{Changes, fields_of};

/// What to send, chosen by proptest so that it can shrink it.
#[derive(Clone, Debug)]
pub(crate) enum Lie {
    /// One field of a genuine message is changed; both are chosen modulo how many there are.
    Mutated { genuine: usize, field: usize, value: Value },
    /// A message of a kind with invented numbers.
    Invented { to: usize, kind: usize, values: [Value; 7] },
}

/// A number that is likely to hurt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    Exactly(u64),
    /// This far from what is there.
    Near(i8),
}

impl Value {
    fn of(self, present: u64) -> u64 {
        match self {
            Self::Exactly(value) => value,
            Self::Near(distance) => present.wrapping_add_signed(distance.into()),
        }
    }

    /// One of two things.
    pub(crate) fn is_odd(self) -> bool {
        self.of(0) % 2 == 1
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (-3_i8..=3).prop_map(Value::Near),
        4 => (0_u64..12).prop_map(Value::Exactly),
        1 => prop_oneof![Just(u64::MAX), Just(1 << 62), Just((1 << 62) + 1)].prop_map(Value::Exactly),
        1 => any::<u64>().prop_map(Value::Exactly),
    ]
}

pub(crate) fn lie() -> impl Strategy<Value = Lie> {
    let mutated = (any::<usize>(), any::<usize>(), value())
        .prop_map(|(genuine, field, value)| Lie::Mutated { genuine, field, value });
    let values = proptest::array::uniform7(value());
    let invented = (any::<usize>(), 0..KINDS, values)
        .prop_map(|(to, kind, values)| Lie::Invented { to, kind, values });
    prop_oneof![2 => mutated, 1 => invented]
}

/// Changes one field of a message, if the value is another one.
pub(crate) fn mutate(envelope: &mut Envelope, field: usize, mut value: Value) {
    let mut fields = fields_of(&mut envelope.message);
    let of_envelope = 5;
    match field % (fields.len() + of_envelope) {
        0 => envelope.version.0 = u16::try_from(value.of(1)).unwrap_or(u16::MAX),
        1 => envelope.cluster = ClusterId(value.of(envelope.cluster.0)),
        2 => envelope.from = NodeId(value.of(envelope.from.0)),
        3 => envelope.to = NodeId(value.of(envelope.to.0)),
        4 => envelope.term = Term(value.of(envelope.term.0)),
        place => fields[place - of_envelope].change(&mut value),
    }
}

/// A value says all that there is to choose.
impl Changes for Value {
    fn number(&mut self, present: u64) -> u64 {
        self.of(present)
    }

    fn one_of(&mut self, many: usize) -> usize {
        usize::try_from(self.of(many as u64 / 2) % many as u64).expect("a small number")
    }

    fn membership(&mut self) -> Membership {
        strange_membership(self.of(0))
    }

    fn data(&mut self, length: usize) -> Bytes {
        let length = self.of(length as u64) % 100;
        vec![b'?'; usize::try_from(length).expect("a small number")].into()
    }
}

/// A membership in which the receiver may not occur, or only as a learner or as an outgoing voter; or one that names
/// nobody at all, or very many, or has a great deal to say of somebody.
pub(crate) fn strange_membership(seed: u64) -> Membership {
    let set = |ids: std::ops::Range<u64>| ids.map(NodeId).collect();
    let mut parts = MembershipParts { voters: set(seed % 3..3), ..MembershipParts::default() };
    match seed / 3 % 8 {
        0 => parts.outgoing = set(2..5),
        1 => parts.learners = set(3..6),
        2 => parts.voters = set(4..6),
        3 => (parts.outgoing, parts.learners) = (set(1..3), set(3..4)),
        4 => parts.voters = set(0..2_000),
        5 => drop(parts.contexts.insert(NodeId(2), vec![b'@'; 100_000].into())),
        6 => parts.voters = set(0..0),
        _ => {}
    }
    Membership::try_from(parts).unwrap_or_default()
}

pub(crate) const KINDS: usize = 17;

/// A message of a kind with the given numbers, near what the receiver holds.
pub(crate) fn invent(kind: usize, values: &[Value; 7], term: Term, last: LogPosition) -> Message {
    let index = |place: usize| LogIndex(values[place].of(last.index.0));
    let at = |place: usize| LogPosition::new(Term(values[place + 1].of(last.term.0)), index(place));
    let ballot = if values[0].is_odd() { Ballot::Refused } else { Ballot::Granted };
    let (incarnation, sequence) = (Incarnation(values[0].of(1)), values[1].of(1));
    match kind {
        0 => Message::RequestPreVote { last: at(0) },
        1 => Message::PreVoteReply { campaign: Term(values[1].of(term.0 + 1)), ballot },
        2 => {
            let cause = if values[2].is_odd() { Cause::Transfer } else { Cause::Timeout };
            Message::RequestVote { last: at(0), cause }
        }
        3 => Message::VoteReply { ballot },
        4 => {
            let entry = |place: usize| Entry {
                term: Term(values[place].of(term.0)),
                payload: invent_payload(values[6], incarnation, sequence),
            };
            let count = usize::try_from(values[5].of(0) % 3).expect("a small number");
            let entries = (3..3 + count).map(entry).collect();
            Message::AppendEntries(AppendEntries { previous: at(0), entries, commit: index(2) })
        }
        5 if values[4].is_odd() => {
            Message::AppendReply(AppendReply::Mismatch { refused: at(0), hint: at(2) })
        }
        5 => Message::AppendReply(AppendReply::Accepted { matched: index(0) }),
        6 => Message::Heartbeat { commit: index(0), round: Round(values[1].of(1)) },
        7 => {
            let promise = Ticks(values[1].of(100));
            Message::HeartbeatReply { round: Round(values[0].of(1)), promise }
        }
        8 => Message::ForwardProposal { incarnation, sequence, data: "forged".into() },
        9 => Message::ForwardRefused { incarnation, sequence, refusal: Refusal::Busy },
        10 => Message::StaleTerm,
        11 => Message::TimeoutNow,
        12 => Message::ReadIndex { incarnation, sequence },
        13 => Message::ReadIndexReply { incarnation, sequence, index: index(2) },
        16 => Message::Commit { index: index(0) },
        14 => {
            let failed = values[2].is_odd();
            let received = SnapshotReceipt::Received(values[3].of(10));
            let receipt = if failed { SnapshotReceipt::Failed } else { received };
            Message::SnapshotReply { position: at(0), receipt }
        }
        _ => Message::InstallSnapshot(Box::new(invent_snapshot(values, at(0)))),
    }
}

/// A command, one that answers a forward of the receiver's, or a change of members.
fn invent_payload(value: Value, incarnation: Incarnation, sequence: u64) -> Payload {
    match value.of(0) % 4 {
        0 => Payload::Blank,
        1 => Payload::Membership(strange_membership(value.of(0) / 4).into()),
        2 => {
            let origin = Origin { node: NodeId(value.of(0) / 4 % 4), incarnation, sequence };
            Payload::Command { data: "forged".into(), origin: Some(Box::new(origin)) }
        }
        _ => Payload::command("forged"),
    }
}

/// A snapshot of something, in one chunk or a few, or from elsewhere.
fn invent_snapshot(values: &[Value; 7], position: LogPosition) -> InstallSnapshot {
    let membership = strange_membership(values[2].of(0)).into();
    let (offset, length) = (values[3].of(0), values[4].of(4) % 8);
    let data = vec![b'?'; usize::try_from(length).expect("a small number")].into();
    let content = match values[5].of(0) % 5 {
        0 => SnapshotContent::Locator(data),
        4 => {
            let words = SnapshotContent::MAX_LOCATOR_BYTES as u64 + values[6].of(0) % 2;
            let words = usize::try_from(words).expect("a small number");
            SnapshotContent::Locator(vec![b'w'; words].into())
        }
        1 => SnapshotContent::Chunk { offset, total: values[6].of(8), data },
        _ => SnapshotContent::Chunk { offset: 0, total: length, data },
    };
    InstallSnapshot { snapshot: SnapshotMeta { position, membership }, content }
}
