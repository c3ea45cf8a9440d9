//! Majorities.
//!
//! One question is asked in three places (what is committed, whether a leader is still followed,
//! who won): what is the greatest value that a majority has reached? [`reached_by_majority`] answers it
//! for any ordered value.

use alloc::vec::Vec;

use crate::types::NodeId;

/// How many of `voters` make a majority. A set of none has no majority that could be reached.
///
/// ```
/// use raft_core::quorum::majority;
/// assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
/// ```
pub const fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// Up to so many voters are counted without an allocation.
const FEW: usize = 15;

/// The greatest value that at least a majority of `voters` has reached, or `None` without voters.
///
/// ```
/// use raft_core::{NodeId, quorum::reached_by_majority};
/// let voters = [1, 2, 3, 4].map(NodeId);
/// assert_eq!(reached_by_majority(&voters, |node| node.0 * 10), Some(20));
/// ```
pub fn reached_by_majority<T: Ord + Copy>(
    voters: &[NodeId],
    value: impl Fn(NodeId) -> T,
) -> Option<T> {
    let (first, others) = voters.split_first()?;
    let mut few = [value(*first); FEW];
    let mut many = Vec::new();
    let values = if voters.len() <= FEW {
        for (place, voter) in few[1..].iter_mut().zip(others) {
            *place = value(*voter);
        }
        &mut few[..voters.len()]
    } else {
        many.extend(voters.iter().map(|voter| value(*voter)));
        &mut many[..]
    };
    values.sort_unstable();
    // In rising order, this one and all after it make a majority.
    Some(values[voters.len() - majority(voters.len())])
}

/// How an election stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum VoteResult {
    /// So many refused that no majority can be reached any more.
    Lost,
    /// Neither is certain yet.
    Pending,
    /// A majority granted its vote.
    Won,
}

/// The standing of an election among `voters`; `ballot` says how each voted, if it has.
pub fn vote_result(voters: &[NodeId], ballot: impl Fn(NodeId) -> Option<bool>) -> VoteResult {
    let count = |wanted: Option<bool>| voters.iter().filter(|v| ballot(**v) == wanted).count();
    let granted = count(Some(true));
    let open = count(None);
    if granted >= majority(voters.len()) {
        VoteResult::Won
    } else if granted + open >= majority(voters.len()) {
        VoteResult::Pending
    } else {
        VoteResult::Lost
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// For every small set of values: a majority has reached it, and no majority has reached more.
    #[test]
    fn the_greatest_value_of_a_majority() {
        for size in 1..=5_u32 {
            let voters: Vec<NodeId> = (0..u64::from(size)).map(NodeId).collect();
            for combination in 0..4_u64.pow(size) {
                let value = |node: NodeId| combination >> (2 * node.0) & 3;
                let count = |least: u64| voters.iter().filter(|v| value(**v) >= least).count();
                let reached = reached_by_majority(&voters, value).expect("there are voters");
                assert!(2 * count(reached) > voters.len());
                assert!(2 * count(reached + 1) <= voters.len());
            }
        }
        assert_eq!(reached_by_majority(&[], |node| node), None);
    }

    /// The same for sets that are counted in place, and for larger ones.
    #[test]
    fn the_greatest_value_of_a_majority_of_many() {
        for size in 1..=40 {
            // Each number from 0 to below the size once, in no order: more than half have come to the lower middle.
            let voters: Vec<NodeId> = (0..size).map(NodeId).collect();
            let reached = reached_by_majority(&voters, |node| (node.0 * 41 + 7) % size);
            let expected = (size - 1) / 2;
            assert_eq!((size, reached), (size, Some(expected)));
        }
    }

    /// For every small election: it is won when a majority grants, lost when none can any more.
    #[test]
    fn elections_are_won_and_lost_by_majorities() {
        for size in 1..=5_u32 {
            let voters: Vec<NodeId> = (0..u64::from(size)).map(NodeId).collect();
            for combination in 0..3_u64.pow(size) {
                let ballot = |node: NodeId| {
                    let digit = combination / 3_u64.pow(u32::try_from(node.0).expect("small")) % 3;
                    [None, Some(true), Some(false)][usize::try_from(digit).expect("small")]
                };
                let count = |wanted| voters.iter().filter(|v| ballot(**v) == wanted).count();
                let expected = if 2 * count(Some(true)) > voters.len() {
                    VoteResult::Won
                } else if 2 * (count(Some(true)) + count(None)) > voters.len() {
                    VoteResult::Pending
                } else {
                    VoteResult::Lost
                };
                assert_eq!(vote_result(&voters, ballot), expected);
            }
        }
        assert_eq!(vote_result(&[], |_| Some(true)), VoteResult::Lost);
    }
}
