//! What clients asked and were told, as it happens.
//!
//! An operation is noted before it is sent, and its answer after it has come: what the history says of the order in
//! which things happened is then true of the real order, though it may say less.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use kv::client::ClientError;
use raft_core::{LogPosition, NodeId, Outcome, Refusal};
use raft_sim::history::{History, OpId, Route};

use super::model::{Operation, Told, Verb};

/// Kinds of operations, for people.
pub(crate) type Kind = &'static str;

/// A put of a key that is put once.
const PUT_ONCE: Kind = "put once";

fn kind_of(verb: &Verb) -> Kind {
    match verb {
        Verb::Get => "get",
        Verb::Put(_) => "put",
        Verb::CompareAndSet { .. } => "compare and set",
        Verb::Delete => "delete",
    }
}

/// How many operations came to what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// They were done.
    pub(crate) done: u64,
    /// Nobody knows.
    pub(crate) unknown: u64,
    /// They had no effect.
    pub(crate) without_effect: u64,
}

/// Everything that was asked and told.
#[derive(Debug)]
pub(crate) struct Recorder {
    began: Instant,
    noted: Mutex<Noted>,
}

/// What was noted.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// Operations on keys that many clients share.
    pub(crate) history: History,
    /// The keys of the history.
    pub(crate) keys: u64,
    /// What was written once, and acknowledged.
    pub(crate) kept: BTreeMap<Bytes, Bytes>,
    /// By kind.
    pub(crate) counts: BTreeMap<Kind, Counts>,
    /// Answers that should not be.
    pub(crate) nonsense: Vec<String>,
    next: u64,
}

/// It does not matter who was asked.
const ANYBODY: NodeId = NodeId(1);

impl Recorder {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), noted: Mutex::default() }
    }

    /// What was noted so far.
    pub(crate) fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> raft_core::Instant {
        let micros = self.began.elapsed().as_micros();
        raft_core::Instant(u64::try_from(micros).expect("a test does not take so long"))
    }

    /// An operation is about to be asked.
    pub(crate) fn asked(&self, client: u32, operation: &Operation) -> OpId {
        let (at, mut noted) = (self.now(), self.noted());
        let id = OpId(noted.next);
        noted.next += 1;
        noted.keys = noted.keys.max(operation.key + 1);
        noted.history.invoke(at, id, client, ANYBODY, Route::Leader, &operation.encode());
        id
    }

    /// It was answered.
    pub(crate) fn told(&self, id: OpId, verb: &Verb, told: Result<Told, ClientError>) {
        let mut noted = self.noted();
        let counts = noted.counts.entry(kind_of(verb)).or_default();
        let done = Outcome::Done { position: LogPosition::ZERO };
        let never = Outcome::Refused { refusal: Refusal::NotReady, leader: None };
        let (outcome, output) = match counts.count(told) {
            Fate::Done(told) => (done, Some(told.encode())),
            Fate::Never => (never, None),
            Fate::Unknown => (Outcome::Unknown, None),
            Fate::Nonsense(what) => {
                noted.nonsense.push(format!("{id} ({verb:?}): {what}"));
                (Outcome::Unknown, None)
            }
        };
        let at = self.now();
        let answered = noted.history.answer(at, id, ANYBODY, outcome, output.as_ref());
        answered.map(drop).expect("was asked, and is answered once");
    }

    /// A key that is put once was put, or not.
    pub(crate) fn told_once(&self, key: Bytes, value: Bytes, told: Result<(), ClientError>) {
        let mut noted = self.noted();
        match noted.counts.entry(PUT_ONCE).or_default().count(told) {
            Fate::Done(()) => drop(noted.kept.insert(key, value)),
            Fate::Nonsense(what) => noted.nonsense.push(format!("{key:?}: {what}")),
            Fate::Never | Fate::Unknown => {}
        }
    }
}

enum Fate<T> {
    Done(T),
    Never,
    Unknown,
    Nonsense(String),
}

impl Counts {
    fn count<T>(&mut self, told: Result<T, ClientError>) -> Fate<T> {
        match told {
            Ok(told) => {
                self.done += 1;
                Fate::Done(told)
            }
            Err(ClientError::NotDone { .. } | ClientError::Refused(_)) => {
                self.without_effect += 1;
                Fate::Never
            }
            Err(ClientError::Unknown { .. }) => {
                self.unknown += 1;
                Fate::Unknown
            }
            Err(other) => {
                self.unknown += 1;
                Fate::Nonsense(other.to_string())
            }
        }
    }
}
