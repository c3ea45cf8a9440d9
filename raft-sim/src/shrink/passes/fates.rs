//! Fates of messages: several of one kind as one fault, and milder ones.

use std::collections::BTreeMap;

use raft_core::{Instant, NodeId, Ticks};

use super::super::search::Search;
use crate::plan::{Fate, Fault, MessageKind, Override, Plan, Target, TimedFault};

/// Makes fates milder, and faults of several.
pub(super) fn all(search: &mut Search<'_>) {
    search.enter("milder fates");
    together(search);
    let mut nth = 0;
    while nth < search.plan().overrides.len() && search.goes_on() {
        let plan = search.plan();
        let usual = plan.network.delay.min;
        let election = plan.settings.election_timeout;
        let milder: Vec<Fate> = match plan.overrides[nth].fate {
            Fate::Lost => {
                vec![Fate::Once { delay: election }, Fate::Once { delay: Ticks(2 * election.0) }]
            }
            Fate::Twice { delay, again } => vec![
                Fate::Once { delay },
                Fate::Once { delay: again },
                Fate::Twice { delay: usual, again },
            ],
            Fate::Malformed { number, .. } => vec![Fate::Malformed { delay: usual, number }],
            Fate::Once { .. } => Vec::new(),
        };
        let plans = milder.into_iter().map(|fate| {
            let mut plan = plan.clone();
            plan.overrides[nth].fate = fate;
            plan
        });
        let plans = plans.collect();
        search.attempt_any(plans);
        nth += 1;
    }
}

/// Which fates could be one fault: those of a kind and a sender, perhaps on one link.
type Group = (MessageKind, Option<NodeId>, Option<NodeId>);

/// Several messages of a kind that are lost, or late, between the first and the last of them.
fn together(search: &mut Search<'_>) {
    if search.plan().overrides.len() < 2 || !search.goes_on() {
        return;
    }
    let gathered = search.gather();
    let mut sent: BTreeMap<(NodeId, NodeId, MessageKind, u64, u64), u64> = BTreeMap::new();
    for message in &gathered.messages {
        let Override { from, to, kind, term, nth, .. } = message.fate;
        sent.insert((from, to, kind, term.0, nth), message.sent.0);
    }
    let at = |item: &Override| {
        sent.get(&(item.from, item.to, item.kind, item.term.0, item.nth)).copied()
    };
    let mut groups: BTreeMap<(Group, bool), Vec<(u64, u64)>> = BTreeMap::new();
    for item in &search.plan().overrides {
        let Some(at) = at(item) else { continue };
        let (lost, late) = match item.fate {
            Fate::Lost => (true, 0),
            Fate::Once { delay } => (false, delay.0),
            Fate::Twice { .. } | Fate::Malformed { .. } => continue,
        };
        let (from, to) = (Some(item.from), Some(item.to));
        for group in [
            (item.kind, from, to),
            (item.kind, from, None),
            (item.kind, None, to),
            (item.kind, None, None),
        ] {
            groups.entry((group, lost)).or_default().push((at, at + late));
        }
    }
    let mut groups: Vec<_> = groups.into_iter().filter(|(_, sent)| sent.len() > 1).collect();
    groups.sort_by_key(|(_, sent)| std::cmp::Reverse(sent.len()));
    for ((group, lost), sent) in groups {
        let plan = as_fault(search.plan(), group, lost, &sent);
        search.attempt(plan);
    }
}

fn as_fault(plan: &Plan, (kind, from, to): Group, lost: bool, sent: &[(u64, u64)]) -> Plan {
    let mut plan = plan.clone();
    plan.overrides.retain(|item| {
        let sort = match item.fate {
            Fate::Lost => Some(true),
            Fate::Once { .. } => Some(false),
            Fate::Twice { .. } | Fate::Malformed { .. } => None,
        };
        let is_one = item.kind == kind
            && from.is_none_or(|id| id == item.from)
            && to.is_none_or(|id| id == item.to);
        !(is_one && sort == Some(lost))
    });
    let first = sent.iter().map(|(at, _)| *at).min().unwrap_or(0);
    let ends =
        sent.iter().map(|(at, arrives)| if lost { at + 1 } else { *arrives }).max().unwrap_or(0);
    let lasts = Ticks(ends.saturating_sub(first).max(1));
    let (from, to) = (from.map(Target::Node), to.map(Target::Node));
    let fault = if lost {
        Fault::Drop { kind, from, to, lasts }
    } else {
        Fault::Hold { kind, from, to, lasts }
    };
    plan.faults.push(TimedFault { at: Instant(first), fault });
    plan
}
