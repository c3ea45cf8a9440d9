//! Milder faults: shorter, of fewer links, in one direction, at no particular point.

use raft_core::{NodeId, Ticks};

use super::super::search::Search;
use crate::plan::{Action, CrashPoint, Cut, Fault, Nodes, Plan, Way};

/// Tries milder versions of each fault and action.
pub(super) fn weaken(search: &mut Search<'_>) {
    search.enter("milder faults");
    let mut nth = 0;
    while nth < search.plan().faults.len() && search.goes_on() {
        let plan = search.plan();
        let plans = milder(&plan.faults[nth].fault, plan).into_iter().map(|fault| {
            let mut plan = plan.clone();
            plan.faults[nth].fault = fault;
            plan
        });
        let plans = plans.collect();
        if search.attempt_any(plans).is_none() {
            nth += 1;
        }
    }
    actions(search);
}

fn milder(fault: &Fault, plan: &Plan) -> Vec<Fault> {
    let unit = plan.settings.election_timeout.0;
    let shorter = |lasts: Ticks| {
        let times = [unit / 10, unit / 2, unit, lasts.0 / 2, lasts.0 * 3 / 4];
        times.into_iter().filter(move |time| (1..lasts.0).contains(time)).map(Ticks)
    };
    match *fault {
        Fault::Cut { cut, lasts } => {
            let cuts = milder_cuts(cut).into_iter().map(|cut| Fault::Cut { cut, lasts });
            cuts.chain(shorter(lasts).map(|lasts| Fault::Cut { cut, lasts })).collect()
        }
        Fault::Flap { cut, lasts, .. } => {
            let cuts = milder_cuts(cut).into_iter().chain([cut]);
            cuts.map(|cut| Fault::Cut { cut, lasts }).collect()
        }
        Fault::Hold { kind, from, to, lasts } => {
            shorter(lasts).map(|lasts| Fault::Hold { kind, from, to, lasts }).collect()
        }
        Fault::Drop { kind, from, to, lasts } => {
            let held = std::iter::once(Fault::Hold { kind, from, to, lasts });
            held.chain(shorter(lasts).map(|lasts| Fault::Drop { kind, from, to, lasts })).collect()
        }
        Fault::Crash { target, point, down, keeps } => {
            let mut milder = Vec::new();
            for (point, keeps) in
                [(CrashPoint::Now, Some(0)), (CrashPoint::Now, keeps), (point, Some(0))]
            {
                milder.push(Fault::Crash { target, point, down, keeps });
            }
            milder.push(Fault::Pause { target, lasts: down });
            milder.extend(shorter(down).map(|down| Fault::Crash { target, point, down, keeps }));
            milder.retain(|it| it != fault);
            milder
        }
        Fault::Pause { target, lasts } => {
            shorter(lasts).map(|lasts| Fault::Pause { target, lasts }).collect()
        }
        Fault::SlowDisk { target, write, lasts } => {
            shorter(lasts).map(|lasts| Fault::SlowDisk { target, write, lasts }).collect()
        }
        Fault::LoseDisk { target, down } => {
            vec![Fault::Crash { target, point: CrashPoint::Now, down, keeps: Some(0) }]
        }
        Fault::LoseMajority { .. } | Fault::PowerLoss { .. } | Fault::Machine { .. } => Vec::new(),
    }
}

fn milder_cuts(cut: Cut) -> Vec<Cut> {
    let one_way = |way: Way| match way {
        Way::Both => vec![Way::Inbound, Way::Outbound],
        Way::Inbound | Way::Outbound => Vec::new(),
    };
    match cut {
        Cut::Isolate { target, way } => {
            one_way(way).into_iter().map(|way| Cut::Isolate { target, way }).collect()
        }
        Cut::Link { target, other, way } => {
            one_way(way).into_iter().map(|way| Cut::Link { target, other, way }).collect()
        }
        Cut::Between { first, second, way } => {
            let mut milder = Vec::new();
            for (less, rest) in fewer(first).into_iter().map(|less| (less, second)) {
                milder.push(Cut::Between { first: less, second: rest, way });
            }
            for less in fewer(second) {
                milder.push(Cut::Between { first, second: less, way });
            }
            let ways = one_way(way).into_iter();
            milder.extend(ways.map(|way| Cut::Between { first, second, way }));
            milder
        }
        Cut::Split { .. } | Cut::Bridge { .. } | Cut::Ring | Cut::Voters { .. } => Vec::new(),
    }
}

fn fewer(nodes: Nodes) -> Vec<Nodes> {
    if nodes.len() < 2 {
        return Vec::new();
    }
    let without = |gone: NodeId| Nodes::of(nodes.iter().filter(|id| *id != gone));
    nodes.iter().filter_map(without).collect()
}

/// A change of fewer members.
fn actions(search: &mut Search<'_>) {
    for nth in 0..search.plan().actions.len() {
        let Some(timed) = search.plan().actions.get(nth) else { return };
        let Action::Members { learners, .. } = &timed.action else { continue };
        for gone in learners.clone() {
            let mut plan: Plan = search.plan().clone();
            if let Some(Action::Members { learners, .. }) =
                plan.actions.get_mut(nth).map(|timed| &mut timed.action)
            {
                learners.retain(|id| *id != gone);
            }
            search.attempt(plan);
        }
    }
}
