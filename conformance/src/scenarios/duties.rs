//! What the driver needs of an adapter otherwise.

use std::{
    future::poll_fn,
    io::ErrorKind,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::{join, join_all};
use millpond::{
    Address, StreamOptions, StreamReader, StreamWriter,
    adapter::{ConnectOptions, ListenOptions, Lookup},
};

use crate::{meddler::Meddler, setup::Setup};

pub(crate) async fn sleep_takes_as_long_as_it_should(setup: Setup) {
    let start = setup.runtime.now();
    setup.sleep(30).await;
    assert!(setup.runtime.now() - start >= Duration::from_millis(30));
}

pub(crate) async fn sleeps_go_on_side_by_side(setup: Setup) {
    let start = setup.runtime.now();
    join_all((0..2000).map(|_| setup.sleep(50))).await;
    // One behind the other would take 100 s.
    assert!(setup.runtime.now() - start < Duration::from_secs(60));
}

pub(crate) async fn a_slow_future_can_be_timed_out(setup: Setup) {
    let brief = Duration::from_millis(10);
    let never = std::future::pending::<()>();
    let given_up = millpond::timeout(&*setup.runtime, brief, never).await;
    assert_eq!(given_up.unwrap_err().after, brief);
    let long = Duration::from_secs(60);
    let done = millpond::timeout(&*setup.runtime, long, setup.sleep(1)).await;
    done.unwrap();
}

pub(crate) async fn a_spawned_task_runs_without_being_awaited(setup: Setup) {
    let (done, finished) = futures_channel::oneshot::channel();
    let runtime = setup.runtime.clone();
    setup.runtime.spawn(Box::pin(async move {
        runtime.sleep(Duration::from_millis(10)).await;
        let _ = done.send(());
    }));
    finished.await.unwrap();
}

pub(crate) async fn tasks_can_be_spawned_from_any_thread(setup: Setup) {
    let runtime = setup.runtime.clone();
    let (done, finished) = futures_channel::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let inner = runtime.clone();
        runtime.spawn(Box::pin(async move {
            inner.sleep(Duration::from_millis(1)).await;
            let _ = done.send(());
        }));
    });
    finished.await.unwrap();
    thread.join().unwrap();
}

pub(crate) async fn a_name_resolves_to_addresses_with_the_port(setup: Setup) {
    let addresses = setup
        .runtime
        .resolve(&Lookup::new(Some("localhost"), 4321))
        .await
        .unwrap();
    assert!(!addresses.is_empty());
    for address in addresses {
        assert!(address.ip().is_loopback());
        assert_eq!(address.port(), 4321);
    }
}

pub(crate) async fn a_listener_has_an_address_and_accepts(setup: Setup) {
    let any_port = Address::from((Ipv4Addr::LOCALHOST, 0));
    let bound = setup.runtime.bind(&any_port, &ListenOptions::default());
    let bound = bound.unwrap();
    let address = bound.local_addr().unwrap();
    let listener = bound.listen(10).unwrap();
    assert_eq!(listener.local_addr().unwrap(), address);
    let accept = poll_fn(|cx| listener.poll_accept(cx));
    let options = ConnectOptions::default();
    let (near, far) = join(setup.runtime.connect(&address, &options), accept).await;
    let (near, far) = (near.unwrap().extra_info(), far.unwrap().extra_info());
    assert_eq!(near.peer_addr, Some(address));
    assert_eq!(near.peer_addr, far.local_addr);
    assert_eq!(near.local_addr, far.peer_addr);
}

pub(crate) async fn an_attempt_to_connect_to_an_unused_address_is_refused(mut setup: Setup) {
    let address = Address::from(setup.unused_address());
    let options = ConnectOptions::default();
    let refused = setup.runtime.connect(&address, &options).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// A stream whose read is met by something at the moment at which it begins to wait.
async fn open_meddled(setup: &mut Setup, deed: fn(&mut StreamWriter)) -> StreamReader {
    let (near, far) = setup.adopt_sockets().await;
    setup.keep(far);
    let shared = Arc::new(Mutex::new(None::<StreamWriter>));
    let writer = shared.clone();
    let socket = Meddler::new(near, move || deed(writer.lock().unwrap().as_mut().unwrap()));
    let (reader, writer) = setup.open_socket(&StreamOptions::new(), socket);
    *shared.lock().unwrap() = Some(writer);
    setup.keep(shared);
    reader
}

pub(crate) async fn close_ends_a_read_that_is_just_about_to_wait(mut setup: Setup) {
    let mut reader = open_meddled(&mut setup, StreamWriter::close).await;
    assert_eq!(reader.read(1).await.unwrap(), "");
}

pub(crate) async fn abort_ends_a_read_that_is_just_about_to_wait(mut setup: Setup) {
    let mut reader = open_meddled(&mut setup, StreamWriter::abort).await;
    assert!(reader.read(1).await.is_err());
}
