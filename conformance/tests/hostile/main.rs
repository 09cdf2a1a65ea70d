//! Hostile clients of every kind that there is, against a server with 100 places and 256 descriptors: an
//! honest client is served all the while, and nothing is left of them. They are two thousand, or ten
//! thousand with `MILLPOND_EXHAUSTIVE` set.
//!
//! A client that holds a place until its timeout has it for a second. So of 100 places the server can take
//! back 100 a second, whatever it does, and more of such clients would fill its backlog. The attack holds
//! 90 places at any time, and for each client that holds one there come three that do not. So it is as
//! fast as any that a server can withstand, on any machine: some 330 a second, for half a minute if they are
//! ten thousand.
#![cfg(target_os = "linux")]

mod clients;
#[path = "../common/process.rs"]
mod process;
mod server;

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use clients::{HOLDING, Kind, OTHERS, Target};
use server::{Figures, ServerProcess};

/// So many clients at once hold a place until their time is over.
const AT_ONCE: usize = 90;

/// For each of those, so many that do not.
const BESIDE: usize = 3;

/// So many threads are enough for them: some stay for a second, too, though they hold no place.
const THREADS_BESIDE: usize = 80;

/// How long an honest client may wait.
const HONEST: Duration = Duration::from_secs(3);

/// What the server may have allocated more after the last client than after the first tenth: one byte of
/// each of ten thousand would be more.
const KEPT: i64 = 8 * 1024;

/// How long the last ones may take to go, on a machine that is busy.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// They measure times.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn an_honest_client_is_served_on_tokio() {
    withstand("tokio", false);
}

#[test]
fn an_honest_client_is_served_over_tls_on_tokio() {
    withstand("tokio", true);
}

#[test]
fn an_honest_client_is_served_on_smol() {
    withstand("smol", false);
}

#[test]
fn an_honest_client_is_served_over_tls_on_smol() {
    withstand("smol", true);
}

/// In all.
fn clients_that_hold() -> usize {
    match env::var_os("MILLPOND_EXHAUSTIVE") {
        Some(_) => 2_500,
        None => 500,
    }
}

fn withstand(runtime: &str, tls: bool) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut server = ServerProcess::start(runtime, tls);
    let before = server.figures();
    let target = server.target();
    let hold = clients_that_hold();
    let warm = hold / 10;
    Attack::new(&target).run(warm);
    let warmed = settle(&mut server, &before);
    let attack = Attack::new(&target);
    let (honest, longest, took) = attack.run(hold - warm);
    let after = settle(&mut server, &before);

    println!(
        "{runtime}, tls: {tls}: {honest} honest requests, of which the longest took {longest:?}, in {took:?}"
    );
    println!("{before:?}, then {warmed:?}, and at the end {after:?}");
    for (kind, end) in &*attack.ends.lock().unwrap() {
        println!("{kind}: {end:?}");
    }
    println!("handlers: {}", server.stop());
    assert!(
        (after.allocated - warmed.allocated).abs() < KEPT,
        "bytes are left: {warmed:?}, and at the end {after:?}"
    );
}

/// Waits until nothing is left of the clients.
fn settle(server: &mut ServerProcess, before: &Figures) -> Figures {
    let began = Instant::now();
    loop {
        let now = server.figures();
        if now.counts == before.counts {
            return now;
        }
        assert!(began.elapsed() < TIME_LIMIT, "{before:?}, and now {now:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// How those of one kind have ended.
#[derive(Debug, Default)]
struct Ends {
    count: usize,
    cut_short: usize,
    longest: Duration,
}

struct Attack<'a> {
    target: &'a Target,
    over: AtomicBool,
    started: AtomicUsize,
    ends: Mutex<BTreeMap<&'static str, Ends>>,
}

impl<'a> Attack<'a> {
    fn new(target: &'a Target) -> Self {
        Self {
            target,
            over: AtomicBool::new(false),
            started: AtomicUsize::new(0),
            ends: Mutex::default(),
        }
    }

    /// With so many that hold a place. Returns how many honest requests were made meanwhile, how long the
    /// longest took, and how long all took.
    fn run(&self, hold: usize) -> (usize, Duration, Duration) {
        let began = Instant::now();
        let (called, calls) = mpsc::channel();
        let calls = Mutex::new(calls);
        let (count, longest) = thread::scope(|scope| {
            let honest = scope.spawn(|| self.ask_honestly());
            let mut hostile: Vec<_> = (0..THREADS_BESIDE)
                .map(|_| scope.spawn(|| self.come_and_go(&calls)))
                .collect();
            for _ in 0..AT_ONCE {
                let called = called.clone();
                hostile.push(scope.spawn(move || self.hold_places(hold, &called)));
            }
            drop(called);
            let ended: Vec<_> = hostile.into_iter().map(|it| it.join()).collect();
            self.over.store(true, Ordering::Release);
            ended.into_iter().for_each(|ended| ended.unwrap());
            honest.join().unwrap()
        });
        (count, longest, began.elapsed())
    }

    /// For each client that holds a place it calls some that do not.
    fn hold_places(&self, hold: usize, called: &mpsc::Sender<usize>) {
        loop {
            let n = self.started.fetch_add(1, Ordering::AcqRel);
            if n >= hold {
                return;
            }
            (0..BESIDE).for_each(|i| called.send(BESIDE * n + i).unwrap());
            self.be(&HOLDING[n % HOLDING.len()]);
        }
    }

    fn come_and_go(&self, calls: &Mutex<mpsc::Receiver<usize>>) {
        loop {
            let call = calls.lock().unwrap().recv();
            let Ok(n) = call else { return };
            self.be(&OTHERS[n % OTHERS.len()]);
        }
    }

    fn be(&self, kind: &Kind) {
        let began = Instant::now();
        let ended = (kind.client)(self.target);
        let mut ends = self.ends.lock().unwrap();
        let end = ends.entry(kind.name).or_default();
        end.count += 1;
        // On a machine that is busy, its time may have been over before it had sent what it had to.
        end.cut_short += usize::from(ended.is_err());
        end.longest = end.longest.max(began.elapsed());
    }

    fn ask_honestly(&self) -> (usize, Duration) {
        let (mut count, mut longest) = (0, Duration::ZERO);
        while !self.over.load(Ordering::Acquire) {
            let began = Instant::now();
            self.target.ask().unwrap();
            let took = began.elapsed();
            assert!(took < HONEST, "an honest client was served after {took:?}");
            count += 1;
            longest = longest.max(took);
            thread::sleep(Duration::from_millis(5));
        }
        (count, longest)
    }
}
