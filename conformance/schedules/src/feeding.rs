//! A reader that is fed from elsewhere, with back-pressure.

use millpond::{StreamOptions, types::Feeder};
use shuttle::{future::block_on, thread};

use crate::explore::explore;

const PIECES: usize = 4;

#[test]
fn all_that_is_fed_arrives() {
    explore(|| {
        let (feeder, mut reader) = StreamOptions::new().limit(1).fed();
        let feeding = thread::spawn(move || block_on(feed(feeder)));
        assert_eq!(block_on(reader.read_to_eof()).unwrap().len(), 3 * PIECES);
        assert_eq!(feeding.join().unwrap(), PIECES);
    });
}

#[test]
fn a_feeder_sees_that_its_reader_was_dropped() {
    explore(|| {
        let (feeder, mut reader) = StreamOptions::new().limit(1).fed();
        let feeding = thread::spawn(move || block_on(feed(feeder)));
        assert_eq!(block_on(reader.read(1)).unwrap().len(), 1);
        drop(reader);
        assert!(feeding.join().unwrap() <= PIECES);
    });
}

#[test]
fn a_reader_sees_that_its_feeder_was_dropped() {
    explore(|| {
        let (mut feeder, mut reader) = millpond::fed();
        let feeding = thread::spawn(move || feeder.feed(b"cut"));
        assert!(block_on(reader.read_to_eof()).is_err());
        feeding.join().unwrap().unwrap();
    });
}

/// Returns how many pieces were taken.
async fn feed(mut feeder: Feeder) -> usize {
    for piece in 0..PIECES {
        if feeder.feed(b"abc").is_err() || feeder.drain().await.is_err() {
            return piece;
        }
    }
    feeder.feed_eof();
    PIECES
}
