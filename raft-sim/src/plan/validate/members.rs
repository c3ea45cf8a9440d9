//! Whether a plan's founders, actions and snapshots make sense.

use raft_core::{Instant, NodeId, Toggle};

use super::{Checked, at_least, at_most, refuse, share};
use crate::plan::node::TRUE_RATE;
use crate::plan::{Action, Plan};

/// The most actions: each takes the cluster a while.
const MOST_ACTIONS: usize = 1_000;

pub(super) fn check(plan: &Plan) -> Checked {
    at_least("founders", plan.founders.into(), 1, "or nobody founds the cluster")?;
    let why = "as many as there are nodes";
    at_most("founders", plan.founders.into(), plan.nodes.into(), why)?;
    plan.usual("snapshots.latency", plan.snapshots.latency)?;
    share("snapshots.failure_per_million", plan.snapshots.failure_per_million)?;
    share("snapshots.elsewhere_per_million", plan.snapshots.elsewhere_per_million)?;
    share("snapshots.stale_per_million", plan.snapshots.stale_per_million)?;
    share("workload.read_per_million", plan.workload.read_per_million)?;
    clocks_keep_the_lease(plan)?;
    if plan.actions.len() > MOST_ACTIONS {
        let expected = format!("it may have {MOST_ACTIONS} at most");
        return refuse("actions", format!("a list of {}", plan.actions.len()), expected);
    }
    let mut before = Instant(0);
    for (number, timed) in plan.actions.iter().enumerate() {
        let inside = |error: crate::plan::PlanError| error.inside(&format!("actions[{number}]"));
        super::faults::check_moment(plan, before, timed.at).map_err(inside)?;
        before = timed.at;
        action(plan, &timed.action).map_err(inside)?;
    }
    Ok(())
}

/// A lease is only as good as the clocks are.
fn clocks_keep_the_lease(plan: &Plan) -> Checked {
    if plan.settings.read_lease == Toggle::Off {
        return Ok(());
    }
    let drift = plan.settings.max_clock_drift_ppm;
    match plan.clocks.iter().find(|rate| rate.abs_diff(TRUE_RATE) > drift) {
        None => Ok(()),
        Some(rate) => {
            let expected = format!(
                "with settings.read_lease on, every clock must be within settings.max_clock_drift_ppm ({drift}) of \
                 {TRUE_RATE}"
            );
            refuse("clocks", rate, expected)
        }
    }
}

fn action(plan: &Plan, action: &Action) -> Checked {
    let known = |field: &str, id: &NodeId| {
        at_least(field, id.0, 1, "as nodes are named from n1")?;
        at_most(field, id.0, plan.nodes.into(), "as there are no more nodes")
    };
    match action {
        Action::Members { voters, learners } => {
            voters.iter().try_for_each(|id| known("members.voters", id))?;
            learners.iter().try_for_each(|id| known("members.learners", id))?;
            if let Some(id) = learners.iter().find(|id| voters.contains(id)) {
                return refuse("members.learners", id.0, "it is among members.voters too");
            }
            if voters.is_empty() {
                return refuse("members.voters", "empty", "somebody must vote");
            }
            Ok(())
        }
        Action::Transfer { to } => known("transfer.to", to),
        Action::Campaign { node } => known("campaign.node", node),
        Action::Suppress { node, lasts } => {
            known("suppress.node", node)?;
            let why =
                "ten times settings.election_timeout, as it goes on when everything is healed";
            let most = plan.settings.election_timeout.0.saturating_mul(10);
            at_most("suppress.lasts", lasts.0, most, why)
        }
    }
}

#[cfg(test)]
mod tests {
    use raft_core::Ticks;

    use super::*;
    use crate::plan::{Profile, TimedAction};

    fn refused(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = Plan::generate(3, Profile::Calm);
        assert_eq!(plan.validate(), Ok(()));
        change(&mut plan);
        plan.validate().expect_err("it makes no sense").to_string()
    }

    fn acting(action: Action) -> impl FnOnce(&mut Plan) {
        |plan| plan.actions.push(TimedAction { at: Instant(1), action })
    }

    /// What makes no sense is refused with its field and its value.
    #[test]
    fn senseless_members_are_refused() {
        let (one, far) = (vec![NodeId(1)], vec![NodeId(99)]);
        let cases = [
            (refused(|plan| plan.founders = 0), "founders is 0"),
            (refused(|plan| plan.founders = 99), "founders is 99"),
            (refused(|plan| plan.snapshots.failure_per_million = 2_000_000), "failure_per_million"),
            (
                refused(acting(Action::Members { voters: far, learners: vec![] })),
                "actions[0].members.voters is 99",
            ),
            (
                refused(acting(Action::Members { voters: one.clone(), learners: one })),
                "members.learners is 1: it is among members.voters too",
            ),
            (refused(acting(Action::Members { voters: vec![], learners: vec![] })), "must vote"),
            (refused(acting(Action::Transfer { to: NodeId(0) })), "transfer.to is 0"),
            (
                refused(acting(Action::Suppress { node: NodeId(1), lasts: Ticks(u64::MAX) })),
                "suppress.lasts",
            ),
        ];
        let late = refused(|plan| {
            let action = Action::Transfer { to: NodeId(1) };
            plan.actions.push(TimedAction { at: plan.heal_at.after(Ticks(1)), action });
        });
        assert!(late.contains("actions[0].at is") && late.contains("heal_at"), "{late}");
        let unsorted = refused(|plan| {
            for at in [2, 1] {
                let action = Action::Transfer { to: NodeId(1) };
                plan.actions.push(TimedAction { at: Instant(at), action });
            }
        });
        assert!(unsorted.contains("actions[1].at is 1") && unsorted.contains("sort"), "{unsorted}");
        for (error, words) in cases {
            assert!(error.contains(words), "{error}");
        }
        let wrong_clock = refused(|plan| {
            (plan.settings.stickiness, plan.settings.read_lease) = (Toggle::On, Toggle::On);
            plan.settings.max_clock_drift_ppm = 10;
            plan.clocks[0] = TRUE_RATE + 11;
        });
        assert!(wrong_clock.contains("max_clock_drift_ppm (10)"), "{wrong_clock}");
    }
}
