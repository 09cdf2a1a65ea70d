//! async-compression, by the traits of futures-io and of tokio.

use std::io;

use async_compression::{futures, tokio};
use millpond::Stream;

use super::setup::Setup;
use crate::talk::pattern;

const LEN: usize = 5_000_000;

/// Through a futures-io encoder.
async fn send_by_futures(stream: Stream) -> io::Result<()> {
    use futures_util::AsyncWriteExt;

    let (_reader, writer) = stream.into_split();
    let mut encoder = futures::write::GzipEncoder::new(writer);
    encoder.write_all(&pattern(4, LEN)).await?;
    encoder.close().await
}

/// Through a tokio encoder.
async fn send_by_tokio(stream: Stream) -> io::Result<()> {
    use ::tokio::io::AsyncWriteExt;

    let (_reader, writer) = stream.into_split();
    let mut encoder = tokio::write::GzipEncoder::new(writer);
    encoder.write_all(&pattern(4, LEN)).await?;
    encoder.shutdown().await
}

async fn a_futures_decoder_reads_tokios(setup: Setup) {
    use futures_util::AsyncReadExt;

    let server = setup.serve(send_by_tokio).await;
    let (reader, _writer) = setup.connect(&server).await.into_split();
    let mut decoder = futures::bufread::GzipDecoder::new(reader);
    let mut data = Vec::new();
    decoder.read_to_end(&mut data).await.unwrap();
    assert!(data == pattern(4, LEN));
    server.end().await;
}

async fn a_tokio_decoder_reads_that_of_futures(setup: Setup) {
    use ::tokio::io::AsyncReadExt;

    let server = setup.serve(send_by_futures).await;
    let (reader, _writer) = setup.connect(&server).await.into_split();
    let mut decoder = tokio::bufread::GzipDecoder::new(reader);
    let mut data = Vec::new();
    decoder.read_to_end(&mut data).await.unwrap();
    assert!(data == pattern(4, LEN));
    server.end().await;
}

super::everywhere! {
    a_futures_decoder_reads_tokios,
    a_tokio_decoder_reads_that_of_futures,
}
