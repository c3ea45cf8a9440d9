//! Hashes of payloads and log prefixes.
//!
//! Plain 64-bit integer arithmetic, the same on every machine. Not against adversaries: two contents
//! that differ by chance collide once in 2^64.

use raft_core::{Membership, NodeId, Payload, Term};

use crate::draw::mix;

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// Multiplies to 128 bits and folds the halves together: every bit of the result depends on all inputs.
const fn fold(left: u64, right: u64) -> u64 {
    let product = (left as u128) * (right as u128);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low and the high half are taken apart"
    )]
    let folded = (product as u64) ^ ((product >> 64) as u64);
    folded
}

/// The hash of some bytes.
pub(crate) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = mix(seed ^ (bytes.len() as u64).wrapping_mul(FIRST));
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        state = fold(word(&block[..8]) ^ FIRST ^ state, word(&block[8..]) ^ SECOND);
    }
    let rest = blocks.remainder();
    let mut block = [0; 16];
    block[..rest.len()].copy_from_slice(rest);
    mix(fold(word(&block[..8]) ^ FIRST ^ state, word(&block[8..]) ^ SECOND) ^ state)
}

/// Eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("half a block is eight bytes"))
}

/// Mixes a number into a hash.
pub(crate) const fn mixed(state: u64, value: u64) -> u64 {
    mix(state.rotate_left(23) ^ value.wrapping_mul(FIRST))
}

/// The hash of the log up to an entry, from that of the log before it.
pub(crate) fn chained(previous: u64, term: Term, payload: &Payload) -> u64 {
    mixed(mixed(previous, term.0), hash_payload(payload))
}

fn hash_payload(payload: &Payload) -> u64 {
    match payload {
        Payload::Blank => 1,
        Payload::Command { data, origin: None } => hash_bytes(2, data),
        Payload::Command { data, origin: Some(origin) } => {
            let origin = mixed(mixed(origin.node.0, origin.incarnation.0), origin.sequence);
            mixed(hash_bytes(3, data), origin)
        }
        Payload::Membership(membership) => hash_membership(membership),
    }
}

fn hash_membership(membership: &Membership) -> u64 {
    let nodes = |state, nodes: &[NodeId]| {
        nodes.iter().fold(mixed(state, nodes.len() as u64), |state, node| mixed(state, node.0))
    };
    let state = nodes(4, membership.voters());
    let state = nodes(state, membership.outgoing());
    let state = nodes(state, membership.learners());
    membership
        .members()
        .iter()
        .filter_map(|node| Some((node, membership.context(*node)?)))
        .fold(state, |state, (node, context)| mixed(mixed(state, node.0), hash_bytes(5, context)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Goal: length and every byte matter, at every length around the block size.
    #[test]
    fn every_byte_and_the_length_matter() {
        let mut seen = BTreeSet::new();
        for length in 0..40 {
            let mut bytes = vec![0_u8; length];
            assert!(seen.insert(hash_bytes(0, &bytes)));
            for place in 0..length {
                bytes[place] = 1;
                assert!(seen.insert(hash_bytes(0, &bytes)), "byte {place} of {length}");
                bytes[place] = 0;
            }
        }
    }

    /// Goal: the same number on every machine and for ever.
    #[test]
    fn hashes_are_stable() {
        assert_eq!(hash_bytes(7, b"the quick brown fox jumps"), 9_625_313_982_456_935_666);
    }
}
