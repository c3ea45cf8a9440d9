//! The `raft-sim` command for raft-rs, with transfers of the leadership.

fn main() -> std::process::ExitCode {
    raft_sim::command::main_with::<
        peers::raft_rs::RaftRs<peers::raft_rs::Transfers>,
        raft_sim::kv::Kv,
    >()
}
