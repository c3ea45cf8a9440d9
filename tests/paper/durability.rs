//! What must be on the disk before what: paper Figure 2 and §5.2, thesis §3.8, and the fine points about
//! writes.

use raft_core::{
    AppendReply, Ballot, Bootstrap, ClusterId, Effect, Effects, Envelope, Event, Incarnation,
    Input, Instant, LogIndex, Membership, Message, Node, NodeId, Persist, Rejection, Role,
    Settings, StepDown, Ticks, Toggle, WireVersion, WriteNumber,
};

use support::messages::{append, at, heartbeat, message, vote_request};
use support::{Cluster, E, HEARTBEAT, Happened, N1, N2, N3, Pace, settings};

fn plain() -> Settings {
    Settings { pre_vote: Toggle::Off, ..settings() }
}

/// §5.2, Figure 2: a vote is on the disk before it leaves (B51).
#[test]
fn a_vote_is_durable_before_it_is_sent() {
    let mut cluster = Cluster::of(3);
    cluster.hold_disk(N3);
    cluster.receive(message(N1, N3, 1, vote_request(at(0, 0))));
    assert_eq!(cluster.node(N3).vote(), Some(N1));
    assert!(cluster.network.is_empty());
    cluster.sync(N3);
    let reply = cluster.take(N3, N1, "VoteReply");
    assert_eq!(reply.message, Message::VoteReply { ballot: Ballot::Granted });
}

/// §5.2, Figure 2: a vote survives a crash, so that nobody gets a second one in the same term (B52).
#[test]
fn a_vote_survives_a_crash() {
    let mut cluster = Cluster::of(3);
    cluster.receive(message(N1, N3, 1, vote_request(at(0, 0))));
    cluster.crash(N3);
    cluster.restart(N3);
    cluster.receive(message(N2, N3, 1, vote_request(at(0, 0))));
    let reply = cluster.take(N3, N2, "VoteReply");
    assert_eq!(reply.message, Message::VoteReply { ballot: Ballot::Refused });
}

/// §5.2: a vote that a crash lost was told to nobody, so it may be given to another.
#[test]
fn a_lost_vote_was_never_sent() {
    let mut cluster = Cluster::of(3);
    cluster.hold_disk(N3);
    cluster.receive(message(N1, N3, 1, vote_request(at(0, 0))));
    cluster.crash(N3);
    assert!(cluster.network.is_empty());
    cluster.restart(N3);
    cluster.release_disk(N3);
    cluster.receive(message(N2, N3, 1, vote_request(at(0, 0))));
    let reply = cluster.take(N3, N2, "VoteReply");
    assert_eq!(reply.message, Message::VoteReply { ballot: Ballot::Granted });
}

/// §5.3, Figure 2: a follower acknowledges only what its disk holds (B54).
#[test]
fn a_follower_acknowledges_what_is_durable() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.hold_disk(N2);
    cluster.propose(N1, "x");
    cluster.deliver(N1, N2, "AppendEntries");
    assert_eq!(cluster.last(N2), 2);
    assert!(cluster.find(N2, N1, "AppendReply").is_none());
    cluster.sync(N2);
    let reply = cluster.take(N2, N1, "AppendReply");
    assert_eq!(reply.message, accepted_reply(2));
}

fn accepted_reply(matched: u64) -> Message {
    Message::AppendReply(AppendReply::Accepted { matched: LogIndex(matched) })
}

/// Entries that gather while a write is under way go into the next one, together: one write at a time.
#[test]
fn writes_coalesce() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.hold_disk(N1);
    for command in ["a", "b", "c"] {
        cluster.propose(N1, command);
    }
    cluster.sync(N1);
    let (_, write) = cluster.hosts[&N1].writing.clone().expect("b and c");
    let append = write.append.expect("entries");
    assert_eq!((append.first, append.entries.len()), (LogIndex(3), 2));
}

/// A receipt that is late, after a truncation, does not make the entries that took the place of the written
/// ones durable: they are acknowledged when they are on the disk themselves.
#[test]
fn a_late_receipt_does_not_cover_replaced_entries() {
    let mut cluster = Cluster::of(3);
    cluster.receive(message(N1, N2, 1, append(at(0, 0), &[1], 0)));
    cluster.hold_disk(N2);
    cluster.receive(message(N1, N2, 1, append(at(1, 1), &[1, 1, 1], 0)));
    cluster.network.clear();
    cluster.receive(message(N3, N2, 2, append(at(1, 1), &[2, 2], 0)));
    assert_eq!(cluster.terms(N2), [1, 2, 2]);
    cluster.sync(N2); // of the entries of term 1
    assert_eq!(cluster.node(N2).durable(), LogIndex(1));
    assert!(cluster.find(N2, N3, "AppendReply").is_none(), "not even the term is durable");
    cluster.sync(N2);
    let replies: Vec<Message> = cluster.network.drain(..).map(|reply| reply.message).collect();
    assert_eq!(replies.last(), Some(&accepted_reply(3)), "{replies:?}");
    assert_eq!(cluster.hosts[&N2].disk.entries.len(), 3);
}

/// An acknowledgement that waits for the disk to know the term does not leave when what it is for was removed meanwhile. Only a
/// leader that contradicts itself can have that removed; a fuzzer was one.
#[test]
fn what_was_removed_is_not_acknowledged() {
    let mut cluster = Cluster::with_logs(settings(), &[&[], &[1, 1], &[]]);
    cluster.hold_disk(N2);
    cluster.receive(message(N1, N2, 3, append(at(1, 1), &[1], 0)));
    cluster.receive(message(N1, N2, 3, append(at(1, 1), &[3], 0)));
    assert_eq!(cluster.terms(N2), [1, 3]);
    cluster.sync(N2); // of the term
    assert!(cluster.find(N2, N1, "AppendReply").is_none(), "its second entry is not on disk");
}

/// Fine point 4: every start has an incarnation of its own, on the disk before it is used.
#[test]
fn fine_point_4_every_start_has_its_own_incarnation() {
    let mut cluster = Cluster::of(3);
    let incarnation = |cluster: &Cluster| cluster.node(N1).status().hard_state.incarnation;
    assert_eq!(incarnation(&cluster), Incarnation(1));
    cluster.crash(N1);
    cluster.restart(N1);
    assert_eq!(incarnation(&cluster), Incarnation(2));
    assert_eq!(cluster.hosts[&N1].disk.hard_state.incarnation, Incarnation(2));
}

/// Fine point 4: jitter depends on the node and the incarnation, so a copied configuration does not split
/// votes for ever, and a restart does not repeat them.
#[test]
fn fine_point_4_jitter_differs_between_nodes_and_lives() {
    let mut cluster = Cluster::of(5);
    let mut timeouts: Vec<_> =
        cluster.ids().iter().map(|id| cluster.node(*id).deadline()).collect();
    cluster.crash(N1);
    cluster.restart(N1);
    timeouts.push(cluster.node(N1).deadline());
    timeouts.sort_unstable();
    timeouts.dedup();
    assert!(timeouts.len() >= 5, "{timeouts:?}");
}

/// Fine point 5: the hard state comes before the entries in a write, so no prefix holds an entry of a term
/// that the disk does not know. (That every prefix restores is shown in `tests/restore.rs`.)
#[test]
fn fine_point_5_the_hard_state_precedes_the_entries() {
    let mut cluster = Cluster::of(3);
    cluster.hold_disk(N2);
    cluster.receive(message(N1, N2, 4, append(at(0, 0), &[2, 4], 0)));
    cluster.crash_keeping(N2, 2);
    assert_eq!(cluster.hosts[&N2].disk.hard_state.term.0, 4);
    cluster.restart(N2);
    assert_eq!(cluster.terms(N2), [2]);
}

/// Fine point 6: a candidate's own vote counts, its timer runs and its requests leave when the vote is
/// durable, not before.
#[test]
fn fine_point_6_a_candidate_starts_when_its_vote_is_durable() {
    let mut cluster = Cluster::with(3, plain());
    cluster.hold_disk(N1);
    cluster.campaign(N1);
    assert_eq!((cluster.role(N1), cluster.node(N1).deadline()), (Role::Candidate, Instant::NEVER));
    assert!(cluster.network.is_empty());
    cluster.sync(N1);
    assert!(cluster.node(N1).deadline() >= cluster.now.after(E));
    cluster.take(N1, N2, "RequestVote");
    cluster.take(N1, N3, "RequestVote");
}

/// Fine point 6: a single voter does not lead before its disk has said so.
#[test]
fn fine_point_6_a_single_voter_waits_for_its_disk() {
    let mut cluster = Cluster::of(1);
    cluster.hold_disk(N1);
    cluster.campaign(N1);
    assert_eq!(cluster.role(N1), Role::Candidate);
    cluster.sync(N1);
    assert_eq!((cluster.role(N1), cluster.commit(N1)), (Role::Leader, 0));
    cluster.sync(N1);
    assert_eq!(cluster.commit(N1), 1);
}

/// Fine point 6: votes for a candidate whose requests have not left yet were never given: a forged
/// majority does not make a leader whose own vote a crash would undo.
#[test]
fn fine_point_6_votes_that_were_never_asked_for_are_rejected() {
    let mut cluster = Cluster::with(3, plain());
    cluster.hold_disk(N1);
    cluster.campaign(N1);
    for voter in [N2, N3] {
        cluster.receive(message(voter, N1, 1, Message::VoteReply { ballot: Ballot::Granted }));
    }
    assert_eq!(cluster.role(N1), Role::Candidate);
    assert_eq!(cluster.node(N1).status().rejections.count(Rejection::Unasked), 2);
}

/// Fine point 6: a leader whose disk hangs for an election timeout steps down, and does not campaign until
/// the disk answers.
#[test]
fn fine_point_6_a_leader_with_a_hung_disk_steps_down() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.hold_disk(N1);
    cluster.propose(N1, "x");
    cluster.pass(Ticks(E.0 + 2 * HEARTBEAT.0));
    assert_ne!(cluster.role(N1), Role::Leader);
    let stalled = Event::SteppedDown { term: raft_core::Term(1), reason: StepDown::DiskStalled };
    assert!(cluster.journal.iter().any(|(id, happened)| {
        *id == N1 && matches!(happened, Happened::Noted(event) if *event == stalled)
    }));
    cluster.isolate(N1);
    cluster.pass(Ticks(10 * E.0));
    cluster.campaign(N1);
    assert_eq!(cluster.role(N1), Role::Follower, "its vote could not become durable");
    cluster.release_disk(N1);
    cluster.pass(Ticks(3 * E.0));
    assert_eq!(cluster.role(N1), Role::PreCandidate);
}

/// Fine point 7: the machine is given durable entries only, one batch at a time, in order; answers follow
/// its receipt.
#[test]
fn fine_point_7_the_machine_sees_durable_entries_in_order() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.hold_disk(N2);
    cluster.host(N1).machine_pace = Pace::Held;
    let requests = ["a", "b", "c"].map(|command| cluster.propose(N1, command));
    cluster.settle();
    assert_eq!(cluster.node(N2).applied(), LogIndex(1), "nothing is durable there");
    assert_eq!(cluster.commands(N1), ["a"], "one batch is out");
    assert_eq!(cluster.node(N1).applied(), LogIndex(1));
    assert!(requests.iter().all(|request| cluster.outcome(*request).is_none()));
    cluster.finish_apply(N1);
    assert!(cluster.outcome(requests[0]).is_some());
    assert_eq!((cluster.commands(N1).len(), cluster.outcome(requests[1])), (3, None));
    cluster.finish_apply(N1);
    assert!(cluster.outcome(requests[2]).is_some());
    cluster.release_disk(N2);
    cluster.settle();
    assert_eq!(cluster.commands(N2), ["a", "b", "c"]);
}

/// Fine point 10: what waits for the disk is one slot a peer and kind, and forgotten with its term; a
/// flood of questions takes no memory.
#[test]
fn fine_point_10_withheld_messages_are_bounded() {
    let mut cluster = Cluster::of(3);
    cluster.hold_disk(N3);
    for round in 0..5_000 {
        let asker = NodeId(10 + round % 2_000);
        cluster.receive(message(asker, N3, 1 + round / 2_000, vote_request(at(0, 0))));
        cluster.receive(message(N1, N3, 1 + round / 2_000, vote_request(at(0, 0))));
    }
    assert!(cluster.node(N3).status().withheld_messages <= 1_024);
    cluster.receive(message(N1, N3, 9, Message::StaleTerm));
    assert_eq!(cluster.node(N3).status().withheld_messages, 0, "their term is over");
}

/// Fine point 10: a follower whose disk is slow takes no more than its budget, acknowledges what it has, and
/// is sent the rest again.
#[test]
fn fine_point_10_a_slow_disk_bounds_what_is_taken() {
    let settings = Settings { max_undurable_bytes: 200, ..settings() };
    let mut cluster = Cluster::with(3, settings);
    cluster.elect(N1);
    cluster.hold_disk(N2);
    for _ in 0..20 {
        cluster.propose(N1, vec![0; 50]);
    }
    cluster.settle();
    assert_eq!(cluster.last(N2), 3, "two entries of 82 bytes fit");
    for _ in 0..100 {
        cluster.sync(N2);
        cluster.pass(HEARTBEAT);
    }
    assert_eq!((cluster.last(N2), cluster.commit(N2)), (21, 21));
}

/// Fine point 11: a commit index that moves is worth no write of its own; it travels with the next.
#[test]
fn fine_point_11_a_commit_index_causes_no_write() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N1, "x");
    cluster.settle();
    cluster.journal.clear();
    cluster.pass(Ticks(3 * E.0));
    let writes = |cluster: &Cluster| {
        let wrote = |happened: &Happened| match happened {
            Happened::Wrote { write, .. } => Some(write.clone()),
            _ => None,
        };
        cluster.journal.iter().filter_map(|(_, happened)| wrote(happened)).collect::<Vec<_>>()
    };
    assert!(writes(&cluster).is_empty());
    cluster.propose(N1, "y");
    assert_eq!(writes(&cluster)[0].commit, Some(LogIndex(2)), "known when the write began");
}

/// Fine point 14: cluster and wire version are checked before the term means anything.
#[test]
fn fine_point_14_another_clusters_messages_mean_nothing() {
    let ours = message(N1, N2, 50, Message::StaleTerm);
    let cases = [
        (Envelope { cluster: ClusterId(8), ..ours.clone() }, Rejection::Cluster),
        (Envelope { version: WireVersion(9), ..ours.clone() }, Rejection::WireVersion),
        (Envelope { to: N3, ..ours.clone() }, Rejection::Recipient),
        (Envelope { from: N2, ..ours }, Rejection::FromSelf),
    ];
    for (envelope, reason) in cases {
        let mut cluster = Cluster::of(3);
        cluster.step(N2, raft_core::RecordedInput::Receive(envelope));
        let status = cluster.node(N2).status();
        assert_eq!((status.term().0, status.rejections.count(reason)), (0, 1), "{reason}");
    }
}

fn first_write(id: NodeId) -> (Node, Persist) {
    let membership = Membership::of_voters([N1, N2]).expect("there are voters");
    let config = Settings { id, ..settings() }.validate().expect("the settings are sound");
    let mut node = Node::new(config, Bootstrap { membership }, Instant(0)).expect("a founder");
    let mut effects = Effects::new();
    node.step(Instant(0), Input::Tick, &mut effects);
    match effects.pop() {
        Some(Effect::Persist(persist)) => (node, persist),
        other => panic!("a new node writes first: {other:?}"),
    }
}

/// A receipt is for one write of one life of one node; any other is refused without change.
#[test]
fn a_foreign_receipt_is_refused() {
    let (mut node, own) = first_write(N1);
    let (_, foreign) = first_write(N2);
    assert_eq!(foreign.number(), own.number());
    node.step(Instant(0), Input::Persisted(foreign.done()), &mut Effects::new());
    let status = node.status();
    assert_eq!(status.rejections.count(Rejection::ForeignReceipt), 1);
    assert_eq!(status.outstanding_write, Some(WriteNumber(1)));
    node.step(Instant(0), Input::Persisted(own.done()), &mut Effects::new());
    assert_eq!(node.status().outstanding_write, Some(WriteNumber(2)), "the hard state follows");
}

/// Takes an input and carries out the writes that follow.
fn settle(node: &mut Node, input: Input) {
    let (mut inputs, mut effects) = (vec![input], Effects::new());
    while let Some(input) = inputs.pop() {
        node.step(Instant(0), input, &mut effects);
        while let Some(effect) = effects.pop() {
            if let Effect::Persist(persist) = effect {
                inputs.push(Input::Persisted(persist.done()));
            }
        }
    }
}

/// Nothing follows from a foreign receipt, also when something follows from what was fed before it.
#[test]
fn a_foreign_receipt_settles_nothing() {
    let (mut node, own) = first_write(N1);
    let (_, foreign) = first_write(N2);
    settle(&mut node, Input::Persisted(own.done()));
    settle(&mut node, Input::Receive(message(N2, N1, 1, append(at(0, 0), &[1], 0))));
    settle(&mut node, Input::Receive(message(N2, N1, 2, heartbeat(0))));
    // The first entry is on the disk and not acknowledged in this term; the second is to be written.
    let mut effects = Effects::new();
    let entries = append(at(0, 0), &[1, 2], 0);
    node.feed(Instant(0), Input::Receive(message(N2, N1, 2, entries)), &mut effects);
    assert!(effects.is_empty(), "{effects:?}");
    node.feed(Instant(0), Input::Persisted(foreign.done()), &mut effects);
    assert!(effects.is_empty(), "{effects:?}");
    node.step(Instant(0), Input::Tick, &mut effects);
    let accepted = Message::AppendReply(AppendReply::Accepted { matched: LogIndex(1) });
    let sent = effects.pop().expect("what follows from the entries");
    assert!(matches!(sent, Effect::Send(sent) if sent.message == accepted));
}
