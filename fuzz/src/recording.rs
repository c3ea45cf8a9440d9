//! The life of a node as `raft-sim replay` reads it, for whoever looks at what was found.
//!
//! It is written where the variable `RAFT_FUZZ_RECORDING` says, each line before its input is given, so that the last is the
//! one that broke the node. A new life takes the place of the one before.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use raft_core::{RecordedLine, RecordedStart};

const VARIABLE: &str = "RAFT_FUZZ_RECORDING";

/// A life begins.
pub fn begin(start: impl FnOnce() -> RecordedStart) {
    if file().is_some() {
        write(&RecordedLine::Started(Box::new(start())), true);
    }
}

/// A step, or what is fed.
pub fn go_on(line: impl FnOnce() -> RecordedLine) {
    if file().is_some() {
        write(&line(), false);
    }
}

fn file() -> Option<&'static PathBuf> {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    FILE.get_or_init(|| env::var_os(VARIABLE).map(PathBuf::from)).as_ref()
}

fn write(line: &RecordedLine, begins: bool) {
    let Some(path) = file() else { return };
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(begins).append(!begins);
    let text = serde_json::to_string(line).expect("a line holds nothing that JSON cannot");
    let written = options.open(path).and_then(|mut file| writeln!(file, "{text}"));
    written.unwrap_or_else(|error| panic!("{VARIABLE}: {}: {error}", path.display()));
}
