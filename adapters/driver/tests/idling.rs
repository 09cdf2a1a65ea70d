//! Streams of a program's own on which nothing moves, by a clock that the test moves.

mod support;

use std::{io::ErrorKind, pin::pin, time::Duration};

use millpond::{StreamOptions, StreamReader, StreamWriter};

use crate::support::{Kept, peer::Peer, world::World};

const SECOND: Duration = Duration::from_secs(1);

fn open(world: &World) -> (Peer, StreamReader, StreamWriter) {
    let peer = Peer::default();
    let options = StreamOptions::new().idle_timeout(10 * SECOND);
    let (reader, writer) = options.open_on(peer.socket(), world.runtime());
    world.settle();
    (peer, reader, writer)
}

#[test]
fn a_stream_on_which_nothing_moves_fails_in_its_time_and_what_waits_is_woken() {
    let world = World::default();
    let (peer, mut reader, mut writer) = open(&world);
    let mut reading = Box::pin(reader.read(1));
    assert!(world.poll(reading.as_mut()).is_none());
    world.advance(10 * SECOND - Duration::from_millis(1));
    assert!(!peer.was_reset());
    let error = world.run(reading).unwrap_err();
    assert_eq!(world.time(), 10 * SECOND);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(
        error
            .to_string()
            .ends_with("idle timeout: nothing was read or written for 10s")
    );
    assert!(peer.was_reset() && peer.is_released());
    assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(world.tasks(), 0);
}

#[test]
fn each_direction_keeps_it_alive() {
    let world = World::default();
    let (peer, mut reader, mut writer) = open(&world);
    for _ in 0..5 {
        world.advance(9 * SECOND);
        peer.send(b"x");
        assert_eq!(world.run(reader.read(1)).unwrap(), "x");
        world.advance(9 * SECOND);
        writer.write(b"y").unwrap();
    }
    world.advance(9 * SECOND);
    peer.send(b"unread");
    assert!(!peer.was_reset());
    world.advance(SECOND);
    assert!(peer.was_reset(), "what is not read does not count");
}

#[test]
fn a_stream_that_is_closed_aborted_or_dropped_ends_its_idle_watch() {
    type End = fn(StreamReader, StreamWriter);
    let ends: [End; 3] = [
        |_reader, mut writer| writer.close(),
        |_reader, mut writer| writer.abort(),
        |reader, writer| drop((reader, writer)),
    ];
    for end in ends {
        let world = World::default();
        let (peer, reader, writer) = open(&world);
        assert_eq!(world.tasks(), 1);
        peer.end();
        end(reader, writer);
        world.settle();
        assert_eq!((world.tasks(), world.time()), (0, Duration::ZERO));
        assert!(peer.is_released());
    }
}

#[test]
fn a_peer_that_takes_nothing_of_what_a_closed_stream_has_queued_is_idle() {
    let world = World::default();
    let (peer, _reader, mut writer) = open(&world);
    peer.take(1);
    writer.write(b"hello").unwrap();
    writer.close();
    let mut closed = pin!(writer.wait_closed());
    assert!(world.poll(closed.as_mut()).is_none());
    world.advance(10 * SECOND);
    let error = world.poll(closed).unwrap().unwrap_err();
    assert!(
        error.to_string().contains("nothing was read or written"),
        "{error}"
    );
    assert!(peer.was_reset() && peer.is_released());
    assert_eq!(world.tasks(), 0);
}

#[test]
fn without_a_clock_nothing_watches() {
    let (peer, kept) = (Peer::default(), Kept::default());
    let options = StreamOptions::new().idle_timeout(SECOND);
    let _stream = options.open(peer.socket(), std::sync::Arc::new(kept.clone()));
    assert_eq!(kept.count(), 0);
}

#[test]
#[should_panic(expected = "the idle timeout must be greater than 0")]
fn no_time_at_all_is_a_mistake() {
    let options = StreamOptions::new().idle_timeout(Duration::ZERO);
    options.open_on(Peer::default().socket(), World::default().runtime());
}
