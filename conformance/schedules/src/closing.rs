//! A connection that is closed while its peer still sends: it lingers, and ends.

use millpond::open_connection;
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
                // More than there is room for, so that somebody has to take it.
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
