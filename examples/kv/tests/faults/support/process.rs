//! One process of `kv-under-faults`. It is killed when this is dropped, and ends by itself when the test does.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// Where the log of this process begins.
    begin: u64,
    is_stopped: bool,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    /// Starts one, with a fault in its store, which adds to a log.
    pub(crate) fn start(arguments: &[String], fault: &str, log: &Path) -> Self {
        let file = File::options().append(true).create(true).open(log).expect("a log");
        let begin = file.metadata().expect("a log has a length").len();
        let child = Command::new(env!("CARGO_BIN_EXE_kv-under-faults"))
            .args(arguments)
            .env("KV_FAULT", fault)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program was built with this test");
        Self { child, log: log.to_owned(), begin, is_stopped: false }
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.begin_to_kill();
        drop(self.child.wait());
    }

    /// Kills it, and does not wait.
    pub(crate) fn begin_to_kill(&mut self) {
        // One that has ended already cannot be killed.
        drop(self.child.kill());
    }

    /// It does nothing from now on.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::STOP);
        self.is_stopped = true;
    }

    /// It goes on.
    pub(crate) fn resume(&mut self) {
        if std::mem::take(&mut self.is_stopped) {
            self.signal(Signal::CONT);
        }
    }

    fn signal(&mut self, signal: Signal) {
        // The number of one that has ended may be somebody else's by now.
        if self.ended().is_none() {
            kill_process(Pid::from_child(&self.child), signal).expect("it is a child and lives");
        }
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is a child of this process")
    }

    /// What this process has logged.
    pub(crate) fn logged(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.log)?;
            file.seek(SeekFrom::Start(self.begin))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        read().expect("the log is there")
    }

    /// The last lines that it logged.
    pub(crate) fn last_words(&self) -> String {
        const LINES: usize = 5;
        let logged = self.logged();
        let lines: Vec<&str> = logged.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// The bytes of memory that it really has (Linux), if it runs.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        const PAGE: u64 = 4_096;
        let text = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).ok()?;
        text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * PAGE)
    }
}
