//! What `netem` does, where the kernel has none: packets late, out of order, lost and doubled.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use tun_rs::{DeviceBuilder, SyncDevice};

use crate::namespace::Namespace;

/// What happens to packets, in each direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) delay: Duration,
    /// How much longer a packet may take, which makes it come behind later ones.
    pub(crate) jitter: Duration,
    /// How likely it is that a packet does not arrive, or arrives twice.
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
}

/// How often what happened to packets.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) lost: AtomicUsize,
    pub(crate) doubled: AtomicUsize,
    pub(crate) overtaken: AtomicUsize,
}

/// Its threads end with the process.
#[derive(Debug)]
pub(crate) struct Forwarder {
    pub(crate) counts: Arc<Counts>,
}

/// A packet that is on its way. They are in order of time, and then as they were sent.
type Packet = (Instant, u64, Vec<u8>);

impl Forwarder {
    pub(crate) fn between(near: &Namespace, far: &Namespace, faults: Faults) -> io::Result<Self> {
        let counts = Arc::<Counts>::default();
        let near = Arc::new(interface(near)?);
        let far = Arc::new(interface(far)?);
        for (seed, from, to) in [(1, &near, &far), (2, &far, &near)] {
            let (departures, arrivals) = mpsc::channel();
            let (from, to) = (from.clone(), to.clone());
            let (lots, overtaken) = (counts.clone(), counts.clone());
            thread::spawn(move || take(&from, &departures, faults, seed, &lots));
            thread::spawn(move || deliver(&to, &arrivals, &overtaken));
        }
        Ok(Self { counts })
    }
}

fn interface(host: &Namespace) -> io::Result<SyncDevice> {
    let _inside = host.enter();
    DeviceBuilder::new().name("cable").build_sync()
}

/// Decides about each packet.
fn take(from: &SyncDevice, to: &Sender<Packet>, faults: Faults, seed: u64, counts: &Counts) {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut packet = vec![0; 1 << 16];
    let mut last = Instant::now();
    for number in 0.. {
        let Ok(length) = from.recv(&mut packet) else {
            return;
        };
        let packet = &packet[..length];
        let due = Instant::now() + faults.delay + faults.jitter.mul_f64(chance.f64());
        // TCP sends it once: who waits for it would wait for ever, and what it overtakes is void.
        if is_reset(packet) {
            last = last.max(due);
            let _ = to.send((last, number, packet.to_owned()));
            continue;
        }
        if chance.f64() < faults.loss {
            counts.lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let mut copies = 1;
        if chance.f64() < faults.duplication {
            counts.doubled.fetch_add(1, Ordering::Relaxed);
            copies = 2;
        }
        last = last.max(due);
        for _ in 0..copies {
            let _ = to.send((due, number, packet.to_owned()));
        }
    }
}

/// Whether it is one of TCP over IPv4 with the flag RST.
fn is_reset(packet: &[u8]) -> bool {
    let header = 4 * usize::from(packet[0] & 0xf);
    packet[0] >> 4 == 4
        && packet[9] == 6
        && packet.get(header + 13).is_some_and(|flags| flags & 4 != 0)
}

/// Hands packets over when they are due.
fn deliver(to: &SyncDevice, packets: &Receiver<Packet>, counts: &Counts) {
    let mut on_their_way = BinaryHeap::<Reverse<Packet>>::new();
    let mut latest = 0;
    loop {
        let now = Instant::now();
        while on_their_way
            .peek()
            .is_some_and(|Reverse((due, ..))| *due <= now)
        {
            let Some(Reverse((_, number, packet))) = on_their_way.pop() else {
                break;
            };
            if number < latest {
                counts.overtaken.fetch_add(1, Ordering::Relaxed);
            }
            latest = latest.max(number);
            // It fails while the interface is down, which a packet does not survive.
            let _ = to.send(&packet);
        }
        let next = match on_their_way.peek() {
            Some(Reverse((due, ..))) => packets.recv_timeout(due.duration_since(now)),
            None => packets.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(packet) => on_their_way.push(Reverse(packet)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
