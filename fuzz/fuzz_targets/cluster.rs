//! Whole clusters: the fuzzer writes the plan, the simulator runs it with all its checks, and nothing may be violated.
//!
//! An input is a plan ([`raft_fuzz::plan`]). What is found is told as a scenario, which `raft-sim` replays and shrinks.
#![cfg_attr(fuzzing, no_main)]

use raft_core::Node;
use raft_fuzz::plan::plan;
use raft_sim::campaign::run_guarded;
use raft_sim::kv::Kv;
use raft_sim::scenario::Scenario;

raft_fuzz::target!(run);

fn run(input: &[u8]) {
    let Some(plan) = plan(input) else { return };
    // A panic in a node is a violation, too.
    let violation = run_guarded::<Node, Kv>(&plan).verdict.violation;
    if let Some(violation) = violation {
        let scenario = Scenario::of(plan).write::<Kv>();
        panic!(
            "{violation}\nsave this as found.scenario, for `raft-sim replay` or `shrink`:\n\n{scenario}"
        );
    }
}
