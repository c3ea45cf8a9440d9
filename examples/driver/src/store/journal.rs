//! A file of records, written one after the other and each synced: the cheapest way to make something durable.
//!
//! It has a fixed size and all its blocks from the beginning, so that a sync has nothing to write but the record. When it is
//! full its owner puts what the records say elsewhere, and it begins again at the front: what is left of earlier records
//! behind the new ones is told by its numbers, which only rise.
//!
//! Invariant: the records that count are the longest row from the front whose checksums are right and whose numbers
//! follow each other. What a crash leaves of a record that was not synced ends that row.

use redb::StorageBackend;

use super::{StoreError, encode};

/// The records begin after a block that says what the file is.
const BEGIN: u64 = 4_096;
/// The same, for a block in memory.
const BLOCK: usize = 4_096;
/// Length, checksum and number of a record.
const HEAD_BYTES: usize = 16;
const MAGIC: [u8; 8] = *b"raftjrnl";
const VERSION: u32 = 1;

/// What the first block says.
type Title = ([u8; 8], u32, u64);

#[derive(Debug)]
pub(super) struct Journal {
    file: Box<dyn StorageBackend>,
    /// Bytes of the file.
    capacity: u64,
    /// Where the next record goes.
    at: u64,
    /// Its number.
    next: u64,
}

impl Journal {
    /// Makes a journal of so many bytes, which belongs to the store with this name.
    pub(super) fn make(
        file: Box<dyn StorageBackend>,
        name: u64,
        capacity: u64,
    ) -> Result<Self, StoreError> {
        let capacity = capacity.next_multiple_of(BEGIN).max(2 * BEGIN);
        file.set_len(capacity)?;
        let zeros = [0; BLOCK];
        for at in (0..capacity).step_by(zeros.len()) {
            file.write(at, &zeros)?;
        }
        let title: Title = (MAGIC, VERSION, name);
        file.write(0, &encode(&title))?;
        file.sync_data()?;
        Ok(Self { file, capacity, at: BEGIN, next: 1 })
    }

    /// Opens the journal of a store, and gives the records after a number.
    pub(super) fn open(
        file: Box<dyn StorageBackend>,
        name: u64,
        after: u64,
    ) -> Result<(Self, Vec<Vec<u8>>), StoreError> {
        let corrupt = |why: &str| StoreError::Corrupt { what: "the journal", why: why.to_owned() };
        let capacity = file.len()?;
        if capacity < BEGIN {
            return Err(corrupt("it is gone, or cut off"));
        }
        let mut block = [0; BLOCK];
        file.read(0, &mut block)?;
        let (title, _) = postcard::take_from_bytes::<Title>(&block).unwrap_or_default();
        let (magic, version, owner) = title;
        if (magic, version) != (MAGIC, VERSION) {
            return Err(corrupt("it does not begin like a journal of this version"));
        }
        if owner != name {
            return Err(corrupt("it is that of another store"));
        }
        let mut journal = Self { file, capacity, at: BEGIN, next: 0 };
        let mut records = Vec::new();
        while let Some((number, record)) = journal.read()? {
            journal.at += (HEAD_BYTES + record.len()) as u64;
            journal.next = number + 1;
            if number > after {
                records.push(record);
            }
        }
        // Those that count for something follow what the store has without a gap.
        let first = journal.next.saturating_sub(records.len() as u64);
        if !records.is_empty() && first != after + 1 {
            return Err(corrupt(&format!("record {} is missing", after + 1)));
        }
        journal.next = journal.next.max(after + 1);
        Ok((journal, records))
    }

    /// Bytes of the file.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The number of the next record.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether a record of so many bytes fits in behind the others.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.at + (HEAD_BYTES + bytes) as u64 <= self.capacity
    }

    /// Begins again at the front: what the records say is elsewhere.
    pub(super) fn begin_again(&mut self) {
        self.at = BEGIN;
    }

    /// The next number is used elsewhere.
    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// Adds a record; it is durable then.
    pub(super) fn add(&mut self, record: &[u8]) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + record.len());
        let length = u32::try_from(record.len()).expect("there is room for it");
        bytes.extend(length.to_le_bytes());
        bytes.extend(checksum(self.next, record).to_le_bytes());
        bytes.extend(self.next.to_le_bytes());
        bytes.extend(record);
        self.file.write(self.at, &bytes)?;
        self.file.sync_data()?;
        self.at += bytes.len() as u64;
        self.next += 1;
        Ok(())
    }

    /// The record at the present place, if it counts.
    fn read(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        if !self.has_room(0) {
            return Ok(None);
        }
        let mut head = [0; HEAD_BYTES];
        self.file.read(self.at, &mut head)?;
        let (length, rest) = head.split_at(4);
        let (sum, number) = rest.split_at(4);
        let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
        let number = u64::from_le_bytes(number.try_into().expect("eight bytes"));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let follows = self.next == 0 || number == self.next;
        let fits = length as u64 <= self.capacity && self.has_room(length);
        if number == 0 || !follows || !fits {
            return Ok(None);
        }
        let mut record = vec![0; length];
        self.file.read(self.at + HEAD_BYTES as u64, &mut record)?;
        let is_whole = checksum(number, &record).to_le_bytes() == *sum;
        Ok(is_whole.then_some((number, record)))
    }
}

fn checksum(number: u64, record: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&number.to_le_bytes());
    sum.update(&(record.len() as u64).to_le_bytes());
    sum.update(record);
    sum.finalize()
}
