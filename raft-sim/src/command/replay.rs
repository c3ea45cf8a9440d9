//! `replay`: one run again, told as a timeline.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use raft_core::{Instant, NodeId};
use serde_json::json;

use super::arguments::{Format, ReplayArguments};
use super::{BadUse, Outcome, html, print, rerun};
use crate::campaign::{self, Named};
use crate::machine::Machine;
use crate::raft::Raft;
use crate::recording::{Ending, Recording, RecordingError, Replayed};
use crate::report::printable;
use crate::run_file::{Registrar, RunFile};
use crate::story::{Clerk, Narrator, Story};
use crate::timeline::{Recorder, Timeline, View, grouped, put, seconds};
use crate::verdict::Verdict;

/// How many rows are shown when nobody says.
const ROWS: usize = 200;

/// Runs a seed or a plan again and prints what happened.
pub(super) fn replay<R, M>(arguments: &ReplayArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let profile = super::run::profile(&arguments.profile)?;
    let named = arguments.what.read::<R, M>(profile, arguments.generator).map_err(BadUse)?;
    html::check(&named, arguments)?;
    rerun::check_use(&named, arguments)?;
    let plan = match named {
        Named::Plan(plan) => *plan,
        Named::Recording(text) => return recorded(&text, arguments),
        Named::Run(text) => return rerun::rerun::<R, M>(&text, arguments),
    };
    let nodes: Vec<NodeId> = plan.node_ids().collect();
    if let Some(node) = arguments.node.filter(|node| !nodes.contains(node)) {
        return Err(BadUse(format!(
            "--node {node} is not in this run: its nodes are n1 to n{}",
            plan.nodes
        )));
    }
    let (recorder, timeline) = Recorder::<M>::new(&plan);
    let (narrator, story) = Narrator::<M>::new(&plan);
    let (clerk, ledger) = Clerk::<M>::new(&plan);
    let (registrar, fates) = Registrar::new();
    let onlookers = ((recorder, narrator), (clerk, registrar));
    let limit = arguments.seed_time;
    let verdict = campaign::replay::<R, M, _>(plan.clone(), onlookers, limit).verdict;
    let (mut timeline, mut story) = (looked_at(&timeline), looked_at(&story));
    if let Some(violation) = &verdict.violation {
        timeline.conclude(violation);
        story.conclude(violation);
    }
    if let Some(path) = &arguments.record {
        let violated = verdict.violation.as_ref().map(|violation| violation.property);
        let run = RunFile::new(plan.clone(), looked_at(&fates), &story, violated);
        rerun::record(path, &run)?;
    }
    let outcome = if verdict.violation.is_some() { Outcome::Violated } else { Outcome::Clean };
    if html::write(&story, &plan, &verdict, arguments)? == html::Output::Taken {
        return Ok(outcome);
    }
    let until = arguments.until.unwrap_or(Instant::NEVER);
    print(&match arguments.format {
        Format::Text => text(&verdict, &timeline, &story, arguments),
        Format::Json => {
            story.cut(until);
            story.to_json(&plan, &verdict)
        }
        Format::Shiviz => {
            story.cut(until);
            story.to_shiviz()
        }
        Format::History => looked_at(&ledger).until(until).to_json_lines(),
    })?;
    Ok(outcome)
}

/// What a run has filled so far: one that was given up may still be at it.
fn looked_at<T: Clone>(filled: &Mutex<T>) -> T {
    filled.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The rows that are asked for.
fn view(arguments: &ReplayArguments) -> View {
    let rows = match (arguments.all, arguments.rows) {
        (true, _) => None,
        (false, rows) => Some(rows.map_or(ROWS, NonZeroUsize::get)),
    };
    View { until: arguments.until, node: arguments.node, rows, ..View::default() }
}

/// Whether somebody chose the rows.
fn is_chosen(arguments: &ReplayArguments) -> bool {
    let ReplayArguments { all, rows, until, node, .. } = arguments;
    *all || rows.is_some() || until.is_some() || node.is_some()
}

/// Lives a recorded life of a node again.
fn recorded(text: &str, arguments: &ReplayArguments) -> Result<Outcome, BadUse> {
    let bad = |error: RecordingError| BadUse(format!("`{}`: {error}", arguments.what));
    let recording = Recording::read(text).map_err(bad)?;
    let Replayed { timeline, node, steps, compared, ending } =
        recording.replay(arguments.until).map_err(bad)?;
    if let Some(other) = arguments.node.filter(|other| !timeline.nodes.contains(other)) {
        return Err(BadUse(format!(
            "--node {other} is not in this recording, the life of {}",
            timeline.nodes[0]
        )));
    }
    let told = match &ending {
        Ending::Same => format!(
            "same: {} steps again; {} recorded {} met",
            grouped(steps),
            grouped(compared),
            if compared == 1 { "status was" } else { "statuses were" }
        ),
        Ending::Differs { line, what } => format!("differs from the status in line {line}: {what}"),
        Ending::Broken { line, what } => format!("an invariant is broken by line {line}: {what}"),
        Ending::Panicked { line, what } => format!("panicked in line {line}: {what}"),
    };
    let cut = recording.cut_off().map_or_else(String::new, |line| {
        format!("line {line}, the last, is cut off and was left out\n")
    });
    let view = View { node: None, ..view(arguments) };
    print(&match arguments.format {
        Format::Text => format!("{}\n{}\n{cut}", timeline.render(&view), printable(&told)),
        Format::Json => {
            let document = json!({
                "replayed": arguments.what.to_string(),
                "ending": told,
                "cut_off": recording.cut_off(),
                "steps": steps,
                "compared": compared,
                "status": node.map(|node| node.status()),
                "timeline": timeline.viewed(&view),
            });
            written(&document)?
        }
        Format::Shiviz | Format::History => {
            return Err(BadUse(format!(
                "`{}` is the recorded life of a node: it can be printed as text and as JSON only",
                arguments.what
            )));
        }
    })?;
    Ok(if ending == Ending::Same { Outcome::Clean } else { Outcome::Violated })
}

fn text(
    verdict: &Verdict,
    timeline: &Timeline,
    story: &Story,
    arguments: &ReplayArguments,
) -> String {
    let view = match &verdict.violation {
        Some(violation) if !is_chosen(arguments) => View::around(violation),
        _ => view(arguments),
    };
    let mut text = timeline.render(&view);
    text.push('\n');
    text.push_str(&story.reasons());
    match &verdict.violation {
        None => put(&mut text, format_args!("clean: seed {} violated nothing\n", verdict.seed)),
        Some(violation) => put(
            &mut text,
            format_args!(
                "violated: {} at {} s: {}\n  ({})\n",
                violation.property.name(),
                seconds(violation.at),
                printable(&violation.witness),
                violation.property.explain()
            ),
        ),
    }
    put(&mut text, format_args!("digest {:016x}\n", verdict.digest));
    text
}

fn written(document: &serde_json::Value) -> Result<String, BadUse> {
    serde_json::to_string_pretty(document)
        .map(|text| text + "\n")
        .map_err(|error| BadUse(format!("the replay cannot be written as JSON: {error}")))
}
