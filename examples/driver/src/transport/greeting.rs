//! How a connection begins: who is there, for whom, for what, and in which version.

use std::time::Duration;

use raft_core::{ClusterId, NodeId};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::connection::{Connection, FrameError};

/// The version of everything that is said on a connection. It is told first, in a form that never changes.
pub const PROTOCOL_VERSION: u16 = 1;

/// The first bytes of every connection.
const MAGIC: [u8; 4] = *b"RAFT";
/// A greeting is short.
pub(super) const MAX_GREETING_BYTES: usize = 1024;
/// Whoever does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// What never changes: by it two versions know that they are two.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Preface {
    magic: [u8; 4],
    version: u16,
}

impl Preface {
    const OURS: Self = Self { magic: MAGIC, version: PROTOCOL_VERSION };
}

/// Who is there, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The cluster that is meant.
    pub cluster: ClusterId,
    /// What the connection is for.
    pub purpose: Purpose,
}

/// What a connection is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// A node wants to tell another one something.
    Peer {
        /// Who.
        from: NodeId,
        /// Whom.
        to: NodeId,
        /// Where the one can be reached.
        address: String,
    },
    /// A client wants to ask something.
    Client,
}

/// Why somebody was not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Another version.
    #[error("it speaks version {theirs} of the protocol, we speak {ours}: run the same version")]
    Version {
        /// That of the one that refuses.
        theirs: u16,
        /// That of the refused.
        ours: u16,
    },
    /// The cluster, or the node, is not here.
    #[error("there is no such node: check the cluster's number, the node's and the address")]
    NotHere,
    /// The certificate is of somebody else.
    #[error("the certificate is not that of node {node}: use the node's own", node = .0.0)]
    Certificate(NodeId),
    /// There are too many connections.
    #[error("it has as many connections as it may have: close some, or raise its limit")]
    Full,
}

/// Why a connection was not made use of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GreetingError {
    /// The connection broke.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The other side is something else.
    #[error("what answers is no node of ours: it does not begin with the bytes RAFT")]
    Stranger,
    /// The other side did not let us in.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The other side says nothing.
    #[error("nothing was said for {} seconds", PATIENCE.as_secs())]
    Silent,
}

/// Greets, and waits to be let in.
pub(super) async fn greet(
    connection: &mut Connection,
    greeting: &Greeting,
) -> Result<(), GreetingError> {
    let work = async {
        connection.writing.add(&Preface::OURS).await?;
        connection.writing.send(greeting).await?;
        let theirs: Preface = read_preface(connection).await?;
        if theirs.version != PROTOCOL_VERSION {
            let (theirs, ours) = (theirs.version, PROTOCOL_VERSION);
            return Err(Refused::Version { theirs, ours }.into());
        }
        connection.reading.next::<Result<(), Refused>>().await??;
        Ok(())
    };
    timeout(PATIENCE, work).await.map_err(|_| GreetingError::Silent)?
}

/// Hears a greeting. What is refused already is answered here.
pub(super) async fn hear(connection: &mut Connection) -> Result<Greeting, GreetingError> {
    let work = async {
        let theirs = read_preface(connection).await?;
        connection.writing.add(&Preface::OURS).await?;
        if theirs.version != PROTOCOL_VERSION {
            connection.writing.flush().await?;
            let (ours, theirs) = (PROTOCOL_VERSION, theirs.version);
            return Err(Refused::Version { theirs, ours }.into());
        }
        Ok(connection.reading.next::<Greeting>().await?)
    };
    timeout(PATIENCE, work).await.map_err(|_| GreetingError::Silent)?
}

/// Answers a greeting that was heard.
pub(super) async fn answer(
    connection: &mut Connection,
    answer: Result<(), Refused>,
) -> Result<(), GreetingError> {
    timeout(PATIENCE, connection.writing.send(&answer))
        .await
        .map_err(|_| GreetingError::Silent)??;
    Ok(answer?)
}

async fn read_preface(connection: &mut Connection) -> Result<Preface, GreetingError> {
    match connection.reading.next::<Preface>().await {
        Ok(preface) if preface.magic == MAGIC => Ok(preface),
        Ok(_) | Err(FrameError::NoMessage { .. } | FrameError::TooLong { .. }) => {
            Err(GreetingError::Stranger)
        }
        Err(error) => Err(error.into()),
    }
}
