//! Both sides of a conversation talk at once, whatever the network does, and cancel what they do at any
//! poll: no byte is lost, repeated, moved or invented, no more is buffered than there should be,
//! nothing hangs, nothing is left.
//!
//! `MILLPOND_SWEEPS` sets how many worlds there are.

#[path = "support/cancel.rs"]
mod cancel;
#[path = "support/duplex.rs"]
mod duplex;
#[path = "support/size.rs"]
mod size;

use std::time::Duration;

use duplex::{Place, Talk};
use millpond_sim::{Check, reachable};

const WORLDS: u64 = 300;

fn worlds() -> u64 {
    size::of("MILLPOND_SWEEPS", WORLDS)
}

/// Much more than the buffers hold, with many false ends of lines.
fn long() -> Talk {
    let text = |first: u8| {
        let lines = (0..900_usize).flat_map(move |line| {
            let word = (0..line % 40).map(move |place| match (line + place) % 7 {
                0 => b'\r',
                n => first + n as u8,
            });
            word.chain(*b"\r\n")
        });
        lines.collect::<Vec<u8>>().leak()
    };
    Talk {
        sent: [text(b'a'), text(b'A')],
        limit: 50,
        piece: 9000,
    }
}

/// How many conversations came to their end.
fn talk(place: Place, faults: u32) -> u64 {
    let talk = long();
    let report = Check::new(0..worlds()).run(|sim| {
        let latency = Duration::ZERO..=Duration::from_millis(5);
        let sim = sim.rough().latency(latency).buffers(500, 200);
        let (_, all) = talk.run(sim.random_faults(faults), place, faults > 0);
        if all {
            reachable!("the end");
        }
    });
    report.count("the end")
}

#[test]
fn streams_receive_everything() {
    assert_eq!(talk(Place::Streams, 0), worlds());
}

#[test]
fn a_client_and_a_server_receive_everything() {
    assert_eq!(talk(Place::Server, 0), worlds());
}

#[test]
fn streams_receive_a_prefix_before_a_fault() {
    let complete = talk(Place::Streams, 1);
    assert!(complete < worlds() * 3 / 4, "{complete}");
}

#[test]
fn a_client_and_a_server_receive_a_prefix_before_a_fault() {
    let complete = talk(Place::Server, 1);
    assert!(complete < worlds() * 3 / 4, "{complete}");
}
