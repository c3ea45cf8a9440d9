//! What `raft-sim shrink` makes of the first failing seed of a mutant, and whether the scenario that it writes fails on
//! the mutant and passes on the true core; and the same of the scenarios that are written by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::Error;
use crate::mutant::Mutant;

/// A mutant's failing run, made smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shrunk {
    pub(crate) seed: u64,
    pub(crate) property: String,
    pub(crate) before: Size,
    pub(crate) after: Size,
    pub(crate) milliseconds: u64,
    /// What is wrong with the scenario that was written: nothing, if it fails on the mutant and passes on the true core.
    pub(crate) trouble: Option<String>,
    /// The scenarios that were written by hand, and what is wrong with each.
    pub(crate) by_hand: Vec<(String, Option<String>)>,
}

impl Shrunk {
    /// The same with the scenarios that were written by hand.
    pub(crate) fn with(
        mut self,
        commands: Commands<'_>,
        scenarios: &[PathBuf],
    ) -> Result<Self, Error> {
        for path in scenarios {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            self.by_hand.push((name.to_owned(), trouble(commands, path)?));
        }
        Ok(self)
    }

    /// Whether a scenario does not fail on the mutant, or not there alone.
    pub(crate) fn is_troubled(&self) -> bool {
        self.trouble.is_some() || self.by_hand.iter().any(|(_, trouble)| trouble.is_some())
    }
}

/// How large a plan and its run are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) lines: u64,
    pub(crate) delivered: u64,
    pub(crate) nodes: u64,
}

/// The commands with the mutant and without it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commands<'a> {
    pub(crate) mutant: &'a Path,
    pub(crate) core: &'a Path,
}

/// Shrinks a seed, and checks what was written with both commands.
pub(crate) fn shrink(commands: Commands<'_>, mutant: &Mutant, seed: u64) -> Result<Shrunk, Error> {
    let complain = |problem: String| Error::Mutant { name: mutant.name.clone(), problem };
    let folder = commands.mutant.with_file_name("shrunk");
    fs::create_dir_all(&folder)
        .map_err(Error::system(format!("cannot create {}", folder.display())))?;
    let scenario = folder.join(format!("{}.scenario", mutant.name));
    let mut command = Command::new(commands.mutant);
    command.args(["shrink", &seed.to_string(), "--json", "-", "--output"]).arg(&scenario);
    let output = ended(&mut command)?;
    if output.status.code() != Some(1) {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(complain(format!("shrink {seed} ended with {}\n{told}", output.status)));
    }
    let shrunk = read(seed, &output.stdout).map_err(complain)?;
    Ok(Shrunk { trouble: trouble(commands, &scenario)?, ..shrunk })
}

/// What is wrong with a scenario: nothing, if it fails with the mutant and passes without it.
pub(crate) fn trouble(commands: Commands<'_>, scenario: &Path) -> Result<Option<String>, Error> {
    let status = |command: &Path| -> Result<Option<i32>, Error> {
        Ok(ended(Command::new(command).arg("check").arg(scenario))?.status.code())
    };
    Ok(match (status(commands.mutant)?, status(commands.core)?) {
        (Some(1), Some(0)) => None,
        (Some(0), _) => Some("passes on the mutant".to_owned()),
        (_, Some(1)) => Some("fails on the true core".to_owned()),
        (on_mutant, on_core) => Some(format!("check ended with {on_mutant:?} and {on_core:?}")),
    })
}

/// The scenarios that were written by hand for a mutant: their names begin with its id.
pub(crate) fn by_hand(folder: &Path, mutant: &Mutant) -> Result<Vec<PathBuf>, Error> {
    let cannot_list = || format!("cannot list {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::system(cannot_list()))? {
        let path = entry.map_err(Error::system(cannot_list()))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(&format!("{}-", mutant.id)) && name.ends_with(".scenario") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn ended(command: &mut Command) -> Result<Output, Error> {
    let name = format!("cannot run {}", Path::new(command.get_program()).display());
    command.stdin(Stdio::null()).output().map_err(Error::system(name))
}

/// What `shrink --json` says.
fn read(seed: u64, report: &[u8]) -> Result<Shrunk, String> {
    let report: Value = serde_json::from_slice(report)
        .map_err(|error| format!("the report of shrink is not JSON: {error}"))?;
    let number = |value: &Value, name: &str| {
        value[name].as_u64().ok_or_else(|| format!("the report of shrink has no `{name}`"))
    };
    let size = |name: &str| {
        let size = &report[name];
        Ok::<_, String>(Size {
            lines: number(size, "lines")?,
            delivered: number(size, "delivered")?,
            nodes: number(size, "nodes")?,
        })
    };
    let property = report["violation"]["property"].as_str();
    Ok(Shrunk {
        seed,
        property: property.ok_or("the report of shrink has no `violation.property`")?.to_owned(),
        before: size("before")?,
        after: size("after")?,
        milliseconds: number(&report, "milliseconds")?,
        trouble: None,
        by_hand: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    //! Goal: the report is read, and what is missing in it is named.

    use super::*;

    #[test]
    fn a_report_is_read() {
        let report = br#"{"violation": {"property": "liveness"}, "milliseconds": 12,
            "before": {"lines": 900, "delivered": 800, "nodes": 5},
            "after": {"lines": 9, "delivered": 8, "nodes": 3}}"#;
        let shrunk = read(7, report).expect("it is a report");
        assert_eq!(shrunk.after, Size { lines: 9, delivered: 8, nodes: 3 });
        assert_eq!((shrunk.seed, shrunk.milliseconds), (7, 12));
        let error =
            read(7, br#"{"violation": {"property": "liveness"}}"#).expect_err("half of one");
        assert!(error.contains("`lines`"), "{error}");
    }
}
