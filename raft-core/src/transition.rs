//! What a handler may ask for: a change of role. Only the node carries it out.

use crate::effect::StepDown;

/// A change of role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// Ask whether an election could be won, or stand at once where pre-vote is off.
    Stand,
    /// Stand for election in the next term.
    Campaign,
    /// The same, because the leader wants it.
    TakeOver,
    /// The election is won.
    Lead,
    /// The election is lost: wait for whoever won.
    Concede,
    /// Give up the office.
    StepDown(StepDown),
}
