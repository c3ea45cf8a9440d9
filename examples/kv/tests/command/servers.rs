//! Servers that are started as a person starts them, and stopped at the end whatever happens.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

pub(crate) const KV: &str = env!("CARGO_BIN_EXE_kv");

pub(crate) struct Servers {
    pub(crate) folder: TempDir,
    pub(crate) addresses: Vec<String>,
    /// What every command is given.
    pub(crate) common: Vec<String>,
    children: Vec<Option<Child>>,
}

/// What a command printed, if it went well; and what it complained of, if not.
pub(crate) type Said = Result<String, String>;

impl Servers {
    /// So many founders; nothing runs yet.
    pub(crate) fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let addresses = (0..count).map(|_| format!("127.0.0.1:{}", free_port())).collect();
        Self { folder, addresses, common: Vec::new(), children: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Starts the server with a number, with more arguments.
    pub(crate) fn start(&mut self, id: usize, more: &[&str]) {
        let mut arguments = vec!["--id".to_owned(), id.to_string()];
        arguments.extend(["--data".to_owned(), self.path(&format!("data-{id}"))]);
        arguments.extend(["--listen".to_owned(), self.addresses[id - 1].clone()]);
        for (nth, address) in self.addresses.iter().enumerate() {
            arguments.extend(["--member".to_owned(), format!("{}={address}", nth + 1)]);
        }
        arguments.extend(more.iter().map(|more| (*more).to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.serve(id, &arguments);
    }

    /// Starts a server as it is told, under a number for this test.
    pub(crate) fn serve(&mut self, id: usize, arguments: &[&str]) {
        let log = fs::File::create(self.log(id)).expect("a log");
        let mut command = Command::new(KV);
        command.arg("serve").args(arguments).args(["--election-timeout", "300ms"]);
        command.args(&self.common).stdout(Stdio::null()).stderr(log);
        self.children.resize_with(self.children.len().max(id + 1), || None);
        self.children[id] = Some(command.spawn().expect("it can be started"));
    }

    pub(crate) fn log(&self, id: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("log-{id}"))
    }

    pub(crate) fn start_all(&mut self) {
        for id in 1..=self.addresses.len() {
            self.start(id, &[]);
        }
    }

    /// Asks any of the servers.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Said {
        self.ask_at(&self.addresses.join(","), arguments)
    }

    /// Asks the server at an address.
    pub(crate) fn ask_at(&self, servers: &str, arguments: &[&str]) -> Said {
        let mut all = vec!["--servers", servers];
        all.extend(self.common.iter().map(String::as_str));
        all.extend(arguments);
        run(&all, "")
    }

    /// Asks until the answer is as it should be.
    pub(crate) fn eventually(&self, arguments: &[&str], is_right: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let said = self.ask(arguments);
            match &said {
                Ok(said) if is_right(said) => return said.clone(),
                _ if began.elapsed() > Duration::from_secs(20) => {
                    panic!("kv {arguments:?} still says {said:?}; {}", self.logs())
                }
                _ => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// The number of the server that leads.
    pub(crate) fn leader(&self) -> usize {
        let leads = |line: &str| line.ends_with("leader");
        let members = self.eventually(&["members"], |said| said.lines().any(leads));
        let line = members.lines().find(|line| leads(line)).expect("was looked for");
        line.split('\t').next().and_then(|id| id.parse().ok()).expect("a number first")
    }

    pub(crate) fn kill(&mut self, id: usize) {
        let mut child = self.children[id].take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Asks a server to end, and waits until it has. Answers whether it ended well.
    pub(crate) fn terminate(&mut self, id: usize) -> bool {
        let mut child = self.children[id].take().expect("it runs");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it hears");
        child.wait().expect("it ends").success()
    }

    fn logs(&self) -> String {
        let read = |id| fs::read_to_string(self.log(id)).unwrap_or_default();
        let told = |id| format!("--- log of {id}\n{}", read(id));
        (1..self.children.len()).map(told).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            // One that has ended already needs no end.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Runs `kv` to its end.
pub(crate) fn run(arguments: &[&str], input: &str) -> Said {
    use std::io::Write as _;
    let mut command = Command::new(KV);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    child.stdin.take().expect("is a pipe").write_all(input.as_bytes()).expect("it reads");
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    if status.success() { Ok(text(stdout)) } else { Err(text(stderr)) }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it has an address").port()
}

pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
