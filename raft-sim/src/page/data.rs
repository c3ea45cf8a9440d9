//! A story as the page reads it: columns of numbers, and tables of the words that repeat.
//!
//! Invariants: what is written holds no `<`, so nothing a machine says can end the element that it stands in or begin a
//! comment; a control character of a machine's text is written as an escape. A number in a text is taken out of it only
//! if writing it again gives the same digits.

use std::collections::BTreeMap;

use raft_core::{NodeId, Role, Term};
use serde::Serialize;
use serde_json::{Value, json};

use super::Page;
use crate::report::printable;
use crate::story::{Entry, Event, Peer, State, What};
use crate::violation::Violation;

/// Stands for a number in a pattern. No text holds it, since it is a control character.
const HOLE: char = '\u{1}';
/// So many digits are a number that a script holds exactly.
const DIGITS: usize = 15;

/// The data of a page, as text for a `script` element.
pub(super) fn written(page: &Page<'_>) -> String {
    let mut columns = Columns::default();
    for (number, event) in page.story.events.iter().enumerate() {
        columns.add(number, event);
    }
    let document = json!({
        "run": run(page),
        "kinds": columns.kinds.list,
        "patterns": columns.patterns.list,
        "strings": columns.strings.list,
        "events": columns.events,
    });
    document.to_string().replace('<', "\\u003c")
}

/// What concerns the run as a whole.
fn run(page: &Page<'_>) -> Value {
    let Page { story, plan, verdict, again } = page;
    let violation = verdict.violation.as_ref().map(|violation| {
        let Violation { property, at, nodes, witness, .. } = violation;
        json!({
            "property": property.name(),
            "explain": property.explain(),
            "at": at.0,
            "nodes": nodes,
            "witness": printable(witness),
        })
    });
    json!({
        // As text: a seed may have more digits than a script's numbers hold.
        "seed": plan.seed.to_string(),
        "profile": printable(&plan.profile),
        "again": printable(again),
        "digest": format!("{:016x}", verdict.digest),
        "nodes": story.nodes,
        "violation": violation,
        "heal": plan.heal_at.0,
        "settings": {
            "founders": plan.founders,
            "settings": plan.settings,
            "other settings": plan.other_settings,
            "network": plan.network,
            "disk": plan.disk,
            "machine": plan.apply,
            "snapshots": plan.snapshots,
            "clocks": plan.clocks,
            "workload": plan.workload,
        },
    })
}

/// Strings, each once.
#[derive(Debug, Default)]
struct Table {
    list: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Table {
    /// The place of a text.
    fn place(&mut self, text: &str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.list.len();
        self.list.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }
}

/// The events, a column for each of their parts.
#[derive(Debug, Default)]
struct Columns {
    kinds: Table,
    patterns: Table,
    strings: Table,
    events: Events,
    /// When the event before was.
    last: u64,
}

#[derive(Debug, Default, Serialize)]
struct Events {
    /// Microseconds since the event before.
    at: Vec<u64>,
    /// The node, or zero.
    node: Vec<u64>,
    /// How many events before it its cause is, or zero.
    because: Vec<u64>,
    /// The kind.
    kind: Vec<usize>,
    /// The pattern of its text.
    text: Vec<usize>,
    /// The numbers that belong in the holes of all the texts, one after another.
    numbers: Vec<u64>,
    /// The rest, by kind.
    detail: Vec<Value>,
}

impl Columns {
    fn add(&mut self, number: usize, event: &Event) {
        let Event { at, node, because, text, what } = event;
        let events = &mut self.events;
        events.at.push(at.0.saturating_sub(self.last));
        self.last = self.last.max(at.0);
        events.node.push(id(*node));
        let before = because.map_or(0, |cause| (number as u64).saturating_sub(u64::from(cause)));
        events.because.push(before);
        let pattern = take_numbers(&printable(text), &mut events.numbers);
        events.text.push(self.patterns.place(&pattern));
        let (kind, detail) = self.told(what);
        self.events.kind.push(self.kinds.place(kind));
        self.events.detail.push(detail);
    }

    /// An event's kind, and what belongs to it: the scripts of the page read these lists by place.
    fn told(&mut self, what: &What) -> (&'static str, Value) {
        match what {
            What::Started { state, .. } => ("started", told_state(state)),
            What::StartRefused => ("start-refused", Value::Null),
            What::Changed { state } => ("changed", told_state(state)),
            What::Log { base, first, entries } => {
                ("log", json!([base, first, self.told_entries(entries)]))
            }
            What::Members { voters, outgoing, learners } => {
                ("members", json!([voters, outgoing, learners]))
            }
            What::Peers { peers } => ("peers", peers.iter().map(told_peer).collect()),
            What::Due => ("due", Value::Null),
            What::Submitted => ("submitted", Value::Null),
            What::Durable { last, term, vote } => ("durable", json!([last, term, id(*vote)])),
            What::Receipt => ("receipt", Value::Null),
            What::Applied { position } => ("applied", json!([position.index, position.term])),
            What::Reported { applied } => ("reported", json!([applied])),
            What::Crashed { last } => ("crashed", json!([last])),
            What::Paused => ("paused", Value::Null),
            What::Resumed => ("resumed", Value::Null),
            What::Invoked { op, client } => ("invoked", json!([op, client])),
            What::Answered { op, done } => ("answered", json!([op, u8::from(*done)])),
            What::GaveUp { op } => ("gave-up", json!([op])),
            What::Elected { term } => ("elected", json!([term])),
            What::Operator => ("operator", Value::Null),
            What::Driver => ("driver", Value::Null),
            What::Said => ("said", Value::Null),
            What::Violated { .. } => ("violated", Value::Null),
            other => self.told_network(other),
        }
    }

    fn told_network(&mut self, what: &What) -> (&'static str, Value) {
        match what {
            What::Sent { message, to, name, term, .. } => {
                ("sent", json!([message, to, self.strings.place(name), term]))
            }
            What::Duplicated { message, .. } => ("duplicated", json!([message])),
            What::Lost { message, why } => ("lost", json!([message, self.strings.place(why)])),
            What::Delivered { message } => ("delivered", json!([message])),
            What::Malformed { message } => ("malformed", json!([message])),
            What::FaultBegan { fault, nodes } => ("fault-began", json!([fault, nodes])),
            What::FaultEnded { fault } => ("fault-ended", json!([fault])),
            What::LinkCut { from, to } => ("link-cut", json!([from, to])),
            What::LinkMended { from, to } => ("link-mended", json!([from, to])),
            _ => ("phase", Value::Null),
        }
    }

    /// The term and the text of each entry by turns.
    fn told_entries(&mut self, entries: &[Entry]) -> Vec<u64> {
        let mut told = Vec::with_capacity(entries.len() * 2);
        for Entry { term: Term(term), text } in entries {
            told.extend([*term, self.strings.place(&printable(text)) as u64]);
        }
        told
    }
}

fn told_state(state: &State) -> Value {
    let State { role, term, vote, leader, durable, commit, applied, last } = state;
    let role = match role {
        Role::Follower => 0,
        Role::PreCandidate => 1,
        Role::Candidate => 2,
        Role::Leader => 3,
    };
    json!([role, term, id(*vote), id(*leader), durable, commit, applied, last.index, last.term])
}

fn told_peer(peer: &Peer) -> Value {
    let Peer { id, matched, next, flow } = peer;
    json!([id, matched, next, flow])
}

/// A node's number; zero for none, since nodes are named from n1.
fn id(node: Option<NodeId>) -> u64 {
    node.map_or(0, |node| node.0)
}

/// A text without its numbers, and these.
fn take_numbers(text: &str, numbers: &mut Vec<u64>) -> String {
    let mut pattern = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|character: char| !character.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        pattern.push_str(before);
        let plain = digits == "0" || !digits.starts_with('0');
        match digits.parse() {
            Ok(number) if plain && digits.len() <= DIGITS => {
                numbers.push(number);
                pattern.push(HOLE);
            }
            _ => pattern.push_str(digits),
        }
        rest = after;
    }
    pattern + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text again, as the page puts it together.
    fn filled(pattern: &str, numbers: &[u64]) -> String {
        let mut numbers = numbers.iter();
        let mut text = String::new();
        for (place, part) in pattern.split(HOLE).enumerate() {
            if place > 0 {
                text.push_str(&numbers.next().expect("a hole has a number").to_string());
            }
            text.push_str(part);
        }
        text
    }

    /// Goal: whatever digits a text has, it is told as it was.
    #[test]
    fn numbers_are_put_back_as_they_were() {
        let texts = [
            "",
            "no number",
            "7",
            "n1 -> n2 AppendEntries T3 after i4@T1 +0 commit i3",
            "007 and 0.50 and 00",
            "0123456789012345678901234567890",
            "99999999999999999999999 is too long, 123456789012345 is not",
        ];
        for text in texts {
            let mut numbers = Vec::new();
            let pattern = take_numbers(text, &mut numbers);
            assert_eq!(filled(&pattern, &numbers), text);
        }
    }
}
