//! The search: breadth first, so that what is found first is found on a shortest way.
//!
//! All states of a depth are followed before the next depth begins, by several threads; which states there are
//! does not depend on the threads, nor does how long the shortest way to a violation is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::action::Action;
use super::conduct::Breach;
use super::core::Core;
use super::scope::{Scope, ScopeError};
use super::space::Space;
use super::state::State;
use super::step::Stepper;
use super::told::{self, Step};
use super::visited::Visited;
use crate::campaign::now;

/// How much work a search may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many threads there are.
    pub jobs: usize,
    /// After this long it is given up.
    pub time: Option<Duration>,
    /// After so many states it is given up.
    pub states: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { jobs: 1, time: None, states: None }
    }
}

/// How far a search is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many states were met.
    pub states: u64,
    /// How many steps were taken, to new states and to known ones.
    pub transitions: u64,
    /// How many steps lead to the states that are followed now.
    pub depth: u64,
    /// How long it has taken.
    pub wall: Duration,
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// How far it came.
    pub progress: Progress,
    /// The bytes of the set of states.
    pub bytes: u64,
    /// The most bytes of states that waited to be followed.
    pub waiting_bytes: u64,
    /// How many different nodes there were, each with its disk.
    pub nodes: u64,
    /// How many different messages there were.
    pub messages: u64,
    /// Whether every state of the scope was met.
    pub is_complete: bool,
    /// What must not be, if anything was found.
    pub found: Option<Found>,
}

/// A violation, and a shortest way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What does not hold.
    pub breach: Breach,
    /// The steps; the last one violates it.
    pub steps: Vec<Step>,
    /// How many of them lead to where the search begins.
    pub before: usize,
}

/// Words of a chunk of states that a thread takes at a time.
const CHUNK: usize = 1 << 14;

type Chunks = Vec<Vec<u32>>;

/// Explores a scope.
///
/// # Errors
/// When the scope makes no sense.
pub fn explore<C: Core>(
    scope: Scope,
    limits: Limits,
    told: impl FnMut(Progress) + Send,
) -> Result<Explored, ScopeError> {
    scope.validate()?;
    let space = Space::<C>::new(scope);
    let search = Search {
        space: &space,
        visited: Visited::new(),
        limits,
        began: now(),
        states: AtomicU64::new(0),
        transitions: AtomicU64::new(0),
        stops: AtomicBool::new(false),
        broken: Mutex::new(None),
        told: Mutex::new(told),
    };
    Ok(search.run())
}

struct Search<'s, C, T> {
    space: &'s Space<C>,
    visited: Visited,
    limits: Limits,
    began: Instant,
    states: AtomicU64,
    transitions: AtomicU64,
    stops: AtomicBool,
    /// What was found first: from which state, by what, and what.
    broken: Mutex<Option<(u32, Action, Breach)>>,
    told: Mutex<T>,
}

impl<C: Core, T: FnMut(Progress) + Send> Search<'_, C, T> {
    fn run(self) -> Explored {
        let begin = match self.space.begin() {
            Ok(begin) => begin,
            Err(breach) => {
                let found = Some(Found { breach, steps: Vec::new(), before: 0 });
                return self.explored(0, 0, found);
            }
        };
        let jobs = self.limits.jobs.max(1);
        let mut steppers: Vec<_> = (0..jobs).map(|_| Stepper::new(self.space)).collect();
        let mut first = Vec::new();
        let print = steppers[0].print(&begin);
        let number = self.visited.insert(print, None).expect("it is the first");
        begin.pack(self.nodes(), number, &mut first);
        self.states.store(1, Ordering::Relaxed);
        let (mut chunks, mut depth, mut waiting) = (vec![first], 0, 0);
        while !chunks.is_empty() && !self.stops.load(Ordering::Relaxed) {
            waiting = waiting.max(chunks.iter().map(|chunk| 4 * chunk.len() as u64).sum());
            self.tell(depth);
            chunks = self.level(chunks, &mut steppers, depth);
            depth += 1;
        }
        self.tell(depth);
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        let found = broken.map(|(from, action, breach)| {
            let (steps, before) =
                told::steps(self.space, &self.visited, &begin, from, action, &breach);
            Found { breach, steps, before }
        });
        self.explored(depth, waiting, found)
    }

    fn explored(&self, depth: u64, waiting_bytes: u64, found: Option<Found>) -> Explored {
        Explored {
            progress: self.progress(depth),
            bytes: self.visited.bytes(),
            waiting_bytes,
            nodes: u64::from(self.space.locals.len()),
            messages: u64::from(self.space.letters.len()),
            is_complete: !self.stops.load(Ordering::Relaxed) && found.is_none(),
            found,
        }
    }

    fn nodes(&self) -> usize {
        usize::try_from(self.space.scope.nodes).expect("few nodes")
    }

    fn progress(&self, depth: u64) -> Progress {
        Progress {
            states: self.states.load(Ordering::Relaxed),
            transitions: self.transitions.load(Ordering::Relaxed),
            depth,
            wall: self.began.elapsed(),
        }
    }

    fn tell(&self, depth: u64) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told(self.progress(depth));
    }

    /// Follows all states of a depth; returns those of the next.
    fn level(&self, chunks: Chunks, steppers: &mut [Stepper<'_, C>], depth: u64) -> Chunks {
        let chunks = Mutex::new(chunks);
        std::thread::scope(|threads| {
            let followers: Vec<_> = steppers
                .iter_mut()
                .map(|stepper| threads.spawn(|| self.follow(&chunks, stepper, depth)))
                .collect();
            let next = followers.into_iter();
            next.flat_map(|follower| follower.join().expect("a search does not panic")).collect()
        })
    }

    /// One thread's share of a depth.
    fn follow(&self, chunks: &Mutex<Chunks>, stepper: &mut Stepper<'_, C>, depth: u64) -> Chunks {
        let (mut next, mut state) = (vec![Vec::with_capacity(CHUNK)], State::default());
        while !self.stops.load(Ordering::Relaxed) {
            let chunk = chunks.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(chunk) = chunk else { break };
            let (mut at, mut met, mut taken) = (0, 0, 0);
            while at < chunk.len() {
                let (number, length) = state.unpack(self.nodes(), &chunk[at..]);
                at += length;
                let goes_on = stepper.each(&state, &mut |action, followed| {
                    taken += 1;
                    match followed {
                        Ok((child, print)) => {
                            if let Some(new) = self.visited.insert(print, Some(number)) {
                                met += 1;
                                keep(child, self.nodes(), new, &mut next);
                            }
                            true
                        }
                        Err(breach) => {
                            self.note(number, action, breach);
                            false
                        }
                    }
                });
                if !goes_on {
                    break;
                }
            }
            self.count(met, taken, depth);
        }
        next.retain(|chunk| !chunk.is_empty());
        next
    }

    fn note(&self, from: u32, action: Action, breach: Breach) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.get_or_insert((from, action, breach));
        self.stops.store(true, Ordering::Relaxed);
    }

    /// Counts a chunk, tells of it, and sees whether it is time to give up.
    fn count(&self, met: u64, taken: u64, depth: u64) {
        let states = self.states.fetch_add(met, Ordering::Relaxed) + met;
        self.transitions.fetch_add(taken, Ordering::Relaxed);
        let Limits { time, states: most, .. } = self.limits;
        let is_over = time.is_some_and(|time| self.began.elapsed() >= time)
            || most.is_some_and(|most| states >= most);
        if is_over {
            self.stops.store(true, Ordering::Relaxed);
        }
        if let Ok(mut told) = self.told.try_lock() {
            told(self.progress(depth));
        }
    }
}

fn keep(state: &State, nodes: usize, number: u32, chunks: &mut Chunks) {
    if chunks.last().is_none_or(|chunk| chunk.len() >= CHUNK) {
        chunks.push(Vec::with_capacity(CHUNK + 64));
    }
    let last = chunks.last_mut().expect("one was added");
    state.pack(nodes, number, last);
}
