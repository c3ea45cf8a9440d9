//! Linearizability of a history, found by search (Wing and Gong 1993, with the memory of Lowe 2017).
//!
//! The search knows what clients asked and were told, and a sequential machine. It knows nothing of Raft:
//! no log, no positions of entries, no terms. An operation whose fate is unknown may take effect at any time after
//! its call, or never. One that was refused never took effect.
//!
//! The part of a history that concerns one [`Machine::partition`] is searched by itself; when some command
//! has no partition, the whole history is one part. A machine that depends on the positions that it is given
//! ([`Machine::POSITIONS`]) is not searched: operations that were never answered have none.
//!
//! Invariants of the search: the list holds the events of the operations that are not placed yet, in the
//! order in which they happened; the frames, from the first to the last, are the order found so far.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use raft_core::{LogPosition, Outcome};

use crate::coverage::Searches;
use crate::draw::mix;
use crate::history::{Fate, History, OpId, Operation};
use crate::machine::{Machine, Positions};

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Every part has a legal order.
    Linearizable,
    /// No part was found to have none, but some ran out of budget.
    Inconclusive,
    /// A part has no legal order.
    Violated(Stuck),
    /// The machine depends on positions: nothing was searched.
    Skipped,
}

/// Where a search that found no legal order got furthest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The operation that no legal order could place in time.
    pub operation: OpId,
    /// How many answered operations the longest legal order had placed.
    pub placed: u64,
    /// How many answered operations the part has.
    pub of: u64,
}

/// Searches every part of a history, with at most `budget` states in all, if the machine can be judged by it.
pub fn check<M: Machine>(history: &History, budget: u64) -> (Finding, Searches) {
    let mut searches = Searches::default();
    if M::POSITIONS == Positions::Used {
        searches.skipped += 1;
        return (Finding::Skipped, searches);
    }
    let mut finding = Finding::Linearizable;
    for part in parts::<M>(history) {
        searches.searched += 1;
        let outcome =
            search::<M>(&part, budget.saturating_sub(searches.states), &mut searches.states);
        match outcome {
            Finding::Linearizable => {}
            Finding::Inconclusive => {
                searches.inconclusive += 1;
                finding = Finding::Inconclusive;
            }
            Finding::Violated(_) | Finding::Skipped => return (outcome, searches),
        }
    }
    (finding, searches)
}

/// How many open operations may follow each other, at each attempt. Nearly always what took effect is seen by the
/// next known operation, and a small bound keeps wrong turns short. Only the last attempt can find that
/// there is no order.
const STREAKS: [u32; 3] = [1, 2, u32::MAX];

/// Searches one part; adds to `states` what was visited.
fn search<M: Machine>(part: &[&Operation], budget: u64, states: &mut u64) -> Finding {
    let end = states.saturating_add(budget);
    for streak in STREAKS {
        let left = end.saturating_sub(*states);
        let search = Search::<M>::new(part, streak);
        let is_complete = search.is_complete();
        // Half of what is left, so that the last attempt has its share.
        let share = if is_complete { left } else { left / 2 };
        let (finding, visited) = search.run(share);
        *states += visited;
        if finding == Finding::Linearizable || is_complete {
            return finding;
        }
    }
    Finding::Inconclusive
}

/// The operations that may have taken effect, by partition.
fn parts<M: Machine>(history: &History) -> Vec<Vec<&Operation>> {
    let concerns =
        || history.operations().iter().filter(|operation| operation.fate() != Fate::Never);
    let mut parts = BTreeMap::<u64, Vec<&Operation>>::new();
    for operation in concerns() {
        match M::partition(&operation.command) {
            Some(part) => parts.entry(part).or_default().push(operation),
            None => return vec![concerns().collect()],
        }
    }
    parts.into_values().collect()
}

/// An operation whose answer is known.
struct Known<'a> {
    id: OpId,
    command: &'a Bytes,
    position: LogPosition,
    output: Option<&'a Bytes>,
}

/// An operation whose fate is unknown.
struct Open<'a> {
    call: u64,
    command: &'a Bytes,
}

/// One event of a known operation, in a doubly linked list. Slot 0 is the list's head and end.
#[derive(Clone, Copy)]
struct Event {
    /// The number of the event in the history.
    order: u64,
    kind: Kind,
    previous: usize,
    next: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    End,
    /// The call of a known operation; its return is in this slot.
    Call {
        known: usize,
        returns: usize,
    },
    Return {
        known: usize,
    },
}

/// What is tried next.
#[derive(Clone, Copy)]
enum Cursor {
    /// The event in this slot.
    Event(usize),
    /// This open operation, if it was called before the event `deadline`.
    Open { place: usize, deadline: u64 },
}

/// A step of the order found so far, and the state before it.
struct Frame<M> {
    step: Step,
    before: M,
    streak: u32,
}

#[derive(Clone, Copy)]
enum Step {
    Known { slot: usize },
    Open { place: usize, deadline: u64 },
}

struct Search<'a, M> {
    known: Vec<Known<'a>>,
    open: Vec<Open<'a>>,
    /// Which of `open` are placed.
    taken: Vec<Placed>,
    events: Vec<Event>,
    frames: Vec<Frame<M>>,
    state: M,
    /// A hash of the set of placed operations.
    set: u64,
    visited: BTreeSet<(u64, u64)>,
    placed: u64,
    /// How many open operations were placed since the last known one, and how many may be.
    streak: u32,
    max_streak: u32,
    furthest: Option<Stuck>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Placed {
    Yes,
    No,
}

impl<'a, M: Machine> Search<'a, M> {
    fn new(part: &[&'a Operation], max_streak: u32) -> Self {
        let (mut known, mut open, mut order) = (Vec::new(), Vec::new(), Vec::new());
        for operation in part {
            let command = &operation.command;
            match &operation.answer {
                Some(answer) if operation.fate() == Fate::Done => {
                    let position = match answer.outcome {
                        Outcome::Done { position } => position,
                        _ => LogPosition::ZERO,
                    };
                    order.push((operation.call, known.len()));
                    order.push((answer.order, known.len()));
                    let output = answer.output.as_ref();
                    known.push(Known { id: operation.id, command, position, output });
                }
                _ => open.push(Open { call: operation.call, command }),
            }
        }
        order.sort_unstable();
        open.sort_unstable_by_key(|open| open.call);
        let events = linked(&order, known.len());
        let taken = vec![Placed::No; open.len()];
        Self {
            known,
            open,
            taken,
            events,
            frames: Vec::new(),
            state: M::default(),
            set: 0,
            visited: BTreeSet::new(),
            placed: 0,
            streak: 0,
            max_streak,
            furthest: None,
        }
    }

    /// Whether the bound on streaks excludes nothing.
    fn is_complete(&self) -> bool {
        u64::from(self.max_streak) >= self.open.len() as u64
    }

    /// Depth first: known operations in the order of their calls, then open ones; back when neither fits.
    fn run(mut self, budget: u64) -> (Finding, u64) {
        let mut states = 0;
        let mut cursor = Cursor::Event(self.events[0].next);
        loop {
            if states >= budget {
                return (Finding::Inconclusive, states);
            }
            cursor = match cursor {
                Cursor::Event(slot) => match self.events[slot].kind {
                    Kind::End => return (Finding::Linearizable, states),
                    Kind::Call { known, .. } => {
                        states += 1;
                        self.try_known(slot, known)
                    }
                    Kind::Return { known } => {
                        self.note_furthest(known);
                        Cursor::Open { place: 0, deadline: self.events[slot].order }
                    }
                },
                Cursor::Open { place, deadline } => match self.open.get(place) {
                    Some(open) if open.call < deadline && self.streak < self.max_streak => {
                        states += u64::from(self.taken[place] == Placed::No);
                        self.try_open(place, deadline)
                    }
                    _ => match self.back() {
                        Some(cursor) => cursor,
                        None => return (Finding::Violated(self.stuck()), states),
                    },
                },
            };
        }
    }

    fn try_known(&mut self, slot: usize, place: usize) -> Cursor {
        let known = &self.known[place];
        let mut next = self.state.clone();
        let output = next.apply(known.position, known.command);
        let fits = known.output.is_none_or(|told| *told == output);
        let set = self.set ^ mark(place as u64);
        if !fits || !self.visited.insert((set, next.digest())) {
            return Cursor::Event(self.events[slot].next);
        }
        let before = std::mem::replace(&mut self.state, next);
        self.frames.push(Frame { step: Step::Known { slot }, before, streak: self.streak });
        self.streak = 0;
        self.set = set;
        self.placed += 1;
        self.lift(slot);
        Cursor::Event(self.events[0].next)
    }

    /// An open operation that changes nothing need not be placed: nobody saw its output.
    fn try_open(&mut self, place: usize, deadline: u64) -> Cursor {
        let later = Cursor::Open { place: place + 1, deadline };
        if self.taken[place] == Placed::Yes {
            return later;
        }
        let mut next = self.state.clone();
        next.apply(LogPosition::ZERO, self.open[place].command);
        let set = self.set ^ mark((self.known.len() + place) as u64);
        let digest = next.digest();
        if digest == self.state.digest() || !self.visited.insert((set, digest)) {
            return later;
        }
        let before = std::mem::replace(&mut self.state, next);
        self.frames.push(Frame {
            step: Step::Open { place, deadline },
            before,
            streak: self.streak,
        });
        self.streak += 1;
        self.set = set;
        self.taken[place] = Placed::Yes;
        Cursor::Event(self.events[0].next)
    }

    /// Takes the last step back and says what to try instead.
    fn back(&mut self) -> Option<Cursor> {
        let Frame { step, before, streak } = self.frames.pop()?;
        (self.state, self.streak) = (before, streak);
        Some(match step {
            Step::Known { slot } => {
                self.unlift(slot);
                self.placed -= 1;
                if let Kind::Call { known, .. } = self.events[slot].kind {
                    self.set ^= mark(known as u64);
                }
                Cursor::Event(self.events[slot].next)
            }
            Step::Open { place, deadline } => {
                self.taken[place] = Placed::No;
                self.set ^= mark((self.known.len() + place) as u64);
                Cursor::Open { place: place + 1, deadline }
            }
        })
    }

    /// Takes a call and its return out of the list.
    fn lift(&mut self, call: usize) {
        let Kind::Call { returns, .. } = self.events[call].kind else {
            unreachable!("only calls are lifted")
        };
        for slot in [call, returns] {
            let Event { previous, next, .. } = self.events[slot];
            self.events[previous].next = next;
            self.events[next].previous = previous;
        }
    }

    /// Undoes [`Self::lift`], in the opposite order.
    fn unlift(&mut self, call: usize) {
        let Kind::Call { returns, .. } = self.events[call].kind else {
            unreachable!("only calls are lifted")
        };
        for slot in [returns, call] {
            let Event { previous, next, .. } = self.events[slot];
            self.events[previous].next = slot;
            self.events[next].previous = slot;
        }
    }

    fn note_furthest(&mut self, known: usize) {
        if self.furthest.is_none_or(|stuck| stuck.placed < self.placed) {
            let of = self.known.len() as u64;
            self.furthest =
                Some(Stuck { operation: self.known[known].id, placed: self.placed, of });
        }
    }

    fn stuck(&self) -> Stuck {
        self.furthest.expect("a search goes back only after it met a return that it could not pass")
    }
}

/// A random number for each operation: a set's hash is their exclusive or.
fn mark(operation: u64) -> u64 {
    mix(operation.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The events as a list. Each operation's first event is its call, its second its return.
fn linked(order: &[(u64, usize)], operations: usize) -> Vec<Event> {
    let count = order.len() + 1;
    let mut returns = vec![0; operations];
    for (place, (_, known)) in order.iter().enumerate() {
        returns[*known] = place + 1;
    }
    let mut events =
        vec![Event { order: u64::MAX, kind: Kind::End, previous: count - 1, next: 1 % count }];
    for (place, (number, known)) in order.iter().enumerate() {
        let (slot, known) = (place + 1, *known);
        let kind = if returns[known] == slot {
            Kind::Return { known }
        } else {
            Kind::Call { known, returns: returns[known] }
        };
        events.push(Event { order: *number, kind, previous: place, next: (slot + 1) % count });
    }
    events
}

#[cfg(test)]
mod tests;
