//! Goal: `raft-core`, with serde, builds into a program that has no standard library.
//!
//! The fixture in `no_std/` defines a panic handler. So does the standard library; if any dependency used
//! it, there would be two and the build would fail.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of the fixture within the target directory, so that nothing is written beside the sources. It
/// takes over the workspace's lock file: what that names is on this machine already, and no network is
/// needed.
fn fixture() -> PathBuf {
    let core = Path::new(env!("CARGO_MANIFEST_DIR"));
    let original = core.join("tests/no_std");
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std");
    fs::create_dir_all(copy.join("src")).expect("the target directory is writable");

    let manifest =
        fs::read_to_string(original.join("Cargo.toml")).expect("the fixture has a manifest");
    let here = format!("path = '{}'", core.display());
    let moved = manifest.replace("path = \"../..\"", &here);
    assert_ne!(moved, manifest, "the fixture's manifest names raft-core as \"../..\"");
    fs::write(copy.join("Cargo.toml"), moved).expect("the target directory is writable");
    fs::copy(original.join("src/lib.rs"), copy.join("src/lib.rs"))
        .expect("the fixture has a source");
    fs::copy(core.join("../Cargo.lock"), copy.join("Cargo.lock"))
        .expect("the workspace has a lock file");
    copy
}

#[test]
fn builds_without_the_standard_library() {
    let fixture = fixture();
    let cargo = env::var_os("CARGO").expect("cargo names itself to the tests it runs");
    let output = Command::new(cargo)
        .args(["build", "--offline", "--quiet", "--target-dir"])
        .arg(fixture.join("target"))
        .current_dir(&fixture)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "raft-core must not need the standard library:\n{errors}");
}
