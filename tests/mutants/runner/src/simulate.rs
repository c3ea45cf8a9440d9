//! Runs the simulator on a mutant, and reads from its report whether it noticed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::Error;
use crate::bands::Band;
use crate::mutant::Mutant;
use crate::options::Net;

/// What the simulator said of a mutant in one band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A property was violated.
    Caught {
        /// Which.
        property: String,
        /// How many seeds were run until then, in order.
        seeds: u64,
    },
    /// No seed of the band violated anything.
    Missed,
}

/// Runs all bands at the same time, each on one thread so that its seeds are run in order.
pub(crate) fn all(
    command: &Path,
    mutant: &Mutant,
    bands: &[Band],
    net: Net,
) -> Result<Vec<Outcome>, Error> {
    thread::scope(|scope| {
        let runs: Vec<_> = bands
            .iter()
            .map(|band| scope.spawn(move || one(command, mutant, *band, net)))
            .collect();
        runs.into_iter().map(|run| run.join().expect("a run does not panic")).collect()
    })
}

/// Runs one band up to its first failure.
fn one(command: &Path, mutant: &Mutant, band: Band, net: Net) -> Result<Outcome, Error> {
    let output = Command::new(command)
        .args(["run", "--jobs", "1", "--max-failures", "1", "--json", "-", "--seeds"])
        .arg(band.to_string())
        .args((net == Net::Specification).then_some("--only-specification"))
        // Beside the binary, not in the folder of whoever runs this.
        .arg("--failures")
        .arg(command.with_file_name("failures").join(&mutant.name))
        .stdin(Stdio::null())
        .output()
        .map_err(Error::system(format!("cannot run {}", command.display())))?;
    let complain = |problem: String| Error::Mutant { name: mutant.name.clone(), problem };
    match output.status.code() {
        Some(0 | 1) => outcome(&output.stdout, band).map_err(complain),
        status => Err(complain(format!(
            "raft-sim ended with status {status:?}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// The first failure in a report.
fn outcome(report: &[u8], band: Band) -> Result<Outcome, String> {
    let report: Value = serde_json::from_slice(report)
        .map_err(|error| format!("the report of raft-sim is not JSON: {error}"))?;
    let failures =
        report["failures"].as_array().ok_or("the report of raft-sim has no `failures`")?;
    let Some(first) = failures.iter().min_by_key(|failure| failure["seed"].as_u64()) else {
        return Ok(Outcome::Missed);
    };
    match (first["seed"].as_u64(), first["violation"]["property"].as_str()) {
        (Some(seed), Some(property)) => {
            Ok(Outcome::Caught { property: property.to_owned(), seeds: band.seeds_until(seed) })
        }
        _ => Err("a failure in the report of raft-sim has no `seed` or no `violation.property`"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    //! Goal: the first failing seed is read from a report, counted from the band's start.

    use super::*;

    const BAND: Band = Band { start: 100, end: 200 };

    #[test]
    fn the_first_failure_counts() {
        let report = br#"{"failures": [{"seed": 150, "violation": {"property": "liveness"}},
                                       {"seed": 104, "violation": {"property": "election-safety"}}]}"#;
        let caught = Outcome::Caught { property: "election-safety".to_owned(), seeds: 5 };
        assert_eq!(outcome(report, BAND), Ok(caught));
    }

    #[test]
    fn no_failure_is_a_miss() {
        assert_eq!(outcome(br#"{"failures": []}"#, BAND), Ok(Outcome::Missed));
    }

    #[test]
    fn another_report_is_refused() {
        assert!(outcome(b"seeds: 1000", BAND).is_err_and(|error| error.contains("not JSON")));
        assert!(outcome(b"{}", BAND).is_err_and(|error| error.contains("no `failures`")));
    }
}
