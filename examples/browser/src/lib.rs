//! raft-core in a Web Worker: what JavaScript sees of a node.
//!
//! [`BrowserNode`] holds the node, the replicated map and the obligations that the database has not met yet. Whoever
//! calls it owes what every driver owes, and gives the time with each call: milliseconds of a clock that does not fall.
//! Everything that is to be done comes back as a JSON array (`output.rs`), in the order in which it is to be begun.

mod records;
mod machine;
mod output;
mod driver;

use std::collections::BTreeMap;
use std::mem;

use bytes::Bytes;
use raft_core::{
    Bootstrap, ClusterId, Effects, Envelope, Input, Instant, LogPosition, Membership, Node, NodeId,
    Request, RequestId, Settings, Start,
};
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::driver::Obligation;
use crate::machine::Machine;
use crate::output::Output;
use crate::records::{Kind, Note, Records, Snapshot, Staged, encode};

const CLUSTER: ClusterId = ClusterId(1);
/// How many entries before a snapshot stay in the log, for nodes that are a little behind.
const RETAINED_ENTRIES: u64 = 50;
/// In JSON a command is four times as long, and a worker does one thing at a time.
const MAX_COMMAND_BYTES: u64 = 128 * 1024;

/// One Raft node of a cluster whose members are fixed.
#[wasm_bindgen]
#[derive(Debug)]
pub struct BrowserNode {
    node: Node,
    effects: Effects,
    machine: Machine,
    /// The bytes of those snapshots that somebody may still ask for.
    snapshots: BTreeMap<LogPosition, Bytes>,
    /// The bytes that have arrived of another.
    staged: Vec<u8>,
    obligations: BTreeMap<u32, Obligation>,
    /// The last number that was given to an obligation.
    numbers: u32,
    /// What a new database is to say of whom it belongs to.
    note: Option<Note>,
    outputs: Vec<Output>,
}

#[wasm_bindgen]
impl BrowserNode {
    /// A node as its database has it (all `records`, `[[["log", 7], "..."], ...]`), or a founder if there are none.
    ///
    /// # Errors
    /// When the database is another node's or contradicts itself, or `id` is not among the members.
    #[wasm_bindgen(constructor)]
    pub fn new(
        id: u32,
        members: &[u32],
        seed: u32,
        now: u64,
        records: &str,
    ) -> Result<Self, String> {
        let records = Records::parse(records)?;
        let own = Note { cluster: CLUSTER, node: NodeId(id.into()) };
        let start: Start = if records.is_empty() {
            let members = members.iter().map(|member| NodeId((*member).into()));
            let membership = Membership::of_voters(members).map_err(|error| error.to_string())?;
            Bootstrap { membership }.into()
        } else {
            check_note(own, records.last(Kind::Note)?)?;
            records.restored()?.into()
        };
        let settings = Settings {
            seed: seed.into(),
            retained_entries: RETAINED_ENTRIES,
            max_command_bytes: MAX_COMMAND_BYTES,
            ..Settings::new(own.cluster, own.node)
        };
        let config = settings.validate().map_err(|error| error.to_string())?;
        let node = Node::new(config, start, Instant(now)).map_err(|error| error.to_string())?;
        let snapshot: Option<Snapshot> = records.last(Kind::Snapshot)?;
        let staged: Option<Staged> = records.last(Kind::Staged)?;
        Ok(Self {
            node,
            effects: Effects::new(),
            machine: Machine::default(),
            snapshots: snapshot.into_iter().map(|s| (s.meta.position, s.state)).collect(),
            staged: staged.map(|staged| staged.state).unwrap_or_default(),
            obligations: BTreeMap::new(),
            numbers: 0,
            note: records.is_empty().then_some(own),
            outputs: Vec::new(),
        })
    }

    /// When to call `tick`, whatever happens until then.
    pub fn deadline(&self) -> u64 {
        self.node.deadline().0
    }

    /// Nothing but time has passed.
    pub fn tick(&mut self, now: u64) -> String {
        self.take(now, Input::Tick)
    }

    /// A message arrived on the connection to `from`. It is ignored if it says that it is from another.
    pub fn receive(&mut self, now: u64, from: u32, message: &str) -> String {
        match serde_json::from_str::<Envelope>(message) {
            Ok(envelope) if envelope.from == NodeId(from.into()) => {
                self.take(now, Input::Receive(envelope))
            }
            Ok(envelope) => self.complain(format!("n{from} sent in the name of {}", envelope.from)),
            Err(error) => self.complain(format!("n{from} sent what is no message: {error}")),
        }
    }

    /// A caller wants `value` at `key`. The `id` comes back in the one reply.
    pub fn propose(&mut self, now: u64, id: u32, key: &str, value: &str) -> String {
        let request =
            Request::Propose { id: RequestId(id.into()), command: Machine::put(key, value) };
        self.take(now, Input::Request(request))
    }

    /// A caller wants to read the map, linearizably.
    pub fn read(&mut self, now: u64, id: u32) -> String {
        self.take(now, Input::Request(Request::Read { id: RequestId(id.into()) }))
    }

    /// The transaction `number` is durable. (When it failed, drop the node and start it from its database.)
    ///
    /// # Errors
    /// When there is no such transaction.
    pub fn stored(&mut self, now: u64, number: u32) -> Result<String, String> {
        self.is_durable(Instant(now), number)?;
        Ok(self.outputs())
    }

    /// Records were read for `number`.
    ///
    /// # Errors
    /// When nothing is read under that number, or the records make no sense.
    pub fn loaded(&mut self, now: u64, number: u32, records: &str) -> Result<String, String> {
        self.is_read(Instant(now), number, records)?;
        Ok(self.outputs())
    }

    /// What the page shows, as JSON. Its map may be stale: a read gives a fresh one.
    pub fn status(&self) -> String {
        let status = self.node.status();
        let seen = json!({
            "role": status.role.to_string(), "term": status.term(), "leader": status.leader,
            "last": status.last.index, "commit": status.commit, "snapshot": status.snapshot.index,
            "map": self.machine,
        });
        seen.to_string()
    }
}

impl BrowserNode {
    fn take(&mut self, now: u64, input: Input) -> String {
        self.step(Instant(now), input);
        self.outputs()
    }

    fn complain(&mut self, text: String) -> String {
        self.outputs.push(Output::Event { text });
        self.outputs()
    }

    fn outputs(&mut self) -> String {
        encode(&mem::take(&mut self.outputs))
    }
}

/// A database belongs to one node.
fn check_note(own: Note, found: Option<Note>) -> Result<(), String> {
    match found {
        Some(note) if note == own => Ok(()),
        Some(Note { cluster, node }) => Err(format!(
            "the database belongs to {node} of {cluster}, not to {} of {}: open the one of this node",
            own.node, own.cluster
        )),
        None => Err("the database does not say whose it is: it is no node's".to_owned()),
    }
}
