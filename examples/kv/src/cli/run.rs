//! The commands, and what they have in common.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use raft_core::ClusterId;
use tokio::runtime::{Builder, Runtime};

use super::ask::{self, AskCommand};
use super::make::{self, MakeCertificates};
use super::serve;
use super::settings::{Certificates, ServerSettings};
use crate::client;

pub use super::serve::Faults;

/// A replicated key-value store on raft-core.
///
/// Start three servers, each in a shell of its own:
///
///   kv serve --id 1 --data one --listen 127.0.0.1:7001 \
///       --member 1=127.0.0.1:7001 --member 2=127.0.0.1:7002 --member 3=127.0.0.1:7003
///
/// the others with their own --id, --data and --listen, and ask them from a fourth:
///
///   kv put greeting hello
///   kv get greeting
///   kv status
#[derive(Debug, Parser)]
#[command(name = "kv", version, verbatim_doc_comment, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// What all commands understand.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Common {
    /// The cluster's number: nodes of another one are not listened to
    #[arg(long, value_name = "N", default_value_t = 1, global = true)]
    pub(super) cluster: u64,
    /// Servers to ask, one after the other
    #[arg(
        long,
        value_name = "HOST:PORT",
        global = true,
        env = "KV_SERVERS",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003"
    )]
    pub(super) servers: Vec<String>,
    /// How long to try
    #[arg(long, value_name = "TIME", default_value = "10s", global = true, value_parser = humantime::parse_duration)]
    pub(super) timeout: Duration,
    #[command(flatten)]
    pub(super) certificates: Certificates,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server
    Serve {
        /// Read settings from a file (TOML); what is given here counts for more
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// What to tell of what happens: error, warn, info, debug or trace, for each part if you like
        #[arg(long, value_name = "FILTER", default_value = "info", env = "KV_LOG")]
        log: String,
        /// Work on so many threads, beside those that wait for the disk. One is best for small requests
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
        threads: u8,
        /// Tell it as one line of JSON each
        #[arg(long)]
        log_json: bool,
        #[command(flatten)]
        settings: Box<ServerSettings>,
    },
    #[command(flatten)]
    Ask(AskCommand),
    /// Make certificates for a cluster
    Certificates(MakeCertificates),
}

impl Common {
    pub(super) fn client(&self) -> Result<client::Options, String> {
        Ok(client::Options {
            cluster: ClusterId(self.cluster),
            tls: self.certificates.load()?,
            patience: self.timeout,
            ..client::Options::new(self.servers.clone())
        })
    }
}

/// Runs the command line of this process: with a store that keeps what it is told, unless a test breaks it.
#[must_use]
pub fn main(faults: Faults) -> ExitCode {
    let Cli { command, common } = Cli::parse();
    let threads = match &command {
        Command::Serve { threads, .. } => usize::from(*threads),
        _ => 1,
    };
    let runtime = match runtime(threads) {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the system has no threads left: {error}")),
    };
    let done = match command {
        Command::Serve { config, log, log_json, settings, threads: _ } => {
            serve::listen_to_log(&log, log_json).and_then(|()| {
                let settings = match config {
                    Some(path) => settings.or(ServerSettings::read(&path)?),
                    None => *settings,
                };
                runtime.block_on(serve::run(settings, &common, faults))
            })
        }
        Command::Ask(ask) => runtime.block_on(ask::run(ask, &common)),
        Command::Certificates(make) => make::run(&make, &common),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build()
}

fn failed(error: &str) -> ExitCode {
    eprintln!("kv: {error}");
    ExitCode::FAILURE
}
