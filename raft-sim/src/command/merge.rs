//! `merge`: one report of the shards of a campaign.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::arguments::MergeArguments;
use super::{BadUse, Outcome, files};
use crate::campaign::Summary;
use crate::report::{Context, Judgement, printable};

/// Reads the summaries of all shards, and reports them as one campaign.
pub(super) fn merge(arguments: &MergeArguments) -> Result<Outcome, BadUse> {
    arguments.reports.check()?;
    let mut shards = Vec::new();
    for file in &arguments.files {
        shards.extend(read(file)?);
    }
    let summary = Summary::merge(shards).map_err(|error| BadUse(error.to_string()))?;
    let vacuity = arguments.reports.vacuity();
    // The plans of failing runs are where the shards were run.
    let context = Context { invocation: files::invocation(), plans: BTreeMap::new(), vacuity };
    arguments.reports.write(&summary, &context)?;
    let is_good = context.judge(&summary) == Judgement::Clean;
    Ok(if is_good { Outcome::Clean } else { Outcome::Violated })
}

/// The summaries in a file, one after the other.
fn read(file: &Path) -> Result<Vec<Summary>, BadUse> {
    let name = printable(&file.display().to_string());
    let text = if files::is_standard_output(file) {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let text = text.map_err(|error| BadUse(format!("`{name}` cannot be read: {error}")))?;
    let documents = serde_json::Deserializer::from_str(&text).into_iter();
    documents.collect::<Result<_, _>>().map_err(|error| {
        BadUse(format!(
            "`{name}` is not what `run --json` writes: {}",
            printable(&error.to_string())
        ))
    })
}
