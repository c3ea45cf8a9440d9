//! Whether a plan's settings leave the cluster time and room.

use raft_core::{NodeId, Priority};

use super::{Checked, LONGEST, at_least, at_most, refuse};
use crate::plan::{OtherSettings, Plan, PlanSettings};

/// The longest election and request timeout: a run lasts for many of them.
const LONGEST_TIMEOUT: u64 = LONGEST.0 / 100;
/// The least `max_command_bytes`: what a machine needs for a command of a few numbers.
const LEAST_COMMAND: u64 = 64;
/// The least `max_undurable_bytes`: with less, logs grow by one entry at a time.
const LEAST_UNDURABLE: u64 = 512;
/// The greatest window of messages that runs in some 100,000 events can do with.
const MOST_IN_FLIGHT: u64 = 256;
/// The least `max_chunk_bytes`: with less, a snapshot takes longer than anybody waits.
const LEAST_CHUNK: u64 = 256;
/// The lowest priority: each step lower lengthens elections by a timeout, and a run waits for a few dozen.
const LOWEST_PRIORITY: u8 = 3;
/// The settings of some nodes may have election timeouts up to so many times as long as those of others.
const LONGER: u64 = 2;

pub(super) fn check(plan: &Plan) -> Checked {
    let settings = &plan.settings;
    let (election, request) = (settings.election_timeout.0, settings.request_timeout.0);
    let why = "a run lasts for many of them";
    at_most("settings.election_timeout", election, LONGEST_TIMEOUT, why)?;
    at_most("settings.request_timeout", request, LONGEST_TIMEOUT, why)?;
    settings.of(plan.seed, NodeId(1)).validate()?;
    let why = "settings.election_timeout, or requests end before a sound cluster answers them";
    at_least("settings.request_timeout", request, election, why)?;
    let why = "or no command of a machine is taken";
    at_least("settings.max_command_bytes", settings.max_command_bytes, LEAST_COMMAND, why)?;
    let why = "as all that are under way are sent again when one is lost or overtaken";
    let window = settings.max_inflight_messages;
    at_most("settings.max_inflight_messages", window, MOST_IN_FLIGHT, why)?;
    let why = "or logs grow by one entry at a time";
    let undurable = settings.max_undurable_bytes;
    at_least("settings.max_undurable_bytes", undurable, LEAST_UNDURABLE, why)?;
    let why = "or a snapshot takes longer than anybody waits";
    at_least("settings.max_chunk_bytes", settings.max_chunk_bytes, LEAST_CHUNK, why)?;
    let Priority(steps) = settings.priority;
    let why = "or elections take longer than anybody waits";
    at_most("settings.priority", steps.into(), LOWEST_PRIORITY.into(), why)
}

/// A cluster that mixes two configurations must be one that would work with either.
pub(super) fn check_others(plan: &Plan) -> Checked {
    let Some(OtherSettings { nodes, settings }) = &plan.other_settings else { return Ok(()) };
    if let Some(unknown) = nodes.iter().find(|id| !(1..=plan.nodes.into()).contains(&id.0)) {
        let expected = format!("it must be from 1 to {}, the number of nodes", plan.nodes);
        return refuse("other_settings.nodes", unknown.0, expected);
    }
    let election = plan.settings.election_timeout.0;
    let why = "settings.election_timeout, which is the unit of the run's phases";
    let field = "other_settings.settings.election_timeout";
    at_least(field, settings.election_timeout.0, election, why)?;
    let why = "twice settings.election_timeout, or elections take longer than anybody waits";
    at_most(field, settings.election_timeout.0, LONGER * election, why)?;
    let why = "half of settings.election_timeout, or followers do not hear their leader in time";
    let field = "other_settings.settings.heartbeat_interval";
    at_most(field, settings.heartbeat_interval.0, election / 2, why)?;
    let PlanSettings { election_timeout, .. } = plan.settings;
    let everywhere = PlanSettings { election_timeout, ..*settings };
    let same = Plan { settings: everywhere, other_settings: None, ..plan.clone() };
    same.validate().map_err(|error| error.inside("other_settings"))
}

#[cfg(test)]
mod tests {
    use raft_core::{Ticks, Toggle};

    use super::*;
    use crate::plan::Profile;

    fn refused(change: impl FnOnce(&mut OtherSettings)) -> String {
        let mut plan = Plan::generate(3, Profile::Calm);
        let mut others = OtherSettings { nodes: vec![NodeId(1)], settings: plan.settings };
        change(&mut others);
        plan.other_settings = Some(others);
        plan.validate().expect_err("it makes no sense").to_string()
    }

    /// What makes no sense is refused with its field and its value.
    #[test]
    fn settings_of_some_nodes_must_work_with_those_of_the_others() {
        let cases = [
            (refused(|others| others.nodes.push(NodeId(99))), "other_settings.nodes is 99"),
            (
                refused(|others| others.settings.election_timeout = Ticks(149_999)),
                "settings.election_timeout is 149999",
            ),
            (
                refused(|others| others.settings.election_timeout = Ticks(300_001)),
                "settings.election_timeout is 300001",
            ),
            (
                refused(|others| {
                    others.settings.election_timeout = Ticks(300_000);
                    others.settings.heartbeat_interval = Ticks(75_001);
                }),
                "settings.heartbeat_interval is 75001",
            ),
            (
                refused(|others| others.settings.max_chunk_bytes = 1),
                "other_settings.settings.max_chunk_bytes is 1",
            ),
            (refused(|others| others.settings.priority = Priority(4)), "settings.priority is 4"),
        ];
        for (error, words) in cases {
            assert!(error.contains(words), "{error}");
        }
    }

    /// Under a static cut all nodes need the safeguards.
    #[test]
    fn a_static_cut_holds_for_both_settings() {
        let mut plan = (0..).map(|seed| Plan::generate(seed, Profile::Default));
        let mut plan = plan.find(|plan| plan.static_cut.is_some()).expect("many have one");
        let settings = PlanSettings { pre_vote: Toggle::Off, ..plan.settings };
        plan.other_settings = Some(OtherSettings { nodes: vec![NodeId(1)], settings });
        let error = plan.validate().expect_err("one node lacks pre-vote").to_string();
        assert!(error.contains("other_settings") && error.contains("pre_vote"), "{error}");
    }
}
