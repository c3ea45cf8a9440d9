//! What a scenario says about its run: how it ends, and what a node is at a moment.

use std::fmt;

use raft_core::{Instant, LogIndex, LogPosition, NodeId, Role, Term};

use super::error::ScenarioError;
use super::values::{index, node, position, term, term_of};
use super::words::Words;
use crate::raft::View;
use crate::violation::Property;

/// What a node must be at a moment. What happens at that very moment comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The moment.
    pub at: Instant,
    /// The node.
    pub node: NodeId,
    /// All of what is expected of it.
    pub facts: Vec<Fact>,
}

/// Something that can be said of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It does not run.
    Down,
    /// It has this role.
    Role(Role),
    /// It is in this term.
    Term(Term),
    /// It has voted for this node in its term, or for nobody.
    Vote(Option<NodeId>),
    /// It knows of this leader, or of none.
    Leader(Option<NodeId>),
    /// It believes its log to be committed up to here.
    Commit(LogIndex),
    /// Its machine has reported up to here.
    Applied(LogIndex),
    /// It believes its log to be durable up to here.
    Durable(LogIndex),
    /// The last entry of its log.
    Last(LogPosition),
    /// The snapshot that it keeps.
    Snapshot(LogPosition),
    /// The terms of all entries of its log, from the first that it has.
    Log(Vec<Term>),
}

/// What a run must end with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is violated.
    #[default]
    Clean,
    /// This is.
    Violation(Property),
}

/// What a fact begins with.
#[derive(Clone, Copy)]
enum Word {
    Role(Role),
    Down,
    Term,
    Vote,
    Commit,
    Applied,
    Durable,
    Last,
    Snapshot,
    Log,
}

const WORDS: [(&str, Word); 13] = [
    ("leader", Word::Role(Role::Leader)),
    ("follower", Word::Role(Role::Follower)),
    ("candidate", Word::Role(Role::Candidate)),
    ("pre-candidate", Word::Role(Role::PreCandidate)),
    ("down", Word::Down),
    ("term", Word::Term),
    ("vote", Word::Vote),
    ("commit", Word::Commit),
    ("applied", Word::Applied),
    ("durable", Word::Durable),
    ("last", Word::Last),
    ("snapshot", Word::Snapshot),
    ("log", Word::Log),
];

/// Reads `n1 leader, term 2, commit 5`.
pub(super) fn read(words: &mut Words<'_>, at: Instant) -> Result<Expectation, ScenarioError> {
    let node = node(words)?;
    let mut facts = vec![read_fact(words)?];
    while words.accept(",") {
        facts.push(read_fact(words)?);
    }
    words.finish()?;
    Ok(Expectation { at, node, facts })
}

fn read_fact(words: &mut Words<'_>) -> Result<Fact, ScenarioError> {
    Ok(match words.choose(WORDS)? {
        // With a name it is whom the node knows to lead, without one the node itself.
        Word::Role(Role::Leader) => match words.peek() {
            None | Some(",") => Fact::Role(Role::Leader),
            Some(_) => Fact::Leader(node_or_nobody(words)?),
        },
        Word::Role(role) => Fact::Role(role),
        Word::Down => Fact::Down,
        Word::Term => Fact::Term(term(words)?),
        Word::Vote => Fact::Vote(node_or_nobody(words)?),
        Word::Commit => Fact::Commit(index(words)?),
        Word::Applied => Fact::Applied(index(words)?),
        Word::Durable => Fact::Durable(index(words)?),
        Word::Last => Fact::Last(position(words)?),
        Word::Snapshot => Fact::Snapshot(position(words)?),
        Word::Log => Fact::Log(read_terms(words)?),
    })
}

fn node_or_nobody(words: &mut Words<'_>) -> Result<Option<NodeId>, ScenarioError> {
    if words.accept("nobody") { Ok(None) } else { node(words).map(Some) }
}

fn read_terms(words: &mut Words<'_>) -> Result<Vec<Term>, ScenarioError> {
    if words.accept("empty") {
        return Ok(Vec::new());
    }
    let mut terms = vec![term(words)?];
    while words.peek().is_some_and(|word| term_of(word).is_some()) {
        terms.push(term(words)?);
    }
    Ok(terms)
}

/// Reads how the run must end.
pub(super) fn read_ending(words: &mut Words<'_>) -> Result<Ending, ScenarioError> {
    let ending = if words.accept("clean") {
        Ending::Clean
    } else {
        words.require("violation")?;
        let properties = Property::ALL.iter().map(|property| (property.name(), *property));
        Ending::Violation(words.choose(properties)?)
    };
    words.finish()?;
    Ok(ending)
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts: Vec<String> = self.facts.iter().map(Fact::to_string).collect();
        write!(f, "expect {} {}", self.node, facts.join(", "))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("expect clean"),
            Self::Violation(property) => write!(f, "expect violation {property}"),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            |id: &Option<NodeId>| id.map_or_else(|| "nobody".to_owned(), |id| id.to_string());
        match self {
            Self::Down => f.write_str("down"),
            Self::Role(role) => write!(f, "{role}"),
            Self::Term(term) => write!(f, "term {}", term.0),
            Self::Vote(vote) => write!(f, "vote {}", named(vote)),
            Self::Leader(leader) => write!(f, "leader {}", named(leader)),
            Self::Commit(index) => write!(f, "commit {}", index.0),
            Self::Applied(index) => write!(f, "applied {}", index.0),
            Self::Durable(index) => write!(f, "durable {}", index.0),
            Self::Last(position) => write!(f, "last {position}"),
            Self::Snapshot(position) => write!(f, "snapshot {position}"),
            Self::Log(terms) if terms.is_empty() => f.write_str("log empty"),
            Self::Log(terms) => {
                f.write_str("log")?;
                terms.iter().try_for_each(|term| write!(f, " {}", term.0))
            }
        }
    }
}

/// A node as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It does not run.
    Down,
    /// It runs: its state, and the terms of its log.
    Up(View, Vec<Term>),
}

impl Fact {
    /// What is found instead, if this does not hold: a fact of the same kind, or that the node is down.
    pub(crate) fn refuted(&self, found: &Found) -> Option<Self> {
        let actual = match (self, found) {
            (_, Found::Down) => Self::Down,
            (Self::Down | Self::Role(_), Found::Up(view, _)) => Self::Role(view.role),
            (Self::Term(_), Found::Up(view, _)) => Self::Term(view.term),
            (Self::Vote(_), Found::Up(view, _)) => Self::Vote(view.vote),
            (Self::Leader(_), Found::Up(view, _)) => Self::Leader(view.leader),
            (Self::Commit(_), Found::Up(view, _)) => Self::Commit(view.commit),
            (Self::Applied(_), Found::Up(view, _)) => Self::Applied(view.applied),
            (Self::Durable(_), Found::Up(view, _)) => Self::Durable(view.durable),
            (Self::Last(_), Found::Up(view, _)) => Self::Last(view.last),
            (Self::Snapshot(_), Found::Up(view, _)) => Self::Snapshot(view.snapshot),
            (Self::Log(_), Found::Up(_, terms)) => Self::Log(terms.clone()),
        };
        (actual != *self).then_some(actual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every fact is written as it is read, and `leader` is a role or a name.
    #[test]
    fn facts_survive() {
        let text = "n2 leader, leader n1, leader nobody, follower, candidate, pre-candidate, down, term 3, \
                    vote n3, vote nobody, commit 5, applied 4, durable 6, last i6@T3, snapshot i2@T1, \
                    log 1 1 3, log empty";
        let read = read(&mut Words::new(1, text), Instant(7)).expect("they are facts");
        assert_eq!(read.facts.len(), 17);
        assert_eq!(read.to_string(), format!("expect {text}"));
    }

    /// Goal: what is found instead is of the same kind, and of a node that is down there is nothing else to say.
    #[test]
    fn facts_are_refuted_in_kind() {
        let fact = Fact::Commit(LogIndex(5));
        assert_eq!(fact.refuted(&Found::Down), Some(Fact::Down));
        assert_eq!(Fact::Down.refuted(&Found::Down), None);
    }

    /// Goal: an ending names a property, and a misspelt one is suggested.
    #[test]
    fn endings_name_properties() {
        let text = "violation election-saftey";
        let error = read_ending(&mut Words::new(1, text)).expect_err("there is none");
        assert!(error.to_string().ends_with("did you mean `election-safety`?"), "{error}");
    }
}
