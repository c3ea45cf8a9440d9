//! Configuration of one node: [`Settings`] as a person writes them, [`Config`] as the node needs them.
//!
//! Invariant: a [`Config`] that exists is consistent. It can only be made by
//! [`Settings::validate`], and its fields cannot be changed afterwards.

use core::ops::Deref;

use crate::types::{ClusterId, NodeId, Ticks};

/// Whether something is in force. Safeguards (`pre_vote`, `check_quorum`, `stickiness`) are on unless there is a reason to do
/// without; `read_lease` is off unless clocks can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Toggle {
    /// In force.
    #[default]
    On,
    /// Not in force.
    Off,
}

impl Toggle {
    /// Whether it is in force.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// What a node that is not the leader does with a proposal or a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Forwarding {
    /// Sends it to the leader it knows of, and answers when the entry is applied here.
    #[default]
    ToLeader,
    /// Refuses it and names the leader it knows of.
    Refuse,
}

/// How eager a node is to lead: 0 is the highest priority, and each step lower adds an election timeout to
/// the time it waits before it stands for election. It never refuses a vote for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Priority(pub u8);

impl Priority {
    /// Stands for election first.
    pub const HIGHEST: Self = Self(0);
}

/// Everything that can be chosen for a node, with sound defaults. Turn it into a [`Config`] with
/// [`Settings::validate`].
///
/// Times are in the unit of the caller's clock ([`Ticks`]); the defaults suit milliseconds. Limits on the bytes of entries count
/// [`Entry::size`](crate::Entry::size), the command and a fixed charge for each; `max_command_bytes` counts the command alone.
///
/// ```
/// use raft_core::{ClusterId, NodeId, Settings, Ticks};
///
/// let settings = Settings { election_timeout: Ticks(300), ..Settings::new(ClusterId(7), NodeId(1)) };
/// assert!(settings.validate().is_ok());
///
/// let wrong = Settings { heartbeat_interval: Ticks(400), ..settings };
/// let error = wrong.validate().unwrap_err();
/// assert!(error.to_string().contains("heartbeat_interval"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Settings {
    /// The cluster this node belongs to.
    pub cluster: ClusterId,
    /// This node's name.
    pub id: NodeId,
    /// Seeds the jitter of election timeouts, together with the node's name and incarnation. All
    /// nodes of a cluster may share it.
    pub seed: u64,
    /// E, the least election timeout; each is drawn from E up to 2E (paper §5.2).
    pub election_timeout: Ticks,
    /// How often a leader lets its followers hear from it. Well below `election_timeout`.
    pub heartbeat_interval: Ticks,
    /// Ask before raising the term (thesis §9.6).
    pub pre_vote: Toggle,
    /// A leader that has not heard from a quorum for an election timeout steps down (thesis §6.2).
    pub check_quorum: Toggle,
    /// Nobody votes against a leader it has heard from within an election timeout (thesis §4.2.3).
    pub stickiness: Toggle,
    /// How eager the node is to lead.
    pub priority: Priority,
    /// Answer reads from a lease (thesis §6.4.1), without asking a quorum each time. Off by default: it rests on the
    /// clocks of other machines keeping `max_clock_drift_ppm`. With it on, a voter promises the leader not to vote
    /// for anyone else for an election timeout, and a leader relies on what a quorum promised: nodes may differ, and
    /// it can be turned on or off one restart at a time, as a restarted node keeps what it may have promised before.
    /// It does so for its present `election_timeout`: before that is made shorter, turn leases off everywhere.
    pub read_lease: Toggle,
    /// How much faster or slower than true time a clock may run, in millionths. Used by `read_lease` alone.
    pub max_clock_drift_ppm: u32,
    /// What becomes of proposals and reads at a node that is not the leader.
    pub forwarding: Forwarding,
    /// The most bytes of entries in one `AppendEntries`; a single larger entry travels alone.
    pub max_batch_bytes: u64,
    /// The most entries of one `AppendEntries`, and of one `Apply`.
    pub max_batch_entries: u64,
    /// The most unacknowledged `AppendEntries` for each peer (pipelining, thesis §10.2.1).
    pub max_inflight_messages: u64,
    /// The most unacknowledged bytes of entries for each peer. A single larger batch travels alone.
    pub max_inflight_bytes: u64,
    /// The most bytes of entries a leader holds uncommitted before it refuses proposals as `Busy`.
    pub max_uncommitted_bytes: u64,
    /// The most bytes a node holds that its disk has not taken yet: a follower takes no appends beyond it, a leader
    /// refuses proposals as `Busy`.
    pub max_undurable_bytes: u64,
    /// The largest command, or membership, that may be proposed.
    pub max_command_bytes: u64,
    /// The most bytes of durable entries kept in memory; older ones are fetched from the log's store when
    /// a slow follower or the machine needs them.
    pub max_cached_bytes: u64,
    /// How many entries before a snapshot the log keeps, for followers that are a little behind.
    pub retained_entries: u64,
    /// The most bytes of one chunk of a snapshot.
    pub max_chunk_bytes: u64,
    /// The most requests that may be pending at this node.
    pub max_pending_requests: u64,
    /// How long a request may be pending before its fate is reported as unknown. One whose entry the machine
    /// has been given is answered when the machine reports it, however long that takes.
    pub request_timeout: Ticks,
}

impl Settings {
    /// Sound defaults for a clock in milliseconds.
    pub const fn new(cluster: ClusterId, id: NodeId) -> Self {
        Self {
            cluster,
            id,
            seed: 0,
            election_timeout: Ticks(1_000),
            heartbeat_interval: Ticks(100),
            pre_vote: Toggle::On,
            check_quorum: Toggle::On,
            stickiness: Toggle::On,
            priority: Priority::HIGHEST,
            read_lease: Toggle::Off,
            max_clock_drift_ppm: 10_000,
            forwarding: Forwarding::ToLeader,
            max_batch_bytes: 256 * 1024,
            max_batch_entries: 4_096,
            max_inflight_messages: 64,
            max_inflight_bytes: 8 * 1024 * 1024,
            max_uncommitted_bytes: 64 * 1024 * 1024,
            max_undurable_bytes: 64 * 1024 * 1024,
            max_command_bytes: 8 * 1024 * 1024,
            max_cached_bytes: 64 * 1024 * 1024,
            retained_entries: 10_000,
            max_chunk_bytes: 1024 * 1024,
            max_pending_requests: 65_536,
            request_timeout: Ticks(10_000),
        }
    }

    /// Checks that the settings make sense together.
    ///
    /// # Errors
    /// The first contradiction found, with both values and what would do.
    pub fn validate(self) -> Result<Config, ConfigError> {
        if self.heartbeat_interval.0 == 0 {
            return Err(ConfigError::Zero { field: "heartbeat_interval" });
        }
        // A follower must be able to miss a heartbeat without campaigning.
        if self.election_timeout.0 < self.heartbeat_interval.0.saturating_mul(2) {
            return Err(ConfigError::ElectionTimeoutTooShort {
                election_timeout: self.election_timeout,
                heartbeat_interval: self.heartbeat_interval,
            });
        }
        if self.election_timeout.0 > u64::MAX / 1024 {
            return Err(ConfigError::TooLarge { field: "election_timeout" });
        }
        self.validate_lease()?;
        let at_least_one = [
            ("max_batch_bytes", self.max_batch_bytes),
            ("max_batch_entries", self.max_batch_entries),
            ("max_inflight_messages", self.max_inflight_messages),
            ("max_inflight_bytes", self.max_inflight_bytes),
            ("max_uncommitted_bytes", self.max_uncommitted_bytes),
            ("max_undurable_bytes", self.max_undurable_bytes),
            ("max_command_bytes", self.max_command_bytes),
            ("max_chunk_bytes", self.max_chunk_bytes),
            ("max_pending_requests", self.max_pending_requests),
            ("request_timeout", self.request_timeout.0),
        ];
        match at_least_one.into_iter().find(|(_, value)| *value == 0) {
            Some((field, _)) => Err(ConfigError::Zero { field }),
            None => Ok(Config { settings: self }),
        }
    }

    /// A lease rests on promises, which are kept by stickiness, and on clocks that drift by less than half.
    fn validate_lease(&self) -> Result<(), ConfigError> {
        if self.read_lease.is_on() && !self.stickiness.is_on() {
            return Err(ConfigError::LeaseWithoutStickiness);
        }
        if self.max_clock_drift_ppm > 500_000 {
            return Err(ConfigError::DriftTooLarge {
                max_clock_drift_ppm: self.max_clock_drift_ppm,
            });
        }
        Ok(())
    }
}

/// Settings that have been checked; read them through `Deref`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Settings", into = "Settings"))]
pub struct Config {
    settings: Settings,
}

impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl TryFrom<Settings> for Config {
    type Error = ConfigError;

    fn try_from(settings: Settings) -> Result<Self, ConfigError> {
        settings.validate()
    }
}

impl From<Config> for Settings {
    fn from(config: Config) -> Self {
        config.settings
    }
}

/// Why settings make no [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Followers would campaign against a healthy leader.
    #[error(
        "election_timeout is {election_timeout} but heartbeat_interval is {heartbeat_interval}: \
         make election_timeout at least twice heartbeat_interval (ten times is usual)"
    )]
    ElectionTimeoutTooShort {
        /// As given.
        election_timeout: Ticks,
        /// As given.
        heartbeat_interval: Ticks,
    },
    /// A limit or time of nothing would stop the node from working.
    #[error("{field} is 0: it must be at least 1")]
    Zero {
        /// The field of [`Settings`].
        field: &'static str,
    },
    /// A time so long that adding to it would overflow.
    #[error("{field} is too large: it must be at most a thousandth of what a 64-bit integer holds")]
    TooLarge {
        /// The field of [`Settings`].
        field: &'static str,
    },
    /// Without stickiness nobody keeps the promise that a lease rests on.
    #[error("read_lease is on but stickiness is off: turn stickiness on, or the lease off")]
    LeaseWithoutStickiness,
    /// With such clocks a lease would never hold.
    #[error("max_clock_drift_ppm is {max_clock_drift_ppm}: it must be at most 500000 (a half)")]
    DriftTooLarge {
        /// As given.
        max_clock_drift_ppm: u32,
    },
}
