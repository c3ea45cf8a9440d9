//! Goal: every target, without a fuzzer, runs its seeds and what was found before, and finds nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use raft_fuzz::seeds;

/// Runs a target on its seeds, and on what is kept.
fn replay(target: &str, program: &str) {
    let folder = env::temp_dir().join(format!("raft-fuzz-seeds-{}", std::process::id()));
    let count = seeds::write(target, &folder).expect("the seeds can be written");
    assert!(count > 20, "{target} has {count} seeds");
    let mut run = Command::new(program);
    run.arg(folder.join(target));
    let kept: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(target);
    if kept.is_dir() {
        run.arg(kept);
    }
    let output = run.output().expect("the target can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{target} finds something:\n{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing found"));
    fs::remove_dir_all(folder.join(target)).expect("the seeds can be removed");
}

#[test]
fn one_node() {
    replay("node", env!("CARGO_BIN_EXE_node"));
}

#[test]
fn a_start_from_a_disk() {
    replay("restore", env!("CARGO_BIN_EXE_restore"));
}

#[test]
fn a_cluster() {
    replay("cluster", env!("CARGO_BIN_EXE_cluster"));
}

#[test]
fn what_is_read() {
    replay("decode", env!("CARGO_BIN_EXE_decode"));
}

/// Seeds are the same every time, and no two have one name.
#[test]
fn seeds_are_the_same_every_time() {
    for target in seeds::TARGETS {
        let seeds = seeds::seeds(target);
        assert_eq!(seeds, seeds::seeds(target));
        let names: std::collections::BTreeSet<&String> =
            seeds.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), seeds.len(), "{target}");
    }
}
