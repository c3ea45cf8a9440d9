//! The lines before the events: the cluster, its settings, and what usually happens in it.

use std::fmt::Write as _;

use raft_core::NodeId;

use super::cut;
use super::error::{Problem, ScenarioError};
use super::place::Place;
use super::slot::{GROUPS, SETTINGS};
use super::values::{
    kind, kind_text, lasts, node, nodes, nodes_text, number, term, ticks, ticks_text,
};
use super::words::Words;
use super::writer::Line;
use crate::plan::{Fate, MAX_NODES, OtherSettings, Override, Plan, StaticCut, TRUE_RATE};
use crate::units::{share, share_text};

/// The version of the format.
const VERSION: &str = "1";

/// What a text has said so far that is not in the plan yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    founders: Option<u32>,
    /// The rates of clocks, by the place of their node.
    clocks: Vec<(usize, u32)>,
}

/// What a header line begins with.
#[derive(Clone, Copy, Debug)]
enum Head {
    Nodes,
    Founders,
    Seed,
    Profile,
    Set,
    Others,
    Group(usize),
    Clock,
    StaticCut,
    Fate,
}

fn heads() -> impl Iterator<Item = (&'static str, Head)> {
    let first = [
        ("nodes", Head::Nodes),
        ("founders", Head::Founders),
        ("seed", Head::Seed),
        ("profile", Head::Profile),
        ("set", Head::Set),
        ("others", Head::Others),
    ];
    let groups = GROUPS.iter().enumerate().map(|(number, group)| (group.name, Head::Group(number)));
    let last = [("clock", Head::Clock), ("static-cut", Head::StaticCut), ("fate", Head::Fate)];
    first.into_iter().chain(groups).chain(last)
}

/// Whether a line that begins with this word belongs before the events.
pub(super) fn is_header(word: &str) -> bool {
    heads().any(|(head, _)| head == word)
}

/// The first word of a line is none of those that may stand before the events.
pub(super) fn refuse(words: &mut Words<'_>, expected: &str) -> ScenarioError {
    for (head, _) in heads() {
        words.accept(head);
    }
    words.refuse(expected)
}

/// `scenario 1`, the line that every text begins with.
pub(super) fn read_opening(words: &mut Words<'_>) -> Result<Place, ScenarioError> {
    words.require("scenario")?;
    words.require(VERSION)?;
    words.finish()?;
    Ok(Place::Opening)
}

/// Reads a line before the events.
pub(super) fn read(
    words: &mut Words<'_>,
    plan: &mut Plan,
    pending: &mut Pending,
) -> Result<Place, ScenarioError> {
    let place = match words.choose(heads())? {
        Head::Nodes => {
            plan.nodes = words.parse(&format!("a number from 1 to {MAX_NODES}"), |word| {
                word.parse().ok().filter(|nodes| (1..=MAX_NODES).contains(nodes))
            })?;
            Place::Nodes
        }
        Head::Founders => {
            pending.founders = Some(number(words)?);
            Place::Founders
        }
        Head::Seed => {
            plan.seed = number(words)?;
            Place::Seed
        }
        Head::Profile => {
            plan.profile = words.parse("a name", |word| match word.strip_prefix('"') {
                Some(_) => serde_json::from_str(word).ok(),
                None => Some(word.to_owned()),
            })?;
            Place::Profile
        }
        Head::Set => read_setting(words, plan)?,
        Head::Others => {
            let nodes = if words.accept("nobody") { Vec::new() } else { nodes(words)? };
            plan.other_settings = Some(OtherSettings { nodes, settings: plan.settings });
            Place::Others
        }
        Head::Group(number) => {
            read_group(words, number, plan)?;
            Place::Group(number)
        }
        Head::Clock => {
            let node = place_of(node(words)?);
            pending.clocks.push((node, words.parse("a deviation, as in +5% or -0.1%", rate)?));
            Place::Clock(node)
        }
        Head::StaticCut => {
            let cut = cut::read(words)?;
            words.require("settle")?;
            let settle = ticks(words)?;
            plan.static_cut = Some(StaticCut { cut, settle, lasts: lasts(words)? });
            Place::StaticCut
        }
        Head::Fate => {
            plan.overrides.push(read_fate(words)?);
            Place::Fate(plan.overrides.len() - 1)
        }
    };
    words.finish()?;
    Ok(place)
}

fn read_setting(words: &mut Words<'_>, plan: &mut Plan) -> Result<Place, ScenarioError> {
    let is_of_others = words.accept("others");
    let misplaced = |found, expected| words.wrong(Problem::Misplaced { found, expected });
    let settings = match (&mut plan.other_settings, is_of_others) {
        (None, true) => {
            return Err(misplaced(
                "too early",
                "the line `others n2 n3`, which names these nodes, stands before it",
            ));
        }
        (Some(_), false) => {
            return Err(misplaced(
                "too late",
                "what is set for all nodes stands before the line `others`, which builds on it",
            ));
        }
        (Some(others), true) => &mut others.settings,
        (None, false) => &mut plan.settings,
    };
    let names = SETTINGS.iter().enumerate().map(|(number, (name, _))| (*name, number));
    let number = words.choose(names)?;
    SETTINGS[number].1.read(settings, words)?;
    Ok(if is_of_others { Place::OtherSet(number) } else { Place::Set(number) })
}

fn read_group(words: &mut Words<'_>, number: usize, plan: &mut Plan) -> Result<(), ScenarioError> {
    let slots = GROUPS[number].slots;
    let mut read = Vec::new();
    while read.is_empty() || words.peek().is_some() {
        let names = slots.iter().enumerate().map(|(number, (name, _))| (*name, number));
        let number = words.choose(names)?;
        if read.contains(&number) {
            return Err(words.wrong_before(Problem::Repeated { first: words.line() }));
        }
        slots[number].1.read(plan, words)?;
        read.push(number);
    }
    Ok(())
}

fn read_fate(words: &mut Words<'_>) -> Result<Override, ScenarioError> {
    let kind = kind(words)?;
    words.require("from")?;
    let from = node(words)?;
    words.require("to")?;
    let to = node(words)?;
    words.require("term")?;
    let term = term(words)?;
    words.require("nth")?;
    let nth = number(words)?;
    let fate = if words.accept("lost") {
        Fate::Lost
    } else if words.accept("delay") {
        Fate::Once { delay: ticks(words)? }
    } else if words.accept("twice") {
        Fate::Twice { delay: ticks(words)?, again: ticks(words)? }
    } else {
        words.require("malformed")?;
        let delay = ticks(words)?;
        words.require("draw")?;
        Fate::Malformed { delay, number: number(words)? }
    };
    Ok(Override { from, to, kind, term, nth, fate })
}

/// Brings what was read into the plan: now it is known how many nodes there are.
pub(super) fn complete(plan: &mut Plan, pending: &Pending) {
    plan.founders = pending.founders.unwrap_or(plan.nodes);
    let nodes = plan.nodes as usize;
    plan.clocks = vec![TRUE_RATE; nodes];
    for (node, rate) in &pending.clocks {
        // A clock of a node that there is not makes one too many, which is refused as such.
        if *node >= plan.clocks.len() {
            plan.clocks.resize(node + 1, TRUE_RATE);
        }
        plan.clocks[*node] = *rate;
    }
}

/// The place of a node in lists.
fn place_of(node: NodeId) -> usize {
    usize::try_from(node.0).map_or(0, |id| id.saturating_sub(1))
}

/// `+5%` as the rate of a clock.
fn rate(word: &str) -> Option<u32> {
    if let Some(ahead) = word.strip_prefix('+') {
        return TRUE_RATE.checked_add(share(ahead)?);
    }
    TRUE_RATE.checked_sub(share(word.strip_prefix('-')?)?)
}

fn rate_text(rate: u32) -> String {
    let sign = if rate < TRUE_RATE { '-' } else { '+' };
    format!("{sign}{}", share_text(rate.abs_diff(TRUE_RATE)))
}

/// All lines before the events.
pub(super) fn lines(plan: &Plan) -> Vec<Line> {
    let benign = Plan::benign(plan.seed, plan.nodes);
    let differs = |place, text, differs| Line { place, at: None, text, is_needed: differs };
    let mut lines = vec![
        differs(Place::Opening, format!("scenario {VERSION}"), true),
        differs(Place::Nodes, format!("nodes {}", plan.nodes), plan.nodes != super::USUAL_NODES),
        differs(
            Place::Founders,
            format!("founders {}", plan.founders),
            plan.founders != plan.nodes,
        ),
        differs(Place::Seed, format!("seed {}", plan.seed), plan.seed != super::USUAL_SEED),
        differs(
            Place::Profile,
            format!("profile {}", profile_text(&plan.profile)),
            plan.profile != benign.profile,
        ),
    ];
    lines.extend(setting_lines(plan, &benign));
    lines.extend(group_lines(plan, benign));
    for (node, rate) in plan.clocks.iter().enumerate() {
        let text = format!("clock n{} {}", node + 1, rate_text(*rate));
        lines.push(differs(Place::Clock(node), text, *rate != TRUE_RATE));
    }
    if let Some(StaticCut { cut, settle, lasts }) = plan.static_cut {
        let text = format!(
            "static-cut {} settle {} for {}",
            cut::text(cut),
            ticks_text(settle),
            ticks_text(lasts)
        );
        lines.push(differs(Place::StaticCut, text, true));
    }
    for (number, item) in plan.overrides.iter().enumerate() {
        lines.push(differs(Place::Fate(number), fate_text(item), true));
    }
    lines
}

fn setting_lines(plan: &Plan, benign: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut settings, mut usual) = (plan.settings, benign.settings);
    for (number, (name, slot)) in SETTINGS.iter().enumerate() {
        let value = slot.text(&mut settings);
        let is_needed = value != slot.text(&mut usual);
        let text = format!("set {name} {value}");
        lines.push(Line { place: Place::Set(number), at: None, text, is_needed });
    }
    if let Some(OtherSettings { nodes, settings: mut others }) = plan.other_settings.clone() {
        let named = if nodes.is_empty() { "nobody".to_owned() } else { nodes_text(&nodes) };
        let text = format!("others {named}");
        lines.push(Line { place: Place::Others, at: None, text, is_needed: true });
        for (number, (name, slot)) in SETTINGS.iter().enumerate() {
            let value = slot.text(&mut others);
            let is_needed = value != slot.text(&mut settings);
            let text = format!("set others {name} {value}");
            lines.push(Line { place: Place::OtherSet(number), at: None, text, is_needed });
        }
    }
    lines
}

fn group_lines(plan: &Plan, mut benign: Plan) -> Vec<Line> {
    let mut plan = plan.clone();
    let mut line = |(number, group): (usize, &super::slot::Group)| {
        let mut values: Vec<(String, bool)> = Vec::new();
        for (name, slot) in group.slots {
            let value = slot.text(&mut plan);
            let differs = value != slot.text(&mut benign);
            values.push((format!("{name} {value}"), differs));
        }
        let is_needed = values.iter().any(|(_, differs)| *differs);
        if !is_needed {
            // Where somebody has said what is usual, some of it is said again.
            values[0].1 = true;
        }
        let told = values.iter().filter(|(_, differs)| *differs).map(|(value, _)| value.as_str());
        let text = std::iter::once(group.name).chain(told).collect::<Vec<_>>().join(" ");
        Line { place: Place::Group(number), at: None, text, is_needed }
    };
    GROUPS.iter().enumerate().map(&mut line).collect()
}

fn fate_text(item: &Override) -> String {
    let Override { from, to, kind, term, nth, fate } = item;
    let fate = match *fate {
        Fate::Lost => "lost".to_owned(),
        Fate::Once { delay } => format!("delay {}", ticks_text(delay)),
        Fate::Twice { delay, again } => {
            format!("twice {} {}", ticks_text(delay), ticks_text(again))
        }
        Fate::Malformed { delay, number } => {
            format!("malformed {} draw {number}", ticks_text(delay))
        }
    };
    format!("fate {} from {from} to {to} term {} nth {nth} {fate}", kind_text(*kind), term.0)
}

/// A name as one word: as it is, or, if it is an odd one, as JSON has it.
fn profile_text(profile: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !profile.is_empty() && profile.chars().all(is_plain) {
        return profile.to_owned();
    }
    let quoted = serde_json::to_string(profile).expect("a text is JSON");
    let mut word = String::new();
    for character in quoted.chars() {
        if !character.is_whitespace() && !matches!(character, '#' | ':' | ',' | '|') {
            word.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            write!(word, "\\u{unit:04x}").expect("a string takes whatever is written to it");
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Goal: a clock is as wrong as it is written to be.
    #[test]
    fn clocks_are_exact() {
        for number in [0, 1, 500_000, 999_999, 1_000_000, 1_000_001, 1_050_000, u32::MAX] {
            assert_eq!(rate(&rate_text(number)), Some(number));
        }
        assert_eq!(rate_text(1_050_000), "+5%");
        assert!(rate("5%").is_none() && rate("-101%").is_none());
    }

    proptest! {
        /// Goal: whatever a profile is called, its name is one word that comes back.
        #[test]
        fn odd_names_survive(name in any::<String>()) {
            let word = profile_text(&name);
            let (mut plan, text) = (Plan::benign(1, 3), format!("profile {word}"));
            let mut words = Words::new(1, &text);
            read(&mut words, &mut plan, &mut Pending::default()).expect("it was written");
            prop_assert_eq!(plan.profile, name);
        }
    }
}
