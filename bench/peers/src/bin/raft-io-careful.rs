//! The `raft-sim` command for `raft-io` without what it is known to do wrong: the members stay, nobody hands over, and batches have no limit.

fn main() -> std::process::ExitCode {
    raft_sim::command::main_with::<peers::raft_io::RaftIo<peers::raft_io::Careful>, raft_sim::kv::Kv>(
    )
}
