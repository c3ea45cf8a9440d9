//! The `raft-sim` command for raft-rs, used as its documentation says.

fn main() -> std::process::ExitCode {
    raft_sim::command::main_with::<peers::raft_rs::RaftRs<peers::raft_rs::Careful>, raft_sim::kv::Kv>(
    )
}
