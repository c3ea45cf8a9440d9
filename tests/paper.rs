//! Goal: one test for each rule of the Raft paper (§5 to §8) and of the thesis (§3, §4, §5, §6, §9.6, §10.2.1),
//! and for the points that are easy to get wrong.
//!
//! Each test opens with the rule and where it stands. `B01`, `P8` and so on are the mutants of
//! `docs/MUTANTS.md` that break it. `docs/PROTOCOL_TESTS.md` leads here from the tests of other Rafts.

#[path = "paper/cache.rs"]
mod cache;
#[path = "paper/commitment.rs"]
mod commitment;
#[path = "paper/compaction.rs"]
mod compaction;
#[path = "paper/departures.rs"]
mod departures;
#[path = "paper/disruption.rs"]
mod disruption;
#[path = "paper/durability.rs"]
mod durability;
#[path = "paper/elections.rs"]
mod elections;
#[path = "paper/flow.rs"]
mod flow;
#[path = "paper/gathering.rs"]
mod gathering;
#[path = "paper/installation.rs"]
mod installation;
#[path = "paper/leadership.rs"]
mod leadership;
#[path = "paper/learners.rs"]
mod learners;
#[path = "paper/leases.rs"]
mod leases;
#[path = "paper/membership.rs"]
mod membership;
#[path = "paper/memory.rs"]
mod memory;
#[path = "paper/pre_vote.rs"]
mod pre_vote;
#[path = "paper/reads.rs"]
mod reads;
#[path = "paper/replication.rs"]
mod replication;
#[path = "paper/requests.rs"]
mod requests;
#[path = "paper/snapshots.rs"]
mod snapshots;
#[path = "paper/table.rs"]
mod table;
#[path = "paper/terms.rs"]
mod terms;
#[path = "paper/time.rs"]
mod time;
