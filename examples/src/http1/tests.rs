//! In simulated worlds: whatever a client sends, however it is cut, and whatever fails.

use std::{
    io, str,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, future::join, stream};
use http::{Request, Response};
use millpond_sim::{Sim, Stream, StreamServer, check, connect, stream_server, timeout, world};

use super::{Body, HEAD_LIMIT, Limits, serve};

const ADDRESS: &str = "localhost:80";

/// More than any stall takes.
const TIME_LIMIT: Duration = Duration::from_secs(300);

const MAX_BODY: usize = 5000;

/// How long `/slow` takes.
const SLOW: Duration = Duration::from_secs(7);

fn limits() -> Limits {
    Limits {
        body: MAX_BODY,
        ..Limits::default()
    }
}

/// Sends back what it is sent: whole, in pieces for `/pieces`, and late for `/slow`.
async fn app(request: Request<Bytes>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let body = request.into_body();
    match path.as_str() {
        "/pieces" => {
            let pieces: Vec<_> = body.chunks(700).map(Bytes::copy_from_slice).collect();
            Response::new(Body::Pieces(stream::iter(pieces).boxed()))
        }
        path => {
            if path == "/slow" {
                world().sleep(SLOW).await;
            }
            Response::new(Body::Whole(body))
        }
    }
}

/// It counts the requests that have reached the program.
async fn start(requests: &Arc<AtomicUsize>) -> StreamServer {
    let requests = requests.clone();
    let server = stream_server(ADDRESS, move |stream| {
        let requests = requests.clone();
        serve(stream, millpond_sim::runtime(), limits(), move |request| {
            requests.fetch_add(1, Ordering::Relaxed);
            app(request)
        })
    });
    let server = server.limit(HEAD_LIMIT).end_idle_on_shutdown(false);
    let server = server.on_handler_error(|error| assert!(error.client_has_left(), "{error}"));
    let server = server.on_accept_error(|_| {});
    server.start_serving().await.unwrap();
    server
}

fn post(path: &str, more: &str, body: &str) -> String {
    let len = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n{more}\r\n{body}")
}

fn chunked(path: &str, chunks: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

/// The next answer, and whether it is the last one.
async fn answer(client: &mut Stream) -> io::Result<(u16, String, bool)> {
    let head = client.read_until("\r\n\r\n").await?;
    let head = String::from_utf8(head.to_vec()).unwrap();
    let field = |name: &str| {
        let start = head.find(&format!("\r\n{name}: "))? + name.len() + 4;
        head[start..].lines().next()
    };
    let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse();
    let body = match field("content-length") {
        Some(len) => client.read_exactly(len.parse().unwrap()).await?,
        None if field("transfer-encoding") == Some("chunked") => {
            let mut body = Vec::new();
            loop {
                let line = client.read_until("\r\n").await?;
                let digits = str::from_utf8(&line).unwrap().trim_end();
                let len = usize::from_str_radix(digits, 16).unwrap();
                let chunk = client.read_exactly(len + 2).await?;
                body.extend(chunk.strip_suffix(b"\r\n").unwrap());
                if len == 0 {
                    break body.into();
                }
            }
        }
        None => Bytes::new(),
    };
    let body = String::from_utf8(body.into()).unwrap();
    Ok((status.unwrap(), body, field("connection") == Some("close")))
}

/// Up to the end.
async fn answers(client: &mut Stream) -> io::Result<Vec<(u16, String)>> {
    let mut answers = Vec::new();
    while !client.peek(1).await?.is_empty() {
        let (status, body, is_last) = answer(client).await?;
        answers.push((status, body));
        if is_last {
            assert_eq!(client.read_to_eof().await?, "", "behind the last answer");
        }
    }
    Ok(answers)
}

/// What a client gets for this, in a few worlds that cut it in their own ways.
fn assert_answers(input: &str, expected: &[(u16, &str)]) {
    check(0..5, |sim| {
        sim.rough().no_leaks().run(async {
            let server = start(&Arc::default()).await;
            let mut client = connect(ADDRESS).await.unwrap();
            client.write(input).unwrap();
            client.write_eof().unwrap();
            let got = answers(&mut client).await.unwrap();
            let expected = expected.iter().copied();
            let expected: Vec<_> = expected.map(|(code, body)| (code, body.into())).collect();
            assert_eq!(got, expected, "for {:.200}", input.escape_debug());
            server.shutdown().await;
        });
    });
}

#[test]
fn bodies_come_back_and_requests_may_follow_each_other() {
    let long = "x".repeat(MAX_BODY);
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    assert_answers(&get, &[(200, "")]);
    assert_answers(&post("/", "", &long), &[(200, &long)]);
    assert_answers(&post("/pieces", "", &long), &[(200, &long)]);
    assert_answers(
        &chunked("/", "5\r\nhello\r\n3;a=\"b\"\r\n \r\n\r\n0\r\nA: b\r\n\r\n"),
        &[(200, "hello \r\n")],
    );
    let three = [post("/pieces", "", "one"), chunked("/", "0\r\n\r\n"), get].concat();
    assert_answers(&three, &[(200, "one"), (200, ""), (200, "")]);
    // Nothing behind a request that asks for the end.
    let closing = post("/", "Connection: Keep-Alive, Close\r\n", "1") + &post("/", "", "2");
    assert_answers(&closing, &[(200, "1")]);
    assert_answers("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "")]);
}

#[test]
fn http_1_0_needs_no_host_and_ends_unless_it_asks() {
    let get = |more| format!("GET / HTTP/1.0\r\n{more}\r\n");
    assert_answers(&get("").repeat(2), &[(200, "")]);
    let keep = get("Connection: keep-alive\r\n");
    assert_answers(&(keep + &get("")), &[(200, ""), (200, "")]);
}

#[test]
fn what_breaks_the_rules_is_refused_and_nothing_behind_it_is_served() {
    const BAD: (u16, &str) = (400, "400 Bad Request\n");
    const LARGE: (u16, &str) = (413, "413 Payload Too Large\n");
    const FIELDS: (u16, &str) = (431, "431 Request Header Fields Too Large\n");
    let get = |more: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    let cases = [
        ("hello\r\n\r\n".to_owned(), BAD),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), BAD),
        (get("Host: b\r\n"), BAD),
        (
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(),
            (505, "505 HTTP Version Not Supported\n"),
        ),
        (get("A b\r\n"), BAD),
        (get("A : b\r\n"), BAD),
        (get("A: b\r\n c\r\n"), BAD),
        (get("Content-Length: +1\r\n"), BAD),
        (get("Content-Length: \r\n"), BAD),
        (get("Content-Length: 1\r\nContent-Length: 2\r\n"), BAD),
        (
            get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            BAD,
        ),
        (
            get("Transfer-Encoding: gzip, chunked\r\n"),
            (501, "501 Not Implemented\n"),
        ),
        (
            get("Expect: a miracle\r\n"),
            (417, "417 Expectation Failed\n"),
        ),
        // For a parser that takes a bare line feed, two requests.
        (
            "GET / HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            BAD,
        ),
        (get(&format!("Content-Length: {}\r\n", MAX_BODY + 1)), LARGE),
        (
            get(&format!("Content-Length: {}\r\n", "9".repeat(50))),
            LARGE,
        ),
        (chunked("/", &format!("{:x}\r\n", MAX_BODY + 1)), LARGE),
        (chunked("/", "fffffffffffffffff\r\n"), LARGE),
        (chunked("/", "-1\r\n"), BAD),
        (chunked("/", "\r\n"), BAD),
        (chunked("/", "5\r\nhello!\r\n"), BAD),
        (chunked("/", &format!("5;{}", "x".repeat(HEAD_LIMIT))), BAD),
        (
            chunked(
                "/",
                &format!("0\r\n{}", "A: b\r\n".repeat(HEAD_LIMIT / 6 + 1)),
            ),
            FIELDS,
        ),
        (get(&format!("A: {}\r\n", "x".repeat(HEAD_LIMIT))), FIELDS),
        (get(&"A: b\r\n".repeat(200)), FIELDS),
        ("x".repeat(100_000), FIELDS),
    ];
    for (input, expected) in cases {
        assert_answers(&(input + &get("")), &[expected]);
    }
}

#[test]
fn half_a_request_is_no_request() {
    for request in [
        post("/", "", "hello"),
        chunked("/", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        for len in 1..request.len() {
            Sim::new(len as u64).rough().no_leaks().run(async {
                let requests = Arc::default();
                let server = start(&requests).await;
                let mut client = connect(ADDRESS).await.unwrap();
                client.write(&request[..len]).unwrap();
                client.write_eof().unwrap();
                let got = answers(&mut client).await.unwrap();
                assert_eq!(got, [(400, "400 Bad Request\n".into())], "{len}");
                assert_eq!(requests.load(Ordering::Relaxed), 0);
                server.shutdown().await;
            });
        }
    }
}

#[test]
fn a_client_that_asks_first_may_send_a_body_that_is_not_too_large() {
    check(0..20, |sim| {
        sim.rough().no_leaks().run(async {
            let server = start(&Arc::default()).await;
            let mut client = connect(ADDRESS).await.unwrap();
            let request = post("/", "Expect: 100-continue\r\n", "hello");
            let (head, body) = request.split_at(request.len() - 5);
            client.write(head).unwrap();
            assert_eq!(
                client.read_until("\r\n\r\n").await.unwrap(),
                "HTTP/1.1 100 Continue\r\n\r\n"
            );
            client.write(body).unwrap();
            assert_eq!(
                answer(&mut client).await.unwrap(),
                (200, "hello".into(), false)
            );

            let request = post("/", "Expect: 100-continue\r\n", &"x".repeat(MAX_BODY + 1));
            client
                .write(&request[..request.len() - MAX_BODY - 1])
                .unwrap();
            assert_eq!(answers(&mut client).await.unwrap()[0].0, 413);
            server.shutdown().await;
        });
    });
}

#[test]
fn a_client_that_is_slow_gets_an_answer_and_one_that_is_silent_does_not() {
    let Limits {
        head_timeout,
        body_timeout,
        keep_alive,
        ..
    } = limits();
    let late = &[(408, "408 Request Timeout\n".into())][..];
    let sends = [
        ("", keep_alive, &[][..]),
        ("G", head_timeout, late),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx",
            body_timeout,
            late,
        ),
    ];
    for (input, time, expected) in sends {
        Sim::new(1).no_leaks().run(async {
            let server = start(&Arc::default()).await;
            let mut client = connect(ADDRESS).await.unwrap();
            client.write(input).unwrap();
            assert_eq!(answers(&mut client).await.unwrap(), expected, "{input}");
            assert_eq!(world().elapsed(), time, "{input}");
            server.shutdown().await;
        });
    }
}

#[test]
fn a_client_that_is_refused_while_it_sends_gets_the_answer() {
    check(0..50, |sim| {
        sim.rough().no_leaks().run(async {
            let server = start(&Arc::default()).await;
            let (mut reader, mut writer) = connect(ADDRESS).await.unwrap().into_split();
            let large = post("/", "", &"x".repeat(200_000));
            let (sent, got) = join(writer.write_all(&large), reader.read_to_eof()).await;
            sent.unwrap();
            assert!(got.unwrap().starts_with(b"HTTP/1.1 413 "));
            drop((reader, writer));
            server.shutdown().await;
        });
    });
}

#[test]
fn a_shutdown_ends_idle_clients_at_once_and_busy_ones_behind_their_answers() {
    check(0..50, |sim| {
        sim.rough().no_leaks().run(async {
            let server = start(&Arc::default()).await;
            let mut idle = connect(ADDRESS).await.unwrap();
            idle.write(post("/", "", "first")).unwrap();
            answer(&mut idle).await.unwrap();
            let mut busy = connect(ADDRESS).await.unwrap();
            // The second one is not served any more.
            let busy_with = post("/slow", "", "busy") + &post("/", "", "late");
            busy.write(busy_with).unwrap();
            let mut sending = connect(ADDRESS).await.unwrap();
            let request = post("/", "", "hello");
            let (head, body) = request.split_at(request.len() - 5);
            sending.write(head).unwrap();
            world().sleep(Duration::from_secs(1)).await;

            let clients = async {
                assert_eq!(idle.read_to_eof().await.unwrap(), "");
                assert_eq!(world().elapsed().as_secs(), 1);
                sending.write(body).unwrap();
                let last = answer(&mut sending).await.unwrap();
                assert_eq!(last, (200, "hello".into(), true));
                assert_eq!(world().elapsed().as_secs(), 1);
                let got = answers(&mut busy).await.unwrap();
                assert_eq!(got, [(200, "busy".into())]);
                drop((idle, sending, busy));
            };
            let (shutdown, ()) = join(server.shutdown(), clients).await;
            assert_eq!((shutdown.closed, shutdown.cancelled), (0, 0));
            assert_eq!(world().elapsed().as_secs(), SLOW.as_secs());
        });
    });
}

#[test]
fn an_answer_is_right_or_there_is_an_error_whatever_fails() {
    async fn ask(path: &str) -> io::Result<()> {
        let mut client = connect(ADDRESS).await?;
        let body = "0123456789".repeat(300);
        client.write(post(path, "", &body) + &chunked("/", "2\r\nhi\r\n0\r\n\r\n"))?;
        for expected in [&body, "hi"] {
            match answer(&mut client).await? {
                (200, body, false) => assert_eq!(body, expected),
                // The rest of the request has not come, or late.
                (400 | 408, _, true) => return Err(io::ErrorKind::InvalidInput.into()),
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }

    let failed = AtomicUsize::new(0);
    check(0..300, |sim| {
        sim.rough().random_faults(2).no_leaks().run(async {
            let server = start(&Arc::default()).await;
            for path in ["/", "/pieces"] {
                if !matches!(timeout(TIME_LIMIT, ask(path)).await, Ok(Ok(()))) {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            world().stop_faults();
            ask("/pieces").await.unwrap();
            server.shutdown().await;
        });
    });
    assert!((30..570).contains(&failed.into_inner()));
}
