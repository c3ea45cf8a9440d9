//! The `kv` command.

use std::process::ExitCode;

use kv::cli::{self, Faults};

fn main() -> ExitCode {
    cli::main(Faults::NONE)
}
