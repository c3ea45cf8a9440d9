//! The `raft-sim` command for `raft-io`, when an early change of members is passed over.

fn main() -> std::process::ExitCode {
    raft_sim::command::main_with::<peers::raft_io::RaftIo<peers::raft_io::Beyond>, raft_sim::kv::Kv>(
    )
}
