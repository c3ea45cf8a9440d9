//! One node, whatever its settings, given whatever comes: messages of all contents, receipts for what it asked in any
//! order, late or again, requests, campaigns, a clock that goes on, crashes, and fed inputs.
//!
//! [`raft_fuzz::driver`] says what must hold after each.
#![cfg_attr(fuzzing, no_main)]

use raft_core::{Bootstrap, Instant, Join, LogIndex, NodeId, Start};
use raft_fuzz::dice::Dice;
use raft_fuzz::driver::Driver;
use raft_fuzz::life::{act, end};
use raft_fuzz::settings::{membership, settings};
use support::disk::Disk;

raft_fuzz::target!(run);

/// Longer lives are no other.
const MOST_ACTS: usize = 400;

fn run(input: &[u8]) {
    let mut dice = Dice::new(input);
    let id = NodeId(u64::from(dice.below(3)) + 1);
    let config = settings(&mut dice, id);
    let start = start(&mut dice);
    let driver = Driver::start(config, start, Disk::default(), LogIndex::ZERO, Instant(1_000));
    // A stranger founds no cluster.
    let Ok(mut driver) = driver else { return };
    for _ in 0..MOST_ACTS {
        if dice.is_empty() {
            break;
        }
        act(&mut driver, &mut dice);
    }
    end(&mut driver);
}

fn start(dice: &mut Dice<'_>) -> Start {
    if dice.rarely(8) { Join.into() } else { Bootstrap { membership: membership(dice) }.into() }
}
