//! `raft-core` beside other Rafts, and alone: one thread, no network, no disk.

mod cli;
mod contestants;
mod guard;
mod heap;
mod idle;
mod instructions;
mod layout;
mod machine;
mod measure;
mod plot;
mod profile;
mod sweep;
mod table;
mod workload;

use std::process::ExitCode;

fn main() -> ExitCode {
    match heap::keep().map_err(Into::into).and_then(|()| cli::run()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("raft-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
