//! The state machine: keys and their values.
//!
//! Every node applies the same commands in the same order, so all that happens here must depend on the commands alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What the log carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The key has this value from now on.
    Put {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
}

/// Keys and values. Not on the disk: made anew from the log at each start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    values: BTreeMap<String, String>,
}

impl Command {
    /// As the log carries it.
    #[expect(clippy::missing_panics_doc, reason = "it never does")]
    pub fn encode(&self) -> Bytes {
        postcard::to_stdvec(self).expect("a command is plain data, of known lengths").into()
    }
}

impl Store {
    /// Applies a command; gives the value that the key had before. Bytes that are no command change nothing, on any node.
    pub fn apply(&mut self, command: &[u8]) -> Option<String> {
        match postcard::from_bytes(command) {
            Ok(Command::Put { key, value }) => self.values.insert(key, value),
            Err(_) => None,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&String> {
        self.values.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_applied_and_other_bytes_change_nothing() {
        let put = |value: &str| Command::Put { key: "k".to_owned(), value: value.to_owned() };
        let mut store = Store::default();
        assert_eq!(store.apply(&put("1").encode()), None);
        assert_eq!(store.apply(&put("2").encode()), Some("1".to_owned()));
        let before = store.clone();
        assert_eq!(store.apply(b"\xff\xff"), None);
        assert_eq!(store, before);
        assert_eq!(store.get("k"), Some(&"2".to_owned()));
        assert_eq!(store.get("other"), None);
    }
}
