//! A story as JSON, for programs: `docs/STORY.md` describes every field.

use serde::Serialize;
use serde_json::json;

use super::{STORY_VERSION, Story};
use crate::plan::{GENERATOR_VERSION, Plan};
use crate::timeline::put;
use crate::verdict::Verdict;

impl Story {
    /// The story of the run of a plan as one JSON document, with an event on each line.
    ///
    /// # Panics
    /// Never: a story consists of numbers, names and lists.
    pub fn to_json(&self, plan: &Plan, verdict: &Verdict) -> String {
        let verdict = json!({
            "seed": verdict.seed,
            "digest": format!("{:016x}", verdict.digest),
            "violation": verdict.violation,
            "statistics": verdict.statistics,
            "coverage": verdict.coverage,
        });
        let mut text = String::new();
        put(&mut text, format_args!("{{\n\"version\": {STORY_VERSION},\n"));
        put(&mut text, format_args!("\"generator\": {GENERATOR_VERSION},\n"));
        put(&mut text, format_args!("\"plan\": {},\n", written(plan)));
        put(&mut text, format_args!("\"verdict\": {},\n", written(&verdict)));
        put(&mut text, format_args!("\"nodes\": {},\n", written(&self.nodes)));
        text.push_str("\"events\": [");
        for (place, event) in self.events.iter().enumerate() {
            let separator = if place == 0 { "" } else { "," };
            put(&mut text, format_args!("{separator}\n{}", written(event)));
        }
        text.push_str("\n]\n}\n");
        text
    }
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a story holds nothing that JSON cannot")
}
