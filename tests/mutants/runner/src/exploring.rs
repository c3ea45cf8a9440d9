//! What `raft-sim explore` finds of a mutant: in which scope, by how many steps, and after how many states.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Error;
use crate::mutant::Mutant;

/// Scopes, the smallest first: a mutant is looked for in each until it is found.
const SCOPES: [&str; 14] = [
    "--nodes 2 --entries 1 --crashes 1",
    "--nodes 2 --entries 1 --crashes 0 --heartbeats 1 --duplicates 1",
    "--nodes 3 --led --entries 1 --crashes 0",
    "--nodes 3 --led --entries 1 --crashes 0 --terms 3 --window 1",
    "--nodes 3 --founders 2 --led --entries 0 --crashes 0 --changes 1",
    "--nodes 2 --entries 0 --crashes 0 --pre-vote --campaigns 3",
    "--nodes 2 --led --entries 1 --crashes 1 --snapshots 1 --heartbeats 1",
    "--nodes 3 --led --entries 0 --crashes 1 --terms 3 --window 1",
    "--nodes 3 --entries 2 --crashes 0 --window 1 --batch 1",
    "--nodes 3 --led --entries 0 --crashes 0 --changes 1 --terms 3",
    "--nodes 3 --led --entries 0 --crashes 0 --changes 2 --terms 3",
    "--nodes 3 --entries 0 --crashes 1",
    "--nodes 3 --led --entries 1 --crashes 0 --snapshots 1 --heartbeats 2",
    "--nodes 3 --led --entries 2 --crashes 0 --snapshots 1 --heartbeats 1",
];

/// How long is looked in one scope.
const TIME: &str = "60s";

/// Where a mutant was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) scope: &'static str,
    pub(crate) property: String,
    pub(crate) steps: u64,
    pub(crate) states: u64,
}

/// Looks for a mutant in each scope.
pub(crate) fn explore(command: &Path, mutant: &Mutant) -> Result<Option<Found>, Error> {
    for scope in SCOPES {
        let output = Command::new(command)
            .arg("explore")
            .args(scope.split(' '))
            .args(["--time", TIME, "--json", "-"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(Error::system(format!("cannot run {}", command.display())))?;
        let complain = |problem: String| Error::Mutant { name: mutant.name.clone(), problem };
        if let Some(found) = found(&output.stdout, scope).map_err(complain)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What a report says.
fn found(report: &[u8], scope: &'static str) -> Result<Option<Found>, String> {
    let report: Value = serde_json::from_slice(report)
        .map_err(|error| format!("the report of raft-sim explore is not JSON: {error}"))?;
    let violated = &report["violated"];
    if violated.is_null() {
        return Ok(None);
    }
    match (violated["property"].as_str(), violated["steps"].as_u64(), report["states"].as_u64()) {
        (Some(property), Some(steps), Some(states)) => {
            Ok(Some(Found { scope, property: property.to_owned(), steps, states }))
        }
        _ => Err("the report of raft-sim explore lacks `property`, `steps` or `states`".to_owned()),
    }
}

/// A row of the table in `docs/EXPLORE.md`.
pub(crate) fn row(mutant: &Mutant, found: Option<&Found>) -> String {
    let Mutant { id, name, .. } = mutant;
    let link = format!("[{id}](../tests/mutants/{name}.patch)");
    match found {
        None => format!("| {link} | not found | | | |"),
        Some(Found { scope, property, steps, states }) => {
            format!("| {link} | {property} | {steps} | {states} | `{scope}` |")
        }
    }
}

#[cfg(test)]
mod tests {
    //! Goal: what was found is read from a report, and so is that nothing was.

    use super::*;

    #[test]
    fn a_report_is_read() {
        let report = br#"{"states": 70, "violated": {"property": "log-matching", "steps": 9}}"#;
        let property = "log-matching".to_owned();
        let expected = Found { scope: "x", property, steps: 9, states: 70 };
        assert_eq!(found(report, "x"), Ok(Some(expected)));
        assert_eq!(found(br#"{"states": 70, "violated": null}"#, "x"), Ok(None));
        assert!(found(b"{\"violated\": {}}", "x").is_err_and(|error| error.contains("lacks")));
    }
}
