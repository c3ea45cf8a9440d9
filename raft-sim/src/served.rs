//! A machine as replicas keep it: bare, or behind a table of sessions (thesis §6.3).
//!
//! Behind a table, what clients propose are [`SessionRequest`]s, and what they are told is what the table says. The
//! table is `raft-core`'s; what it must do is remembered here apart from it: every command that it lets run. That memory
//! travels in snapshots, which grow by it as a user's would not.
//!
//! Invariant: whether there is a table is decided once, for all replicas of a run.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use bytes::Bytes;
use raft_core::session::{
    Sequence, SessionId, SessionLimits, SessionRefusal, SessionReply, SessionRequest, Sessions,
};
use raft_core::{LogIndex, LogPosition, Term};

use crate::draw::Draw;
use crate::hash::hash_bytes;
use crate::machine::Machine;

/// A machine, perhaps behind a table of sessions.
#[derive(Clone, Debug, Default)]
pub struct Served<M> {
    machine: M,
    table: Option<Table>,
}

/// What keeps a repeated command from running twice, and a second memory of what ran.
#[derive(Clone, Debug)]
struct Table {
    sessions: Sessions,
    ran: BTreeSet<(SessionId, Sequence)>,
    ran_twice: Option<(SessionId, Sequence)>,
}

/// What a client with a session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Its session is open.
    Opened(SessionId),
    /// Its command took effect, and this is the output.
    Output(Bytes),
    /// Its session is closed.
    Closed,
    /// Its session is not there any more.
    Expired,
    /// Something that a client that keeps to the rules is never told.
    Wrong(String),
}

/// The output kept of each command: more than any machine gives.
const MAX_OUTPUT_BYTES: u64 = 1 << 30;

impl<M: Machine> Served<M> {
    /// A bare machine.
    pub fn bare(machine: M) -> Self {
        Self { machine, table: None }
    }

    /// A new machine behind a table of at most so many sessions; a bare one if there may be none.
    pub fn new(max_sessions: u64) -> Self {
        let table = NonZeroU64::new(max_sessions).map(|max_sessions| Table {
            sessions: Sessions::new(SessionLimits {
                max_sessions,
                max_outstanding: NonZeroU64::MIN,
                max_output_bytes: MAX_OUTPUT_BYTES,
            }),
            ran: BTreeSet::new(),
            ran_twice: None,
        });
        Self { machine: M::default(), table }
    }

    /// The same in its first state.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::new(self.max_sessions())
    }

    /// Whether it is behind a table of sessions.
    pub(crate) fn has_sessions(&self) -> bool {
        self.table.is_some()
    }

    fn max_sessions(&self) -> u64 {
        self.table.as_ref().map_or(0, |table| table.sessions.limits().max_sessions.get())
    }

    /// Takes a committed command and says what whoever proposed it is told.
    pub fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes {
        let Self { machine, table } = self;
        let Some(Table { sessions, ran, ran_twice }) = table else {
            return machine.apply(position, command);
        };
        let name = match SessionRequest::decode(command) {
            Ok(SessionRequest::Do { session, sequence, .. }) => Some((session, sequence)),
            _ => None,
        };
        let reply = sessions.apply(position, command, |command| {
            if let Some(name) = name.filter(|name| !ran.insert(*name)) {
                *ran_twice = Some(name);
            }
            machine.apply(position, command)
        });
        encode(&reply)
    }

    /// What a command would answer that changes nothing.
    pub fn query(&self, command: &Bytes) -> Option<Bytes> {
        self.machine.query(command)
    }

    /// A digest of the whole state, the table's included.
    pub fn digest(&self) -> u64 {
        let own = self.machine.digest();
        self.table.as_ref().map_or(own, |table| hash_bytes(own, &table.sessions.encode()))
    }

    /// What must always hold of the machine.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn invariant(&self) -> Result<(), String> {
        self.machine.invariant()
    }

    /// Which of its marks the machine has met.
    pub(crate) fn marks(&self) -> u64 {
        self.machine.marks()
    }

    /// A fault of the machine's own befalls it.
    pub(crate) fn suffer(&mut self, fault: &str, draw: &mut Draw) {
        self.machine.suffer(fault, draw);
    }

    /// The command that took effect twice, if one did.
    pub(crate) fn ran_twice(&self) -> Option<(SessionId, Sequence)> {
        self.table.as_ref()?.ran_twice
    }

    /// Lets the table, and only it, go back to where it was.
    #[cfg(test)]
    pub(crate) fn unlearn(&mut self, before: &Self) {
        let sessions = before.table.as_ref().expect("a table").sessions.clone();
        self.table.as_mut().expect("a table").sessions = sessions;
    }

    /// The whole state.
    pub fn snapshot(&self) -> Bytes {
        let Some(table) = &self.table else { return self.machine.snapshot() };
        let sessions = table.sessions.encode();
        let mut bytes = Vec::new();
        put(&mut bytes, sessions.len() as u64);
        bytes.extend_from_slice(&sessions);
        put(&mut bytes, table.ran.len() as u64);
        for (SessionId(LogPosition { term, index }), sequence) in &table.ran {
            for number in [term.0, index.0, sequence.0] {
                put(&mut bytes, number);
            }
        }
        bytes.extend_from_slice(&self.machine.snapshot());
        bytes.into()
    }

    /// The same kind of machine in the state of a snapshot.
    ///
    /// # Errors
    /// What is wrong with the snapshot, in words.
    pub fn restore(&self, snapshot: &Bytes) -> Result<Self, String> {
        if self.table.is_none() {
            return M::restore(snapshot).map(Self::bare);
        }
        let cut_off = || "its table of sessions is cut off".to_owned();
        let mut rest = snapshot.clone();
        let length = take(&mut rest).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= rest.len()).ok_or_else(cut_off)?;
        let sessions =
            Sessions::decode(&rest.split_to(length)).map_err(|error| error.to_string())?;
        let mut ran = BTreeSet::new();
        for _ in 0..take(&mut rest).ok_or_else(cut_off)? {
            let mut number = || take(&mut rest).ok_or_else(cut_off);
            let position = LogPosition::new(Term(number()?), LogIndex(number()?));
            ran.insert((SessionId(position), Sequence(number()?)));
        }
        let machine = M::restore(&rest)?;
        Ok(Self { machine, table: Some(Table { sessions, ran, ran_twice: None }) })
    }

    /// A command, and its output if there is one yet, for people.
    pub fn describe(&self, command: &Bytes, output: Option<&Bytes>) -> String {
        describe::<M>(self.table.is_some(), command, output)
    }
}

/// A command, and its output if there is one yet, for people; as a command of a session if clients have those.
pub(crate) fn describe<M: Machine>(
    has_sessions: bool,
    command: &Bytes,
    output: Option<&Bytes>,
) -> String {
    let request = if has_sessions { SessionRequest::decode(command).ok() } else { None };
    let told = output.map(told);
    match (request, told) {
        (None, _) => M::describe(command, output),
        (Some(SessionRequest::Open), None) => "open a session".to_owned(),
        (Some(SessionRequest::Open), Some(told)) => format!("open a session -> {told:?}"),
        (Some(SessionRequest::Close { session }), _) => format!("close session {}", session.0),
        (Some(SessionRequest::Do { session, sequence, command, .. }), told) => {
            let what = match &told {
                Some(Told::Output(output)) => M::describe(&command, Some(output)),
                Some(other) => format!("{} -> {other:?}", M::describe(&command, None)),
                None => M::describe(&command, None),
            };
            format!("session {} command {}: {what}", session.0, sequence.0)
        }
    }
}

const OPENED: u8 = 0;
const DONE: u8 = 1;
const CLOSED: u8 = 2;
const EXPIRED: u8 = 3;
const REFUSED: u8 = 4;

/// What the table says, as bytes.
fn encode(reply: &SessionReply) -> Bytes {
    let mut bytes = Vec::new();
    match reply {
        SessionReply::Opened(SessionId(LogPosition { term, index })) => {
            bytes.push(OPENED);
            put(&mut bytes, term.0);
            put(&mut bytes, index.0);
        }
        SessionReply::Done(output) => {
            bytes.push(DONE);
            bytes.extend_from_slice(output);
        }
        SessionReply::Closed => bytes.push(CLOSED),
        SessionReply::Refused(SessionRefusal::Expired) => bytes.push(EXPIRED),
        SessionReply::Refused(refusal) => {
            bytes.push(REFUSED);
            bytes.extend_from_slice(refusal.to_string().as_bytes());
        }
    }
    bytes.into()
}

/// What the bytes say that the table gave.
pub(crate) fn told(output: &Bytes) -> Told {
    let mut rest = output.clone();
    let kind = if rest.is_empty() { None } else { rest.split_to(1).first().copied() };
    match kind {
        Some(OPENED) => match (take(&mut rest), take(&mut rest)) {
            (Some(term), Some(index)) => {
                Told::Opened(SessionId(LogPosition::new(Term(term), LogIndex(index))))
            }
            _ => Told::Wrong("the session's name is cut off".to_owned()),
        },
        Some(DONE) => Told::Output(rest),
        Some(CLOSED) => Told::Closed,
        Some(EXPIRED) => Told::Expired,
        _ => Told::Wrong(String::from_utf8_lossy(&rest).into_owned()),
    }
}

fn put(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn take(rest: &mut Bytes) -> Option<u64> {
    const BYTES: usize = size_of::<u64>();
    (rest.len() >= BYTES)
        .then(|| rest.split_to(BYTES))?
        .as_ref()
        .try_into()
        .ok()
        .map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use raft_core::session::Session;

    use super::*;
    use crate::kv::{Command, Kv};

    fn at(index: u64) -> LogPosition {
        LogPosition::new(Term(1), LogIndex(index))
    }

    /// A session with one command, which stands in the log twice.
    fn repeated() -> (Served<Kv>, Bytes) {
        let mut served = Served::<Kv>::new(4);
        let Told::Opened(id) = told(&served.apply(at(1), &SessionRequest::Open.encode())) else {
            panic!("the table has room");
        };
        let mut session = Session::new(id, NonZeroU64::MIN);
        let put = Command::Put { key: 0, value: "a".into() }.encode();
        let (_, command) = session.submit(&put).expect("the first command");
        (served, command)
    }

    /// A repeated command gives the same output and changes nothing; the state survives its snapshot.
    #[test]
    fn repeated_commands_run_once() {
        let (mut served, command) = repeated();
        let first = served.apply(at(2), &command);
        let snapshot = served.snapshot();
        let mut restored = served.restore(&snapshot).expect("its own snapshot");
        assert_eq!(restored.digest(), served.digest());
        assert_eq!(restored.apply(at(3), &command), first);
        assert_eq!(restored.ran_twice(), None);
        assert!(served.restore(&snapshot.slice(..20)).is_err());
        let shown = served.describe(&command, Some(&first));
        assert!(shown.starts_with("session i1@T1 command 1: put"), "{shown}");
    }

    /// A table that lets a command run twice is noticed, also when it was restored between the two.
    #[test]
    fn a_command_that_runs_twice_is_noticed() {
        let (mut served, command) = repeated();
        let before = served.clone();
        served.apply(at(2), &command);
        let snapshot = served.snapshot();
        let mut served = served.restore(&snapshot).expect("its own snapshot");
        served.unlearn(&before);
        served.apply(at(3), &command);
        assert_eq!(served.ran_twice(), Some((SessionId(at(1)), Sequence(1))));
    }

    /// Without a table nothing is between the machine and its clients.
    #[test]
    fn a_bare_machine_is_the_machine() {
        let (mut bare, mut machine) = (Served::bare(Kv::default()), Kv::default());
        let put = Command::Put { key: 1, value: "b".into() }.encode();
        assert_eq!(bare.apply(at(1), &put), machine.apply(at(1), &put));
        assert_eq!((bare.digest(), bare.snapshot()), (machine.digest(), machine.snapshot()));
    }
}
