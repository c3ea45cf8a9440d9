//! Elections, logs and commits.

use super::*;
use crate::coverage::Situation;

/// Goal: a whole election, replication, commit and application are clean.
#[test]
fn a_sound_run_is_clean() {
    let mut scene = Scene::settled();
    for node in 1..=3 {
        for index in 1..=3 {
            scene.apply(node, index).expect("sound");
        }
    }
    scene.elect(2, 2, &[3]).expect("sound");
    scene.append(2, 3, &[entry(2, "c")]).expect("sound");
    assert_eq!(scene.checks.leader_changes(), 1);
    assert_eq!(scene.checks.coverage.count(Situation::TwoLeaders), 1, "the first still leads");
    assert_eq!(scene.checks.coverage.count(Situation::LeaderElected), 2);
    assert_eq!(scene.checks.committed(), position(3, 1));
}

/// Goal: two leaders of one term fire, whether seen in their state or in what they send.
#[test]
fn two_leaders_of_a_term_fire() {
    let mut scene = Scene::settled();
    scene.node(2).view.role = Role::Leader;
    fires(scene.step(2), Property::ElectionSafety);
    let mut scene = Scene::settled();
    let heartbeat = Claim::Heartbeat { commit: LogIndex(3) };
    assert_eq!(scene.sent(1, 3, 1, heartbeat), Ok(()));
    fires(scene.sent(2, 3, 1, heartbeat), Property::ElectionSafety);
}

/// Goal: terms, votes and indexes do not fall, and are in order.
#[test]
fn what_falls_fires() {
    let broken: [fn(&mut View); 6] = [
        |view| view.term = Term(0),
        |view| view.vote = None,
        |view| view.vote = Some(NodeId(3)),
        |view| view.commit = LogIndex(2),
        |view| view.applied = LogIndex(4),
        |view| view.commit = LogIndex(4),
    ];
    for change in broken {
        let mut scene = Scene::settled();
        change(&mut scene.node(2).view);
        fires(scene.step(2), Property::Monotonic);
    }
    let mut scene = Scene::settled();
    scene.node(2).view.applied = LogIndex(3);
    scene.step(2).expect("sound");
    scene.node(2).view.applied = LogIndex(2);
    fires(scene.step(2), Property::Monotonic);
}

/// Goal: a leader that removes entries fires; so does a follower whose entries the leader holds too.
#[test]
fn needless_truncations_fire() {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c")]).expect("sound");
    fires(scene.append(1, 3, &[]), Property::LeaderAppendOnly);
    let mut scene = Scene::settled();
    for node in [1, 2] {
        scene.append(node, 3, &[entry(1, "c")]).expect("sound");
    }
    fires(scene.append(2, 3, &[]), Property::NeedlessTruncation);
}

/// Goal: a truncation that the leader demands is clean, and is counted.
#[test]
fn a_truncation_on_conflict_is_clean() {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c"), entry(1, "d")]).expect("sound");
    scene.elect(2, 2, &[3]).expect("sound");
    scene.append(2, 3, &[entry(2, "e")]).expect("sound");
    let old_leader = scene.node(1);
    (old_leader.view.term, old_leader.view.role, old_leader.view.vote) =
        (Term(2), Role::Follower, None);
    scene.append(1, 3, &[entry(2, "e")]).expect("sound");
    assert_eq!(scene.checks.coverage.count(Situation::EntryTruncated), 1);
}

/// Goal: the same index and term with another content, another prefix, or a falling term fire.
#[test]
fn logs_that_do_not_match_fire() {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c")]).expect("sound");
    fires(scene.append(2, 3, &[entry(1, "x")]), Property::LogMatching);
    let mut scene = Scene::settled();
    fires(scene.append(2, 3, &[entry(0, "x")]), Property::LogMatching);
    let mut scene = Scene::settled();
    fires(scene.append(2, 3, &[entry(2, "x")]), Property::LogMatching);
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "small"), entry(1, "large"), entry(1, "last")]).expect("sound");
    // The large entry is skipped, so the last one is stored an index too low.
    fires(scene.append(2, 3, &[entry(1, "small"), entry(1, "last")]), Property::LogMatching);
}

/// Goal: nobody leads without the votes of a quorum, on its disks.
#[test]
fn a_leader_without_votes_fires() {
    fires(Scene::settled().elect(2, 2, &[]), Property::ElectionSafety);
    assert_eq!(Scene::settled().elect(2, 2, &[3]), Ok(()));
}

/// Goal: a leader without a committed entry fires; one that won a term before the entry was committed does not.
#[test]
fn an_incomplete_leader_fires() {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c")]).expect("sound");
    scene.persist(1).expect("sound");
    scene.append(2, 3, &[entry(1, "c")]).expect("sound");
    scene.persist(2).expect("sound");
    scene.commit(1, 4).expect("sound");
    fires(scene.elect(3, 2, &[2]), Property::LeaderCompleteness);

    let mut scene = Scene::settled();
    scene.vote(3, 2, 3).expect("sound");
    scene.vote(1, 2, 3).expect("sound");
    scene.elect(2, 3, &[1]).expect("sound");
    for node in [1, 2] {
        scene.append(node, 3, &[entry(3, "c")]).expect("sound");
        scene.persist(node).expect("sound");
    }
    scene.commit(2, 4).expect("sound");
    // Late votes of term 2 arrive: that leader need not know of term 3.
    scene.node(3).view.role = Role::Leader;
    assert_eq!(scene.step(3), Ok(()));
}

/// Goal: committing an entry of an earlier term directly fires; through one of the own term it does not.
#[test]
fn committing_an_older_term_directly_fires() {
    for count in [1_usize, 2] {
        let mut scene = Scene::settled();
        for node in 1..=2 {
            scene.append(node, 3, &[entry(1, "c")]).expect("sound");
            scene.persist(node).expect("sound");
        }
        scene.elect(2, 2, &[3]).expect("sound");
        let log = [entry(1, "c"), entry(2, "d")];
        scene.append(2, 4, &log[1..]).expect("sound");
        scene.persist(2).expect("sound");
        let follower = scene.node(3);
        (follower.view.term, follower.view.role) = (Term(2), Role::Follower);
        scene.append(3, 3, &log[..count]).expect("sound");
        scene.persist(3).expect("sound");
        let noted = |scene: &Scene, situation| scene.checks.coverage.count(situation);
        if count == 1 {
            assert_eq!(noted(&scene, Situation::OlderTermOnQuorum), 1);
            fires(scene.commit(2, 4), Property::CommitTerm);
        } else {
            assert_eq!(scene.commit(2, 5), Ok(()));
            assert_eq!(noted(&scene, Situation::OlderTermCommitted), 1);
        }
    }
}

/// Goal: commits beyond what a quorum holds on disk fire, although a quorum holds them in memory.
#[test]
fn a_commit_without_a_durable_quorum_fires() {
    let mut scene = Scene::settled();
    for node in 1..=3 {
        scene.append(node, 3, &[entry(1, "c")]).expect("sound");
    }
    scene.persist(2).expect("sound");
    fires(scene.commit(1, 4), Property::CommitDurable);
    let mut scene = Scene::settled();
    for node in 1..=2 {
        scene.append(node, 3, &[entry(1, "c")]).expect("sound");
        scene.persist(node).expect("sound");
    }
    assert_eq!(scene.commit(1, 4), Ok(()));
}

/// Goal: a follower that commits its own stale tail fires, and so does one that is ahead of every leader.
#[test]
fn a_follower_that_commits_what_is_not_known_fires() {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "stale")]).expect("sound");
    scene.elect(2, 2, &[3]).expect("sound");
    for node in [2, 3] {
        scene.append(node, 3, &[entry(2, "c")]).expect("sound");
        scene.persist(node).expect("sound");
    }
    let old_leader = scene.node(1);
    (old_leader.view.term, old_leader.view.role, old_leader.view.vote) =
        (Term(2), Role::Follower, None);
    old_leader.view.leader = Some(NodeId(2));
    scene.commit(2, 4).expect("sound");
    fires(scene.commit(1, 4), Property::CommitKnown);

    let mut scene = Scene::settled();
    scene.append(2, 3, &[entry(1, "c")]).expect("sound");
    fires(scene.commit(2, 4), Property::CommitKnown);
}

/// Goal: a leader that commits another entry where one is committed fires.
#[test]
fn a_leader_that_contradicts_the_committed_log_fires() {
    let mut scene = Scene::settled();
    scene.append(2, 2, &[entry(1, "b")]).expect("nothing changed");
    scene.elect(2, 2, &[3]).expect("sound");
    scene.append(2, 3, &[entry(2, "c")]).expect("sound");
    scene.persist(2).expect("sound");
    scene.append(1, 3, &[entry(1, "d")]).expect("sound");
    for node in [1, 3] {
        scene.append(node, 3, &[entry(1, "d")]).expect("sound");
        scene.persist(node).expect("sound");
    }
    scene.commit(1, 4).expect("the old leader commits in its term");
    scene.append(3, 3, &[entry(2, "c")]).expect("sound");
    fires(scene.commit(2, 4), Property::StateMachineSafety);
}

/// Goal: a membership that is not the last in the log fires, and so does a campaign of a non-voter.
#[test]
fn memberships_that_do_not_follow_the_log_fire() {
    let mut scene = Scene::settled();
    fires(scene.append(3, 3, &[without_the_third()]), Property::ConfigurationFollowsLog);
    let mut scene = Scene::settled();
    scene.node(3).membership = first_two();
    scene.append(3, 3, &[without_the_third()]).expect("sound");
    // Not committed yet, so the node may count itself a voter of the membership before.
    scene.node(3).view.role = Role::PreCandidate;
    assert_eq!(scene.step(3), Ok(()));
    fires(non_voter_stands(), Property::NonVoterCampaign);
}

fn first_two() -> Membership {
    Membership::of_voters([1, 2].map(NodeId)).expect("voters")
}

/// A change to a membership without the third node.
pub(super) fn without_the_third() -> Entry {
    Entry { term: Term(1), payload: Payload::Membership(first_two().into()) }
}

/// The third node stands for election after it has learnt that it was removed.
pub(super) fn non_voter_stands() -> Checked {
    let mut scene = Scene::settled();
    for node in 1..=3 {
        scene.node(node).membership = first_two();
        scene.append(node, 3, &[without_the_third()]).expect("sound");
        scene.persist(node).expect("sound");
    }
    scene.commit(1, 4).expect("sound");
    scene.commit(3, 4).expect("sound");
    scene.node(3).view.role = Role::PreCandidate;
    scene.step(3)
}

/// Goal: a broken invariant of the implementation fires at the step that broke it.
#[test]
fn a_broken_invariant_fires() {
    let mut scene = Scene::settled();
    scene.node(1).broken = Some("INV-1: nothing is as it was");
    fires(scene.step(1), Property::Invariant);
}

/// Goal: a term with two candidates and no winner is a split vote once it is over.
#[test]
fn a_split_vote_is_seen() {
    let mut scene = Scene::new(4);
    for node in [1, 2] {
        scene.vote(node, 1, node).expect("sound");
    }
    scene.vote(1, 2, 1).expect("sound");
    scene.checks.finish(Instant(99)).expect("sound");
    assert_eq!(scene.checks.coverage.count(Situation::SplitVote), 1);
    assert_eq!(scene.checks.coverage.count(Situation::EvenCluster), 1);
}
