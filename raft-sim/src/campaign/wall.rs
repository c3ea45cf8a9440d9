//! The one place where the simulator looks at the wall clock: how long a campaign and its runs take.
//!
//! Nothing that is read here reaches a plan, a fate or a digest.

use std::time::Instant;

/// Now, for measuring.
#[expect(
    clippy::disallowed_methods,
    reason = "campaigns and benchmarks are measured on the wall clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
