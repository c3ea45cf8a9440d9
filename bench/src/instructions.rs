//! How many instructions something takes, as valgrind's callgrind counts them, in all and function by function. The
//! program runs itself twice, with different numbers of units: in the difference there is no start, no election and no
//! warm-up. Whatever else the machine does makes no difference.

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};

use crate::measure::Case;
use crate::profile::{Costs, Profile};
use crate::workload::Mode;

/// About how many units.
const FEW: u64 = 2_000;
const MANY: u64 = 6_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The version of valgrind, if it is there.
pub(crate) fn valgrind() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What an entry takes.
pub(crate) fn of_entry(case: &Case, mode: Mode) -> Result<Costs> {
    let whole_bursts = |entries: u64| entries / mode.burst() * mode.burst();
    let (nodes, size) = (case.nodes.to_string(), case.size.to_string());
    let arguments = ["once", case.contestant.name, mode.name(), &nodes, &size];
    difference(&arguments, whole_bursts(FEW), whole_bursts(MANY))
}

/// What a step takes (see [`raft_bench::steps`]).
pub(crate) fn of_step(name: &str) -> Result<Costs> {
    difference(&["step", name], FEW, MANY)
}

/// What one unit takes, when the program is given these arguments and a number of units.
pub(crate) fn difference(arguments: &[&str], few: u64, many: u64) -> Result<Costs> {
    Ok(profile(arguments, many)?.beyond(&profile(arguments, few)?, many - few))
}

/// Some processors write and copy long runs of bytes with one instruction, which callgrind counts once for each byte. From
/// which length on, the GNU library decides; never, here.
const NO_LONG_INSTRUCTIONS: &str =
    "glibc.cpu.x86_rep_stosb_threshold=1000000000:glibc.cpu.x86_rep_movsb_threshold=1000000000";

/// The program prints nothing itself, so callgrind can have its output.
fn profile(arguments: &[&str], units: u64) -> Result<Profile> {
    let output = Command::new("valgrind")
        .env("GLIBC_TUNABLES", NO_LONG_INSTRUCTIONS)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/stdout"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(env::current_exe()?)
        .args(arguments)
        .arg(units.to_string())
        .output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("valgrind failed with {}:\n{text}", output.status).into());
    }
    Ok(Profile::parse(&String::from_utf8_lossy(&output.stdout))?)
}
