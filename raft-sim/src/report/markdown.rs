//! The summary as Markdown, for the page of a CI job.

use super::figures::{figures, scorecard, wall};
use super::{Context, Judgement, vacuous};
use crate::campaign::Summary;
use crate::timeline::grouped;

/// The whole summary as Markdown.
pub fn markdown(summary: &Summary, context: &Context) -> String {
    let mut text =
        format!("### Simulation: seeds {}, profile {}\n\n", summary.seeds, summary.profile.name());
    text.push_str(&verdict(summary, context));
    for group in &summary.groups {
        text.push_str("\n```text\n");
        for line in context.group_lines(summary, group) {
            text.push_str(&line);
            text.push('\n');
        }
        text.push_str("```\n");
    }
    text.push_str("\n<details><summary>What happened</summary>\n\n");
    let mut table = super::Table::new([super::Lean::Left, super::Lean::Left]);
    table.row(["figure", "value"]);
    table.append(figures(summary));
    text.push_str(&table.markdown());
    text.push_str("\n</details>\n\n<details><summary>Coverage</summary>\n\n");
    text.push_str(&scorecard(summary).markdown());
    text.push_str("\n</details>\n");
    text
}

fn verdict(summary: &Summary, context: &Context) -> String {
    let runs = format!("{} seeds in {}", grouped(summary.runs), wall(summary.wall_ms));
    match context.judge(summary) {
        Judgement::Clean => format!("**Clean**: {runs}\n"),
        Judgement::Violated => format!("**Violated**: {} of {runs}\n", summary.failures.len()),
        Judgement::Idle => format!("**Idle**: {runs} committed nothing, so they proved nothing\n"),
        Judgement::Vacuous => format!(
            "**Vacuous**: {runs}; seen less often than they should be: {}\n",
            vacuous(summary).join(", ")
        ),
    }
}
