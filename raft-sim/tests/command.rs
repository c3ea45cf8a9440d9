//! The built command from outside: bad use is refused in one line with status 2 and leaves nothing
//! behind; good use ends as it says.
#![cfg(feature = "command")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory of a test's own, removed at its end.
struct Room {
    path: PathBuf,
}

impl Room {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path).expect("an old room can be removed");
        }
        fs::create_dir_all(&path).expect("a room can be made");
        Self { path }
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_raft-sim"))
            .args(line.split_whitespace())
            .current_dir(&self.path)
            .output()
            .expect("the command starts")
    }

    /// Runs the command and expects it to refuse, in one line that contains all of `named`, and to write
    /// nothing.
    fn refused(&self, line: &str, named: &[&str]) {
        let before = self.contents();
        let output = self.run(line);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "`{line}`: {message}");
        assert!(
            output.stdout.is_empty(),
            "`{line}` prints {:?}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert_eq!(message.lines().count(), 1, "`{line}` says {message:?}");
        assert!(message.starts_with("error: "), "`{line}` says {message:?}");
        for name in named {
            assert!(message.contains(name), "`{line}` does not name {name:?}: {message:?}");
        }
        assert_eq!(self.contents(), before, "`{line}` leaves something behind");
    }

    fn contents(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.path).expect("the room is there");
        let mut names: Vec<PathBuf> =
            entries.map(|entry| entry.expect("the room can be read").path()).collect();
        names.sort();
        names
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path.join(name), text).expect("the room can be written");
    }

    /// A valid plan, as text.
    fn plan() -> String {
        raft_sim::plan::Plan::generate(1, raft_sim::plan::Profile::Default).to_json()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What is left of it is in a directory for temporary files.
        drop(fs::remove_dir_all(&self.path));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Flags and actions that do not exist are named, and a similar one is suggested.
#[test]
fn unknown_flags_are_refused() {
    let room = Room::new("flags");
    room.refused("--sedes 10", &["--sedes", "--seeds"]);
    room.refused("run --frobnicate", &["--frobnicate"]);
    room.refused("walk", &["walk"]);
    room.refused("run --seeds", &["--seeds"]);
    room.refused("replay", &["SEED|FILE"]);
    room.refused("run --profile fierce", &["fierce", "default"]);
    room.refused("replay 1 --profile fierce", &["fierce", "default"]);
}

/// Seeds, shards, times and numbers of threads that make no sense are refused with the reason.
#[test]
fn impossible_numbers_are_refused() {
    let room = Room::new("numbers");
    room.refused("run --seeds 9..3", &["9..3", "greater"]);
    room.refused("run --seeds 5..5", &["5..5", "no seed"]);
    room.refused("run --seeds x..y", &["x..y", "not a number"]);
    room.refused("run --seeds 0", &["0 seeds"]);
    room.refused("run --seeds fresh:no", &["fresh:no", "not a number"]);
    room.refused("run --seeds 99999999999999999999", &["99999999999999999999"]);
    room.refused("run --shard 5/4", &["5/4"]);
    room.refused("run --seeds 2 --shard 4/4", &["4/4", "no seed"]);
    room.refused("run --jobs 0", &["--jobs", "1 to 1024"]);
    room.refused("run --time soon", &["soon"]);
    room.refused("run --time 0s", &["0s"]);
    room.refused("replay 99999999999999999999", &["99999999999999999999", "largest"]);
    room.refused("replay 1 --generator 99", &["99"]);
    room.refused("replay 1 --node 9", &["n9"]);
    room.refused("replay 1 --until never", &["never"]);
}

/// A plan file that is missing, cut off, of another version or no plan is called what it is.
#[test]
fn broken_plan_files_are_refused() {
    let room = Room::new("plans");
    let plan = Room::plan();
    room.put("cut.json", &plan[..plan.len() / 2]);
    room.put("other.json", &plan.replacen("\"version\": 1", "\"version\": 99", 1));
    room.put("empty.json", "");
    room.put("prose.json", "this is no plan");
    room.refused("replay missing.json", &["missing.json"]);
    room.refused("replay cut.json", &["cut.json", "cut off"]);
    room.refused("replay other.json", &["other.json", "99"]);
    room.refused("replay empty.json", &["empty.json"]);
    room.refused("replay prose.json", &["prose.json"]);
    room.refused("replay .", &["not a file"]);
}

/// A configuration that contradicts itself is refused by the names of what contradicts.
#[test]
fn contradictory_settings_are_refused() {
    let room = Room::new("settings");
    let mut plan: serde_json::Value = serde_json::from_str(&Room::plan()).expect("a plan is JSON");
    let heartbeat = plan["settings"]["heartbeat_interval"].clone();
    plan["settings"]["election_timeout"] = 1.into();
    assert!(heartbeat.is_u64(), "the test knows the settings by their names");
    room.put("hasty.json", &plan.to_string());
    room.refused("replay hasty.json", &["hasty.json", "election", "heartbeat"]);
}

/// Files that cannot be written are refused before anything is run.
#[test]
fn unwritable_outputs_are_refused() {
    let room = Room::new("outputs");
    room.put("occupied", "not a directory");
    room.refused("run --seeds 1 --json nowhere/summary.json", &["--json", "nowhere"]);
    room.refused("run --seeds 1 --junit .", &["--junit"]);
    room.refused("run --seeds 1 --summary nowhere/summary.md", &["--summary", "nowhere"]);
    room.refused("run --seeds 1 --failures occupied", &["--failures", "occupied"]);
    room.refused("bench --json nowhere/bench.json", &["--json", "nowhere"]);
}

/// Help and version are no errors.
#[test]
fn help_is_no_error() {
    let room = Room::new("help");
    for line in ["--help", "run --help", "--version"] {
        let output = room.run(line);
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{line}");
    }
}

/// A small campaign ends clean, with a verdict in its last line and a summary that a program can read,
/// and leaves no directory of failures.
#[test]
fn a_small_campaign_is_clean() {
    let room = Room::new("clean");
    let output =
        room.run("run --seeds 0..8 --json summary.json --junit junit.xml --summary page.md");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.lines().last().is_some_and(|line| line.starts_with("clean: ")), "{said}");
    let json = fs::read_to_string(room.path.join("summary.json")).expect("the summary is written");
    let summary: serde_json::Value = serde_json::from_str(&json).expect("the summary is JSON");
    assert_eq!(summary["runs"], 8);
    assert_eq!(summary["verdict"], "clean");
    assert_eq!(room.contents().len(), 3, "only what was asked for is written");
}

/// The same seed has the same digest in a campaign of one thread and of two, and in two replays.
#[test]
fn digests_do_not_depend_on_threads() {
    let room = Room::new("digests");
    let digest = |line: &str| {
        let output = room.run(line);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        json["digest"].as_str().expect("there is a digest").to_owned()
    };
    let one = digest("run --seeds 0..6 --jobs 1 --json -");
    assert_eq!(one, digest("run --seeds 0..6 --jobs 2 --json -"));
    let replayed = digest("replay 3 --format json");
    assert_eq!(replayed, digest("replay 3 --format json"));
}

/// A replay of a seed and of its plan's file are the same run, told with a column for each node.
#[test]
fn a_replay_tells_the_run() {
    let room = Room::new("replay");
    room.put("plan.json", &Room::plan());
    let from_seed = room.run("replay 1 --rows 50");
    let from_file = room.run("replay plan.json --rows 50");
    assert_eq!(text(&from_seed.stdout), text(&from_file.stdout));
    assert_eq!(from_seed.status.code(), Some(0));
    let said = text(&from_seed.stdout);
    assert!(said.lines().any(|line| line.trim_start().starts_with("time  n1")), "{said}");
    assert!(said.contains("\ndigest "), "{said}");
    assert!(said.lines().count() < 60, "only fifty rows are shown");
}
