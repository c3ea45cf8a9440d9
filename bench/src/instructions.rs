//! How many instructions an entry takes, as valgrind counts them. The program runs itself twice, with different numbers
//! of entries: in the difference there is no start, no election and no warm-up.

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};

use crate::measure::{Case, float};
use crate::workload::Mode;

/// About how many entries.
const FEW: u64 = 2_000;
const MANY: u64 = 6_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Whether valgrind is there.
pub(crate) fn can_be_counted() -> bool {
    let mut command = Command::new("valgrind");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The instructions for each entry.
pub(crate) fn per_entry(case: &Case, mode: Mode) -> Result<f64> {
    let whole_bursts = |entries: u64| entries / mode.burst() * mode.burst();
    let (few, many) = (whole_bursts(FEW), whole_bursts(MANY));
    let extra = collected(case, mode, many)?.saturating_sub(collected(case, mode, few)?);
    Ok(float(extra) / float(many - few))
}

fn collected(case: &Case, mode: Mode, entries: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["once", case.contestant.name, mode.name()])
        .args([case.nodes.to_string(), case.size.to_string(), entries.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind failed with {}:\n{text}", output.status).into());
    }
    total(&text).ok_or_else(|| format!("valgrind did not say what it collected:\n{text}").into())
}

/// What is in the line `==1234== Collected : 5678`.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_is_found() {
        let text = "==7== Events    : Ir\n==7== Collected : 123456\n==7==\n";
        assert_eq!(total(text), Some(123_456));
        assert_eq!(total("valgrind: failed to start"), None);
    }
}
