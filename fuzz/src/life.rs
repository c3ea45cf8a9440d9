//! What happens to a node, one thing after the other, as bytes say.

mod lanes;

use raft_core::{
    Envelope, Input, Instant, LogIndex, Membership, MembershipParts, NodeId, RecordedInput,
    Request, Restored, Start, Ticks,
};

use crate::dice::Dice;
use crate::driver::{Driver, How};
use crate::message::{answer, invented, twist};
use crate::settings::membership;
use support::disk;

/// The last moment here: later ones come only with the end of time, which nothing survives.
const LAST: u64 = 1 << 60;

/// The bits of a byte that say what happens; the others say how.
const KINDS: u8 = 32;
/// In a byte with these bits what happens is fed, and settled with what follows.
const FED: u8 = 0b111_00000;

/// Lets one thing happen.
pub fn act(driver: &mut Driver, dice: &mut Dice<'_>) {
    let byte = dice.byte();
    let how = if byte & FED == FED { How::Feed } else { How::Step };
    match byte % KINDS {
        0 => driver.sync(how),
        1 => driver.work(how),
        2 => driver.stage(how, dice.byte()),
        3 => driver.fetch(how, dice.byte()),
        4 => driver.read(how, dice.byte()),
        5 => driver.settle(),
        6 => tick(driver, how, dice),
        7 => deadline(driver),
        8 => driver.take(how, Input::Campaign),
        9 => driver.take(how, Input::Suppress(Ticks(dice.near(200)))),
        10..13 => request(driver, how, dice),
        13 => driver.take_snapshot(how, dice.byte()),
        14 => repeat(driver, how),
        15 => late(driver, how),
        16 => crash(driver, dice),
        17 => elect(driver, dice),
        18 => everything_answered(driver, dice),
        19..23 => answer_one(driver, how, dice),
        23 => {
            let again = dice.place(driver.received.len());
            if let Some(envelope) = driver.received.get(again).cloned() {
                receive(driver, how, envelope);
            }
        }
        _ => {
            let envelope = invented(dice, &driver.node);
            receive(driver, how, envelope);
        }
    }
}

fn receive(driver: &mut Driver, how: How, envelope: Envelope) {
    driver.take(how, Input::Receive(envelope));
}

fn pass(driver: &mut Driver, span: u64) {
    driver.now = Instant(driver.now.0.saturating_add(span).min(LAST));
}

/// Time passes; now and then the clock falls, which a node must not mind.
fn tick(driver: &mut Driver, how: How, dice: &mut Dice<'_>) {
    let now = driver.now;
    if dice.rarely(32) {
        driver.now = Instant(now.0.saturating_sub(dice.near(10)));
        driver.take(how, Input::Tick);
        driver.now = now;
        return;
    }
    pass(driver, dice.near(50));
    driver.take(how, Input::Tick);
}

/// What is due happens, and then nothing more is due at once.
fn deadline(driver: &mut Driver) {
    let due = driver.node.deadline();
    if due < Instant(LAST) {
        driver.now = driver.now.max(due);
    }
    // A node that has just won sends its first heartbeats in a step of their own.
    for _ in 0..3 {
        driver.step(Input::Tick);
    }
    let due = driver.node.deadline();
    assert!(due > driver.now, "it is due at {due} for ever: {}", driver.node.status());
}

fn request(driver: &mut Driver, how: How, dice: &mut Dice<'_>) {
    match dice.below(8) {
        0..3 => {
            let command = dice.data();
            driver.ask(how, |id| Request::Propose { id, command });
        }
        3 => driver.ask(how, |id| Request::Read { id }),
        4 | 5 => {
            let to = near_membership(dice, driver.node.membership()).into();
            driver.ask(how, |id| Request::ChangeMembership { id, to });
        }
        6 => {
            let to = NodeId(u64::from(dice.below(6)));
            driver.ask(how, |id| Request::Transfer { id, to });
        }
        _ => {
            for _ in 0..dice.below(16) {
                driver.ask(how, |id| Request::Propose { id, command: "again".into() });
            }
        }
    }
}

/// One voter or learner more or less as a rule.
fn near_membership(dice: &mut Dice<'_>, present: &Membership) -> Membership {
    if dice.rarely(4) {
        return membership(dice);
    }
    let mut parts = MembershipParts::from(present.clone());
    let id = NodeId(u64::from(dice.below(5)) + 1);
    parts.outgoing.clear();
    parts.contexts.clear();
    match dice.below(3) {
        0 => drop(parts.voters.insert(id)),
        1 => drop(parts.voters.remove(&id)),
        _ => drop(parts.learners.insert(id)),
    }
    parts.learners.retain(|id| !parts.voters.contains(id));
    parts.try_into().unwrap_or_default()
}

/// A receipt that was given already is given again.
fn repeat(driver: &mut Driver, how: How) {
    if let Some(receipt) = driver.repeatable.clone() {
        let input = receipt.replay(&driver.node);
        driver.take(how, input);
    }
}

/// A receipt of an earlier life comes late: it is none of this one's.
fn late(driver: &mut Driver, how: How) {
    if let Some(input) = driver.stale.pop() {
        assert_eq!(RecordedInput::of(&input, &driver.node), RecordedInput::ForeignReceipt);
        driver.take(how, input);
    }
}

/// Answers a message that the node sent, rightly or nearly so.
fn answer_one(driver: &mut Driver, how: How, dice: &mut Dice<'_>) {
    let back = dice.place(driver.sent.len());
    let Some(sent) = driver.sent.iter().rev().nth(back).cloned() else { return };
    let mut envelope = answer(dice, &driver.node, &sent);
    twist(dice, &mut envelope);
    receive(driver, how, envelope);
}

/// Every message that the node sent of late is answered as it hopes, and so on for a while.
fn everything_answered(driver: &mut Driver, dice: &mut Dice<'_>) {
    for _ in 0..3 {
        driver.settle();
        for sent in std::mem::take(&mut driver.sent) {
            let envelope = answer(dice, &driver.node, &sent);
            receive(driver, How::Step, envelope);
        }
    }
}

/// The node stands for election, and wins if others help.
fn elect(driver: &mut Driver, dice: &mut Dice<'_>) {
    driver.settle();
    driver.sent.clear();
    pass(driver, driver.config.election_timeout.0);
    driver.step(Input::Campaign);
    everything_answered(driver, dice);
}

/// The node stops, and comes back with what its disk had taken.
fn crash(driver: &mut Driver, dice: &mut Dice<'_>) {
    if driver.now >= Instant(LAST) {
        return; // The next life begins later.
    }
    let mut disk = driver.disk.clone();
    if let Some(persist) = &driver.open.write {
        let kept = dice.place(disk::parts(persist.write()) + 1);
        disk.write_prefix(persist.write(), kept);
    }
    if disk.is_at_the_end() {
        return;
    }
    driver.disk = disk;
    driver.forget();
    pass(driver, 1 + u64::from(dice.byte()));
    let applied = if dice.rarely(2) { driver.applied } else { LogIndex::ZERO };
    let restored = driver.disk.restored(applied).expect("no node writes entries out of order");
    let start = start_again(driver, restored);
    driver.restart(start, applied);
}

/// A disk that nothing was written to, or the founding membership alone, is as good as none.
fn start_again(driver: &Driver, restored: Restored) -> Start {
    if driver.disk.is_empty() { driver.first_start.clone() } else { restored.into() }
}

/// The driver catches up, and time passes: every request has its answer.
///
/// # Panics
/// When one has not.
pub fn end(driver: &mut Driver) {
    for _ in 0..3 {
        driver.settle();
        pass(driver, driver.config.request_timeout.0);
        driver.step(Input::Tick);
    }
    if driver.now < Instant(LAST) {
        driver.settle();
        assert_eq!(driver.node.status().pending_requests, 0, "every request has an answer");
    }
}
