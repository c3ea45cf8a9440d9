//! `replay`: one run again, told as a timeline.

use std::sync::PoisonError;

use raft_core::NodeId;
use serde_json::json;

use super::arguments::{Format, ReplayArguments};
use super::{BadUse, Outcome, print};
use crate::campaign;
use crate::machine::Machine;
use crate::plan::GENERATOR_VERSION;
use crate::raft::Raft;
use crate::report::printable;
use crate::timeline::{Recorder, Timeline, View, put, seconds};
use crate::verdict::Verdict;

/// Runs a seed or a plan again and prints what happened.
pub(super) fn replay<R, M>(arguments: &ReplayArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let profile = super::run::profile(&arguments.profile)?;
    let plan = arguments.what.plan(profile, arguments.generator).map_err(BadUse)?;
    let nodes: Vec<NodeId> = plan.node_ids().collect();
    if let Some(node) = arguments.node.filter(|node| !nodes.contains(node)) {
        return Err(BadUse(format!(
            "--node {node} is not in this run: its nodes are n1 to n{}",
            plan.nodes
        )));
    }
    let (recorder, timeline) = Recorder::<M>::new(nodes);
    let verdict = campaign::replay::<R, M, _>(plan, recorder, arguments.seed_time).verdict;
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
    Ok(if verdict.violation.is_some() { Outcome::Violated } else { Outcome::Clean })
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
    serde_json::to_string_pretty(&document)
        .map(|text| text + "\n")
        .map_err(|error| BadUse(format!("the replay cannot be written as JSON: {error}")))
}
