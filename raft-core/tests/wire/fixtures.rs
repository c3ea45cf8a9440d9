//! Committed bytes, and what differs from them.
//!
//! A file of fixtures has a line for each value: its name and its bytes in postcard's format, as hexadecimal digits.
//! Of an enum there must be a value for every variant; which there are is asked of serde, so that a new one cannot
//! be forgotten.

use std::any::type_name;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::{Serialize, forward_to_deserialize_any};

/// What there is to know for whoever has changed the bytes.
const ADVICE: &str = "\
Nodes of the old and the new version may meet on a network, or a new one may find an old disk. If that is not what you \
want, undo the change. If it is: raise WireVersion::CURRENT when a message has changed (session::codec::VERSION when it \
is a session's bytes); write into docs/decisions what has changed and how bytes of the old form are to be read; then \
make the fixtures anew with
    UPDATE_WIRE=1 cargo test -p raft-core --features serde --test wire
New values alone need nothing but the last of these.";

/// The values of one file.
pub(crate) struct Fixtures {
    file: PathBuf,
    lines: Vec<(String, String)>,
}

impl Fixtures {
    pub(crate) fn of(file: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
        Self { file: folder.join(file), lines: Vec::new() }
    }

    /// Adds a value, which must come back from its own bytes.
    pub(crate) fn one<T>(&mut self, name: &str, value: &T)
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let bytes = encode(value);
        let read: T = postcard::from_bytes(&bytes).expect("what was written can be read");
        assert_eq!(&read, value, "it came back as another value");
        self.bytes(name, &bytes);
    }

    /// Adds values of an enum, at least one for every variant.
    pub(crate) fn each<T>(&mut self, values: &[T])
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let missing = missing_variants(values);
        assert!(missing.is_empty(), "{missing:?} of {}: add a value of each", type_name::<T>());
        for value in values {
            let variant = variants::<T>()[variant_index(value)];
            self.one(&format!("{}::{variant}", short_name::<T>()), value);
        }
    }

    /// Adds bytes that are not serde's.
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let twins = self.lines.iter().filter(|(other, _)| other.split('/').next() == Some(name));
        let name = match twins.count() {
            0 => name.to_owned(),
            count => format!("{name}/{}", count + 1),
        };
        let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
            write!(digits, "{byte:02x}").expect("a string takes anything");
            digits
        });
        self.lines.push((name, digits));
    }

    /// Compares with what is committed, or replaces it.
    pub(crate) fn finish(self) {
        if env::var_os("UPDATE_WIRE").is_some() {
            let lines = self.lines.iter().map(|(name, digits)| format!("{name} {digits}\n"));
            fs::write(&self.file, lines.collect::<String>()).expect("the fixtures are writable");
            return;
        }
        let committed = fs::read_to_string(&self.file).unwrap_or_default();
        let differences = differences(&committed, &self.lines);
        assert!(
            differences.is_empty(),
            "{} differs:\n  {}\n\n{ADVICE}\n",
            self.file.display(),
            differences.join("\n  ")
        );
    }
}

/// What is committed against what there is now, a sentence for each difference.
pub(crate) fn differences(committed: &str, current: &[(String, String)]) -> Vec<String> {
    let split = |line| -> (&str, &str) { str::split_once(line, ' ').unwrap_or((line, "")) };
    let mut old: BTreeMap<&str, &str> = committed.lines().map(split).collect();
    let mut found = Vec::new();
    for (name, new) in current {
        match old.remove(name.as_str()) {
            None => found.push(format!("{name} is not committed yet: {new}")),
            Some(old) if old != new => {
                found.push(format!("{name} has changed\n    from {old}\n    to   {new}"));
            }
            Some(_) => {}
        }
    }
    found.extend(old.into_keys().map(|name| format!("{name} is gone")));
    found
}

/// The variants of which there is no value.
pub(crate) fn missing_variants<T: Serialize + DeserializeOwned>(values: &[T]) -> Vec<&'static str> {
    let there: Vec<usize> = values.iter().map(variant_index).collect();
    let all = variants::<T>().iter().enumerate();
    all.filter(|(index, _)| !there.contains(index)).map(|(_, name)| *name).collect()
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, Vec::new()).expect("plain data can be written")
}

/// Postcard writes the number of the variant first.
fn variant_index<T: Serialize>(value: &T) -> usize {
    let bytes = encode(value);
    let (index, _) =
        postcard::take_from_bytes::<u32>(&bytes).expect("an enum begins with a number");
    usize::try_from(index).expect("there are few variants")
}

fn short_name<T>() -> &'static str {
    let path = type_name::<T>();
    path.rsplit("::").next().unwrap_or(path)
}

/// The names of all variants of an enum, as serde knows them.
fn variants<T: DeserializeOwned>() -> &'static [&'static str] {
    let names = Cell::new(None);
    drop(T::deserialize(Question(&names)));
    names.get().expect("it is an enum")
}

/// A source of nothing, which hears what it is asked for.
struct Question<'a>(&'a Cell<Option<&'static [&'static str]>>);

impl<'de> Deserializer<'de> for Question<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Error::custom("there is nothing to read"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.set(Some(variants));
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
