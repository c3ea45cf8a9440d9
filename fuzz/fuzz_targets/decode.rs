//! Everything that is read from a file, a disk or a connection, of arbitrary bytes: no panic, an error says something, and
//! what was read is written as something that is read as the same.
//!
//! The first byte of an input says what the others are: a form of raft-core or raft-sim ([`raft_fuzz::formats`]), or one
//! of the examples', which are only there with the feature `examples`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(feature = "examples")]
mod examples;

use raft_fuzz::formats::{self, FORMATS};

raft_fuzz::target!(run);

fn run(input: &[u8]) {
    let Some((form, bytes)) = input.split_first() else { return };
    // The same form with the examples and without.
    let place = usize::from(*form) % (FORMATS.len() + formats::EXAMPLES.len());
    match FORMATS.get(place) {
        Some((_, read)) => drop(read(bytes)),
        None => of_an_example(place - FORMATS.len(), bytes),
    }
}

#[cfg(feature = "examples")]
fn of_an_example(place: usize, bytes: &[u8]) {
    drop(examples::READ[place](bytes));
}

#[cfg(not(feature = "examples"))]
fn of_an_example(_place: usize, _bytes: &[u8]) {}
