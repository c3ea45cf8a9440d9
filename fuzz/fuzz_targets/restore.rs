//! A node that starts from a disk, whatever is on it: it is refused in words that say something, or it knows what the disk
//! knows, and lives on from there; and what it then writes is a disk to start from, too.
#![cfg_attr(fuzzing, no_main)]

use std::sync::Arc;

use raft_core::{
    Bootstrap, Force, HardState, Incarnation, Instant, Join, LogIndex, Membership, Node, NodeId,
    Payload, RestoreError, Role, Start, Term,
};
use raft_fuzz::dice::Dice;
use raft_fuzz::driver::Driver;
use raft_fuzz::life::{act, end};
use raft_fuzz::origin::{self, MOST_STAGED};
use raft_fuzz::settings::{membership, settings};
use support::disk::Disk;
use support::lanes::Transport;

raft_fuzz::target!(run);

/// What comes after a start is the concern of the target `node`.
const MOST_ACTS: usize = 40;
/// When the life begins.
const BEGINS: Instant = Instant(1_000);
/// How many terms are left out when a membership is forced.
const FORCED_TERMS: u64 = 1_000;

fn run(input: &[u8]) {
    let mut dice = Dice::new(input);
    let id = NodeId(u64::from(dice.below(3)) + 1);
    let config = settings(&mut dice, id);
    let (disk, applied) = origin::disk(&mut dice);
    let restored = match disk.restored(applied) {
        Ok(restored) => restored,
        Err(error) => return says_something(error),
    };
    let start: Start = match dice.byte() {
        0..=199 => restored.into(),
        200..=239 => Force { restored, membership: membership(&mut dice) }.into(),
        240..=247 => Bootstrap { membership: membership(&mut dice) }.into(),
        _ => Join.into(),
    };
    let is_new = matches!(start, Start::Bootstrap(_) | Start::Join(_));
    let (disk, applied) = if is_new { (Disk::default(), LogIndex::ZERO) } else { (disk, applied) };
    let mut driver = match Driver::start(config, start.clone(), disk, applied, BEGINS) {
        Ok(driver) => driver,
        Err(error) => return says_something(error),
    };
    match &start {
        Start::Restart(_) => knows(&driver.node, &driver.disk, applied),
        Start::Force(force) => is_forced(&driver.node, &driver.disk, &force.membership),
        Start::Bootstrap(_) | Start::Join(_) => {}
    }
    if driver.disk.staged.as_ref().is_some_and(|staged| staged.partial.received > MOST_STAGED) {
        return;
    }
    for _ in 0..MOST_ACTS {
        if dice.is_empty() {
            break;
        }
        act(&mut driver, &mut dice);
    }
    end(&mut driver);
    starts_again(&driver);
}

/// A refusal is one sentence, and says more than that something is wrong.
fn says_something(error: RestoreError) {
    let text = error.to_string();
    assert!(text.len() > 30 && !text.contains('\n'), "{error:?} is told as `{text}`");
}

/// What was written since is a disk to start from.
fn starts_again(driver: &Driver) {
    if driver.disk.is_empty() || driver.disk.is_at_the_end() {
        return;
    }
    let restored = driver.disk.restored(driver.applied).expect("entries are in order");
    let node = Node::new(driver.config, restored, driver.now);
    knows(&node.expect("what a node wrote is a beginning"), &driver.disk, driver.applied);
}

/// A node knows exactly what its disk knows.
fn knows(node: &Node, disk: &Disk, applied: LogIndex) {
    let (status, on_disk, snapshot) = (node.status(), disk.hard_state, disk.snapshot());
    let incarnation = Incarnation(on_disk.incarnation.0 + 1);
    assert_eq!(status.hard_state, HardState { incarnation, ..on_disk });
    assert!(!status.hard_state_durable, "the new incarnation is not written yet");
    assert_eq!((status.role, status.leader), (Role::Follower, None));
    assert_eq!((status.last, status.durable), (disk.last(), disk.last().index));
    assert_eq!(node.snapshot(), &snapshot);
    assert_eq!(status.applied, applied);
    let position = snapshot.position;
    if disk.holds(position) {
        assert_eq!(status.base, disk.base);
        for (offset, entry) in disk.entries.iter().enumerate() {
            let index = disk.base.index.advanced(offset + 1);
            assert_eq!(node.term_at(index), Some(entry.term));
        }
        let known = disk.commit.max(applied).max(position.index);
        assert_eq!(status.commit, known.min(disk.last().index), "the hint, as far as the log goes");
    } else {
        assert_eq!((status.base, status.last), (position, position), "its log is from before it");
        assert_eq!(status.commit, position.index);
    }
    assert_eq!(node.membership(), &in_force(disk), "thesis §4.1");
    let staged = disk.staged.as_ref().filter(|staged| staged.came_by == Transport::Chunks);
    let staged = staged.map(|staged| staged.partial.clone());
    let of_known_terms = |term: Term| term <= on_disk.term;
    assert_eq!(status.arriving, staged.filter(|it| of_known_terms(it.snapshot.position.term)));
}

/// The last membership in the log, committed or not; or else the snapshot's.
fn in_force(disk: &Disk) -> Arc<Membership> {
    let snapshot = disk.snapshot();
    let first = snapshot.position.index.next();
    let count = if disk.holds(snapshot.position) {
        disk.last().index.entries_since(first.previous())
    } else {
        0
    };
    let after = (0..count).rev().filter_map(|offset| disk.entry(LogIndex(first.0 + offset)));
    let mut memberships = after.filter_map(|entry| match &entry.payload {
        Payload::Membership(membership) => Some(membership.clone()),
        _ => None,
    });
    memberships.next().unwrap_or(snapshot.membership)
}

/// A forced membership is the last entry of a much later term.
fn is_forced(node: &Node, disk: &Disk, membership: &Membership) {
    let (status, on_disk) = (node.status(), disk.hard_state);
    let term = Term((on_disk.term.0 + FORCED_TERMS).min(Term::MAX.0));
    assert_eq!((status.term(), status.hard_state.vote), (term, None));
    assert_eq!((status.last.term, status.last.index), (term, disk.last().index.next()));
    assert_eq!(status.durable, disk.last().index, "it is not written yet");
    assert_eq!(&**node.membership(), membership);
}
