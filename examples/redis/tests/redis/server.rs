//! A Redis of the test's own: on a free port, with a password for its owner and a user for the nodes, and gone at the end.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::Connection;
use tempfile::TempDir;

use crate::cluster::eventually;

/// For the user `default`, who may do everything.
const OWNER_PASSWORD: &str = "of-the-owner";
/// For the user `raft`. The characters mean something in URLs.
const NODE_PASSWORD: &str = "p@ss:w/rd";
const NODE_PASSWORD_IN_URLS: &str = "p%40ss%3Aw%2Frd";
/// The rules that the transport's page names.
const NODE_RULES: &str =
    "resetchannels &raft/* -@all +publish +subscribe +unsubscribe +punsubscribe +ping";

/// A `redis-server`, running or stopped for a while.
#[derive(Debug)]
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a folder for Redis");
        let port = free_port();
        let configuration = format!(
            "port {port}\n\
             bind 127.0.0.1\n\
             dir {folder}\n\
             save \"\"\n\
             appendonly no\n\
             requirepass {OWNER_PASSWORD}\n\
             user raft on >{NODE_PASSWORD} {NODE_RULES}\n\
             user deaf on >deaf resetchannels &raft/* -@all +publish +ping\n\
             user mute on >mute resetchannels &raft/* -@all +subscribe +ping\n",
            folder = folder.path().display(),
        );
        fs::write(folder.path().join("redis.conf"), configuration).expect("written");
        let mut server = Self { folder, port, process: None };
        server.resume();
        server
    }

    /// Stops it, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the process is ours");
            process.wait().expect("it was started here");
        }
    }

    /// Starts it again, on the same port, and waits until it answers.
    pub(crate) fn resume(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut command = Command::new("redis-server");
        command.arg(self.folder.path().join("redis.conf"));
        let log = File::create(self.log_path()).expect("the folder is there");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let started = command.spawn();
        self.process = Some(match started {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => panic!(
                "this test needs the program redis-server, which is not on this machine: install it \
                 (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), or test \
                 without --features redis-server"
            ),
            Err(error) => panic!("redis-server cannot be started: {error}"),
        });
        eventually("Redis answers", Duration::from_secs(10), || {
            let process = self.process.as_mut().expect("it was just started");
            if let Some(status) = process.try_wait().expect("it was started here") {
                panic!("redis-server ended with {status}: {}", self.log());
            }
            self.try_connect().map_err(|error| format!("{error}; its log: {}", self.log()))
        });
    }

    /// A connection of the owner's.
    pub(crate) fn connect(&self) -> Connection {
        self.try_connect().expect("Redis runs")
    }

    /// How nodes reach it.
    pub(crate) fn url(&self) -> String {
        self.url_of(&format!("raft:{NODE_PASSWORD_IN_URLS}"))
    }

    /// How somebody with this login reaches it.
    pub(crate) fn url_of(&self, login: &str) -> String {
        format!("redis://{login}@127.0.0.1:{}", self.port)
    }

    fn try_connect(&self) -> redis::RedisResult<Connection> {
        let client = redis::Client::open(self.url_of(&format!(":{OWNER_PASSWORD}")))?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(1))?;
        redis::cmd("PING").exec(&mut connection)?;
        Ok(connection)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("redis.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody uses now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("it was bound").port()
}
