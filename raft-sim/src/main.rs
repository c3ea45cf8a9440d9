//! The `raft-sim` command for the built-in key-value store.

fn main() -> std::process::ExitCode {
    raft_sim::command::main::<raft_sim::kv::Kv>()
}
