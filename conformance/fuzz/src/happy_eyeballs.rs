//! Races of attempts to connect: the bare race, and a driver of it in a world.

use std::{net::SocketAddr, time::Duration};

use millpond_core::{HappyEyeballs, Race, interleave};

use crate::{input::Input, racing};

const MOST_STEPS: usize = 200;

/// Runs a race of the core with any outcomes at any times, late ones, too; then has a driver connect
/// to addresses that answer or fail when the bytes say so.
///
/// # Panics
///
/// If it does not.
pub fn happy_eyeballs(data: &[u8]) {
    let mut input = Input::new(data);
    let delay = any_delay(&mut input);
    let attempts = input.below(7);
    check_interleaving(&mut input);
    if input.below(2) == 1 {
        return racing::connect(&mut input, attempts, delay);
    }
    let mut game = Game::new(attempts, delay);
    game.settle();
    for _ in 0..MOST_STEPS {
        if input.is_used_up() {
            break;
        }
        game.play(&mut input);
    }
}

fn any_delay(input: &mut Input<'_>) -> Option<Duration> {
    let ms = input.one_of(&[Some(250), None, Some(0), Some(50), Some(u64::MAX)]);
    ms.map(Duration::from_millis)
}

/// Families take turns: each address has its place, whatever the others are.
fn check_interleaving(input: &mut Input<'_>) {
    let count = input.below(4);
    let families = input.byte();
    let addresses: Vec<SocketAddr> = (0..input.below(8))
        .map(|n| address(n, families >> n & 1 == 1))
        .collect();
    let ordered = interleave(&addresses, count);
    let head = count.saturating_sub(1);
    let (mut first, mut second) = (0_usize, 0);
    let mut placed = Vec::new();
    for address in &addresses {
        let place = if address.is_ipv6() == addresses[0].is_ipv6() {
            first += 1;
            let behind_head = first.saturating_sub(1 + head);
            first - 1 + behind_head
        } else {
            second += 1;
            head + 2 * second - 1
        };
        placed.push((place, *address));
    }
    placed.sort_by_key(|(place, _)| *place);
    let expected: Vec<_> = placed.into_iter().map(|(_, address)| address).collect();
    assert_eq!(ordered, expected, "{addresses:?}, {count}");
}

pub(crate) fn address(n: usize, is_ipv6: bool) -> SocketAddr {
    let port = 1 + u16::try_from(n).expect("few addresses");
    match is_ipv6 {
        true => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
        false => SocketAddr::from(([127, 0, 0, 1], port)),
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Attempt {
    Waiting,
    Running { since: Duration },
    Failed,
    Cancelled,
    Won,
}

/// A race, and what is known of it from outside.
struct Game {
    race: HappyEyeballs,
    delay: Option<Duration>,
    now: Duration,
    attempts: Vec<Attempt>,
}

impl Game {
    fn new(attempts: usize, delay: Option<Duration>) -> Self {
        Self {
            race: HappyEyeballs::new(attempts, delay),
            delay,
            now: Duration::ZERO,
            attempts: vec![Attempt::Waiting; attempts],
        }
    }

    /// One thing happens. Then the driver of the race polls it again, or lets more happen before.
    fn play(&mut self, input: &mut Input<'_>) {
        let choice = input.below(8);
        let attempt = input.below(self.attempts.len().max(1));
        match choice {
            0 | 1 => self.now += Duration::from_millis(input.below(300) as u64),
            2..=4 => self.end(attempt, Attempt::Failed),
            5 => self.end(attempt, Attempt::Won),
            _ => self.settle(),
        }
        if choice < 4 {
            self.settle();
        }
    }

    /// An attempt that was started fails or connects, maybe when it was cancelled already.
    fn end(&mut self, attempt: usize, how: Attempt) {
        let is_won = self.attempts.contains(&Attempt::Won);
        let Some(state) = self.attempts.get_mut(attempt) else {
            return;
        };
        match (*state, how) {
            (Attempt::Waiting | Attempt::Failed | Attempt::Won, _) => return,
            (Attempt::Cancelled, Attempt::Failed) => {}
            // It comes too late and has to be cancelled.
            (Attempt::Cancelled | Attempt::Running { .. }, Attempt::Won) if is_won => {
                *state = Attempt::Running { since: self.now };
            }
            _ => *state = how,
        }
        if how == Attempt::Won {
            self.race.connected(attempt);
        } else {
            self.race.failed(attempt);
        }
    }

    /// Does what the race says until it waits or has ended.
    fn settle(&mut self) {
        loop {
            match self.race.poll(self.now) {
                Race::Start(attempt) => self.start(attempt),
                Race::Cancel(attempt) => {
                    assert!(
                        self.attempts.contains(&Attempt::Won),
                        "losers are cancelled"
                    );
                    assert!(self.is_running(attempt));
                    self.attempts[attempt] = Attempt::Cancelled;
                }
                Race::Won(winner) => {
                    assert_eq!(self.attempts[winner], Attempt::Won);
                    let won = |attempt: &&Attempt| **attempt == Attempt::Won;
                    assert_eq!(self.attempts.iter().filter(won).count(), 1);
                    assert!(!self.is_any_running(), "no attempt is left over");
                    break;
                }
                Race::Lost => {
                    let failed = |attempt: &Attempt| *attempt == Attempt::Failed;
                    assert!(self.attempts.iter().all(failed));
                    break;
                }
                Race::Wait { until } => {
                    self.check_waiting(until);
                    break;
                }
            }
        }
    }

    fn start(&mut self, attempt: usize) {
        assert!(!self.attempts.contains(&Attempt::Won), "it is over");
        assert_eq!(attempt, self.started(), "in turn, and each once");
        let has_had_its_time = match attempt.checked_sub(1).map(|last| self.attempts[last]) {
            Some(Attempt::Running { since }) => self
                .delay
                .is_some_and(|delay| since.saturating_add(delay) <= self.now),
            _ => true,
        };
        assert!(has_had_its_time, "not too early");
        self.attempts[attempt] = Attempt::Running { since: self.now };
    }

    fn check_waiting(&self, until: Option<Duration>) {
        assert!(!self.attempts.contains(&Attempt::Won));
        assert!(self.is_any_running(), "a running attempt will end the wait");
        let started = self.started();
        let due = if started == self.attempts.len() {
            None
        } else {
            let Attempt::Running { since } = self.attempts[started - 1] else {
                panic!("a failure of the newest starts the next");
            };
            self.delay.map(|delay| since.saturating_add(delay))
        };
        assert_eq!(until, due);
        assert!(until.is_none_or(|until| until > self.now), "not too late");
    }

    fn started(&self) -> usize {
        let waiting = |attempt: &Attempt| *attempt == Attempt::Waiting;
        let started = self.attempts.iter().position(waiting);
        started.unwrap_or(self.attempts.len())
    }

    fn is_running(&self, attempt: usize) -> bool {
        matches!(self.attempts[attempt], Attempt::Running { .. })
    }

    fn is_any_running(&self) -> bool {
        (0..self.attempts.len()).any(|attempt| self.is_running(attempt))
    }
}
