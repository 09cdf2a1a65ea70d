//! Both sides of a pair talk at once.

use millpond::{StreamOptions, StreamReader, StreamWriter};
use shuttle::{future::block_on, thread};

use crate::{explore::explore, world::World};

const WORDS: &[u8] = b"to and fro";

#[test]
fn both_directions_of_a_pair_deliver() {
    explore(|| {
        let (left, right) = StreamOptions::new().watermarks(0, 2).pair(1);
        both_ways(left, right);
    });
}

#[test]
fn both_directions_of_two_sockets_deliver() {
    explore(|| {
        let world = World::new();
        let (left, right) = world.pair(&StreamOptions::new().watermarks(0, 2));
        both_ways(left, right);
        world.finish();
    });
}

fn both_ways(left: (StreamReader, StreamWriter), right: (StreamReader, StreamWriter)) {
    let one = thread::spawn(move || talk(left));
    let other = thread::spawn(move || talk(right));
    one.join().unwrap();
    other.join().unwrap();
}

/// The halves are on threads of their own.
fn talk((mut reader, mut writer): (StreamReader, StreamWriter)) {
    let hearing = thread::spawn(move || block_on(reader.read_to_eof()).unwrap());
    block_on(async {
        for piece in WORDS.chunks(4) {
            writer.write_all(piece).await.unwrap();
        }
        writer.write_eof().unwrap();
        writer.flush().await.unwrap();
    });
    assert_eq!(hearing.join().unwrap(), WORDS);
}
