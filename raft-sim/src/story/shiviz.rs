//! A story in the format of `ShiViz`, which draws who knew of what: each event with a vector clock.
//!
//! Hosts are the nodes, `n1` and so on, and the clients, `c0` and so on. A clock counts, for each host, the events that can
//! have led to this one.
//!
//! Invariants: a host's own count rises by one at each of its events, from 1; the clock of what is received is at least
//! that of its sending.

use std::collections::BTreeMap;
use std::fmt;

use raft_core::{Instant, NodeId};
use serde_json::{Map, Value};

use super::{Event, Story, What};
use crate::report::printable;
use crate::timeline::{put, seconds};

/// The expression by which `ShiViz` reads the lines.
pub const SHIVIZ_PARSER: &str = r"^(?<host>\S+) (?<clock>\{.*?\}) (?<time>\S+) (?<event>.*)$";

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Host {
    Node(NodeId),
    Client(u32),
}

/// How many events of each host can have led to an event.
type Clock = BTreeMap<Host, u64>;

/// One line.
#[derive(Clone, Debug)]
struct Stamped<'a> {
    host: Host,
    clock: Clock,
    at: Instant,
    text: &'a str,
    /// The event of the story; an answer has a line at its node and one at its client.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests look it up"))]
    event: usize,
}

/// The clocks while a story is read.
#[derive(Default)]
struct Clocks {
    hosts: BTreeMap<Host, Clock>,
    sendings: BTreeMap<u64, Clock>,
    /// Who asked for an operation that is still waited for, and the clock of that.
    asked: BTreeMap<u64, (u32, Clock)>,
}

impl Story {
    /// The story as lines that `ShiViz` reads with [`SHIVIZ_PARSER`].
    pub fn to_shiviz(&self) -> String {
        let mut text = String::new();
        for Stamped { host, clock, at, text: said, .. } in self.stamped() {
            let clock: Map<String, Value> =
                clock.into_iter().map(|(host, count)| (host.to_string(), count.into())).collect();
            let (clock, at, said) = (Value::Object(clock), seconds(at), printable(said));
            put(&mut text, format_args!("{host} {clock} {at} {said}\n"));
        }
        text
    }

    fn stamped(&self) -> Vec<Stamped<'_>> {
        let mut clocks = Clocks::default();
        let mut lines = Vec::new();
        for number in 0..self.events.len() {
            self.stamp(number, &mut clocks, &mut lines);
        }
        lines
    }

    /// Adds the lines of an event: none for what is at no host, or says what another line says better.
    fn stamp<'a>(&'a self, number: usize, clocks: &mut Clocks, lines: &mut Vec<Stamped<'a>>) {
        let event = &self.events[number];
        let Event { at, text, .. } = event;
        let mut line = |host: Host, clock: Clock| {
            lines.push(Stamped { host, clock, at: *at, text, event: number });
        };
        match event.what {
            What::Log { .. } | What::Peers { .. } => {}
            What::Invoked { op, client } => {
                let clock = clocks.tick(Host::Client(client), None);
                clocks.asked.insert(op, (client, clock.clone()));
                line(Host::Client(client), clock);
            }
            What::GaveUp { op } => {
                if let Some((client, _)) = clocks.asked.remove(&op) {
                    let clock = clocks.tick(Host::Client(client), None);
                    line(Host::Client(client), clock);
                }
            }
            ref what => {
                let Some(id) = event.node else { return };
                let known = match what {
                    What::Delivered { message } | What::Malformed { message } => {
                        clocks.sendings.get(message).cloned()
                    }
                    _ => self
                        .request_behind(event)
                        .and_then(|op| Some(clocks.asked.get(&op)?.1.clone())),
                };
                let clock = clocks.tick(Host::Node(id), known);
                if let What::Sent { message, .. } = what {
                    clocks.sendings.insert(*message, clock.clone());
                }
                line(Host::Node(id), clock.clone());
                let told = match what {
                    What::Answered { op, .. } => clocks.asked.remove(op),
                    _ => None,
                };
                if let Some((client, _)) = told {
                    let clock = clocks.tick(Host::Client(client), Some(clock));
                    line(Host::Client(client), clock);
                }
            }
        }
    }

    /// The operation that the step took which an event belongs to.
    fn request_behind(&self, event: &Event) -> Option<u64> {
        match self.events.get(event.because? as usize)?.what {
            What::Invoked { op, .. } => Some(op),
            _ => None,
        }
    }
}

impl Clocks {
    /// Something happens at a host, which knows from now on what is known elsewhere.
    fn tick(&mut self, host: Host, known: Option<Clock>) -> Clock {
        let own = self.hosts.entry(host).or_default();
        for (other, count) in known.into_iter().flatten() {
            let before = own.entry(other).or_default();
            *before = count.max(*before);
        }
        *own.entry(host).or_default() += 1;
        own.clone()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => write!(f, "{id}"),
            Self::Client(number) => write!(f, "c{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::told_of;
    use super::*;
    use crate::plan::{Plan, Profile};

    fn is_at_most(one: &Clock, other: &Clock) -> bool {
        one.iter().all(|(host, count)| other.get(host) >= Some(count))
    }

    /// Goal: each host counts its events from 1, clocks never fall, and what arrives knows of its sending, as an answer knows
    /// of the question; what is not received in between is not known.
    #[test]
    fn clocks_are_consistent() {
        let mut arrivals = 0;
        for seed in 0..6 {
            let (story, _) = told_of(&Plan::generate(seed, Profile::Default));
            let mut latest: BTreeMap<Host, Clock> = BTreeMap::new();
            let mut first_of: BTreeMap<usize, Clock> = BTreeMap::new();
            for Stamped { host, clock, event, .. } in story.stamped() {
                let before = latest.insert(host, clock.clone()).unwrap_or_default();
                let count = before.get(&host).copied().unwrap_or_default();
                assert_eq!(clock.get(&host), Some(&(count + 1)));
                assert!(is_at_most(&before, &clock));
                let Event { because, what, .. } = &story.events[event];
                let cause = because.and_then(|cause| first_of.get(&(cause as usize)));
                if let (What::Delivered { .. }, Some(sending)) = (what, cause) {
                    assert!(is_at_most(sending, &clock) && !is_at_most(&clock, sending));
                    arrivals += 1;
                }
                // Nobody knows more of a host than it has done.
                for (other, count) in &clock {
                    let done = latest.get(other).and_then(|clock| clock.get(other));
                    assert!(done >= Some(count), "{other} has not done so much");
                }
                first_of.entry(event).or_insert(clock);
            }
        }
        assert!(arrivals > 1_000, "{arrivals}");
    }

    /// Goal: a line is a host, a clock, a time and an event.
    #[test]
    fn lines_have_four_parts() {
        let (story, _) = told_of(&Plan::generate(3, Profile::Default));
        let text = story.to_shiviz();
        assert_eq!(text.lines().count(), story.stamped().len());
        for line in text.lines() {
            let (host, rest) = line.split_once(' ').expect("a host");
            let end = rest.find('}').expect("a clock") + 1;
            let clock: BTreeMap<String, u64> = serde_json::from_str(&rest[..end]).expect("JSON");
            assert!(clock.contains_key(host), "{line}");
            assert!(rest[end..].trim_start().contains(' '), "{line}");
        }
        assert!(
            text.starts_with("n1 {\"n1\":1} 0.000000 n1 starts with an empty disk\n"),
            "{text}"
        );
    }
}
