//! Whether the operations that a plan lists can be asked, and when it ends.

use raft_core::{Instant, Ticks};

use super::{Checked, at_least, at_most, lasting, refuse};
use crate::plan::{MAX_CLIENTS, Plan};

/// The most operations that a plan may list.
const MOST_OPERATIONS: usize = 100_000;

pub(super) fn check(plan: &Plan) -> Checked {
    if let Some(end) = plan.ends_at {
        lasting("ends_at", Ticks(end.0))?;
        at_least("ends_at", end.0, 1, "or nothing happens")?;
    }
    if plan.operations.is_empty() {
        return Ok(());
    }
    let count = plan.operations.len();
    if count > MOST_OPERATIONS {
        let expected = format!("it may have {MOST_OPERATIONS} at most");
        return refuse("operations", format!("a list of {count}"), expected);
    }
    let why =
        "where operations are listed: clients either follow the list or choose for themselves";
    at_most("workload.clients", plan.workload.clients.into(), 0, why)?;
    let why = "where operations are listed: those of sessions are made as the run goes";
    at_most("workload.sessions", plan.workload.sessions, 0, why)?;
    let mut before = Instant(0);
    for (number, timed) in plan.operations.iter().enumerate() {
        let inside = |error: crate::plan::PlanError| error.inside(&format!("operations[{number}]"));
        super::faults::check_moment(plan, before, timed.at).map_err(inside)?;
        before = timed.at;
        super::faults::node(plan, "node", timed.node).map_err(inside)?;
        let most = u64::from(MAX_CLIENTS) - 1;
        let why = "no more clients can be simulated";
        at_most("client", timed.client.into(), most, why).map_err(inside)?;
    }
    Ok(())
}
