//! Inputs to begin with: written here, the same every time, so that no corpus has to be kept.
//!
//! The fuzzer keeps of them what reaches something that the others do not.

mod forms;
#[cfg(feature = "examples")]
mod examples;
mod scripts;

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// What stands for nothing in JSON, or is nearly too much: a fuzzer comes to none of these by itself.
const EXTREMES: [&str; 8] = [
    "18446744073709551615",
    "9223372036854775808",
    "4611686018427387904",
    "4294967296",
    "-1",
    "1e9",
    "null",
    "[]",
];

/// A name, and the bytes.
pub type Seed = (String, Vec<u8>);

/// The targets that there are seeds for.
pub const TARGETS: [&str; 4] = ["node", "cluster", "restore", "decode"];

/// The shortest and the longest word of a dictionary.
const WORDS: std::ops::RangeInclusive<usize> = 2..=24;

/// The seeds of a target.
///
/// # Panics
/// When there is no such target.
pub fn seeds(target: &str) -> Vec<Seed> {
    match target {
        "node" => scripts::node(),
        "restore" => scripts::restore(),
        "cluster" => scripts::cluster(),
        "decode" => decode(),
        other => panic!("there is no target `{other}`: the targets are {}", TARGETS.join(", ")),
    }
}

#[cfg(feature = "examples")]
fn decode() -> Vec<Seed> {
    [forms::seeds(), examples::seeds()].concat()
}

/// The forms of the examples are not there to be written.
#[cfg(not(feature = "examples"))]
fn decode() -> Vec<Seed> {
    forms::seeds()
}

/// Writes the seeds of a target into a folder of its name, and the words of those that are text into a dictionary.
///
/// # Errors
/// When they cannot be written.
pub fn write(target: &str, parent: &Path) -> io::Result<usize> {
    let (folder, seeds) = (parent.join(target), seeds(target));
    fs::create_dir_all(&folder)?;
    let mut words = BTreeSet::from(EXTREMES.map(str::to_owned));
    for (name, bytes) in &seeds {
        fs::write(folder.join(name), bytes)?;
        words.extend(words_of(bytes));
    }
    if target == "decode" {
        let lines: Vec<String> = words.iter().map(|word| format!("\"{word}\"\n")).collect();
        fs::write(parent.join("decode.dict"), lines.concat())?;
    }
    Ok(seeds.len())
}

/// The words of a text: what stands between quotation marks in JSON, or between spaces.
fn words_of(bytes: &[u8]) -> Vec<String> {
    let Some(text) = bytes.get(1..).and_then(|text| str::from_utf8(text).ok()) else {
        return Vec::new();
    };
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "-_.:+=|<>%".contains(c);
    let words = text.split(|c| !is_inside(c)).filter(|word| WORDS.contains(&word.len()));
    words
        .filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// Numbers that are the same every time.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 56).to_le_bytes()[0]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}
