//! How a server is to be run: from the command line, or from a file with the same names.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use driver::transport::{Tls, TlsFiles};
use raft_core::NodeId;
use serde::Deserialize;

/// A node and where it is, as `ID=HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Place {
    /// The node.
    pub(super) node: NodeId,
    /// Where it is.
    pub(super) address: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "'{text}' is no node with its address: write ID=HOST:PORT, such as 1=127.0.0.1:7001"
            )
        };
        let (node, address) = text.split_once('=').ok_or_else(expected)?;
        let node = node.parse().ok().filter(|node| *node > 0).map(NodeId).ok_or_else(expected)?;
        if address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(expected());
        }
        Ok(Self { node, address: address.to_owned() })
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Places by node.
pub(super) fn by_node(places: &[Place]) -> BTreeMap<NodeId, String> {
    places.iter().map(|place| (place.node, place.address.clone())).collect()
}

/// The certificates, all three or none.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Certificates {
    /// The certificate of the authority that vouches for all nodes and clients (PEM)
    #[arg(
        long = "tls-authority",
        value_name = "FILE",
        global = true,
        env = "KV_TLS_AUTHORITY",
        hide_env_values = true,
        id = "tls_authority"
    )]
    pub(super) authority: Option<PathBuf>,
    /// The own certificate (PEM)
    #[arg(
        long = "tls-certificate",
        value_name = "FILE",
        global = true,
        env = "KV_TLS_CERTIFICATE",
        hide_env_values = true,
        id = "tls_certificate"
    )]
    pub(super) certificate: Option<PathBuf>,
    /// The key of the own certificate (PEM)
    #[arg(
        long = "tls-key",
        value_name = "FILE",
        global = true,
        env = "KV_TLS_KEY",
        hide_env_values = true,
        id = "tls_key"
    )]
    pub(super) key: Option<PathBuf>,
}

impl Certificates {
    /// These, and where they say nothing, others.
    #[must_use]
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            authority: self.authority.or(others.authority),
            certificate: self.certificate.or(others.certificate),
            key: self.key.or(others.key),
        }
    }

    /// Reads them, if they are given.
    ///
    /// # Errors
    /// When some are given and others are not, or they cannot be read.
    pub(super) fn load(&self) -> Result<Option<Tls>, String> {
        let files = self.files()?;
        files.map(|files| Tls::load(&files).map_err(|error| error.to_string())).transpose()
    }

    /// The files.
    ///
    /// # Errors
    /// When some are given and others are not.
    fn files(&self) -> Result<Option<TlsFiles>, String> {
        match (self.authority.clone(), self.certificate.clone(), self.key.clone()) {
            (Some(authority), Some(certificate), Some(key)) => {
                Ok(Some(TlsFiles { authority, certificate, key }))
            }
            (None, None, None) => Ok(None),
            _ => Err("TLS needs --tls-authority, --tls-certificate and --tls-key: give all three, or none"
                .to_owned()),
        }
    }
}

/// How a server is to be run.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ServerSettings {
    /// This node's number, never used before in this cluster (in memory: drawn anew at each start)
    #[arg(long, value_name = "N")]
    pub(super) id: Option<u64>,
    /// Keep everything in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "memory")]
    pub(super) data: Option<PathBuf>,
    /// Keep nothing: the node forgets everything when it ends, and is another node the next time
    #[arg(long)]
    pub(super) memory: bool,
    /// Listen here for nodes and clients
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Where others reach this node, if that is not where it listens
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) advertise: Option<String>,
    /// A founding member, this one too; the same on all of them. Only when the folder is empty
    #[arg(long = "member", value_name = "ID=HOST:PORT")]
    pub(super) members: Vec<Place>,
    /// Join the cluster that a server at this address belongs to. Only when the folder is empty
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "members")]
    pub(super) join: Option<String>,
    /// Join without a vote
    #[arg(long, requires = "join")]
    pub(super) learner: bool,
    /// Reach a node here, and not where it says
    #[arg(long = "route", value_name = "ID=HOST:PORT")]
    pub(super) routes: Vec<Place>,
    /// Without a leader for so long, a node stands for election (at random, up to twice as long) [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    #[serde(with = "humantime_serde")]
    pub(super) election_timeout: Option<Duration>,
    /// How often a leader is heard [default: a tenth of the election timeout]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    #[serde(with = "humantime_serde")]
    pub(super) heartbeat_interval: Option<Duration>,
    /// After so long the fate of a request is unknown [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    #[serde(with = "humantime_serde")]
    pub(super) request_timeout: Option<Duration>,
    /// Let the leader answer reads without asking the others each time, as long as clocks are right to within 1 %
    #[arg(long)]
    pub(super) read_lease: bool,
    /// 0 leads first; each step more waits an election timeout longer [default: 0]
    #[arg(long, value_name = "N")]
    pub(super) priority: Option<u8>,
    /// Take a snapshot after so many entries [default: 50000]
    #[arg(long, value_name = "N")]
    pub(super) snapshot_entries: Option<u64>,
    /// Or after so many bytes of commands [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    pub(super) snapshot_bytes: Option<u64>,
    /// Keep so many entries before a snapshot, for nodes that are a little behind [default: 10000]
    #[arg(long, value_name = "N")]
    pub(super) retained_entries: Option<u64>,
    /// The most bytes of a chunk of a snapshot [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    pub(super) chunk_bytes: Option<u64>,
    /// The most bytes of entries in a message [default: 262144]
    #[arg(long, value_name = "BYTES")]
    pub(super) batch_bytes: Option<u64>,
    /// The most entries in a message [default: 4096]
    #[arg(long, value_name = "N")]
    pub(super) batch_entries: Option<u64>,
    /// The most bytes of a command [default: 8388608]
    #[arg(long, value_name = "BYTES")]
    pub(super) command_bytes: Option<u64>,
    /// The most connections at a time [default: 1024]
    #[arg(long, value_name = "N")]
    pub(super) max_connections: Option<usize>,
    /// The most bytes of a frame on a connection [default: 33554432]
    #[arg(long, value_name = "BYTES")]
    pub(super) max_frame_bytes: Option<usize>,
    /// Answer GET /metrics and GET /status here
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) metrics: Option<SocketAddr>,
    /// Record what the node is told, in this folder
    #[arg(long, value_name = "FOLDER")]
    pub(super) record: Option<PathBuf>,
    /// In a file the certificates are in a section of their own.
    #[arg(skip)]
    #[serde(rename = "tls")]
    pub(super) certificates: Certificates,
}

impl ServerSettings {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or says something that does not exist; with the line.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// These, and where they say nothing, others.
    #[must_use]
    pub(super) fn or(self, others: Self) -> Self {
        let list =
            |ours: Vec<Place>, theirs: Vec<Place>| if ours.is_empty() { theirs } else { ours };
        let joins = self.join.is_some() || !self.members.is_empty();
        Self {
            id: self.id.or(others.id),
            memory: self.memory || (others.memory && self.data.is_none()),
            data: self.data.or(others.data.filter(|_| !self.memory)),
            listen: self.listen.or(others.listen),
            advertise: self.advertise.or(others.advertise),
            join: if joins { self.join } else { others.join },
            members: if joins { self.members } else { others.members },
            learner: self.learner || others.learner,
            routes: list(self.routes, others.routes),
            election_timeout: self.election_timeout.or(others.election_timeout),
            heartbeat_interval: self.heartbeat_interval.or(others.heartbeat_interval),
            request_timeout: self.request_timeout.or(others.request_timeout),
            read_lease: self.read_lease || others.read_lease,
            priority: self.priority.or(others.priority),
            snapshot_entries: self.snapshot_entries.or(others.snapshot_entries),
            snapshot_bytes: self.snapshot_bytes.or(others.snapshot_bytes),
            retained_entries: self.retained_entries.or(others.retained_entries),
            chunk_bytes: self.chunk_bytes.or(others.chunk_bytes),
            batch_bytes: self.batch_bytes.or(others.batch_bytes),
            batch_entries: self.batch_entries.or(others.batch_entries),
            command_bytes: self.command_bytes.or(others.command_bytes),
            max_connections: self.max_connections.or(others.max_connections),
            max_frame_bytes: self.max_frame_bytes.or(others.max_frame_bytes),
            metrics: self.metrics.or(others.metrics),
            record: self.record.or(others.record),
            certificates: self.certificates.or(others.certificates),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_the_command_line_says() {
        let text = "id = 3\nlisten = '127.0.0.1:7003'\nmember = []\n";
        let error = toml::from_str::<ServerSettings>(text).expect_err("no such name");
        assert!(error.to_string().contains("line 3"), "{error}");
        let text = "id = 3\nelection-timeout = '150ms'\nmembers = ['1=h:1', '3=h:3']\n[tls]\nkey = 'k.pem'";
        let read: ServerSettings = toml::from_str(text).expect("settings");
        assert_eq!(read.election_timeout, Some(Duration::from_millis(150)));
        assert_eq!(by_node(&read.members).len(), 2);
        let given = ServerSettings { id: Some(4), ..ServerSettings::default() };
        let both = given.or(read);
        assert_eq!((both.id, both.members.len()), (Some(4), 2), "the command line counts for more");
    }

    #[test]
    fn places_are_a_number_and_an_address() {
        assert_eq!("7=host:1".parse(), Ok(Place { node: NodeId(7), address: "host:1".to_owned() }));
        for wrong in ["", "7", "host:1", "0=host:1", "x=host:1", "7=host", "7=host:x"] {
            let error = wrong.parse::<Place>().expect_err(wrong);
            assert!(error.contains("ID=HOST:PORT"), "{error}");
        }
    }

    #[test]
    fn certificates_come_together() {
        let some = Certificates { key: Some("k".into()), ..Certificates::default() };
        assert!(some.files().expect_err("two are missing").contains("all three"));
        assert_eq!(Certificates::default().files(), Ok(None));
    }
}
