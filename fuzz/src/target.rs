//! A fuzz target without a fuzzer: inputs from files, for looking at what was found, and for machines without nightly.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Runs a target on the files that the command line names, and on those in the folders that it names.
///
/// # Panics
/// When a file cannot be read, or the target finds something.
pub fn replay(run: fn(&[u8])) {
    let mut inputs = Vec::new();
    for argument in env::args_os().skip(1) {
        files(Path::new(&argument), &mut inputs);
    }
    for input in &inputs {
        eprintln!("{}", input.display());
        run(&read(input));
    }
    println!("{} inputs, nothing found", inputs.len());
}

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        found.push(path.to_owned());
        return;
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    inside.sort();
    for path in &inside {
        files(path, found);
    }
}

/// The bytes of an input.
///
/// # Panics
/// When the file cannot be read.
pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}
