//! The clock of a node, in microseconds.
//!
//! It starts at the time of day and goes on with the clock that counts the time since the computer was started,
//! suspension included: it never falls in one life, and a later life starts later.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use raft_core::{Instant, Ticks};
use tokio::time::Instant as Wall;

/// Tells the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Duration,
    time_of_day: Duration,
}

impl Clock {
    /// A clock that starts now.
    pub fn new() -> Self {
        let time_of_day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: since_boot(), time_of_day }
    }

    /// The time, after which no earlier one will be told.
    pub fn now(&self) -> Instant {
        let elapsed = since_boot().saturating_sub(self.began);
        Instant(micros(self.time_of_day + elapsed))
    }

    /// When a time will be, for a timer.
    pub fn wall(&self, at: Instant) -> Wall {
        // A timer that is due a little early is harmless, one that is never due is not.
        const LONGEST: u64 = 3_600_000_000;
        let left = at.0.saturating_sub(self.now().0).min(LONGEST);
        Wall::now() + Duration::from_micros(left)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// A span in the unit of the clock.
pub fn ticks(span: Duration) -> Ticks {
    Ticks(micros(span))
}

/// A span as everybody knows it.
pub fn duration(span: Ticks) -> Duration {
    Duration::from_micros(span.0)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(now).unwrap_or_default()
}

/// Does not count suspension everywhere: leave leases off.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}
