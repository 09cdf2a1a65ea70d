//! Codecs of tokio-util over a stream.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use millpond::Stream;
use tokio_util::codec::{Framed, LengthDelimitedCodec, LinesCodec, LinesCodecError};

use super::setup::Setup;
use crate::talk::pattern;

async fn echo_frames(stream: Stream) -> std::io::Result<()> {
    let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
    while let Some(frame) = framed.next().await {
        framed.send(frame?.freeze()).await?;
    }
    Ok(())
}

async fn length_delimited_frames(setup: Setup) {
    let server = setup.serve(echo_frames).await;
    let stream = setup.connect(&server).await;
    let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
    for len in [0, 1, 8192, 70_000, 4_000_000] {
        let frame = Bytes::from(pattern(len, len));
        framed.send(frame.clone()).await.unwrap();
        assert!(framed.next().await.unwrap().unwrap() == frame);
    }
    SinkExt::<Bytes>::close(&mut framed).await.unwrap();
    assert!(framed.next().await.is_none());
    server.end().await;
}

async fn shout(stream: Stream) -> Result<(), LinesCodecError> {
    let mut lines = Framed::new(stream, LinesCodec::new());
    while let Some(line) = lines.next().await {
        lines.send(line?.to_uppercase()).await?;
    }
    Ok(())
}

/// Our line first, then theirs: no byte is lost between them.
async fn lines(setup: Setup) {
    let server = setup.serve(shout).await;
    let mut stream = setup.connect(&server).await;
    stream.write_all(b"by hand\nby codec\n").await.unwrap();
    assert_eq!(stream.read_line().await.unwrap(), "BY HAND\n");
    let mut lines = Framed::new(stream, LinesCodec::new());
    for n in 0..1000 {
        lines.feed(format!("line {n}")).await.unwrap();
    }
    SinkExt::<String>::flush(&mut lines).await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "BY CODEC");
    for n in 0..1000 {
        assert_eq!(lines.next().await.unwrap().unwrap(), format!("LINE {n}"));
    }
    let mut stream = lines.into_inner();
    stream.write_all(b"by hand again\n").await.unwrap();
    assert_eq!(stream.read_line().await.unwrap(), "BY HAND AGAIN\n");
    drop(stream);
    server.end().await;
}

super::everywhere! {
    length_delimited_frames,
    lines,
}
