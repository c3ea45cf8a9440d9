//! Where a single run's plan comes from: a seed, or a file.
//!
//! This is the one place that decides what is a seed: a text of digits alone. A file with such a name is
//! called by a path (`./17`).

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::run::plan_of;
use crate::machine::Machine;
use crate::plan::{GENERATOR_VERSION, Plan, Profile};
use crate::raft::Raft;
use crate::scenario::{Scenario, is_scenario};

/// The largest file that is read. Plans are some kilobytes; recorded lives may be long.
const FILE_BYTES: u64 = 1 << 30;

/// How a recorded life begins.
const RECORDING: &str = "{\"started\":";

/// How a run on record begins.
const RUN: &str = "{\"run\":";

/// What a single run is named by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A seed, from which a plan is generated.
    Seed(u64),
    /// A file that holds a plan, as JSON or as a scenario.
    File(PathBuf),
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A plan.
    Plan(Box<Plan>),
    /// The text of a recorded life of a node.
    Recording(String),
    /// The text of a run on record.
    Run(String),
}

impl Source {
    /// The plan that is meant. `generator` is the version of the plan generator that a seed was found
    /// with, where that is known; a plan file means the same whatever would generate it.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub(crate) fn plan<R: Raft, M: Machine>(
        &self,
        profile: Profile,
        generator: Option<u32>,
    ) -> Result<Plan, String> {
        match self.read::<R, M>(profile, generator)? {
            Named::Plan(plan) => Ok(*plan),
            Named::Recording(_) => Err(format!("the file `{self}` is a recording, not a plan")),
            Named::Run(_) => Err(format!("the file `{self}` is a recorded run, not a plan")),
        }
    }

    /// The plan or the recording that is meant.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub(crate) fn read<R: Raft, M: Machine>(
        &self,
        profile: Profile,
        generator: Option<u32>,
    ) -> Result<Named, String> {
        match self {
            Self::Seed(seed) => {
                if let Some(version) = generator.filter(|version| *version != GENERATOR_VERSION) {
                    return Err(format!(
                        "seeds of plan generator {version} mean nothing to this build, whose generator is \
                         {GENERATOR_VERSION}: replay the plan file of the failing run, or build the version \
                         that found it"
                    ));
                }
                Ok(Named::Plan(Box::new(plan_of::<R, M>(*seed, profile))))
            }
            Self::File(path) => {
                let text = read(path);
                let plan = text.and_then(|text| {
                    if begins(&text, RECORDING) {
                        return Ok(Named::Recording(text));
                    }
                    if begins(&text, RUN) {
                        return Ok(Named::Run(text));
                    }
                    let plan = if is_scenario(&text) {
                        let scenario = Scenario::read::<M>(&text);
                        scenario.map_err(|error| error.to_string())?.plan
                    } else {
                        let plan = Plan::from_json(&text).map_err(|error| error.to_string())?;
                        plan.validate_for::<M>().map_err(|error| error.to_string())?;
                        plan
                    };
                    Ok(Named::Plan(Box::new(plan)))
                });
                plan.map_err(|reason| format!("the file `{self}` cannot be used: {reason}"))
            }
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::File(PathBuf::from(text)));
        }
        text.parse()
            .map(Self::Seed)
            .map_err(|_| format!("`{text}` is not a seed: the largest is {}", u64::MAX))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seed(seed) => write!(f, "{seed}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Whether a text begins like this, but for spaces.
fn begins(text: &str, like: &str) -> bool {
    text.chars().filter(|c| !c.is_whitespace()).take(like.len()).eq(like.chars())
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is not a file".to_owned());
    }
    if about.len() > FILE_BYTES {
        return Err(format!("it is larger than {FILE_BYTES} bytes"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| {
        "it is not text, so it is neither a plan nor a scenario nor a recording".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Kv;

    /// Digits are a seed, and anything else is a file.
    #[test]
    fn digits_are_a_seed() {
        let file = |name: &str| Ok(Source::File(PathBuf::from(name)));
        assert_eq!("17".parse(), Ok(Source::Seed(17)));
        assert_eq!("018446744073709551615".parse(), Ok(Source::Seed(u64::MAX)));
        for name in ["./17", "17.json", "-1", "+1", "0x11", "", " 17", "\u{661}"] {
            assert_eq!(name.parse(), file(name), "{name}");
        }
        let message = "18446744073709551616".parse::<Source>().expect_err("too large");
        assert!(message.contains("the largest is 18446744073709551615"), "{message}");
    }

    /// Another generator's seed is refused; a file is read whatever generated it.
    #[test]
    fn only_seeds_have_a_generator() {
        let plan = |source: Source, generator| {
            source.plan::<raft_core::Node, Kv>(Profile::Default, generator)
        };
        let current = plan(Source::Seed(3), Some(GENERATOR_VERSION));
        assert_eq!(current, Ok(Plan::generate(3, Profile::Default)));
        assert_eq!(plan(Source::Seed(3), None), current);
        let other = Some(GENERATOR_VERSION + 1);
        let message = plan(Source::Seed(3), other).expect_err("another generator");
        assert!(message.contains("plan generator"), "{message}");
        let message = plan(Source::File("nothing.json".into()), other).expect_err("no such file");
        assert!(message.contains("`nothing.json` cannot be used"), "{message}");
    }
}
