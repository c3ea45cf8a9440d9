//! What happens at a moment: faults, what an operator does, and what clients ask.

use raft_core::{Instant, NodeId};

use super::cut;
use super::error::ScenarioError;
use super::place::{Notes, Place, Timed};
use super::values::{
    kind, kind_text, lasts, name_in, node, nodes, nodes_text, number, span, span_text, target,
    target_text, ticks, ticks_text,
};
use super::words::Words;
use super::writer::Line;
use crate::draw::{Domain, Draw};
use crate::machine::Machine;
use crate::plan::{
    Action, Asks, CommandBytes, CrashPoint, Fault, FaultName, MessageKind, Plan, Target,
    TimedAction, TimedFault, TimedOperation,
};

/// How bytes begin that are no command in the words of the machine.
const HEXADECIMAL: &str = "0x";
/// The way of an operation.
const ASKS: [(&str, Asks); 2] = [("asks", Asks::Command), ("reads", Asks::Read)];

/// What an event begins with.
#[derive(Clone, Copy)]
enum Verb {
    Cut,
    Flap,
    Hold,
    Drop,
    Crash,
    LoseMajority,
    PowerLoss,
    LoseDisk,
    Pause,
    SlowDisk,
    Machine,
    Members,
    Transfer,
    Campaign,
    Suppress,
    Client,
}

const VERBS: [(&str, Verb); 16] = [
    ("cut", Verb::Cut),
    ("flap", Verb::Flap),
    ("hold", Verb::Hold),
    ("drop", Verb::Drop),
    ("crash", Verb::Crash),
    ("lose-majority", Verb::LoseMajority),
    ("power-loss", Verb::PowerLoss),
    ("lose-disk", Verb::LoseDisk),
    ("pause", Verb::Pause),
    ("slow-disk", Verb::SlowDisk),
    ("machine", Verb::Machine),
    ("members", Verb::Members),
    ("transfer", Verb::Transfer),
    ("campaign", Verb::Campaign),
    ("suppress", Verb::Suppress),
    ("client", Verb::Client),
];

/// Whether a line with a time goes on with this word.
pub(super) fn is_event(word: &str) -> bool {
    VERBS.iter().any(|(verb, _)| *verb == word)
}

/// Reads an event into the plan.
pub(super) fn read<M: Machine>(
    words: &mut Words<'_>,
    plan: &mut Plan,
    at: Instant,
) -> Result<Timed, ScenarioError> {
    let verb = words.choose(VERBS)?;
    let place = match verb {
        Verb::Client => {
            let operation = read_operation::<M>(words, at)?;
            plan.operations.push(operation);
            Timed::Operation(plan.operations.len() - 1)
        }
        Verb::Members | Verb::Transfer | Verb::Campaign | Verb::Suppress => {
            let first = plan.actions.len();
            let actions = read_actions(words, verb)?;
            plan.actions.extend(actions.into_iter().map(|action| TimedAction { at, action }));
            Timed::Action(first)
        }
        _ => {
            plan.faults.push(TimedFault { at, fault: read_fault::<M>(words, verb)? });
            Timed::Fault(plan.faults.len() - 1)
        }
    };
    words.finish()?;
    Ok(place)
}

fn read_fault<M: Machine>(words: &mut Words<'_>, verb: Verb) -> Result<Fault, ScenarioError> {
    Ok(match verb {
        Verb::Cut => Fault::Cut { cut: cut::read(words)?, lasts: lasts(words)? },
        Verb::Flap => {
            let cut = cut::read(words)?;
            words.require("down")?;
            let down = ticks(words)?;
            words.require("up")?;
            Fault::Flap { cut, down, up: ticks(words)?, lasts: lasts(words)? }
        }
        Verb::Hold => {
            let (kind, from, to) = read_messages(words)?;
            Fault::Hold { kind, from, to, lasts: lasts(words)? }
        }
        Verb::Drop => {
            let (kind, from, to) = read_messages(words)?;
            Fault::Drop { kind, from, to, lasts: lasts(words)? }
        }
        Verb::Crash => {
            let target = target(words)?;
            let points = CrashPoint::ALL.map(|point| (point.name(), point));
            let point = if words.accept("at") { words.choose(points)? } else { CrashPoint::Now };
            let down = lasts(words)?;
            let keeps = if words.accept("keeping") { Some(number(words)?) } else { None };
            Fault::Crash { target, point, down, keeps }
        }
        Verb::LoseMajority => {
            words.require("for")?;
            Fault::LoseMajority { down: span(words)? }
        }
        Verb::PowerLoss => {
            words.require("for")?;
            Fault::PowerLoss { down: span(words)? }
        }
        Verb::LoseDisk => Fault::LoseDisk { target: target(words)?, down: lasts(words)? },
        Verb::Machine => {
            let target = target(words)?;
            words.require("suffers")?;
            Fault::Machine { target, name: fault_name::<M>(words)? }
        }
        Verb::Pause => Fault::Pause { target: target(words)?, lasts: lasts(words)? },
        _ => {
            let target = target(words)?;
            words.require("write")?;
            Fault::SlowDisk { target, write: span(words)?, lasts: lasts(words)? }
        }
    })
}

/// One of the faults that the machine has of its own.
fn fault_name<M: Machine>(words: &mut Words<'_>) -> Result<FaultName, ScenarioError> {
    if M::FAULTS.is_empty() {
        return Err(words.refuse("a fault of the machine's own, but this machine has none"));
    }
    let name = words.choose(M::FAULTS.iter().map(|name| (*name, *name)))?;
    Ok(name.parse().unwrap_or_else(|error| panic!("Machine::FAULTS: {error}")))
}

/// `append-entries from n1 to leader`.
fn read_messages(
    words: &mut Words<'_>,
) -> Result<(MessageKind, Option<Target>, Option<Target>), ScenarioError> {
    let kind = kind(words)?;
    let from = if words.accept("from") { Some(target(words)?) } else { None };
    let to = if words.accept("to") { Some(target(words)?) } else { None };
    Ok((kind, from, to))
}

fn messages_text(kind: MessageKind, from: Option<Target>, to: Option<Target>) -> String {
    let from = from.map_or_else(String::new, |from| format!(" from {}", target_text(from)));
    let to = to.map_or_else(String::new, |to| format!(" to {}", target_text(to)));
    format!("{}{from}{to}", kind_text(kind))
}

/// A fault in the words of a scenario: `cut isolate n2 for 300ms`.
pub(crate) fn fault_text(fault: &Fault) -> String {
    let (subject, lasts) = match *fault {
        Fault::Cut { cut, lasts } => (format!("cut {}", cut::text(cut)), lasts),
        Fault::Flap { cut, down, up, lasts } => {
            let (down, up) = (ticks_text(down), ticks_text(up));
            (format!("flap {} down {down} up {up}", cut::text(cut)), lasts)
        }
        Fault::Hold { kind, from, to, lasts } => {
            (format!("hold {}", messages_text(kind, from, to)), lasts)
        }
        Fault::Drop { kind, from, to, lasts } => {
            (format!("drop {}", messages_text(kind, from, to)), lasts)
        }
        Fault::Crash { target, point, down, keeps } => {
            let at = match point {
                CrashPoint::Now => String::new(),
                point => format!(" at {}", point.name()),
            };
            let keeping = keeps.map_or_else(String::new, |keeps| format!(" keeping {keeps}"));
            return format!("crash {}{at} for {}{keeping}", target_text(target), ticks_text(down));
        }
        Fault::LoseMajority { down } => return format!("lose-majority for {}", span_text(down)),
        Fault::PowerLoss { down } => return format!("power-loss for {}", span_text(down)),
        Fault::LoseDisk { target, down } => (format!("lose-disk {}", target_text(target)), down),
        Fault::Pause { target, lasts } => (format!("pause {}", target_text(target)), lasts),
        Fault::Machine { target, name } => {
            return format!("machine {} suffers {name}", target_text(target));
        }
        Fault::SlowDisk { target, write, lasts } => {
            (format!("slow-disk {} write {}", target_text(target), span_text(write)), lasts)
        }
    };
    format!("{subject} for {}", ticks_text(lasts))
}

/// Reads an action, or several of which a line tells.
fn read_actions(words: &mut Words<'_>, verb: Verb) -> Result<Vec<Action>, ScenarioError> {
    Ok(vec![match verb {
        Verb::Members => {
            let voters = nodes(words)?;
            let learners = if words.accept("learners") { nodes(words)? } else { Vec::new() };
            Action::Members { voters, learners }
        }
        Verb::Transfer => Action::Transfer { to: node(words)? },
        Verb::Campaign => Action::Campaign { node: node(words)? },
        _ => {
            let (nodes, lasts) = (nodes(words)?, lasts(words)?);
            return Ok(nodes.into_iter().map(|node| Action::Suppress { node, lasts }).collect());
        }
    }])
}

/// The first of these actions in words, and how many of those behind it are told in the same breath. `breaks` says before
/// which of them a new line begins in any case.
fn action_text(actions: &[TimedAction], breaks: impl Fn(usize) -> bool) -> (usize, String) {
    let text = match &actions[0].action {
        Action::Members { voters, learners } if learners.is_empty() => {
            format!("members {}", nodes_text(voters))
        }
        Action::Members { voters, learners } => {
            format!("members {} learners {}", nodes_text(voters), nodes_text(learners))
        }
        Action::Transfer { to } => format!("transfer {to}"),
        Action::Campaign { node } => format!("campaign {node}"),
        Action::Suppress { lasts, .. } => {
            let (at, lasts) = (actions[0].at, *lasts);
            let alike =
                actions.iter().enumerate().map_while(|(number, timed)| match timed.action {
                    Action::Suppress { node, lasts: other }
                        if other == lasts && timed.at == at && (number == 0 || !breaks(number)) =>
                    {
                        Some(node)
                    }
                    _ => None,
                });
            let nodes: Vec<NodeId> = alike.collect();
            let text = format!("suppress {} for {}", nodes_text(&nodes), ticks_text(lasts));
            return (nodes.len(), text);
        }
    };
    (1, text)
}

fn read_operation<M: Machine>(
    words: &mut Words<'_>,
    at: Instant,
) -> Result<TimedOperation, ScenarioError> {
    let client = number(words)?;
    let asks = words.choose(ASKS)?;
    let node = node(words)?;
    words.require(":")?;
    let rest = words.rest();
    let command = match rest.strip_prefix(HEXADECIMAL) {
        Some(digits) => CommandBytes::from_hex(digits),
        None if rest.is_empty() => None,
        None => M::parse_command(rest).map(CommandBytes),
    };
    let command = command.ok_or_else(|| words.refuse(&command_forms::<M>()))?;
    words.skip_rest();
    Ok(TimedOperation { at, client, node, asks, command })
}

/// What a refusal calls a command, with an example if the machine has words for any.
fn command_forms<M: Machine>() -> String {
    let drawn = (0..20).map(|n| M::command(&mut Draw::new(0, Domain::Client, &[n])));
    let told = drawn.filter_map(|command| M::command_text(&command)).min_by_key(String::len);
    match told {
        Some(example) => format!("a command, as in `{example}`, or its bytes, as in `0x07ff`"),
        None => "the bytes of a command, as in `0x07ff`".to_owned(),
    }
}

/// A command in the words of the machine, if they are the command and nothing else; otherwise its bytes.
fn command_text<M: Machine>(command: &CommandBytes) -> String {
    let told = M::command_text(&command.0).filter(|text| {
        let is_odd = |c: char| c == '#' || c.is_control();
        let is_plain = !text.is_empty() && text.trim() == text && !text.contains(is_odd);
        is_plain
            && !text.starts_with(HEXADECIMAL)
            && M::parse_command(text).as_ref() == Some(&command.0)
    });
    told.unwrap_or_else(|| format!("{HEXADECIMAL}{}", command.to_hex()))
}

/// All events, each with its time, list by list.
pub(super) fn lines<M: Machine>(plan: &Plan, notes: &Notes) -> Vec<Line> {
    let line = |timed: Timed, at: Instant, text: String| Line {
        place: Place::Timed(timed),
        at: Some(at),
        text,
        is_needed: true,
    };
    let mut lines = Vec::new();
    for (number, timed) in plan.faults.iter().enumerate() {
        lines.push(line(Timed::Fault(number), timed.at, fault_text(&timed.fault)));
    }
    let mut number = 0;
    while let Some(timed) = plan.actions.get(number) {
        let is_noted =
            |further: usize| notes.at(Place::Timed(Timed::Action(number + further))).is_some();
        let (count, text) = action_text(&plan.actions[number..], is_noted);
        lines.push(line(Timed::Action(number), timed.at, text));
        number += count;
    }
    for (number, timed) in plan.operations.iter().enumerate() {
        let TimedOperation { client, node, asks, command, .. } = timed;
        let (asks, command) = (name_in(&ASKS, *asks), command_text::<M>(command));
        let text = format!("client {client} {asks} {node}: {command}");
        lines.push(line(Timed::Operation(number), timed.at, text));
    }
    lines
}
