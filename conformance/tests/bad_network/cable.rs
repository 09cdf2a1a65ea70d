//! A cable that is pulled, addresses that go away, and hosts that are not there.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use futures_util::future::{join, join3};
use millpond::{OpenError, ReadError, WriteError, listen, open_connection, start_server};

use crate::{
    conversations::{assert_same, bytes, send},
    link::{Link, Stream, host, on_each},
    network::Network,
};

/// Far more than is on its way.
const VOLUME: usize = 1024 * 1024;

/// Longer than a packet needs.
const A_WHILE: u64 = 300;

/// One of hosts that give a connection up after some seconds, instead of minutes.
fn impatient() -> Option<Arc<Network>> {
    let network = Network::cable()?;
    for host in network.hosts() {
        host.set("ipv4/tcp_keepalive_intvl", 1);
        host.set("ipv4/tcp_keepalive_probes", 2);
        host.set("ipv4/tcp_retries2", 3);
    }
    Some(network)
}

#[test]
fn a_conversation_goes_on_when_a_cable_is_put_back() {
    on_each("a cable that is put back", Network::cable, |link| {
        Box::pin(async move {
            interrupted(&link, "ip link set cable down", "ip link set cable up").await;
        })
    });
}

#[test]
fn a_conversation_goes_on_when_an_address_comes_back() {
    on_each("an address that comes back", Network::cable, |link| {
        Box::pin(async move {
            let address = "10.9.0.2/24 dev cable";
            let [away, back] = ["del", "add"].map(|what| format!("ip address {what} {address}"));
            interrupted(&link, &away, &back).await;
        })
    });
}

/// Nothing comes, and no end or error either, while the far host is away.
async fn interrupted(link: &Link, away: &str, back: &str) {
    let ((_near_reader, near), (mut far, _far_writer)) = link.connect().await;
    let sent = bytes(4, VOLUME);
    let receiving = async {
        let mut received = far.read_exactly(VOLUME / 2).await.unwrap().to_vec();
        link.network.far.run(away);
        let quiet = Duration::from_millis(A_WHILE);
        while let Ok(read) = millpond::timeout(&*link.runtime, quiet, far.read(5000)).await {
            let block = read.unwrap();
            assert!(!block.is_empty(), "it has not ended");
            received.extend_from_slice(&block);
        }
        assert!(received.len() < VOLUME, "all of it has come already");
        link.network.far.run(back);
        received.extend_from_slice(&far.read_to_eof().await.unwrap());
        assert_same(&received, &sent);
    };
    link.within(30, join(send(near, &sent), receiving)).await;
}

#[test]
fn what_waits_fails_in_time_when_a_cable_stays_pulled() {
    on_each("a cable that stays pulled", impatient, |link| {
        Box::pin(async move {
            let away = async |link: &Link| {
                link.network.far.run("ip link set cable down");
            };
            gives_up(&link, away).await;
        })
    });
}

#[test]
fn what_waits_fails_in_time_when_an_address_is_gone() {
    on_each("an address that is gone", impatient, |link| {
        Box::pin(async move {
            let away = async |link: &Link| {
                link.network.far.run("ip address del 10.9.0.2/24 dev cable");
                link.network.far.run("ip address add 10.9.0.9/24 dev cable");
            };
            gives_up(&link, away).await;
            let server = listen(link.runtime.clone(), host(9, 0)).await.unwrap();
            let opening = open_connection(link.runtime.clone(), &server.sockets()[0]);
            let (near, far) = join(opening.into_future(), server.accept()).await;
            assert!(
                near.is_ok() && far.is_some(),
                "the other address is reached"
            );
        })
    });
}

/// Reading, writing, closing and shutting down end when the peer is gone, and hold nothing.
async fn gives_up(link: &Link, away: impl AsyncFn(&Link)) {
    let (reading, writing, closing) = join3(link.connect(), link.connect(), link.connect()).await;
    let server = start_server(
        link.runtime.clone(),
        host(2, 0),
        async |mut reader, writer| {
            let _ = reader.read_to_eof().await;
            drop(writer);
        },
    );
    let server = server.shutdown_timeout(Duration::from_millis(A_WHILE));
    let server = server.await.unwrap();
    let client = open_connection(link.runtime.clone(), &server.sockets()[0]).await;
    let mut client = client.unwrap();
    client.1.write_all("hello").await.unwrap();
    away(link).await;
    let waiting = join3(read(reading), write(writing), close(closing));
    let (_, _shutdown) = link.within(20, join(waiting, server.shutdown())).await;
    drop((client, server));
    link.until_nothing_is_held().await;
}

/// Both hosts wait for the other one to speak.
async fn read(((mut near, _keep), (mut far, _hold)): (Stream, Stream)) {
    let (near, far) = join(near.read_line(), far.read_line()).await;
    for failure in [near.unwrap_err(), far.unwrap_err()] {
        let ReadError::Transport(error) = failure else {
            panic!("{failure}")
        };
        assert!(is_silence(error.kind()), "{error}");
    }
}

async fn write(((_keep, mut writer), _far): (Stream, Stream)) {
    let failure = loop {
        if let Err(failure) = writer.write_all(bytes(5, 10_000)).await {
            break failure;
        }
    };
    let WriteError::Transport(error) = failure else {
        panic!("{failure}")
    };
    assert!(is_silence(error.kind()), "{error}");
}

/// What the system says of a peer that does not answer.
fn is_silence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
    )
}

/// Far more is queued than is on its way.
async fn close(((_keep, mut writer), _far): (Stream, Stream)) {
    writer.write(bytes(6, VOLUME)).unwrap();
    writer.close();
    assert!(writer.wait_closed().await.is_err());
}

#[test]
fn connecting_to_a_host_that_is_not_there_fails_in_time() {
    on_each("a host that is not there", Network::cable, |link| {
        Box::pin(async move {
            let open = |target| open_connection(link.runtime.clone(), target);
            let limit = Duration::from_millis(A_WHILE);
            let limited = open(host(3, 80)).connect_timeout(limit).into_future();
            let error = link.within(5, limited).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");

            let unlimited = link.within(20, open(host(3, 80)).into_future()).await;
            assert_eq!(attempt(unlimited), ErrorKind::HostUnreachable);
            let nowhere = "10.8.0.1:80".parse().unwrap();
            let error = link.within(5, open(nowhere).into_future()).await;
            assert_eq!(attempt(error), ErrorKind::NetworkUnreachable);
            let refused = link.within(5, open(host(2, 80)).into_future()).await;
            assert_eq!(attempt(refused), ErrorKind::ConnectionRefused);
            link.until_nothing_is_held().await;
        })
    });
}

/// With what the only attempt has failed.
fn attempt<T: std::fmt::Debug>(opened: Result<T, OpenError>) -> ErrorKind {
    match opened {
        Err(OpenError::Connect { attempts }) if attempts.len() == 1 => attempts[0].1.kind(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_that_is_not_there_does_not_hold_up_the_next() {
    on_each("the second address", Network::cable, |link| {
        Box::pin(async move {
            let server = listen(link.runtime.clone(), host(2, 0)).await.unwrap();
            let there = server.sockets()[0].tcp().unwrap();
            let addresses = vec![host(3, there.port()), there];
            let opening = open_connection(link.runtime.clone(), addresses).into_future();
            let (near, far) = link.within(2, join(opening, server.accept())).await;
            let (_reader, writer) = near.unwrap();
            let peer = writer.extra_info().peer_addr.as_ref().unwrap().tcp();
            assert_eq!(peer, Some(there));
            assert_eq!(link.network.near.open_sockets(), 1, "the other attempt");
            drop(far);
        })
    });
}
