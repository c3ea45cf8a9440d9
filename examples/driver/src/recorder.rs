//! The flight recorder: what a node was told, on disk, for `raft-sim replay`.
//!
//! A node is deterministic, so what it was told is all that is needed to live its life again. The recorder keeps the last
//! part of it, in a ring of files: when one is full the next begins with the node as it is, and the oldest is deleted.
//! It never holds the node up. When the disk does not keep up, lines are left out, and a new file begins where it does
//! again; each file is whole by itself.
//!
//! What is recorded holds commands and snapshots: treat it as you treat the data.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use raft_core::{
    Input, Instant, Node, RecordedInput, RecordedLine, RecordedNode, RecordedStart, RecordedStep,
};

/// Where to record, and how much to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The folder.
    pub folder: PathBuf,
    /// The most files.
    pub files: usize,
    /// About how many bytes a file has. One line alone may have more.
    pub file_bytes: u64,
}

impl Record {
    /// Four files of 64 MiB in a folder.
    pub fn into(folder: PathBuf) -> Self {
        Self { folder, files: 4, file_bytes: 64 * 1024 * 1024 }
    }
}

/// So many lines wait for the disk.
const QUEUE: usize = 16_384;
/// After so many steps a line says how the node is, for a replay to compare; and at the end of a file.
const STATUS_EVERY: u64 = 1_000;

/// Records one life of a node.
#[derive(Debug)]
pub struct Recorder {
    lines: SyncSender<Piece>,
    file_bytes: u64,
    /// What was written to the present file.
    bytes: u64,
    steps: u64,
    /// Lines were left out: nothing is written before a file begins.
    is_behind: bool,
}

enum Piece {
    Line(Vec<u8>),
    /// The first line of a file.
    Begin(Vec<u8>),
}

impl Recorder {
    /// Begins to record a life.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn begin(record: &Record, started: RecordedStart) -> io::Result<Self> {
        let Record { folder, files, file_bytes } = record.clone();
        fs::create_dir_all(&folder)?;
        let name = format!("node-{}-{}", started.settings.id.0, started.now.0);
        let ring = Ring { folder, name, files: files.max(1), number: 0, file: None };
        let (lines, pieces) = sync_channel(QUEUE);
        thread::Builder::new().name("recorder".to_owned()).spawn(move || write(ring, &pieces))?;
        let first = Piece::Begin(line(&RecordedLine::Started(Box::new(started))));
        let mut recorder = Self { lines, file_bytes, bytes: 0, steps: 0, is_behind: false };
        recorder.put(first);
        Ok(recorder)
    }

    /// Notes an input that is fed, before it is.
    pub fn fed(&mut self, now: Instant, input: &Input, node: &Node) {
        self.given(now, input, node, RecordedLine::Fed);
    }

    /// Notes a step, before it is taken.
    pub fn step(&mut self, now: Instant, input: &Input, node: &Node) {
        self.given(now, input, node, RecordedLine::Step);
    }

    fn given(
        &mut self,
        now: Instant,
        input: &Input,
        node: &Node,
        how: fn(RecordedStep) -> RecordedLine,
    ) {
        let is_full = self.bytes >= self.file_bytes;
        if is_full || self.steps.is_multiple_of(STATUS_EVERY) {
            self.put(Piece::Line(line(&RecordedLine::Status(Box::new(node.status())))));
        }
        if is_full || self.is_behind {
            self.is_behind = false;
            let node = RecordedLine::Continued(Box::new(RecordedNode::of(node)));
            self.put(Piece::Begin(line(&node)));
            // The image may be large; the file is full when as much again was told.
            self.bytes = 0;
        }
        self.steps += 1;
        let step = RecordedStep { now, input: RecordedInput::of(input, node) };
        self.put(Piece::Line(line(&how(step))));
    }

    fn put(&mut self, piece: Piece) {
        if self.is_behind {
            return;
        }
        let (Piece::Line(bytes) | Piece::Begin(bytes)) = &piece;
        self.bytes += bytes.len() as u64;
        self.is_behind = self.lines.try_send(piece).is_err();
    }
}

fn line(line: &RecordedLine) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).expect("plain data can be written");
    bytes.push(b'\n');
    bytes
}

/// The files of a life.
#[derive(Debug)]
struct Ring {
    folder: PathBuf,
    name: String,
    files: usize,
    number: u64,
    file: Option<File>,
}

impl Ring {
    fn put(&mut self, piece: Piece) -> io::Result<()> {
        match piece {
            Piece::Begin(line) => {
                // Digits of a fixed width, so that names are in the order of time.
                let path = self.folder.join(format!("{}-{:06}.jsonl", self.name, self.number));
                self.number += 1;
                self.delete_old()?;
                self.file.insert(File::create(path)?).write_all(&line)
            }
            Piece::Line(line) => self.file.as_mut().map_or(Ok(()), |file| file.write_all(&line)),
        }
    }

    /// Makes room for one more file.
    fn delete_old(&self) -> io::Result<()> {
        let mut there = recordings(&self.folder)?;
        let more = (there.len() + 1).saturating_sub(self.files);
        there.drain(..more).try_for_each(fs::remove_file)
    }
}

/// The recordings in a folder, in the order of time.
///
/// # Errors
/// When the folder cannot be read.
pub fn recordings(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let found: io::Result<Vec<PathBuf>> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut found = found?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    found.sort();
    Ok(found)
}

fn write(mut ring: Ring, pieces: &Receiver<Piece>) {
    for piece in pieces {
        if let Err(error) = ring.put(piece) {
            // The node goes on without.
            tracing::warn!(%error, folder = %ring.folder.display(), "recording ends");
            return;
        }
    }
}
