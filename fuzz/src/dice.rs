//! The bytes of the fuzzer, read as choices.
//!
//! Nearly every choice takes one byte, and a zero is the usual one: so a byte that the fuzzer changes changes one choice,
//! and bytes that are missing at the end make nothing strange.

use arbitrary::Unstructured;
use bytes::Bytes;

/// What is left of an input.
pub struct Dice<'a> {
    rest: Unstructured<'a>,
}

/// Numbers at which something is likely to overflow, to be refused, or to be taken for nothing.
const EXTREMES: [u64; 12] = [
    u64::MAX,
    u64::MAX - 1,
    1 << 62,
    (1 << 62) - 1,
    (1 << 62) + 1,
    u64::MAX / 1024,
    u64::MAX / 2,
    u32::MAX as u64,
    1 << 32,
    1 << 20,
    1 << 10,
    0,
];

impl<'a> Dice<'a> {
    /// The choices that an input is.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: Unstructured::new(input) }
    }

    /// Whether nothing is left: every further choice is the usual one.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.rest.take_rest()
    }

    /// One byte; zero at the end.
    pub fn byte(&mut self) -> u8 {
        self.rest.arbitrary().unwrap_or_default()
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    /// The same as an index, or a count.
    pub fn place(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    /// True in one of `odds` bytes, zero not among them.
    pub fn rarely(&mut self, odds: u8) -> bool {
        self.byte() % odds == odds - 1
    }

    /// One of a list.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.place(list.len())]
    }

    /// All 64 bits of a number; zero at the end.
    pub fn bits(&mut self) -> u64 {
        self.rest.arbitrary().unwrap_or_default()
    }

    /// As a rule `present`; else a few more or fewer, a small number, or an extreme one.
    pub fn near(&mut self, present: u64) -> u64 {
        match self.byte() {
            0..=119 => present,
            byte @ 120..=183 => present.wrapping_add_signed(i64::from(byte) - 151),
            byte @ 184..=227 => u64::from(byte) - 184,
            byte @ 228..=251 => EXTREMES[usize::from(byte - 228) % EXTREMES.len()],
            _ => self.bits(),
        }
    }

    /// Bytes whose number alone is a choice: mostly a few, now and then some thousand.
    pub fn data(&mut self) -> Bytes {
        let length = match self.byte() {
            byte @ 0..=223 => usize::from(byte) % 48,
            byte => usize::from(byte - 223) * 128,
        };
        vec![b'?'; length].into()
    }
}
