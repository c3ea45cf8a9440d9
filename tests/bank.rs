//! The example's bank, simulated inside a test: the form in which a service's own tests would do it.

#[expect(dead_code, reason = "the example's `main` is for its command")]
#[path = "../examples/bank.rs"]
mod bank;

/// However the cluster is broken, no money is made or lost and the bank answers as one bank would.
#[test]
fn the_bank_conserves_money() {
    raft_sim::check::<bank::Bank>();
}
