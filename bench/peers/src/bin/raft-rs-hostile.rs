//! The `raft-sim` command for raft-rs among messages that no correct peer sends.

fn main() -> std::process::ExitCode {
    raft_sim::command::main_with::<peers::raft_rs::RaftRs<peers::raft_rs::Hostile>, raft_sim::kv::Kv>(
    )
}
