//! The command with scenarios, from outside: what holds, what does not, and what is no scenario.
#![cfg(feature = "command")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const GOOD: &str = "# It is told to stand, and wins.\nscenario 1\nset pre-vote off\n\n+0ms campaign n1\n\
                    +50ms expect n1 leader\n";

/// A folder of a test's own, removed at its end.
struct Room(PathBuf);

impl Room {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("folder/deeper")).expect("a room can be made");
        let room = Self(path);
        room.put("good.scenario", GOOD);
        room.put("wrong.scenario", &GOOD.replace("n1 leader", "n1 leader, term 2"));
        room.put("bad.scenario", &GOOD.replace("campaign", "compaign"));
        room.put("folder/deeper/b.scenario", GOOD);
        room.put("folder/a.scenario", GOOD);
        room.put("folder/notes.txt", "no scenario");
        room
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("the room can be written");
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raft-sim"));
        command.args(line.split_whitespace()).current_dir(&self.0).stdin(Stdio::null());
        command.output().expect("the command starts")
    }

    /// What is printed, on standard output and on standard error, with the status.
    fn told(&self, line: &str) -> (i32, String, String) {
        let output = self.run(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let status = output.status.code().expect("it ends by itself");
        (status, text(&output.stdout), text(&output.stderr))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What is left of it is in a directory for temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Folders are walked in order, and each file is one line.
#[test]
fn scenarios_that_hold_are_listed() {
    let (status, told, wrong) = Room::new("hold").told("check good.scenario folder");
    let lines = "ok   good.scenario\nok   folder/a.scenario\nok   folder/deeper/b.scenario\n\
                 3 ok, 0 failed, 0 unusable\n";
    assert_eq!((status, told.as_str(), wrong.as_str()), (0, lines, ""));
}

/// What does not hold is told with its place and how to look at it, and is worse than what cannot be read.
#[test]
fn scenarios_that_do_not_hold_are_told() {
    let room = Room::new("differ");
    let (status, told, _) = room.told("check wrong.scenario good.scenario");
    assert_eq!(status, 1, "{told}");
    let first = "FAIL wrong.scenario:6: at 50ms n1 should be `term 2`, but is `term 1`\n     see what happened: ";
    assert!(told.starts_with(first), "{told}");
    assert!(told.contains(" replay wrong.scenario\n"), "{told}");
    assert!(told.ends_with("ok   good.scenario\n1 ok, 1 failed, 0 unusable\n"), "{told}");
    let (status, told, wrong) = room.told("check bad.scenario wrong.scenario");
    assert_eq!(status, 1, "{told}");
    assert!(wrong.starts_with("note: 1 of 2 could not be used"), "{wrong}");
}

/// What cannot be read is told with its place, after all others have been checked.
#[test]
fn what_is_no_scenario_is_bad_use() {
    let room = Room::new("bad");
    let (status, told, wrong) =
        room.told("check bad.scenario nothing folder/notes.txt good.scenario");
    assert_eq!(status, 2, "{told}");
    assert!(told.starts_with("BAD  bad.scenario:5:6: found `compaign`, expected "), "{told}");
    assert!(told.contains("\nBAD  nothing: "), "{told}");
    assert!(
        told.contains("\nBAD  folder/notes.txt:1:1: found `no`, expected `scenario`\n"),
        "{told}"
    );
    assert!(told.ends_with("ok   good.scenario\n1 ok, 0 failed, 3 unusable\n"), "{told}");
    assert_eq!(wrong.lines().count(), 1, "{wrong}");
    assert!(wrong.starts_with("error: 3 of 4 could not be used"), "{wrong}");
    fs::create_dir_all(room.0.join("empty")).expect("a folder can be made");
    let (status, told, _) = room.told("check empty");
    assert!(status == 2 && told.contains("holds no file `*.scenario`"), "{told}");
    assert_eq!(room.told("check").0, 2);
}

/// A scenario is replayed as a plan file is.
#[test]
fn scenarios_are_replayed() {
    let room = Room::new("replay");
    let (status, told, wrong) = room.told("replay good.scenario");
    assert_eq!(status, 0, "{wrong}");
    assert!(told.contains("the operator tells n1 to stand for election"), "{told}");
    let (status, _, wrong) = room.told("replay bad.scenario");
    assert_eq!(status, 2);
    let why = "the file `bad.scenario` cannot be used: line 5, column 6: found `compaign`";
    assert!(wrong.contains(why), "{wrong}");
}
