//! Ports for nodes. A node has the same port after it was killed, so nobody else may come to have it meanwhile: it lies
//! below those that systems give to outgoing connections.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port on the loopback address that nobody listens on, and that is not given again in this process.
pub(crate) fn free() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Processes begin at different places, since several may test at once.
    let begin = std::process::id().wrapping_mul(997) % u32::from(COUNT);
    let begin = u16::try_from(begin).expect("below a 16-bit number");
    for _ in 0..COUNT {
        let nth = TAKEN.fetch_add(1, Ordering::Relaxed).wrapping_add(begin) % COUNT;
        let port = FIRST + nth;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}
