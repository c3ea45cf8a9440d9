//! The way to a violation: the steps of the search, taken again with every message that there is.
//!
//! The search takes messages out of the network that are good for nothing, and keeps one request where several are as good
//! (`letter`). Here nothing is taken out, and what arrives is a message that was really sent.

use raft_core::{Envelope, Membership, Message, Node, NodeId};

use super::action::Action;
use super::conduct::Breach;
use super::core::Core;
use super::local::{Happening, Local};
use super::scope::{Beginning, Scope};
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
    /// Whether a write is under way then that was not before.
    pub begins_to_write: bool,
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
    Changed(Box<Membership>),
    /// A snapshot is taken.
    Snapshot,
}

impl Event {
    /// What it is to the node. (A message that is lost is nothing to it; nobody asks.)
    pub(super) fn happening(&self) -> Happening<'_> {
        match self {
            Self::Delivered(envelope, _) | Self::Lost(envelope) => Happening::Receive(envelope),
            Self::Persisted => Happening::Persisted,
            Self::Crashed(kept) => Happening::Crash(*kept),
            Self::Campaigned => Happening::Campaign,
            Self::Asked => Happening::Propose,
            Self::Beat => Happening::Heartbeat,
            Self::Changed(to) => Happening::Change(to),
            Self::Snapshot => Happening::Snapshot,
        }
    }
}

/// The steps from the beginning to a state, and one more, which violates what it should not. With them, how many are before
/// the beginning of the search.
pub(super) fn steps<C: Core>(
    space: &Space<C>,
    visited: &Visited,
    begin: &State,
    from: u32,
    last: Action,
    breach: &Breach,
) -> (Vec<Step>, usize) {
    let mut track = Track::<C>::begin(space);
    let before = track.steps.len();
    for action in actions(space, visited, begin, from, last, breach) {
        let (place, event) = event(space, action);
        track.take(place, event);
    }
    (track.steps, before)
}

/// What happens on a shortest way, as the search has it.
fn actions<C: Core>(
    space: &Space<C>,
    visited: &Visited,
    begin: &State,
    from: u32,
    last: Action,
    breach: &Breach,
) -> Vec<Action> {
    let (mut prints, mut at) = (Vec::new(), from);
    loop {
        let (print, parent) = visited.get(at);
        if parent == at {
            break;
        }
        prints.push(print);
        at = parent;
    }
    let (mut stepper, mut state, mut actions) = (Stepper::new(space), begin.clone(), Vec::new());
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
        actions.push(action);
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
    actions.push(end);
    actions
}

/// To whom it happens, and what it is.
fn event<C: Core>(space: &Space<C>, action: Action) -> (usize, Event) {
    let letter = |number| {
        let letter = space.letters.get(number);
        (letter.to, Box::new(letter.envelope.clone()))
    };
    match action {
        Action::Deliver(number) => {
            let (to, envelope) = letter(number);
            (to, Event::Delivered(envelope, false))
        }
        Action::DeliverTwice(number) => {
            let (to, envelope) = letter(number);
            (to, Event::Delivered(envelope, true))
        }
        Action::Lose(number) => {
            let (to, envelope) = letter(number);
            (to, Event::Lost(envelope))
        }
        Action::Persisted(place) => (place, Event::Persisted),
        Action::Crash(place, kept) => (place, Event::Crashed(kept)),
        Action::Campaign(place) => (place, Event::Campaigned),
        Action::Propose(place) => (place, Event::Asked),
        Action::Heartbeat(place) => (place, Event::Beat),
        Action::Change(place, target) => {
            (place, Event::Changed(Box::new(space.targets[target].clone())))
        }
        Action::Snapshot(place) => (place, Event::Snapshot),
    }
}

/// The cluster as it goes along the way.
struct Track<'s, C> {
    scope: &'s Scope,
    locals: Vec<Local<C>>,
    /// All messages that were sent and have not arrived, the oldest first.
    under_way: Vec<Envelope>,
    steps: Vec<Step>,
}

impl<'s, C: Core> Track<'s, C> {
    fn begin(space: &'s Space<C>) -> Self {
        let scope = &space.scope;
        let begun = scope.ids().filter_map(|id| Local::begin(scope, id).ok()).collect();
        let mut track = Self { scope, locals: begun, under_way: Vec::new(), steps: Vec::new() };
        if scope.start == Beginning::Led {
            let (mut locals, mut ghost) = (track.locals.clone(), super::ghost::Ghost::default());
            let led = super::led::lead(scope, &space.founding, &mut locals, &mut ghost);
            for (place, event) in led.into_iter().flatten() {
                track.take(place, event);
            }
        }
        track
    }

    fn take(&mut self, place: usize, event: Event) {
        let event = match event {
            Event::Delivered(envelope, again) => {
                Event::Delivered(Box::new(self.take_out(&envelope, again)), again)
            }
            Event::Lost(envelope) => Event::Lost(Box::new(self.take_out(&envelope, false))),
            other => other,
        };
        let before = &self.locals[place];
        let text = told(id_at(place), &event, before.parts_under_way());
        let was = (before.node().view(), before.writing.as_ref().map(|(number, _)| *number));
        let mut step = Step {
            node: id_at(place),
            text,
            changes: None,
            sends: Vec::new(),
            begins_to_write: false,
            what: event,
        };
        let is_taken = !matches!(step.what, Event::Lost(_));
        let taken = before.take(self.scope, step.what.happening());
        if let (true, Ok(taken)) = (is_taken, taken) {
            let writing = taken.local.writing.as_ref().map(|(number, _)| *number);
            let is_restarted = matches!(step.what, Event::Crashed(_));
            step.begins_to_write = writing.is_some() && (writing != was.1 || is_restarted);
            step.changes = changes(&was.0, &taken.local.node().view());
            self.locals[place] = taken.local;
            self.under_way.extend(taken.sends.iter().cloned());
            step.sends = taken.sends;
        }
        self.steps.push(step);
    }

    /// The message that arrives: this one, or a request of the same sender's that is as good.
    fn take_out(&mut self, envelope: &Envelope, again: bool) -> Envelope {
        let is_request = |held: &Envelope| {
            (held.from, held.to) == (envelope.from, envelope.to)
                && held.term >= envelope.term
                && matches!(
                    held.message,
                    Message::RequestVote { .. }
                        | Message::AppendEntries(_)
                        | Message::Heartbeat { .. }
                        | Message::Commit { .. }
                        | Message::InstallSnapshot(_)
                )
        };
        let exact = self.under_way.iter().position(|held| held == envelope);
        let place = exact.or_else(|| self.under_way.iter().position(is_request));
        match place {
            Some(place) if again => self.under_way[place].clone(),
            Some(place) => self.under_way.remove(place),
            None => envelope.clone(),
        }
    }
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
            format!(
                "{node} crashes and comes back; {kept} of {parts} parts of its write are on its disk"
            )
        }
        Event::Campaigned => format!("{node} is told to stand for election"),
        Event::Asked => format!("{node} is asked for a command"),
        Event::Beat => format!("{node} finds that a heartbeat is due"),
        Event::Changed(to) => {
            let names =
                |ids: &[NodeId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            format!(
                "{node} is asked for voters {}, learners {}",
                names(to.voters()),
                names(to.learners())
            )
        }
        Event::Snapshot => format!("{node} takes a snapshot"),
    }
}
