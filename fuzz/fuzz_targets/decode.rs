//! Everything that is read from a file, a disk or a connection, of arbitrary bytes: no panic, an error says something, and
//! what was read is written as something that is read as the same.
//!
//! The first byte of an input says what the others are: a form of raft-core or raft-sim ([`raft_fuzz::formats`]), or one
//! of the examples', which are only there with the feature `examples`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(feature = "examples")]
mod examples;

use raft_fuzz::formats::{FIRST_EXAMPLE, FORMATS};

raft_fuzz::target!(run);

fn run(input: &[u8]) {
    let Some((form, bytes)) = input.split_first() else { return };
    match form.checked_sub(FIRST_EXAMPLE) {
        None => {
            let (_, read) = FORMATS[usize::from(*form) % FORMATS.len()];
            drop(read(bytes));
        }
        Some(example) => of_an_example(example, bytes),
    }
}

#[cfg(feature = "examples")]
fn of_an_example(form: u8, bytes: &[u8]) {
    let read = examples::READ[usize::from(form) % examples::READ.len()];
    drop(read(bytes));
}

#[cfg(not(feature = "examples"))]
fn of_an_example(_form: u8, _bytes: &[u8]) {}
