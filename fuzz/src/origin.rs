//! Disks that a node may be asked to start from: those that some writes left behind, as a rule, and all others.

use raft_core::{
    Entry, HardState, Incarnation, LogIndex, LogPosition, NodeId, Origin, PartialSnapshot, Payload,
    SnapshotMeta, Term,
};

use crate::dice::Dice;
use crate::settings::membership;
use support::disk::{Disk, Staged};
use support::lanes::Transport;

/// No log here is longer.
const MOST_ENTRIES: u8 = 16;
/// As many bytes of a snapshot can be staged here; a disk that claims more cannot be lived with.
pub const MOST_STAGED: u64 = 4_096;

/// A disk, and up to where the machine beside it has applied.
pub fn disk(dice: &mut Dice<'_>) -> (Disk, LogIndex) {
    let mut disk = Disk { base: base(dice), ..Disk::default() };
    let mut term = disk.base.term.0.max(1);
    for _ in 0..dice.below(MOST_ENTRIES) {
        term = match dice.byte() {
            0..=159 => term,
            160..=239 => term.saturating_add(1),
            _ => dice.near(term),
        };
        disk.entries.push(Entry { term: Term(term), payload: payload(dice) });
    }
    let (meta, last) = (snapshot(dice, &disk), disk.last());
    let term = last.term.max(meta.position.term);
    disk.keep(meta, dice.data());
    disk.hard_state = HardState {
        term: Term(dice.near(term.0)),
        vote: dice.rarely(2).then(|| NodeId(u64::from(dice.below(6)))),
        incarnation: Incarnation(dice.near(1)),
    };
    let behind = u64::from(dice.below(4));
    disk.commit = LogIndex(dice.near(last.index.0.saturating_sub(behind)));
    disk.staged = dice.rarely(4).then(|| staged(dice, &disk));
    let applied = match dice.byte() {
        0..=127 => LogIndex::ZERO,
        128..=191 => disk.snapshot().position.index,
        _ => LogIndex(dice.near(disk.commit.0)),
    };
    (disk, applied)
}

fn base(dice: &mut Dice<'_>) -> LogPosition {
    match dice.byte() {
        0..=127 => LogPosition::ZERO,
        byte @ 128..=223 => {
            let index = u64::from(byte) - 127;
            LogPosition::new(Term(1 + index / 16), LogIndex(index % 16 + 1))
        }
        _ => LogPosition::new(Term(dice.near(1)), LogIndex(dice.near(5))),
    }
}

fn payload(dice: &mut Dice<'_>) -> Payload {
    match dice.below(8) {
        0..5 => Payload::command(dice.data()),
        5 => Payload::Blank,
        6 => {
            let (node, incarnation) = (NodeId(u64::from(dice.below(4))), Incarnation(dice.near(1)));
            let origin = Origin { node, incarnation, sequence: dice.near(1) };
            Payload::Command { data: dice.data(), origin: Some(Box::new(origin)) }
        }
        _ => Payload::Membership(membership(dice).into()),
    }
}

/// Where the log begins, or in the middle of it, or elsewhere.
fn snapshot(dice: &mut Dice<'_>, disk: &Disk) -> SnapshotMeta {
    let index = match dice.byte() {
        0..=95 => disk.base.index,
        byte @ 96..=223 => disk.base.index.advanced(usize::from(byte % 16)),
        _ => LogIndex(dice.near(disk.base.index.0)),
    };
    let there = disk.entry(index).map_or(disk.base.term, |entry| entry.term);
    let position = LogPosition::new(Term(dice.near(there.0)), index);
    SnapshotMeta { position, membership: membership(dice).into() }
}

fn staged(dice: &mut Dice<'_>, disk: &Disk) -> Staged {
    let index = LogIndex(dice.near(disk.last().index.0.saturating_add(3)));
    let position = LogPosition::new(Term(dice.near(disk.hard_state.term.0)), index);
    let snapshot = SnapshotMeta { position, membership: membership(dice).into() };
    let total = dice.near(40);
    let missing = u64::from(dice.below(16));
    let received = dice.near(total.saturating_sub(missing));
    let source = NodeId(u64::from(dice.below(4)));
    let bytes = vec![b'?'; usize::try_from(received.min(MOST_STAGED)).expect("it is small")];
    let partial = PartialSnapshot { source, snapshot, total, received };
    Staged { partial, bytes, came_by: Transport::Chunks }
}
