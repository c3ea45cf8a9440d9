//! A beginning in the middle: n1 leads, and all are at rest.

use std::borrow::Cow;
use std::collections::VecDeque;

use raft_core::Membership;

use super::checks::Scene;
use super::conduct::Breach;
use super::core::Core;
use super::ghost::Ghost;
use super::local::Local;
use super::scope::Scope;
use super::told::Event;

/// What happens, in order, until n1 leads and all are at rest: each with the place of the node to which it does.
pub(super) fn lead<C: Core>(
    scope: &Scope,
    founding: &Membership,
    locals: &mut [Local<C>],
    ghost: &mut Ghost,
) -> Result<Vec<(usize, Event)>, Breach> {
    let (mut next, mut happened) = (VecDeque::from([(0, Event::Campaigned)]), Vec::new());
    while let Some((place, event)) = next.pop_front() {
        let taken = locals[place].take(scope, event.happening())?;
        let begins_to_write = taken.local.writing.is_some();
        locals[place] = taken.local;
        if begins_to_write {
            next.push_front((place, Event::Persisted));
        }
        for envelope in taken.sends {
            let to = usize::try_from(envelope.to.0 - 1).expect("few nodes");
            next.push_back((to, Event::Delivered(Box::new(envelope), false)));
        }
        let mut past = Cow::Borrowed(&*ghost);
        let all: Vec<&Local<C>> = locals.iter().collect();
        Scene { locals: &all, place, notes: &taken.notes, founding }.judge(&mut past)?;
        if let Cow::Owned(past) = past {
            *ghost = past;
        }
        happened.push((place, event));
    }
    Ok(happened)
}
