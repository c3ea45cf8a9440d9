//! Tables by fingerprints, which are hashes already.

#[expect(clippy::disallowed_types, reason = "entries are looked up, never iterated over")]
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// From fingerprints to something.
#[expect(clippy::disallowed_types, reason = "entries are looked up, never iterated over")]
pub(super) type Table<V> = HashMap<u64, V, BuildHasherDefault<AsItIs>>;

/// Takes a number that is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |state, byte| (state << 8) | u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
