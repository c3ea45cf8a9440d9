//! The store: an ordered map of bytes to bytes, and a table of sessions beside it.
//!
//! The map shares its parts between copies, so that the state as of a moment can be kept while commands go on.

use bytes::Bytes;
use driver::machine::{Image, Machine};
use immutable_chunkmap::map::MapM;
use raft_core::LogPosition;
use raft_core::session::{SessionLimits, Sessions};
use serde::{Deserialize, Serialize};

/// A command that changes the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Changes, all at once.
    Batch(Vec<Change>),
    /// A change, if the key holds what is expected; `None` stands for no value.
    CompareAndSet {
        /// The key.
        key: Bytes,
        /// What it must hold.
        expected: Option<Bytes>,
        /// What it holds then.
        value: Option<Bytes>,
    },
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Sets it.
    Put {
        /// The key.
        key: Bytes,
        /// What it holds then.
        value: Bytes,
    },
    /// Removes it.
    Delete {
        /// The key.
        key: Bytes,
    },
}

/// What a command gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// The batch was carried out.
    Done,
    /// The key held what was expected, and was set.
    Set,
    /// The key held this instead, and was left alone.
    Differs(Option<Bytes>),
    /// The bytes are no command of this version.
    NoCommand,
}

impl Command {
    /// The bytes of the command.
    pub fn encode(&self) -> Vec<u8> {
        bytes_of(self)
    }
}

fn bytes_of(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data has bytes")
}

impl Output {
    fn encode(&self) -> Bytes {
        bytes_of(self).into()
    }

    /// The output that bytes are.
    ///
    /// # Errors
    /// When they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

/// The store.
#[derive(Clone, Debug)]
pub struct Kv {
    map: MapM<Bytes, Bytes>,
    sessions: Sessions,
}

/// The state in a snapshot.
#[derive(Serialize, Deserialize)]
struct Saved {
    sessions: Bytes,
    pairs: Vec<(Bytes, Bytes)>,
}

impl Default for Kv {
    fn default() -> Self {
        Self { map: MapM::new(), sessions: Sessions::new(SessionLimits::default()) }
    }
}

impl Kv {
    /// What a key holds.
    pub fn get(&self, key: &Bytes) -> Option<Bytes> {
        self.map.get(key).cloned()
    }

    /// Pairs in the order of their keys, from `from` on and before `to`, at most so many.
    pub fn scan(&self, from: &Bytes, to: Option<&Bytes>, most: usize) -> Vec<(Bytes, Bytes)> {
        let pairs = self.map.range(from.clone()..);
        let within = pairs.take_while(|(key, _)| to.is_none_or(|to| *key < to));
        within.take(most).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.map.len() == 0
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }
}

fn run(map: &mut MapM<Bytes, Bytes>, command: &Bytes) -> Output {
    let Ok(command) = postcard::from_bytes::<Command>(command) else { return Output::NoCommand };
    match command {
        Command::Batch(changes) => {
            for change in changes {
                match change {
                    Change::Put { key, value } => drop(map.insert_cow(key, value)),
                    Change::Delete { key } => drop(map.remove_cow(&key)),
                }
            }
            Output::Done
        }
        Command::CompareAndSet { key, expected, value } => {
            let held = map.get(&key).cloned();
            if held != expected {
                return Output::Differs(held);
            }
            match value {
                Some(value) => drop(map.insert_cow(key, value)),
                None => drop(map.remove_cow(&key)),
            }
            Output::Set
        }
    }
}

impl Machine for Kv {
    fn apply(&mut self, position: LogPosition, command: &Bytes) -> Bytes {
        let Self { map, sessions } = self;
        let reply = sessions.apply(position, command, |command| run(map, command).encode());
        bytes_of(&reply).into()
    }

    fn image(&self) -> Image {
        let (map, sessions) = (self.map.clone(), self.sessions.encode());
        Box::new(move || {
            let pairs = map.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            bytes_of(&Saved { sessions, pairs }).into()
        })
    }

    fn restore(&mut self, state: &Bytes) -> Result<(), String> {
        let Saved { sessions, pairs } =
            postcard::from_bytes(state).map_err(|error| format!("it is no store: {error}"))?;
        self.sessions = Sessions::decode(&sessions).map_err(|error| error.to_string())?;
        self.map = pairs.into_iter().collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use raft_core::session::{Session, SessionReply, SessionRequest};
    use raft_core::{LogIndex, Term};

    use super::*;

    struct Driven {
        kv: Kv,
        index: u64,
        session: Session,
    }

    impl Driven {
        fn new() -> Self {
            let mut kv = Kv::default();
            let opened = applied(&mut kv, 1, &SessionRequest::Open.encode());
            let SessionReply::Opened(id) = opened else { panic!("not opened: {opened:?}") };
            let session = Session::new(id, SessionLimits::default().max_outstanding);
            Self { kv, index: 1, session }
        }

        fn run(&mut self, command: &Command) -> Output {
            let (sequence, bytes) = self.session.submit(&command.encode()).expect("one at a time");
            self.session.answered(sequence);
            self.index += 1;
            match applied(&mut self.kv, self.index, &bytes) {
                SessionReply::Done(output) => Output::decode(&output).expect("an output"),
                other => panic!("not done: {other:?}"),
            }
        }
    }

    fn applied(kv: &mut Kv, index: u64, bytes: &Bytes) -> SessionReply {
        let output = kv.apply(LogPosition::new(Term(1), LogIndex(index)), bytes);
        postcard::from_bytes(&output).expect("a reply")
    }

    fn put(key: &'static str, value: &'static str) -> Change {
        Change::Put { key: key.into(), value: value.into() }
    }

    #[test]
    fn batches_and_comparisons_do_what_they_say() {
        let mut driven = Driven::new();
        let batch =
            vec![put("b", "1"), put("a", "2"), put("c", "3"), Change::Delete { key: "b".into() }];
        assert_eq!(driven.run(&Command::Batch(batch)), Output::Done);
        let set =
            |expected: Option<&'static str>, value: Option<&'static str>| Command::CompareAndSet {
                key: "a".into(),
                expected: expected.map(Into::into),
                value: value.map(Into::into),
            };
        assert_eq!(driven.run(&set(None, Some("9"))), Output::Differs(Some("2".into())));
        assert_eq!(driven.run(&set(Some("2"), Some("9"))), Output::Set);
        let pair = |key: &'static str, value: &'static str| (key.into(), value.into());
        let all = driven.kv.scan(&Bytes::new(), None, 9);
        assert_eq!(all, [pair("a", "9"), pair("c", "3")], "in order");
        assert_eq!(
            driven.kv.scan(&"a".into(), Some(&"c".into()), 9).len(),
            1,
            "the end is not in it"
        );
        assert_eq!(driven.kv.scan(&Bytes::new(), None, 1).len(), 1, "as many as were asked for");
        assert_eq!(driven.run(&set(Some("9"), None)), Output::Set);
        assert_eq!(driven.kv.get(&"a".into()), None);
    }

    #[test]
    fn a_snapshot_holds_the_map_and_the_sessions_as_of_its_moment() {
        let mut driven = Driven::new();
        driven.run(&Command::Batch(vec![put("a", "1")]));
        let image = driven.kv.image();
        driven.run(&Command::Batch(vec![put("a", "2")]));
        let mut restored = Kv::default();
        restored.restore(&image()).expect("a state");
        assert_eq!(restored.get(&"a".into()), Some("1".into()), "not what came later");
        assert_eq!(restored.sessions(), 1);
        assert!(restored.restore(&Bytes::from_static(b"nonsense")).is_err());
    }

    #[test]
    fn what_is_no_command_changes_nothing() {
        let mut driven = Driven::new();
        let (_, bytes) = driven.session.submit(&[250, 1, 2]).expect("one at a time");
        let reply = applied(&mut driven.kv, 2, &bytes);
        assert_eq!(reply, SessionReply::Done(Output::NoCommand.encode()));
        assert!(driven.kv.is_empty());
    }
}
