//! What can be wrong with a plan, each in one sentence.

use raft_core::ConfigError;

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The text ends too early.
    #[error(
        "the plan is cut off: its text ends at line {line} in the middle of a value; restore the whole file"
    )]
    Truncated {
        /// The last line there is.
        line: u64,
    },
    /// The text is no plan.
    #[error("the plan cannot be read: {reason}; correct the file or write it anew")]
    Malformed {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// The plan does not say of which version it is.
    #[error("the plan has no \"version\": this is version {expected}; is the file a plan at all?")]
    NoVersion {
        /// What this build reads.
        expected: u32,
    },
    /// The plan was written by another version.
    #[error(
        "the plan is of version {found}, this build reads version {expected}: \
         generate it again from its seed, or use the build that wrote it"
    )]
    Version {
        /// What the plan says.
        found: u64,
        /// What this build reads.
        expected: u32,
    },
    /// A value, or two together, with which nothing could run, or nothing worth running.
    #[error("the plan's {field} is {found}: {expected}")]
    Impossible {
        /// Where it is, as in the file: `network.delay.min`.
        field: String,
        /// What it is.
        found: String,
        /// What would do, and why.
        expected: String,
    },
    /// The settings contradict each other.
    #[error("the plan's settings contradict each other: {0}")]
    Settings(#[from] ConfigError),
    /// The settings of some of the nodes contradict each other.
    #[error("the plan's other_settings contradict each other: {0}")]
    OtherSettings(ConfigError),
    /// No profile has this name.
    #[error("there is no profile \"{name}\": the profiles are {known}")]
    UnknownProfile {
        /// The name that was given.
        name: String,
        /// All names.
        known: String,
    },
}

impl PlanError {
    /// The same, of a field that is part of another.
    #[must_use]
    pub(super) fn inside(self, outer: &str) -> Self {
        match self {
            Self::Impossible { field, found, expected } => {
                Self::Impossible { field: format!("{outer}.{field}"), found, expected }
            }
            Self::Settings(error) => Self::OtherSettings(error),
            other => other,
        }
    }
}

impl From<serde_json::Error> for PlanError {
    fn from(error: serde_json::Error) -> Self {
        if error.is_eof() {
            Self::Truncated { line: error.line() as u64 }
        } else {
            Self::Malformed { reason: error.to_string() }
        }
    }
}
