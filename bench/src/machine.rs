//! Where and with what is measured: the head of the table.

use std::fmt::Write;
use std::{fs, thread};

use crate::contestants::Contestant;

const LOCK: &str = include_str!("../Cargo.lock");

/// The processor, the compiler, and the versions of those who take part.
pub(crate) fn description(contestants: &[&Contestant]) -> String {
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut text = format!("{}, {cores} cores\n{}\n", processor(), env!("RUSTC_VERSION"));
    let mut separator = "";
    for contestant in contestants {
        let Some(package) = contestant.package else { continue };
        let version = version(package).unwrap_or("of an unknown version");
        let _ = write!(text, "{separator}{package} {version}");
        separator = ", ";
    }
    text
}

fn processor() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    model.unwrap_or_else(|| format!("an {} processor", std::env::consts::ARCH))
}

/// The memory of this process that is in the machine's, where the system says so.
pub(crate) fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The version of a package in `Cargo.lock`, where the line after a name has it.
fn version(package: &str) -> Option<&'static str> {
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::version;
    use crate::contestants::ALL;

    #[test]
    fn every_package_has_a_version() {
        for contestant in ALL {
            if let Some(package) = contestant.package {
                let version = version(package).expect("it is in Cargo.lock");
                assert!(version.split('.').count() >= 3, "{package} {version}");
            }
        }
        assert_eq!(version("no-such-package"), None);
    }
}
