//! The `raft-sim` command for `raft-io`.

fn main() -> std::process::ExitCode {
    raft_sim::command::main_with::<peers::raft_io::RaftIo, raft_sim::kv::Kv>()
}
