//! Writes a scenario: one line for whatever is not as usual, in the order of a text, with what people wrote around it.

use raft_core::{Instant, Ticks};

use super::place::{Place, Timed};
use super::{Ending, Scenario, event, header};
use crate::machine::Machine;
use crate::units::time_text;

/// How wide the column of times is.
const TIMES: usize = 8;

/// A line without what is around it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) place: Place,
    /// When it happens, if it is an event.
    pub(super) at: Option<Instant>,
    pub(super) text: String,
    /// Whether it says anything that is not so without it.
    pub(super) is_needed: bool,
}

/// All lines that there could be, in the order of a text.
pub(super) fn lines<M: Machine>(scenario: &Scenario) -> Vec<Line> {
    let Scenario { plan, expectations, ending, notes } = scenario;
    let mut events = event::lines::<M>(plan, notes);
    for (number, expectation) in expectations.iter().enumerate() {
        let place = Place::Timed(Timed::Expectation(number));
        let (at, text) = (Some(expectation.at), expectation.to_string());
        events.push(Line { place, at, text, is_needed: true });
    }
    if let Some(at) = plan.ends_at {
        let (place, text) = (Place::Timed(Timed::End), "end".to_owned());
        events.push(Line { place, at: Some(at), text, is_needed: true });
    }
    events.push(Line {
        place: Place::Timed(Timed::Heal),
        at: Some(plan.heal_at),
        text: "heal".to_owned(),
        is_needed: plan.heal_at != plan.usual_healing(scenario.last_expectation()),
    });
    // What is of one moment stays in the order of its list.
    events.sort_by_key(|line| (line.at, list_of(line.place)));
    let mut lines = header::lines(plan);
    lines.append(&mut events);
    lines.push(Line {
        place: Place::Ending,
        at: None,
        text: ending.to_string(),
        is_needed: *ending != Ending::Clean,
    });
    lines
}

fn list_of(place: Place) -> Option<u8> {
    match place {
        Place::Timed(timed) => Some(timed.list()),
        _ => None,
    }
}

pub(super) fn write<M: Machine>(scenario: &Scenario) -> String {
    let mut text = String::new();
    let mut before = Instant(0);
    for line in lines::<M>(scenario) {
        let note = scenario.notes.at(line.place);
        if !line.is_needed && note.is_none() {
            continue;
        }
        for around in note.iter().flat_map(|note| &note.before) {
            text.push_str(around);
            text.push('\n');
        }
        if let Some(at) = line.at {
            text.push_str(&later(at.since(before)));
            before = at;
        }
        text.push_str(&line.text);
        if let Some(behind) = note.and_then(|note| note.behind.as_ref()) {
            text.push_str("  ");
            text.push_str(behind);
        }
        text.push('\n');
    }
    for around in &scenario.notes.after {
        text.push_str(around);
        text.push('\n');
    }
    text
}

/// A time after the line before, as wide as its column, and apart from what follows.
fn later(after: Ticks) -> String {
    let text = format!("+{}", time_text(after.0));
    let width = TIMES.max(text.len() + 1);
    format!("{text:width$}")
}
