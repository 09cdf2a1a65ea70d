//! What others copy with.

use std::io;

use futures_util::{StreamExt, future::join};
use millpond::Stream;
use tokio_util::io::ReaderStream;

use super::setup::Setup;
use crate::talk::pattern;

const LEN: usize = 5_000_000;

async fn echo_by_futures(stream: Stream) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let copied = futures_util::io::copy(&mut reader, &mut writer).await?;
    assert_eq!(copied, LEN as u64);
    Ok(())
}

async fn echo_chunks(stream: Stream) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut chunks = ReaderStream::new(reader);
    while let Some(chunk) = chunks.next().await {
        writer.write_bytes(chunk?)?;
        writer.drain().await?;
    }
    Ok(())
}

/// Sends and receives at once.
async fn assert_echo(stream: Stream) {
    let data = pattern(3, LEN);
    let (mut reader, mut writer) = stream.into_split();
    let (sent, echo) = join(writer.write_all(&data), reader.read_exactly(LEN)).await;
    sent.unwrap();
    assert!(echo.unwrap() == data);
}

async fn futures_copy(setup: Setup) {
    let server = setup.serve(echo_by_futures).await;
    assert_echo(setup.connect(&server).await).await;
    server.end().await;
}

async fn reader_stream(setup: Setup) {
    let server = setup.serve(echo_chunks).await;
    assert_echo(setup.connect(&server).await).await;
    server.end().await;
}

/// Through a proxy that is plain in front, to a server that may not be.
async fn tokio_copy_bidirectional(setup: Setup) {
    let server = setup.serve(echo_chunks).await;
    let address = server.address();
    let plain = Setup {
        runtime: setup.runtime.clone(),
        tls: None,
    };
    let connector = setup.tls.as_ref().map(|tls| tls.connector.clone());
    let runtime = setup.runtime.clone();
    let proxy = plain.serve(move |mut client| {
        let mut connecting = millpond::connect(runtime.clone(), address);
        if let Some(connector) = &connector {
            connecting = connecting.tls(connector);
        }
        async move {
            let mut upstream = connecting.await?;
            let copied = tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
            assert_eq!(copied, (LEN as u64, LEN as u64));
            Ok::<_, io::Error>(())
        }
    });
    let proxy = proxy.await;
    assert_echo(plain.connect(&proxy).await).await;
    proxy.end().await;
    server.end().await;
}

super::everywhere! {
    futures_copy,
    reader_stream,
    tokio_copy_bidirectional,
}
