//! Goal: whatever copies of requests a log holds, in whatever order, each command takes effect at most once and
//! every copy of it gets the same answer; what expired is refused; memory is bounded; no bytes do harm.

#[path = "session/model.rs"]
mod model;

use std::num::NonZeroU64;

use bytes::Bytes;
use model::Model;
use proptest::collection::vec;
use proptest::prelude::*;
use raft_core::session::{
    DecodeError, Sequence, Session, SessionId, SessionLimits, SessionRefusal, SessionReply,
    SessionRequest, Sessions,
};
use raft_core::{LogIndex, LogPosition, Term};

fn limits(sessions: u64, outstanding: u64, max_output_bytes: u64) -> SessionLimits {
    let at_least_one = |limit: u64| NonZeroU64::new(limit).expect("the tests ask for some");
    SessionLimits {
        max_sessions: at_least_one(sessions),
        max_outstanding: at_least_one(outstanding),
        max_output_bytes,
    }
}

fn position(index: u64) -> LogPosition {
    LogPosition::new(Term(1), LogIndex(index))
}

/// A table whose machine keeps every command it runs, and answers how many those are.
struct Replica {
    sessions: Sessions,
    runs: Vec<Bytes>,
    last: u64,
}

impl Replica {
    fn new(limits: SessionLimits) -> Self {
        Self { sessions: Sessions::new(limits), runs: Vec::new(), last: 0 }
    }

    fn apply(&mut self, bytes: &Bytes) -> SessionReply {
        self.last += 1;
        let runs = &mut self.runs;
        self.sessions.apply(position(self.last), bytes, |command| {
            runs.push(command.clone());
            runs.len().to_string().into()
        })
    }

    fn open(&mut self) -> Session {
        match self.apply(&SessionRequest::Open.encode()) {
            SessionReply::Opened(id) => Session::new(id, self.sessions.limits().max_outstanding),
            other => panic!("a session is opened, but: {other:?}"),
        }
    }
}

fn done(output: &'static str) -> SessionReply {
    SessionReply::Done(output.into())
}

/// One step of a life: of the clients, of the network that brings their bytes into the log, or of a replica.
#[derive(Clone, Debug)]
enum Step {
    Open,
    /// A client numbers a command of so many bytes; it is not in the log yet.
    Submit {
        client: usize,
        length: usize,
    },
    /// Any bytes that were ever sent come to stand in the log, for the first time or again.
    Append {
        sent: usize,
    },
    /// A client has an answer to one of its commands, or waits no more.
    Answered {
        client: usize,
        command: usize,
    },
    Close {
        client: usize,
    },
    /// Bytes that are no request.
    Garbage(Vec<u8>),
    /// The second replica is restored from its own snapshot.
    Restore,
    /// The driver applies the last entry again.
    Repeat,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Open),
        8 => (any::<usize>(), 0..12_usize)
            .prop_map(|(client, length)| Step::Submit { client, length }),
        16 => any::<usize>().prop_map(|sent| Step::Append { sent }),
        6 => any::<(usize, usize)>()
            .prop_map(|(client, command)| Step::Answered { client, command }),
        1 => any::<usize>().prop_map(|client| Step::Close { client }),
        1 => vec(any::<u8>(), 0..8).prop_map(Step::Garbage),
        2 => Just(Step::Restore),
        1 => Just(Step::Repeat),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// The model remembers everything for ever and says what each reply must be. It also sees to it that nothing
    /// runs twice, that honest clients are never put off, that replicas agree, and that memory is bounded.
    #[test]
    fn once_whatever_the_log_holds(
        sessions in 1..4_u64,
        outstanding in 1..4_u64,
        bytes in 0..40_u64,
        steps in vec(step(), 1..120),
    ) {
        let mut model = Model::new(limits(sessions, outstanding, bytes));
        for step in steps {
            match step {
                Step::Open => model.open(),
                Step::Submit { client, length } => model.submit(client, length),
                Step::Append { sent } => model.append(sent),
                Step::Answered { client, command } => model.answered(client, command),
                Step::Close { client } => model.close(client),
                Step::Garbage(bytes) => model.garbage(&bytes.into()),
                Step::Restore => model.restore(),
                Step::Repeat => model.repeat(),
            }
        }
    }

    #[test]
    fn any_request_comes_back(
        (term, index) in any::<(u64, u64)>(),
        (sequence, lowest) in any::<(u64, u64)>(),
        command in vec(any::<u8>(), 0..64),
    ) {
        let session = SessionId(LogPosition::new(Term(term), LogIndex(index)));
        let (sequence, lowest) = (Sequence(sequence), Sequence(lowest));
        let requests = [
            SessionRequest::Open,
            SessionRequest::Do { session, sequence, lowest, command: command.into() },
            SessionRequest::Close { session },
        ];
        for request in requests {
            let bytes = request.encode();
            prop_assert_eq!(SessionRequest::decode(&bytes), Ok(request));
        }
    }

    /// Any bytes, and bytes that are nearly right: they are refused, or are exactly what they decode to.
    #[test]
    fn bad_bytes_do_no_harm(
        steps in vec(step(), 0..40),
        (place, change) in any::<(usize, u8)>(),
        noise in vec(any::<u8>(), 0..64),
    ) {
        let mut model = Model::new(limits(3, 3, 40));
        for step in steps {
            match step {
                Step::Open => model.open(),
                Step::Submit { client, length } => model.submit(client, length),
                Step::Append { sent } => model.append(sent),
                _ => {}
            }
        }
        let table = model.table().encode().to_vec();
        let request = model.last_sent().to_vec();
        for bytes in [noise, table, request] {
            for bytes in [changed(&bytes, place, change), cut(&bytes, place), bytes] {
                if let Ok(table) = Sessions::decode(&bytes) {
                    prop_assert_eq!(&table.encode()[..], &bytes[..]);
                }
                let bytes = Bytes::from(bytes);
                if let Ok(request) = SessionRequest::decode(&bytes) {
                    prop_assert_eq!(request.encode(), bytes);
                }
            }
        }
    }
}

fn changed(bytes: &[u8], place: usize, change: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    if !bytes.is_empty() {
        changed[place % bytes.len()] ^= change;
    }
    changed
}

fn cut(bytes: &[u8], place: usize) -> Vec<u8> {
    bytes[..place % (bytes.len() + 1)].to_vec()
}

#[test]
fn the_session_unused_for_longest_expires_and_its_commands_are_not_run_again() {
    let mut replica = Replica::new(limits(2, 4, 100));
    let (mut first, mut second) = (replica.open(), replica.open());
    let (_, early) = first.submit(b"a").expect("nothing is outstanding");
    let (_, late) = second.submit(b"b").expect("nothing is outstanding");
    assert_eq!(replica.apply(&late), done("1"));
    assert_eq!(replica.apply(&early), done("2"), "now the first is the one used last");
    replica.open();
    assert_eq!(replica.apply(&late), SessionReply::Refused(SessionRefusal::Expired));
    assert_eq!(replica.apply(&early), done("2"));
    assert_eq!(replica.runs, ["b", "a"], "nothing was run again");
}

#[test]
fn a_closed_session_runs_nothing_more() {
    let mut replica = Replica::new(SessionLimits::default());
    let mut session = replica.open();
    let (_, bytes) = session.submit(b"a").expect("nothing is outstanding");
    let close = SessionRequest::Close { session: session.id() }.encode();
    assert_eq!(replica.apply(&close), SessionReply::Closed);
    assert_eq!(replica.apply(&close), SessionReply::Closed, "a copy is answered alike");
    assert_eq!(replica.apply(&bytes), SessionReply::Refused(SessionRefusal::Expired));
    assert!(replica.sessions.is_empty() && replica.runs.is_empty());
}

#[test]
fn a_window_of_commands_may_be_outstanding() {
    let mut replica = Replica::new(limits(1, 3, 100));
    let mut session = replica.open();
    let sent: Vec<_> = (0..3).map(|_| session.submit(b"x").expect("the window is open")).collect();
    assert_eq!(session.submit(b"x"), None, "the window is full");
    session.answered(sent[2].0);
    assert_eq!(session.submit(b"x"), None, "the oldest is without an answer");
    let outputs = ["1", "2", "3"];
    for ((_, bytes), output) in sent.iter().rev().zip(outputs) {
        assert_eq!(replica.apply(bytes), done(output), "they are run in the order of the log");
    }
    assert_eq!(session.outstanding().map(|(sequence, _)| sequence.0).collect::<Vec<_>>(), [1, 2]);

    // A client that does not keep to the window is put off, and nothing is run.
    let ask = |sequence, lowest| {
        let (sequence, lowest) = (Sequence(sequence), Sequence(lowest));
        let (session, command) = (session.id(), "y".into());
        SessionRequest::Do { session, sequence, lowest, command }.encode()
    };
    let too_far = SessionReply::Refused(SessionRefusal::TooFarAhead);
    assert_eq!(replica.apply(&ask(4, 1)), too_far);
    assert_eq!(replica.apply(&ask(4, 2)), done("4"), "the first is not awaited any more");
    assert_eq!(replica.apply(&ask(4, 1)), done("4"), "what was told is not taken back");
    let late = SessionReply::Refused(SessionRefusal::NotAwaited);
    assert_eq!(replica.apply(&sent[0].1), late);
    assert_eq!(replica.apply(&ask(0, 0)), late, "numbers begin at 1");
    assert_eq!(replica.apply(&ask(7, 9)), late, "it does not even wait for this one");
    assert_eq!(replica.apply(&ask(u64::MAX, 1)), too_far);
    assert_eq!(replica.apply(&ask(u64::MAX, u64::MAX)), done("5"), "the last number is a number");
}

#[test]
fn an_output_that_is_too_large_is_given_once() {
    let mut replica = Replica::new(limits(1, 3, 1));
    let mut session = replica.open();
    let kept = session.submit(b"a").expect("the window is open").1;
    let not_kept = session.submit(b"b").expect("the window is open").1;
    assert_eq!(replica.apply(&kept), done("1"));
    assert_eq!(replica.apply(&not_kept), done("2"));
    assert_eq!(replica.apply(&not_kept), SessionReply::Refused(SessionRefusal::OutputNotKept));
    assert_eq!(replica.apply(&kept), done("1"));
}

#[test]
fn an_entry_that_was_applied_before_changes_nothing() {
    let mut replica = Replica::new(SessionLimits::default());
    let mut session = replica.open();
    let (_, bytes) = session.submit(b"a").expect("nothing is outstanding");
    assert_eq!(replica.apply(&bytes), done("1"));
    let before = replica.sessions.clone();
    for index in [0, 1, 2] {
        let reply = replica
            .sessions
            .apply(position(index), &bytes, |_| panic!("nothing is run for an old entry"));
        assert_eq!(reply, SessionReply::Refused(SessionRefusal::AppliedBefore));
    }
    assert_eq!(replica.sessions, before);
}

#[test]
fn requests_that_are_none_say_why() {
    let long = [1, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2];
    let cases: [(&[u8], DecodeError); 7] = [
        (&[], DecodeError::CutOff),
        (&[2, 0], DecodeError::Version { found: 2 }),
        (&[1, 3], DecodeError::Kind { found: 3 }),
        (&[1, 0, 0], DecodeError::LeftOver),
        (&[1, 2, 1], DecodeError::CutOff),
        (&[1, 2, 0x80, 0, 1], DecodeError::Number),
        (&long, DecodeError::Number),
    ];
    for (bytes, error) in cases {
        let bytes = Bytes::copy_from_slice(bytes);
        assert_eq!(SessionRequest::decode(&bytes), Err(error), "{bytes:?}");
        let mut replica = Replica::new(SessionLimits::default());
        let refused = SessionReply::Refused(SessionRefusal::Malformed(error));
        assert_eq!(replica.apply(&bytes), refused, "in the log it is refused");
    }
}

/// A table of limits 2, 2, 3 as of i9@T1, followed by `rest`.
fn table(rest: &[u8]) -> Result<Sessions, DecodeError> {
    Sessions::decode(&[&[1, 2, 2, 3, 1, 9], rest].concat())
}

#[test]
fn tables_that_are_none_say_why() {
    assert_eq!(table(&[0]).map(|table| (table.len(), table.is_empty())), Ok((0, true)));
    // Two sessions, of T1 i2 and i4; the first was used last, and has an output of two bytes and one not kept.
    let sound = [2, 1, 2, 8, 1, 2, 0, 3, b'o', b'k', 1, 0, 1, 4, 5, 7, 0];
    assert_eq!(table(&sound).map(|table| (table.len(), table.is_empty())), Ok((2, false)));
    // What is wrong, where the byte is, and what it is instead.
    let wrong = [
        ("three sessions", 0, 3, DecodeError::Limits),
        ("a session of a term that is to come", 1, 2, DecodeError::Order),
        ("a session twice", 13, 2, DecodeError::Order),
        ("a session of an earlier term than the one before", 12, 0, DecodeError::Order),
        ("used before it was opened", 3, 1, DecodeError::LastUse),
        ("used by an entry that is to come", 3, 10, DecodeError::LastUse),
        ("both used by one entry", 14, 8, DecodeError::LastUse),
        ("waiting for a command before the first", 4, 0, DecodeError::Order),
        ("an output beyond the window", 10, 2, DecodeError::Limits),
        ("an output twice", 10, 0, DecodeError::Order),
    ];
    for (what, place, byte, error) in wrong {
        let mut bytes = sound;
        bytes[place] = byte;
        assert_eq!(table(&bytes), Err(error), "{what}");
    }
    let too_much = [1, 1, 2, 8, 1, 1, 0, 5, b'l', b'o', b'n', b'g'];
    assert_eq!(table(&too_much), Err(DecodeError::Limits), "more bytes than are kept");
    assert_eq!(table(&[0, 0]), Err(DecodeError::LeftOver));
    for place in 0..sound.len() {
        assert_eq!(table(&sound[..place]), Err(DecodeError::CutOff), "{place}");
    }
    for (place, error) in [(0, DecodeError::Version { found: 0 }), (1, DecodeError::Limits)] {
        let mut bytes = [1, 2, 2, 3, 1, 9, 0];
        bytes[place] = 0;
        assert_eq!(Sessions::decode(&bytes), Err(error));
    }
}
