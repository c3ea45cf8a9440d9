//! Where the lines of a scenario have their place, and what people wrote around them.
//!
//! Comments and blank lines belong to the line that follows them, or stands before them on the same line; those at the
//! end belong to the text. So they stay where they are when the text is written again, and go with their line when it
//! moves to where it belongs.

use std::collections::BTreeMap;

/// What a line says something of. The order is that of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Opening,
    Nodes,
    Founders,
    Seed,
    Profile,
    /// A setting, by its place in the table.
    Set(usize),
    Others,
    OtherSet(usize),
    /// A line of the table of groups.
    Group(usize),
    /// The clock of a node, counted from 0.
    Clock(usize),
    StaticCut,
    Fate(usize),
    Timed(Timed),
    /// What the run as a whole must end with.
    Ending,
}

/// What a line with a time says something of. The order is that in which things of one moment happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timed {
    Expectation(usize),
    End,
    Fault(usize),
    Action(usize),
    Operation(usize),
    Heal,
}

impl Timed {
    /// Which list it is from: what happens of one moment happens list by list.
    pub(super) fn list(self) -> u8 {
        match self {
            Self::Expectation(_) => 0,
            Self::End => 1,
            Self::Fault(_) => 2,
            Self::Action(_) => 3,
            Self::Operation(_) => 4,
            Self::Heal => 5,
        }
    }
}

/// What people wrote around a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// The number of the line, from 1; 0 if it has not been read from a text.
    pub(super) line: usize,
    /// Comments and blank lines before it.
    pub(super) before: Vec<String>,
    /// The comment behind it.
    pub(super) behind: Option<String>,
}

/// What people wrote around the lines of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    notes: BTreeMap<Place, Note>,
    /// Comments and blank lines after the last line.
    pub(super) after: Vec<String>,
}

impl Notes {
    pub(super) fn add(&mut self, place: Place, note: Note) {
        self.notes.insert(place, note);
    }

    pub(super) fn at(&self, place: Place) -> Option<&Note> {
        self.notes.get(&place)
    }

    /// What stands before a line, to be changed.
    pub(super) fn before(&mut self, place: Place) -> &mut Vec<String> {
        &mut self.notes.entry(place).or_default().before
    }

    /// The line that says something of a place, if the text has one.
    pub(super) fn line(&self, place: Place) -> Option<usize> {
        self.notes.get(&place).map(|note| note.line).filter(|line| *line > 0)
    }

    /// The line that tells of an event: a line may stand for several events of a list, and then names the first.
    pub(super) fn line_of(&self, list: fn(usize) -> Timed, number: usize) -> Option<usize> {
        let events = Place::Timed(list(0))..=Place::Timed(list(number));
        self.notes.range(events).map(|(_, note)| note.line).rfind(|line| *line > 0)
    }
}
