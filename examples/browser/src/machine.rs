//! The replicated machine: a map of keys to values.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::records::encode;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Machine(BTreeMap<String, String>);

impl Machine {
    /// The command that puts `value` at `key`.
    pub(crate) fn put(key: &str, value: &str) -> Bytes {
        encode(&(key, value)).into()
    }

    /// What is no such command changes nothing, on every replica alike.
    pub(crate) fn apply(&mut self, command: &[u8]) {
        if let Ok((key, value)) = serde_json::from_slice(command) {
            self.0.insert(key, value);
        }
    }

    /// Everything, for a snapshot.
    pub(crate) fn state(&self) -> Bytes {
        encode(self).into()
    }

    /// # Errors
    /// When the snapshot is none of this machine's.
    pub(crate) fn load(state: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(state)
    }
}
