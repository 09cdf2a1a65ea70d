//! A connection that is closed while its peer still sends: it lingers, and ends.

use millpond::{StreamOptions, open_connection};
use shuttle::{future::block_on, thread};

use crate::{
    explore::explore,
    world::{ADDRESS, World},
};

#[test]
fn a_closed_connection_lingers_until_its_peer_has_ended() {
    explore(|| {
        let world = World::new();
        let (mut reader, mut writer) =
            block_on(open_connection(world.runtime(), ADDRESS).into_future()).unwrap();
        let (mut peer_reader, mut peer_writer) = world.accepted();
        let peer = thread::spawn(move || {
            block_on(async {
                // More than there is room for, so that it has to be taken.
                let _ = peer_writer.write_all(b"unread").await;
                assert_eq!(peer_reader.read_to_eof().await.unwrap(), "answer");
                peer_writer.close();
                let _ = peer_writer.wait_closed().await;
            });
        });
        let reading = thread::spawn(move || {
            let _ = block_on(reader.read(1));
        });
        writer.write(b"answer").unwrap();
        writer.close();
        block_on(writer.wait_closed()).unwrap();
        drop(writer);
        peer.join().unwrap();
        reading.join().unwrap();
        world.finish();
    });
}

#[test]
fn a_reader_and_a_task_in_closed_are_both_woken() {
    explore(|| {
        let world = World::new();
        let ((mut reader, writer), (_peer_reader, mut peer_writer)) =
            world.pair(&StreamOptions::new());
        let closed = writer.closed();
        let waiting = thread::spawn(move || block_on(closed));
        let reading = thread::spawn(move || block_on(reader.read_to_eof()));
        let given_up = writer.closed();
        let looking = thread::spawn(move || drop(given_up));
        block_on(peer_writer.write_all(b"the last")).unwrap();
        peer_writer.close();
        assert_eq!(reading.join().unwrap().unwrap(), "the last");
        waiting.join().unwrap().unwrap();
        looking.join().unwrap();
        drop((writer, peer_writer));
        world.finish();
    });
}

#[test]
fn an_abort_by_the_peer_wakes_both() {
    explore(|| {
        let world = World::new();
        let ((mut reader, writer), (_peer_reader, mut peer_writer)) =
            world.pair(&StreamOptions::new());
        let closed = writer.closed();
        let waiting = thread::spawn(move || block_on(closed));
        let reading = thread::spawn(move || block_on(reader.read(1)));
        peer_writer.abort();
        assert!(reading.join().unwrap().is_err());
        assert!(waiting.join().unwrap().is_err());
        drop((writer, peer_writer));
        world.finish();
    });
}
