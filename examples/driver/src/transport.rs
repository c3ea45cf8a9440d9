//! Connections between nodes, and from clients: TCP, with TLS on both sides when there are certificates.
//!
//! One port serves nodes and clients alike, and one listener as many nodes as there are in the process. A connection
//! begins with a [`greeting`] that says who is there and in which version; whoever is not believed is told
//! why, and goes. Between nodes packets flow one way on each connection: from the node that made it.
//!
//! Without certificates anybody who reaches the port is believed: it listens on loopback only then.

mod connection;
pub mod greeting;
mod hub;
mod links;
mod socket;
mod strangers;
mod tls;

pub use connection::{Connection, FrameError, Reading, Writing};
pub use greeting::{Greeting, GreetingError, PROTOCOL_VERSION, Purpose, Refused};
pub use hub::{Arrival, BindError, Client, Hub, Limits};
pub use links::{LinkEvent, Links, Origin};
pub use tls::{Tls, TlsError, TlsFiles, cluster_name, node_name};

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The other side's computer answers within this time, or it is tried again later. (The system itself would try again
/// after one second, three, and seven: too seldom for somebody who may be there again at any moment.)
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be reached.
    #[error("{address} cannot be reached: {error}")]
    Unreachable {
        /// Whose.
        address: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// It is no address.
    #[error("'{address}' is no address: write HOST:PORT")]
    NoAddress {
        /// What was given.
        address: String,
    },
    /// Nobody there is believed, or we are not.
    #[error("no TLS connection to {address}: {error}")]
    Tls {
        /// Whose.
        address: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// The greeting was not answered as it should be.
    #[error("{address} does not talk to us: {error}")]
    Greeting {
        /// Whose.
        address: String,
        /// What went wrong.
        error: GreetingError,
    },
}

/// Connects, and greets.
///
/// # Errors
/// When nobody is there, or does not let us in.
pub async fn connect(
    address: &str,
    tls: Option<&Tls>,
    greeting: &Greeting,
    max_frame_bytes: usize,
) -> Result<Connection, ConnectError> {
    let address = || address.to_owned();
    let unreachable = |error| ConnectError::Unreachable { address: address(), error };
    let found: Vec<SocketAddr> = match lookup_host(address()).await {
        Ok(found) => found.collect(),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            return Err(ConnectError::NoAddress { address: address() });
        }
        Err(error) => return Err(unreachable(error)),
    };
    let stream = timeout(PATIENCE, TcpStream::connect(found.as_slice())).await;
    let stream = stream.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let stream = stream.map_err(unreachable)?;
    socket::prepare(&stream).map_err(unreachable)?;
    let mut connection = match tls {
        None => Connection::new(stream, max_frame_bytes),
        Some(tls) => {
            let stream = tls.connect(stream, greeting).await;
            let failed = |error| ConnectError::Tls { address: address(), error };
            Connection::new(stream.map_err(failed)?, max_frame_bytes)
        }
    };
    let answered = greeting::greet(&mut connection, greeting).await;
    answered.map_err(|error| ConnectError::Greeting { address: address(), error })?;
    Ok(connection)
}
