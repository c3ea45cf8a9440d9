//! Goal: each reason for which a message is rejected, with a message that it applies to; none of them changes
//! the node.

use std::sync::Arc;

use raft_core::{
    AppendEntries, AppendReply, Ballot, Bootstrap, Cause, ClusterId, Effect, Effects, Entry,
    Envelope, HardState, Incarnation, Input, InstallSnapshot, Instant, LogIndex, LogPosition,
    LogSummary, Membership, Message, Node, NodeId, Payload, Refusal, Rejection, Request, RequestId,
    Restored, Role, Round, Settings, SnapshotContent, SnapshotMeta, SnapshotReceipt, Term, Ticks,
    WireVersion,
};

const ME: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);
const OTHER: NodeId = NodeId(3);
const NOW: Instant = Instant(5_000);

/// Steps, with a disk and a machine that work at once. Messages go nowhere, and nothing is read or staged.
fn step(node: &mut Node, input: Input) {
    let mut effects = Effects::new();
    node.step(NOW, input, &mut effects);
    while let Some(effect) = effects.pop() {
        match effect {
            Effect::Persist(persist) => {
                node.step(NOW, Input::Persisted(persist.done()), &mut effects);
            }
            Effect::Apply(apply) => node.step(NOW, Input::Applied(apply.done()), &mut effects),
            Effect::Restore(restore) => {
                node.step(NOW, Input::Applied(restore.done()), &mut effects);
            }
            _ => {}
        }
    }
}

fn follower() -> Node {
    let config = Settings::new(ClusterId(1), ME).validate().expect("the defaults are sound");
    let membership = Membership::of_voters([ME, PEER, OTHER]).expect("there are voters");
    let mut node = Node::new(config, Bootstrap { membership }, NOW).expect("a founder");
    step(&mut node, Input::Tick);
    node
}

/// Leads term 1, with its blank entry at index 1.
fn leader() -> Node {
    let mut node = follower();
    step(&mut node, Input::Campaign);
    let ballot = Ballot::Granted;
    receive(&mut node, envelope(0, Message::PreVoteReply { campaign: Term(1), ballot }));
    receive(&mut node, envelope(1, Message::VoteReply { ballot }));
    assert_eq!((node.role(), node.term()), (Role::Leader, Term(1)));
    step(&mut node, Input::Tick);
    node
}

/// Follows `PEER` in term 2, with entries of terms 1, 1 and 2, of which two are committed.
fn replicated() -> Node {
    let mut node = follower();
    receive(&mut node, envelope(2, append(at(0, 0), &[1, 1, 2], 2)));
    assert_eq!((node.last(), node.commit()), (at(2, 3), LogIndex(2)));
    node
}

fn at(term: u64, index: u64) -> LogPosition {
    LogPosition::new(Term(term), LogIndex(index))
}

fn append(previous: LogPosition, terms: &[u64], commit: u64) -> Message {
    let entry = |term: &u64| Entry { term: Term(*term), payload: Payload::Blank };
    let entries = terms.iter().map(entry).collect();
    Message::AppendEntries(AppendEntries { previous, entries, commit: LogIndex(commit) })
}

fn vote_request(last: LogPosition) -> Message {
    Message::RequestVote { last, cause: Cause::Timeout }
}

fn answer_to_round(round: u64) -> Message {
    Message::HeartbeatReply { round: Round(round), promise: Ticks(0) }
}

fn founders() -> Arc<Membership> {
    Membership::of_voters([ME, PEER, OTHER]).expect("there are voters").into()
}

fn chunk(position: LogPosition, offset: u64, total: u64, data: &'static str) -> Message {
    let content = SnapshotContent::Chunk { offset, total, data: data.into() };
    install(position, founders(), content)
}

fn install(
    position: LogPosition,
    membership: Arc<Membership>,
    content: SnapshotContent,
) -> Message {
    let snapshot = SnapshotMeta { position, membership };
    Message::InstallSnapshot(Box::new(InstallSnapshot { snapshot, content }))
}

fn envelope(term: u64, message: Message) -> Envelope {
    Envelope {
        version: WireVersion::CURRENT,
        cluster: ClusterId(1),
        from: PEER,
        to: ME,
        term: Term(term),
        message,
    }
}

fn receive(node: &mut Node, envelope: Envelope) {
    step(node, Input::Receive(envelope));
}

fn rejects(node: &Node, envelope: &Envelope, reason: Rejection) {
    let mut after = node.clone();
    receive(&mut after, envelope.clone());
    let counted = after.status().rejections.count(reason) - node.status().rejections.count(reason);
    assert_eq!(counted, 1, "{reason:?}: {:?} of {envelope:?}", after.status().rejections);
    assert!(after.equals_but_for_rejections(node), "{reason:?} leaves a trace: {envelope:?}");
}

#[test]
fn a_message_that_is_taken_leaves_a_trace() {
    let before = replicated();
    let mut after = before.clone();
    receive(&mut after, envelope(2, append(at(2, 3), &[2], 2)));
    assert!(!after.equals_but_for_rejections(&before) && before.equals_but_for_rejections(&before));
}

fn accepts(node: &Node, envelope: &Envelope) {
    let mut after = node.clone();
    receive(&mut after, envelope.clone());
    assert_eq!(after.status().rejections, node.status().rejections, "{envelope:?}");
}

#[test]
fn envelopes() {
    let genuine = envelope(9, Message::StaleTerm);
    accepts(&follower(), &genuine);
    let version = WireVersion(genuine.version.0 + 1);
    rejects(&follower(), &Envelope { version, ..genuine.clone() }, Rejection::WireVersion);
    let cluster = ClusterId(2);
    rejects(&follower(), &Envelope { cluster, ..genuine.clone() }, Rejection::Cluster);
    rejects(&follower(), &Envelope { to: OTHER, ..genuine.clone() }, Rejection::Recipient);
    rejects(&follower(), &Envelope { from: ME, ..genuine }, Rejection::FromSelf);
}

#[test]
fn terms_out_of_range() {
    let beyond = Term::MAX.0 + 1;
    let (incarnation, sequence) = (Incarnation(1), 1);
    let of_term_zero = [
        vote_request(LogPosition::ZERO),
        Message::VoteReply { ballot: Ballot::Granted },
        append(at(0, 0), &[], 0),
        Message::AppendReply(AppendReply::Accepted { matched: LogIndex(0) }),
        Message::Heartbeat { commit: LogIndex(0), round: Round(1) },
        answer_to_round(1),
        Message::StaleTerm,
        Message::TimeoutNow,
        Message::Commit { index: LogIndex(0) },
        chunk(at(1, 1), 0, 1, "x"),
        Message::SnapshotReply { position: at(1, 1), receipt: SnapshotReceipt::Received(0) },
        Message::ReadIndex { incarnation, sequence },
        Message::ReadIndexReply { incarnation, sequence, index: LogIndex(0) },
        Message::ForwardProposal { incarnation, sequence, data: "x".into() },
        Message::ForwardRefused { incarnation, sequence, refusal: Refusal::Busy },
    ];
    for message in of_term_zero {
        rejects(&follower(), &envelope(beyond, message.clone()), Rejection::TermRange);
        rejects(&follower(), &envelope(0, message), Rejection::TermRange);
    }
    for campaign in [Term(0), Term(beyond)] {
        let reply = Message::PreVoteReply { campaign, ballot: Ballot::Granted };
        rejects(&follower(), &envelope(1, reply), Rejection::TermRange);
    }
    accepts(&follower(), &envelope(0, Message::RequestPreVote { last: LogPosition::ZERO }));
    accepts(&follower(), &envelope(Term::MAX.0, Message::StaleTerm));
}

#[test]
fn indexes_out_of_range() {
    let beyond = LogIndex::MAX.0 + 1;
    let messages = [
        Message::RequestPreVote { last: at(1, beyond) },
        vote_request(at(1, beyond)),
        append(at(1, beyond), &[], 0),
        append(at(1, beyond - 1), &[1], 0),
        append(at(0, 0), &[], beyond),
        Message::AppendReply(AppendReply::Accepted { matched: LogIndex(beyond) }),
        Message::Heartbeat { commit: LogIndex(u64::MAX), round: Round(1) },
        chunk(at(1, beyond), 0, 1, "x"),
        Message::SnapshotReply { position: at(1, beyond), receipt: SnapshotReceipt::Failed },
        Message::ReadIndexReply {
            incarnation: Incarnation(1),
            sequence: 1,
            index: LogIndex(beyond),
        },
    ];
    for message in messages {
        rejects(&follower(), &envelope(2, message), Rejection::IndexRange);
    }
}

#[test]
fn impossible_positions() {
    let mismatch = |refused, hint| Message::AppendReply(AppendReply::Mismatch { refused, hint });
    let messages = [
        Message::RequestPreVote { last: at(3, 1) },
        Message::RequestPreVote { last: at(1, 0) },
        vote_request(at(0, 1)),
        vote_request(at(2, 5)),
        append(at(3, 1), &[], 0),
        append(at(0, 1), &[1], 0),
        mismatch(at(1, 2), at(1, 3)),
        mismatch(at(1, 2), at(2, 1)),
        mismatch(at(1, 0), at(0, 0)),
        chunk(at(3, 1), 0, 1, "x"),
        chunk(at(0, 0), 0, 1, "x"),
        Message::SnapshotReply { position: at(1, 0), receipt: SnapshotReceipt::Failed },
    ];
    for message in messages {
        rejects(&follower(), &envelope(2, message), Rejection::Position);
    }
}

#[test]
fn entries_with_impossible_terms() {
    for (previous, terms) in
        [(at(0, 0), &[2, 1][..]), (at(0, 0), &[3]), (at(2, 1), &[1]), (at(0, 0), &[0])]
    {
        rejects(&follower(), &envelope(2, append(previous, terms, 0)), Rejection::EntryTerms);
    }
}

#[test]
fn forwards_that_nobody_numbers() {
    let forward = |incarnation, sequence| Message::ForwardProposal {
        incarnation: Incarnation(incarnation),
        sequence,
        data: "x".into(),
    };
    accepts(&leader(), &envelope(1, forward(1, 1)));
    rejects(&leader(), &envelope(1, forward(1, 0)), Rejection::Unasked);
    rejects(&leader(), &envelope(1, forward(0, 1)), Rejection::Unasked);
    let question = |incarnation, sequence| Message::ReadIndex {
        incarnation: Incarnation(incarnation),
        sequence,
    };
    accepts(&leader(), &envelope(1, question(1, 1)));
    rejects(&leader(), &envelope(1, question(1, 0)), Rejection::Unasked);
    rejects(&leader(), &envelope(1, question(0, 1)), Rejection::Unasked);
}

#[test]
fn a_membership_without_voters() {
    let of = |membership: Membership| {
        let payload = Payload::Membership(membership.into());
        let entries = [Entry { term: Term(2), payload }].into_iter().collect();
        let append = AppendEntries { previous: at(0, 0), entries, commit: LogIndex::ZERO };
        envelope(2, Message::AppendEntries(append))
    };
    rejects(&follower(), &of(Membership::default()), Rejection::Membership);
    accepts(&follower(), &of(Membership::clone(&founders())));
    let content = || SnapshotContent::Locator("a place".into());
    let nobody = install(at(2, 5), Arc::default(), content());
    rejects(&follower(), &envelope(2, nobody), Rejection::Membership);
    accepts(&follower(), &envelope(2, install(at(2, 5), founders(), content())));
}

#[test]
fn snapshots_whose_numbers_contradict_each_other() {
    let node = follower();
    accepts(&node, &envelope(2, chunk(at(1, 5), 0, 10, "0123")));
    accepts(&node, &envelope(2, chunk(at(1, 5), 0, 0, "")));
    for (offset, total, data) in
        [(0, 3, "0123"), (8, 10, "0123"), (4, 10, ""), (u64::MAX, 10, "0123"), (11, 10, "")]
    {
        rejects(&node, &envelope(2, chunk(at(1, 5), offset, total, data)), Rejection::Snapshot);
    }
    let locator = |bytes: usize| SnapshotContent::Locator(vec![b'x'; bytes].into());
    let most = SnapshotContent::MAX_LOCATOR_BYTES;
    assert_eq!(most, 65_536);
    accepts(&node, &envelope(2, install(at(1, 5), founders(), locator(most))));
    let too_long = install(at(1, 5), founders(), locator(most + 1));
    rejects(&node, &envelope(2, too_long), Rejection::Snapshot);
}

#[test]
fn acknowledgements_of_nothing() {
    let accepted =
        |matched| Message::AppendReply(AppendReply::Accepted { matched: LogIndex(matched) });
    accepts(&leader(), &envelope(1, accepted(1)));
    rejects(&leader(), &envelope(1, accepted(2)), Rejection::MatchBeyondLast);
    let hint = LogPosition::ZERO;
    let never_sent = AppendReply::Mismatch { refused: at(1, 7), hint };
    rejects(&leader(), &envelope(1, Message::AppendReply(never_sent)), Rejection::Unasked);
    rejects(&leader(), &envelope(1, answer_to_round(99)), Rejection::Unasked);
}

#[test]
fn answers_to_questions_that_were_not_asked() {
    let ballot = Ballot::Granted;
    for later in [
        Message::VoteReply { ballot },
        Message::AppendReply(AppendReply::Accepted { matched: LogIndex(0) }),
        answer_to_round(0),
    ] {
        rejects(&leader(), &envelope(2, later), Rejection::Unasked);
    }
    let pre_vote = Message::PreVoteReply { campaign: Term(4), ballot };
    rejects(&follower(), &envelope(2, pre_vote), Rejection::Unasked);
    for (incarnation, sequence) in [(1, 0), (1, 1), (2, 1)] {
        let incarnation = Incarnation(incarnation);
        let refused = Message::ForwardRefused { incarnation, sequence, refusal: Refusal::Busy };
        rejects(&replicated(), &envelope(2, refused), Rejection::Unasked);
        let answer = Message::ReadIndexReply { incarnation, sequence, index: LogIndex(2) };
        rejects(&replicated(), &envelope(2, answer), Rejection::Unasked);
    }
    let later = Message::SnapshotReply { position: at(1, 1), receipt: SnapshotReceipt::Failed };
    rejects(&leader(), &envelope(2, later), Rejection::Unasked);
}

/// Only the leader that was asked can answer a read, and only what was asked.
#[test]
fn answers_to_a_read() {
    let mut node = replicated();
    step(&mut node, Input::Request(Request::Read { id: RequestId(1) }));
    let incarnation = Incarnation(1);
    let answer = |sequence| Message::ReadIndexReply { incarnation, sequence, index: LogIndex(2) };
    accepts(&node, &envelope(2, answer(1)));
    rejects(&node, &envelope(2, answer(2)), Rejection::Unasked);
    let stranger = Envelope { from: OTHER, ..envelope(2, answer(1)) };
    rejects(&node, &stranger, Rejection::RivalLeader);
}

#[test]
fn a_second_leader() {
    let heartbeat = Message::Heartbeat { commit: LogIndex(0), round: Round(1) };
    let snapshot = chunk(at(1, 9), 0, 1, "x");
    for message in [heartbeat, append(at(0, 0), &[], 0), snapshot, Message::TimeoutNow] {
        rejects(&leader(), &envelope(1, message.clone()), Rejection::RivalLeader);
        let rival = Envelope { from: OTHER, ..envelope(2, message) };
        rejects(&replicated(), &rival, Rejection::RivalLeader);
    }
}

#[test]
fn contradictions_to_what_is_committed() {
    let node = replicated();
    for (previous, terms) in [(at(0, 0), &[1, 2][..]), (at(2, 2), &[]), (at(1, 1), &[3])] {
        let contradiction = envelope(3, append(previous, terms, 0));
        rejects(&node, &contradiction, Rejection::ContradictsCommitted);
    }
    accepts(&node, &envelope(3, append(at(1, 2), &[3], 0)));
    rejects(&node, &envelope(3, chunk(at(2, 2), 0, 1, "x")), Rejection::ContradictsCommitted);
    accepts(&node, &envelope(3, chunk(at(1, 2), 0, 1, "x")));
    accepts(&node, &envelope(3, chunk(at(3, 3), 0, 1, "x")));
}

#[test]
fn a_commit_index_beyond_the_log() {
    let heartbeat = |commit| Message::Heartbeat { commit: LogIndex(commit), round: Round(1) };
    accepts(&replicated(), &envelope(2, heartbeat(3)));
    rejects(&replicated(), &envelope(2, heartbeat(4)), Rejection::CommitBeyondLast);
}

/// Every reason has a sentence that says what to make of it.
#[test]
fn reasons_are_sentences() {
    for reason in Rejection::ALL {
        let sentence = reason.to_string();
        assert!(sentence.contains(' ') && sentence.len() > 20, "{reason:?}: {sentence}");
    }
}

/// A peer may lack what a snapshot has replaced here. That is no reason to panic, nor to give up on others.
#[test]
fn a_peer_from_before_the_snapshot() {
    let restored = Restored {
        hard_state: HardState { term: Term(2), vote: None, incarnation: Incarnation(1) },
        snapshot: SnapshotMeta { position: at(2, 10), membership: founders() },
        log: LogSummary::after(at(2, 10)),
        commit: LogIndex(10),
        applied: LogIndex(10),
        partial: None,
    };
    let config = Settings::new(ClusterId(1), ME).validate().expect("the defaults are sound");
    // Long enough ago for what it may have promised before.
    let started = Instant(NOW.0 - config.election_timeout.0);
    let mut node = Node::new(config, restored, started).expect("a sound disk");
    let ballot = Ballot::Granted;
    step(&mut node, Input::Campaign);
    receive(&mut node, envelope(2, Message::PreVoteReply { campaign: Term(3), ballot }));
    receive(&mut node, envelope(3, Message::VoteReply { ballot }));
    assert_eq!((node.role(), node.last()), (Role::Leader, at(3, 11)));
    let refused = AppendReply::Mismatch { refused: at(2, 10), hint: LogPosition::ZERO };
    receive(&mut node, envelope(3, Message::AppendReply(refused)));
    assert_eq!(node.role(), Role::Leader);
}
