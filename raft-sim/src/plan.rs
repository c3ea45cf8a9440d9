//! A run as a value: everything that decides what happens in it, as plain data.
//!
//! A seed makes a [`Plan`] ([`Plan::generate`]); people, fuzzers and shrinkers write the same type. What a
//! plan does not list (the delay of each message, the latency of each write) is drawn by keys from its
//! seed, so changing one part of a plan does not reshuffle the rest.
//!
//! Invariant: a plan that passes [`Plan::validate`] can be run: no value in it makes the simulator fail, or is taken
//! for a fault of the Raft under test.

mod action;
mod benign;
mod error;
mod fault;
mod fault_name;
mod generate;
mod network;

mod node;
mod operation;
mod settings;
mod validate;

use raft_core::{Instant, NodeId, Settings};
use serde::{Deserialize, Serialize};

pub use action::{Action, TimedAction};
pub use error::PlanError;
pub use fault::{CrashPoint, Cut, Fault, FaultKind, Nodes, StaticCut, Target, TimedFault, Way};
pub use fault_name::FaultName;
pub use generate::{GENERATOR_VERSION, Profile};
pub use network::{Fate, MessageKind, Network, Order, Override, Rare, Span};
pub use node::{
    ApplyProfile, DiskProfile, Limits, MachineMemory, SnapshotProfile, TRUE_RATE, Workload,
};
pub use operation::{Asks, CommandBytes, TimedOperation};
pub use settings::{OtherSettings, PlanSettings};

/// The version of the format. A plan of another one is refused.
pub const PLAN_VERSION: u32 = 3;

/// The most nodes a plan may have.
pub const MAX_NODES: u32 = 7;

/// The most clients a plan may have.
pub const MAX_CLIENTS: u32 = 256;

/// A run, before it is run. One tick is a microsecond of simulated time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of the format: [`PLAN_VERSION`].
    pub version: u32,
    /// Decides whatever the plan leaves open.
    pub seed: u64,
    /// Where the plan came from: the generator's profile, or `hand` for one written by hand.
    pub profile: String,
    /// How many nodes there are. They are named from n1.
    pub nodes: u32,
    /// How many of them, from the first, found the cluster; the others wait to be added.
    pub founders: u32,
    /// How Raft is configured. The election timeout is the unit of the run's phases.
    pub settings: PlanSettings,
    /// How it is configured at some of the nodes instead.
    pub other_settings: Option<OtherSettings>,
    /// How messages travel.
    pub network: Network,
    /// How disks behave.
    pub disk: DiskProfile,
    /// How machines take entries.
    pub apply: ApplyProfile,
    /// How machines are compacted.
    pub snapshots: SnapshotProfile,
    /// How fast each node's clock runs: local microseconds in a true second.
    pub clocks: Vec<u32>,
    /// What clients do.
    pub workload: Workload,
    /// What goes wrong, in the order of time.
    pub faults: Vec<TimedFault>,
    /// What an operator asks for, in the order of time.
    pub actions: Vec<TimedAction>,
    /// What clients ask for, in the order of time, where that is not left to the workload.
    pub operations: Vec<TimedOperation>,
    /// When everything is healed: links, nodes, disks; from then on no message is lost.
    pub heal_at: Instant,
    /// When the run is over, whatever goes on then; without it, when it has come to rest after the healing.
    pub ends_at: Option<Instant>,
    /// A cut under which there must be steady progress, after everything is healed and before the last
    /// phase.
    pub static_cut: Option<StaticCut>,
    /// When the run is given up.
    pub limits: Limits,
    /// Messages whose fate is not left to the seed.
    pub overrides: Vec<Override>,
}

/// What is read first of a plan, so that one of another version is called that, and not malformed.
#[derive(Deserialize)]
struct Header {
    version: Option<u64>,
}

impl Plan {
    /// Reads a plan and checks it.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let header: Header = serde_json::from_str(text)?;
        match header.version {
            None => return Err(PlanError::NoVersion { expected: PLAN_VERSION }),
            Some(found) if found != u64::from(PLAN_VERSION) => {
                return Err(PlanError::Version { found, expected: PLAN_VERSION });
            }
            Some(_) => {}
        }
        let plan: Self = serde_json::from_str(text)?;
        plan.validate()?;
        Ok(plan)
    }

    /// The plan as text that [`Plan::from_json`] reads.
    ///
    /// # Panics
    /// Never: a plan consists of numbers, names and lists.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("a plan holds nothing that JSON cannot");
        text.push('\n');
        text
    }

    /// The name of the file in which the plan of a failing run is kept.
    pub fn file_name(&self) -> String {
        format!("{}-{}.json", self.profile, self.seed)
    }

    /// How many events a run may take: the least that [`Limits::events`] may be.
    pub fn events_needed(&self) -> u64 {
        validate::events_needed(self)
    }

    /// The settings of a node.
    pub fn settings_of(&self, id: NodeId) -> Settings {
        let others = self.other_settings.as_ref().filter(|others| others.nodes.contains(&id));
        others.map_or(self.settings, |others| others.settings).of(self.seed, id)
    }

    /// The longest that any node keeps a request.
    pub(crate) fn longest_request_timeout(&self) -> u64 {
        let others = self.other_settings.as_ref().map(|others| others.settings.request_timeout);
        self.settings.request_timeout.max(others.unwrap_or_default()).0
    }

    /// The names of the nodes, in order.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=u64::from(self.nodes)).map(NodeId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Plan {
        Plan::generate(7, Profile::Default)
    }

    /// What is written is what is read, whatever the plan.
    #[test]
    fn plans_survive_json() {
        for seed in 0..200 {
            for profile in Profile::ALL {
                let plan = Plan::generate(seed, profile);
                assert_eq!(Plan::from_json(&plan.to_json()).as_ref(), Ok(&plan));
            }
        }
    }

    /// A file that was cut in the middle is called that.
    #[test]
    fn a_truncated_plan_is_named() {
        let text = sample().to_json();
        let error = Plan::from_json(&text[..text.len() / 2]).expect_err("half a plan is no plan");
        assert!(matches!(error, PlanError::Truncated { .. }), "{error}");
        assert!(!error.to_string().contains('\n'));
    }

    /// A plan of another version is refused by its number, whatever else is in it.
    #[test]
    fn another_version_is_named() {
        let error = Plan::from_json("{\"version\": 99, \"strange\": []}").expect_err("not ours");
        assert_eq!(error, PlanError::Version { found: 99, expected: PLAN_VERSION });
        let error = Plan::from_json("{\"seed\": 1}").expect_err("no version");
        assert_eq!(error, PlanError::NoVersion { expected: PLAN_VERSION });
    }

    /// A misspelt field is an error, not a default.
    #[test]
    fn unknown_fields_are_refused() {
        let text = sample().to_json().replacen("\"seed\"", "\"sede\"", 1);
        let error = Plan::from_json(&text).expect_err("there is no such field");
        assert!(error.to_string().contains("sede"), "{error}");
    }
}
