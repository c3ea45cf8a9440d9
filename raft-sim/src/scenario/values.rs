//! The values that lines are made of: nodes, times, kinds of messages. Each is read and written here, side by side.

use raft_core::{LogIndex, LogPosition, NodeId, Term, Ticks};

use super::error::ScenarioError;
use super::words::Words;
use crate::plan::{MAX_NODES, MessageKind, Span, Target, Way};
use crate::units::{share, time, time_text};

/// What a refusal calls these.
pub(super) const NODE: &str = "a node, as in n2";
const TIME: &str = "a time, as in 20ms, 1.5s or 700us";
const TIMES: &str = "a time or a range of times, as in 20ms or 1ms..1.5s";
const SHARE: &str = "a share, as in 0.1%";
const NUMBER: &str = "a number";
const POSITION: &str = "a position, as in i5@T2";

/// The kinds of messages, by the names of the paper.
const KINDS: [(&str, MessageKind); 17] = [
    ("request-pre-vote", MessageKind::RequestPreVote),
    ("pre-vote-reply", MessageKind::PreVoteReply),
    ("request-vote", MessageKind::RequestVote),
    ("vote-reply", MessageKind::VoteReply),
    ("append-entries", MessageKind::AppendEntries),
    ("append-reply", MessageKind::AppendReply),
    ("heartbeat", MessageKind::Heartbeat),
    ("heartbeat-reply", MessageKind::HeartbeatReply),
    ("stale-term", MessageKind::StaleTerm),
    ("forward-proposal", MessageKind::ForwardProposal),
    ("forward-refused", MessageKind::ForwardRefused),
    ("install-snapshot", MessageKind::InstallSnapshot),
    ("snapshot-reply", MessageKind::SnapshotReply),
    ("timeout-now", MessageKind::TimeoutNow),
    ("read-index", MessageKind::ReadIndex),
    ("read-index-reply", MessageKind::ReadIndexReply),
    ("commit", MessageKind::Commit),
];

/// Whom a fault is for, if not a node by its name.
const TARGETS: [(&str, Target); 3] =
    [("leader", Target::Leader), ("follower", Target::Follower), ("anyone", Target::Anyone)];

/// The name of a node that a plan may have.
fn node_named(word: &str) -> Option<NodeId> {
    let digits = word.strip_prefix('n').filter(|digits| !digits.starts_with('+'))?;
    let id = digits.parse().ok()?;
    (1..=u64::from(MAX_NODES)).contains(&id).then_some(NodeId(id))
}

pub(super) fn node(words: &mut Words<'_>) -> Result<NodeId, ScenarioError> {
    words.parse(NODE, node_named)
}

/// As many nodes as are named one after another.
pub(super) fn more_nodes(words: &mut Words<'_>) -> Vec<NodeId> {
    let mut ids = Vec::new();
    while words.peek().is_some_and(|word| node_named(word).is_some()) {
        ids.extend(node(words).ok());
    }
    ids
}

/// One node or more.
pub(super) fn nodes(words: &mut Words<'_>) -> Result<Vec<NodeId>, ScenarioError> {
    let mut ids = vec![node(words)?];
    ids.extend(more_nodes(words));
    Ok(ids)
}

pub(super) fn nodes_text(ids: &[NodeId]) -> String {
    ids.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}

pub(super) fn target(words: &mut Words<'_>) -> Result<Target, ScenarioError> {
    for (word, target) in TARGETS {
        if words.accept(word) {
            return Ok(target);
        }
    }
    node(words).map(Target::Node)
}

pub(super) fn target_text(target: Target) -> String {
    match target {
        Target::Node(id) => id.to_string(),
        other => name_in(&TARGETS, other).to_owned(),
    }
}

pub(super) fn kind(words: &mut Words<'_>) -> Result<MessageKind, ScenarioError> {
    words.choose(KINDS)
}

pub(super) fn kind_text(kind: MessageKind) -> &'static str {
    name_in(&KINDS, kind)
}

/// The name that a table gives a value.
pub(super) fn name_in<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    let found = table.iter().find(|(_, other)| *other == value);
    found.expect("the table lists every value").0
}

/// The direction of a cut: both unless one is named.
pub(super) fn way(words: &mut Words<'_>) -> Way {
    if words.accept("inbound") {
        Way::Inbound
    } else if words.accept("outbound") {
        Way::Outbound
    } else {
        Way::Both
    }
}

pub(super) fn way_text(way: Way) -> &'static str {
    match way {
        Way::Both => "",
        Way::Inbound => " inbound",
        Way::Outbound => " outbound",
    }
}

pub(super) fn ticks(words: &mut Words<'_>) -> Result<Ticks, ScenarioError> {
    words.parse(TIME, time).map(Ticks)
}

/// `for 20ms`.
pub(super) fn lasts(words: &mut Words<'_>) -> Result<Ticks, ScenarioError> {
    words.require("for")?;
    ticks(words)
}

pub(super) fn ticks_text(ticks: Ticks) -> String {
    time_text(ticks.0)
}

pub(super) fn span(words: &mut Words<'_>) -> Result<Span, ScenarioError> {
    words.parse(TIMES, |word| match word.split_once("..") {
        Some((min, max)) => Some(Span::new(time(min)?, time(max)?)),
        None => time(word).map(Span::exactly),
    })
}

pub(super) fn span_text(span: Span) -> String {
    let Span { min, max } = span;
    if min == max { ticks_text(min) } else { format!("{}..{}", ticks_text(min), ticks_text(max)) }
}

pub(super) fn per_million(words: &mut Words<'_>) -> Result<u32, ScenarioError> {
    words.parse(SHARE, share)
}

pub(super) fn number<T: std::str::FromStr>(words: &mut Words<'_>) -> Result<T, ScenarioError> {
    words.parse(NUMBER, digits)
}

/// A number of digits alone.
pub(super) fn digits<T: std::str::FromStr>(word: &str) -> Option<T> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

/// A term, as `3` or `T3`.
pub(super) fn term(words: &mut Words<'_>) -> Result<Term, ScenarioError> {
    words.parse("a term, as in 3 or T3", term_of)
}

pub(super) fn term_of(word: &str) -> Option<Term> {
    digits(word.strip_prefix('T').unwrap_or(word)).map(Term)
}

/// An index, as `5` or `i5`.
pub(super) fn index(words: &mut Words<'_>) -> Result<LogIndex, ScenarioError> {
    words.parse("an index, as in 5 or i5", index_of)
}

fn index_of(word: &str) -> Option<LogIndex> {
    digits(word.strip_prefix('i').unwrap_or(word)).map(LogIndex)
}

/// A position, as `5@2` or `i5@T2`.
pub(super) fn position(words: &mut Words<'_>) -> Result<LogPosition, ScenarioError> {
    words.parse(POSITION, |word| {
        let (index, term) = word.split_once('@')?;
        Some(LogPosition::new(term_of(term)?, index_of(index)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each kind of message has its number's place, and the name that plans have for it.
    #[test]
    fn kinds_have_their_names() {
        assert!(KINDS.iter().map(|(_, kind)| *kind).eq(MessageKind::ALL));
        for (name, kind) in KINDS {
            let json = serde_json::to_string(&kind).expect("a unit variant serializes");
            assert_eq!(json, format!("\"{name}\""));
        }
    }

    /// Goal: numbers may carry the letter that timelines give them, and nothing else.
    #[test]
    fn letters_are_optional() {
        let read = |text| position(&mut Words::new(1, text));
        let place = LogPosition::new(Term(2), LogIndex(5));
        for text in ["i5@T2", "5@2", "i5@2"] {
            assert_eq!(read(text), Ok(place));
        }
        for text in ["T5@i2", "5", "5@", "@", "+5@2", "i5@T-2"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(span_text(span(&mut Words::new(1, "1ms..1ms")).expect("it is one")), "1ms");
        assert!(
            node(&mut Words::new(1, "n8")).is_err() && node(&mut Words::new(1, "n+1")).is_err()
        );
    }
}
