//! Races of attempts to connect, in every order of what can happen to them.

use std::{
    future::IntoFuture,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicIsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use millpond::{
    Address, OpenError, Runtime,
    adapter::{BoxFuture, ConnectOptions, Socket, Spawn},
    open_connection,
};

#[path = "support/lacking.rs"]
mod lacking;

use crate::lacking::{lacks, swallows};

const ADDRESSES: usize = 3;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Running,
    Fails,
    Succeeds,
}

const FATES: [Fate; 3] = [Fate::Running, Fate::Fails, Fate::Succeeds];

/// Attempts and sleeps end by script.
struct Scripted {
    began: Instant,
    state: Arc<Mutex<State>>,
    /// Sockets that were made, connected or not, and not dropped.
    open: Arc<AtomicIsize>,
}

#[derive(Default)]
struct State {
    fates: Vec<Fate>,
    /// How late it is.
    now: Duration,
    /// When the last sleep ends.
    alarm: Option<Duration>,
}

impl Scripted {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            state: Arc::default(),
            open: Arc::default(),
        })
    }

    fn open(&self) -> isize {
        self.open.load(Ordering::Relaxed)
    }
}

/// A socket, or what becomes one.
struct Counted(Arc<AtomicIsize>);

impl Counted {
    fn new(open: &Arc<AtomicIsize>) -> Self {
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

impl Spawn for Scripted {
    fn spawn(&self, _: BoxFuture<'static, ()>) {}
}

fn nothing_else_is_asked() -> io::Error {
    unreachable!()
}

impl Runtime for Scripted {
    lacks! { nothing_else_is_asked(); bind adopt adopt_listener resolve }

    fn connect<'a>(
        &'a self,
        address: &'a Address,
        _: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        let attempt = usize::from(address.tcp().unwrap().port()) - 1;
        let mut state = self.state.lock().unwrap();
        assert_eq!(state.fates.len(), attempt, "they start in turn, and once");
        state.fates.push(Fate::Running);
        let mut socket = Some(Counted::new(&self.open));
        Box::pin(std::future::poll_fn(move |_| {
            match self.state.lock().unwrap().fates[attempt] {
                Fate::Running => Poll::Pending,
                Fate::Fails => {
                    drop(socket.take());
                    Poll::Ready(Err(ErrorKind::ConnectionRefused.into()))
                }
                Fate::Succeeds => {
                    let socket = socket.take().expect("it is not polled again");
                    Poll::Ready(Ok(Box::new(socket) as _))
                }
            }
        }))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let state = self.state.clone();
        let end = {
            let mut state = state.lock().unwrap();
            let end = state.now + duration;
            state.alarm = Some(end);
            end
        };
        Box::pin(std::future::poll_fn(move |_| {
            if state.lock().unwrap().now < end {
                return Poll::Pending;
            }
            Poll::Ready(())
        }))
    }

    fn now(&self) -> Instant {
        self.began + self.state.lock().unwrap().now
    }
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
    let runtime = Scripted::new();
    let addresses: Vec<SocketAddr> = (0..ADDRESSES).map(address).collect();
    let opening = open_connection(runtime.clone(), addresses).happy_eyeballs_delay(delay);
    let mut opening = opening.into_future();
    let mut polled = poll(&mut opening);
    for step in steps {
        assert!(polled.is_pending());
        let mut state = runtime.state.lock().unwrap();
        state.fates.clone_from(&step.fates);
        if step.time_passes {
            state.now = state.alarm.take().unwrap();
        }
        drop(state);
        polled = poll(&mut opening);
    }
    let following = match polled {
        Poll::Pending => following(&runtime),
        Poll::Ready(opened) => {
            check_end(&runtime, steps, opened);
            Vec::new()
        }
    };
    drop(opening);
    assert_eq!(runtime.open(), 0, "a socket is left over: {steps:?}");
    following
}

fn poll(opening: &mut BoxFuture<'static, Opened>) -> Poll<Opened> {
    opening
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

fn following(runtime: &Scripted) -> Vec<Step> {
    let state = runtime.state.lock().unwrap();
    let mut all = vec![Vec::new()];
    for fate in &state.fates {
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
    let times = if state.alarm.is_some() { 2 } else { 1 };
    let mut steps = Vec::new();
    for fates in all {
        for time_passes in [false, true].into_iter().take(times) {
            if time_passes || fates != state.fates {
                let fates = fates.clone();
                steps.push(Step { fates, time_passes });
            }
        }
    }
    steps
}

fn check_end(runtime: &Scripted, steps: &[Step], opened: Opened) {
    let last = steps.last().unwrap();
    match opened {
        Ok(_stream) => {
            assert!(last.fates.contains(&Fate::Succeeds), "{steps:?}");
            assert_eq!(runtime.open(), 1, "only the winner is left: {steps:?}");
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
    assert!(played > 200, "{played}");
    let played = explore(&mut Vec::new(), None);
    assert!(played > 5, "{played}");
    assert!(explore(&mut Vec::new(), Some(Duration::ZERO)) > 50);
}
