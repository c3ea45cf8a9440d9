//! Takes away what a plan lists: by kinds, by halves, and one by one (delta debugging).

use std::collections::BTreeSet;

use super::search::Search;
use crate::plan::{Fate, FaultKind, Override, Plan};

/// A list of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Overrides,
    Operations,
    Actions,
    Faults,
}

/// So many parts are tried at a time.
const BATCH: usize = 4;

impl List {
    fn len(self, plan: &Plan) -> usize {
        match self {
            Self::Overrides => plan.overrides.len(),
            Self::Operations => plan.operations.len(),
            Self::Actions => plan.actions.len(),
            Self::Faults => plan.faults.len(),
        }
    }

    /// The plan without the items at some places.
    fn without(self, plan: &Plan, gone: impl Fn(usize) -> bool) -> Plan {
        let mut plan = plan.clone();
        match self {
            Self::Overrides => retain(&mut plan.overrides, gone),
            Self::Operations => retain(&mut plan.operations, gone),
            Self::Actions => retain(&mut plan.actions, gone),
            Self::Faults => retain(&mut plan.faults, gone),
        }
        plan
    }
}

fn retain<T>(list: &mut Vec<T>, gone: impl Fn(usize) -> bool) {
    let mut place = 0;
    list.retain(|_| {
        place += 1;
        !gone(place - 1)
    });
}

/// Takes away all that can go.
pub(super) fn all(search: &mut Search<'_>) {
    search.enter("without faults and operations");
    for list in [List::Overrides, List::Operations, List::Actions, List::Faults] {
        let everything = list.without(search.plan(), |_| true);
        search.attempt(everything);
    }
    fates_by_kind(search);
    faults_by_kind(search);
    for list in [List::Operations, List::Faults, List::Actions, List::Overrides] {
        by_halves(search, list);
    }
}

/// Fates of one sort: those of a kind of message, of a link, of a term, all losses, all delays.
fn fates_by_kind(search: &mut Search<'_>) {
    type Sort = fn(&Override) -> u64;
    let sorts: [Sort; 4] = [
        |item| match item.fate {
            Fate::Once { .. } => 0,
            Fate::Twice { .. } => 1,
            Fate::Lost => 2,
            Fate::Malformed { .. } => 3,
        },
        |item| item.kind.number().into(),
        |item| item.from.0 * 8 + item.to.0,
        |item| item.term.0,
    ];
    for sort in sorts {
        let values: BTreeSet<u64> = search.plan().overrides.iter().map(sort).collect();
        for value in values {
            let plan = search.plan();
            let is_one = |place: usize| sort(&plan.overrides[place]) == value;
            let without = List::Overrides.without(plan, is_one);
            search.attempt(without);
        }
    }
}

fn faults_by_kind(search: &mut Search<'_>) {
    let kinds: BTreeSet<FaultKind> =
        search.plan().faults.iter().map(|timed| timed.fault.kind()).collect();
    for kind in kinds {
        let plan = search.plan();
        let without = List::Faults.without(plan, |place| plan.faults[place].fault.kind() == kind);
        search.attempt(without);
    }
}

fn by_halves(search: &mut Search<'_>, list: List) {
    let mut part = list.len(search.plan()).div_ceil(2);
    while part >= 1 {
        let mut from = 0;
        while from < list.len(search.plan()) && search.goes_on() {
            let plan = search.plan();
            let starts: Vec<usize> = (0..BATCH)
                .map(|nth| from + nth * part)
                .filter(|start| *start < list.len(plan))
                .collect();
            let plans = starts
                .iter()
                .map(|start| list.without(plan, |place| (*start..start + part).contains(&place)));
            match search.attempt_any(plans.collect()) {
                // What came after it has moved there.
                Some(nth) => from = starts[nth],
                None => from += BATCH * part,
            }
        }
        part /= 2;
    }
}
