//! The summary for people at a terminal. The verdict comes last, where the eye is.

use super::figures::{figures, scorecard, wall};
use super::{Context, Judgement, vacuous};
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
    let judgement = context.judge(summary);
    let too_rare: Vec<&str> = summary.too_rare().map(|score| score.situation.name()).collect();
    if !too_rare.is_empty() && judgement != Judgement::Vacuous {
        lines.push(format!(
            "note: {} of {} situations occurred less often than they should: {}",
            too_rare.len(),
            summary.coverage.len(),
            too_rare.join(", ")
        ));
    }
    let runs = format!("{} seeds in {}", grouped(summary.runs), wall(summary.wall_ms));
    let ended = match summary.completion {
        Completion::AllSeeds => "",
        Completion::TimeUp => ", when the time was up",
        Completion::TooManyFailures => ", stopped for its failures",
    };
    match judgement {
        Judgement::Violated => {
            let failures = summary.failures.len();
            lines.push(format!("violated: {failures} of {runs}{ended} violated what must hold"));
            for group in summary.groups.iter().take(GROUPS).rev() {
                lines.extend(context.group_lines(summary, group));
            }
        }
        Judgement::Idle => lines.push(format!(
            "idle: nothing was violated in {runs}{ended}, but nothing was committed either: they proved nothing"
        )),
        Judgement::Vacuous => lines.push(format!(
            "vacuous: nothing was violated in {runs}{ended}, but these situations occurred less often than \
             they should (--allow-vacuous accepts that): {}",
            vacuous(summary).join(", ")
        )),
        Judgement::Clean => lines.push(format!("clean: nothing was violated in {runs}{ended}")),
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}
