//! The summary for programs: everything in it, the verdict, and how to replay each failure.

use serde_json::{Value, json};

use super::Context;
use crate::campaign::{Failure, Summary};

/// The whole summary as JSON.
///
/// # Panics
/// Never: a summary consists of numbers, names and lists.
pub fn json(summary: &Summary, context: &Context) -> String {
    let mut document = json!(summary);
    document["verdict"] = context.judge(summary).name().into();
    document["failures"] =
        summary.failures.iter().map(|it| failure(it, summary, context)).collect();
    let mut text =
        serde_json::to_string_pretty(&document).expect("a summary holds nothing that JSON cannot");
    text.push('\n');
    text
}

fn failure(failure: &Failure, summary: &Summary, context: &Context) -> Value {
    let mut value = json!(failure);
    value["replay"] = context.replay_line(summary, failure.seed).into();
    value["plan"] = context.plans.get(&failure.seed).map(|path| path.display().to_string()).into();
    value
}
