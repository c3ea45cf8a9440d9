//! The clock: milliseconds that never fall, and that go on while the computer is suspended.
//!
//! [`std::time::Instant`] stands still during suspension on Linux and macOS. A node with such a clock would wake up after an
//! hour and still believe in what it heard a moment ago.
//!
//! A computer that starts anew counts from zero again. That does no harm: all a node remembers of times, and all receipts of
//! its life, have ended with the process.

use raft_core::Instant;

#[cfg(target_os = "linux")]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
/// On macOS this clock goes on during suspension.
#[cfg(all(unix, not(target_os = "linux")))]
const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// The time now.
#[cfg(unix)]
pub fn now() -> Instant {
    let time = rustix::time::clock_gettime(CLOCK);
    let positive = |part: i64| u64::try_from(part).unwrap_or_default();
    #[cfg_attr(
        target_pointer_width = "64",
        expect(clippy::useless_conversion, reason = "nanoseconds are shorter on 32 bits")
    )]
    let nanoseconds = i64::from(time.tv_nsec);
    Instant(positive(time.tv_sec).saturating_mul(1_000) + positive(nanoseconds) / 1_000_000)
}

/// The time now. On Windows the standard clock goes on during suspension.
#[cfg(not(unix))]
pub fn now() -> Instant {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let passed = START.get_or_init(std::time::Instant::now).elapsed();
    Instant(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
}
