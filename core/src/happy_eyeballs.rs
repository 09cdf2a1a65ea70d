//! Racing connection attempts: RFC 8305, without a clock and without a socket.

use alloc::{vec, vec::Vec};
use core::{net::SocketAddr, time::Duration};

/// How long an attempt has for itself before the next one starts beside it, unless set otherwise:
/// 250 ms, as RFC 8305 recommends in section 8.
pub const CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A race of connection attempts, one for each address, of which the first to succeed wins.
///
/// The attempts start in turn. The next one starts when the newest one has failed, or when it has
/// had the delay for itself; without a delay, only when it has failed. When one has won, the others
/// are cancelled, and none is left over.
///
/// Time goes in as a [`Duration`] since any fixed moment.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use millpond_core::{HappyEyeballs, Race};
///
/// let delay = Duration::from_millis(250);
/// let mut race = HappyEyeballs::new(2, Some(delay));
///
/// let now = Duration::ZERO;
/// assert_eq!(race.poll(now), Race::Start(0));
/// assert_eq!(race.poll(now), Race::Wait { until: Some(delay) });
///
/// // The first address does not answer.
/// let now = delay;
/// assert_eq!(race.poll(now), Race::Start(1));
/// assert_eq!(race.poll(now), Race::Wait { until: None });
///
/// race.connected(1);
/// assert_eq!(race.poll(now), Race::Cancel(0));
/// assert_eq!(race.poll(now), Race::Won(1));
/// ```
#[derive(Clone, Debug)]
pub struct HappyEyeballs {
    /// Invariant: those that are waiting come behind all others.
    attempts: Vec<Attempt>,
    delay: Option<Duration>,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Attempt {
    Waiting,
    Running { since: Duration },
    Failed,
    Cancelled,
    Won,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    Open,
    Won(usize),
}

/// What a [`HappyEyeballs`] wants done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[expect(
    clippy::exhaustive_enums,
    reason = "the driver of a race must know how to do each of them"
)]
pub enum Race {
    /// Give up this attempt, and close it if it has succeeded.
    Cancel(usize),
    /// Every attempt has failed.
    Lost,
    /// Start this attempt, then say how it ended: [`connected`](HappyEyeballs::connected) or
    /// [`failed`](HappyEyeballs::failed).
    Start(usize),
    /// Ask again after an attempt has ended, and at this time at the latest.
    Wait {
        /// When the next attempt is due; `None` if nothing depends on time.
        until: Option<Duration>,
    },
    /// This attempt has won, and all others are cancelled.
    Won(usize),
}

impl HappyEyeballs {
    /// A race of so many attempts. Without a delay, an attempt only starts when the one before has
    /// failed.
    ///
    /// ```
    /// use millpond_core::{HappyEyeballs, Race};
    /// use std::time::Duration;
    ///
    /// assert_eq!(HappyEyeballs::new(0, None).poll(Duration::ZERO), Race::Lost);
    /// ```
    pub fn new(attempts: usize, delay: Option<Duration>) -> Self {
        Self {
            attempts: vec![Attempt::Waiting; attempts],
            delay,
            outcome: Outcome::Open,
        }
    }

    /// What to do next. To be asked until it says to wait, or how the race has ended.
    ///
    /// See [`HappyEyeballs`] for an example.
    pub fn poll(&mut self, now: Duration) -> Race {
        if let Outcome::Won(winner) = self.outcome {
            return match self.running() {
                Some(loser) => {
                    self.attempts[loser] = Attempt::Cancelled;
                    Race::Cancel(loser)
                }
                None => Race::Won(winner),
            };
        }
        let next = self.next();
        let due = match self.newest() {
            Some(since) => self.delay.map(|delay| since.saturating_add(delay)),
            None => Some(Duration::ZERO),
        };
        if let Some(next) = next.filter(|_| due.is_some_and(|due| due <= now)) {
            self.attempts[next] = Attempt::Running { since: now };
            return Race::Start(next);
        }
        match (self.running(), next) {
            (None, None) => Race::Lost,
            (_, None) => Race::Wait { until: None },
            (_, Some(_)) => Race::Wait { until: due },
        }
    }

    /// The attempt has succeeded. The first that does has won; one that comes later is to be
    /// cancelled, even if it was before.
    ///
    /// # Panics
    ///
    /// If the attempt was not started, or has ended before.
    ///
    /// # Examples
    ///
    /// See [`HappyEyeballs`].
    pub fn connected(&mut self, attempt: usize) {
        let state = &mut self.attempts[attempt];
        match (*state, self.outcome) {
            (Attempt::Running { .. }, Outcome::Open) => {
                *state = Attempt::Won;
                self.outcome = Outcome::Won(attempt);
            }
            (Attempt::Running { .. }, Outcome::Won(_)) => {}
            (Attempt::Cancelled, _) => {
                *state = Attempt::Running {
                    since: Duration::ZERO,
                };
            }
            (Attempt::Waiting | Attempt::Failed | Attempt::Won, _) => {
                panic!("attempt {attempt} has connected, but was not running")
            }
        }
    }

    /// The attempt has failed.
    ///
    /// # Panics
    ///
    /// If the attempt was not started, or has ended before.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{HappyEyeballs, Race};
    /// # use std::time::Duration;
    /// let mut race = HappyEyeballs::new(1, None);
    /// assert_eq!(race.poll(Duration::ZERO), Race::Start(0));
    /// race.failed(0);
    /// assert_eq!(race.poll(Duration::ZERO), Race::Lost);
    /// ```
    pub fn failed(&mut self, attempt: usize) {
        let state = &mut self.attempts[attempt];
        match state {
            Attempt::Running { .. } => *state = Attempt::Failed,
            Attempt::Cancelled => {}
            Attempt::Waiting | Attempt::Failed | Attempt::Won => {
                panic!("attempt {attempt} has failed, but was not running")
            }
        }
    }

    fn next(&self) -> Option<usize> {
        self.attempts.iter().position(|a| *a == Attempt::Waiting)
    }

    fn running(&self) -> Option<usize> {
        self.attempts
            .iter()
            .position(|a| matches!(a, Attempt::Running { .. }))
    }

    /// Since when the newest attempt is running, if it is.
    fn newest(&self) -> Option<Duration> {
        let started = self.next().unwrap_or(self.attempts.len());
        match self.attempts[..started].last() {
            Some(Attempt::Running { since }) => Some(*since),
            Some(Attempt::Waiting | Attempt::Failed | Attempt::Cancelled | Attempt::Won) | None => {
                None
            }
        }
    }
}

/// Brings addresses into the order in which they should be tried: families in turn, starting with
/// the family of the first one, of which the first `first_family_count` come first.
///
/// `As in asyncio:` this is its `interleave`, with RFC 8305's name for the number ("First Address
/// Family Count"). 1 is usual; 0 counts as 1.
///
/// # Examples
///
/// ```
/// use std::net::SocketAddr;
///
/// let [a, b, c]: [SocketAddr; 3] =
///     ["[2001:db8::1]:80", "[2001:db8::2]:80", "192.0.2.1:80"].map(|a| a.parse().unwrap());
/// assert_eq!(millpond_core::interleave(&[a, b, c], 1), [a, c, b]);
/// assert_eq!(millpond_core::interleave(&[a, b, c], 2), [a, b, c]);
/// ```
pub fn interleave(addresses: &[SocketAddr], first_family_count: usize) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else {
        return Vec::new();
    };
    let (mut first, mut second): (Vec<SocketAddr>, Vec<SocketAddr>) = addresses
        .iter()
        .partition(|address| address.is_ipv6() == first.is_ipv6());
    let head = first_family_count.saturating_sub(1).min(first.len());
    let mut ordered: Vec<SocketAddr> = first.drain(..head).collect();
    let (mut first, mut second) = (first.drain(..), second.drain(..));
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(250);

    /// What a driver of the race has seen.
    #[derive(Clone)]
    struct Seen {
        race: HappyEyeballs,
        now: Duration,
        started: Vec<Duration>,
        running: Vec<usize>,
        cancelled: Vec<usize>,
        failed: Vec<usize>,
        newest_failed: bool,
        connected: Option<usize>,
    }

    /// Plays every order of outcomes and timers to its end. Returns how many there are.
    fn play(mut seen: Seen, delay: Option<Duration>) -> usize {
        loop {
            match seen.race.poll(seen.now) {
                Race::Start(attempt) => start(&mut seen, attempt, delay),
                Race::Cancel(attempt) => {
                    assert!(seen.connected.is_some(), "only losers are cancelled");
                    seen.running.retain(|running| *running != attempt);
                    seen.cancelled.push(attempt);
                }
                Race::Won(winner) => {
                    assert_eq!(seen.connected, Some(winner));
                    assert!(seen.running.is_empty(), "no attempt is left over");
                    let ended = 1 + seen.failed.len() + seen.cancelled.len();
                    assert_eq!(ended, seen.started.len());
                    return 1;
                }
                Race::Lost => {
                    assert_eq!(seen.failed.len(), seen.race.attempts.len());
                    assert!(seen.connected.is_none() && seen.running.is_empty());
                    return 1;
                }
                Race::Wait { until } => return branch(&seen, until, delay),
            }
        }
    }

    fn start(seen: &mut Seen, attempt: usize, delay: Option<Duration>) {
        assert!(seen.connected.is_none(), "nothing starts after the end");
        assert_eq!(attempt, seen.started.len(), "in turn");
        let after_delay = match (seen.started.last(), delay) {
            (Some(last), Some(delay)) => seen.now >= *last + delay,
            (None, _) => true,
            (Some(_), None) => false,
        };
        assert!(after_delay || seen.newest_failed, "not too early");
        seen.newest_failed = false;
        seen.started.push(seen.now);
        seen.running.push(attempt);
    }

    fn branch(seen: &Seen, until: Option<Duration>, delay: Option<Duration>) -> usize {
        assert!(
            !seen.running.is_empty(),
            "a running attempt will end the wait"
        );
        let more = seen.started.len() < seen.race.attempts.len();
        let due = delay
            .filter(|_| more)
            .map(|d| *seen.started.last().unwrap() + d);
        assert_eq!(until, due);
        assert!(!(more && seen.newest_failed), "a failure starts the next");
        let mut games = 0;
        for &attempt in &seen.running {
            let mut failed = seen.clone();
            failed.race.failed(attempt);
            failed.running.retain(|running| *running != attempt);
            failed.failed.push(attempt);
            failed.newest_failed = attempt + 1 == seen.started.len();
            games += play(failed, delay);

            let mut connected = seen.clone();
            connected.race.connected(attempt);
            connected.running.retain(|running| *running != attempt);
            connected.connected = Some(attempt);
            games += play(connected, delay);
        }
        if let Some(until) = until {
            let mut later = seen.clone();
            later.now = until;
            games += play(later, delay);
        }
        games
    }

    fn games(attempts: usize, delay: Option<Duration>) -> usize {
        let seen = Seen {
            race: HappyEyeballs::new(attempts, delay),
            now: Duration::ZERO,
            started: Vec::new(),
            running: Vec::new(),
            cancelled: Vec::new(),
            failed: Vec::new(),
            newest_failed: false,
            connected: None,
        };
        play(seen, delay)
    }

    /// How many games there are with so many attempts waiting and running, of which the newest runs
    /// while any waits.
    fn possible(waiting: usize, running: usize) -> usize {
        match (waiting, running) {
            (0, 0) => 1, // lost
            (0, _) => running * (1 + possible(0, running - 1)),
            _ => {
                let older_fails = match running - 1 {
                    0 => 0,
                    older => older * possible(waiting, older),
                };
                let newest_fails = possible(waiting - 1, running);
                let time_passes = possible(waiting - 1, running + 1);
                running + older_fails + newest_fails + time_passes
            }
        }
    }

    #[test]
    fn every_order_of_outcomes_has_one_winner_and_leaves_nothing_over() {
        for attempts in 1..=5 {
            // One after the other, each can win or fail: n games won and one lost.
            assert_eq!(games(attempts, None), attempts + 1);
            assert_eq!(games(attempts, Some(DELAY)), possible(attempts - 1, 1));
        }
        assert_eq!(games(0, Some(DELAY)), 1);
        // With 2: the first wins or fails at once, or the delay passes; then the second is alone
        // (2 games), or both run: either wins (2), or either fails and the other is alone (4).
        assert_eq!(possible(1, 1), 1 + 2 + 2 + 4);
    }

    #[test]
    fn a_loser_that_connects_after_it_was_cancelled_is_cancelled_again() {
        let mut race = HappyEyeballs::new(2, Some(Duration::ZERO));
        assert_eq!(race.poll(DELAY), Race::Start(0));
        assert_eq!(race.poll(DELAY), Race::Start(1));
        race.connected(0);
        assert_eq!(race.poll(DELAY), Race::Cancel(1));
        assert_eq!(race.poll(DELAY), Race::Won(0));
        race.connected(1);
        assert_eq!(race.poll(DELAY), Race::Cancel(1));
        race.failed(1);
        assert_eq!(race.poll(DELAY), Race::Won(0));
    }

    #[test]
    fn two_that_connect_at_once_have_one_winner() {
        let mut race = HappyEyeballs::new(2, Some(Duration::ZERO));
        assert_eq!(race.poll(DELAY), Race::Start(0));
        assert_eq!(race.poll(DELAY), Race::Start(1));
        race.connected(1);
        race.connected(0);
        assert_eq!(race.poll(DELAY), Race::Cancel(0));
        assert_eq!(race.poll(DELAY), Race::Won(1));
    }

    #[test]
    fn an_older_failure_does_not_hurry_the_next_attempt() {
        let mut race = HappyEyeballs::new(3, Some(DELAY));
        assert_eq!(race.poll(Duration::ZERO), Race::Start(0));
        assert_eq!(race.poll(DELAY), Race::Start(1));
        race.failed(0);
        assert_eq!(
            race.poll(DELAY),
            Race::Wait {
                until: Some(2 * DELAY)
            }
        );
    }

    #[test]
    #[should_panic(expected = "attempt 0 has failed, but was not running")]
    fn an_outcome_of_an_attempt_that_was_not_started_is_refused() {
        HappyEyeballs::new(1, None).failed(0);
    }

    /// CPython 3.8 to 3.15 give these orders for `interleave`.
    #[test]
    fn families_take_turns_as_in_asyncio() {
        let v6 = |n: u16| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, n], 80));
        let v4 = |n: u8| SocketAddr::from(([192, 0, 2, n], 80));
        let [a, b, c, d, e] = [v6(1), v6(2), v6(3), v4(4), v4(5)];
        let all = [a, b, c, d, e];
        assert_eq!(interleave(&all, 0), [a, d, b, e, c]);
        assert_eq!(interleave(&all, 1), [a, d, b, e, c]);
        assert_eq!(interleave(&all, 2), [a, b, d, c, e]);
        assert_eq!(interleave(&all, 3), [a, b, c, d, e]);
        assert_eq!(interleave(&all, 9), [a, b, c, d, e]);
        assert_eq!(interleave(&[d, e, a], 1), [d, a, e]);
        assert_eq!(interleave(&[], 1), []);
    }
}
