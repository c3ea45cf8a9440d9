//! The way to a violation, for people: each step in words.

use raft_core::{Envelope, Node, NodeId};

use super::action::Action;
use super::conduct::Breach;
use super::core::Core;
use super::space::{Space, id_at};
use super::state::State;
use super::step::Stepper;
use super::visited::Visited;
use crate::raft::Raft;
use crate::timeline::{changes, message};

/// One step of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// To whom something happens.
    pub node: NodeId,
    /// What happens.
    pub what: Event,
    /// The same in words.
    pub text: String,
    /// What that changes in the node, in words.
    pub changes: Option<String>,
    /// What the node sends then.
    pub sends: Vec<Envelope>,
}

/// What happens in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message arrives; it will once more, if it is so.
    Delivered(Box<Envelope>, bool),
    /// A message is lost.
    Lost(Box<Envelope>),
    /// The write under way is durable, and the node is told.
    Persisted,
    /// It crashes and comes back; so many parts of the write under way survive.
    Crashed(usize),
    /// It is told to stand for election.
    Campaigned,
    /// It is asked for a command.
    Asked,
    /// It finds that a heartbeat is due.
    Beat,
    /// It is asked for a membership.
    Changed(Box<raft_core::Membership>),
    /// A snapshot is taken.
    Snapshot,
}

/// The steps from the beginning to a state, and one more, which violates what it should not.
pub(super) fn steps<C: Core>(
    space: &Space<C>,
    visited: &Visited,
    begin: &State,
    from: u32,
    last: Action,
    breach: &Breach,
) -> Vec<Step> {
    let mut prints = Vec::new();
    let mut at = from;
    loop {
        let (print, parent) = visited.get(at);
        if parent == at {
            break;
        }
        prints.push(print);
        at = parent;
    }
    let (mut stepper, mut state, mut steps) = (Stepper::new(space), begin.clone(), Vec::new());
    for print in prints.into_iter().rev() {
        let mut found = None;
        stepper.each(&state, &mut |action, followed| match followed {
            Ok((child, of)) if of == print => {
                found = Some((action, child.clone()));
                false
            }
            _ => true,
        });
        let (action, next) = found.expect("the state was met from the one before");
        steps.push(step(space, &state, action, Some(&next)));
        state = next;
    }
    // The names may be others than those under which it was found.
    let mut end = last;
    stepper.each(&state, &mut |action, followed| match followed {
        Err(other) if other.property == breach.property => {
            end = action;
            false
        }
        _ => true,
    });
    steps.push(step(space, &state, end, None));
    steps
}

/// To whom it happens.
fn place<C>(space: &Space<C>, action: Action) -> usize
where
    C: Core,
{
    match action {
        Action::Deliver(number) | Action::DeliverTwice(number) | Action::Lose(number) => {
            space.letters.get(number).to
        }
        Action::Persisted(place)
        | Action::Crash(place, _)
        | Action::Campaign(place)
        | Action::Propose(place)
        | Action::Heartbeat(place)
        | Action::Change(place, _)
        | Action::Snapshot(place) => place,
    }
}

fn step<C: Core>(space: &Space<C>, before: &State, action: Action, after: Option<&State>) -> Step {
    let at = place(space, action);
    let node = id_at(at);
    let envelope = |number| Box::new(space.letters.get(number).envelope.clone());
    let what = match action {
        Action::Deliver(number) => Event::Delivered(envelope(number), false),
        Action::DeliverTwice(number) => Event::Delivered(envelope(number), true),
        Action::Lose(number) => Event::Lost(envelope(number)),
        Action::Persisted(_) => Event::Persisted,
        Action::Crash(_, kept) => Event::Crashed(kept),
        Action::Campaign(_) => Event::Campaigned,
        Action::Propose(_) => Event::Asked,
        Action::Heartbeat(_) => Event::Beat,
        Action::Change(_, target) => Event::Changed(Box::new(space.targets[target].clone())),
        Action::Snapshot(_) => Event::Snapshot,
    };
    let local = |state: &State| &space.locals.get(state.locals[at]).local;
    let sends = after.map_or_else(Vec::new, |after| new_messages(space, before, after));
    let changed = after.and_then(|after| {
        changes(&local(before).node().view(), &local(after).node().view())
    });
    let parts = local(before).parts_under_way();
    Step { text: told(node, &what, parts), node, what, changes: changed, sends }
}

fn new_messages<C: Core>(space: &Space<C>, before: &State, after: &State) -> Vec<Envelope> {
    let count = |state: &State, number: u32| {
        state.messages.iter().filter(|held| **held == number).count()
    };
    let mut numbers = after.messages.clone();
    numbers.dedup();
    let more = numbers.into_iter().filter(|number| count(after, *number) > count(before, *number));
    more.map(|number| space.letters.get(number).envelope.clone()).collect()
}

fn told(node: NodeId, what: &Event, parts: usize) -> String {
    let said = |envelope: &Envelope| {
        let facts = Node::facts(envelope);
        format!("from {}: {}", facts.from, message(&facts))
    };
    match what {
        Event::Delivered(envelope, false) => format!("{node} hears {}", said(envelope)),
        Event::Delivered(envelope, true) => {
            format!("{node} hears, and may hear again, {}", said(envelope))
        }
        Event::Lost(envelope) => format!("lost on its way to {node}, {}", said(envelope)),
        Event::Persisted => format!("{node} learns that its write is durable"),
        Event::Crashed(_) if parts == 0 => format!("{node} crashes and comes back"),
        Event::Crashed(kept) => {
            format!("{node} crashes and comes back; {kept} of {parts} parts of its write are on its disk")
        }
        Event::Campaigned => format!("{node} is told to stand for election"),
        Event::Asked => format!("{node} is asked for a command"),
        Event::Beat => format!("{node} finds that a heartbeat is due"),
        Event::Changed(to) => {
            format!("{node} is asked for voters {:?}, learners {:?}", to.voters(), to.learners())
        }
        Event::Snapshot => format!("{node} takes a snapshot"),
    }
}
