//! Which line made a plan that cannot be run, as far as that can be told.

use super::place::{Notes, Place, Timed};
use super::slot::{GROUPS, SETTINGS};
use crate::plan::{MAX_NODES, PlanError};

/// The line that an error is about; the line that opens the text if it is about the whole.
pub(super) fn line(error: &PlanError, notes: &Notes) -> usize {
    let opening = notes.line(Place::Opening).unwrap_or(1);
    let found = match error {
        PlanError::Impossible { field, .. } => line_of_field(field, notes),
        PlanError::Settings(_) => (0..SETTINGS.len()).find_map(|n| notes.line(Place::Set(n))),
        PlanError::OtherSettings(_) => notes.line(Place::Others),
        _ => None,
    };
    found.unwrap_or(opening)
}

/// The line of a field, as errors write it: `faults[3].fault.cut.lasts`.
fn line_of_field(field: &str, notes: &Notes) -> Option<usize> {
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (name, rest) = field.split_at(end);
    let number = || rest.strip_prefix('[')?.split(']').next()?.parse::<usize>().ok();
    let timed = |timed| notes.line(Place::Timed(timed));
    match name {
        "faults" => timed(Timed::Fault(number()?)),
        "actions" => notes.line_of(Timed::Action, number()?),
        "operations" => timed(Timed::Operation(number()?)),
        "overrides" => notes.line(Place::Fate(number()?)),
        "clocks" => match number() {
            Some(node) => notes.line(Place::Clock(node)),
            None => (0..MAX_NODES as usize).rev().find_map(|n| notes.line(Place::Clock(n))),
        },
        "nodes" => notes.line(Place::Nodes),
        "founders" => notes.line(Place::Founders),
        "static_cut" => notes.line(Place::StaticCut),
        "heal_at" => timed(Timed::Heal),
        "ends_at" => timed(Timed::End),
        "settings" => notes.line(Place::Set(setting(rest)?)),
        "other_settings" => {
            let of_others = setting(rest).and_then(|n| notes.line(Place::OtherSet(n)));
            of_others.or_else(|| notes.line(Place::Others))
        }
        _ => {
            let name = if name == "apply" { "machine" } else { name };
            let number = GROUPS.iter().position(|group| group.name == name)?;
            notes.line(Place::Group(number))
        }
    }
}

/// The place in the table of a setting, as the last part of a field's name has it.
fn setting(path: &str) -> Option<usize> {
    let name = path.rsplit('.').next()?.trim_end_matches("_ppm").replace('_', "-");
    SETTINGS.iter().position(|(other, _)| *other == name)
}
