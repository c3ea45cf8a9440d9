//! `replay`: one run again, told as a timeline.

use std::sync::PoisonError;

use raft_core::NodeId;
use serde_json::json;

use super::arguments::{Format, ReplayArguments};
use super::{BadUse, Outcome, print};
use crate::campaign;
use crate::machine::Machine;
use crate::plan::{GENERATOR_VERSION, Plan};
use crate::raft::Raft;
use crate::timeline::{Recorder, Timeline, View, put, seconds};
use crate::verdict::Verdict;

/// Runs a seed or a plan again and prints what happened.
pub(super) fn replay<R, M>(arguments: &ReplayArguments) -> Result<Outcome, BadUse>
where
    R: Raft + 'static,
    M: Machine + 'static,
{
    let plan = plan(arguments)?;
    let nodes: Vec<NodeId> = plan.node_ids().collect();
    if let Some(node) = arguments.node.filter(|node| !nodes.contains(node)) {
        return Err(BadUse(format!(
            "--node {node} is not in this run: its nodes are n1 to n{}",
            plan.nodes
        )));
    }
    let (recorder, timeline) = Recorder::<M>::new(nodes);
    let verdict = campaign::replay::<R, M, _>(plan, recorder).verdict;
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

/// The plan that is meant.
fn plan(arguments: &ReplayArguments) -> Result<Plan, BadUse> {
    let ReplayArguments { what, generator, .. } = arguments;
    let profile = super::run::profile(&arguments.profile)?;
    // A plan file means the same whatever would generate it.
    let seed = what.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(version) = generator.filter(|version| seed && *version != GENERATOR_VERSION) {
        return Err(BadUse(format!(
            "seeds of plan generator {version} mean nothing to this build, whose generator is \
             {GENERATOR_VERSION}: replay the plan file of the failing run, or build the version that found it"
        )));
    }
    campaign::plan_from(what, profile).map_err(BadUse)
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
                violation.witness,
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
        "replayed": arguments.what,
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
