//! Connecting to several addresses, each of which answers or fails after a time of its own.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use millpond::{
    Address, OpenError, Runtime,
    adapter::{BoxFuture, ConnectOptions, Socket, Spawn},
    open_connection,
};
use millpond_core::interleave;
use millpond_sim::{Sim, world};

use crate::{
    happy_eyeballs::address,
    input::Input,
    lacking::{lacks, swallows},
};

/// What an address does, and how long that takes.
#[derive(Clone, Copy, Debug)]
struct Fate {
    address: SocketAddr,
    after: Duration,
    succeeds: bool,
}

/// Races attempts in a world, and looks at what was started when, and what became of it.
pub(crate) fn connect(input: &mut Input<'_>, addresses: usize, delay: Option<Duration>) {
    let families = input.byte();
    let fates: Vec<Fate> = (0..addresses)
        .map(|n| Fate {
            address: address(n, families >> n & 1 == 1),
            after: Duration::from_millis(50 * input.below(12) as u64),
            succeeds: input.below(3) == 1,
        })
        .collect();
    let first_family_count = input.one_of(&[None, Some(1), Some(2), Some(0)]);
    let timeout = input.one_of(&[None, Some(100), Some(290), Some(1)]);
    let timeout = timeout.map(Duration::from_millis);
    let targets: Vec<_> = fates.iter().map(|fate| fate.address).collect();
    Sim::from_bytes(input.rest()).no_leaks().run(async {
        let net = Arc::new(Net::new(fates));
        let opening = open_connection(net.clone(), targets.clone()).happy_eyeballs_delay(delay);
        let opening = match first_family_count {
            Some(count) => opening.interleave(count),
            None => opening,
        };
        let opening = match timeout {
            Some(timeout) => opening.connect_timeout(timeout),
            None => opening,
        };
        let opened = opening.await;
        let order = match first_family_count.unwrap_or_else(|| usize::from(delay.is_some())) {
            0 => targets,
            count => interleave(&targets, count),
        };
        net.check_starts(&order, delay);
        match &opened {
            Ok(_stream) => net.check_winner(),
            Err(OpenError::Connect { attempts }) => net.check_failures(attempts),
            Err(OpenError::TimedOut { timeout: after, .. }) => {
                assert_eq!(Some(*after), timeout);
                assert_eq!(world().elapsed(), *after);
                assert_eq!(net.count(Stage::is_connected), 0);
            }
            Err(OpenError::Option { .. }) => assert!(order.is_empty()),
            Err(other) => panic!("{other}"),
        }
        assert_eq!(net.count(Stage::is_running), 0, "an attempt is left over");
        drop(opened);
        assert_eq!(net.count(Stage::is_connected), 0, "a socket is left over");
    });
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    fate: Fate,
    started: Duration,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Running,
    Failed,
    Connected,
    /// It was dropped, or its socket was.
    Dropped,
}

impl Stage {
    fn is_running(&self) -> bool {
        *self == Self::Running
    }

    fn is_connected(&self) -> bool {
        *self == Self::Connected
    }
}

impl Attempt {
    /// When it ends if it is let.
    fn end(&self) -> Duration {
        self.started + self.fate.after
    }
}

/// A runtime whose attempts meet their fate.
struct Net {
    fates: Vec<Fate>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
    world: Arc<dyn Runtime>,
}

/// What must be true when it is over.
impl Net {
    fn new(fates: Vec<Fate>) -> Self {
        Self {
            fates,
            attempts: Arc::default(),
            world: world().runtime(),
        }
    }

    fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap().clone()
    }

    fn count(&self, is: fn(&Stage) -> bool) -> usize {
        let attempts = self.attempts();
        attempts.iter().filter(|attempt| is(&attempt.stage)).count()
    }

    /// They start in order, each as soon as it is due and not before, until all is over.
    fn check_starts(&self, order: &[SocketAddr], delay: Option<Duration>) {
        let attempts = self.attempts();
        assert!(
            attempts.len() <= order.len(),
            "two attempts for one address"
        );
        let mut due = Duration::ZERO;
        for (attempt, address) in attempts.iter().zip(order) {
            assert_eq!(attempt.fate.address, *address, "in order");
            assert_eq!(attempt.started, due, "not too early, not too late");
            let failed = (!attempt.fate.succeeds).then(|| attempt.end());
            let delayed = delay.map(|delay| due.saturating_add(delay));
            due = failed
                .into_iter()
                .chain(delayed)
                .min()
                .unwrap_or(Duration::MAX);
        }
        if attempts.len() < order.len() {
            assert!(due >= world().elapsed(), "another one was due");
        }
    }

    /// The first that succeeded is left, and nothing else.
    fn check_winner(&self) {
        let now = world().elapsed();
        assert_eq!(self.count(Stage::is_connected), 1);
        for attempt in self.attempts() {
            match attempt.stage {
                Stage::Connected => assert_eq!(attempt.end(), now),
                Stage::Failed => assert!(!attempt.fate.succeeds && attempt.end() <= now),
                Stage::Dropped => assert!(attempt.end() >= now, "{attempt:?} was over before"),
                Stage::Running => panic!("{attempt:?} still runs"),
            }
        }
    }

    /// Each address is named once, in the order in which they failed.
    fn check_failures(&self, named: &[(Address, io::Error)]) {
        let attempts = self.attempts();
        assert_eq!(named.len(), self.fates.len());
        let end = |(address, error): &(Address, io::Error)| {
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            let is_it = |attempt: &&Attempt| Some(attempt.fate.address) == address.tcp();
            let attempt = attempts.iter().find(is_it).expect("it was tried");
            assert_eq!(attempt.stage, Stage::Failed);
            attempt.end()
        };
        let ends: Vec<_> = named.iter().map(end).collect();
        assert!(ends.is_sorted(), "{named:?}");
        let mut addresses: Vec<_> = named.iter().map(|(address, _)| address.tcp()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), named.len(), "each is named once");
    }
}

/// An attempt while it runs, and then its socket.
struct Held {
    attempt: usize,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

impl Held {
    fn go_to(&self, stage: Stage) {
        self.attempts.lock().unwrap()[self.attempt].stage = stage;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let stage = &mut self.attempts.lock().unwrap()[self.attempt].stage;
        if *stage != Stage::Failed {
            *stage = Stage::Dropped;
        }
    }
}

impl Socket for Held {
    swallows! {}
}

impl Spawn for Net {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.world.spawn(task);
    }
}

impl Runtime for Net {
    lacks! { ErrorKind::Unsupported.into(); bind adopt adopt_listener resolve }

    fn connect<'a>(
        &'a self,
        address: &'a Address,
        _: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        let is_it = |fate: &&Fate| Some(fate.address) == address.tcp();
        let fate = *self.fates.iter().find(is_it).expect("a known address");
        let mut attempts = self.attempts.lock().unwrap();
        let held = Held {
            attempt: attempts.len(),
            attempts: self.attempts.clone(),
        };
        attempts.push(Attempt {
            fate,
            started: world().elapsed(),
            stage: Stage::Running,
        });
        Box::pin(async move {
            self.sleep(fate.after).await;
            if fate.succeeds {
                held.go_to(Stage::Connected);
                return Ok(Box::new(held) as _);
            }
            held.go_to(Stage::Failed);
            Err(ErrorKind::ConnectionRefused.into())
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.world.sleep(duration)
    }

    fn now(&self) -> Instant {
        self.world.now()
    }
}
