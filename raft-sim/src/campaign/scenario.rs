//! A scenario's run under guard, and the files in which scenarios are kept.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::source::read;
use super::{catch, run_guarded};
use crate::check::CheckLevel;
use crate::machine::Machine;
use crate::raft::Raft;
use crate::scenario::{Difference, Ending, Expectation, Found, Mismatch, Scenario};
use crate::violation::Violation;
use crate::world::{NoTrace, RunState, World};

/// What the name of a scenario's file ends with.
const EXTENSION: &str = "scenario";

impl Scenario {
    /// Runs the scenario. A panic in the code under test is a violation.
    ///
    /// # Errors
    /// The first thing that is not as the scenario says.
    pub fn check<R: Raft, M: Machine>(&self) -> Result<(), Mismatch> {
        if let Err(error) = self.plan.validate() {
            return Err(Mismatch { line: None, difference: Difference::Plan(error) });
        }
        catch(|| self.run::<R, M>()).unwrap_or_else(|_| {
            // The same run once more, to learn when it happened.
            let verdict = run_guarded::<R, M>(&self.plan).verdict;
            self.judge(verdict.violation)
        })
    }

    fn run<R: Raft, M: Machine>(&self) -> Result<(), Mismatch> {
        let mut expectations: Vec<_> = self.expectations.iter().enumerate().collect();
        expectations.sort_by_key(|(_, expectation)| expectation.at);
        let mut trace = NoTrace;
        let mut world = World::<R, M>::new(&self.plan, &mut trace, CheckLevel::Full);
        for (number, Expectation { at, node, facts }) in expectations {
            let (at, node, line) = (*at, *node, self.line_of_expectation(number));
            if world.advance_until(at) == RunState::Ended {
                let ended = world.now();
                self.judge(world.verdict().violation)?;
                return Err(Mismatch { line, difference: Difference::Over { at, ended } });
            }
            let view = world.view(node);
            let found = view.map_or(Found::Down, |view| Found::Up(view, world.terms(node)));
            let refuted = facts.iter().find_map(|fact| Some((fact, fact.refuted(&found)?)));
            if let Some((expected, found)) = refuted {
                let difference = Difference::State { at, node, expected: expected.clone(), found };
                return Err(Mismatch { line, difference });
            }
        }
        world.advance(u64::MAX);
        self.judge(world.verdict().violation)
    }

    /// Whether the run ended as it should.
    fn judge(&self, violation: Option<Violation>) -> Result<(), Mismatch> {
        let difference = match (self.ending, violation) {
            (Ending::Clean, None) => return Ok(()),
            (Ending::Violation(expected), Some(violation)) if violation.property == expected => {
                return Ok(());
            }
            (expected, Some(violation)) => Difference::Violated { expected, violation },
            (Ending::Violation(expected), None) => Difference::Clean { expected },
        };
        Err(Mismatch { line: self.line_of_ending(), difference })
    }
}

/// Why a file of a scenario is not in order, in one sentence that begins with the place: `file:3:7: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// It cannot be run.
    Unusable(String),
    /// Its run is not what it says.
    Differs(String),
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unusable(sentence) | Self::Differs(sentence)) = self;
        f.write_str(sentence)
    }
}

/// Reads and runs the scenario in a file.
pub(crate) fn check_file<R: Raft, M: Machine>(path: &Path) -> Result<(), Complaint> {
    let file = path.display();
    let text = read(path).map_err(|reason| Complaint::Unusable(format!("{file}: {reason}")))?;
    let scenario = Scenario::read::<M>(&text).map_err(|error| {
        let (line, column, problem) = (error.line, error.column, error.problem);
        Complaint::Unusable(format!("{file}:{line}:{column}: {problem}"))
    })?;
    scenario.check::<R, M>().map_err(|Mismatch { line, difference }| {
        let line = line.map_or_else(String::new, |line| format!(":{line}"));
        Complaint::Differs(format!("{file}{line}: {difference}"))
    })
}

/// The file of that name, or all scenarios in the folder of that name and the folders in it, in order.
pub(crate) fn scenario_files(path: &Path) -> Result<Vec<PathBuf>, Complaint> {
    let unusable = |reason: String| Complaint::Unusable(format!("{}: {reason}", path.display()));
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut files, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| unusable(error.to_string()))?;
        for entry in entries {
            let entry = entry.map_err(|error| unusable(error.to_string()))?;
            let about = entry.file_type().map_err(|error| unusable(error.to_string()))?;
            let path = entry.path();
            if about.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == EXTENSION) {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        return Err(unusable(format!("the folder holds no file `*.{EXTENSION}`")));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Kv;
    use bytes::Bytes;
    use raft_core::{LogPosition, Node};

    fn outcome<M: Machine>(lines: &str) -> Result<(), String> {
        let text = format!("scenario 1\nset pre-vote off\n\n+0ms campaign n1\n{lines}");
        let scenario = Scenario::read::<M>(&text).unwrap_or_else(|error| panic!("{error}"));
        scenario.check::<Node, M>().map_err(|mismatch| mismatch.to_string())
    }

    /// Goal: what is as it is said passes, and what is not is told with its line, what it should be and what it is.
    #[test]
    fn differences_are_told() {
        assert_eq!(outcome::<Kv>("+50ms expect n1 leader, term 1, leader n1\n"), Ok(()));
        let cases = [
            ("+50ms expect n2 leader", "line 5: at 50ms n2 should be `leader`, but is `follower`"),
            (
                "+50ms expect n1 leader, vote n3",
                "line 5: at 50ms n1 should be `vote n3`, but is `vote n1`",
            ),
            (
                "+1ms crash n1 for 300ms\n+1us expect n1 leader",
                "line 6: at 1.001ms n1 should be `leader`, but is `down`",
            ),
            (
                "expect violation liveness",
                "line 5: the run should violate liveness, but it is clean",
            ),
            (
                "+50ms end\n+10ms expect n1 leader",
                "line 6: at 60ms the run should go on, but it was over at 50ms",
            ),
        ];
        for (lines, told) in cases {
            let mismatch = outcome::<Kv>(&format!("{lines}\n")).expect_err(lines);
            assert!(mismatch.starts_with(told), "{mismatch}");
        }
    }

    /// Goal: nothing of a moment has happened when something is expected at it.
    #[test]
    fn expectations_come_before_their_moment() {
        let lines = "+50ms expect n1 leader\n+0ms crash n1 for 300ms\n+1us expect n1 down\n";
        assert_eq!(outcome::<Kv>(lines), Ok(()));
    }

    /// Panics at its first command.
    #[derive(Clone, Default)]
    struct Brittle;

    impl Machine for Brittle {
        fn apply(&mut self, _: LogPosition, _: &Bytes) -> Bytes {
            panic!("it breaks")
        }

        fn digest(&self) -> u64 {
            0
        }

        fn snapshot(&self) -> Bytes {
            Bytes::new()
        }

        fn restore(_: &Bytes) -> Result<Self, String> {
            Ok(Self)
        }

        fn command(_: &mut crate::draw::Draw) -> Bytes {
            Bytes::from_static(b"any")
        }
    }

    /// Goal: a panic is a violation like any other, expected or not; and a machine without words has bytes.
    #[test]
    fn panics_are_violations() {
        let asks = "+50ms client 0 asks n1: 0x07ff\n";
        let mismatch = outcome::<Brittle>(asks).expect_err("it panics");
        assert!(
            mismatch.starts_with("the run should be clean, but it violates panic at "),
            "{mismatch}"
        );
        assert!(mismatch.ends_with("it breaks"), "{mismatch}");
        assert_eq!(outcome::<Brittle>(&format!("{asks}expect violation panic\n")), Ok(()));
    }
}
