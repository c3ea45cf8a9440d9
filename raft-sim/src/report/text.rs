//! The summary for people at a terminal. The verdict comes last, where the eye is.

use super::figures::{figures, scorecard, wall};
use super::{Context, Vacuity};
use crate::campaign::{Completion, Summary};
use crate::timeline::{grouped, put};

/// How many groups of failures are told in full.
const GROUPS: usize = 5;

/// The whole summary as text.
pub fn text(summary: &Summary, context: &Context) -> String {
    let mut text = heading(summary);
    text.push_str(&figures(summary).render("  "));
    text.push('\n');
    put(
        &mut text,
        format_args!(
            "Coverage: how many of the {} runs each situation occurred in, and should have\n",
            grouped(summary.runs)
        ),
    );
    text.push_str(&scorecard(summary).render("  "));
    text.push('\n');
    text.push_str(&verdict(summary, context));
    text
}

fn heading(summary: &Summary) -> String {
    let Summary { seeds, shard, generator, .. } = summary;
    let profile = summary.profile.name();
    let shard = if *shard == crate::campaign::Shard::WHOLE {
        String::new()
    } else {
        format!(", shard {shard}")
    };
    format!("Campaign of seeds {seeds}{shard} (profile {profile}, plan generator {generator})\n")
}

/// What came of it: the last lines.
fn verdict(summary: &Summary, context: &Context) -> String {
    let mut lines = Vec::new();
    let vacuous: Vec<&str> = summary.vacuous().map(|score| score.situation.name()).collect();
    if !vacuous.is_empty() && context.vacuity == Vacuity::Mentioned {
        lines.push(format!(
            "note: {} of {} situations occurred less often than they should: {}",
            vacuous.len(),
            summary.coverage.len(),
            vacuous.join(", ")
        ));
    }
    let runs = format!("{} seeds in {}", grouped(summary.runs), wall(summary.wall_ms));
    let ended = match summary.completion {
        Completion::AllSeeds => "",
        Completion::TimeUp => ", when the time was up",
        Completion::TooManyFailures => ", stopped for its failures",
    };
    if !summary.clean() {
        let failures = summary.failures.len();
        lines.push(format!("violated: {failures} of {runs}{ended} violated what must hold"));
        for group in summary.groups.iter().take(GROUPS).rev() {
            lines.extend(context.group_lines(summary, group));
        }
    } else if context.vacuity.condemns(summary) {
        lines.push(format!(
            "vacuous: nothing was violated in {runs}{ended}, but these situations occurred less often than \
             they should (--allow-vacuous accepts that): {}",
            vacuous.join(", ")
        ));
    } else {
        lines.push(format!("clean: nothing was violated in {runs}{ended}"));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}
