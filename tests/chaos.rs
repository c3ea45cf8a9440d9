//! Goal: whatever happens, in whatever order, the rules hold that the harness checks at every step, and in the
//! end everything comes right; and the runs do contain what they are for.
//!
//! `CHAOS_SEEDS=1000..9000 cargo test --release --test chaos` runs other seeds than the usual few.

#[path = "transcripts/format.rs"]
mod format;

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::{env, panic};

use raft_core::{
    Entry, Event, LogIndex, Message, Outcome, Payload, Reader, Refusal, SnapshotReceipt, StepDown,
    Write,
};
use support::Happened;
use support::chaos::Chaos;
use support::disk::Disk;
use support::lanes::Staging;

/// How much happens in a run.
const ACTS: usize = 2_500;
/// How much of a run that fails is told.
const LINES: usize = 60;

/// The seeds to run: those of the environment, or a few hundred.
fn seeds() -> Range<u64> {
    let Ok(text) = env::var("CHAOS_SEEDS") else { return 0..600 };
    let ends = text
        .split_once("..")
        .and_then(|(from, to)| Some(from.parse::<u64>().ok()?..to.parse::<u64>().ok()?));
    ends.unwrap_or_else(|| panic!("CHAOS_SEEDS is `{text}`: write two numbers, such as 0..600"))
}

/// A whole run. One that fails tells its seed and how it ended.
fn run(seed: u64) -> Chaos {
    let mut chaos = Chaos::new(seed);
    let end = panic::catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..ACTS {
            chaos.act();
        }
        chaos.recover();
    }));
    if let Err(panic) = end {
        let journal = &chaos.cluster.journal;
        for (id, happened) in &journal[journal.len().saturating_sub(LINES)..] {
            eprintln!("{}", format::line(*id, happened));
        }
        eprintln!("seed {seed}: CHAOS_SEEDS={seed}..{} runs it alone", seed + 1);
        panic::resume_unwind(panic);
    }
    chaos
}

/// How often each situation came up.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    /// Situations without which the runs would prove little.
    const EXPECTED: [&'static str; 25] = [
        "a log was cut",
        "a membership was cut with it",
        "a joint configuration was written",
        "a snapshot was installed",
        "a snapshot was installed while joint",
        "a log was replaced by an installation",
        "a log was compacted",
        "a machine was restored",
        "entries were read for a peer",
        "entries were read for the machine",
        "a chunk was staged",
        "a chunk in the middle was staged",
        "a snapshot was fetched from elsewhere",
        "a snapshot could not be had or kept",
        "a leader was told to stand",
        "a transfer was done",
        "a transfer was given up",
        "a leader removed itself",
        "a read was done",
        "a read was forwarded",
        "a read was refused by deposition",
        "a change of members was refused while another was under way",
        "a change of members was refused before the first commit",
        "a proposal was lost",
        "the fate of a request stayed unknown",
    ];

    fn add(&mut self, situation: &'static str, came_up: bool) {
        assert!(Self::EXPECTED.contains(&situation), "{situation} is on the list");
        *self.0.entry(situation).or_default() += u64::from(came_up);
    }

    fn count(&mut self, chaos: &Chaos) {
        for (_, happened) in &chaos.cluster.journal {
            match happened {
                Happened::Wrote { onto, write } => self.count_write(onto, write),
                Happened::Sent(envelope) => self.count_message(&envelope.message),
                Happened::Noted(event) => self.count_event(event),
                Happened::Restored(_) => self.add("a machine was restored", true),
                Happened::Fetches(fetching) => match fetching.reader {
                    Reader::Peer(_) => self.add("entries were read for a peer", true),
                    Reader::Machine => self.add("entries were read for the machine", true),
                },
                Happened::Stages(Staging::Chunk { offset, .. }) => {
                    self.add("a chunk was staged", true);
                    self.add("a chunk in the middle was staged", *offset > 0);
                }
                Happened::Stages(Staging::Fetch { .. }) => {
                    self.add("a snapshot was fetched from elsewhere", true);
                }
                Happened::Replied(reply) => self.count_outcome(&reply.outcome),
                Happened::Given(_) | Happened::Applied(_) | Happened::Reads(_) => {}
            }
        }
    }

    fn count_write(&mut self, onto: &Disk, write: &Write) {
        let is_membership = |entry: &Entry| matches!(entry.payload, Payload::Membership(_));
        let is_joint = |entry: &Entry| match &entry.payload {
            Payload::Membership(membership) => membership.is_joint(),
            Payload::Blank | Payload::Command { .. } => false,
        };
        let installed = write.install.as_ref().filter(|of| of.position.index > LogIndex::ZERO);
        let is_replaced = installed.is_some() && !onto.entries.is_empty();
        self.add("a log was replaced by an installation", is_replaced);
        let while_joint = installed.is_some_and(|of| of.membership.is_joint());
        self.add("a snapshot was installed while joint", while_joint);
        let mut appended = write.append.iter().flat_map(|append| append.entries.iter());
        self.add("a joint configuration was written", appended.any(is_joint));
        let cut = write.truncate_from.filter(|_| installed.is_none()).is_some_and(|first| {
            let mut gone = (first.0..=onto.last().index.0).map(LogIndex);
            gone.any(|index| onto.entry(index).is_some_and(is_membership))
        });
        self.add("a membership was cut with it", cut);
    }

    fn count_message(&mut self, message: &Message) {
        match message {
            Message::TimeoutNow => self.add("a leader was told to stand", true),
            Message::ReadIndex { .. } => self.add("a read was forwarded", true),
            Message::SnapshotReply { receipt: SnapshotReceipt::Failed, .. } => {
                self.add("a snapshot could not be had or kept", true);
            }
            _ => {}
        }
    }

    fn count_event(&mut self, event: &Event) {
        match event {
            Event::Truncated { .. } => self.add("a log was cut", true),
            Event::SnapshotInstalled { .. } => self.add("a snapshot was installed", true),
            Event::Compacted { .. } => self.add("a log was compacted", true),
            Event::SteppedDown { reason: StepDown::Removed, .. } => {
                self.add("a leader removed itself", true);
            }
            Event::TransferAborted { .. } => self.add("a transfer was given up", true),
            _ => {}
        }
    }

    fn count_outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Readable { .. } => self.add("a read was done", true),
            Outcome::Transferred { .. } => self.add("a transfer was done", true),
            Outcome::Lost { .. } => self.add("a proposal was lost", true),
            Outcome::Unknown => self.add("the fate of a request stayed unknown", true),
            Outcome::Refused { refusal: Refusal::LeadershipLost, .. } => {
                self.add("a read was refused by deposition", true);
            }
            Outcome::Refused { refusal: Refusal::ChangePending, .. } => {
                self.add("a change of members was refused while another was under way", true);
            }
            Outcome::Refused { refusal: Refusal::NotYetCommitted, .. } => {
                self.add("a change of members was refused before the first commit", true);
            }
            Outcome::Refused { .. } | Outcome::Done { .. } => {}
        }
    }
}

#[test]
fn everything_comes_right_in_the_end() {
    let mut tally = Tally::default();
    for seed in seeds() {
        tally.count(&run(seed));
    }
    for (situation, times) in &tally.0 {
        println!("{times:8} times {situation}");
    }
    if env::var_os("CHAOS_SEEDS").is_some() {
        return; // Perhaps a single one.
    }
    for situation in Tally::EXPECTED {
        let times = tally.0.get(situation).copied().unwrap_or(0);
        assert!(times > 0, "in none of the runs: {situation}");
    }
}
