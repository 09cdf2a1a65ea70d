//! TLS in memory.

#![cfg(feature = "__tls")]

use std::io;

use futures_lite::future::block_on;
use futures_util::future::{join, try_join};
use millpond::{
    ReadError, Stream, TlsAcceptor, TlsConnector,
    error::TlsError,
    pair,
    rustls::pki_types::{CertificateDer, PrivateKeyDer},
};

/// A server's side, and a client's that trusts it.
fn tls() -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let acceptor = TlsAcceptor::new(vec![certificate.clone()], key);
    let connector = TlsConnector::with_roots([certificate]);
    (acceptor.half_close(true), connector.half_close(true))
}

fn streams() -> (Stream, Stream) {
    let (client, server) = pair();
    let whole = |(reader, writer)| Stream::reunite(reader, writer).unwrap();
    (whole(client), whole(server))
}

async fn begin(client: &mut Stream, server: &mut Stream) {
    let (acceptor, connector) = tls();
    let shaking = client.start_tls(connector).server_hostname("example.org");
    let (one, other) = join(
        shaking.into_future(),
        server.start_tls(acceptor).into_future(),
    )
    .await;
    one.unwrap();
    other.unwrap();
}

#[test]
fn both_directions_carry_what_is_written() {
    block_on(async {
        let (mut client, mut server) = streams();
        begin(&mut client, &mut server).await;
        let tls = client.extra_info().tls.clone().unwrap();
        assert_eq!(tls.protocol, "TLSv1_3");
        assert_eq!(tls.server_name.as_deref(), Some("example.org"));
        client.write(b"hello\n").unwrap();
        assert_eq!(server.read_line().await.unwrap(), "hello\n");
        let sent = vec![7; 3_000_000];
        let (mut reader, mut writer) = server.into_split();
        let (received, ()) = try_join(
            async { Ok::<_, io::Error>(client.read_exactly(sent.len()).await?) },
            async {
                writer.write_all(&sent).await?;
                writer.write_eof()?;
                Ok(())
            },
        )
        .await
        .unwrap();
        assert_eq!(received, sent);
        assert_eq!(client.read(1).await.unwrap(), "");
        client.write(b"still here").unwrap();
        client.close();
        assert_eq!(reader.read_to_eof().await.unwrap(), "still here");
    });
}

#[test]
fn a_connection_that_is_cut_off_is_truncated() {
    block_on(async {
        let (mut client, mut server) = streams();
        begin(&mut client, &mut server).await;
        server.write(b"half a li").unwrap();
        assert_eq!(client.read(100).await.unwrap(), "half a li");
        server.abort();
        assert!(client.read_line().await.is_err());
        assert_ne!(client.read_line().await, Err(ReadError::Truncated));
    });
}

#[test]
fn what_was_received_before_is_refused() {
    block_on(async {
        let (mut client, mut server) = streams();
        client.write(b"STARTTLS\r\nRCPT TO:<evil>\r\n").unwrap();
        assert_eq!(server.read_line().await.unwrap(), "STARTTLS\r\n");
        let (acceptor, _) = tls();
        let refused = server.start_tls(&acceptor).await;
        assert!(matches!(refused, Err(TlsError::Buffered { len: 16 })));
    });
}
