//! Which settings make sense together, at the edge of each rule.

use raft_core::{ClusterId, ConfigError, NodeId, Settings, Ticks, Toggle};

fn usual() -> Settings {
    Settings::new(ClusterId(1), NodeId(1))
}

fn refused(settings: Settings) -> Option<ConfigError> {
    settings.validate().err()
}

/// Paper §5.6: a follower can miss a heartbeat without standing for election.
#[test]
fn an_election_timeout_spans_two_heartbeats() {
    let with = |election_timeout| Settings {
        election_timeout: Ticks(election_timeout),
        heartbeat_interval: Ticks(100),
        ..usual()
    };
    let too_short = |election_timeout| ConfigError::ElectionTimeoutTooShort {
        election_timeout: Ticks(election_timeout),
        heartbeat_interval: Ticks(100),
    };
    assert_eq!([0, 199].map(|timeout| refused(with(timeout))), [0, 199].map(too_short).map(Some));
    assert_eq!([200, 201].map(|timeout| refused(with(timeout))), [None, None]);
}

/// Timeouts of up to twice the least, and a good deal more for a low priority, are added to the clock's readings.
#[test]
fn an_election_timeout_can_be_added_to() {
    let with = |election_timeout| Settings { election_timeout: Ticks(election_timeout), ..usual() };
    let most = u64::MAX / 1024;
    assert_eq!(refused(with(most)), None);
    let too_large = Some(ConfigError::TooLarge { field: "election_timeout" });
    assert_eq!([most + 1, u64::MAX].map(|timeout| refused(with(timeout))), [too_large; 2]);
}

/// Thesis §6.4.1: a lease rests on promises, and on clocks that drift by a bounded rate.
#[test]
fn a_lease_rests_on_promises_and_clocks() {
    let with = |read_lease, stickiness| Settings { read_lease, stickiness, ..usual() };
    assert_eq!(refused(with(Toggle::On, Toggle::Off)), Some(ConfigError::LeaseWithoutStickiness));
    assert_eq!(refused(with(Toggle::On, Toggle::On)), None);
    assert_eq!(refused(with(Toggle::Off, Toggle::Off)), None);

    let drifting = |max_clock_drift_ppm| Settings { max_clock_drift_ppm, ..usual() };
    assert_eq!(refused(drifting(500_000)), None);
    let too_large = ConfigError::DriftTooLarge { max_clock_drift_ppm: 500_001 };
    assert_eq!(refused(drifting(500_001)), Some(too_large));
}

/// A limit or a time of nothing stops a node from working; one is enough of anything.
#[test]
fn limits_are_at_least_one() {
    type Field = fn(&mut Settings) -> &mut u64;
    let fields: [(&str, Field); 11] = [
        ("heartbeat_interval", |it| &mut it.heartbeat_interval.0),
        ("max_batch_bytes", |it| &mut it.max_batch_bytes),
        ("max_batch_entries", |it| &mut it.max_batch_entries),
        ("max_inflight_messages", |it| &mut it.max_inflight_messages),
        ("max_inflight_bytes", |it| &mut it.max_inflight_bytes),
        ("max_uncommitted_bytes", |it| &mut it.max_uncommitted_bytes),
        ("max_undurable_bytes", |it| &mut it.max_undurable_bytes),
        ("max_command_bytes", |it| &mut it.max_command_bytes),
        ("max_chunk_bytes", |it| &mut it.max_chunk_bytes),
        ("max_pending_requests", |it| &mut it.max_pending_requests),
        ("request_timeout", |it| &mut it.request_timeout.0),
    ];
    for (name, field) in fields {
        let with = |value| {
            let mut settings = usual();
            *field(&mut settings) = value;
            settings
        };
        assert_eq!(refused(with(0)), Some(ConfigError::Zero { field: name }));
        assert_eq!(refused(with(1)), None, "{name}");
    }
}
