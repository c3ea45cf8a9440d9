//! Goal: the store and the jobs of the driver hold what the simulated disks of the World hold, through all its crashes,
//! and a crash at any of the store's own writes leaves the state before the write or the one after it.

mod stored;

use raft_sim::kv::Kv;
use raft_sim::plan::{Plan, Profile};
use raft_sim::world;

use stored::{Stored, Tally, tally};

const SEEDS: std::ops::Range<u64> = 0..16;

#[test]
fn the_store_under_the_worlds_crashes() {
    for seed in SEEDS {
        let mut plan = Plan::generate(seed, Profile::Default);
        // This driver sends snapshots in chunks.
        plan.snapshots.elsewhere_per_million = 0;
        stored::forget();
        let verdict = world::run::<Stored, Kv>(&plan);
        assert_eq!(verdict.violation, None, "seed {seed}");
    }
    let Tally { writes, restarts, torn, crashes, fetches, staged } = tally();
    println!(
        "{writes} writes, {restarts} restarts, {torn} of them in a write, {crashes} crashes within the store, \
         {fetches} fetches, {staged} chunks staged"
    );
    // What did not happen was not tested.
    assert!(writes > 5_000 && restarts > 100 && torn > 20);
    assert!(crashes > 100 && fetches > 1_000 && staged > 10);
}
