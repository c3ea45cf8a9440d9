//! While Redis is away: how long to wait before the next attempt, and one notice at the beginning and one at the end.

use std::time::Duration;

use redis::RedisError;

/// The wait after the first failure; it doubles with each.
const SHORTEST: Duration = Duration::from_millis(50);
/// Short enough that service is back soon after Redis is.
const LONGEST: Duration = Duration::from_secs(1);

/// The failures of one connection since it last worked.
#[derive(Debug)]
pub(crate) struct Outage<N> {
    /// What the connection is for: "listen at the Redis at 127.0.0.1:6379".
    doing: String,
    notify: N,
    failures: u32,
}

impl<N: Fn(String)> Outage<N> {
    /// None yet.
    pub(crate) fn none(doing: String, notify: N) -> Self {
        Self { doing, notify, failures: 0 }
    }

    /// An attempt failed; how long to wait before the next.
    pub(crate) fn failed(&mut self, reason: &RedisError) -> Duration {
        if self.failures == 0 {
            let silent = reason.is_timeout().then(|| "no answer in time".to_owned());
            let reason = silent.unwrap_or_else(|| reason.to_string());
            (self.notify)(format!("cannot {} ({reason}); trying again", self.doing));
        }
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        SHORTEST.saturating_mul(1 << doublings).min(LONGEST)
    }

    /// An attempt succeeded.
    pub(crate) fn succeeded(&mut self) {
        if self.failures > 0 {
            (self.notify)(format!("can {} again", self.doing));
        }
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;

    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_an_outage_is_told_once() {
        let notices = RefCell::new(Vec::new());
        let mut outage =
            Outage::none("listen".to_owned(), |notice| notices.borrow_mut().push(notice));
        let reason = |kind: io::ErrorKind| RedisError::from(io::Error::from(kind));
        outage.succeeded();
        let refused = reason(io::ErrorKind::ConnectionRefused);
        let waits: Vec<u128> = (0..7).map(|_| outage.failed(&refused).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!((0..100).map(|_| outage.failed(&refused)).max(), Some(LONGEST));
        outage.succeeded();
        outage.succeeded();
        assert_eq!(outage.failed(&reason(io::ErrorKind::WouldBlock)), SHORTEST);
        assert_eq!(
            *notices.borrow(),
            [
                "cannot listen (connection refused); trying again",
                "can listen again",
                "cannot listen (no answer in time); trying again",
            ]
        );
    }
}
