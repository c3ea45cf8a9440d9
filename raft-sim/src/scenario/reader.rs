//! Reads a scenario, line by line.
//!
//! Invariant: whatever the text is, there is a scenario whose plan can be run, or an error that points into the text.

use raft_core::Instant;

use super::error::{Problem, ScenarioError};
use super::expectation;
use super::header::Pending;
use super::place::{Note, Notes, Place, Timed};
use super::words::{Words, split_comment};
use super::{Ending, Scenario, USUAL_NODES, USUAL_SEED, blame, event, header};
use crate::machine::Machine;
use crate::plan::Plan;
use crate::units::time;

/// What a refusal calls a time.
const TIME: &str = "a time, as in +20ms, or `at 1.5s`";

/// Which part of a text has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Opening,
    Header,
    Events,
    Ending,
}

/// What has been read so far.
struct Reader {
    plan: Plan,
    pending: Pending,
    expectations: Vec<super::Expectation>,
    ending: Ending,
    heal: Option<Instant>,
    notes: Notes,
    part: Part,
    /// The time of the last event, and its list.
    latest: (Instant, u8),
}

pub(super) fn read<M: Machine>(text: &str) -> Result<Scenario, ScenarioError> {
    let mut reader = Reader {
        plan: Plan::benign(USUAL_SEED, USUAL_NODES),
        pending: Pending::default(),
        expectations: Vec::new(),
        ending: Ending::default(),
        heal: None,
        notes: Notes::default(),
        part: Part::Opening,
        latest: (Instant(0), 0),
    };
    let mut before = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let (content, comment) = split_comment(text);
        if content.trim().is_empty() {
            before.push(comment.unwrap_or_default().to_owned());
            continue;
        }
        let mut words = Words::new(line, content);
        let place = reader.line::<M>(&mut words)?;
        if let Some(first) = reader.notes.line(place) {
            let problem = Problem::Repeated { first };
            return Err(Words::new(line, content).wrong(problem));
        }
        let behind = comment.map(str::to_owned);
        reader.notes.add(place, Note { line, before: std::mem::take(&mut before), behind });
    }
    reader.notes.after = before;
    reader.finish()
}

impl Reader {
    fn line<M: Machine>(&mut self, words: &mut Words<'_>) -> Result<Place, ScenarioError> {
        let first = words.peek().unwrap_or_default();
        if self.part == Part::Opening {
            self.part = Part::Header;
            return header::read_opening(words);
        }
        if self.part == Part::Ending {
            return Err(words.wrong(Problem::Misplaced {
                found: "after the line that says how the run ends",
                expected: "that line is the last",
            }));
        }
        if is_moment(first) {
            self.begin_events();
            return self.event::<M>(words).map(Place::Timed);
        }
        if first == "expect" {
            words.require("expect")?;
            self.begin_events();
            self.part = Part::Ending;
            self.ending =
                expectation::read_ending(words).map_err(|error| without_a_time(words, error))?;
            return Ok(Place::Ending);
        }
        if header::is_header(first) {
            if self.part == Part::Events {
                return Err(words.wrong(Problem::Misplaced {
                    found: "after the first event",
                    expected: "what is so from the beginning stands before it",
                }));
            }
            return header::read(words, &mut self.plan, &mut self.pending);
        }
        if event::is_event(first) || ["end", "heal"].contains(&first) {
            return Err(words.refuse(&format!("{TIME}, before an event")));
        }
        if self.part == Part::Events {
            return Err(words.refuse(TIME));
        }
        Err(header::refuse(words, TIME))
    }

    fn begin_events(&mut self) {
        if self.part == Part::Header {
            self.part = Part::Events;
            header::complete(&mut self.plan, &self.pending);
        }
    }

    fn event<M: Machine>(&mut self, words: &mut Words<'_>) -> Result<Timed, ScenarioError> {
        let (before, list) = self.latest;
        let is_absolute = words.accept("at");
        let (relative, later) = words.parse(TIME, |word| match word.strip_prefix('+') {
            Some(later) if !is_absolute => Some((true, time(later)?)),
            Some(_) => None,
            None => Some((false, time(word)?)),
        })?;
        let from = if relative { before.0 } else { 0 };
        let Some(at) = from.checked_add(later).map(Instant) else {
            return Err(words.wrong_before(Problem::TooLate));
        };
        if at < before {
            return Err(words.wrong_before(Problem::Backwards { at, before }));
        }
        let start = words.clone();
        let timed = self.happening::<M>(words, at)?;
        if at == before && timed.list() < list {
            return Err(start.wrong(Problem::Misplaced {
                found: "too late in its moment",
                expected: "of one moment, expectations of the state before it come first, then `end`, then faults, \
                           then what an operator does, then what clients ask, then `heal`: move the line up, or \
                           give it a later time",
            }));
        }
        self.latest = (at, timed.list());
        Ok(timed)
    }

    /// What happens at a moment.
    fn happening<M: Machine>(
        &mut self,
        words: &mut Words<'_>,
        at: Instant,
    ) -> Result<Timed, ScenarioError> {
        if words.accept("expect") {
            self.expectations.push(expectation::read(words, at)?);
            return Ok(Timed::Expectation(self.expectations.len() - 1));
        }
        if words.accept("end") {
            words.finish()?;
            self.plan.ends_at = Some(at);
            return Ok(Timed::End);
        }
        if words.accept("heal") {
            words.finish()?;
            self.heal = Some(at);
            return Ok(Timed::Heal);
        }
        event::read::<M>(words, &mut self.plan, at)
    }

    fn finish(mut self) -> Result<Scenario, ScenarioError> {
        if self.part == Part::Opening {
            return Err(ScenarioError { line: 1, column: 1, problem: Problem::Empty });
        }
        self.begin_events();
        let mut scenario = Scenario {
            plan: self.plan,
            expectations: self.expectations,
            ending: self.ending,
            notes: self.notes,
        };
        let usual = scenario.plan.usual_healing(scenario.last_expectation());
        scenario.plan.heal_at = self.heal.unwrap_or(usual);
        match scenario.plan.validate() {
            Ok(()) => Ok(scenario),
            Err(error) => {
                let line = blame::line(&error, &scenario.notes);
                Err(ScenarioError { line, column: 1, problem: error.into() })
            }
        }
    }
}

/// Whether a line that begins with this word has a time.
fn is_moment(word: &str) -> bool {
    word == "at" || word.starts_with(|c: char| c == '+' || c.is_ascii_digit())
}

/// The expectation of a node, but without its time, is called that.
fn without_a_time(words: &Words<'_>, error: ScenarioError) -> ScenarioError {
    let is_node = words.peek().is_some_and(|word| word.starts_with('n'));
    if !is_node {
        return error;
    }
    words.wrong(Problem::Misplaced {
        found: "without a time",
        expected: "what is expected of a node begins with when, as in `+20ms expect n1 leader`",
    })
}
