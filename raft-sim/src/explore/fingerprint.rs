//! What a node or a message is, apart from what makes no difference: as a number of 64 bits.
//!
//! A value is written through its `Serialize` into a hash. On the way names of nodes are replaced, times become ages, and
//! counters become distances, or are left out ([`treatment`]); sequences whose order says nothing are taken as
//! sets. A field that nobody has thought of is taken as it is: that makes two states of one, and never one of two.
//!
//! Invariant: what is left out decides nothing within a [`Scope`](super::Scope): timers of elections (which begin by
//! themselves only there), the leases, the reads and the answers to requests (which are not explored), the numbers of writes,
//! questions and lives beyond their order.

mod items;

use std::fmt;

use raft_core::{Instant, LogIndex, Node, RecordedNode};
use serde::Serialize;
use serde::ser::Serializer;

use crate::draw::mix;
use crate::hash::{hash_bytes, mixed};

use super::image::Image;
use items::Items;

/// What a node is called: the new names by the old ones.
pub(super) type Names = Vec<u64>;

/// From where times and counters are counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin {
    now: u64,
    incarnation: u64,
    next_write: u64,
    /// Whether it matters how long ago a peer was heard.
    hears: bool,
}

impl Origin {
    /// As this node counts.
    pub(super) fn of(node: &Node, now: Instant, hears: bool) -> Self {
        let status = node.status();
        let next_write = status.outstanding_write.map_or(0, |number| number.0 + 1);
        Self { now: now.0, incarnation: status.hard_state.incarnation.0, next_write, hears }
    }
}

/// A time longer ago than this is long ago: longer than everything that a node waits for.
pub(super) const HORIZON: u64 = 100_000;

/// How a value is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    /// Not at all.
    Skip,
    /// Whether it is there.
    Presence,
    /// The order of its elements says nothing.
    Set,
    /// A node's name.
    Name,
    /// A reading of a clock.
    Time,
    /// The same, of which it matters only how far ahead it is.
    Until,
    /// The number of a write.
    Write,
    /// The number of a life.
    Life,
}

/// How a field of a struct is taken.
fn treatment(holder: &str, field: &str, origin: &Origin) -> Mode {
    match (holder, field) {
        (
            "Replica",
            "config" | "now" | "jitter" | "questions" | "rejections" | "pending" | "is_settled",
        )
        | ("Follower", "timeout" | "deadline" | "heard")
        | ("Candidate", "timeout")
        | ("PreCandidate", "deadline")
        | ("Contact", "answered" | "promised_until" | "round_trip")
        | ("Rounds", "begun")
        | ("WriteLane", "life" | "next")
        | ("Outstanding", "number")
        | ("Log", "cache" | "uncommitted_bytes") => Mode::Skip,
        ("Progress", "heard") if !origin.hears => Mode::Skip,
        ("Candidate", "deadline") => Mode::Presence,
        ("Replica", "promised_until" | "suppressed_until") => Mode::Until,
        ("Leader", "peers")
        | ("Outbox", "withheld")
        | ("MembershipParts", "voters" | "outgoing" | "learners") => Mode::Set,
        _ => Mode::Plain,
    }
}

/// What a newtype stands for.
fn meaning(name: &str) -> Mode {
    match name {
        "NodeId" => Mode::Name,
        "Instant" => Mode::Time,
        "WriteNumber" => Mode::Write,
        "Incarnation" => Mode::Life,
        "Ballots" => Mode::Set,
        _ => Mode::Plain,
    }
}

/// The fingerprint of a value under new names.
pub(super) fn fingerprint(value: &impl Serialize, names: &[u64], origin: Origin) -> u64 {
    let mut printer = Printer { names, origin, state: 0, mode: Mode::Plain };
    value.serialize(&mut printer).expect("nothing here refuses to be hashed");
    mix(printer.state)
}

/// The fingerprint of a node: of all that decides what it will do. Its log is taken apart from it: how what is in memory is cut
/// into runs says nothing. Where it begins does: what lies before is read from the disk first, and sent by itself.
pub(super) fn of_node(node: &Node, log: &Image, names: &[u64], origin: Origin) -> u64 {
    let id = names[place(node.id().0)];
    let state = mixed(id, fingerprint(&RecordedNode::of(node), names, origin));
    let in_memory = (node.base().index.0 + 1..).map(LogIndex);
    let read =
        in_memory.take_while(|index| *index <= node.last().index && node.entry(*index).is_none());
    mixed(mixed(state, read.count() as u64), fingerprint(log, names, origin))
}

/// Names are small numbers.
fn place(name: u64) -> usize {
    usize::try_from(name).expect("a node's name is a small number")
}

/// A serializer whose output is a number.
struct Printer<'a> {
    names: &'a [u64],
    origin: Origin,
    state: u64,
    /// How the next value is to be taken.
    mode: Mode,
}

impl Printer<'_> {
    fn add(&mut self, value: u64) {
        self.state = mixed(self.state, value);
    }

    fn take_mode(&mut self) -> Mode {
        std::mem::replace(&mut self.mode, Mode::Plain)
    }

    fn number(&mut self, value: u64) {
        let origin = self.origin;
        match self.take_mode() {
            Mode::Name => self.add(self.names[place(value)]),
            Mode::Time if value == Instant::NEVER.0 => self.add(1),
            Mode::Time | Mode::Until if value > origin.now => {
                self.add(2);
                self.add(value - origin.now);
            }
            Mode::Until => self.add(3),
            Mode::Time => {
                self.add(3);
                self.add((origin.now - value).min(HORIZON));
            }
            Mode::Write => self.add(origin.next_write.wrapping_sub(value)),
            Mode::Life => self.add(origin.incarnation.wrapping_sub(value)),
            _ => self.add(value),
        }
    }

    fn field<T: Serialize + ?Sized>(
        &mut self,
        holder: &str,
        field: &str,
        value: &T,
    ) -> fmt::Result {
        match treatment(holder, field, &self.origin) {
            Mode::Skip => Ok(()),
            mode => {
                self.mode = mode;
                value.serialize(&mut *self)
            }
        }
    }
}

impl<'p, 'a> Serializer for &'p mut Printer<'a> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Items<'p, 'a>;
    type SerializeTuple = Items<'p, 'a>;
    type SerializeTupleStruct = Items<'p, 'a>;
    type SerializeTupleVariant = Items<'p, 'a>;
    type SerializeMap = Items<'p, 'a>;
    type SerializeStruct = Items<'p, 'a>;
    type SerializeStructVariant = Items<'p, 'a>;

    fn serialize_bool(self, value: bool) -> fmt::Result {
        self.number(u64::from(value));
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> fmt::Result {
        self.number(u64::from(value));
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> fmt::Result {
        self.number(u64::from(value));
        Ok(())
    }

    fn serialize_u32(self, value: u32) -> fmt::Result {
        self.number(u64::from(value));
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> fmt::Result {
        self.number(value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> fmt::Result {
        self.serialize_i64(i64::from(value))
    }

    fn serialize_i16(self, value: i16) -> fmt::Result {
        self.serialize_i64(i64::from(value))
    }

    fn serialize_i32(self, value: i32) -> fmt::Result {
        self.serialize_i64(i64::from(value))
    }

    fn serialize_i64(self, value: i64) -> fmt::Result {
        self.number(u64::from_le_bytes(value.to_le_bytes()));
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> fmt::Result {
        self.number(u64::from(value.to_bits()));
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> fmt::Result {
        self.number(value.to_bits());
        Ok(())
    }

    fn serialize_char(self, value: char) -> fmt::Result {
        self.number(u64::from(u32::from(value)));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> fmt::Result {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> fmt::Result {
        self.add(hash_bytes(7, value));
        Ok(())
    }

    fn serialize_none(self) -> fmt::Result {
        self.mode = Mode::Plain;
        self.add(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> fmt::Result {
        self.add(1);
        if self.mode == Mode::Presence {
            self.mode = Mode::Plain;
            return Ok(());
        }
        value.serialize(self)
    }

    fn serialize_unit(self) -> fmt::Result {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> fmt::Result {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> fmt::Result {
        self.mode = Mode::Plain;
        self.add(u64::from(index));
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.mode = if self.mode == Mode::Until { Mode::Until } else { meaning(name) };
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.mode = Mode::Plain;
        self.add(u64::from(index));
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'p, 'a>, fmt::Error> {
        Ok(Items::begin(self, ""))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'p, 'a>, fmt::Error> {
        Ok(Items::begin(self, ""))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Items<'p, 'a>, fmt::Error> {
        Ok(Items::begin(self, ""))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Items<'p, 'a>, fmt::Error> {
        self.add(u64::from(index));
        Ok(Items::begin(self, ""))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'p, 'a>, fmt::Error> {
        Ok(Items::begin(self, ""))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Items<'p, 'a>, fmt::Error> {
        Ok(Items::begin(self, name))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'p, 'a>, fmt::Error> {
        self.add(u64::from(index));
        Ok(Items::begin(self, variant))
    }
}
