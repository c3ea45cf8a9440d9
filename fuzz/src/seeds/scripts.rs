//! Seeds of the targets that read their input as choices.

use raft_core::NodeId;

use super::{Numbers, Seed};
use crate::dice::Dice;
use crate::settings::settings;

/// So many inputs of each target are whatever bytes.
const ANY: u64 = 40;

/// After each act stand so many zeros, for what it chooses: those that it does not need are acts that do nothing.
const PAUSE: usize = 12;

// What `life::act` makes of these bytes.
const WORK: u8 = 1;
const STAGE: u8 = 2;
const FETCH: u8 = 3;
const READ: u8 = 4;
const SETTLE: u8 = 5;
const TICK: u8 = 6;
const DEADLINE: u8 = 7;
const ASK: u8 = 10;
const SNAPSHOT: u8 = 13;
const CRASH: u8 = 16;
const ELECT: u8 = 17;
const ANSWERS: u8 = 18;
const HEAR: u8 = 24;
const FED: u8 = 0b111_00000;

// What is heard is of these kinds.
const VOTE: u8 = 2;
const APPEND: u8 = 4;
const BEAT: u8 = 9;
const INSTALL: u8 = 14;

/// Lives, as acts with the choices that they begin with.
const LIVES: [(&str, &[&[u8]]); 14] = [
    ("follow", &[&[SETTLE], &[HEAR, APPEND, 0, 0, 0, 2], &[SETTLE], &[HEAR, BEAT], &[TICK]]),
    ("vote", &[&[SETTLE], &[TICK, 255], &[HEAR, VOTE], &[SETTLE], &[HEAR, VOTE, 0, 3]]),
    ("elect", &[&[SETTLE], &[ELECT], &[SETTLE], &[DEADLINE], &[DEADLINE], &[DEADLINE]]),
    ("lead", &[&[ELECT], &[ASK, 0, 9], &[ASK, 0, 9], &[ANSWERS], &[ASK, 3], &[ANSWERS]]),
    ("many", &[&[ELECT], &[ASK, 7, 15], &[ANSWERS], &[ASK, 7, 15], &[SETTLE], &[ANSWERS]]),
    ("change", &[&[ELECT], &[ASK, 4, 0, 3, 0], &[ANSWERS], &[ASK, 4, 3, 200, 24], &[ANSWERS]]),
    ("hand-over", &[&[ELECT], &[ASK, 0, 9], &[ANSWERS], &[ASK, 6, 2], &[ANSWERS], &[DEADLINE]]),
    ("crash", &[&[ELECT], &[ASK, 0, 9], &[CRASH], &[SETTLE], &[ELECT], &[CRASH, 1, 0, 1]]),
    (
        "send",
        &[
            &[ELECT],
            &[ASK, 7, 15],
            &[SETTLE],
            &[ANSWERS],
            &[SNAPSHOT, 40],
            &[CRASH],
            &[ELECT],
            &[DEADLINE],
            &[ANSWERS],
            &[READ],
            &[READ],
        ],
    ),
    (
        "install",
        &[&[SETTLE], &[HEAR, INSTALL, 0, 0, 20], &[STAGE], &[HEAR, INSTALL], &[STAGE], &[SETTLE]],
    ),
    (
        "conflict",
        &[
            &[SETTLE],
            &[HEAR, APPEND, 0, 0, 0, 3],
            &[SETTLE],
            &[HEAR, APPEND, 0, 0, 1, 3, 0, 200],
            &[WORK],
        ],
    ),
    (
        "fetch",
        &[&[ELECT], &[ASK, 7, 15], &[ANSWERS], &[CRASH], &[SETTLE], &[FETCH], &[ELECT], &[FETCH]],
    ),
    (
        "feed",
        &[&[FED | HEAR, APPEND, 0, 0, 0, 2], &[FED | ASK, 0, 1], &[FED], &[FED | WORK], &[SETTLE]],
    ),
    ("forward", &[&[SETTLE], &[HEAR, BEAT], &[SETTLE], &[ASK, 0, 9], &[ASK, 3], &[ANSWERS]]),
];

fn script(life: &[&[u8]]) -> Vec<u8> {
    let padded = life.iter().map(|act| {
        let mut act = act.to_vec();
        act.resize(act.len() + PAUSE, 0);
        act
    });
    padded.flatten().collect()
}

/// How many zeros are the usual settings, with the node's name before them.
fn usual_settings() -> usize {
    const ENOUGH: usize = 64;
    let mut dice = Dice::new(&[0; ENOUGH]);
    dice.byte();
    settings(&mut dice, NodeId(1));
    ENOUGH - dice.left()
}

/// Founders of three, with the lives above; and whatever bytes.
pub(super) fn node() -> Vec<Seed> {
    let founder = vec![0; usual_settings() + 2];
    let lives = LIVES.map(|(name, life)| (name.to_owned(), [&founder[..], &script(life)].concat()));
    lives.into_iter().chain(any("any", usual_settings(), 160)).collect()
}

/// Disks, usual and any.
pub(super) fn restore() -> Vec<Seed> {
    let prefix = vec![0; usual_settings()];
    let of = |disk: &[u8]| [&prefix, disk].concat();
    let mut seeds = vec![
        ("nothing".to_owned(), of(&[])),
        // A log of four entries that begins at its beginning; then a few things happen.
        ("entries".to_owned(), of(&[0, 4, 0, 0, 2, 200, 0, 3, 0, 0, 4, 200, 0, 5])),
        ("compacted".to_owned(), of(&[140, 4, 0, 0, 2, 200, 0, 3, 0, 0, 4, 200, 0, 5, 98])),
    ];
    seeds.extend(any("any", usual_settings(), 80));
    seeds
}

/// Inputs whose settings are usual in every second one.
fn any(name: &str, prefix: usize, length: usize) -> impl Iterator<Item = Seed> {
    (0..ANY).map(move |number| {
        let mut numbers = Numbers::new(number);
        let settings =
            if number.is_multiple_of(2) { vec![0; prefix] } else { numbers.bytes(prefix) };
        (format!("{name}-{number}"), [settings, numbers.bytes(length)].concat())
    })
}

/// Plans of the generator, as they are and edited.
pub(super) fn cluster() -> Vec<Seed> {
    let plan = |number: u64| {
        let mut numbers = Numbers::new(number);
        let mut input = vec![number.to_le_bytes()[0], number.to_le_bytes()[1], 0];
        let edits = if number.is_multiple_of(2) { 3 } else { 60 };
        input.extend(numbers.bytes(edits));
        (format!("plan-{number}"), input)
    };
    (0..2 * ANY).map(plan).collect()
}
