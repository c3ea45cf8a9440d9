//! Messages.

use super::clients::{answer, invoke};
use super::*;
use crate::coverage::Situation;

fn append(previous: LogPosition, entries: u32, bytes: u64, commit: u64) -> Claim {
    Claim::Append { previous, entries, bytes, commit: LogIndex(commit) }
}

fn acknowledge(matched: u64) -> Claim {
    Claim::Acknowledge { matched: LogIndex(matched) }
}

/// Goal: a vote that leaves before it is durable fires, whether it is given or asked for.
#[test]
fn votes_that_are_not_durable_fire() {
    let mut scene = Scene::new(3);
    let voter = scene.node(2);
    (voter.view.term, voter.view.vote) = (Term(1), Some(NodeId(1)));
    scene.step(2).expect("sound");
    fires(scene.sent(2, 1, 1, Claim::GrantVote), Property::DurableBeforeSend);

    let mut scene = Scene::new(3);
    scene.vote(2, 1, 2).expect("sound");
    // The disk holds the term, but the vote for another.
    fires(scene.sent(2, 1, 1, Claim::GrantVote), Property::OneVotePerTerm);
    let mut scene = Scene::new(3);
    scene.node(2).view.term = Term(1);
    scene.persist(2).expect("sound");
    fires(
        scene.sent(2, 1, 1, Claim::AskVote { last: LogPosition::ZERO }),
        Property::DurableBeforeSend,
    );
}

/// Goal: votes are counted over crashes: a second vote in a term fires.
#[test]
fn a_second_vote_after_a_crash_fires() {
    let mut scene = Scene::new(3);
    scene.vote(2, 1, 1).expect("sound");
    fires(scene.sent(2, 3, 1, Claim::GrantVote), Property::OneVotePerTerm);
    // A vote that was never sent and was lost in a crash is nobody's vote.
    let mut scene = Scene::new(3);
    let voter = scene.node(2);
    (voter.view.term, voter.view.vote) = (Term(1), Some(NodeId(1)));
    scene.step(2).expect("sound");
    scene.crash(2, &Write::default());
    scene.start(2).expect("sound");
    assert_eq!(scene.vote(2, 1, 3), Ok(()));
}

/// Goal: a term that is not durable is not named.
#[test]
fn a_term_that_is_not_durable_fires() {
    let mut scene = Scene::settled();
    scene.node(2).view.term = Term(2);
    scene.node(2).view.vote = None;
    scene.step(2).expect("sound");
    fires(scene.sent(2, 1, 2, Claim::Nothing), Property::DurableBeforeSend);
    scene.persist(2).expect("sound");
    assert_eq!(scene.sent(2, 1, 2, Claim::Nothing), Ok(()));
}

/// Goal: an acknowledgement is of durable entries, and of the leader's.
#[test]
fn acknowledgements_of_what_is_not_held_fire() {
    let mut scene = Scene::settled();
    for node in [1, 2] {
        scene.append(node, 3, &[entry(1, "c")]).expect("sound");
    }
    fires(scene.sent(2, 1, 1, acknowledge(4)), Property::DurableBeforeSend);
    scene.persist(2).expect("sound");
    assert_eq!(scene.sent(2, 1, 1, acknowledge(4)), Ok(()));

    // A stale tail of the same length as the leader's log is on disk, and is acknowledged.
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "stale")]).expect("sound");
    scene.persist(1).expect("sound");
    scene.elect(2, 2, &[3]).expect("sound");
    scene.append(2, 3, &[entry(2, "c")]).expect("sound");
    let old_leader = scene.node(1);
    (old_leader.view.term, old_leader.view.role, old_leader.view.vote) =
        (Term(2), Role::Follower, None);
    scene.persist(1).expect("sound");
    fires(scene.sent(1, 2, 2, acknowledge(4)), Property::LogMatching);
    assert_eq!(scene.sent(1, 2, 2, acknowledge(3)), Ok(()));
}

/// Goal: a leader sends what its log holds and says no more is committed than it knows.
#[test]
fn a_leader_that_says_what_is_not_so_fires() {
    let mut scene = Scene::settled();
    assert_eq!(scene.sent(1, 2, 1, append(position(1, 1), 2, 90, 3)), Ok(()));
    fires(scene.sent(1, 2, 1, append(position(3, 1), 1, 40, 3)), Property::LogMatching);
    fires(scene.sent(1, 2, 1, append(position(1, 0), 1, 40, 3)), Property::LogMatching);
    fires(scene.sent(1, 2, 1, append(position(1, 1), 1, 40, 4)), Property::CommitKnown);
    fires(scene.sent(1, 2, 1, Claim::Heartbeat { commit: LogIndex(4) }), Property::CommitKnown);
}

/// Goal: batches, windows counted from messages, and windows as the node reports them have limits.
#[test]
fn a_leader_beyond_its_limits_fires() {
    let long: Vec<Entry> = (0..9).map(|_| entry(1, "c")).collect();
    let grown = || {
        let mut scene = Scene::settled();
        scene.append(1, 3, &long).expect("sound");
        scene
    };
    fires(grown().sent(1, 2, 1, append(position(3, 1), 5, 50, 3)), Property::BoundedMemory);
    fires(grown().sent(1, 2, 1, append(position(3, 1), 2, 201, 3)), Property::BoundedMemory);
    let mut scene = grown();
    assert_eq!(
        scene.sent(1, 2, 1, append(position(3, 1), 1, 5_000, 3)),
        Ok(()),
        "one entry may be large"
    );
    assert_eq!(scene.checks.coverage.count(Situation::OversizeEntry), 1);

    let mut scene = grown();
    let sent: Vec<Checked> = (3..8)
        .map(|previous| scene.sent(1, 2, 1, append(position(previous, 1), 1, 40, 3)))
        .collect();
    fires(sent.into_iter().collect(), Property::BoundedMemory);
    let mut scene = grown();
    for previous in 3..8 {
        scene.sent(1, 2, 1, append(position(previous, 1), 1, 40, 3)).expect("acknowledged in time");
        if previous == 5 || previous == 7 {
            scene.delivered(2, 1, 1, acknowledge(previous + 1)).expect("sound");
        }
    }
    assert_eq!(scene.checks.coverage.count(Situation::WindowDrained), 1);

    for (inflight, largest) in [((4, 100), 40), ((2, 1_001), 40)] {
        let mut scene = grown();
        scene.node(1).inflight = inflight;
        scene.step(1).expect("judged when its messages are known");
        scene.sent(1, 2, 1, append(position(3, 1), 1, largest, 3)).expect("sound");
        fires(scene.step(1), Property::BoundedMemory);
    }
    let mut scene = grown();
    scene.node(1).inflight = (1, 5_000);
    scene.step(1).expect("judged when its messages are known");
    scene.sent(1, 2, 1, append(position(3, 1), 1, 5_000, 3)).expect("sound");
    assert_eq!(scene.step(1), Ok(()), "one oversize batch may be under way");
}

/// Goal: a leader that hears nobody, though it is stepped, fires; one that hears a quorum, or is paused, does
/// not; one that steps down in time does not.
#[test]
fn a_leader_that_nobody_answers_fires() {
    let settings = settings();
    let beat = settings.heartbeat_interval.0;
    let beats = 4 * settings.election_timeout.0 / beat;
    let lead_on = |heard: fn(u64) -> bool| {
        let mut scene = Scene::settled();
        for n in 0..beats {
            scene.now += beat;
            if heard(n) {
                scene.delivered(2, 1, 1, Claim::Answer)?;
            }
            scene.step(1)?;
        }
        Ok(())
    };
    fires(lead_on(|_| false), Property::StaleLeader);
    assert_eq!(lead_on(|n| n % 10 == 0), Ok(()));
    let mut scene = Scene::settled();
    for _ in 0..5 {
        scene.now += 10 * settings.election_timeout.0;
        assert_eq!(scene.step(1), Ok(()), "it was paused");
    }
}

/// A leader refuses a proposal so long after it began to hand its office over.
fn refuse_after(beats: u64) -> Checked {
    let mut scene = Scene::settled();
    let event = raft_core::Event::TransferStarted { to: NodeId(2) };
    scene.checks.event(scene.at(), NodeId(1), &event);
    for _ in 0..beats {
        scene.now += settings().heartbeat_interval.0;
        scene.delivered(2, 1, 1, Claim::Answer)?;
        scene.step(1)?;
    }
    invoke(&mut scene, 1, &put("a"));
    let refusal = raft_core::Refusal::Transferring;
    answer(&mut scene, 1, raft_core::Outcome::Refused { refusal, leader: None }, None)
}

/// A leader still waits for the target of a transfer after four election timeouts.
pub(super) fn a_transfer_without_end() -> Checked {
    refuse_after(4 * settings().election_timeout.0 / settings().heartbeat_interval.0)
}

/// Goal: a transfer is an excuse to refuse proposals for a while, not for ever.
#[test]
fn a_transfer_without_end_fires() {
    fires(a_transfer_without_end(), Property::TransferEnds);
    assert_eq!(refuse_after(2), Ok(()));
}

/// Goal: a malformed message that is believed or answered fires; of an earlier term it may be answered.
#[test]
fn a_malformed_message_that_leaves_a_trace_fires() {
    let told = |gate, term| {
        let mut scene = Scene::settled();
        let fake = scene.node(2);
        (fake.gate, fake.view.term, fake.view.vote) = (gate, Term(term), None);
        let (at, node) = (scene.at(), scene.nodes[1].clone());
        let result = scene.checks.malformed(at, at, NodeId(2), &node, &());
        (result, scene.checks.coverage.count(Situation::MalformedRejected))
    };
    assert_eq!(told(Gate::Rejects, 1), (Ok(()), 1));
    fires(told(Gate::Believes, 1).0, Property::RejectedUnchanged);
    fires(told(Gate::Answers, 1).0, Property::RejectedUnchanged);
    assert_eq!(told(Gate::Answers, 2), (Ok(()), 0));
}

/// Goal: what arrives tells what the run met.
#[test]
fn deliveries_are_told_apart() {
    let mut scene = Scene::settled();
    scene.node(2).view.term = Term(3);
    scene.node(2).view.vote = None;
    scene.step(2).expect("sound");
    let old = position(2, 1);
    scene.delivered(1, 2, 1, Claim::AskVote { last: old }).expect("sound");
    scene.delivered(3, 2, 3, Claim::AskPreVote { last: old }).expect("sound");
    scene.delivered(3, 2, 3, append(position(3, 2), 0, 0, 0)).expect("sound");
    for situation in [
        Situation::TwoTermsLate,
        Situation::VoteRefusedForLog,
        Situation::PreVoteRefused,
        Situation::FollowerBacktracked,
    ] {
        assert_eq!(scene.checks.coverage.count(situation), 1, "{situation}");
    }
    let event =
        raft_core::Event::SteppedDown { term: Term(1), reason: raft_core::StepDown::QuorumUnheard };
    scene.checks.event(Instant(9), NodeId(1), &event);
    assert_eq!(scene.checks.coverage.count(Situation::CheckQuorumDeposition), 1);
}
