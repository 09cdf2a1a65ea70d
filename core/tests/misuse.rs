//! What a program must not do, what errors say, and the edges of what it may do.

use std::error::Error;

use bytes::Bytes;
use millpond_core::{
    EmptySeparator, ReadError, Reader, Request, Separator, Status, Transmit, TransportError,
    WriteError, Writer,
};

/// From this size on, `write_bytes` does not copy.
const OWN_CHUNK: usize = 8 * 1024;

fn reader_with(data: &[u8]) -> Reader {
    let mut reader = Reader::new();
    reader.feed(data);
    reader
}

fn ended_reader() -> Reader {
    let mut reader = Reader::new();
    reader.feed_eof();
    reader
}

fn failed_reader() -> Reader {
    let mut reader = Reader::new();
    reader.fail(TransportError::new("reset"));
    reader
}

fn writer_with(data: &[u8]) -> Writer {
    let mut writer = Writer::new();
    writer.write(data).expect("a new writer takes data");
    writer
}

/// Tests that end in a panic with the given sentence.
macro_rules! panics {
    ($($name:ident: $sentence:literal, $statement:expr;)*) => {
        $(
            #[test]
            #[should_panic(expected = $sentence)]
            fn $name() {
                let _ = $statement;
            }
        )*
    };
}

panics! {
    a_limit_of_nothing: "the limit of a reader is at least 1 byte", Reader::with_limit(0);
    a_limit_of_nothing_later:
        "the limit of a reader is at least 1 byte", Reader::new().set_limit(0);
    a_low_watermark_above_the_high_one:
        "the low watermark (2) is above the high one (1)", Writer::with_watermarks(2, 1);
    a_low_watermark_above_the_high_one_later:
        "the low watermark (2) is above the high one (1)", Writer::new().set_watermarks(2, 1);

    an_empty_separator: "a separator holds at least one byte", Separator::new("");
    an_empty_separator_from_a_str: "a separator holds at least one byte", Separator::from("");
    an_empty_separator_from_a_slice:
        "a separator holds at least one byte", Separator::from(&b"x"[1..]);
    an_empty_separator_from_an_array:
        "a separator holds at least one byte", Separator::from(b"");
    an_empty_separator_among_others:
        "a separator holds at least one sequence, each of at least one byte",
        Separator::any(["\n", ""]);
    a_separator_of_no_sequence:
        "a separator holds at least one sequence, each of at least one byte",
        Separator::any::<&str>([]);

    feeding_after_the_end: "data was fed after the end of the stream", ended_reader().feed(b"x");
    feeding_nothing_after_the_end:
        "data was fed after the end of the stream", ended_reader().feed(b"");
    feeding_after_a_failure:
        "data was fed after the end of the stream", failed_reader().feed(b"x");
    asking_for_room_after_the_end:
        "data was fed after the end of the stream", ended_reader().spare().len();
    asking_for_room_after_a_failure:
        "data was fed after the end of the stream", failed_reader().spare().len();
    committing_after_the_end:
        "data was fed after the end of the stream", ended_reader().commit(0);
    committing_after_a_failure:
        "data was fed after the end of the stream", failed_reader().commit(0);
    committing_without_room: "committed 1 bytes, but only 0 were spare", Reader::new().commit(1);
    committing_more_than_was_spare: "bytes, but only", {
        let mut reader = Reader::new();
        let room = reader.spare().len();
        reader.commit(room + 1);
    };

    consuming_more_than_is_buffered:
        "consumed 3 bytes, but only 2 are buffered", reader_with(b"ab").consume(3);
    consuming_more_than_can_be_counted: "but only 2 are buffered", {
        let mut reader = reader_with(b"abc");
        reader.consume(1);
        reader.consume(usize::MAX);
    };
    taking_more_than_is_buffered:
        "took 3 bytes, but only 2 are buffered", reader_with(b"ab").take(3);
    lending_more_than_is_buffered:
        "consumed 3 bytes, but only 2 are buffered", reader_with(b"ab").lend(3).len();
    taking_what_was_not_committed: "took 1 bytes, but only 0 are buffered", {
        let mut reader = Reader::new();
        reader.spare().fill(b'x');
        reader.take(1)
    };

    sending_more_than_is_queued:
        "sent 3 bytes, but only 2 were queued", writer_with(b"ab").sent(3);
    sending_what_an_abort_has_dropped: "sent 2 bytes, but only 0 were queued", {
        let mut writer = writer_with(b"ab");
        writer.abort();
        writer.sent(2);
    };
    sending_what_a_failure_has_dropped: "sent 2 bytes, but only 0 were queued", {
        let mut writer = writer_with(b"ab");
        writer.fail(TransportError::new("reset"));
        writer.sent(2);
    };
    an_end_that_was_not_asked_for:
        "an end was reported that was not asked for", Writer::new().ended();
    an_end_that_is_reported_twice: "an end was reported that was not asked for", {
        let mut writer = Writer::new();
        writer.write_eof();
        writer.ended();
        writer.ended();
    };
    an_end_after_the_close: "an end was reported that was not asked for", {
        let mut writer = Writer::new();
        writer.close();
        writer.ended();
        writer.ended();
    };
    an_end_after_a_failure: "an end was reported that was not asked for", {
        let mut writer = Writer::new();
        writer.close();
        writer.fail(TransportError::new("reset"));
        writer.ended();
    };
    an_end_before_the_queue_is_sent: "the queue is sent before the end", {
        let mut writer = writer_with(b"ab");
        writer.close();
        writer.ended();
    };
}

#[test]
fn an_empty_separator_from_outside_is_an_error() {
    let text = "a separator must hold at least one sequence, each of at least one byte";
    for separator in [
        Separator::try_new(""),
        Separator::try_any(["\n", ""]),
        Separator::try_any::<&str>([]),
    ] {
        let error: EmptySeparator = separator.expect_err("it holds nothing");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_separator_is_equal_to_one_of_the_same_sequences_in_any_order() {
    assert_eq!(Separator::new("\n"), Separator::NEWLINE);
    assert_eq!(Separator::from(b'\n'), Separator::NEWLINE);
    assert_eq!(
        Separator::any(["\n", "\r\n"]),
        Separator::any(["\r\n", "\n", "\n"])
    );
    assert_eq!(
        Separator::any(["ab", "cd"]),
        Separator::any(["cd", "ab", "cd"])
    );
    assert_ne!(Separator::any(["\n", "\r\n"]), Separator::new("\n"));
    assert_ne!(Separator::new("\r\n"), Separator::new("\n\r"));
    let once = Separator::new("\r\n");
    assert_eq!(Separator::from(&once), once);
}

/// After a panic the reader is as it was.
#[test]
fn consuming_too_much_removes_nothing() {
    let mut reader = reader_with(b"ab");
    let wrong = std::panic::AssertUnwindSafe(|| reader.consume(3));
    assert!(std::panic::catch_unwind(wrong).is_err());
    assert_eq!(reader.buffered(), b"ab");
}

#[test]
fn every_read_error_has_a_text() {
    let incomplete = |expected| ReadError::Incomplete {
        partial: Bytes::from_static(b"abc"),
        expected,
    };
    let texts = [
        (incomplete(Some(10)), "the stream ended after 3 of 10 bytes"),
        (
            incomplete(None),
            "the stream ended after 3 bytes, before the separator",
        ),
        (
            ReadError::LimitOverrun { consumed: 11 },
            "no separator within the limit of 10 bytes: raise the limit, or read on without it",
        ),
        (
            ReadError::CapExceeded { cap: 10 },
            "more than the cap of 10 bytes would have to be buffered: raise the cap, or read in parts",
        ),
        (
            ReadError::Transport(TransportError::new("no route")),
            "the transport failed: no route",
        ),
        (
            ReadError::Truncated,
            "the connection was cut off: the peer did not end the stream (over TLS with close_notify), \
             so data may be missing; accept_truncation makes this a normal end",
        ),
        (ReadError::WriteOnly, "the stream is write-only"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn every_write_error_has_a_text() {
    let texts = [
        (
            WriteError::CapExceeded { cap: 10 },
            "more than the cap of 10 bytes would have to be queued: raise the cap, or write in smaller parts and drain in between",
        ),
        (
            WriteError::Closed,
            "nothing can be written after close or abort",
        ),
        (
            WriteError::Finished,
            "nothing can be written after write_eof",
        ),
        (
            WriteError::Transport(TransportError::new("no route")),
            "the transport failed: no route",
        ),
        (WriteError::ReadOnly, "the stream is read-only"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

/// Made by hand, as a test double would.
#[test]
fn an_overrun_of_nothing_can_be_shown() {
    let error = ReadError::LimitOverrun { consumed: 0 };
    assert!(!error.to_string().is_empty());
}

/// An error that has a cause.
#[derive(Debug)]
struct Outer(std::fmt::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// The errors below one, top down.
fn chain(error: &dyn Error) -> Vec<String> {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    sources.map(ToString::to_string).collect()
}

#[test]
fn the_text_has_the_cause_and_source_has_the_next_one() {
    let inner = [std::fmt::Error.to_string()];
    let error = TransportError::new(Outer(std::fmt::Error));
    assert!(error.get_ref().is::<Outer>());
    assert_eq!(error.to_string(), "outer");
    assert_eq!(chain(&error), inner);
    let (read, write) = (
        ReadError::Transport(error.clone()),
        WriteError::Transport(error),
    );
    assert_eq!(read.to_string(), "the transport failed: outer");
    assert_eq!(chain(&read), inner);
    assert_eq!(write.to_string(), "the transport failed: outer");
    assert_eq!(chain(&write), inner);
}

#[test]
fn debug_is_the_name_and_the_text() {
    let error = TransportError::new("no route");
    let incomplete = |len| ReadError::Incomplete {
        partial: vec![b'x'; len].into(),
        expected: Some(1000),
    };
    for (debug, expected) in [
        (format!("{error:?}"), "TransportError(no route)".to_owned()),
        (
            format!("{:?}", ReadError::Transport(error.clone())),
            "Transport(the transport failed: no route)".to_owned(),
        ),
        (
            format!("{:?}", incomplete(3)),
            "Incomplete(the stream ended after 3 of 1000 bytes, b\"xxx\")".to_owned(),
        ),
        (
            format!("{:?}", incomplete(65)),
            format!(
                "Incomplete(the stream ended after 65 of 1000 bytes, b\"{}\"..)",
                "x".repeat(64)
            ),
        ),
        (
            format!("{:?}", WriteError::Finished),
            "Finished(nothing can be written after write_eof)".to_owned(),
        ),
    ] {
        assert_eq!(debug, expected);
    }
}

#[test]
fn other_errors_have_no_source() {
    assert!(ReadError::CapExceeded { cap: 1 }.source().is_none());
    assert!(ReadError::LimitOverrun { consumed: 2 }.source().is_none());
    let incomplete = ReadError::Incomplete {
        partial: Bytes::new(),
        expected: None,
    };
    assert!(incomplete.source().is_none());
    assert!(WriteError::CapExceeded { cap: 1 }.source().is_none());
    assert!(WriteError::Closed.source().is_none());
    assert!(WriteError::Finished.source().is_none());
}

#[test]
fn transport_errors_are_equal_if_they_are_the_same_failure() {
    let error = TransportError::new("reset");
    assert_eq!(error, error.clone());
    assert_ne!(error, TransportError::new("reset"));
}

#[cfg(feature = "std")]
mod io {
    use std::io::{self, ErrorKind};

    use super::*;

    fn refused() -> TransportError {
        TransportError::from(io::Error::new(
            ErrorKind::ConnectionRefused,
            Outer(std::fmt::Error),
        ))
    }

    #[test]
    fn a_failure_is_the_same_after_a_way_through_an_io_error() {
        for error in [refused(), TransportError::new("odd")] {
            let converted = io::Error::from(error.clone());
            assert_eq!(TransportError::from(converted), error);
        }
    }

    #[test]
    fn a_read_error_becomes_an_io_error_of_its_kind_and_stays_inside() {
        let incomplete = ReadError::Incomplete {
            partial: Bytes::from_static(b"abc"),
            expected: Some(10),
        };
        let kinds = [
            (incomplete, ErrorKind::UnexpectedEof),
            (
                ReadError::LimitOverrun { consumed: 2 },
                ErrorKind::InvalidData,
            ),
            (ReadError::CapExceeded { cap: 1 }, ErrorKind::InvalidData),
            (
                ReadError::Transport(refused()),
                ErrorKind::ConnectionRefused,
            ),
            (
                ReadError::Transport(TransportError::new("odd")),
                ErrorKind::Other,
            ),
            (ReadError::Truncated, ErrorKind::UnexpectedEof),
            (ReadError::WriteOnly, ErrorKind::Unsupported),
        ];
        for (error, kind) in kinds {
            assert_eq!(error.kind(), kind);
            assert_stays_inside(&error, kind);
        }
    }

    fn assert_stays_inside<E>(error: &E, kind: ErrorKind)
    where
        E: Error + Clone + PartialEq + 'static,
        io::Error: From<E>,
    {
        let converted = io::Error::from(error.clone());
        assert_eq!(converted.kind(), kind);
        assert_eq!(converted.to_string(), error.to_string());
        let inner = converted.into_inner().expect("it has an inner error");
        assert_eq!(inner.downcast_ref(), Some(error));
    }

    #[test]
    fn a_write_error_becomes_an_io_error_of_its_kind_and_stays_inside() {
        let kinds = [
            (WriteError::CapExceeded { cap: 1 }, ErrorKind::InvalidData),
            (WriteError::Closed, ErrorKind::BrokenPipe),
            (WriteError::Finished, ErrorKind::BrokenPipe),
            (WriteError::ReadOnly, ErrorKind::Unsupported),
            (
                WriteError::Transport(refused()),
                ErrorKind::ConnectionRefused,
            ),
        ];
        for (error, kind) in kinds {
            assert_eq!(error.kind(), kind);
            assert_stays_inside(&error, kind);
        }
    }

    #[test]
    fn a_transport_error_becomes_an_io_error_of_its_kind_and_stays_inside() {
        let error = refused();
        let converted = io::Error::from(error.clone());
        assert_eq!(converted.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(converted.to_string(), "outer");
        let inner = converted.into_inner().expect("it has an inner error");
        assert_eq!(inner.downcast_ref(), Some(&error));
    }

    #[test]
    fn the_chain_of_sources_goes_on_through_every_conversion() {
        let last = std::fmt::Error.to_string();
        for converted in [
            io::Error::from(ReadError::Transport(refused())),
            io::Error::from(WriteError::Transport(refused())),
            io::Error::from(refused()),
        ] {
            assert_eq!(chain(&converted).last(), Some(&last), "{converted:?}");
        }
    }

    #[test]
    fn a_failure_with_an_io_error_keeps_its_kind() {
        let mut reader = Reader::new();
        reader.fail(io::Error::from(ErrorKind::TimedOut));
        let error = reader.poll(Request::Line).expect_err("the reader failed");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::TimedOut);
        let mut writer = Writer::new();
        writer.fail(io::Error::from(ErrorKind::TimedOut));
        let error = writer.write(b"x").expect_err("the writer failed");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::TimedOut);
    }
}

#[test]
fn asking_for_nothing_gives_nothing_in_every_state() {
    let skipping = {
        let mut reader = Reader::with_limit(1);
        reader.feed(b"abc");
        assert!(reader.poll(Request::Line).is_err());
        reader
    };
    let readers = [
        Reader::new(),
        reader_with(b"a"),
        ended_reader(),
        failed_reader(),
        skipping,
        Reader::new().with_cap(0),
    ];
    for mut reader in readers {
        for request in [Request::Exactly(0), Request::Peek(0), Request::UpTo(0)] {
            assert_eq!(reader.poll(request), Ok(Status::Ready(0)), "{reader:?}");
        }
        assert!(reader.take(0).is_empty());
        assert!(reader.lend(0).is_empty());
        reader.consume(0);
    }
}

#[test]
fn the_largest_limit_never_overruns() {
    let mut reader = Reader::with_limit(usize::MAX);
    reader.feed(&[b'a'; 100_000]);
    assert!(reader.wants_read());
    let crlf = Separator::new("\r\n");
    for request in [Request::Line, Request::Until(&crlf)] {
        assert_eq!(reader.poll(request), Ok(Status::NeedData));
    }
    reader.feed(b"\r\n");
    for request in [Request::Line, Request::Until(&crlf)] {
        assert_eq!(reader.poll(request), Ok(Status::Ready(100_002)));
    }
}

#[test]
fn a_lower_limit_counts_from_the_next_request_on() {
    let mut reader = Reader::with_limit(5);
    reader.feed(b"abcd\r\nab\r\n");
    let crlf = Separator::new("\r\n");
    assert_eq!(reader.poll(Request::Until(&crlf)), Ok(Status::Ready(6)));
    reader.set_limit(2);
    let overrun = Err(ReadError::LimitOverrun { consumed: 3 });
    assert_eq!(reader.poll(Request::Until(&crlf)), overrun);
    reader.set_limit(4);
    assert_eq!(reader.poll(Request::Until(&crlf)), Ok(Status::Ready(6)));
}

#[test]
fn a_separator_longer_than_the_limit_counts_the_bytes_before_it() {
    let separator = Separator::new("--boundary--");
    let mut reader = Reader::with_limit(2);
    reader.feed(b"ab--boundary--abc--boundary--");
    assert_eq!(
        reader.poll(Request::Until(&separator)),
        Ok(Status::Ready(14))
    );
    reader.consume(14);
    let overrun = Err(ReadError::LimitOverrun { consumed: 3 });
    assert_eq!(reader.poll(Request::Until(&separator)), overrun);
    reader.consume(3);
    assert_eq!(
        reader.poll(Request::Until(&separator)),
        Ok(Status::Ready(12))
    );
}

#[test]
fn a_line_that_is_too_long_is_reported_once() {
    let mut reader = Reader::with_limit(3);
    reader.feed(b"abcd");
    let overrun = Err(ReadError::LimitOverrun { consumed: 4 });
    assert_eq!(reader.poll(Request::Line), overrun);
    assert_eq!(reader.poll(Request::Line), Ok(Status::NeedData));
    reader.feed(b"efgh");
    assert_eq!(reader.poll(Request::Line), Ok(Status::NeedData));
    reader.feed(b"ij\nk\n");
    assert_eq!(reader.poll(Request::Line), Ok(Status::Ready(2)));
    assert_eq!(reader.take(2), "k\n");
}

#[test]
fn a_line_that_is_too_long_for_the_stream_leaves_a_clean_end() {
    let mut reader = Reader::with_limit(3);
    reader.feed(b"abcd");
    assert!(reader.poll(Request::Line).is_err());
    reader.feed(b"ef");
    reader.feed_eof();
    assert!(reader.at_eof());
    assert_eq!(reader.poll(Request::Line), Ok(Status::Ready(0)));
}

#[test]
fn a_reader_has_getters_of_its_bounds() {
    let reader = Reader::with_limit(7);
    assert_eq!((reader.limit(), reader.cap()), (7, None));
    let reader = reader.with_cap(9);
    assert_eq!((reader.limit(), reader.cap()), (7, Some(9)));
    assert_eq!(Reader::default().limit(), millpond_core::DEFAULT_LIMIT);
}

#[test]
fn a_reader_prints_its_state() {
    let mut reader = Reader::with_limit(2);
    reader.feed(b"abcde");
    let paused = "Reader { buffered: 5, limit: 2, paused: true, end: Open }";
    assert_eq!(format!("{reader:?}"), paused);
    assert!(reader.poll(Request::Line).is_err());
    reader.feed_eof();
    let skipping =
        "Reader { buffered: 0, limit: 2, cap: 9, skipping_line: true, paused: false, end: Eof }";
    assert_eq!(format!("{:?}", reader.with_cap(9)), skipping);
}

#[test]
fn a_writer_prints_its_state() {
    let mut writer = Writer::with_watermarks(0, 2);
    writer.write(b"abc").expect("it is open");
    writer.write_eof();
    let finishing = "Writer { queued: 3, watermarks: (0, 2), paused: true, end: Finishing }";
    assert_eq!(format!("{writer:?}"), finishing);
}

#[test]
fn more_than_the_cap_is_refused_before_anything_arrives() {
    let mut reader = Reader::new().with_cap(2);
    let refused = Err(ReadError::CapExceeded { cap: 2 });
    assert_eq!(reader.poll(Request::Exactly(2)), Ok(Status::NeedData));
    assert_eq!(reader.poll(Request::Peek(2)), Ok(Status::NeedData));
    assert_eq!(reader.poll(Request::Exactly(3)), refused);
    assert_eq!(reader.poll(Request::Peek(3)), refused);
    assert_eq!(reader.poll(Request::Exactly(usize::MAX)), refused);
}

#[test]
fn more_than_the_cap_is_refused_even_if_it_has_arrived() {
    let mut reader = Reader::new().with_cap(2);
    reader.feed(b"abc");
    let refused = Err(ReadError::CapExceeded { cap: 2 });
    assert_eq!(reader.poll(Request::Exactly(3)), refused);
    assert_eq!(reader.poll(Request::Peek(3)), refused);
    assert_eq!(reader.buffered(), b"abc");
}

#[test]
fn a_stream_longer_than_the_cap_is_refused_and_kept() {
    let mut reader = Reader::new().with_cap(2);
    reader.feed(b"ab");
    assert_eq!(reader.poll(Request::ToEof), Ok(Status::NeedData));
    reader.feed(b"c");
    let refused = Err(ReadError::CapExceeded { cap: 2 });
    assert_eq!(reader.poll(Request::ToEof), refused);
    reader.feed_eof();
    assert_eq!(reader.poll(Request::ToEof), refused);
    assert_eq!(reader.buffered(), b"abc");
    reader.consume(1);
    assert_eq!(reader.poll(Request::ToEof), Ok(Status::Ready(2)));
}

#[test]
fn the_cap_does_not_concern_lines_and_separators() {
    let mut reader = Reader::new().with_cap(1);
    reader.feed(b"abc\n");
    assert_eq!(reader.poll(Request::Line), Ok(Status::Ready(4)));
    let newline = Separator::NEWLINE;
    assert_eq!(reader.poll(Request::Until(&newline)), Ok(Status::Ready(4)));
    assert_eq!(reader.poll(Request::UpTo(9)), Ok(Status::Ready(4)));
}

#[test]
fn taken_bytes_are_those_that_were_buffered_and_not_a_copy() {
    let mut reader = reader_with(b"abcd");
    let front = reader.buffered().as_ptr();
    assert_eq!(reader.take(2).as_ptr(), front);
    let rest = reader.buffered().as_ptr();
    assert_eq!(reader.leftover().as_ptr(), rest);
}

#[test]
fn large_bytes_are_sent_from_where_they_are() {
    let large = Bytes::from(vec![b'a'; OWN_CHUNK]);
    let mut writer = Writer::new();
    writer.write_bytes(large.clone()).expect("it is open");
    assert!(
        matches!(writer.poll_transmit(), Some(Transmit::Data(data)) if data.as_ptr() == large.as_ptr())
    );
    writer.sent(100);
    let rest: Vec<&[u8]> = writer.chunks().collect();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].as_ptr(), large[100..].as_ptr());
}

#[test]
fn small_writes_are_gathered_in_one_chunk() {
    let mut writer = Writer::new();
    for _ in 0..100 {
        writer.write(b"ab").expect("it is open");
        writer
            .write_bytes(Bytes::from_static(b"cd"))
            .expect("it is open");
    }
    let almost = Bytes::from(vec![b'e'; OWN_CHUNK - 1]);
    writer.write_bytes(almost).expect("it is open");
    assert_eq!(writer.chunks().count(), 1);
    assert_eq!(writer.queued(), 400 + OWN_CHUNK - 1);
}

#[test]
fn large_bytes_stay_between_the_small_ones_around_them() {
    let large = Bytes::from(vec![b'x'; OWN_CHUNK]);
    let mut writer = writer_with(b"ab");
    writer.write_bytes(large.clone()).expect("it is open");
    writer.write_bytes(large.clone()).expect("it is open");
    writer.write(b"cd").expect("it is open");
    let chunks: Vec<&[u8]> = writer.chunks().collect();
    assert_eq!(chunks, [b"ab", &large[..], &large[..], b"cd"]);
}

#[test]
fn nothing_written_is_nothing_queued() {
    let mut writer = Writer::with_watermarks(0, 0);
    writer.write(b"").expect("it is open");
    writer.write_bytes(Bytes::new()).expect("it is open");
    assert_eq!((writer.queued(), writer.chunks().count()), (0, 0));
    assert!(!writer.is_paused());
    assert_eq!(writer.poll_transmit(), None);
}

/// What ends the writing.
type Finish = fn(&mut Writer, &TransportError);

#[test]
fn what_is_written_too_late_is_refused_and_not_queued() {
    let failure = TransportError::new("reset");
    let ends: [(Finish, WriteError); 4] = [
        (|writer, _| writer.write_eof(), WriteError::Finished),
        (|writer, _| writer.close(), WriteError::Closed),
        (|writer, _| drop(writer.abort()), WriteError::Closed),
        (
            |writer, failure| drop(writer.fail(failure.clone())),
            WriteError::Transport(failure.clone()),
        ),
    ];
    for (end, refusal) in ends {
        let mut writer = Writer::new();
        end(&mut writer, &failure);
        for _ in 0..2 {
            assert_eq!(writer.write(b"x"), Err(refusal.clone()));
            assert_eq!(writer.write(b""), Err(refusal.clone()));
            let large = Bytes::from(vec![b'x'; OWN_CHUNK]);
            assert_eq!(writer.write_bytes(large), Err(refusal.clone()));
            assert_eq!(writer.writable(), Err(refusal.clone()));
            assert_eq!(writer.queued(), 0);
        }
    }
}

#[test]
fn nothing_is_to_be_done_after_the_close_or_a_failure() {
    let mut closed = Writer::new();
    closed.close();
    closed.ended();
    let mut aborted = Writer::new();
    aborted.abort();
    aborted.ended();
    let mut failed = writer_with(b"ab");
    failed.fail(TransportError::new("reset"));
    for writer in [&mut closed, &mut aborted, &mut failed] {
        writer.write_eof();
        writer.close();
        writer.abort();
        assert_eq!(writer.poll_transmit(), None);
        assert!(writer.is_closed() && writer.is_closing());
    }
    assert!(aborted.is_aborted() && !closed.is_aborted());
}

#[test]
fn a_failure_after_the_close_is_ignored() {
    let mut writer = Writer::new();
    writer.close();
    writer.ended();
    writer.fail(TransportError::new("reset"));
    assert_eq!(writer.error(), None);
    assert_eq!(writer.write(b"x"), Err(WriteError::Closed));
}

#[test]
fn the_cap_counts_what_is_queued_and_what_is_written_together() {
    for cap in 0..6 {
        for queued in 0..=cap {
            for len in 0..8 {
                let refused = queued + len > cap;
                let expected = match refused {
                    true => Err(WriteError::CapExceeded { cap }),
                    false => Ok(()),
                };
                let after = if refused { queued } else { queued + len };
                let mut writer = Writer::new().with_cap(cap);
                writer.write(&vec![b'a'; queued]).expect("it fits");
                assert_eq!(writer.accepts(len), expected);
                assert_eq!(writer.write_bytes(vec![b'b'; len].into()), expected);
                assert_eq!(writer.queued(), after, "as a whole or not at all");
                assert_eq!(writer.writable(), Ok(()), "it goes on");
            }
        }
    }
}

#[test]
fn nothing_can_be_written_to_a_full_queue_even_if_the_cap_is_lower() {
    let mut writer = writer_with(b"abc").with_cap(1);
    writer.write(b"").expect("nothing is never too much");
    assert!(writer.write(b"d").is_err());
    writer.sent(3);
    writer.write(b"d").expect("there is room again");
}

#[test]
fn there_is_no_cap_by_default() {
    let writer = writer_with(b"abc");
    assert_eq!(writer.accepts(usize::MAX - 3), Ok(()));
    assert_eq!(writer.cap(), None);
}

#[test]
fn an_end_is_reported_before_the_cap() {
    let mut writer = Writer::new().with_cap(1);
    writer.close();
    assert_eq!(writer.accepts(2), Err(WriteError::Closed));
}

#[test]
fn equal_watermarks_pause_and_resume_at_the_same_place() {
    let mut writer = Writer::with_watermarks(2, 2);
    assert_eq!(writer.watermarks(), (2, 2));
    writer.write(b"ab").expect("it is open");
    assert!(!writer.is_paused());
    writer.write(b"c").expect("it is open");
    assert!(writer.is_paused());
    writer.sent(1);
    assert!(!writer.is_paused());
}
