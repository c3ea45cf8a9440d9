//! Scenarios inside a `#[test]`: a folder of them, or one as text.

use std::path::Path;

use super::{Check, Wishes};
use crate::campaign::{check_file, scenario_files};
use crate::machine::Machine;
use crate::raft::Raft;
use crate::report::printable;
use crate::scenario::Scenario;

/// Runs every scenario in a folder, and in the folders in it, with the state machine `M`.
///
/// ```no_run
/// # type Bank = raft_sim::kv::Kv;
/// #[test]
/// fn scenarios_hold() {
///     raft_sim::scenarios::<Bank>("tests/scenarios");
/// }
/// ```
///
/// # Panics
/// When one of them cannot be read or its run is not what it says, with a line for each; or when there is none.
pub fn scenarios<M: Machine + 'static>(folder: impl AsRef<Path>) {
    Check::new().scenarios_on::<raft_core::Node, M>(folder);
}

/// Runs a scenario that is given as text, with the state machine `M`.
///
/// # Panics
/// When it cannot be read, or when its run is not what it says.
pub fn scenario_text<M: Machine + 'static>(text: &str) {
    Check::new().scenario_text_on::<raft_core::Node, M>(text);
}

impl Check {
    /// Runs every scenario in a folder, and in the folders in it, on another implementation of Raft.
    ///
    /// # Panics
    /// When one of them cannot be read or its run is not what it says, with a line for each; or when there is none.
    pub fn scenarios_on<R: Raft + 'static, M: Machine + 'static>(self, folder: impl AsRef<Path>) {
        let result = self.replay_wish::<R, M>();
        let result = result.unwrap_or_else(|| self.folder::<R, M>(folder.as_ref()));
        if let Err(message) = result {
            panic!("{message}");
        }
    }

    /// Runs a scenario that is given as text, on another implementation of Raft.
    ///
    /// # Panics
    /// When it cannot be read, or when its run is not what it says.
    pub fn scenario_text_on<R: Raft + 'static, M: Machine + 'static>(self, text: &str) {
        let result = self.replay_wish::<R, M>();
        if let Err(message) = result.unwrap_or_else(|| checked::<R, M>(text)) {
            panic!("{message}");
        }
    }

    /// What `RAFT_SIM_REPLAY` names, if it is set, is run instead.
    fn replay_wish<R: Raft + 'static, M: Machine + 'static>(&self) -> Option<Result<(), String>> {
        let wishes = Wishes::of_the_environment();
        wishes.replay.map(|what| self.replay::<R, M>(&what, wishes.html.as_deref()))
    }

    fn folder<R: Raft, M: Machine>(&self, folder: &Path) -> Result<(), String> {
        if !folder.is_dir() {
            return Err(format!("{}: there is no such folder", folder.display()));
        }
        let files = scenario_files(folder).map_err(|complaint| complaint.to_string())?;
        let failed: Vec<(&Path, String)> = files
            .iter()
            .filter_map(|file| {
                let complaint = check_file::<R, M>(file).err()?;
                Some((file.as_path(), printable(&complaint.to_string())))
            })
            .collect();
        let Some((first, _)) = failed.first() else { return Ok(()) };
        let lines: Vec<&str> = failed.iter().map(|(_, line)| line.as_str()).collect();
        Err(format!(
            "{} of {} scenarios do not hold:\n  {}\n\nsee what happens in the first with:\n\n    {}\n",
            failed.len(),
            files.len(),
            lines.join("\n  "),
            self.replay_line(&first.display().to_string())
        ))
    }
}

/// Reads and runs a scenario.
fn checked<R: Raft, M: Machine>(text: &str) -> Result<(), String> {
    let scenario = Scenario::read::<M>(text).map_err(|error| error.to_string())?;
    scenario.check::<R, M>().map_err(|mismatch| printable(&mismatch.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::kv::Kv;
    use raft_core::Node;

    const TEXT: &str =
        "scenario 1\nset pre-vote off\n\n+0ms    campaign n1\n+50ms   expect n1 leader\n";

    /// Goal: a folder's failures are told together, each with its place; and a folder of nothing proves nothing.
    #[test]
    fn a_folder_is_checked_as_a_whole() {
        let folder = std::env::temp_dir().join(format!("raft-sim-folder-{}", std::process::id()));
        fs::create_dir_all(folder.join("more")).expect("a folder can be made");
        let outcome = || Check::new().named("hold").folder::<Node, Kv>(&folder);
        let message = outcome().expect_err("there is none");
        assert!(message.contains("holds no file"), "{message}");
        fs::write(folder.join("b.scenario"), TEXT).expect("a file can be written");
        assert_eq!(outcome(), Ok(()));
        let (wrong, bad) = (TEXT.replace("n1 leader", "n1 follower"), TEXT.replace("camp", "comp"));
        fs::write(folder.join("more/a.scenario"), wrong).expect("a file can be written");
        fs::write(folder.join("c.scenario"), bad).expect("a file can be written");
        let message = outcome().expect_err("two do not hold");
        for part in [
            "2 of 3 scenarios",
            "c.scenario:4:9: found `compaign`",
            "did you mean `campaign`",
            "a.scenario:5: at 50ms n1 should be `follower`, but is `leader`",
            "c.scenario cargo test -p raft-sim hold",
        ] {
            assert!(message.contains(part), "{message} does not say {part}");
        }
        fs::remove_dir_all(&folder).expect("the test's own folder can be removed");
    }

    /// Goal: the test that a scenario becomes is that scenario, whatever quotation marks are in it.
    #[test]
    fn a_scenario_becomes_a_test() {
        let told = TEXT.replace("leader\n", "leader  # so \"#there\"#\n");
        let scenario = Scenario::read::<Kv>(&told).expect("it is one");
        let test = scenario.as_test::<Kv>("Seed 17: one");
        assert!(
            test.starts_with(
                "#[test]\nfn seed_17_one() {\n    raft_sim::scenario_text::<raft_sim::kv::Kv>("
            ),
            "{test}"
        );
        let (_, rest) = test.split_once("r##\"\n").expect("a raw string begins");
        let (kept, _) = rest.split_once("\"##").expect("a raw string ends");
        assert_eq!(kept, told);
        assert_eq!(checked::<Node, Kv>(&format!("\n{kept}")), Ok(()));
    }
}
