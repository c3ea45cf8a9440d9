//! Goal: what nodes say and do in typical situations, written down line by line and compared with what they say
//! and do today.
//!
//! A transcript in `transcripts/` holds commands (`> ...`) and, under each, every input that followed from
//! it and every effect of that input; what follows from `- ...` is not shown. `UPDATE_TRANSCRIPTS=1 cargo test --test transcripts` writes the
//! answers anew; look at the difference before you commit it.
//!
//! | command | what it does |
//! |---|---|
//! | `nodes 3 pre_vote=off` | a new cluster, with settings |
//! | `join n4` | a node with an empty disk |
//! | `campaign n1`, `tick n1`, `propose n1 text`, `read n1`, `transfer n1 n2` | one input |
//! | `change n1 n1 n2 learners n3` | the same: the members are to be n1 and n2, and n3 a learner |
//! | `compact n1` | a snapshot of the machine as it is |
//! | `deliver n1 n2 Kind`, `drop n1 n2 Kind` | the oldest message of that kind on that way |
//! | `settle`, `wait 100`, `pass 100` | deliver all; time without timers; time with timers |
//! | `isolate n1`, `cut n1 n2`, `heal` | links |
//! | `hold-disk n1`, `sync n1`, `release-disk n1` | a disk that waits; one write; all writes |
//! | `crash n1 2`, `restart n1` | a crash that keeps two parts of the write under way |
//! | `status` | a line for each node |

#[path = "transcripts/format.rs"]
mod format;

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use raft_core::{Membership, NodeId, Settings, Ticks, Toggle};
use support::requests::members;
use support::{Cluster, settings};

/// Runs a transcript's commands; says what it should look like.
fn run(transcript: &str) -> String {
    let mut cluster = Cluster::of(1);
    let mut text = String::new();
    for line in transcript.lines() {
        let (command, is_shown) = match (line.strip_prefix("> "), line.strip_prefix("- ")) {
            (Some(command), _) => (Some(command), true),
            (None, command) => (command, false),
        };
        let is_comment = line.starts_with('#');
        if command.is_none() && !is_comment {
            continue; // an answer, to be written anew
        }
        let answer = command.map_or(String::new(), |command| perform(&mut cluster, command));
        let ends_block = text.lines().last().is_some_and(|last| !last.starts_with(['#', '-']));
        let begins_block = is_comment && !text.is_empty() && !last_is_comment(&text);
        let gap = if ends_block || begins_block { "\n" } else { "" };
        let _ = writeln!(text, "{gap}{line}");
        text.push_str(if is_shown { &answer } else { "" });
    }
    text
}

fn last_is_comment(text: &str) -> bool {
    text.lines().last().is_some_and(|line| line.starts_with('#'))
}

/// Performs a command; returns what it led to.
fn perform(cluster: &mut Cluster, command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    let node = |place: usize| node(words[place]);
    let number = |place: usize| words[place].parse::<u64>().expect("a number");
    cluster.journal.clear();
    match words[0] {
        "nodes" => *cluster = Cluster::with(number(1), chosen(&words[2..])),
        "campaign" => cluster.campaign(node(1)),
        "tick" => cluster.tick(node(1)),
        "join" => cluster.join(node(1)),
        "read" => drop(cluster.read(node(1))),
        "transfer" => drop(cluster.transfer(node(1), node(2))),
        "change" => drop(cluster.change(node(1), target(&words[2..]))),
        "compact" => assert!(cluster.compact(node(1)), "there is nothing to take a snapshot of"),
        "propose" => drop(cluster.propose(node(1), words[2].to_owned())),
        "deliver" => cluster.deliver(node(1), node(2), words[3]),
        "drop" => drop(cluster.take(node(1), node(2), words[3])),
        "settle" => cluster.settle(),
        "wait" => cluster.wait(Ticks(number(1))),
        "pass" => cluster.pass(Ticks(number(1))),
        "isolate" => cluster.isolate(node(1)),
        "cut" => cluster.cut(node(1), node(2)),
        "heal" => cluster.heal(),
        "hold-disk" => cluster.hold_disk(node(1)),
        "sync" => cluster.sync(node(1)),
        "release-disk" => cluster.release_disk(node(1)),
        "crash" => {
            let parts = words.get(2).map_or(Ok(0), |word| word.parse());
            cluster.crash_keeping(node(1), parts.expect("a number of parts"));
        }
        "restart" => cluster.restart(node(1)),
        "status" => return status(cluster),
        other => panic!("`{other}` is no command"),
    }
    let lines = cluster.journal.iter().map(|(id, happened)| format::line(*id, happened) + "\n");
    lines.collect()
}

fn node(word: &str) -> NodeId {
    let number = word.strip_prefix('n').and_then(|number| number.parse().ok());
    NodeId(number.unwrap_or_else(|| panic!("`{word}` is no node: write n1")))
}

fn target(words: &[&str]) -> Membership {
    let numbers = |words: &[&str]| words.iter().map(|word| node(word).0).collect::<Vec<_>>();
    let mut halves = words.split(|word| *word == "learners");
    let [voters, learners] =
        [halves.next(), halves.next()].map(|half| numbers(half.unwrap_or(&[])));
    members(&voters, &learners)
}

fn chosen(words: &[&str]) -> Settings {
    let mut settings = settings();
    for word in words {
        match *word {
            "pre_vote=off" => settings.pre_vote = Toggle::Off,
            "max_batch_entries=2" => settings.max_batch_entries = 2,
            "retained_entries=0" => settings.retained_entries = 0,
            "max_chunk_bytes=8" => settings.max_chunk_bytes = 8,
            "read_lease=on" => settings.read_lease = Toggle::On,
            "max_inflight_messages=2" => settings.max_inflight_messages = 2,
            other => panic!("`{other}` is no setting that transcripts know"),
        }
    }
    settings
}

fn status(cluster: &Cluster) -> String {
    let mut text = String::new();
    for (id, host) in &cluster.hosts {
        let _ = match &host.node {
            Some(node) => writeln!(text, "{} log {:?}", node.status(), cluster.terms(*id)),
            None => writeln!(text, "{id} is down"),
        };
    }
    text
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    let expected = fs::read_to_string(&path).expect("the transcript is there");
    let expected = expected.replace("\r\n", "\n");
    let actual = run(&expected);
    if env::var_os("UPDATE_TRANSCRIPTS").is_some_and(|value| value == "1") {
        fs::write(&path, actual).expect("the transcript can be written");
        return;
    }
    for (number, (expected, actual)) in (1..).zip(expected.lines().zip(actual.lines())) {
        assert_eq!(actual, expected, "{name}:{number}; UPDATE_TRANSCRIPTS=1 writes it anew");
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "{name} ends elsewhere");
}

#[test]
fn election() {
    check("election.txt");
}

#[test]
fn contested_election() {
    check("contested_election.txt");
}

#[test]
fn lagging_follower() {
    check("lagging_follower.txt");
}

#[test]
fn crash_and_recovery() {
    check("crash_and_recovery.txt");
}

#[test]
fn membership_change() {
    check("membership_change.txt");
}

#[test]
fn snapshot() {
    check("snapshot.txt");
}

#[test]
fn reads() {
    check("reads.txt");
}

#[test]
fn transfer() {
    check("transfer.txt");
}
