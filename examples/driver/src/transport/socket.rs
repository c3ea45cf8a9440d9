//! What is expected of a TCP connection: what is said leaves at once, and the other side acknowledges it soon.
//!
//! When packets are lost on the way (a broken switch, a computer without power), TCP alone goes on trying for many minutes,
//! with pauses that grow with the time that has gone by: after an outage of half a minute a connection would be of
//! use again another half a minute later. It is given up instead, and made anew.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;

/// What was sent is acknowledged within this time, or the connection is given up (Linux).
#[cfg(target_os = "linux")]
const STALLED: Duration = Duration::from_secs(2);
/// When nothing was said for so long, the other side is asked whether it is still there.
const IDLE: Duration = Duration::from_secs(15);
/// So often it is asked.
const ASKED_AGAIN: Duration = Duration::from_secs(5);

/// Prepares a connection that has just been made or accepted.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // Whoever vanishes without a word must not count among the connections for ever.
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, IDLE)?;
    sockopt::set_tcp_keepintvl(stream, ASKED_AGAIN)?;
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(STALLED.as_millis()).expect("a short time");
        sockopt::set_tcp_user_timeout(stream, millis)?;
    }
    Ok(())
}
