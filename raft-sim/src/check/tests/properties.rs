//! Every property, violated once: no property may be listed that nothing can violate.
//!
//! What single calls show is shown by a hand-made scene, as in the files beside this one. What only a whole run shows
//! is shown by the run of a broken node or machine.

use std::num::NonZeroU64;

use raft_core::session::{Session, SessionId, SessionRequest};

use super::clients::{
    Fragile, a_read_that_nobody_confirms, answer, applied, done, invoke, read_a_stale_value,
};
use super::memberships::a_change_on_top_of_another;
use super::safety::{non_voter_stands, without_the_third};
use super::traffic::a_transfer_without_end;
use super::*;
use crate::check::SEARCH_BUDGET;
use crate::plan::{Plan, Profile};
use crate::world::run;
use crate::world::tests::broken;

/// Goal: whatever is promised to be checked can be caught.
#[test]
fn every_property_can_be_violated() {
    for property in Property::ALL {
        let violation = violation_of(*property);
        assert_eq!(violation.property, *property, "{violation}");
    }
}

/// A violation of the property. A property that is new must be added here, or this does not compile.
fn violation_of(property: Property) -> Violation {
    let result = match property {
        Property::ElectionSafety => a_second_leader(),
        Property::OneVotePerTerm => a_second_vote(),
        Property::LeaderAppendOnly => a_leader_that_removes(),
        Property::LogMatching => another_entry_at_the_same_place(),
        Property::LeaderCompleteness => an_incomplete_leader(),
        Property::StateMachineSafety => Scene::settled().apply(1, 2),
        Property::CommitDurable => a_commit_in_memory(),
        Property::CommitTerm => a_commit_of_an_older_term(),
        Property::CommitKnown => a_commit_ahead_of_the_leader(),
        Property::Monotonic => a_term_that_falls(),
        Property::DurableBeforeSend => a_hasty_acknowledgement(),
        Property::DurableKnown => a_hasty_mark(),
        Property::NeedlessTruncation => a_follower_that_removes(),
        Property::ConfigurationFollowsLog => Scene::settled().append(3, 3, &[without_the_third()]),
        Property::NonVoterCampaign => non_voter_stands(),
        Property::OneChangeAtATime => a_change_on_top_of_another(),
        Property::TransferEnds => a_transfer_without_end(),
        Property::ReadConfirmed => a_read_that_nobody_confirms(),
        Property::ExclusiveLease => Err(broken::lease_not_exclusive()),
        Property::DigestsAgree => machines_that_differ(),
        Property::BoundedMemory => an_endless_stream(),
        Property::WriteLane => two_writes(),
        Property::OneReply => answer(&mut applied(), 1, done(2), Some("ok")),
        Property::ClientOrder => an_answer_to_something_else(),
        Property::Linearizability => read_a_stale_value().checks.search(Instant(99), SEARCH_BUDGET),
        Property::ExactlyOnce => a_command_that_runs_twice(),
        Property::Durability => a_quorum_that_forgets(),
        Property::StaleLeader => a_leader_that_nobody_answers(),
        Property::Invariant => a_broken_invariant(),
        Property::Liveness => Err(broken::not_live()),
        Property::SteadyProgress => Err(broken::unsteady()),
        Property::Specification => a_leader_without_votes(),
        Property::RejectedUnchanged => Err(broken::not_rejected()),
        Property::MachineInvariant => a_fragile_machine(),
        Property::RestoreFailed => Err(broken::not_restored()),
        Property::Panic => Err(broken::panicked()),
        Property::EventBudget => Err(broken::over_budget()),
        Property::TimeLimit => Err(broken::over_time()),
    };
    result.expect_err("something was broken")
}

fn a_second_leader() -> Checked {
    let mut scene = Scene::settled();
    scene.node(2).view.role = Role::Leader;
    scene.step(2)
}

fn a_leader_without_votes() -> Checked {
    let mut scene = Scene::new(3);
    scene.checks.level = CheckLevel::Specification;
    scene.node(2).view.role = Role::Leader;
    scene.step(2)
}

fn a_second_vote() -> Checked {
    let mut scene = Scene::new(3);
    scene.vote(2, 1, 1)?;
    scene.sent(2, 3, 1, Claim::GrantVote)
}

fn a_leader_that_removes() -> Checked {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c")])?;
    scene.append(1, 3, &[])
}

fn another_entry_at_the_same_place() -> Checked {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c")])?;
    scene.append(2, 3, &[entry(1, "x")])
}

fn an_incomplete_leader() -> Checked {
    let mut scene = Scene::settled();
    for node in [1, 2] {
        scene.append(node, 3, &[entry(1, "c")])?;
        scene.persist(node)?;
    }
    scene.commit(1, 4)?;
    scene.elect(3, 2, &[2])
}

fn a_commit_in_memory() -> Checked {
    let mut scene = Scene::settled();
    for node in 1..=3 {
        scene.append(node, 3, &[entry(1, "c")])?;
    }
    scene.commit(1, 4)
}

fn a_commit_of_an_older_term() -> Checked {
    let mut scene = Scene::settled();
    for node in [1, 2] {
        scene.append(node, 3, &[entry(1, "c")])?;
        scene.persist(node)?;
    }
    scene.elect(2, 2, &[3])?;
    scene.commit(2, 4)
}

fn a_commit_ahead_of_the_leader() -> Checked {
    let mut scene = Scene::settled();
    scene.append(2, 3, &[entry(1, "c")])?;
    scene.commit(2, 4)
}

fn a_term_that_falls() -> Checked {
    let mut scene = Scene::settled();
    scene.node(2).view.term = Term(0);
    scene.step(2)
}

fn a_hasty_acknowledgement() -> Checked {
    let mut scene = Scene::settled();
    scene.append(2, 3, &[entry(1, "c")])?;
    scene.sent(2, 1, 1, Claim::Acknowledge { matched: LogIndex(4) })
}

fn a_hasty_mark() -> Checked {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[entry(1, "c")])?;
    scene.node(1).view.durable = LogIndex(4);
    scene.step(1)
}

fn a_follower_that_removes() -> Checked {
    let mut scene = Scene::settled();
    for node in [1, 2] {
        scene.append(node, 3, &[entry(1, "c")])?;
    }
    scene.append(2, 3, &[])
}

fn machines_that_differ() -> Checked {
    let mut scene = Scene::settled();
    scene.apply(1, 1)?;
    scene.machines[1].apply(LogPosition::ZERO, &put("z"));
    scene.apply(2, 1)
}

fn a_command_that_runs_twice() -> Checked {
    let mut scene = Scene::new(3);
    scene.machines[0] = Served::new(4);
    scene.elect(1, 1, &[2, 3])?;
    let mut session = Session::new(SessionId(position(1, 1)), NonZeroU64::MIN);
    let (_, command) = session.submit(&put("a")).expect("the first command");
    let entry = |data: Bytes| Entry { term: Term(1), payload: Payload::command(data) };
    let log = [entry(SessionRequest::Open.encode()), entry(command.clone()), entry(command)];
    for node in 1..=3 {
        scene.append(node, 0, &log)?;
        scene.persist(node)?;
    }
    scene.commit(1, 3)?;
    scene.apply(1, 1)?;
    let before = scene.machines[0].clone();
    scene.apply(1, 2)?;
    scene.machines[0].unlearn(&before);
    scene.apply(1, 3)
}

fn an_endless_stream() -> Checked {
    let mut scene = Scene::settled();
    scene.append(1, 3, &[(); 9].map(|()| entry(1, "c")))?;
    for previous in 3..12 {
        let previous = position(previous, 1);
        let claim = Claim::Append { previous, entries: 1, bytes: 40, commit: LogIndex(3) };
        scene.sent(1, 2, 1, claim)?;
    }
    Ok(())
}

fn two_writes() -> Checked {
    let mut scene = Scene::settled();
    let write = Write::default();
    scene.checks.submitted(scene.at(), NodeId(1), &write)?;
    scene.checks.submitted(scene.at(), NodeId(1), &write)
}

fn an_answer_to_something_else() -> Checked {
    let mut scene = applied();
    invoke(&mut scene, 1, &put("a"));
    answer(&mut scene, 1, done(3), Some("ok"))
}

fn a_quorum_that_forgets() -> Checked {
    let mut scene = Scene::settled();
    let truncation = Write { truncate_from: Some(LogIndex(3)), ..Write::default() };
    scene.checks.durable(scene.at(), NodeId(1), &truncation)?;
    scene.checks.durable(scene.at(), NodeId(2), &truncation)
}

fn a_leader_that_nobody_answers() -> Checked {
    let mut scene = Scene::settled();
    let (beat, timeout) = (settings().heartbeat_interval.0, settings().election_timeout.0);
    for _ in 0..4 * timeout / beat {
        scene.now += beat;
        scene.step(1)?;
    }
    Ok(())
}

fn a_broken_invariant() -> Checked {
    let mut scene = Scene::settled();
    scene.node(1).broken = Some("nothing is as it was");
    scene.step(1)
}

fn a_fragile_machine() -> Checked {
    let plan = Plan::generate(1, Profile::Default);
    run::<raft_core::Node, Fragile>(&plan).violation.map_or(Ok(()), Err)
}
