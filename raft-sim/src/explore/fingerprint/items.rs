//! What consists of parts: sequences, tuples, maps and structs.

use std::fmt;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{Mode, Printer};
use crate::draw::mix;

/// The parts of a value, while they come.
pub(super) struct Items<'p, 'a> {
    printer: &'p mut Printer<'a>,
    /// The struct, if it is one.
    holder: &'static str,
    is_set: bool,
    /// Of a set: its elements, in whatever order.
    sum: u64,
    count: u64,
}

impl<'p, 'a> Items<'p, 'a> {
    pub(super) fn begin(printer: &'p mut Printer<'a>, holder: &'static str) -> Self {
        let is_set = printer.take_mode() == Mode::Set;
        Self { printer, holder, is_set, sum: 0, count: 0 }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.count += 1;
        if !self.is_set {
            return value.serialize(&mut *self.printer);
        }
        let before = std::mem::replace(&mut self.printer.state, 1);
        value.serialize(&mut *self.printer)?;
        let element = std::mem::replace(&mut self.printer.state, before);
        self.sum = self.sum.wrapping_add(mix(element));
        Ok(())
    }

    fn finish(self) {
        self.printer.add(self.sum);
        self.printer.add(self.count);
    }
}

impl SerializeSeq for Items<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }

    fn end(self) -> fmt::Result {
        self.finish();
        Ok(())
    }
}

impl SerializeTuple for Items<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }

    fn end(self) -> fmt::Result {
        Ok(())
    }
}

impl SerializeTupleStruct for Items<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }

    fn end(self) -> fmt::Result {
        Ok(())
    }
}

impl SerializeTupleVariant for Items<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }

    fn end(self) -> fmt::Result {
        Ok(())
    }
}

impl SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> fmt::Result {
        self.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.element(value)
    }

    fn end(self) -> fmt::Result {
        self.finish();
        Ok(())
    }
}

impl SerializeStruct for Items<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.printer.field(self.holder, key, value)
    }

    fn end(self) -> fmt::Result {
        Ok(())
    }
}

impl SerializeStructVariant for Items<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> fmt::Result {
        self.printer.field(self.holder, key, value)
    }

    fn end(self) -> fmt::Result {
        Ok(())
    }
}
