//! Runs a short conversation, in which both sides talk at once, in the given number of worlds, with
//! faults and cancellations, and prints how fast that is:
//! `cargo run --release -p millpond-sim --example schedules -- 1000000`.
//!
//! Each world is checked as those of the tests are: no byte is lost, repeated, moved or invented, no
//! more is buffered than there should be, errors are those of the network, nothing hangs, nothing is
//! left.

#[path = "../tests/support/cancel.rs"]
mod cancel;
#[path = "../tests/support/duplex.rs"]
mod duplex;

use std::{env, time::Instant};

use duplex::{Place, Talk};
use millpond_sim::Check;

const TALK: Talk = Talk {
    sent: [
        b"one\r\ntwo and a half\r\n\r\r\nthree\r\n",
        b"uno\r\n\r\ndue\re mezzo\r\ntre\r\n",
    ],
    limit: 20,
    piece: 20,
};

fn main() {
    let count = env::args().nth(1);
    let count = count.map_or(100_000, |text| text.parse().expect("a number of worlds"));
    measure("two streams", count, Place::Streams);
    measure("a client and a server", count, Place::Server);
}

/// In half of the worlds the network does not fail.
fn measure(name: &str, count: u64, place: Place) {
    let began = Instant::now();
    let (mut complete, mut polls) = (0_u64, 0);
    for faults in [false, true] {
        Check::new(0..count / 2).run_twice(0).run(|sim| {
            let sim = sim.rough().random_faults(u32::from(faults));
            let (run, all) = TALK.run(sim, place, faults);
            polls += run.polls;
            complete += u64::from(all);
        });
    }
    let count = count / 2 * 2;
    let time = began.elapsed();
    let rate = count as f64 / time.as_secs_f64();
    println!(
        "{name}: {count} worlds in {time:.1?}, {rate:.0} a second, {} polls each",
        polls / count
    );
    println!(
        "    {complete} conversations to the end, {} cut off by a fault",
        count - complete
    );
}
