//! Linearizable reads that ask a quorum: thesis §6.4. (That an answer is never older than what was done before its
//! question is checked by the harness in every test.)

use raft_core::{
    Forwarding, Incarnation, LogIndex, Message, NodeId, Outcome, Refusal, RequestId, Role, Round,
    Settings, Ticks,
};

use support::messages::{message, round_reply};
use support::requests::members;
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, N4, N5, Pace, settings};

fn led() -> Cluster {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster
}

fn readable(cluster: &Cluster, read: RequestId) -> Option<u64> {
    match cluster.outcome(read) {
        Some(Outcome::Readable { index }) => Some(index.0),
        _ => None,
    }
}

/// n2 is elected by n3 and has appended its blank entry; nobody has received that yet.
fn just_elected() -> Cluster {
    let mut cluster = led();
    cluster.propose(N1, "x");
    cluster.settle();
    cluster.wait(E);
    cluster.isolate(N1);
    cluster.campaign(N2);
    while cluster.role(N2) != Role::Leader {
        cluster.deliver_next();
    }
    cluster
}

/// §6.4, step 1: a leader does not know what is committed before it has committed an entry of its own term; a read
/// waits for that (B21), also when its round is confirmed.
#[test]
fn a_read_waits_for_the_first_commit() {
    let mut cluster = just_elected();
    let append = cluster.take(N2, N3, "AppendEntries");
    cluster.wait(HEARTBEAT);
    cluster.tick(N2);
    cluster.network.retain(|envelope| envelope.message.kind() != "AppendEntries");
    cluster.settle();
    let (read, forwarded) = (cluster.read(N2), cluster.read(N3));
    for _ in 0..3 {
        cluster.wait(HEARTBEAT);
        cluster.tick(N2);
        cluster.network.retain(|envelope| envelope.message.kind() != "AppendEntries");
        cluster.settle();
    }
    assert_eq!((cluster.outcome(read), cluster.outcome(forwarded)), (None, None));
    cluster.receive(append);
    cluster.settle();
    assert_eq!(readable(&cluster, read), Some(3));
    cluster.pass(Ticks(2 * HEARTBEAT.0));
    assert!(readable(&cluster, forwarded) >= Some(2));
}

/// §6.4, step 3: a leader that is cut off answers no read, since another may lead (B22); it refuses them when it steps
/// down.
#[test]
fn a_leader_that_is_cut_off_answers_nothing() {
    let mut cluster = led();
    cluster.isolate(N1);
    let read = cluster.read(N1);
    cluster.settle();
    cluster.isolate(N1);
    cluster.elect(N2);
    cluster.propose(N2, "newer");
    cluster.settle();
    assert_eq!((cluster.role(N1), cluster.outcome(read)), (Role::Leader, None));
    cluster.pass(Ticks(2 * E.0));
    let refused = Outcome::Refused { refusal: Refusal::LeadershipLost, leader: None };
    assert_eq!(cluster.outcome(read), Some(refused));
}

/// §6.4, step 3: the round that confirms a read must have begun after it: answers to an earlier one say nothing (B22).
#[test]
fn a_round_must_begin_after_the_read() {
    let mut cluster = led();
    cluster.wait(HEARTBEAT);
    cluster.tick(N1);
    cluster.deliver(N1, N2, "Heartbeat");
    cluster.deliver(N1, N3, "Heartbeat");
    let read = cluster.read(N1);
    cluster.deliver(N2, N1, "HeartbeatReply");
    cluster.deliver(N3, N1, "HeartbeatReply");
    assert_eq!(cluster.outcome(read), None, "they answer what was asked before");
    cluster.deliver(N1, N2, "Heartbeat");
    cluster.deliver(N2, N1, "HeartbeatReply");
    assert_eq!(readable(&cluster, read), Some(1), "one of two others is enough");
}

/// §6.4: learners confirm nothing (B24), nor do nodes that are no members.
#[test]
fn learners_do_not_confirm() {
    let mut cluster = Cluster::of(3);
    cluster.join(N4);
    cluster.join(N5);
    cluster.elect(N1);
    cluster.change(N1, members(&[1, 2, 3], &[4, 5]));
    cluster.settle();
    cluster.isolate(N2);
    cluster.isolate(N3);
    let read = cluster.read(N1);
    cluster.settle();
    cluster.pass(Ticks(3 * HEARTBEAT.0));
    for stranger in [N4, N5, NodeId(9)] {
        cluster.receive(message(stranger, N1, 1, round_reply(2)));
    }
    assert_eq!(cluster.outcome(read), None);
    cluster.heal();
    cluster.pass(HEARTBEAT);
    assert_eq!(readable(&cluster, read), Some(2));
}

/// §4.3: while joint, both majorities must confirm.
#[test]
fn while_joint_both_majorities_confirm() {
    let mut cluster = Cluster::of(3);
    cluster.join(N4);
    cluster.join(N5);
    cluster.elect(N1);
    for silent in [[N2, N3], [N4, N5]] {
        let mut cluster = cluster.clone();
        cluster.isolate_all(&silent);
        cluster.change(N1, members(&[1, 4, 5], &[]));
        let read = cluster.read(N1);
        cluster.pass(Ticks(3 * HEARTBEAT.0));
        assert_eq!(cluster.outcome(read), None, "without {silent:?}");
        cluster.heal();
        cluster.pass(E);
        assert!(readable(&cluster, read).is_some());
    }
}

/// A read that waits for a quorum is confirmed by the one in force, also when that has become smaller meanwhile.
#[test]
fn a_smaller_quorum_confirms_what_waits() {
    let mut cluster = Cluster::of(2);
    cluster.elect(N1);
    cluster.isolate(N2);
    let read = cluster.read(N1);
    cluster.settle();
    assert_eq!(cluster.outcome(read), None);
    cluster.change(N1, members(&[1], &[]));
    assert_eq!(readable(&cluster, read), Some(1));
}

/// A single voter needs nobody.
#[test]
fn a_single_voter_confirms_itself() {
    let mut cluster = Cluster::of(1);
    cluster.pass(Ticks(2 * E.0));
    let read = cluster.read(N1);
    assert_eq!(readable(&cluster, read), Some(1));
}

/// §6.4: reads that come while a round is under way share the next one, however many they are.
#[test]
fn reads_share_rounds() {
    let mut cluster = led();
    cluster.journal.clear();
    let reads: Vec<_> = (0..100).map(|_| cluster.read(N1)).collect();
    cluster.settle();
    assert!(reads.iter().all(|read| readable(&cluster, *read) == Some(1)));
    let rounds = cluster.sent(N1, "Heartbeat").len() / 2;
    assert_eq!(rounds, 2, "one for the first, and one for all others");
    let reads: Vec<_> = (0..100).map(|_| cluster.read(N2)).collect();
    cluster.settle();
    assert!(reads.iter().all(|read| readable(&cluster, *read) == Some(1)));
    assert_eq!(cluster.sent(N2, "ReadIndex").len(), 2);
}

/// §6.4: a follower asks the leader, and answers from its own machine, when that is as far.
#[test]
fn a_follower_reads_its_own_machine() {
    let mut cluster = led();
    cluster.host(N2).machine_pace = Pace::Held;
    cluster.propose(N1, "x");
    cluster.settle();
    let read = cluster.read(N2);
    cluster.settle();
    assert_eq!((cluster.node(N2).applied(), cluster.outcome(read)), (LogIndex(1), None));
    cluster.finish_apply(N2);
    assert_eq!(readable(&cluster, read), Some(2));
}

/// A leader answers when its own machine is as far, too (fine point 7).
#[test]
fn fine_point_7_a_leader_waits_for_its_machine() {
    let mut cluster = led();
    cluster.host(N1).machine_pace = Pace::Held;
    cluster.propose(N1, "x");
    let read = cluster.read(N1);
    cluster.settle();
    let later = cluster.read(N1);
    cluster.settle();
    assert_eq!(readable(&cluster, read), Some(1), "the entry was not committed when it was asked");
    assert_eq!(cluster.outcome(later), None);
    cluster.finish_apply(N1);
    assert_eq!(readable(&cluster, later), Some(2));
}

/// A question, or its answer, may be lost; it is asked again when the leader is heard, and not at every occasion.
#[test]
fn a_lost_question_is_asked_again() {
    for kind in ["ReadIndex", "ReadIndexReply"] {
        let mut cluster = led();
        let read = cluster.read(N2);
        let (from, to) = if kind == "ReadIndex" { (N2, N1) } else { (N1, N2) };
        while cluster.find(from, to, kind).is_none() {
            assert!(cluster.deliver_next());
        }
        cluster.settle();
        assert_eq!(cluster.outcome(read), None, "{kind} is lost");
        cluster.pass(Ticks(2 * HEARTBEAT.0));
        assert_eq!(readable(&cluster, read), Some(1));
        assert!(cluster.sent(N2, "ReadIndex").len() <= 3);
    }
}

/// The network may repeat questions and answers: each read is answered once, and an old answer is not taken for a
/// later question (P7).
#[test]
fn repeated_questions_and_answers_do_no_harm() {
    let mut cluster = led();
    let first = cluster.read(N2);
    let question = cluster.take(N2, N1, "ReadIndex");
    cluster.receive(question.clone());
    while cluster.waiting(N1, N2, "ReadIndexReply") == 0 {
        assert!(cluster.deliver_next());
    }
    let answer = cluster.take(N1, N2, "ReadIndexReply");
    cluster.receive(answer.clone());
    assert_eq!(readable(&cluster, first), Some(1));
    cluster.propose(N1, "x");
    cluster.settle();
    let second = cluster.read(N2);
    for late in [answer, question] {
        cluster.receive(late);
        assert_eq!(cluster.outcome(second), None);
    }
    cluster.settle();
    assert_eq!(readable(&cluster, second), Some(2));
}

/// An answer of an earlier leader, or to an earlier life, answers nothing (P7: contexts are the core's own).
#[test]
fn an_answer_of_another_term_or_life_is_none() {
    let mut cluster = led();
    cluster.read(N2);
    cluster.deliver(N2, N1, "ReadIndex");
    cluster.deliver(N1, N3, "Heartbeat");
    cluster.deliver(N3, N1, "HeartbeatReply");
    let answer = cluster.take(N1, N2, "ReadIndexReply");
    cluster.elect(N3);
    cluster.propose(N3, "newer");
    cluster.settle();
    let read = cluster.read(N2);
    cluster.receive(answer);
    assert_eq!(cluster.outcome(read), None, "n1 said so in an earlier term");
    cluster.settle();
    assert_eq!(readable(&cluster, read), Some(3));

    cluster.crash(N2);
    cluster.restart(N2);
    cluster.pass(HEARTBEAT);
    let read = cluster.read(N2);
    let (incarnation, sequence) = (Incarnation(1), 1);
    let stale = Message::ReadIndexReply { incarnation, sequence, index: LogIndex(1) };
    cluster.receive(message(N3, N2, 2, stale));
    assert_eq!(cluster.outcome(read), None, "it was asked in an earlier life");
}

/// §6.4: reads are refused when the leader that was to confirm them leads no more, at the leader and at whoever asked
/// it; those that it has confirmed stay confirmed.
#[test]
fn reads_are_refused_at_a_deposition() {
    let mut cluster = led();
    cluster.host(N2).machine_pace = Pace::Held;
    cluster.propose(N1, "x");
    cluster.settle();
    let confirmed = cluster.read(N2);
    cluster.settle();
    let asked = [cluster.read(N1), cluster.read(N2)];
    cluster.network.clear();
    let heartbeat = Message::Heartbeat { commit: LogIndex(0), round: Round(1) };
    for id in [N1, N2] {
        cluster.receive(message(N3, id, 2, heartbeat.clone()));
    }
    let refused = Outcome::Refused { refusal: Refusal::LeadershipLost, leader: Some(N3) };
    assert!(asked.iter().all(|read| cluster.outcome(*read) == Some(refused)));
    cluster.finish_apply(N2);
    assert_eq!(readable(&cluster, confirmed), Some(2));
}

/// A node that may not forward names the leader; one that knows none says so.
#[test]
fn a_read_may_be_refused_at_once() {
    let refuse = Settings { forwarding: Forwarding::Refuse, ..settings() };
    let mut cluster = Cluster::with(3, refuse);
    let nobody = cluster.read(N2);
    assert_eq!(cluster.refusal(nobody), Some(Refusal::NoLeader));
    cluster.elect(N1);
    let read = cluster.read(N2);
    let refused = Outcome::Refused { refusal: Refusal::NotLeader, leader: Some(N1) };
    assert_eq!(cluster.outcome(read), Some(refused));
}

/// Reads are pending requests like others: capped, and answered at their deadline at the latest.
#[test]
fn reads_are_bounded_and_have_a_deadline() {
    let limits =
        Settings { max_pending_requests: 2, request_timeout: Ticks(E.0 / 2), ..settings() };
    for id in [N1, N2] {
        let mut cluster = Cluster::with(3, limits);
        cluster.elect(N1);
        cluster.isolate(id);
        let reads = [cluster.read(id), cluster.read(id), cluster.read(id)];
        assert_eq!(cluster.refusal(reads[2]), Some(Refusal::Busy));
        cluster.pass(Ticks(E.0 / 2));
        assert_eq!(cluster.outcome(reads[0]), Some(Outcome::Unknown));
        assert_eq!(cluster.outcome(reads[1]), Some(Outcome::Unknown));
    }
}

/// A node that is no member is not answered.
#[test]
fn strangers_are_not_answered() {
    let mut cluster = led();
    let question = Message::ReadIndex { incarnation: Incarnation(1), sequence: 1 };
    cluster.journal.clear();
    cluster.receive(message(NodeId(9), N1, 1, question));
    cluster.settle();
    assert!(cluster.journal.len() == 1, "it was given, and nothing follows");
}
