//! A state machine that remembers its commands, and a snapshot of which is those commands, a line each.

use bytes::Bytes;
use raft_core::LogIndex;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Up to here it was given entries, or a snapshot.
    pub applied: LogIndex,
    pub commands: Vec<Bytes>,
}

impl Machine {
    pub fn bytes(&self) -> Bytes {
        let lines = self.commands.iter().flat_map(|command| [&command[..], b"\n"]);
        lines.flatten().copied().collect::<Vec<u8>>().into()
    }

    /// The machine that a snapshot was taken of.
    pub fn of(applied: LogIndex, bytes: &Bytes) -> Self {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let (mut commands, mut start) = (Vec::new(), 0);
        for (end, _) in ends {
            commands.push(bytes.slice(start..end));
            start = end + 1;
        }
        assert_eq!(start, bytes.len(), "a snapshot that was cut");
        Self { applied, commands }
    }
}
