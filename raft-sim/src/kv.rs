//! A key-value store: the machine that is simulated when the user brings none.
//!
//! Few keys and many clients, so that operations meet; mostly unique values, so that a read tells which
//! write it saw. Operations on different keys are independent of each other.
//!
//! Invariants: an absent key has an empty value; `digest` is the sum of the keys' hashes, kept up to date
//! by each change; a command that cannot be understood changes nothing.

use std::fmt::Write as _;

use bytes::{BufMut, Bytes};
use raft_core::LogPosition;

use crate::draw::Draw;
use crate::hash::hash_bytes;
use crate::machine::Machine;

/// How many keys there are.
pub const KEYS: u8 = 8;
/// An append that would make a value longer than this is refused.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
/// What an empty value is called.
const NOTHING: &str = "nothing";

/// The store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kv {
    values: [Bytes; KEYS as usize],
    /// What each key adds to the digest; 0 when absent.
    hashes: [u64; KEYS as usize],
    digest: u64,
}

/// What a client may ask of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Answers the value; nothing when absent.
    Get {
        /// Of which key.
        key: u8,
    },
    /// Sets the value.
    Put {
        /// Of which key.
        key: u8,
        /// Never empty.
        value: Bytes,
    },
    /// Adds to the end of the value, and answers the new length as four bytes, the least first.
    Append {
        /// Of which key.
        key: u8,
        /// Never empty.
        value: Bytes,
    },
    /// Sets the value if it is the expected one, and answers whether it was.
    CompareAndSet {
        /// Of which key.
        key: u8,
        /// What it must be; nothing for an absent key.
        expected: Bytes,
        /// What it becomes; never empty.
        value: Bytes,
    },
    /// Makes the key absent, and answers whether it was there.
    Delete {
        /// Which key.
        key: u8,
    },
}

/// Why bytes are no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Fewer bytes than a command has.
    #[error("the command has {length} bytes, fewer than its kind needs")]
    TooShort {
        /// How many there are.
        length: usize,
    },
    /// More bytes than a command has.
    #[error("the command has bytes after its end")]
    TooLong,
    /// A first byte that names no kind.
    #[error("the command's kind is {tag}; kinds go from 1 to 5")]
    UnknownKind {
        /// The first byte.
        tag: u8,
    },
    /// A key that does not exist.
    #[error("the command's key is {key}; keys go from 0 to 7")]
    UnknownKey {
        /// The second byte.
        key: u8,
    },
    /// A value of nothing, which would be an absent key.
    #[error("the command's value is empty; a value needs at least one byte")]
    EmptyValue,
}

impl Command {
    /// Reads a command.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &Bytes) -> Result<Self, CommandError> {
        let too_short = CommandError::TooShort { length: bytes.len() };
        let [tag, key, rest @ ..] = &bytes[..] else { return Err(too_short) };
        let (tag, key) = (*tag, *key);
        if key >= KEYS {
            return Err(CommandError::UnknownKey { key });
        }
        let value = |from: usize| match bytes.get(from..) {
            Some([_, ..]) => Ok(bytes.slice(from..)),
            _ => Err(CommandError::EmptyValue),
        };
        match tag {
            1 | 5 if !rest.is_empty() => Err(CommandError::TooLong),
            1 => Ok(Self::Get { key }),
            2 => Ok(Self::Put { key, value: value(2)? }),
            3 => Ok(Self::Append { key, value: value(2)? }),
            4 => {
                let [low, high, ..] = rest else { return Err(too_short) };
                let end = 4 + usize::from(u16::from_le_bytes([*low, *high]));
                if bytes.len() < end {
                    return Err(too_short);
                }
                Ok(Self::CompareAndSet { key, expected: bytes.slice(4..end), value: value(end)? })
            }
            5 => Ok(Self::Delete { key }),
            tag => Err(CommandError::UnknownKind { tag }),
        }
    }

    /// Reads a command in the words that [`Machine::describe`] has for it: `get k3`, `put k3 = red`,
    /// `append k3 += red`, `cas k3: red => blue`, `delete k3`. An absent key has the value `nothing` in a `cas`.
    pub fn parse(text: &str) -> Option<Self> {
        let (verb, rest) = text.trim().split_once(' ')?;
        let key = |word: &str| {
            let digit = word.trim().strip_prefix('k').filter(|digit| digit.len() == 1)?;
            digit.parse().ok().filter(|key| *key < KEYS)
        };
        let value = |word: &str| {
            let word = word.trim();
            (!word.is_empty()).then(|| Bytes::copy_from_slice(word.as_bytes()))
        };
        Some(match verb {
            "get" => Self::Get { key: key(rest)? },
            "delete" => Self::Delete { key: key(rest)? },
            "put" => {
                let (name, new) = rest.split_once(" = ")?;
                Self::Put { key: key(name)?, value: value(new)? }
            }
            "append" => {
                let (name, addition) = rest.split_once(" += ")?;
                Self::Append { key: key(name)?, value: value(addition)? }
            }
            "cas" => {
                let (name, values) = rest.split_once(':')?;
                let (old, new) = values.split_once(" => ")?;
                let old = value(old)?;
                let expected = if old == NOTHING { Bytes::new() } else { old };
                Self::CompareAndSet { key: key(name)?, expected, value: value(new)? }
            }
            _ => return None,
        })
    }

    /// Writes the command: its kind, its key, and what the kind needs. An expected value longer than 65,535
    /// bytes is cut there, and so will hardly be met.
    pub fn encode(&self) -> Bytes {
        let bytes = match self {
            Self::Get { key } => vec![1, *key],
            Self::Put { key, value } => [&[2, *key], &value[..]].concat(),
            Self::Append { key, value } => [&[3, *key], &value[..]].concat(),
            Self::CompareAndSet { key, expected, value } => {
                let length = u16::try_from(expected.len()).unwrap_or(u16::MAX);
                let [low, high] = length.to_le_bytes();
                let expected = &expected[..usize::from(length)];
                [&[4, *key, low, high], expected, value].concat()
            }
            Self::Delete { key } => vec![5, *key],
        };
        bytes.into()
    }
}

impl Kv {
    /// The value of a key; nothing when absent.
    pub fn value(&self, key: u8) -> Bytes {
        self.values.get(usize::from(key)).cloned().unwrap_or_default()
    }

    fn set(&mut self, key: u8, value: Bytes) {
        let slot = usize::from(key);
        let hash = if value.is_empty() { 0 } else { hash_bytes(u64::from(key), &value) };
        self.digest = self.digest.wrapping_sub(self.hashes[slot]).wrapping_add(hash);
        self.hashes[slot] = hash;
        self.values[slot] = value;
    }

    fn run(&mut self, command: Command) -> Bytes {
        match command {
            Command::Get { key } => self.value(key),
            Command::Put { key, value } => {
                self.set(key, value);
                Bytes::from_static(b"ok")
            }
            Command::Append { key, value } => self.append(key, &value),
            Command::CompareAndSet { key, expected, value } => {
                if self.values[usize::from(key)] != expected {
                    return Bytes::from_static(b"not set");
                }
                self.set(key, value);
                Bytes::from_static(b"set")
            }
            Command::Delete { key } => {
                let was_there = !self.values[usize::from(key)].is_empty();
                self.set(key, Bytes::new());
                Bytes::from_static(if was_there { b"deleted" } else { b"absent" })
            }
        }
    }

    fn append(&mut self, key: u8, addition: &Bytes) -> Bytes {
        let old = &self.values[usize::from(key)];
        let length = old.len() + addition.len();
        if length > MAX_VALUE_BYTES {
            return Bytes::from_static(b"too long");
        }
        let value = [&old[..], addition].concat();
        self.set(key, value.into());
        Bytes::copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes())
    }
}

impl Machine for Kv {
    fn apply(&mut self, _position: LogPosition, command: &Bytes) -> Bytes {
        match Command::decode(command) {
            Ok(command) => self.run(command),
            Err(error) => Bytes::from(format!("error: {error}")),
        }
    }

    fn query(&self, command: &Bytes) -> Option<Bytes> {
        match Command::decode(command) {
            Ok(Command::Get { key }) => Some(self.value(key)),
            _ => None,
        }
    }

    fn digest(&self) -> u64 {
        self.digest
    }

    fn snapshot(&self) -> Bytes {
        let length = self.values.iter().map(|value| 4 + value.len()).sum();
        let mut bytes = Vec::with_capacity(length);
        for value in &self.values {
            bytes.put_u32_le(u32::try_from(value.len()).expect("no command is as long as 4 GiB"));
            bytes.put_slice(value);
        }
        bytes.into()
    }

    fn restore(snapshot: &Bytes) -> Result<Self, String> {
        let mut store = Self::default();
        let mut rest = snapshot.clone();
        for key in 0..KEYS {
            let cut = || {
                format!("the snapshot ends inside key {key}: it was cut, or is none of this store")
            };
            let length = rest.get(..4).and_then(|length| length.try_into().ok()).ok_or_else(cut)?;
            let end =
                usize::try_from(u32::from_le_bytes(length)).map_err(|_| cut())?.saturating_add(4);
            if rest.len() < end {
                return Err(cut());
            }
            store.set(key, rest.slice(4..end));
            rest = rest.slice(end..);
        }
        if rest.is_empty() {
            Ok(store)
        } else {
            Err(format!(
                "the snapshot has {} bytes after its end: it is none of this store",
                rest.len()
            ))
        }
    }

    fn command(draw: &mut Draw) -> Bytes {
        let key = u8::try_from(draw.below(u64::from(KEYS))).expect("below 8");
        let command = match draw.below(100) {
            0..35 => Command::Get { key },
            35..65 => Command::Put { key, value: drawn_value(draw) },
            65..75 => Command::Append { key, value: unique(draw, 8) },
            75..92 => {
                Command::CompareAndSet { key, expected: common(draw), value: drawn_value(draw) }
            }
            _ => Command::Delete { key },
        };
        command.encode()
    }

    fn partition(command: &Bytes) -> Option<u64> {
        // Without a key it concerns no key: any part will do, and all such commands share one.
        Some(command.get(1).map_or(u64::MAX, |key| u64::from(*key)))
    }

    fn parse_command(text: &str) -> Option<Bytes> {
        Command::parse(text).map(|command| command.encode())
    }

    fn command_text(command: &Bytes) -> Option<String> {
        let text = Self::describe(command, None);
        // What people read may be cut short.
        (Self::parse_command(&text).as_ref() == Some(command)).then_some(text)
    }

    fn describe(command: &Bytes, output: Option<&Bytes>) -> String {
        let (asked, told) = match Command::decode(command) {
            Ok(Command::Get { key }) => (format!("get k{key}"), output.map(readable)),
            Ok(Command::Put { key, value }) => {
                (format!("put k{key} = {}", readable(&value)), output.map(readable))
            }
            Ok(Command::Append { key, value }) => {
                (format!("append k{key} += {}", readable(&value)), output.map(length_of))
            }
            Ok(Command::CompareAndSet { key, expected, value }) => (
                format!("cas k{key}: {} => {}", readable(&expected), readable(&value)),
                output.map(readable),
            ),
            Ok(Command::Delete { key }) => (format!("delete k{key}"), output.map(readable)),
            Err(_) => (format!("garbage {}", readable(command)), output.map(readable)),
        };
        told.map_or(asked.clone(), |told| format!("{asked} -> {told}"))
    }
}

/// One of a few values that compare-and-set can hope to meet, or nothing, for an absent key.
fn common(draw: &mut Draw) -> Bytes {
    const COMMON: [&[u8]; 4] = [b"", b"red", b"green", b"blue"];
    Bytes::from_static(draw.pick::<&[u8]>(&COMMON))
}

/// Mostly small and unique; sometimes common; sometimes some hundred bytes, up to 2 KiB.
fn drawn_value(draw: &mut Draw) -> Bytes {
    match draw.below(100) {
        0..40 => match common(draw) {
            value if value.is_empty() => unique(draw, 8),
            value => value,
        },
        40..85 => {
            let length = draw.between(8, 24);
            unique(draw, length)
        }
        _ => {
            let length = draw.log_uniform(64, 2_048);
            unique(draw, length)
        }
    }
}

/// Bytes that no other draw gives: eight random ones, repeated.
fn unique(draw: &mut Draw, length: u64) -> Bytes {
    let pattern = draw.bits().to_le_bytes();
    let length = usize::try_from(length).expect("at most 2 KiB");
    let mut bytes = pattern.repeat(length.div_ceil(pattern.len()));
    bytes.truncate(length);
    bytes.into()
}

/// Short text as it is, anything else as its first bytes and its length.
fn readable(bytes: &Bytes) -> String {
    if bytes.is_empty() {
        return NOTHING.to_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| c.is_ascii_graphic() || c == ' ') => text.to_owned(),
        _ => {
            let mut start = String::new();
            for byte in bytes.iter().take(4) {
                write!(start, "{byte:02x}").expect("a string takes everything");
            }
            format!("{start}..({} bytes)", bytes.len())
        }
    }
}

fn length_of(output: &Bytes) -> String {
    match output[..].try_into() {
        Ok(length) => format!("{} bytes", u32::from_le_bytes(length)),
        Err(_) => readable(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Domain;
    use proptest::prelude::*;

    fn commands(seed: u64) -> impl Iterator<Item = Bytes> {
        (0..).map(move |n| Kv::command(&mut Draw::new(seed, Domain::Client, &[n])))
    }

    fn filled(seed: u64, count: usize) -> Kv {
        let mut store = Kv::default();
        for command in commands(seed).take(count) {
            store.apply(LogPosition::ZERO, &command);
        }
        store
    }

    /// Goal: every drawn command is understood and written back alike; every kind and size is drawn, and
    /// compare-and-set both meets and misses.
    #[test]
    fn drawn_commands_round_trip_and_vary() {
        let mut store = Kv::default();
        let (mut kinds, mut large, mut set, mut not_set) = ([0; 5], 0, 0, 0);
        for bytes in commands(1).take(2_000) {
            let command = Command::decode(&bytes).expect("drawn commands are sound");
            assert_eq!(command.encode(), bytes);
            kinds[usize::from(bytes[0]) - 1] += 1;
            large += u32::from(bytes.len() > 256);
            let output = store.apply(LogPosition::ZERO, &bytes);
            set += u32::from(output == "set");
            not_set += u32::from(output == "not set");
            assert!(!Kv::describe(&bytes, Some(&output)).is_empty());
        }
        assert!(kinds.iter().all(|count| *count > 50), "{kinds:?}");
        assert!(large > 50 && set > 20 && not_set > 20, "{large} {set} {not_set}");
    }

    /// Goal: the digest depends on the state alone, and a snapshot restores both.
    #[test]
    fn digest_and_snapshot_follow_the_state() {
        let store = filled(2, 500);
        assert_eq!(Kv::restore(&store.snapshot()), Ok(store.clone()));
        let mut rebuilt = Kv::default();
        for key in (0..KEYS).rev() {
            rebuilt.set(key, store.value(key));
        }
        assert_eq!(rebuilt.digest(), store.digest());
        rebuilt.set(0, Bytes::from_static(b"other"));
        assert_ne!(rebuilt.digest(), store.digest());
        for key in 0..KEYS {
            rebuilt.set(key, Bytes::new());
        }
        assert_eq!(rebuilt, Kv::default());
    }

    /// Goal: each operation does what its description says.
    #[test]
    fn operations_do_what_they_say() {
        let mut store = Kv::default();
        let mut ask = |command: Command| store.apply(LogPosition::ZERO, &command.encode());
        let text = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(ask(Command::Get { key: 3 }), "");
        assert_eq!(
            ask(Command::CompareAndSet { key: 3, expected: text(""), value: text("red") }),
            "set"
        );
        assert_eq!(
            ask(Command::CompareAndSet { key: 3, expected: text(""), value: text("x") }),
            "not set"
        );
        assert_eq!(ask(Command::Append { key: 3, value: text("ish") }), 6_u32.to_le_bytes()[..]);
        assert_eq!(ask(Command::Get { key: 3 }), "redish");
        assert_eq!(ask(Command::Put { key: 3, value: text("blue") }), "ok");
        assert_eq!(ask(Command::Delete { key: 3 }), "deleted");
        assert_eq!(ask(Command::Delete { key: 3 }), "absent");
    }

    /// Goal: a command has words if they say all of it, and then they are read as that command.
    #[test]
    fn words_are_the_command_or_there_are_none() {
        let texts =
            ["get k3", "put k0 = red", "append k7 += a b", "cas k1: nothing => x", "delete k2"];
        for text in texts {
            let bytes = Kv::parse_command(text).expect("it is a command");
            assert_eq!(Kv::command_text(&bytes).as_deref(), Some(text));
        }
        for text in
            ["", "get", "get k8", "get k+1", "put k1 =", "put k1 red", "cas k1: a", "take k1"]
        {
            assert_eq!(Kv::parse_command(text), None, "{text}");
        }
        let odd = Command::CompareAndSet { key: 1, expected: "nothing".into(), value: "x".into() };
        assert_eq!(Kv::command_text(&odd.encode()), None);
        let told = commands(3).take(500).filter_map(|bytes| Kv::command_text(&bytes)).count();
        assert!((200..400).contains(&told), "{told} of 500 have words");
    }

    proptest! {
        /// Goal: garbage is answered with an error and changes nothing; what is understood round-trips.
        #[test]
        fn garbage_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40), small in 0..7_u8) {
            let mut bytes = bytes;
            if let Some(tag) = bytes.first_mut() {
                *tag %= small.max(1);
            }
            let bytes = Bytes::from(bytes);
            let mut store = filled(3, 50);
            let before = store.clone();
            let output = store.apply(LogPosition::ZERO, &bytes);
            match Command::decode(&bytes) {
                Ok(command) => prop_assert_eq!(command.encode(), bytes),
                Err(error) => {
                    prop_assert_eq!(output, format!("error: {error}"));
                    prop_assert_eq!(store, before);
                }
            }
        }

        /// Goal: a cut or prolonged snapshot is refused in words.
        #[test]
        fn broken_snapshots_are_refused(cut in 0..30_usize) {
            let whole = filled(4, 100).snapshot();
            prop_assert!(Kv::restore(&whole.slice(..whole.len() - 1 - cut)).is_err());
            let longer: Bytes = whole.iter().copied().chain([0]).collect();
            prop_assert!(Kv::restore(&longer).is_err());
        }
    }
}
