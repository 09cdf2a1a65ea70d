//! A server with few places, more clients, and a shutdown from elsewhere.

use std::{
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use millpond::{Server, Stream, StreamReader, StreamWriter, listen, open_connection, start_server};
use shuttle::{
    future::block_on,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::{
    explore::explore,
    world::{ADDRESS, World},
};

#[test]
fn every_client_has_an_answer_from_a_server_with_one_place() {
    explore(|| every_client_is_answered(1));
}

#[test]
fn every_client_has_an_answer_from_a_server_with_two_places() {
    explore(|| every_client_is_answered(2));
}

#[test]
fn a_shutdown_from_elsewhere_leaves_nothing_behind() {
    explore(|| {
        let world = World::new();
        let server = block_on(
            start_server(world.runtime(), ADDRESS, answer)
                .max_connections(1)
                .into_future(),
        )
        .unwrap();
        let clients: Vec<_> = (0..2)
            .map(|_| {
                let world = world.clone();
                // Served or not, each comes to an end.
                thread::spawn(move || drop(ask(&world)))
            })
            .collect();
        block_on(server.shutdown());
        assert!(!server.is_serving());
        drop(server);
        world.turn_away();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        world.finish();
    });
}

#[test]
fn every_client_is_taken_once_by_whichever_thread_waits() {
    explore(|| {
        let world = World::new();
        let starting = listen(world.runtime(), ADDRESS).max_connections(1);
        let server = Arc::new(block_on(starting.into_future()).unwrap());
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let server = server.clone();
                thread::spawn(move || block_on(take(&server)))
            })
            .collect();
        all_are_answered(&world, 2);
        server.close();
        let taken = takers.into_iter().map(|taker| taker.join().unwrap());
        assert_eq!(taken.sum::<usize>(), 2);
        block_on(server.wait_closed());
        drop(server);
        world.finish();
    });
}

/// Each call was given up once before.
async fn take(server: &Server) -> usize {
    let mut taken = 0;
    loop {
        let given_up = pin!(server.accept()).poll(&mut Context::from_waker(Waker::noop()));
        let next = match given_up {
            Poll::Ready(next) => next,
            Poll::Pending => server.accept().await,
        };
        let Some(stream) = next else {
            return taken;
        };
        let (reader, writer) = Stream::into_split(stream);
        answer(reader, writer).await.unwrap();
        taken += 1;
    }
}

fn every_client_is_answered(places: usize) {
    let world = World::new();
    let inside = Arc::new(AtomicUsize::new(0));
    let handler = move |reader, writer| {
        let inside = inside.clone();
        async move {
            assert!(inside.fetch_add(1, Ordering::SeqCst) < places);
            let answered = answer(reader, writer).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            answered
        }
    };
    let server = start_server(world.runtime(), ADDRESS, handler).max_connections(places);
    let server = block_on(server.into_future()).unwrap();
    all_are_answered(&world, 3);
    block_on(server.shutdown());
    drop(server);
    world.finish();
}

/// So many clients, each on a thread of its own.
fn all_are_answered(world: &World, clients: usize) {
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            let world = world.clone();
            thread::spawn(move || assert_eq!(ask(&world).unwrap(), "answer"))
        })
        .collect();
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
}

async fn answer(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    reader.read_exactly(1).await?;
    writer.write(b"answer")?;
    Ok(())
}

fn ask(world: &World) -> io::Result<String> {
    block_on(async {
        let (mut reader, mut writer) = open_connection(world.runtime(), ADDRESS).await?;
        writer.write(b"?")?;
        let answer = reader.read_to_eof().await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    })
}
