//! What clients ask for, one by one: for plans in which that is not left to the workload.
//!
//! A listed operation is asked once, at its time, of its node, and its client waits for the answer for as long as it
//! takes, or until its own next operation. Nobody asks again what was refused.

use std::fmt::Write as _;

use bytes::Bytes;
use raft_core::{Instant, NodeId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An operation of a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedOperation {
    /// When.
    pub at: Instant,
    /// Whose: a client has one operation at a time.
    pub client: u32,
    /// The node it asks. Nothing is asked of one that is down.
    pub node: NodeId,
    /// How it asks.
    pub asks: Asks,
    /// What it asks for, as the machine understands it.
    pub command: CommandBytes,
}

/// The way of an operation through the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asks {
    /// Through the log.
    Command,
    /// As a read. What the machine cannot answer as one goes through the log.
    Read,
}

/// The bytes of a command; in a file, in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CommandBytes(pub Bytes);

impl CommandBytes {
    /// The bytes in hexadecimal.
    pub fn to_hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(2 * self.0.len()), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes whatever is written to it");
            text
        })
    }

    /// The bytes of a text in hexadecimal; `None` if it is none.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            let is_hex = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            if is_hex { u8::from_str_radix(pair, 16).ok() } else { None }
        });
        digits.collect::<Option<Vec<u8>>>().map(|bytes| Self(bytes.into()))
    }
}

impl Serialize for CommandBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for CommandBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a command: write its bytes in hexadecimal, two digits each"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes survive hexadecimal, and what is no hexadecimal is refused.
    #[test]
    fn commands_survive_hexadecimal() {
        for bytes in [&[][..], &[0], &[0xff, 0x10, 7]] {
            let command = CommandBytes(Bytes::copy_from_slice(bytes));
            assert_eq!(CommandBytes::from_hex(&command.to_hex()), Some(command));
        }
        for text in ["1", "zz", "+1", "0102 ", "é"] {
            assert_eq!(CommandBytes::from_hex(text), None, "{text}");
        }
    }
}
