//! The summary as a `JUnit` report: one case for each group of failures or for what was not covered, or
//! one that passed.

use super::{Context, Judgement, vacuous};
use crate::campaign::Summary;
use crate::timeline::put;

/// The summary as `JUnit` XML.
pub fn junit(summary: &Summary, context: &Context) -> String {
    let mut cases: Vec<String> = summary
        .groups
        .iter()
        .map(|group| {
            let lines = context.group_lines(summary, group);
            let first = lines.first().map_or("", String::as_str);
            case(group.property.name(), first, &lines.join("\n"))
        })
        .collect();
    match context.judge(summary) {
        Judgement::Clean | Judgement::Violated => {}
        Judgement::Idle => cases.push(case("coverage", "nothing was committed", "")),
        Judgement::Vacuous => cases.push(case(
            "coverage",
            "situations occurred less often than they should",
            &vacuous(summary).join("\n"),
        )),
    }
    let failures = cases.len();
    let tests = failures.max(1);
    let time = format!("{}.{:03}", summary.wall_ms / 1_000, summary.wall_ms % 1_000);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    put(
        &mut text,
        format_args!(
            "<testsuite name=\"raft-sim {}\" tests=\"{tests}\" failures=\"{failures}\" time=\"{time}\">\n",
            escaped(summary.profile.name()),
        ),
    );
    text.push_str(&cases.concat());
    if failures == 0 {
        put(
            &mut text,
            format_args!("  <testcase classname=\"raft-sim\" name=\"seeds {}\"/>\n", summary.seeds),
        );
    }
    text.push_str("</testsuite>\n");
    text
}

fn case(name: &str, message: &str, body: &str) -> String {
    format!(
        "  <testcase classname=\"raft-sim\" name=\"{}\">\n    <failure message=\"{}\">{}</failure>\n  \
         </testcase>\n",
        escaped(name),
        escaped(message),
        escaped(body)
    )
}

/// A text as XML holds it. Characters that XML has no way to hold become `?`.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(character),
            '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            control if control < ' ' => safe.push('?'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a panic said, the XML stays well formed.
    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a<b> & \"c\"\u{1}"), "a&lt;b&gt; &amp; &quot;c&quot;?");
    }
}
