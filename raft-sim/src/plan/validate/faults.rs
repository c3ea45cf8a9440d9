//! Whether the faults of a plan, and the fates that it lists, are possible in its cluster.

use raft_core::{Instant, NodeId, Ticks};

use super::{Checked, at_least, at_most, lasting, refuse, span};
use crate::plan::{Cut, Fate, Fault, Plan, StaticCut, Target};

/// The most faults or overrides that a plan may list.
const MOST_ITEMS: usize = 1_000_000;

/// Checks all faults and overrides.
pub(super) fn check(plan: &Plan) -> Checked {
    let lists = [("faults", plan.faults.len()), ("overrides", plan.overrides.len())];
    for (field, items) in lists {
        if items > MOST_ITEMS {
            let expected = format!("it must have at most {MOST_ITEMS}");
            return refuse(field, format!("a list of {items}"), expected);
        }
    }
    let mut before = Instant(0);
    for (number, timed) in plan.faults.iter().enumerate() {
        let inside = |error: super::PlanError| error.inside(&format!("faults[{number}]"));
        check_moment(plan, before, timed.at).map_err(inside)?;
        before = timed.at;
        check_fault(plan, &timed.fault).map_err(|error| inside(error.inside("fault")))?;
    }
    for (number, item) in plan.overrides.iter().enumerate() {
        let inside = |error: super::PlanError| error.inside(&format!("overrides[{number}]"));
        node(plan, "from", item.from).map_err(inside)?;
        node(plan, "to", item.to).map_err(inside)?;
        check_fate(item.fate).map_err(inside)?;
    }
    Ok(())
}

pub(super) fn check_moment(plan: &Plan, before: Instant, at: Instant) -> Checked {
    if at < before {
        return refuse(
            "at",
            at,
            format!("it must not be before its predecessor's, {before}: sort them"),
        );
    }
    if at > plan.heal_at {
        return refuse(
            "at",
            at,
            format!("it must not be after heal_at, which is {}", plan.heal_at),
        );
    }
    Ok(())
}

fn check_fault(plan: &Plan, fault: &Fault) -> Checked {
    match fault {
        Fault::Cut { cut, lasts } => {
            lasting("cut.lasts", *lasts)?;
            check_cut(plan, cut).map_err(|error| error.inside("cut.cut"))
        }
        Fault::Flap { cut, down, up, lasts } => {
            lasting("flap.lasts", *lasts)?;
            for (field, ticks) in [("flap.down", *down), ("flap.up", *up)] {
                lasting(field, ticks)?;
                at_least(field, ticks.0, 1, "or links change without time going on")?;
            }
            check_cut(plan, cut).map_err(|error| error.inside("flap.cut"))
        }
        Fault::Hold { from, to, lasts, kind: _ } => check_link(plan, "hold", *from, *to, *lasts),
        Fault::Drop { from, to, lasts, kind: _ } => check_link(plan, "drop", *from, *to, *lasts),
        Fault::Crash { target: who, down, point: _, keeps: _ } => {
            lasting("crash.down", *down)?;
            target(plan, "crash.target", *who)
        }
        Fault::LoseMajority { down } => span("lose-majority.down", *down),
        Fault::PowerLoss { down } => span("power-loss.down", *down),
        Fault::LoseDisk { target: who, down } => {
            if plan.static_cut.is_some() {
                let expected =
                    "it must not occur with a static_cut, which is for clusters that are whole";
                return refuse("lose-disk", "there", expected);
            }
            lasting("lose-disk.down", *down)?;
            target(plan, "lose-disk.target", *who)
        }
        Fault::Pause { target: who, lasts } => {
            lasting("pause.lasts", *lasts)?;
            target(plan, "pause.target", *who)
        }
        Fault::SlowDisk { target: who, write, lasts } => {
            lasting("slow-disk.lasts", *lasts)?;
            span("slow-disk.write", *write)?;
            target(plan, "slow-disk.target", *who)
        }
        Fault::Machine { target: who, name: _ } => target(plan, "machine.target", *who),
    }
}

fn check_link(
    plan: &Plan,
    name: &str,
    from: Option<Target>,
    to: Option<Target>,
    lasts: Ticks,
) -> Checked {
    let check = || {
        lasting("lasts", lasts)?;
        from.map_or(Ok(()), |from| target(plan, "from", from))?;
        to.map_or(Ok(()), |to| target(plan, "to", to))
    };
    check().map_err(|error| error.inside(name))
}

fn check_cut(plan: &Plan, cut: &Cut) -> Checked {
    match cut {
        Cut::Isolate { target: who, .. } => target(plan, "isolate.target", *who),
        Cut::Between { first, second, .. } => {
            for (field, nodes) in [("between.first", first), ("between.second", second)] {
                nodes.iter().try_for_each(|id| node(plan, field, id))?;
            }
            match first.iter().find(|id| second.iter().any(|other| other == *id)) {
                Some(id) => refuse("between.second", id, "no node may be in both groups"),
                None => Ok(()),
            }
        }
        Cut::Bridge { target: who } => target(plan, "bridge.target", *who),
        Cut::Split { target: who, size, .. } => {
            if *size == 0 || *size > plan.nodes {
                let expected = format!("it must be from 1 to nodes, which is {}", plan.nodes);
                return refuse("split.size", size, expected);
            }
            target(plan, "split.target", *who)
        }
        Cut::Link { target: who, other, .. } => {
            target(plan, "link.target", *who)?;
            target(plan, "link.other", *other)
        }
        Cut::Ring | Cut::Voters { .. } => Ok(()),
    }
}

/// Without these safeguards, or with another cut, Raft promises no progress (thesis §9.6).
pub(super) fn check_static(plan: &Plan, cut: &StaticCut) -> Checked {
    let settings = &plan.settings;
    let safeguards = [
        ("settings.pre_vote", settings.pre_vote),
        ("settings.check_quorum", settings.check_quorum),
        ("settings.stickiness", settings.stickiness),
    ];
    for (field, toggle) in safeguards {
        if !toggle.is_on() {
            let expected = "with a static_cut it must be on, or Raft may make no progress under it";
            return refuse(field, "off", expected);
        }
    }
    let why = "with a static_cut, or an election takes longer than the cluster is watched for";
    at_most("settings.priority", settings.priority.0.into(), 0, why)?;
    if let Some(others) = &plan.other_settings {
        let field = "other_settings.settings.election_timeout";
        at_most(field, others.settings.election_timeout.0, settings.election_timeout.0, why)?;
    }
    let why = "with a static_cut: fewer cannot do without a link";
    at_least("nodes", plan.nodes.into(), 3, why)?;
    let inside = |error: super::PlanError| error.inside("static_cut.cut");
    match cut.cut {
        Cut::Isolate { .. } | Cut::Link { .. } => check_cut(plan, &cut.cut).map_err(inside),
        Cut::Split { .. }
        | Cut::Between { .. }
        | Cut::Bridge { .. }
        | Cut::Ring
        | Cut::Voters { .. } => {
            let expected =
                "it must isolate one node or cut one link: other cuts may leave no majority";
            refuse("static_cut.cut", cut.cut.kind(), expected)
        }
    }
}

fn check_fate(fate: Fate) -> Checked {
    match fate {
        Fate::Lost => Ok(()),
        Fate::Malformed { delay, number: _ } => lasting("fate.malformed.delay", delay),
        Fate::Once { delay } => lasting("fate.once.delay", delay),
        Fate::Twice { delay, again } => {
            let both: [(&str, Ticks); 2] =
                [("fate.twice.delay", delay), ("fate.twice.again", again)];
            both.into_iter().try_for_each(|(field, ticks)| lasting(field, ticks))
        }
    }
}

fn target(plan: &Plan, field: &str, target: Target) -> Checked {
    match target {
        Target::Node(id) => node(plan, "node", id).map_err(|error| error.inside(field)),
        Target::Leader | Target::Follower | Target::Anyone => Ok(()),
    }
}

pub(super) fn node(plan: &Plan, field: &str, node: NodeId) -> Checked {
    if node.0 == 0 || node.0 > u64::from(plan.nodes) {
        return refuse(
            field,
            node.0,
            format!("it must be from 1 to nodes, which is {}", plan.nodes),
        );
    }
    Ok(())
}
