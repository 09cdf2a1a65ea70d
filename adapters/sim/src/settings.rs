//! The settings of a world.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use crate::{fault::Fault, time::nanos};

/// How many events are kept for a report, unless the program sets it.
pub(crate) const KEPT_EVENTS: usize = 40;

/// The first host's name, unless the program gives one.
pub(crate) const FIRST_HOST: &str = "localhost";

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The program runs on the first one.
    pub(crate) hosts: Vec<(String, Vec<IpAddr>)>,
    /// Answers that are not those of a host, by names in small letters. With none, resolving fails.
    pub(crate) names: BTreeMap<String, Vec<IpAddr>>,
    pub(crate) resolve_delay: Duration,
    /// In nanoseconds, each way; the second is not less than the first.
    pub(crate) latency: (u64, u64),
    /// That of some pairs of hosts, the smaller one first.
    pub(crate) latencies: BTreeMap<(u32, u32), (u64, u64)>,
    /// By how many millionths the clocks of some hosts are faster. Invariant: above -1,000,000.
    pub(crate) drifts: BTreeMap<u32, i32>,
    /// Bytes a second, each way of each connection; at least 1.
    pub(crate) bandwidth: Option<u64>,
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
    pub(crate) partial_io: bool,
    /// One in this many operations is pending for no reason. Here and below, 0 is never.
    pub(crate) spurious_pending: u32,
    pub(crate) spurious_wakeups: u32,
    pub(crate) random_faults: u32,
    /// One in this many writes.
    pub(crate) random_flips: u32,
    /// One in this many writes.
    pub(crate) random_repeats: u32,
    /// Whether chance decides which of all that it may do it does at all.
    pub(crate) swarm: bool,
    /// One in this many times that a task runs, and the longest jump in nanoseconds.
    pub(crate) random_jumps: (u32, u64),
    pub(crate) in_order: bool,
    pub(crate) faults: Vec<Fault>,
    pub(crate) no_leaks: bool,
    /// Whether the world goes on when a handler panics.
    pub(crate) tolerates_panics: bool,
    pub(crate) other_threads: Option<Duration>,
    pub(crate) kept_events: usize,
    /// Where failures are saved, if that is not left to the environment.
    pub(crate) saved: Option<PathBuf>,
    /// Where a page that shows the world is written.
    pub(crate) page: Option<PathBuf>,
    /// Whether everything is kept that a picture needs.
    pub(crate) keeps_picture: bool,
    pub(crate) max_polls: u64,
}

impl Settings {
    pub(crate) fn set_name(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().collect();
        self.names.insert(name.to_ascii_lowercase(), addresses);
    }

    #[track_caller]
    pub(crate) fn set_latency(&mut self, time: &RangeInclusive<Duration>) {
        self.latency = range(time);
    }

    /// That of two hosts, the smaller one first.
    #[track_caller]
    pub(crate) fn set_latency_of(&mut self, hosts: (u32, u32), time: &RangeInclusive<Duration>) {
        self.latencies.insert(hosts, range(time));
    }

    /// The shortest and the longest time from one host to another.
    pub(crate) fn latency_of(&self, hosts: (u32, u32)) -> (u64, u64) {
        match self.latencies.is_empty() {
            true => self.latency, // nearly always
            false => *self.latencies.get(&hosts).unwrap_or(&self.latency),
        }
    }

    /// What the clock of a host says at a time of the world.
    pub(crate) fn time_on(&self, host: u32, nanos: u64) -> u64 {
        scale(nanos, self.rate_of(host), MILLION)
    }

    /// How much of the world's time passes until a host's clock has gone on by so much.
    pub(crate) fn time_until(&self, host: u32, nanos: u64) -> u64 {
        scale(nanos, MILLION, self.rate_of(host))
    }

    /// In millionths.
    fn rate_of(&self, host: u32) -> u64 {
        match self.drifts.is_empty() {
            true => MILLION, // nearly always
            false => {
                let drift = self.drifts.get(&host).copied().unwrap_or(0);
                MILLION.saturating_add_signed(drift.into())
            }
        }
    }

    #[track_caller]
    pub(crate) fn set_bandwidth(&mut self, bytes_per_second: Option<u64>) {
        assert!(
            bytes_per_second != Some(0),
            "nothing ever arrives at 0 bytes a second"
        );
        self.bandwidth = bytes_per_second;
    }

    pub(crate) fn new() -> Self {
        let loopback = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        Self {
            hosts: vec![(FIRST_HOST.to_owned(), loopback)],
            names: BTreeMap::new(),
            resolve_delay: Duration::ZERO,
            latency: (0, 0),
            latencies: BTreeMap::new(),
            drifts: BTreeMap::new(),
            bandwidth: None,
            send_buffer: 64 * 1024,
            receive_buffer: 64 * 1024,
            partial_io: false,
            spurious_pending: 0,
            spurious_wakeups: 0,
            random_faults: 0,
            random_flips: 0,
            random_repeats: 0,
            swarm: false,
            random_jumps: (0, 0),
            in_order: false,
            faults: Vec::new(),
            no_leaks: false,
            tolerates_panics: false,
            other_threads: None,
            kept_events: KEPT_EVENTS,
            saved: None,
            page: None,
            keeps_picture: false,
            max_polls: 10_000_000,
        }
    }
}

/// Of a clock that does not drift.
const MILLION: u64 = 1_000_000;

/// Rounded up.
fn scale(nanos: u64, by: u64, of: u64) -> u64 {
    if by == of || nanos == u64::MAX {
        return nanos; // u64::MAX is never
    }
    let scaled = (u128::from(nanos) * u128::from(by)).div_ceil(of.into());
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// In nanoseconds.
#[track_caller]
fn range(time: &RangeInclusive<Duration>) -> (u64, u64) {
    let (min, max) = (*time.start(), *time.end());
    assert!(
        min <= max,
        "the shortest latency {min:?} is above the longest {max:?}"
    );
    (nanos(min), nanos(max))
}
