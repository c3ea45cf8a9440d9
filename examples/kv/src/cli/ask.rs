//! The commands that ask a server.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use bytes::Bytes;
use clap::Subcommand;
use driver::members;
use raft_core::NodeId;
use serde_json::json;

use super::run::Common;
use super::text::{self, Encoding};
use crate::client::{Client, ClientError, Options};
use crate::machine::Change;
use crate::protocol::Freshness;

/// A command for a server.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum AskCommand {
    /// Set a key
    Put {
        /// The key
        key: String,
        /// What it shall hold
        value: String,
        #[command(flatten)]
        encoding: Encoding,
    },
    /// Print what a key holds
    Get {
        /// The key
        key: String,
        /// Whatever the server holds will do: it may be behind
        #[arg(long)]
        stale: bool,
        #[command(flatten)]
        encoding: Encoding,
    },
    /// Remove a key
    Delete {
        /// The key
        key: String,
        #[command(flatten)]
        encoding: Encoding,
    },
    /// Set a key if it holds what is expected, and print what it holds if it does not
    Cas {
        /// The key
        key: String,
        /// What it shall hold; nothing to remove it
        value: Option<String>,
        /// What it must hold; without this it must not be there
        #[arg(long = "if", value_name = "VALUE")]
        expected: Option<String>,
        #[command(flatten)]
        encoding: Encoding,
    },
    /// Change several keys at once: lines `put KEY VALUE` and `delete KEY` from the standard input
    Batch {
        #[command(flatten)]
        encoding: Encoding,
    },
    /// Print pairs in the order of their keys
    Scan {
        /// The first key
        from: Option<String>,
        /// The key before which to stop
        to: Option<String>,
        /// Only keys that begin with this
        #[arg(long, value_name = "PREFIX", conflicts_with_all = ["from", "to"])]
        prefix: Option<String>,
        /// No more than this
        #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
        limit: u64,
        /// Whatever the server holds will do: it may be behind
        #[arg(long)]
        stale: bool,
        #[command(flatten)]
        encoding: Encoding,
    },
    /// Print how the servers are
    Status {
        /// Everything, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print who belongs to the cluster, and where they are
    Members,
    /// Add a node that was started with an empty folder and without members
    Join {
        /// Its number
        id: u64,
        /// Where it is
        #[arg(value_name = "HOST:PORT")]
        address: String,
        /// Without a vote
        #[arg(long)]
        learner: bool,
    },
    /// Remove a node for good: its number must not be used again
    Leave {
        /// Its number [default: the server that is asked]
        id: Option<u64>,
    },
    /// Hand the leadership to a node
    Transfer {
        /// Its number
        id: u64,
    },
    /// Keep the server that is asked from standing for election, until it hears a leader
    Weaken {
        /// For how long at most
        #[arg(value_parser = humantime::parse_duration)]
        time: Duration,
    },
    /// Make the server that is asked stand for election
    Campaign,
}

pub(super) async fn run(command: AskCommand, common: &Common) -> Result<(), String> {
    let options = common.client()?;
    if let AskCommand::Status { json } = command {
        return status(&options, json).await;
    }
    let mut client = Client::new(options);
    let done = carry_out(command, &mut client).await;
    // It expires by itself.
    drop(client.close().await);
    done
}

async fn carry_out(command: AskCommand, client: &mut Client) -> Result<(), String> {
    match command {
        AskCommand::Put { key, value, encoding } => {
            let (key, value) = (encoding.read(&key)?, encoding.read(&value)?);
            client.put(key, value).await.map_err(said)
        }
        AskCommand::Delete { key, encoding } => {
            client.delete(encoding.read(&key)?).await.map_err(said)
        }
        AskCommand::Get { key, stale, encoding } => {
            let held = client.get(encoding.read(&key)?, freshness(stale)).await.map_err(said)?;
            let held = held.ok_or_else(|| format!("there is no key '{key}'"))?;
            print(&encoding.write(&held))
        }
        AskCommand::Cas { key, value, expected, encoding } => {
            let read = |text: Option<String>| text.map(|text| encoding.read(&text)).transpose();
            let (value, expected) = (read(value)?, read(expected)?);
            let set = client.compare_and_set(encoding.read(&key)?, expected, value).await;
            set.map_err(said)?.map_err(|held| match held {
                Some(held) => {
                    format!("'{key}' was left alone: it holds '{}'", encoding.write(&held))
                }
                None => format!("'{key}' was left alone: it is not there"),
            })
        }
        AskCommand::Batch { encoding } => {
            let changes: Result<Vec<Change>, String> = io::stdin()
                .lock()
                .lines()
                .enumerate()
                .map(|(nth, line)| change(nth, line, encoding))
                .collect();
            client.batch(changes?).await.map_err(said)
        }
        AskCommand::Scan { from, to, prefix, limit, stale, encoding } => {
            let read = |text: Option<String>| text.map(|text| encoding.read(&text)).transpose();
            let (from, to) = match read(prefix)? {
                Some(prefix) => (prefix.clone(), text::after_prefix(&prefix)),
                None => (read(from)?.unwrap_or_default(), read(to)?),
            };
            scan(client, from, to, limit, freshness(stale), encoding).await
        }
        AskCommand::Members => members(client).await,
        AskCommand::Join { id, address, learner } => {
            let add = members::Change::Add { node: NodeId(id), address, votes: !learner };
            client.change(add).await.map_err(said)
        }
        AskCommand::Leave { id } => {
            let node = match id {
                Some(id) => NodeId(id),
                None => client.status().await.map_err(said)?.id,
            };
            client.change(members::Change::Remove { node }).await.map_err(said)
        }
        AskCommand::Transfer { id } => client.transfer(NodeId(id)).await.map_err(said),
        AskCommand::Weaken { time } => client.weaken(time).await.map_err(said),
        AskCommand::Campaign => client.campaign().await.map_err(said),
        AskCommand::Status { .. } => unreachable!("asks each server for itself"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn said(error: ClientError) -> String {
    error.to_string()
}

fn freshness(stale: bool) -> Freshness {
    if stale { Freshness::Stale } else { Freshness::Linearizable }
}

fn print(line: &str) -> Result<(), String> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn change(nth: usize, line: io::Result<String>, encoding: Encoding) -> Result<Change, String> {
    let line = line.map_err(|error| error.to_string())?;
    let expected =
        || format!("line {}: '{line}' is neither 'put KEY VALUE' nor 'delete KEY'", nth + 1);
    let (what, rest) = line.split_once(' ').ok_or_else(expected)?;
    match (what, rest.split_once(' ')) {
        ("put", Some((key, value))) => {
            Ok(Change::Put { key: encoding.read(key)?, value: encoding.read(value)? })
        }
        ("delete", None) => Ok(Change::Delete { key: encoding.read(rest)? }),
        _ => Err(expected()),
    }
}

/// Page by page, as long as there are more.
async fn scan(
    client: &mut Client,
    mut from: Bytes,
    to: Option<Bytes>,
    mut left: u64,
    freshness: Freshness,
    encoding: Encoding,
) -> Result<(), String> {
    const PAGE: u64 = 1_000;
    while left > 0 {
        let pairs = client.scan(from, to.clone(), left.min(PAGE), freshness).await.map_err(said)?;
        let Some((last, _)) = pairs.last() else { return Ok(()) };
        // The next key after the last is the last with a zero.
        from = [last, [0].as_slice()].concat().into();
        left -= pairs.len() as u64;
        for (key, value) in &pairs {
            print(&format!("{}\t{}", encoding.write(key), encoding.write(value)))?;
        }
    }
    Ok(())
}

async fn members(client: &mut Client) -> Result<(), String> {
    let status = client.status().await.map_err(said)?;
    let membership = &status.membership;
    for id in membership.members() {
        let address = membership.context(id).map(|context| String::from_utf8_lossy(context));
        let part = match (status.leader == Some(id), membership.is_voter(id)) {
            (true, _) => "leader",
            (false, true) => "voter",
            (false, false) => "learner",
        };
        print(&format!("{}\t{}\t{part}", id.0, address.unwrap_or_default()))?;
    }
    Ok(())
}

/// Each server is asked for itself.
async fn status(options: &Options, as_json: bool) -> Result<(), String> {
    let mut all = Vec::new();
    let mut reached = 0;
    for server in &options.servers {
        let options = Options { servers: vec![server.clone()], ..options.clone() };
        let options = Options { patience: options.patience.min(Duration::from_secs(1)), ..options };
        match Client::new(options).status().await {
            Ok(status) => {
                reached += 1;
                all.push(json!({ "server": server, "status": status }));
                if !as_json {
                    print(&format!("{server}\t{status}"))?;
                }
            }
            Err(error) => {
                all.push(json!({ "server": server, "error": error.to_string() }));
                if !as_json {
                    print(&format!("{server}\tnot reached: {error}"))?;
                }
            }
        }
    }
    if as_json {
        print(&serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?)?;
    }
    if reached == 0 { Err("no server answers".to_owned()) } else { Ok(()) }
}
