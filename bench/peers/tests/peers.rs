//! What the simulator finds in other Rafts, and that it is the same each time.

use std::path::Path;

use peers::raft_io::{Beyond, Careful, RaftIo};
use peers::raft_rs::{Careful as CarefulRs, Hostile, RaftRs, Reused, Transfers};
use raft_sim::campaign::{Campaign, Seeds, run_guarded};
use raft_sim::kv::Kv;
use raft_sim::plan::{Plan, Profile};
use raft_sim::raft::Raft;
use raft_sim::scenario::Scenario;
use raft_sim::violation::Property;
use raft_sim::world::run;

/// Replays a scenario that was kept, and gives what it violates. It is small.
fn violated<R: Raft>(name: &str) -> Option<Property> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let text = std::fs::read_to_string(path).expect("the scenario is there");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert!(lines <= 40, "{name} has {lines} lines");
    let scenario = Scenario::read::<Kv>(&text).expect("it is a scenario");
    let violation = run_guarded::<R, Kv>(&scenario.plan).verdict.violation;
    violation.map(|violation| violation.property)
}

fn digests<R: Raft>() -> Vec<u64> {
    let plans = (0..20).map(|seed| R::suited(Plan::generate(seed, Profile::Default)));
    plans.map(|plan| run::<R, Kv>(&plan).digest).collect()
}

fn assert_clean<R: Raft + 'static>() {
    let seeds = Seeds::new(0..50).expect("the band is not empty");
    let summary = Campaign::new(seeds).run::<R, Kv>(|_| ());
    assert_eq!(summary.runs, 50);
    assert_eq!(summary.failures, []);
    assert!(summary.statistics.operations_committed > 1_000, "hardly anything was done");
}

/// Goal: a seed is the same run each time, election timeouts and all.
#[test]
fn a_seed_run_twice_has_the_same_digest() {
    assert_eq!(digests::<RaftIo<Careful>>(), digests::<RaftIo<Careful>>());
    assert_eq!(digests::<RaftRs<CarefulRs>>(), digests::<RaftRs<CarefulRs>>());
}

/// Goal: it is the faults that are found: where they are avoided, the same checks find nothing.
#[test]
fn without_what_they_do_wrong_they_are_clean() {
    assert_clean::<RaftIo<Careful>>();
    assert_clean::<RaftRs<CarefulRs>>();
}

/// Goal: what was found in raft-io is still there in this version.
#[test]
fn raft_io() {
    let found = violated::<RaftIo>;
    assert_eq!(found("early-change.scenario"), Some(Property::OneChangeAtATime));
    assert_eq!(found("commit-falls.scenario"), Some(Property::Monotonic));
    assert_eq!(found("transfer-without-end.scenario"), Some(Property::TransferEnds));
    assert_eq!(found("removed-node-never-stands.scenario"), Some(Property::Liveness));
    assert_eq!(found("removed-leader-reads.scenario"), Some(Property::ClientOrder));
    let beyond = violated::<RaftIo<Beyond>>;
    let forgotten = beyond("learners-forgotten.scenario");
    assert_eq!(forgotten, Some(Property::ConfigurationFollowsLog));
    let confirmed = violated::<RaftIo<Careful>>("old-probe-confirms.scenario");
    assert_eq!(confirmed, Some(Property::ReadConfirmed));
    // What an early change of members leads to (Ongaro, raft-dev, July 2015).
    let lost = beyond("committed-entry-lost.scenario");
    assert_eq!(lost, Some(Property::LeaderCompleteness));
    assert_eq!(found("committed-entry-lost.scenario"), Some(Property::OneChangeAtATime));
}

/// Goal: what was found in raft-rs is still there in this version, and takes what it takes.
#[test]
fn raft_rs() {
    let reused = "context-reused.scenario";
    assert_eq!(violated::<RaftRs<Reused>>(reused), Some(Property::ReadConfirmed));
    assert_eq!(violated::<RaftRs<CarefulRs>>(reused), None);
    for hostile in
        ["hostile-heartbeat.scenario", "hostile-proposal.scenario", "hostile-read.scenario"]
    {
        assert_eq!(violated::<RaftRs<Hostile>>(hostile), Some(Property::Panic), "{hostile}");
        assert_eq!(violated::<RaftRs<CarefulRs>>(hostile), None, "{hostile}");
    }
    let stale = "transfer-restarts-check.scenario";
    assert_eq!(violated::<RaftRs<Transfers>>(stale), Some(Property::StaleLeader));
}
