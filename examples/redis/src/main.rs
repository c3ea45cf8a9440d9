//! A node of a replicated map, whose members talk by way of a Redis. Takes commands from its standard input.

use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use raft_core::{ClusterId, NodeId};
use raft_redis::node::{Answer, Options, RunningNode, settings};

/// What can be typed.
const HELP: &str = "put KEY VALUE | get KEY | status | quit";

/// A node of a replicated map, whose members talk by way of a Redis.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The Redis, as redis://user:password@host:port. In the environment nobody else sees the password.
    #[arg(long, env = "RAFT_REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis: String,
    /// The number of the cluster; several can share a Redis.
    #[arg(long, default_value_t = 1)]
    cluster: u64,
    /// The number of this node.
    #[arg(long)]
    id: u64,
    /// The founding members, the same at each: 1,2,3.
    #[arg(long, value_delimiter = ',', required = true)]
    members: Vec<u64>,
    /// The folder of this node's disk.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        redis: arguments.redis,
        settings: settings(ClusterId(arguments.cluster), NodeId(arguments.id)),
        members: arguments.members.into_iter().map(NodeId).collect(),
        data: arguments.data,
    };
    let node = match RunningNode::start(&options) {
        Ok(node) => node,
        Err(error) => return failure(&error),
    };
    let served = serve(&node).and_then(|()| node.stop());
    served.map_or_else(|error| failure(&error), |()| ExitCode::SUCCESS)
}

fn failure(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("raft-redis: {error}");
    ExitCode::FAILURE
}

/// Answers one line after the other, until there are no more, or the node has stopped.
fn serve(node: &RunningNode) -> io::Result<()> {
    eprintln!("{HELP}");
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.trim().splitn(3, char::is_whitespace);
        let answer = match (words.next(), words.next(), words.next()) {
            (Some("put"), Some(key), Some(value)) => node.put(key, value),
            (Some("get"), Some(key), None) => node.get(key),
            (Some("status"), None, None) => {
                let Some(status) = node.status() else { return Ok(()) };
                writeln!(io::stdout(), "{status}")?;
                continue;
            }
            (Some("quit"), None, None) => return Ok(()),
            _ => {
                writeln!(io::stdout(), "{HELP}")?;
                continue;
            }
        };
        writeln!(io::stdout(), "{answer}")?;
        if answer == Answer::Stopped {
            return Ok(());
        }
    }
    Ok(())
}
