//! Those that need the sockets of the system: they are of the topic `adopting`.

use super::*;

pub(crate) async fn a_name_must_be_given_for_a_socket_that_is_taken_over(mut setup: Setup) {
    let (_server, address, _) = start(&mut setup, certificates::acceptor()).await;
    let tls = certificates::connector();
    let connect = || std::net::TcpStream::connect(address).unwrap();
    assert_needs_a_name(setup.open(connect()).tls(&tls).await);
    let named = setup.open(connect()).server_hostname("localhost");
    greet(named.tls(&tls)).await;

    // A stream that has to be named is as it was.
    let (near, far) = os::socket_pair().unwrap();
    let mut near = whole(setup.open(near).await.unwrap());
    let mut far = whole(setup.open(far).await.unwrap());
    match near.start_tls(&tls).await {
        Err(TlsError::Config { name, .. }) => assert_eq!(name, "server_hostname"),
        other => panic!("{other:?}"),
    }
    near.write(b"in the clear\n").unwrap();
    assert_eq!(far.read_line().await.unwrap(), "in the clear\n");
}
