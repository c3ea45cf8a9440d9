//! Requests: exactly one answer each (paper §8, thesis §6.2), forwarding (fine point 1), fates (fine point 2).

use raft_core::{
    AppendEntries, Entry, Envelope, Forwarding, Incarnation, LogIndex, Message, NodeId, Outcome,
    Refusal, Role, Settings, Term, Ticks, Toggle,
};

use support::messages::{accepted, append, at, message};
use support::requests::members;
use support::{Cluster, E, HEARTBEAT, N1, N2, N3, Pace, settings};

fn refused(refusal: Refusal, leader: Option<NodeId>) -> Outcome {
    Outcome::Refused { refusal, leader }
}

/// Thesis §6.2: a server that is not the leader passes a proposal on, and answers when it has applied the
/// entry itself.
#[test]
fn a_follower_forwards_and_answers() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let request = cluster.propose(N2, "x");
    cluster.settle();
    assert_eq!(cluster.outcome(request), Some(Outcome::Done { position: at(1, 2) }));
    assert_eq!(cluster.commands(N2), ["x"]);
}

/// Thesis §6.2: or it refuses, by choice, and names the leader.
#[test]
fn a_follower_that_does_not_forward_names_the_leader() {
    let refuse = Settings { forwarding: Forwarding::Refuse, ..settings() };
    let mut cluster = Cluster::with(3, refuse);
    cluster.elect(N1);
    let request = cluster.propose(N2, "x");
    assert_eq!(cluster.outcome(request), Some(refused(Refusal::NotLeader, Some(N1))));
}

/// Thesis §6.2: without a leader a proposal is refused.
#[test]
fn without_a_leader_a_proposal_is_refused() {
    let mut cluster = Cluster::of(3);
    let request = cluster.propose(N2, "x");
    assert_eq!(cluster.outcome(request), Some(refused(Refusal::NoLeader, None)));
    cluster.campaign(N1);
    let request = cluster.propose(N1, "x");
    assert_eq!(cluster.outcome(request), Some(refused(Refusal::NoLeader, None)));
}

/// Fine point 1: a forward that the network repeats is taken once.
#[test]
fn fine_point_1_a_repeated_forward_is_taken_once() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N2, "x");
    let forward = cluster.take(N2, N1, "ForwardProposal");
    for _ in 0..3 {
        cluster.receive(forward.clone());
        cluster.settle();
    }
    assert_eq!((cluster.last(N1), cluster.commands(N1)), (2, vec!["x".to_owned()]));
}

/// Fine point 10: a leader whose own disk is behind takes no more than it may hold for it, though the
/// followers' disks commit everything.
#[test]
fn fine_point_10_a_leader_bounds_what_its_disk_lacks() {
    let limit = Settings { max_undurable_bytes: 130, ..settings() };
    let mut cluster = Cluster::with(3, limit);
    cluster.elect(N1);
    cluster.hold_disk(N1);
    let taken = cluster.propose(N1, "waits for the leader's disk, not for the others");
    cluster.settle();
    assert_eq!(cluster.node(N1).commit(), LogIndex(2), "the followers have committed it");
    let more = [cluster.propose(N1, "fills the room"), cluster.propose(N1, "one too many")];
    assert_eq!(cluster.outcome(more[1]), Some(refused(Refusal::Busy, Some(N1))));
    cluster.release_disk(N1);
    cluster.settle();
    assert!(matches!(cluster.outcome(taken), Some(Outcome::Done { .. })));
    assert!(matches!(cluster.outcome(more[0]), Some(Outcome::Done { .. })));
}

/// Fine point 1: a forward that was refused is not taken later, when it is repeated.
#[test]
fn fine_point_1_a_refused_forward_stays_refused() {
    let limit = Settings { max_uncommitted_bytes: 40, ..settings() };
    let mut cluster = Cluster::with(3, limit);
    cluster.elect(N1);
    cluster.propose(N1, "fills the room");
    let request = cluster.propose(N2, "x");
    let forward = cluster.take(N2, N1, "ForwardProposal");
    cluster.receive(forward.clone());
    cluster.settle();
    assert_eq!(cluster.outcome(request), Some(refused(Refusal::Busy, Some(N1))));
    cluster.receive(forward);
    cluster.settle();
    assert_eq!(cluster.commands(N1), ["fills the room"], "there would be room now");
}

/// Fine point 1: only the leader of the term that a forward names may take it; the next leader, even the
/// same node, does not.
#[test]
fn fine_point_1_a_forward_is_for_one_leader_in_one_term() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N2, "x");
    let forward = cluster.take(N2, N1, "ForwardProposal");
    cluster.elect(N3);
    cluster.elect(N1);
    assert_eq!(cluster.term(N1), 3);
    cluster.receive(forward.clone());
    cluster.receive(Envelope { to: N3, ..forward });
    cluster.settle();
    assert!(cluster.commands(N1).is_empty());
}

/// Fine point 1: when the leader is lost, nobody knows what became of a forward; it is never sent again.
#[test]
fn fine_point_1_a_forward_is_unknown_when_the_leader_is_lost() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let request = cluster.propose(N2, "x");
    let forward = cluster.take(N2, N1, "ForwardProposal");
    cluster.receive(message(
        N3,
        N2,
        2,
        Message::Heartbeat { commit: LogIndex(0), round: raft_core::Round(1) },
    ));
    assert_eq!(cluster.outcome(request), Some(Outcome::Unknown));
    // And rightly so: it may still be taken.
    cluster.receive(forward);
    assert_eq!(cluster.last(N1), 2);
    assert!(!cluster.network.iter().any(|envelope| envelope.message.kind() == "ForwardProposal"));
}

/// Fine point 1: a forward of an earlier life of its origin is not taken, and does not answer a request of the
/// present one.
#[test]
fn fine_point_1_lives_are_not_confused() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.propose(N2, "of the first life");
    let first = cluster.take(N2, N1, "ForwardProposal");
    cluster.receive(first.clone());
    cluster.crash(N2);
    cluster.network.clear();
    cluster.restart(N2);
    cluster.pass(Ticks(4 * HEARTBEAT.0));
    let request = cluster.propose(N2, "of the second");
    let second = cluster.take(N2, N1, "ForwardProposal");
    let incarnation = |envelope: &Envelope| match envelope.message {
        Message::ForwardProposal { incarnation, .. } => incarnation,
        _ => panic!("a forward"),
    };
    assert_eq!((incarnation(&first), incarnation(&second)), (Incarnation(1), Incarnation(2)));
    assert_eq!(cluster.outcome(request), None, "the same number, another life");
    cluster.receive(second);
    cluster.receive(first);
    cluster.settle();
    assert_eq!(cluster.outcome(request), Some(Outcome::Done { position: at(1, 3) }));
    assert_eq!(cluster.commands(N1), ["of the first life", "of the second"]);
}

/// Fine point 1: a forward by a node that is no member is not taken.
#[test]
fn fine_point_1_strangers_are_not_served() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let forward =
        Message::ForwardProposal { incarnation: Incarnation(1), sequence: 1, data: "x".into() };
    cluster.receive(message(NodeId(9), N1, 1, forward));
    assert_eq!(cluster.last(N1), 1);
}

/// Fine point 4: a forward names its incarnation, so none is sent before that is durable.
#[test]
fn fine_point_4_nothing_is_forwarded_before_the_incarnation_is_durable() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.crash(N2);
    cluster.hold_disk(N2);
    cluster.restart(N2);
    cluster.wait(HEARTBEAT);
    cluster.tick(N1);
    cluster.settle();
    let request = cluster.propose(N2, "x");
    assert_eq!(cluster.outcome(request), Some(refused(Refusal::NotReady, Some(N1))));
    cluster.release_disk(N2);
    let request = cluster.propose(N2, "x");
    cluster.settle();
    assert!(matches!(cluster.outcome(request), Some(Outcome::Done { .. })));
}

/// Fine point 2: truncation is not an answer: the entry may live on elsewhere and commit later (Figure 8).
/// It is lost when an entry of another term is *committed* at its index, not before.
#[test]
fn fine_point_2_lost_means_that_another_entry_is_committed() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    cluster.isolate(N1);
    let request = cluster.propose(N1, "lost");
    cluster.settle();
    cluster.receive(message(N2, N1, 2, append(at(1, 1), &[2], 1)));
    assert_eq!((cluster.terms(N1), cluster.outcome(request)), (vec![1, 2], None), "truncated");
    cluster.receive(message(N2, N1, 2, append(at(2, 2), &[], 2)));
    assert_eq!(
        cluster.outcome(request),
        Some(Outcome::Lost { position: at(1, 2) }),
        "another entry is committed"
    );
}

/// Fine point 2: an entry that was truncated here may still be committed, and is then answered as done.
#[test]
fn fine_point_2_a_truncated_entry_may_commit_later() {
    let mut cluster = Cluster::of(5);
    cluster.elect(N1);
    cluster.hold_disk(N2);
    let request = cluster.propose(N1, "survivor");
    cluster.deliver(N1, N3, "AppendEntries");
    cluster.network.clear();
    // A leader of term 2, which nobody else knew, replaces the entry at n1 only and vanishes.
    cluster.receive(message(N2, N1, 2, append(at(1, 1), &[2], 1)));
    assert_eq!((cluster.terms(N1), cluster.outcome(request)), (vec![1, 2], None));
    // A leader of term 3 that holds the entry brings it back and commits it.
    let entry = cluster.node(N3).entry(LogIndex(2)).expect("it was delivered").clone();
    let back = Message::AppendEntries(AppendEntries {
        previous: at(1, 1),
        entries: [entry].into_iter().collect(),
        commit: LogIndex(2),
    });
    cluster.receive(message(N3, N1, 3, back));
    assert_eq!(cluster.outcome(request), Some(Outcome::Done { position: at(1, 2) }));
}

/// Losing the office is no answer either: what was proposed may be committed by the next leader.
#[test]
fn a_deposed_leader_answers_when_the_fate_is_known() {
    let mut cluster = Cluster::of(3);
    cluster.elect(N1);
    let request = cluster.propose(N1, "x");
    cluster.deliver(N1, N2, "AppendEntries");
    cluster.network.clear();
    cluster.elect(N2);
    assert_eq!(cluster.role(N1), Role::Follower);
    assert_eq!(cluster.outcome(request), Some(Outcome::Done { position: at(1, 2) }));
}

/// Fine point 2: pending requests are capped; one more is refused as busy, until one is answered.
#[test]
fn fine_point_2_pending_requests_are_capped() {
    let settings = Settings { max_pending_requests: 2, ..settings() };
    for proposer in [N1, N2] {
        let mut cluster = Cluster::with(3, settings);
        cluster.elect(N1);
        let taken = [cluster.propose(proposer, "a"), cluster.propose(proposer, "b")];
        let busy = cluster.propose(proposer, "c");
        assert_eq!(cluster.outcome(busy), Some(refused(Refusal::Busy, Some(N1))));
        cluster.settle();
        assert!(taken.iter().all(|request| cluster.outcome(*request).is_some()));
        let later = cluster.propose(proposer, "d");
        cluster.settle();
        assert!(matches!(cluster.outcome(later), Some(Outcome::Done { .. })));
    }
}

/// A command beyond the limit is refused where it is proposed, and also by a leader with a lower limit.
#[test]
fn a_command_that_is_too_large_is_refused() {
    let mut cluster = Cluster::with(3, Settings { max_command_bytes: 4, ..settings() });
    cluster.elect(N1);
    for proposer in [N1, N2] {
        let request = cluster.propose(proposer, "large");
        assert_eq!(cluster.outcome(request), Some(refused(Refusal::TooLarge, Some(N1))));
        let request = cluster.propose(proposer, "fits");
        cluster.settle();
        assert!(matches!(cluster.outcome(request), Some(Outcome::Done { .. })));
    }
    let forward =
        Message::ForwardProposal { incarnation: Incarnation(1), sequence: 9, data: "large".into() };
    cluster.receive(message(N2, N1, 1, forward));
    let Message::ForwardRefused { refusal, .. } = cluster.take(N1, N2, "ForwardRefused").message
    else {
        panic!("a refusal")
    };
    assert_eq!(refusal, Refusal::TooLarge);
}

/// Every request has exactly one answer, through elections, cuts and deadlines (the harness fails on a
/// second one).
#[test]
fn every_request_has_exactly_one_answer() {
    for pre_vote in [Toggle::On, Toggle::Off] {
        let settings = Settings { pre_vote, request_timeout: Ticks(5 * E.0), ..settings() };
        let mut cluster = Cluster::with(5, settings);
        let mut requests = Vec::new();
        for round in 0..30_u64 {
            for id in cluster.ids() {
                requests.push(cluster.propose(id, "x"));
            }
            match round % 5 {
                0 => cluster.isolate(NodeId(round % 4 + 1)),
                3 => cluster.heal(),
                _ => {}
            }
            cluster.host(N2).machine_pace = if round % 2 == 0 { Pace::Held } else { Pace::Prompt };
            cluster.finish_apply(N2);
            cluster.pass(Ticks(E.0 / 2));
        }
        cluster.heal();
        cluster.host(N2).machine_pace = Pace::Prompt;
        cluster.finish_apply(N2);
        cluster.pass(Ticks(10 * E.0));
        assert!(requests.iter().all(|request| cluster.outcome(*request).is_some()));
        let done = |request: &&raft_core::RequestId| {
            matches!(cluster.outcome(**request), Some(Outcome::Done { .. }))
        };
        assert!(requests.iter().filter(done).count() > 50);
    }
}

/// Nor is one forgotten when a leader lies: whoever has seen his joint configuration committed waits for the one
/// after it, not for another joint one, and knows nothing when that does not come.
#[test]
fn a_lying_leader_makes_no_request_forgotten() {
    let limits = Settings { request_timeout: Ticks(5 * E.0), ..settings() };
    let mut cluster = Cluster::with(3, limits);
    cluster.elect(N1);
    let change = cluster.change(N1, members(&[1, 4, 5], &[]));
    let acknowledged = || message(N2, N1, 1, accepted(2));
    cluster.forge();
    for from in [N2, NodeId(4)] {
        cluster.receive(Envelope { from, ..acknowledged() });
    }
    assert_eq!((cluster.last(N1), cluster.commit(N1)), (3, 2), "the final one is in the log");
    let joint = cluster.hosts[&N1].disk.entries[1].payload.clone();
    let entries = [Entry { term: Term(2), payload: joint }].into_iter().collect();
    let append = AppendEntries { previous: at(1, 2), entries, commit: LogIndex(3) };
    cluster.receive(message(N3, N1, 2, Message::AppendEntries(append)));
    assert_eq!((cluster.commit(N1), cluster.unanswered()), (3, vec![change]));
    assert_eq!(cluster.node(N1).status().pending_requests, 1);
    cluster.isolate_all(&[N1, N2, N3]);
    cluster.pass(limits.request_timeout);
    assert_eq!(cluster.outcome(change), Some(Outcome::Unknown));
}
