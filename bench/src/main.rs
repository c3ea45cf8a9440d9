//! `raft-core` beside other Rafts: one workload, one thread, no network, no disk.

mod allocations;
mod cli;
mod contestants;
mod heap;
mod instructions;
mod machine;
mod measure;
mod plot;
mod sweep;
mod table;
mod workload;

use std::process::ExitCode;

fn main() -> ExitCode {
    match heap::keep().map_err(Into::into).and_then(|()| cli::run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("raft-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
