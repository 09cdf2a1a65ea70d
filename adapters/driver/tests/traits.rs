//! Streams by the traits of futures-io and of tokio, and as streams and sinks of items.

mod support;

use std::{
    future::poll_fn,
    io::{ErrorKind, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_lite::future::{block_on, poll_once};
use futures_util::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, Sink, SinkExt, StreamExt};
use millpond::{
    Bytes, ReadError, Stream, StreamOptions, StreamReader, StreamWriter, WriteError,
    adapter::BoxFuture,
    millpond_core::Reader,
    types::{Request, Status},
};
use proptest::prelude::*;

use crate::support::{Scripted, fails, ready};

fn no_spawning(_: BoxFuture<'static, ()>) {
    panic!("nothing is left for the background");
}

/// A way to take bytes, by a trait or by our own methods.
#[derive(Clone, Copy, Debug)]
enum Take {
    Futures(usize),
    Tokio(usize),
    FillBuf(usize),
    Ours(usize),
    Lent(usize),
    Polled(usize),
}

fn takes() -> impl Strategy<Value = Vec<Take>> {
    let one = (1_usize..40).prop_flat_map(|n| {
        prop_oneof![
            Just(Take::Futures(n)),
            Just(Take::Tokio(n)),
            Just(Take::FillBuf(n)),
            Just(Take::Ours(n)),
            Just(Take::Lent(n)),
            Just(Take::Polled(n)),
        ]
    });
    proptest::collection::vec(one, 1..30)
}

async fn take(reader: &mut StreamReader, how: Take) -> Vec<u8> {
    match how {
        Take::Futures(n) => {
            let mut buf = vec![0; n];
            let n = AsyncReadExt::read(reader, &mut buf).await.unwrap();
            buf.truncate(n);
            buf
        }
        #[cfg(feature = "tokio")]
        Take::Tokio(n) => {
            let mut buf = vec![0; n];
            let n = tokio::io::AsyncReadExt::read(reader, &mut buf)
                .await
                .unwrap();
            buf.truncate(n);
            buf
        }
        #[cfg(not(feature = "tokio"))]
        Take::Tokio(n) => reader.read(n).await.unwrap().to_vec(),
        Take::FillBuf(n) => {
            let there = reader.fill_buf().await.unwrap();
            let taken = there[..n.min(there.len())].to_vec();
            AsyncBufReadExt::consume_unpin(reader, taken.len());
            taken
        }
        Take::Ours(n) => reader.read(n).await.unwrap().to_vec(),
        Take::Lent(n) => reader.peek(n.min(4)).await.map(<[u8]>::to_vec).map_or_else(
            |error| panic!("{error}"),
            |seen| {
                reader.consume(seen.len());
                seen
            },
        ),
        Take::Polled(n) => {
            let n = poll_fn(|cx| reader.poll_request(cx, Request::UpTo(n)))
                .await
                .unwrap();
            let taken = reader.buffered()[..n].to_vec();
            reader.consume(n);
            taken
        }
    }
}

proptest! {
    #[test]
    fn reads_of_every_kind_mixed_in_any_order_take_the_bytes_in_order(
        how in takes(),
        data in proptest::collection::vec(any::<u8>(), 0..400),
        room in 1_usize..64,
    ) {
        block_on(async {
            let ((_, mut writer), (mut reader, _)) = StreamOptions::new().pair(room);
            writer.write(&data).unwrap();
            drop(writer);
            let mut taken = Vec::new();
            for how in how.iter().cycle() {
                let piece = take(&mut reader, *how).await;
                if piece.is_empty() {
                    break;
                }
                taken.extend(piece);
            }
            assert_eq!(taken, data);
        });
    }

    #[test]
    fn writes_of_every_kind_mixed_in_any_order_arrive_in_order(
        pieces in proptest::collection::vec((0..4_usize, 1..3_000_usize), 1..20),
        room in 1_usize..5_000,
        high in 0_usize..9_000,
    ) {
        block_on(async {
            let options = StreamOptions::new().watermarks(high / 4, high);
            let ((_, mut writer), (mut reader, _)) = options.pair(room);
            let sending = async move {
                let mut sent = Vec::new();
                for (number, (how, len)) in pieces.into_iter().enumerate() {
                    let data = vec![number as u8; len];
                    sent.extend_from_slice(&data);
                    match how {
                        0 => AsyncWriteExt::write_all(&mut writer, &data).await.unwrap(),
                        1 => writer.write(&data).unwrap(),
                        2 => SinkExt::send(&mut writer, Bytes::from(data)).await.unwrap(),
                        _ => vectored(&mut writer, &data).await,
                    }
                }
                AsyncWriteExt::close(&mut writer).await.unwrap();
                sent
            };
            let (sent, received) = futures_util::future::join(sending, reader.read_to_eof()).await;
            assert_eq!(received.unwrap(), sent);
        });
    }
}

/// Everything, in three slices at a time.
async fn vectored(writer: &mut StreamWriter, mut data: &[u8]) {
    while !data.is_empty() {
        let third = data.len() / 3;
        let bufs = [&data[..third], &data[third..2 * third], &data[2 * third..]];
        let bufs = bufs.map(IoSlice::new);
        let n = AsyncWriteExt::write_vectored(writer, &bufs).await.unwrap();
        assert!(n > 0);
        data = &data[n..];
    }
}

fn now() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn write_now(writer: &mut StreamWriter, data: &[u8]) -> Poll<Result<usize, ErrorKind>> {
    let written = futures_io::AsyncWrite::poll_write(Pin::new(writer), &mut now(), data);
    written.map_err(|error| error.kind())
}

#[test]
fn a_write_takes_what_the_high_watermark_leaves_and_waits_above_it_for_the_low_one() {
    block_on(async {
        let options = StreamOptions::new().watermarks(10_000, 20_000);
        let ((_, mut writer), (mut reader, _)) = options.pair(1_000);
        let data = [0; 50_000];
        assert_eq!(write_now(&mut writer, &data), Poll::Ready(Ok(20_000))); // 1,000 of it are sent
        assert_eq!(writer.queued(), 19_000);
        assert_eq!(write_now(&mut writer, &data), Poll::Ready(Ok(8 * 1024))); // the least
        assert_eq!(write_now(&mut writer, &data), Poll::Pending);
        while writer.queued() > 10_000 {
            assert_eq!(write_now(&mut writer, &data), Poll::Pending);
            reader.read(1_000).await.unwrap();
        }
        assert_eq!(write_now(&mut writer, &data[..7]), Poll::Ready(Ok(7)));
    });
}

#[test]
fn a_write_by_the_trait_never_fails_for_the_write_cap() {
    block_on(async {
        let options = StreamOptions::new().watermarks(10, 40_000).write_cap(5_000);
        let ((_, mut writer), (mut reader, _)) = options.pair(1_000);
        let data = [0; 9_000];
        assert_eq!(write_now(&mut writer, &data), Poll::Ready(Ok(5_000)));
        assert_eq!(write_now(&mut writer, &data), Poll::Ready(Ok(1_000))); // as much as was sent
        assert_eq!(write_now(&mut writer, &data), Poll::Pending);
        assert!(matches!(
            writer.write(data),
            Err(WriteError::CapExceeded { .. })
        ));
        reader.read_exactly(6_000).await.unwrap();
        assert!(write_now(&mut writer, &data).is_ready());
    });
}

#[test]
fn flushing_waits_until_everything_is_with_the_system() {
    block_on(async {
        let ((_, mut writer), (mut reader, _)) = StreamOptions::new().pair(10);
        writer.write([0; 30]).unwrap();
        assert!(poll_once(AsyncWriteExt::flush(&mut writer)).await.is_none());
        reader.read_exactly(30).await.unwrap();
        AsyncWriteExt::flush(&mut writer).await.unwrap();
        assert_eq!(writer.queued(), 0);
    });
}

/// Who flushes in a handler, as hyper does, must not have to be polled again, when the peer may have
/// left.
#[test]
fn flushing_sends_what_a_cork_holds_back_at_once() {
    block_on(async {
        let ((_, mut writer), (mut reader, _)) = millpond::pair();
        let _cork = writer.cork();
        writer.write(b"hello").unwrap();
        assert_eq!(writer.queued(), 5);
        let flushed = poll_once(AsyncWriteExt::flush(&mut writer)).await;
        flushed.unwrap().unwrap();
        assert_eq!(reader.read(5).await.unwrap(), "hello");
    });
}

#[test]
fn closing_ends_this_direction_alone_and_can_be_asked_again() {
    block_on(async {
        let ((mut reader, mut writer), (mut peer_reader, mut peer)) = millpond::pair();
        writer.write(b"question").unwrap();
        AsyncWriteExt::close(&mut writer).await.unwrap();
        AsyncWriteExt::close(&mut writer).await.unwrap();
        assert_eq!(peer_reader.read_to_eof().await.unwrap(), "question");
        peer.write(b"answer").unwrap();
        assert_eq!(reader.read(100).await.unwrap(), "answer");
        assert_eq!(
            write_now(&mut writer, b"more"),
            Poll::Ready(Err(ErrorKind::BrokenPipe))
        );
    });
}

#[test]
fn an_empty_read_and_an_empty_write_are_answered_at_once() {
    block_on(async {
        let ((mut reader, mut writer), _peer) = millpond::pair();
        assert_eq!(
            poll_once(AsyncReadExt::read(&mut reader, &mut []))
                .await
                .unwrap()
                .unwrap(),
            0
        );
        assert_eq!(write_now(&mut writer, b""), Poll::Ready(Ok(0)));
    });
}

#[test]
fn errors_keep_their_kind_and_what_came_before_them_is_read_first() {
    block_on(async {
        let socket = Scripted::new([ready(3), fails(ErrorKind::ConnectionReset)], []);
        let (mut reader, mut writer) = socket.open(no_spawning);
        let mut buf = [0; 10];
        assert_eq!(AsyncReadExt::read(&mut reader, &mut buf).await.unwrap(), 3);
        let error = AsyncReadExt::read(&mut reader, &mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let ours = error.get_ref().and_then(|error| error.downcast_ref());
        assert!(matches!(ours, Some(ReadError::Transport(_))));
        let written = write_now(&mut writer, b"x");
        assert_eq!(written, Poll::Ready(Err(ErrorKind::ConnectionReset)));
    });
}

#[test]
fn both_halves_of_a_stream_go_by_the_traits_in_one_object() {
    block_on(async {
        let (here, (mut reader, mut writer)) = millpond::pair();
        let mut stream = Stream::reunite(here.0, here.1).unwrap();
        AsyncWriteExt::write_all(&mut stream, b"ping\n")
            .await
            .unwrap();
        assert_eq!(reader.read_line().await.unwrap(), "ping\n");
        writer.write(b"one\ntwo\n").unwrap();
        let mut line = String::new();
        AsyncBufReadExt::read_line(&mut stream, &mut line)
            .await
            .unwrap();
        assert_eq!(line, "one\n");
        assert_eq!(stream.read_line().await.unwrap(), "two\n");
    });
}

#[test]
fn a_cancelled_write_leaves_no_waker_behind_the_writer() {
    block_on(async {
        let alarm = Arc::new(support::Alarm::default());
        let waker = Waker::from(alarm.clone());
        let options = StreamOptions::new().watermarks(0, 10);
        let ((_, mut writer), (_reader, _)) = options.pair(10);
        while write_now(&mut writer, &[0; 100]).is_ready() {}
        let pending = writer.poll_drain(&Context::from_waker(&waker));
        assert!(pending.is_pending());
        let before = Arc::strong_count(&alarm);
        drop(writer);
        drop(waker);
        assert!(Arc::strong_count(&alarm) < before);
    });
}

/// Lines of at most 9 bytes behind a digit, as a parser with a state: it takes the digit first.
#[derive(Default)]
struct Parser {
    len: Option<usize>,
}

impl Parser {
    fn parse(&mut self, reader: &mut Reader) -> Result<Status<Vec<u8>>, ReadError> {
        if self.len.is_none() {
            let Status::Ready(n) = reader.poll(Request::Exactly(1))? else {
                return Ok(Status::NeedData);
            };
            self.len = Some(usize::from(reader.lend(n)[0] - b'0'));
        }
        let found = reader.poll(Request::Exactly(self.len.unwrap_or_default()))?;
        Ok(found.map(|n| {
            self.len = None;
            reader.take(n).to_vec()
        }))
    }
}

#[test]
fn messages_end_with_the_stream_between_two_and_with_an_error_within_one() {
    for (input, whole, cut) in [
        ("3abc1d", 2, false),
        ("3abc3d", 1, true),
        ("3abc3", 1, true),
    ] {
        block_on(async {
            let ((_, mut writer), (mut reader, _)) = StreamOptions::new().pair(1);
            let mut parser = Parser::default();
            let messages = reader.messages(|reader| parser.parse(reader));
            let all = async {
                writer.write(input.as_bytes()).unwrap();
                drop(writer);
                messages.collect::<Vec<_>>().await
            };
            let all = all.await;
            assert_eq!(all.iter().filter(|it| it.is_ok()).count(), whole, "{input}");
            let errors: Vec<_> = all.into_iter().filter_map(Result::err).collect();
            assert_eq!(errors.len(), usize::from(cut), "{input}: {errors:?}");
            assert!(
                errors
                    .iter()
                    .all(|it| matches!(it, ReadError::Incomplete { .. }))
            );
        });
    }
}

/// Each message is asked for anew, and given up after each byte.
#[test]
fn a_parser_that_is_kept_goes_on_where_a_call_was_cancelled() {
    for (input, whole, cut) in [("3abc1d", 2, false), ("3abc3d", 1, true), ("3", 0, true)] {
        block_on(async {
            let ((_, mut writer), (mut reader, _)) = millpond::pair();
            let mut parser = Parser::default();
            let mut messages = Vec::new();
            for byte in input.as_bytes() {
                writer.write([*byte]).unwrap();
                let mut next = reader.messages(|reader| parser.parse(reader));
                if let Some(message) = poll_once(next.next()).await {
                    messages.push(message.unwrap().unwrap());
                }
            }
            drop(writer);
            let last = reader.messages(|reader| parser.parse(reader)).next().await;
            assert_eq!(messages, [&b"abc"[..], b"d"][..whole]);
            assert_eq!(last.is_some(), cut, "{input}: {last:?}");
            assert!(matches!(
                last,
                None | Some(Err(ReadError::Incomplete { .. }))
            ));
        });
    }
}

#[test]
fn waiting_until_there_is_something_to_read_takes_nothing() {
    block_on(async {
        let ((_, mut writer), (mut reader, _)) = millpond::pair();
        assert!(poll_once(reader.readable()).await.is_none());
        writer.write(b"x").unwrap();
        assert!(reader.readable().await.unwrap());
        assert!(reader.readable().await.unwrap());
        assert_eq!(reader.read(10).await.unwrap(), "x");
        drop(writer);
        assert!(!reader.readable().await.unwrap());
    });
}

/// What is written reaches the other side only when it is flushed.
#[derive(Clone, Default)]
struct Buffering {
    kept: Vec<u8>,
    sent: Arc<std::sync::Mutex<Vec<u8>>>,
}

impl futures_io::AsyncWrite for Buffering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.kept.extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let kept = std::mem::take(&mut self.kept);
        self.sent.lock().unwrap().extend(kept);
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn a_stream_of_two_halves_reads_the_one_and_flushes_the_other() {
    block_on(async {
        let written = Buffering::default();
        let answer = futures_lite::io::Cursor::new("answer\n");
        let runtime = support::world::World::default().runtime();
        let mut stream = millpond::from_halves(runtime, answer, written.clone());
        stream.write("question").unwrap();
        stream.flush().await.unwrap();
        assert_eq!(*written.sent.lock().unwrap(), b"question");
        assert_eq!(stream.read_line().await.unwrap(), "answer\n");
        assert_eq!(stream.read_line().await.unwrap(), "");
    });
}

/// A stream that is always ready, both ways.
struct Endless;

impl futures_io::AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        buf.fill(b'.');
        Poll::Ready(Ok(buf.len()))
    }
}

impl futures_io::AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// More than is ever buffered: reading what is there already is bounded, and need not yield.
const ALL: usize = 256 * 1024;

type Call = fn(Pin<&mut Stream>, &mut Context<'_>) -> Poll<std::io::Result<()>>;

#[test]
fn a_loop_over_any_call_lets_others_run() {
    let calls: &[(&str, Call)] = &[
        ("futures read", |stream, cx| {
            futures_io::AsyncRead::poll_read(stream, cx, &mut vec![0; ALL]).map_ok(drop)
        }),
        ("futures fill", |mut stream, cx| {
            let filled = futures_io::AsyncBufRead::poll_fill_buf(stream.as_mut(), cx);
            let filled = filled.map_ok(<[u8]>::len);
            filled.map_ok(|n| futures_io::AsyncBufRead::consume(stream, n))
        }),
        ("futures write", |stream, cx| {
            futures_io::AsyncWrite::poll_write(stream, cx, b"some").map_ok(drop)
        }),
        ("futures write vectored", |stream, cx| {
            let some = [IoSlice::new(b"some"), IoSlice::new(b"more")];
            futures_io::AsyncWrite::poll_write_vectored(stream, cx, &some).map_ok(drop)
        }),
        ("our flush", |stream, cx| {
            pin!(stream.get_mut().flush()).poll(cx).map_err(Into::into)
        }),
        #[cfg(feature = "tokio")]
        ("tokio read", |stream, cx| {
            let mut buf = vec![0; ALL];
            let mut buf = tokio::io::ReadBuf::new(&mut buf);
            tokio::io::AsyncRead::poll_read(stream, cx, &mut buf)
        }),
        #[cfg(feature = "tokio")]
        ("tokio fill", |mut stream, cx| {
            let filled = tokio::io::AsyncBufRead::poll_fill_buf(stream.as_mut(), cx);
            let filled = filled.map_ok(<[u8]>::len);
            filled.map_ok(|n| tokio::io::AsyncBufRead::consume(stream, n))
        }),
        #[cfg(feature = "tokio")]
        ("tokio write", |stream, cx| {
            tokio::io::AsyncWrite::poll_write(stream, cx, b"some").map_ok(drop)
        }),
    ];
    for &(name, call) in calls {
        let mut stream = endless();
        let alarm = Arc::new(support::Alarm::default());
        let waker = Waker::from(alarm.clone());
        let mut yields = 0;
        for _ in 0..1_000 {
            let cx = &mut Context::from_waker(&waker);
            match call(Pin::new(&mut stream), cx) {
                Poll::Ready(done) => done.unwrap(),
                Poll::Pending => {
                    assert!(alarm.has_rung(), "{name} waits for nothing");
                    alarm.reset();
                    yields += 1;
                }
            }
        }
        assert!(
            (5..20).contains(&yields),
            "{name} has yielded {yields} times"
        );
    }
}

#[test]
fn a_flush_by_a_trait_waits_for_nothing_when_everything_has_left() {
    let flushes: &[(&str, Call)] = &[
        ("futures", futures_io::AsyncWrite::poll_flush),
        #[cfg(feature = "tokio")]
        ("tokio", tokio::io::AsyncWrite::poll_flush),
        ("sink", |stream, cx| {
            Sink::<Bytes>::poll_flush(stream, cx).map_err(Into::into)
        }),
    ];
    let cx = &mut Context::from_waker(Waker::noop());
    for &(name, flush) in flushes {
        let mut stream = endless();
        // As often as it takes for any of them to be the one with which a budget is spent.
        for n in 0..1_000 {
            // Pending if the budget is spent.
            let _ = futures_io::AsyncWrite::poll_write(Pin::new(&mut stream), cx, b"some");
            for _ in 0..n % 4 {
                let flushed = flush(Pin::new(&mut stream), cx);
                assert!(
                    matches!(flushed, Poll::Ready(Ok(()))),
                    "{name}: {flushed:?}"
                );
            }
        }
    }
}

fn endless() -> Stream {
    let endless = millpond::types::FuturesIo::new(Endless);
    support::whole(StreamOptions::new().open(Box::new(endless), Arc::new(no_spawning)))
}

#[test]
fn an_error_of_ours_is_got_back_from_that_of_a_trait() {
    block_on(async {
        let failing = Scripted::new([fails(ErrorKind::ConnectionReset)], []);
        let (mut reader, _writer) = failing.open(no_spawning);
        let error = AsyncReadExt::read(&mut reader, &mut [0; 10])
            .await
            .unwrap_err();
        let ours = ReadError::from_io(&error).unwrap();
        assert!(matches!(ours, ReadError::Transport(_)), "{ours:?}");
        assert_eq!(ours.kind(), ErrorKind::ConnectionReset);

        let ((_, mut writer), (mut reader, _)) = millpond::pair();
        writer.write(b"half").unwrap();
        writer.write_eof().unwrap();
        let error = std::io::Error::from(reader.read_exactly(8).await.unwrap_err());
        // As others wrap it.
        let wrapped = std::io::Error::other(std::io::Error::other(error));
        match ReadError::from_io(&wrapped) {
            Some(ReadError::Incomplete { partial, expected }) => {
                assert_eq!((&partial[..], *expected), (&b"half"[..], Some(8)));
            }
            other => panic!("{other:?}"),
        }
        let error = AsyncWriteExt::write(&mut writer, b"late")
            .await
            .unwrap_err();
        assert_eq!(WriteError::from_io(&error), Some(&WriteError::Finished));
        assert!(ReadError::from_io(&error).is_none());
        assert!(ReadError::from_io(&ErrorKind::UnexpectedEof.into()).is_none());
    });
}
