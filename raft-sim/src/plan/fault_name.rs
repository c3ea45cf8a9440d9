//! The name of a fault of a machine's own.
//!
//! Invariant: 1 to [`FaultName::MOST`] bytes, each a small letter, a digit or a hyphen, so that it is one word of a scenario.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a fault that a machine has of its own: one of [`Machine::FAULTS`](crate::machine::Machine::FAULTS).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FaultName {
    /// The bytes, and behind them zeros.
    bytes: [u8; Self::MOST],
}

impl FaultName {
    /// The most bytes of a name.
    pub const MOST: usize = 24;

    /// The name, in words.
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::MOST);
        std::str::from_utf8(&self.bytes[..end]).unwrap_or_default()
    }
}

impl FromStr for FaultName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > Self::MOST || !name.bytes().all(is_plain) {
            return Err(format!(
                "`{name}` is no name of a machine's fault: 1 to {} small letters, digits and hyphens",
                Self::MOST
            ));
        }
        let mut bytes = [0; Self::MOST];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Self { bytes })
    }
}

impl TryFrom<String> for FaultName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<FaultName> for String {
    fn from(name: FaultName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a name is what was written, at every length, and what is none is refused by its text.
    #[test]
    fn names_are_words() {
        let longest = "a".repeat(FaultName::MOST);
        for text in ["x", "lose-cache-2", longest.as_str()] {
            let name: FaultName = text.parse().expect("it is a name");
            assert_eq!(name.as_str(), text);
            let json = serde_json::to_string(&name).expect("a text");
            assert_eq!(serde_json::from_str::<FaultName>(&json).expect("a name"), name);
        }
        let longer = "a".repeat(FaultName::MOST + 1);
        for text in ["", "Cache", "lose cache", "caché", longer.as_str()] {
            let error = text.parse::<FaultName>().expect_err("it is none");
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
        assert!(serde_json::from_str::<FaultName>("\"\\u0000\"").is_err());
    }
}
