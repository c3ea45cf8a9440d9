//! A model of sessions that is as plain as can be: it remembers every output for ever, and forgets nothing but whole
//! sessions. Beside it run clients, and two replicas of which one is restored from snapshots again and again.
//!
//! Every entry is applied to all of them, and everything that is promised is checked at once.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use raft_core::session::{
    DecodeError, Sequence, Session, SessionId, SessionLimits, SessionRefusal, SessionReply,
    SessionRequest, Sessions,
};
use raft_core::{LogPosition, Term};

/// A machine whose output tells how often it was run, so that a second run would not go unnoticed.
#[derive(Clone, Default, PartialEq, Debug)]
struct Machine {
    runs: Vec<Bytes>,
}

impl Machine {
    fn run(&mut self, command: &Bytes) -> Bytes {
        assert!(!self.runs.contains(command), "{command:?} ran twice");
        self.runs.push(command.clone());
        // Of different lengths, and sometimes of none.
        let text = format!("{:?} as number {}", command, self.runs.len());
        text[..command.len().saturating_sub(4).min(text.len())].to_owned().into()
    }
}

/// What the model knows of an open session.
struct Open {
    id: SessionId,
    lowest: u64,
    /// Every output there ever was, and whether it had room.
    outputs: BTreeMap<u64, (Bytes, bool)>,
}

pub(crate) struct Model {
    limits: SessionLimits,
    /// The open sessions, that which was used last at the end.
    open: Vec<Open>,
    clients: Vec<Session>,
    /// All bytes that any client ever sent.
    sent: Vec<Bytes>,
    /// Every answer that was given to a command.
    answers: BTreeMap<(SessionId, u64), Bytes>,
    last: LogPosition,
    whole: (Sessions, Machine),
    restored: (Sessions, Machine),
}

impl Model {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        let fresh = (Sessions::new(limits), Machine::default());
        Self {
            limits,
            open: Vec::new(),
            clients: Vec::new(),
            sent: vec![SessionRequest::Open.encode()],
            answers: BTreeMap::new(),
            last: LogPosition::ZERO,
            whole: fresh.clone(),
            restored: fresh,
        }
    }

    pub(crate) fn table(&self) -> &Sessions {
        &self.whole.0
    }

    pub(crate) fn last_sent(&self) -> &Bytes {
        self.sent.last().expect("it begins with one")
    }

    pub(crate) fn open(&mut self) {
        let reply = self.apply(&SessionRequest::Open.encode());
        let SessionReply::Opened(id) = reply else { panic!("an open is answered by {reply:?}") };
        self.clients.push(Session::new(id, self.limits.max_outstanding));
    }

    pub(crate) fn submit(&mut self, client: usize, length: usize) {
        // So that no two commands are equal.
        let command = format!("{:04}{}", self.sent.len(), "x".repeat(length));
        if let Some(client) = pick(&mut self.clients, client) {
            if let Some((_, bytes)) = client.submit(command.as_bytes()) {
                self.sent.push(bytes);
            }
        }
    }

    pub(crate) fn append(&mut self, sent: usize) {
        let bytes = self.sent[sent % self.sent.len()].clone();
        self.apply(&bytes);
    }

    pub(crate) fn answered(&mut self, client: usize, command: usize) {
        if let Some(client) = pick(&mut self.clients, client) {
            let outstanding: Vec<Sequence> =
                client.outstanding().map(|(number, _)| number).collect();
            if !outstanding.is_empty() {
                client.answered(outstanding[command % outstanding.len()]);
            }
        }
    }

    pub(crate) fn close(&mut self, client: usize) {
        if let Some(client) = pick(&mut self.clients, client) {
            let close = SessionRequest::Close { session: client.id() };
            self.sent.push(close.encode());
            self.append(self.sent.len() - 1);
        }
    }

    pub(crate) fn garbage(&mut self, bytes: &Bytes) {
        self.apply(bytes);
    }

    pub(crate) fn restore(&mut self) {
        let bytes = self.restored.0.encode();
        self.restored.0 = Sessions::decode(&bytes).expect("what was encoded can be decoded");
        assert_eq!(self.restored.0.encode(), bytes);
    }

    pub(crate) fn repeat(&mut self) {
        let before = self.whole.clone();
        let (table, machine) = &mut self.whole;
        let request = &self.sent[0];
        let reply = table.apply(self.last, request, |command| machine.run(command));
        assert_eq!(reply, SessionReply::Refused(SessionRefusal::AppliedBefore));
        assert_eq!(self.whole, before);
    }

    /// Puts bytes into the log and applies them everywhere.
    fn apply(&mut self, bytes: &Bytes) -> SessionReply {
        // The term rises now and then, as at a change of leader.
        let index = self.last.index.next();
        self.last = LogPosition::new(Term(1 + index.0 / 8), index);
        let request = SessionRequest::decode(bytes);
        let expected = self.expect(&request);

        let mut replies = Vec::new();
        for (table, machine) in [&mut self.whole, &mut self.restored] {
            let runs = machine.runs.len();
            let reply = table.apply(self.last, bytes, |command| machine.run(command));
            assert!(machine.runs.len() == runs || matches!(reply, SessionReply::Done(_)));
            replies.push(reply);
        }
        let reply = replies.swap_remove(0);
        assert_eq!(reply, replies[0], "the replicas answer differently");
        self.compare(&request, &reply, expected.as_ref());
        self.check_tables();
        reply
    }

    /// The reply as it must be; `None` for the output of a command that must be run now.
    fn expect(&mut self, request: &Result<SessionRequest, DecodeError>) -> Option<SessionReply> {
        let refused = |refusal| Some(SessionReply::Refused(refusal));
        match request {
            Err(error) => refused(SessionRefusal::Malformed(*error)),
            Ok(SessionRequest::Open) => {
                if self.open.len() as u64 == self.limits.max_sessions.get() {
                    self.open.remove(0);
                }
                let id = SessionId(self.last);
                self.open.push(Open { id, lowest: 1, outputs: BTreeMap::new() });
                Some(SessionReply::Opened(id))
            }
            Ok(SessionRequest::Close { session }) => {
                self.open.retain(|open| open.id != *session);
                Some(SessionReply::Closed)
            }
            Ok(SessionRequest::Do { session, sequence, lowest, .. }) => {
                let Some(place) = self.open.iter().position(|open| open.id == *session) else {
                    return refused(SessionRefusal::Expired);
                };
                let mut open = self.open.remove(place);
                open.lowest = open.lowest.max(lowest.0);
                let expected = match open.outputs.get(&sequence.0) {
                    _ if sequence.0 < open.lowest => refused(SessionRefusal::NotAwaited),
                    Some((_, false)) => refused(SessionRefusal::OutputNotKept),
                    Some((output, true)) => Some(SessionReply::Done(output.clone())),
                    None => None,
                };
                self.open.push(open);
                expected
            }
        }
    }

    fn compare(
        &mut self,
        request: &Result<SessionRequest, DecodeError>,
        reply: &SessionReply,
        expected: Option<&SessionReply>,
    ) {
        if let Some(expected) = expected {
            assert_eq!(reply, expected, "{request:?}");
        }
        let Ok(SessionRequest::Do { session, sequence, .. }) = request else { return };
        let is_open = self.open.iter().any(|open| open.id == *session);
        let client = self.clients.iter().find(|client| client.id() == *session);
        let waits = client.is_some_and(|c| c.outstanding().any(|(number, _)| number == *sequence));
        match reply {
            SessionReply::Done(output) => {
                let first = self.answers.entry((*session, sequence.0)).or_insert(output.clone());
                assert_eq!(first, output, "a copy gets another answer");
            }
            SessionReply::Refused(SessionRefusal::OutputNotKept | SessionRefusal::Expired) => {}
            other => assert!(!(is_open && waits), "an honest client that waits gets {other:?}"),
        }
        if expected.is_none() {
            let SessionReply::Done(output) = reply else { panic!("it must be run: {reply:?}") };
            self.remember(*session, sequence.0, output);
        }
    }

    /// A command was run: its output is kept if the session has room for it.
    fn remember(&mut self, session: SessionId, sequence: u64, output: &Bytes) {
        let open = self.open.iter_mut().find(|open| open.id == session).expect("it was just used");
        let awaited = open.outputs.range(open.lowest..);
        let kept = awaited.filter(|(_, (_, kept))| *kept).map(|(_, (output, _))| output.len());
        let bytes = (kept.sum::<usize>() + output.len()) as u64;
        let has_room = bytes <= self.limits.max_output_bytes;
        open.outputs.insert(sequence, (output.clone(), has_room));
    }

    /// The tables are equal, as values, by hash and as bytes; as long as they may be, and no longer.
    fn check_tables(&self) {
        let ((whole, machine), (restored, other)) = (&self.whole, &self.restored);
        assert_eq!(whole, restored);
        assert_eq!(machine, other);
        assert_eq!(hash(whole), hash(restored));
        let bytes = whole.encode();
        assert_eq!(bytes, restored.encode());
        assert_eq!(whole.applied(), self.last);
        assert_eq!(whole.len(), self.open.len());
        let SessionLimits { max_sessions, max_outstanding, max_output_bytes } = self.limits;
        // Of a session ten small numbers at most, of an output two.
        let session_bytes = 10 + 2 * max_outstanding.get() + max_output_bytes;
        let bound = 12 + max_sessions.get() * session_bytes;
        assert!(bytes.len() as u64 <= bound, "{} bytes, of at most {bound}", bytes.len());
    }
}

fn hash(table: &Sessions) -> u64 {
    let mut hasher = DefaultHasher::new();
    table.hash(&mut hasher);
    hasher.finish()
}

fn pick<T>(values: &mut [T], place: usize) -> Option<&mut T> {
    let count = values.len().max(1);
    values.get_mut(place % count)
}
