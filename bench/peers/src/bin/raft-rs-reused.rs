//! The `raft-sim` command for raft-rs whose reads use the same context, one after the other.

fn main() -> std::process::ExitCode {
    raft_sim::command::main_with::<peers::raft_rs::RaftRs<peers::raft_rs::Reused>, raft_sim::kv::Kv>(
    )
}
