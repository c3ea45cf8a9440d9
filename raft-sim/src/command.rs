//! The whole command for a state machine: campaigns, replays and measurements.
//!
//! A program of three lines is enough to have it for a machine of one's own:
//!
//! ```no_run
//! # type Bank = raft_sim::kv::Kv;
//! fn main() -> std::process::ExitCode {
//!     raft_sim::command::main::<Bank>()
//! }
//! ```
//!
//! Exit status: 0 when everything held; 1 when something was violated, a run was not what its scenario says, or too
//! little was tested; 2 for bad use, which is told in one line on standard error before anything is run or written. Only
//! `check` tells it afterwards: a file that is no scenario keeps no other from being checked.
//!
//! Invariant: whatever a name, a file or a machine contains, a message on standard error is one line that
//! does nothing to a terminal but print.

mod arguments;
mod bench;
mod check;
mod explore;
mod files;
mod html;
mod merge;
mod replay;
mod reports;
mod rerun;
mod run;
mod shrink;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::machine::Machine;
use crate::raft::Raft;
use crate::report::printable;

use arguments::{Action, Parsed};

/// What came of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything held.
    Clean,
    /// Something was violated, or a campaign proved too little.
    Violated,
}

/// Why nothing could be done: a sentence that fits on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct BadUse(String);

/// The command for the state machine `M` on `raft-core`, with the arguments of this process.
pub fn main<M: Machine + 'static>() -> ExitCode {
    main_with::<raft_core::Node, M>()
}

/// The command for the state machine `M` on another implementation of Raft.
pub fn main_with<R: Raft + 'static, M: Machine + 'static>() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let name = files::program_name(words.first().map(std::ffi::OsString::as_os_str));
    let action = match arguments::parse(words, &name) {
        Parsed::Action(action) => action,
        Parsed::Information(text) => {
            return print(&text).map_or_else(|error| refuse(&error), |()| ExitCode::SUCCESS);
        }
        Parsed::Wrong(line) => return refuse(&BadUse(line)),
    };
    let outcome = match action {
        Action::Run(arguments) => run::run::<R, M>(&arguments),
        Action::Replay(arguments) => replay::replay::<R, M>(&arguments),
        Action::Check(arguments) => check::check::<R, M>(&arguments),
        Action::Shrink(arguments) => shrink::shrink::<R, M>(&arguments),
        Action::Merge(arguments) => merge::merge(&arguments),
        Action::Explore(arguments) => explore::explore::<R, M>(&arguments),
        Action::Bench(arguments) => bench::bench::<R, M>(&arguments),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Violated) => ExitCode::from(1),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &BadUse) -> ExitCode {
    say(&format!("error: {error}"));
    ExitCode::from(2)
}

/// Says something on standard error, on one line.
fn say(line: &str) {
    // Nobody is left to be told if this fails.
    drop(writeln!(io::stderr(), "{}", printable(line)));
}

/// Writes to standard output. A reader that has seen enough is not an error.
fn print(text: &str) -> Result<(), BadUse> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(BadUse(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}
