//! Files and names: what is written, and how this program is called again.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;

use super::{BadUse, print};

/// What the program calls itself in its messages.
pub(super) fn program_name(program: Option<&OsStr>) -> String {
    let stem = program.and_then(|path| Path::new(path).file_stem());
    stem.map_or_else(|| "raft-sim".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// How this program is run again, up to its own arguments: through cargo where cargo built it.
pub(super) fn invocation() -> String {
    let program = std::env::args_os().next();
    let name = program_name(program.as_deref());
    let path = program.as_deref().map(Path::new);
    let parent = path.and_then(Path::parent).and_then(Path::file_name);
    if name == "raft-sim" {
        return "cargo run --release -p raft-sim --".to_owned();
    }
    if parent == Some(OsStr::new("examples")) {
        return format!("cargo run --release --example {name} --");
    }
    if parent == Some(OsStr::new("release")) || parent == Some(OsStr::new("debug")) {
        return format!("cargo run --release --bin {name} --");
    }
    path.map_or(name, |path| path.display().to_string())
}

/// Whether a text names standard output.
pub(super) fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-")
}

/// An option that names a file to write, and the file if it was given.
pub(super) type Output<'a> = (&'static str, Option<&'a Path>);

/// Refuses files that certainly cannot be written, and one file for two things, before anything is run.
pub(super) fn check_outputs(outputs: &[Output<'_>]) -> Result<(), BadUse> {
    let given: Vec<(&str, &Path)> =
        outputs.iter().filter_map(|(option, path)| Some((*option, (*path)?))).collect();
    for (place, (option, path)) in given.iter().enumerate() {
        check_writable(option, path)?;
        if let Some((other, _)) = given[..place].iter().find(|(_, earlier)| earlier == path) {
            let shared = if is_standard_output(path) {
                "standard output".to_owned()
            } else {
                format!("`{}`", path.display())
            };
            return Err(BadUse(format!(
                "{other} and {option} are both to be written to {shared}: give each a file of its own"
            )));
        }
    }
    Ok(())
}

/// Refuses a path that certainly cannot be written, before anything is run.
fn check_writable(option: &str, path: &Path) -> Result<(), BadUse> {
    if is_standard_output(path) {
        return Ok(());
    }
    let shown = path.display();
    if path.as_os_str().is_empty() || path.is_dir() {
        return Err(BadUse(format!("{option} `{shown}` is not a file: name one to write to")));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if parent.is_some_and(|parent| !parent.is_dir()) {
        return Err(BadUse(format!(
            "{option} `{shown}` cannot be written: its directory does not exist; make it first"
        )));
    }
    Ok(())
}

/// Refuses a directory that certainly cannot be made, before anything is run.
pub(super) fn check_directory(option: &str, path: &Path) -> Result<(), BadUse> {
    if path.exists() && !path.is_dir() {
        return Err(BadUse(format!(
            "{option} `{}` is not a directory: name another",
            path.display()
        )));
    }
    Ok(())
}

/// Writes a file, or to standard output.
pub(super) fn write(path: &Path, text: &str) -> Result<(), BadUse> {
    if is_standard_output(path) {
        return print(text);
    }
    fs::write(path, text)
        .map_err(|error| BadUse(format!("`{}` cannot be written: {error}", path.display())))
}

/// Adds to the end of a file, or writes to standard output.
pub(super) fn append(path: &Path, text: &str) -> Result<(), BadUse> {
    if is_standard_output(path) {
        return print(text);
    }
    let opened = fs::OpenOptions::new().create(true).append(true).open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| BadUse(format!("`{}` cannot be written: {error}", path.display())))
}
