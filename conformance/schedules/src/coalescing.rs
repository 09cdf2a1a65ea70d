//! Answers to a batch, which are deferred while the reader has more.

use millpond::{StreamOptions, StreamReader, StreamWriter, Transport};
use shuttle::{future::block_on, thread};

use crate::{explore::explore, world::World};

/// Two are read at once, as many as are on their way.
const REQUESTS: &[u8] = b"1234";

fn in_world(disturb: Option<fn(&Transport)>) {
    let world = World::new();
    let options = StreamOptions::new().watermarks(1, 3);
    let ((mut reader, mut writer), (requests, answers)) = world.pair_on_runtime(&options);
    let transport = requests.transport();
    let asking = thread::spawn(move || {
        let _ = writer.write(REQUESTS);
        block_on(writer.drain()).ok();
        writer
    });
    let answering = thread::spawn(move || block_on(answer(requests, answers)));
    let reading = thread::spawn(move || {
        let came = block_on(reader.read_to_eof());
        (came, reader)
    });
    if let Some(disturb) = disturb {
        disturb(&transport);
    }
    let writer = asking.join().unwrap();
    answering.join().unwrap();
    let (came, reader) = reading.join().unwrap();
    match disturb {
        None => assert_eq!(came.unwrap(), REQUESTS),
        Some(_) => assert!(came.is_err() || REQUESTS.starts_with(&came.unwrap())),
    }
    drop((reader, writer, transport));
    world.finish();
}

/// One by one, as many as there are; then the writer is gone, with whatever it has not sent.
async fn answer(mut reader: StreamReader, mut writer: StreamWriter) {
    for _ in REQUESTS {
        match reader.read_exactly(1).await {
            Ok(request) if writer.write(&request).is_ok() => {}
            Ok(_) | Err(_) => break,
        }
        if writer.drain().await.is_err() {
            break;
        }
    }
}

#[test]
fn the_answers_to_a_batch_all_come() {
    // A flusher that ends and the next one meet within a few steps.
    for _ in 0..4 {
        explore(|| in_world(None));
    }
}

#[test]
fn a_close_from_elsewhere_between_answers_leaves_no_task_waiting() {
    explore(|| in_world(Some(|transport| transport.close())));
}

#[test]
fn an_abort_from_elsewhere_between_answers_leaves_no_task_waiting() {
    explore(|| in_world(Some(|transport| transport.abort())));
}
