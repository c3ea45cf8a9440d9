//! `replay`: one run again, told as a timeline.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use raft_core::NodeId;
use serde_json::json;

use super::arguments::{Format, ReplayArguments};
use super::{BadUse, Outcome, files, print, say};
use crate::campaign::{self, Named, Source};
use crate::machine::Machine;
use crate::page::{self, Page};
use crate::plan::{GENERATOR_VERSION, Plan};
use crate::raft::Raft;
use crate::recording::{Ending, Recording, RecordingError, Replayed};
use crate::report::printable;
use crate::story::{Narrator, Story};
use crate::timeline::{Recorder, Timeline, View, grouped, put, seconds};
use crate::verdict::Verdict;

/// Runs a seed or a plan again and prints what happened.
pub(super) fn replay<R, M>(arguments: &ReplayArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let profile = super::run::profile(&arguments.profile)?;
    files::check_outputs(&[("--html", arguments.html.as_deref())])?;
    let plan = match arguments.what.read(profile, arguments.generator).map_err(BadUse)? {
        Named::Plan(plan) => *plan,
        Named::Recording(text) => return recorded(&text, arguments),
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
    let trace = (recorder, arguments.html.is_some().then_some(narrator));
    let verdict = campaign::replay::<R, M, _>(plan.clone(), trace, arguments.seed_time).verdict;
    let outcome = if verdict.violation.is_some() { Outcome::Violated } else { Outcome::Clean };
    if let Some(path) = &arguments.html {
        write_page(path, &story, &plan, &verdict, arguments)?;
        if files::is_standard_output(path) {
            return Ok(outcome);
        }
    }
    let mut timeline = timeline.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(violation) = &verdict.violation {
        timeline.conclude(violation);
    }
    let rows = (!arguments.all).then_some(arguments.rows.get());
    let view = View { until: arguments.until, node: arguments.node, rows };
    print(&match arguments.format {
        Format::Text => text(&verdict, &timeline, &view),
        Format::Json => json(&verdict, &timeline, &view, arguments)?,
    })?;
    Ok(outcome)
}

/// Writes the page, and says so.
fn write_page(
    path: &Path,
    story: &Arc<Mutex<Story>>,
    plan: &Plan,
    verdict: &Verdict,
    arguments: &ReplayArguments,
) -> Result<(), BadUse> {
    let mut story = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(violation) = &verdict.violation {
        story.conclude(violation);
    }
    let again = again(plan, arguments);
    files::write(path, &page::write(&Page { story: &story, plan, verdict, again: &again }))?;
    if !files::is_standard_output(path) {
        say(&format!("the page is in {}", path.display()));
    }
    Ok(())
}

/// The command that runs this again, whatever else was asked for.
fn again(plan: &Plan, arguments: &ReplayArguments) -> String {
    let invocation = files::invocation();
    match &arguments.what {
        Source::Seed(seed) => format!(
            "{invocation} replay {seed} --profile {} --generator {GENERATOR_VERSION}",
            plan.profile
        ),
        Source::File(path) => format!("{invocation} replay {}", path.display()),
    }
}

/// Lives a recorded life of a node again.
fn recorded(text: &str, arguments: &ReplayArguments) -> Result<Outcome, BadUse> {
    let bad = |error: RecordingError| BadUse(format!("`{}`: {error}", arguments.what));
    if arguments.html.is_some() {
        return Err(BadUse(format!(
            "--html shows a whole cluster, and `{}` is the life of one node: leave --html out",
            arguments.what
        )));
    }
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
    let rows = (!arguments.all).then_some(arguments.rows.get());
    let view = View { until: arguments.until, node: None, rows };
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
    })?;
    Ok(if ending == Ending::Same { Outcome::Clean } else { Outcome::Violated })
}

fn text(verdict: &Verdict, timeline: &Timeline, view: &View) -> String {
    let mut text = timeline.render(view);
    text.push('\n');
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

fn json(
    verdict: &Verdict,
    timeline: &Timeline,
    view: &View,
    arguments: &ReplayArguments,
) -> Result<String, BadUse> {
    let document = json!({
        "replayed": arguments.what.to_string(),
        "generator": GENERATOR_VERSION,
        "digest": format!("{:016x}", verdict.digest),
        "violation": verdict.violation,
        "statistics": verdict.statistics,
        "coverage": verdict.coverage,
        "timeline": timeline.viewed(view),
    });
    written(&document)
}

fn written(document: &serde_json::Value) -> Result<String, BadUse> {
    serde_json::to_string_pretty(document)
        .map(|text| text + "\n")
        .map_err(|error| BadUse(format!("the replay cannot be written as JSON: {error}")))
}
