//! A beginning in the middle: n1 leads, and all are at rest.

use std::borrow::Cow;
use std::collections::VecDeque;

use raft_core::{Envelope, Membership};

use super::checks::Scene;
use super::conduct::Breach;
use super::core::Core;
use super::ghost::Ghost;
use super::local::{Happening, Local};
use super::scope::Scope;

/// Lets n1 stand, and everything happen at once until nothing is left to happen.
pub(super) fn lead<C: Core>(
    scope: &Scope,
    founding: &Membership,
    locals: &mut [Local<C>],
    ghost: &mut Ghost,
) -> Result<(), Breach> {
    let mut network = VecDeque::new();
    let mut happen = |place: usize, what: Happening<'_>, network: &mut VecDeque<Envelope>| {
        let taken = locals[place].take(scope, what)?;
        locals[place] = taken.local;
        network.extend(taken.sends);
        let mut past = Cow::Owned(ghost.clone());
        let all: Vec<&Local<C>> = locals.iter().collect();
        Scene { locals: &all, place, notes: &taken.notes, founding }.judge(&mut past)?;
        if let Cow::Owned(past) = past {
            *ghost = past;
        }
        Ok(locals[place].writing.is_some())
    };
    let mut settle = |place: usize, what: Happening<'_>, network: &mut VecDeque<Envelope>| {
        let mut is_writing = happen(place, what, network)?;
        while is_writing {
            is_writing = happen(place, Happening::Persisted, network)?;
        }
        Ok(())
    };
    settle(0, Happening::Campaign, &mut network)?;
    while let Some(envelope) = network.pop_front() {
        let place = usize::try_from(envelope.to.0 - 1).expect("few nodes");
        settle(place, Happening::Receive(&envelope), &mut network)?;
    }
    Ok(())
}
