//! Three servers.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kv::client::{Client, Options};

pub(crate) struct Cluster {
    servers: Vec<String>,
    children: Vec<Child>,
}

impl Cluster {
    pub(crate) async fn start(folder: &Path) -> Self {
        let servers: Vec<String> = (0..3).map(|_| format!("127.0.0.1:{}", free_port())).collect();
        let mut children = Vec::new();
        for (nth, server) in servers.iter().enumerate() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_kv"));
            command.args(["serve", "--log", "warn", "--listen", server]);
            command
                .args(["--id", &(nth + 1).to_string(), "--data"])
                .arg(folder.join(nth.to_string()));
            for (other, address) in servers.iter().enumerate() {
                command.args(["--member", &format!("{}={address}", other + 1)]);
            }
            children.push(command.stdout(Stdio::null()).spawn().expect("the server starts"));
        }
        let cluster = Self { servers, children };
        let mut client = Client::new(cluster.options());
        client.put("begin", "now").await.expect("a leader is elected");
        cluster
    }

    pub(crate) fn options(&self) -> Options {
        Options { patience: Duration::from_secs(30), ..Options::new(self.servers.clone()) }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that has ended already needs no end.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Free now; nobody else here takes ports.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it has an address").port()
}
