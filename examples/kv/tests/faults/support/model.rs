//! The store as its clients understand it, for the search for a linear order. It shares nothing with the store
//! itself.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use raft_core::LogPosition;
use raft_sim::{Draw, Machine};
use serde::{Deserialize, Serialize};

/// An operation on a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operation {
    /// The key's number.
    pub(crate) key: u64,
    /// What is asked of it.
    pub(crate) verb: Verb,
}

/// What is asked of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verb {
    /// What it holds.
    Get,
    /// To hold this.
    Put(Bytes),
    /// To hold `value`, or nothing, if it holds what is expected.
    CompareAndSet {
        /// What it must hold; `None` for nothing.
        expected: Option<Bytes>,
        /// What it holds then.
        value: Option<Bytes>,
    },
    /// To hold nothing.
    Delete,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// It was done.
    Done,
    /// It holds this.
    Holds(Option<Bytes>),
    /// It was left alone, for it holds this instead.
    Differs(Option<Bytes>),
}

fn encode(value: &impl Serialize) -> Bytes {
    postcard::to_stdvec(value).expect("plain data has bytes").into()
}

impl Operation {
    /// The name of the key in the store.
    pub(crate) fn name(key: u64) -> String {
        format!("key-{key}")
    }

    /// As the history has it.
    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    /// What bytes of the history were.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        postcard::from_bytes(bytes).expect("operations are written by this test")
    }
}

impl Told {
    /// As the history has it.
    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }
}

/// The store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pairs: BTreeMap<u64, Bytes>,
    /// The hashes of all pairs, together.
    digest: u64,
}

impl Model {
    fn set(&mut self, key: u64, value: Option<Bytes>) {
        let hash = |value: &Bytes| {
            let mut hasher = DefaultHasher::new();
            (key, value).hash(&mut hasher);
            hasher.finish()
        };
        self.digest ^= value.as_ref().map_or(0, hash);
        let before = match value {
            Some(value) => self.pairs.insert(key, value),
            None => self.pairs.remove(&key),
        };
        self.digest ^= before.as_ref().map_or(0, hash);
    }

    fn run(&mut self, Operation { key, verb }: Operation) -> Told {
        let held = self.pairs.get(&key).cloned();
        match verb {
            Verb::Get => return Told::Holds(held),
            Verb::Put(value) => self.set(key, Some(value)),
            Verb::Delete => self.set(key, None),
            Verb::CompareAndSet { expected, .. } if expected != held => return Told::Differs(held),
            Verb::CompareAndSet { value, .. } => self.set(key, value),
        }
        Told::Done
    }
}

impl Machine for Model {
    fn apply(&mut self, _position: LogPosition, command: &Bytes) -> Bytes {
        self.run(Operation::decode(command)).encode()
    }

    fn digest(&self) -> u64 {
        self.digest
    }

    fn snapshot(&self) -> Bytes {
        encode(&self.pairs)
    }

    fn restore(snapshot: &Bytes) -> Result<Self, String> {
        let pairs: BTreeMap<u64, Bytes> =
            postcard::from_bytes(snapshot).map_err(|error| error.to_string())?;
        let mut model = Self::default();
        for (key, value) in pairs {
            model.set(key, Some(value));
        }
        Ok(model)
    }

    fn command(draw: &mut Draw) -> Bytes {
        Operation { key: draw.below(8), verb: Verb::Get }.encode()
    }

    fn partition(command: &Bytes) -> Option<u64> {
        Some(Operation::decode(command).key)
    }

    fn describe(command: &Bytes, output: Option<&Bytes>) -> String {
        let Operation { key, verb } = Operation::decode(command);
        let asked = match verb {
            Verb::Get => "get".to_owned(),
            Verb::Put(value) => format!("put {}", text(Some(&value))),
            Verb::Delete => "delete".to_owned(),
            Verb::CompareAndSet { expected, value } => {
                format!("{} => {}", text(expected.as_ref()), text(value.as_ref()))
            }
        };
        let told = output.and_then(|output| postcard::from_bytes::<Told>(output).ok());
        let told = match told {
            None => "?".to_owned(),
            Some(Told::Done) => "done".to_owned(),
            Some(Told::Holds(value)) => text(value.as_ref()),
            Some(Told::Differs(value)) => format!("not, it holds {}", text(value.as_ref())),
        };
        format!("{} {asked}: {told}", Operation::name(key))
    }
}

/// A value, or nothing, as far as it is worth reading.
pub(crate) fn text(value: Option<&Bytes>) -> String {
    const WORTH: usize = 12;
    value.map_or("nothing".to_owned(), |value| {
        String::from_utf8_lossy(&value[..value.len().min(WORTH)]).into_owned()
    })
}
