//! Races of attempts to connect, in every order of what can happen to them.

mod support;

use std::{
    future::{IntoFuture, poll_fn},
    io::ErrorKind,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicIsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use millpond::{
    OpenError,
    adapter::{BoxFuture, Socket},
    open_connection,
};

use crate::support::{lacking::swallows, world::World};

const ADDRESSES: usize = 3;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Running,
    Fails,
    Succeeds,
}

const FATES: [Fate; 3] = [Fate::Running, Fate::Fails, Fate::Succeeds];

/// How each attempt goes, in the order in which they began.
type Fates = Arc<Mutex<Vec<Fate>>>;

/// Sockets that were made, connected or not, and not dropped.
type Open = Arc<AtomicIsize>;

/// A socket, or what becomes one.
struct Counted(Open);

impl Counted {
    fn new(open: &Open) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Socket for Counted {
    swallows! {}
}

/// A world in which attempts go as their fates say.
fn world(fates: &Fates, open: &Open) -> World {
    let world = World::default();
    let (fates, open) = (fates.clone(), open.clone());
    world.on_connect(move |address| {
        let attempt = usize::from(address.tcp().unwrap().port()) - 1;
        let began = fates.lock().unwrap().len();
        assert_eq!(began, attempt, "they start in turn, and once");
        fates.lock().unwrap().push(Fate::Running);
        let (fates, mut socket) = (fates.clone(), Some(Counted::new(&open)));
        Box::pin(poll_fn(move |_| match fates.lock().unwrap()[attempt] {
            Fate::Running => Poll::Pending,
            Fate::Fails => {
                drop(socket.take());
                Poll::Ready(Err(ErrorKind::ConnectionRefused.into()))
            }
            Fate::Succeeds => {
                let socket = socket.take().expect("it is not polled again");
                Poll::Ready(Ok(Box::new(socket) as _))
            }
        }))
    });
    world
}

/// What happens before the next poll: an attempt that runs may end, and time may pass.
#[derive(Clone, Debug)]
struct Step {
    fates: Vec<Fate>,
    time_passes: bool,
}

type Opened = Result<(millpond::StreamReader, millpond::StreamWriter), OpenError>;

fn address(attempt: usize) -> SocketAddr {
    let port = u16::try_from(attempt + 1).unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Plays these steps from the beginning, then drops the whole. Returns the steps that can follow, none
/// if the race is over.
fn play(steps: &[Step], delay: Option<Duration>) -> Vec<Step> {
    let (fates, open) = (Fates::default(), Open::default());
    let world = world(&fates, &open);
    let addresses: Vec<SocketAddr> = (0..ADDRESSES).map(address).collect();
    let opening = open_connection(world.runtime(), addresses).happy_eyeballs_delay(delay);
    let mut opening = opening.into_future();
    let mut polled = poll(&mut opening);
    for step in steps {
        assert!(polled.is_pending());
        fates.lock().unwrap().clone_from(&step.fates);
        if step.time_passes {
            assert!(world.go_on());
        }
        polled = poll(&mut opening);
    }
    let following = match polled {
        Poll::Pending => following(&fates.lock().unwrap(), world.is_asleep()),
        Poll::Ready(opened) => {
            check_end(&open, steps, opened);
            Vec::new()
        }
    };
    drop(opening);
    assert_eq!(
        open.load(Ordering::Relaxed),
        0,
        "a socket is left over: {steps:?}"
    );
    following
}

fn poll(opening: &mut BoxFuture<'static, Opened>) -> Poll<Opened> {
    opening
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

fn following(now: &[Fate], is_asleep: bool) -> Vec<Step> {
    let mut all = vec![Vec::new()];
    for fate in now {
        let fates = match fate {
            Fate::Running => &FATES[..],
            ended @ (Fate::Fails | Fate::Succeeds) => std::slice::from_ref(ended),
        };
        let longer = |before: &Vec<Fate>| {
            let before = before.clone();
            fates
                .iter()
                .map(move |fate| [&before[..], &[*fate]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    let times = if is_asleep { 2 } else { 1 };
    let mut steps = Vec::new();
    for fates in all {
        for time_passes in [false, true].into_iter().take(times) {
            if time_passes || fates != now {
                let fates = fates.clone();
                steps.push(Step { fates, time_passes });
            }
        }
    }
    steps
}

fn check_end(open: &Open, steps: &[Step], opened: Opened) {
    let last = steps.last().unwrap();
    match opened {
        Ok(_stream) => {
            assert!(last.fates.contains(&Fate::Succeeds), "{steps:?}");
            assert_eq!(
                open.load(Ordering::Relaxed),
                1,
                "only the winner is left: {steps:?}"
            );
        }
        Err(OpenError::Connect { attempts }) => {
            let order: Vec<_> = attempts.iter().filter_map(|(at, _)| at.tcp()).collect();
            assert_eq!(order, in_order_of_failure(steps), "{steps:?}");
            assert_eq!(order.len(), ADDRESSES, "{steps:?}");
        }
        Err(other) => panic!("{other}"),
    }
}

fn in_order_of_failure(steps: &[Step]) -> Vec<SocketAddr> {
    let mut order = Vec::new();
    for step in steps {
        for (attempt, fate) in step.fates.iter().enumerate() {
            if *fate == Fate::Fails && !order.contains(&address(attempt)) {
                order.push(address(attempt));
            }
        }
    }
    order
}

/// Plays every way in which it can go on. Returns how many there are.
fn explore(steps: &mut Vec<Step>, delay: Option<Duration>) -> usize {
    let following = play(steps, delay);
    let mut played = 1;
    for step in following {
        steps.push(step);
        played += explore(steps, delay);
        steps.pop();
    }
    played
}

#[test]
fn no_socket_but_the_winner_is_left_whatever_happens_and_whenever_the_whole_is_dropped() {
    let played = explore(&mut Vec::new(), Some(Duration::from_millis(250)));
    assert!(played > 150, "{played}");
    let played = explore(&mut Vec::new(), None);
    assert!(played > 5, "{played}");
    assert!(explore(&mut Vec::new(), Some(Duration::ZERO)) > 50);
}
