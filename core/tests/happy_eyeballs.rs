//! Races of connection attempts against a naive prediction of them, for every fate of every attempt.

use std::{net::SocketAddr, time::Duration};

use millpond_core::{HappyEyeballs, Race, interleave};

const MOST_ATTEMPTS: usize = 5;

/// Time goes by in whole ones of these.
const TICK: Duration = Duration::from_millis(50);

/// By then every attempt that ends has ended: each may begin 3 ticks after the one before at the
/// latest, and take 3 of its own.
const LATEST: u32 = 3 * MOST_ATTEMPTS as u32 + 1;

/// What becomes of an attempt, and how many ticks after it was started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Connects(u32),
    Fails(u32),
    NeverEnds,
}

const FATES: [Fate; 7] = [
    Fate::Connects(1),
    Fate::Connects(2),
    Fate::Connects(3),
    Fate::Fails(1),
    Fate::Fails(2),
    Fate::Fails(3),
    Fate::NeverEnds,
];

/// Which of two that end within one tick is reported first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum First {
    Older,
    Newer,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    Lost(u32),
    Pending,
    Won(usize, u32),
}

/// Everything that can be seen of a race.
#[derive(Debug, Eq, PartialEq)]
struct Course {
    /// When each attempt was started, for those that were.
    starts: Vec<u32>,
    cancelled: Vec<usize>,
    outcome: Outcome,
}

/// From the rule alone: an attempt starts when the one before has failed or has had its delay, and the
/// first to connect ends it all.
fn predict(fates: &[Fate], delay: Option<u32>, first: First) -> Course {
    let mut starts = Vec::new();
    let mut due = Some(0);
    for fate in fates {
        let Some(start) = due else { break };
        starts.push(start);
        let failed = match fate {
            Fate::Fails(after) => Some(start + after),
            Fate::Connects(_) | Fate::NeverEnds => None,
        };
        let delayed = delay.map(|delay| start + delay);
        due = [failed, delayed].into_iter().flatten().min();
    }
    let ends = |want: fn(Fate) -> Option<u32>| {
        let began = starts.iter().zip(fates).enumerate();
        began.filter_map(move |(i, (start, fate))| Some((start + want(*fate)?, i)))
    };
    let connects = |fate| match fate {
        Fate::Connects(after) => Some(after),
        Fate::Fails(_) | Fate::NeverEnds => None,
    };
    let fails = |fate| match fate {
        Fate::Fails(after) => Some(after),
        Fate::Connects(_) | Fate::NeverEnds => None,
    };
    let winner = match first {
        First::Older => ends(connects).min(),
        First::Newer => ends(connects).min_by_key(|(time, i)| (*time, usize::MAX - i)),
    };
    let Some((won, winner)) = winner else {
        let outcome = match ends(fails).count() == fates.len() {
            true => Outcome::Lost(ends(fails).map(|(time, _)| time).max().unwrap_or(0)),
            false => Outcome::Pending,
        };
        return Course {
            starts,
            cancelled: Vec::new(),
            outcome,
        };
    };
    let failed: Vec<usize> = ends(fails)
        .filter(|(at, _)| *at <= won)
        .map(|(_, i)| i)
        .collect();
    starts.retain(|start| *start < won);
    let cancelled = (0..starts.len())
        .filter(|i| *i != winner && !failed.contains(i))
        .collect();
    Course {
        starts,
        cancelled,
        outcome: Outcome::Won(winner, won),
    }
}

/// What the race does, asked at every tick.
fn play(fates: &[Fate], delay: Option<u32>, first: First) -> Course {
    let mut race = HappyEyeballs::new(fates.len(), delay.map(|ticks| ticks * TICK));
    let mut starts: Vec<u32> = Vec::new();
    let mut cancelled = Vec::new();
    for now in 0..=LATEST {
        let mut ending: Vec<usize> = (0..starts.len()).collect();
        if first == First::Newer {
            ending.reverse();
        }
        for i in ending {
            match fates[i] {
                Fate::Connects(after) if starts[i] + after == now => race.connected(i),
                Fate::Fails(after) if starts[i] + after == now => race.failed(i),
                Fate::Connects(_) | Fate::Fails(_) | Fate::NeverEnds => {}
            }
        }
        loop {
            match race.poll(now * TICK) {
                Race::Start(i) => {
                    assert_eq!(i, starts.len(), "in turn");
                    starts.push(now);
                }
                Race::Cancel(i) => cancelled.push(i),
                Race::Wait { until } => {
                    let more = starts.len() < fates.len();
                    let next = delay
                        .filter(|_| more)
                        .map(|delay| starts.last().unwrap() + delay);
                    assert_eq!(until, next.map(|next| next * TICK));
                    break;
                }
                Race::Lost => {
                    let outcome = Outcome::Lost(now);
                    return Course {
                        starts,
                        cancelled,
                        outcome,
                    };
                }
                Race::Won(winner) => {
                    check_late_endings(&race, winner, &cancelled);
                    let outcome = Outcome::Won(winner, now);
                    return Course {
                        starts,
                        cancelled,
                        outcome,
                    };
                }
            }
        }
    }
    Course {
        starts,
        cancelled,
        outcome: Outcome::Pending,
    }
}

/// A loser that ends after it was cancelled changes nothing, and one that has connected is cancelled
/// once more.
fn check_late_endings(race: &HappyEyeballs, winner: usize, cancelled: &[usize]) {
    let later = LATEST * TICK;
    for &loser in cancelled {
        let mut fails = race.clone();
        fails.failed(loser);
        assert_eq!(fails.poll(later), Race::Won(winner));

        let mut connects = race.clone();
        connects.connected(loser);
        assert_eq!(connects.poll(later), Race::Cancel(loser));
        assert_eq!(connects.poll(later), Race::Won(winner));
    }
}

/// Calls `check` with every sequence of `len` of these.
fn for_each_sequence<T: Copy>(of: &[T], len: usize, check: &mut impl FnMut(&[T])) {
    fn longer<T: Copy>(of: &[T], len: usize, so_far: &mut Vec<T>, check: &mut impl FnMut(&[T])) {
        if so_far.len() == len {
            return check(so_far);
        }
        for item in of {
            so_far.push(*item);
            longer(of, len, so_far, check);
            so_far.pop();
        }
    }
    longer(of, len, &mut Vec::new(), check);
}

#[test]
fn whatever_becomes_of_each_attempt_and_when_the_race_goes_as_predicted() {
    let mut played = 0;
    for attempts in 0..=MOST_ATTEMPTS {
        for_each_sequence(&FATES, attempts, &mut |fates| {
            for delay in [None, Some(0), Some(1), Some(2), Some(3)] {
                for first in [First::Older, First::Newer] {
                    let predicted = predict(fates, delay, first);
                    let went = play(fates, delay, first);
                    assert_eq!(went, predicted, "{fates:?}, delay {delay:?}, {first:?}");
                    played += 1;
                }
            }
        });
    }
    let sequences: usize = (0..=MOST_ATTEMPTS as u32).map(|n| FATES.len().pow(n)).sum();
    assert_eq!(played, sequences * 5 * 2); // 196 080
}

/// CPython's `_interleave_addrinfos`, line by line.
fn asyncios_interleave(addresses: &[SocketAddr], first_family_count: usize) -> Vec<SocketAddr> {
    let mut families: Vec<Vec<SocketAddr>> = Vec::new();
    for address in addresses {
        let of_family = |family: &&mut Vec<SocketAddr>| family[0].is_ipv6() == address.is_ipv6();
        match families.iter_mut().find(of_family) {
            Some(family) => family.push(*address),
            None => families.push(vec![*address]),
        }
    }
    let mut ordered = Vec::new();
    if first_family_count > 1 && !families.is_empty() {
        let n = (first_family_count - 1).min(families[0].len());
        ordered.extend(families[0].drain(..n));
    }
    let longest = families.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..longest {
        ordered.extend(families.iter().filter_map(|family| family.get(round)));
    }
    ordered
}

#[test]
fn families_of_any_addresses_take_turns_as_in_asyncio() {
    for len in 0..=8 {
        for_each_sequence(&[true, false], len, &mut |families| {
            let addresses: Vec<SocketAddr> = families
                .iter()
                .zip(1u8..)
                .map(|(v6, n)| match v6 {
                    true => ([0, 0, 0, 0, 0, 0, 0, u16::from(n)], 80).into(),
                    false => ([192, 0, 2, n], 80).into(),
                })
                .collect();
            for count in 0..=len + 1 {
                assert_eq!(
                    interleave(&addresses, count),
                    asyncios_interleave(&addresses, count),
                    "{count} of {addresses:?}"
                );
            }
        });
    }
}
