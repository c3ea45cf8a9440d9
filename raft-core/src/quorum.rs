//! Majorities.
//!
//! One question is asked in three places (what is committed, whether a leader is still followed,
//! who won): what is the greatest value that a majority has reached? [`reached_by_majority`] answers it
//! for any ordered value.

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

/// The greatest value that at least a majority of `voters` has reached, or `None` without voters.
///
/// Allocates nothing; the cost is quadratic in the number of voters, which is small.
///
/// ```
/// use raft_core::{NodeId, quorum::reached_by_majority};
/// let voters = [1, 2, 3, 4].map(NodeId);
/// assert_eq!(reached_by_majority(&voters, |node| node.0 * 10), Some(20));
/// ```
pub fn reached_by_majority<T: Ord>(voters: &[NodeId], value: impl Fn(NodeId) -> T) -> Option<T> {
    voters
        .iter()
        .map(|voter| value(*voter))
        .filter(|reached| {
            let at_least = voters.iter().filter(|voter| value(**voter) >= *reached).count();
            at_least >= majority(voters.len())
        })
        .max()
}

/// How an election stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VoteResult {
    /// A majority refused: it cannot be won any more.
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
