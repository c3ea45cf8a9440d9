//! The built command from outside: bad use is refused in one line with status 2 and leaves nothing
//! behind; good use ends as it says.
#![cfg(feature = "command")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

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

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raft-sim"));
        command.args(words).current_dir(&self.path).stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.command(&words).output().expect("the command starts")
    }

    /// Runs the command and expects it to refuse, in one line that contains all of `named`, and to write
    /// nothing.
    fn refused(&self, line: &str, named: &[&str]) {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.refused_words(&words, named);
    }

    fn refused_words(&self, words: &[&str], named: &[&str]) {
        let line = words.join(" ");
        let before = self.contents();
        let output = self.command(words).output().expect("the command starts");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "`{line}`: {message}");
        assert!(
            output.stdout.is_empty(),
            "`{line}` prints {:?}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert_eq!(message.lines().count(), 1, "`{line}` says {message:?}");
        assert!(message.starts_with("error: "), "`{line}` says {message:?}");
        assert!(!message.trim_end().contains(char::is_control), "`{line}` says {message:?}");
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

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)))
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
    room.refused("run --seeds fresh:8 --shard 1/4", &["fresh:", "1/4", "--seeds A..B"]);
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
    room.put("other.json", &plan.replacen("\"version\": 3", "\"version\": 99", 1));
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
    room.refused("replay 1 --html nowhere/run.html", &["--html", "nowhere"]);
}

/// Two outputs to one place would be neither: not to standard output, not to a file.
#[test]
fn one_place_for_two_outputs_is_refused() {
    let room = Room::new("places");
    room.refused("run --seeds 1 --json - --summary -", &["--json", "--summary", "standard output"]);
    room.refused("run --seeds 1 --junit - --summary -", &["--junit", "--summary"]);
    room.refused("run --seeds 1 --json - --junit -", &["--json", "--junit"]);
    room.refused("run --seeds 1 --json a --junit a", &["--json", "--junit", "`a`"]);
    room.refused("replay 1 --html a --record a", &["--html", "--record", "`a`"]);
}

/// A replay leaves a page that names the command that makes it again; on standard output there is nothing else. The life
/// of one node has none.
#[test]
fn a_replay_can_be_a_page() {
    let room = Room::new("page");
    let output = room.run("replay 1 --profile calm --html run.html");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("run.html"), "it says where the page is");
    assert!(text(&output.stdout).contains("clean: "), "the rows are printed all the same");
    let page = fs::read_to_string(room.path.join("run.html")).expect("the page is there");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("replay 1 --profile calm --generator "), "it names the command");
    let output = room.run("replay 1 --profile calm --html -");
    assert_eq!(text(&output.stdout), page, "the page alone");
    room.put("life.jsonl", &recording());
    room.refused("replay life.jsonl --html life.html", &["--html", "life.jsonl"]);
}

/// Each report alone can go to standard output, which then holds nothing else, and no file is made.
#[test]
fn every_report_can_go_to_standard_output() {
    let room = Room::new("stdout");
    for (option, opening) in
        [("--json", "{"), ("--junit", "<?xml"), ("--summary", "### Simulation")]
    {
        let output = room.run(&format!("run --seeds 2 {option} -"));
        let (said, told) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{option}: {told}");
        assert!(said.starts_with(opening), "{option}: {said}");
        assert!(!said.contains("Campaign of seeds"), "{option}: {said}");
        assert!(
            told.contains("Campaign of seeds") && told.contains("\nclean: "),
            "{option}: {told}"
        );
    }
    assert_eq!(room.contents(), Vec::<PathBuf>::new());
}

/// A base may be drawn for all the machines that share a campaign, but not by each.
#[test]
fn a_fresh_base_is_printed() {
    let room = Room::new("fresh");
    let output = room.run("run --seeds fresh:1 --shard 1/1");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stderr);
    let (first, end) = told
        .strip_prefix("seeds ")
        .and_then(|rest| rest.strip_suffix(" (drawn afresh)\n")?.split_once(".."))
        .unwrap_or_else(|| panic!("the base is not printed: {told}"));
    let number = |text: &str| text.parse::<u64>().expect("the base is a number");
    assert_eq!(number(first) + 1, number(end));
    let again = room.run(&format!("run --seeds {first}..{end}"));
    assert_eq!(again.status.code(), Some(0), "what is printed can be given");
}

/// What machines that share a campaign have written becomes one report, from files or from one stream; with a shard
/// missing there is none.
#[test]
fn shards_are_merged() {
    let room = Room::new("merge");
    for shard in 1..=3 {
        let output =
            room.run(&format!("run --seeds 12 --shard {shard}/3 --json part-{shard}.json"));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let merged = room.run("merge part-3.json part-1.json part-2.json --json whole.json");
    let said = text(&merged.stdout);
    assert_eq!(merged.status.code(), Some(0), "{}", text(&merged.stderr));
    assert!(said.starts_with("Campaign of seeds 0..12 (profile default"), "{said}");
    assert!(said.contains("\nclean: nothing was violated in 12 seeds"), "{said}");
    let part = |shard| fs::read_to_string(room.path.join(format!("part-{shard}.json")));
    let stream: String = (1..=3).map(|shard| part(shard).expect("it was written")).collect();
    room.put("all.json", &stream);
    assert_eq!(text(&room.run("merge all.json").stdout), said);
    room.refused("merge part-1.json part-3.json", &["missing: 2/3"]);
    room.refused("merge part-1.json part-1.json", &["1/3 is there twice"]);
    room.put("torn.json", &stream[..stream.len() / 2]);
    room.refused("merge torn.json", &["`torn.json`", "run --json"]);
}

/// Names and files can hold anything; what is said of them is one line that does not steer a terminal.
#[test]
fn control_characters_are_printed_escaped() {
    let room = Room::new("control");
    room.put("torn.json", "{\"version\": 3, \"\u{7f}seed\u{9b}31m\": 1}");
    room.refused("replay torn.json", &["\\u{7f}seed\\u{9b}31m"]);
    let name = "no\r\u{1b}[31m\nx";
    let shown = "no\\r\\u{1b}[31m\\nx";
    room.refused_words(&["replay", name], &[shown]);
    room.refused_words(&["run", "--profile", name], &[shown]);
    room.refused_words(&["run", "--json", &format!("{name}/a")], &[shown]);
    room.refused_words(&["run", "--seeds", "a\rb"], &["a\\rb"]);
    room.refused_words(&["replay", "1", "--format", "a\rb"], &["a\\rb"]);
}

/// A campaign that is killed leaves the plans of the runs that have failed by then. Here every run fails,
/// since none ends within its millisecond.
#[test]
fn a_killed_campaign_leaves_its_plans() {
    let room = Room::new("killed");
    let line = "run --time 10m --jobs 1 --seed-time 1ms --max-failures 1000000 --failures plans";
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = room.command(&words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut campaign = command.spawn().expect("the command starts");
    let plans = room.path.join("plans");
    let count = || fs::read_dir(&plans).map_or(0, Iterator::count);
    // Two, so that one has been written to its end.
    for _ in 0..6_000 {
        if count() >= 2 {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let ended = campaign.try_wait().expect("it can be asked");
    campaign.kill().expect("it can be killed");
    campaign.wait().expect("it ends");
    assert_eq!(ended, None, "the campaign was still running");
    assert!(count() >= 2, "plans were written meanwhile");
    let replayed = room.run("replay plans/default-0.json --rows 1");
    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stderr));
}

/// What fails for its time is replayed under the limit that it failed.
#[test]
fn a_replay_has_the_time_of_its_campaign() {
    let room = Room::new("time");
    let output = room.run("run --seeds 5..6 --seed-time 1ms --json -");
    assert_eq!(output.status.code(), Some(1));
    let summary = json(&output.stdout);
    let failure = &summary["failures"][0];
    assert_eq!(failure["violation"]["property"], "time-limit");
    let plan = Path::new("raft-sim-failures").join("default-5.json");
    assert_eq!(failure["plan"].as_str(), plan.to_str());
    assert_eq!(summary["seed_limit_ms"], 1);
    let line = failure["replay"].as_str().expect("there is a line");
    let (_, arguments) = line.split_once(" -- ").expect("cargo runs it");
    assert!(arguments.ends_with(" --seed-time 1ms"), "{arguments}");
    for what in [arguments, "replay raft-sim-failures/default-5.json --seed-time 1ms"] {
        let replayed = room.run(&format!("{what} --format json"));
        assert_eq!(replayed.status.code(), Some(1), "{what}");
        let replayed = &json(&replayed.stdout)["verdict"];
        assert_eq!(replayed["violation"]["property"], "time-limit", "{what}");
        assert_eq!(replayed["violation"]["witness"], failure["violation"]["witness"], "{what}");
    }
}

/// A single measured run is told as JSON too, to a file and to standard output.
#[test]
fn one_measured_run_can_be_json() {
    let room = Room::new("bench");
    let shown = room.run("bench --events 2000 --json -");
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    let document = json(&shown.stdout);
    assert_eq!(document["events"], 2_000);
    assert!(document["messages_delivered"].as_u64() > Some(0), "{document}");
    let written = room.run("bench --events 2000 --json bench.json");
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    assert!(text(&written.stdout).starts_with("2000 events, "), "{}", text(&written.stdout));
    let file = fs::read(room.path.join("bench.json")).expect("the file is written");
    assert_eq!(json(&file)["messages_delivered"], document["messages_delivered"]);
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

/// The built-in machine draws commands larger than a batch may be: that no campaign is judged by it for
/// machines of one's own is no licence for this one.
#[test]
fn the_built_in_load_has_oversize_entries() {
    let room = Room::new("oversize");
    let summary = json(&room.run("run --seeds 0..120 --json -").stdout);
    let coverage = summary["coverage"].as_array().expect("there is a scorecard");
    let score = coverage
        .iter()
        .find(|score| score["situation"] == "oversize-entry")
        .expect("it is on the scorecard");
    assert!(score["demanded"].as_u64() > Some(0), "{score}");
    assert!(score["seeds"].as_u64() >= score["demanded"].as_u64(), "{score}");
}

/// The same seed has the same digest in a campaign of one thread and of two, and in two replays.
#[test]
fn digests_do_not_depend_on_threads() {
    let room = Room::new("digests");
    let document = |line: &str| json(&room.run(line).stdout);
    let digest = |of: &serde_json::Value| of["digest"].as_str().expect("a digest").to_owned();
    let one = digest(&document("run --seeds 0..6 --jobs 1 --json -"));
    assert_eq!(one, digest(&document("run --seeds 0..6 --jobs 2 --json -")));
    let replayed = document("replay 3 --format json");
    assert_eq!(replayed, document("replay 3 --format json"));
    assert!(text(&room.run("replay 3").stdout).contains(&digest(&replayed["verdict"])));
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

/// The recording of a lone founder that is elected and takes a proposal.
fn recording() -> String {
    use raft_core::{
        Bootstrap, ClusterId, Effect, Effects, Input, Instant, Membership, NodeId, RecordedInput,
        RecordedLine, RecordedStart, RecordedStep, Request, RequestId, Settings,
    };
    let membership = Membership::of_voters([NodeId(1)]).expect("a voter");
    let settings = Settings::new(ClusterId(1), NodeId(1));
    let started =
        RecordedStart { settings, start: Bootstrap { membership }.into(), now: Instant(0) };
    let mut node = started.begin().expect("a founder");
    let mut lines = vec![RecordedLine::Started(Box::new(started))];
    let mut waiting = vec![Input::Tick, Input::Campaign];
    let (mut now, mut asked) = (0, false);
    while let Some(input) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
        now += 1;
        let now = Instant(now);
        let step = RecordedStep { now, input: RecordedInput::of(&input, &node) };
        lines.push(RecordedLine::Step(step));
        let mut effects = Effects::new();
        node.step(now, input, &mut effects);
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Persist(persist) => waiting.push(Input::Persisted(persist.done())),
                Effect::Apply(apply) => waiting.push(Input::Applied(apply.done())),
                _ => {}
            }
        }
        if node.role() == raft_core::Role::Leader && !asked {
            asked = true;
            let id = RequestId(7);
            waiting.push(Input::Request(Request::Propose { id, command: "x".into() }));
        }
    }
    lines.push(RecordedLine::Status(Box::new(node.status())));
    let text = |line: &RecordedLine| serde_json::to_string(line).expect("plain data") + "\n";
    lines.iter().map(text).collect()
}

/// A flight recording is lived again, to the recorded state; what differs is told, with its line.
#[test]
fn recordings_replay_to_the_recorded_state() {
    let room = Room::new("recordings");
    let whole = recording();
    room.put("life.jsonl", &whole);
    let output = room.run("replay life.jsonl");
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("same: ") && told.contains("1 recorded status was met"), "{told}");
    assert!(told.contains("becomes leader") && told.contains("is asked for Propose"), "{told}");

    let last = whole.lines().count();
    room.put("other.jsonl", &whole.replacen("\"commit\":2", "\"commit\":1", 1));
    let output = room.run("replay other.jsonl");
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let differs = format!("differs from the status in line {last}: commit is 2, recorded 1");
    assert!(told.contains(&differs), "{told}");

    room.put("cut.jsonl", &whole[..whole.len() - 10]);
    let output = room.run("replay cut.jsonl --format json");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(json(&output.stdout)["cut_off"], last as u64);
}

/// Lines that were lost or mixed up are named by their number.
#[test]
fn broken_recordings_are_refused() {
    let room = Room::new("broken-recordings");
    let whole = recording();
    let first = whole.lines().next().expect("the start");
    room.put("twice.jsonl", &format!("{whole}{first}\n"));
    room.refused("replay twice.jsonl", &["begins another life"]);
    room.put("mixed.jsonl", &whole.replacen("{\"step\"", "{\"stop\"", 1));
    room.refused("replay mixed.jsonl", &["line 2", "stop"]);
    room.put("start.jsonl", &first[..first.len() / 2]);
    room.refused("replay start.jsonl", &["line 1", "started"]);
}

/// A story is one document with the plan, the verdict and every event, and is cut where it is asked to be.
#[test]
fn a_replay_is_told_as_a_story() {
    let room = Room::new("story");
    let whole = json(&room.run("replay 1 --format json").stdout);
    assert_eq!(whole["version"], raft_sim::story::STORY_VERSION);
    let plan = raft_sim::plan::Plan::from_json(&whole["plan"].to_string());
    assert_eq!(plan.map(|plan| plan.seed), Ok(1));
    assert_eq!(whole["verdict"]["violation"], serde_json::Value::Null);
    let events = whole["events"].as_array().expect("there are events");
    assert!(events.len() > 100, "{}", events.len());
    assert_eq!(events[0]["kind"], "started");
    for (number, event) in events.iter().enumerate() {
        assert!(event["text"].is_string() && event["at"].is_u64(), "{event}");
        let because = event["because"].as_u64();
        assert!(because.is_none_or(|because| because < number as u64), "{event}");
    }
    let part = json(&room.run("replay 1 --format json --until 300ms").stdout);
    let part = part["events"].as_array().expect("there are events");
    assert!(part.len() < events.len() && *part == events[..part.len()], "a part from the start");
}

/// The other formats are a line an event, for drawers and checkers outside.
#[test]
fn a_replay_is_told_to_other_programs() {
    let room = Room::new("formats");
    let drawn = text(&room.run("replay 1 --format shiviz").stdout);
    assert!(drawn.starts_with("n1 {\"n1\":1} 0.000000 n1 starts"), "{drawn}");
    assert!(drawn.lines().any(|line| line.starts_with("c0 {")), "{drawn}");
    let history = text(&room.run("replay 1 --format history").stdout);
    let mut ends = 0;
    for line in history.lines() {
        let line: raft_sim::story::Line = serde_json::from_str(line).expect("a line of a history");
        ends += i64::from(line.step != raft_sim::story::Step::Invoke) * 2 - 1;
    }
    assert_eq!(ends, 0, "every operation begins and ends");
    room.put("life.jsonl", &recording());
    room.refused("replay life.jsonl --format shiviz", &["life.jsonl", "text and as JSON"]);
    room.refused("replay life.jsonl --format history", &["life.jsonl", "text and as JSON"]);
}

/// A recorded run is the same in the build that recorded it, and what differs from a record is named.
#[test]
fn recorded_runs_are_compared() {
    let room = Room::new("runs");
    let output = room.run("replay 1 --rows 1 --record one.run");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.starts_with("recorded in one.run: ") && told.contains(" events, the fates of "));
    let strict = room.run("replay one.run");
    assert_eq!(strict.status.code(), Some(0));
    let said = text(&strict.stdout);
    assert!(said.starts_with("same: ") && said.ends_with(" events\n"), "{said}");
    let guided = room.run("replay one.run --guided");
    assert_eq!(guided.status.code(), Some(0));
    let said = text(&guided.stdout);
    let ends = "same: nothing differs\nviolated: nothing, as recorded\n";
    assert!(said.starts_with("guided: ") && said.ends_with(ends), "{said}");

    // The events of one run, said to be another plan's.
    let whole = fs::read_to_string(room.path.join("one.run")).expect("it was written");
    room.put("other.run", &whole.replacen("\"seed\":1,", "\"seed\":2,", 1));
    let strict = room.run("replay other.run");
    assert_eq!(strict.status.code(), Some(1));
    let said = text(&strict.stdout);
    assert!(said.starts_with("differs from event ") && said.contains("; found is "), "{said}");
    let said = text(&room.run("replay other.run --guided").stdout);
    assert!(said.contains("\nfirst difference: event "), "{said}");
}

/// Recorded runs that are broken, and options that make no sense of what is replayed, are refused.
#[test]
fn recorded_runs_are_read_with_care() {
    let room = Room::new("broken-runs");
    room.run("replay 1 --rows 1 --record one.run");
    let whole = fs::read_to_string(room.path.join("one.run")).expect("it was written");
    room.put("cut.run", &whole[..whole.len() - 30]);
    room.put("changed.run", &whole.replacen("n1 starts with", "n2 starts with", 1));
    room.put("life.jsonl", &recording());
    room.refused("replay cut.run", &["cut.run", "cut off"]);
    room.refused("replay changed.run", &["changed.run", "was changed"]);
    room.refused("replay one.run --format json", &["one.run", "told as text"]);
    room.refused("replay one.run --record two.run", &["--record", "recorded already"]);
    room.refused("replay life.jsonl --record two.run", &["--record", "recorded already"]);
    room.refused("replay 1 --guided", &["--guided", "--record FILE"]);
    room.refused("replay 1 --record -", &["--record", "standard output"]);
    room.refused("replay 1 --record nowhere/one.run", &["--record", "nowhere"]);
}
