//! What was not as it should be, at the end: every node is asked for everything, and all that clients were told must
//! fit together.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kv::client::Client;
use kv::protocol::Freshness;
use raft_core::NodeId;
use raft_sim::Machine;
use raft_sim::history::History;
use raft_sim::linearizability::{self, Finding, Stuck};

use super::cluster::Cluster;
use super::model::{Model, Operation, Told, Verb, text};
use super::recorder::{Noted, Recorder};

/// The search for a linear order visits no more states than this.
const BUDGET: u64 = 50_000_000;
/// A node has so long to answer for everything.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pairs that are asked for at a time.
const PAGE: u64 = 10_000;
/// So many operations before the one that does not fit are shown.
const SHOWN: usize = 30;

type Pairs = BTreeMap<Bytes, Bytes>;

/// Asks every node for everything, as reads that are a part of the history, and judges the history. Nobody writes
/// meanwhile. Answers what is wrong.
pub(crate) async fn of(cluster: &Cluster, recorder: &Recorder) -> Vec<String> {
    let mut problems = Vec::new();
    let mut first: Option<(NodeId, Pairs)> = None;
    for id in cluster.nodes() {
        let pairs = match read_all(cluster, recorder, id).await {
            Ok(pairs) => pairs,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        problems.extend(lost(id, &pairs, &recorder.noted()));
        match &first {
            None => first = Some((id, pairs)),
            Some((other, theirs)) => problems.extend(differing(id, &pairs, *other, theirs)),
        }
    }
    let noted = recorder.noted();
    problems.extend(noted.nonsense.iter().cloned());
    problems.extend(not_linearizable(&noted.history));
    problems
}

/// Reads all keys of the history, and all others, at one node.
async fn read_all(cluster: &Cluster, recorder: &Recorder, id: NodeId) -> Result<Pairs, String> {
    let keys = recorder.noted().keys;
    let reader = 1_000 + u32::try_from(id.0).expect("few nodes");
    let read = |key| (key, recorder.asked(reader, &Operation { key, verb: Verb::Get }));
    let reads: Vec<_> = (0..keys).map(read).collect();
    let mut client = Client::new(cluster.options_at(id, PATIENCE));
    let mut pairs = Pairs::new();
    let mut from = Bytes::new();
    loop {
        let page = client.scan(from, None, PAGE, Freshness::Linearizable).await;
        let page = page.map_err(|error| format!("node {} does not answer: {error}", id.0))?;
        let Some((last, _)) = page.last() else { break };
        from = [last, [0].as_slice()].concat().into();
        pairs.extend(page);
    }
    for (key, operation) in reads {
        let held = pairs.get(Operation::name(key).as_bytes()).cloned();
        recorder.told(operation, &Verb::Get, Ok(Told::Holds(held)));
    }
    Ok(pairs)
}

/// What was acknowledged must be there.
fn lost(id: NodeId, pairs: &Pairs, noted: &Noted) -> Option<String> {
    let is_lost = |(key, value): &(&Bytes, &Bytes)| pairs.get(*key) != Some(*value);
    let lost: Vec<_> = noted.kept.iter().filter(is_lost).collect();
    let (key, _) = lost.first()?;
    let (key, instead) = (text(Some(key)), text(pairs.get(*key)));
    Some(format!(
        "LOST at node {}: {} of {} acknowledged writes of keys that are written once, such as {key}, \
         in whose place is {instead}",
        id.0,
        lost.len(),
        noted.kept.len()
    ))
}

/// Nodes that have carried out the same hold the same.
fn differing(id: NodeId, pairs: &Pairs, other: NodeId, theirs: &Pairs) -> Option<String> {
    if pairs == theirs {
        return None;
    }
    let mut keys = pairs.keys().chain(theirs.keys());
    let key = keys.find(|key| pairs.get(*key) != theirs.get(*key)).expect("they differ");
    Some(format!(
        "nodes {} and {} DIFFER, such as at {}: {} and {}",
        id.0,
        other.0,
        text(Some(key)),
        text(pairs.get(key)),
        text(theirs.get(key))
    ))
}

/// What clients were told must be possible.
fn not_linearizable(history: &History) -> Option<String> {
    match linearizability::check::<Model>(history, BUDGET) {
        (Finding::Linearizable, _) => None,
        (Finding::Violated(stuck), _) => Some(told(history, stuck)),
        (finding, searches) => Some(format!(
            "the search for a linear order came to no end ({finding:?}, {searches:?}): lessen the operations on a key"
        )),
    }
}

/// The operations on the key until the one that does not fit.
fn told(history: &History, stuck: Stuck) -> String {
    let at = history.operation(stuck.operation).expect("it is in the history");
    let part = Model::partition(&at.command);
    let end = at.answer.as_ref().map_or(u64::MAX, |answer| answer.order);
    let on_key = history
        .operations()
        .iter()
        .filter(|operation| Model::partition(&operation.command) == part && operation.call <= end);
    let lines: Vec<String> = on_key
        .map(|operation| {
            let answer = operation.answer.as_ref();
            let output = answer.and_then(|answer| answer.output.as_ref());
            let mark = if operation.id == stuck.operation { "> " } else { "  " };
            format!(
                "{mark}client {} at {} to {:?} {:?}: {}",
                operation.client,
                operation.invoked.0,
                answer.map(|answer| answer.at.0),
                operation.fate(),
                Model::describe(&operation.command, output)
            )
        })
        .collect();
    let shown = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
    format!(
        "NOT LINEARIZABLE: no order of what clients were told has a place for {} (placed {} of {}); times are in \
         microseconds\n{shown}",
        stuck.operation, stuck.placed, stuck.of
    )
}
