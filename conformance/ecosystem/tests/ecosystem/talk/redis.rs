//! redis-rs's multiplexed connection, a client by hand, and a small server that knows what they ask.

use std::{collections::HashMap, io, str};

use futures_util::future::{join, try_join_all};
use millpond::{Bytes, Stream, StreamReader};
use redis::{AsyncCommands, RedisConnectionInfo, RedisResult, aio::MultiplexedConnection};

use super::pattern;

/// Several tasks ask at once on one connection, and one sends a pipeline. Returns what they got.
pub(crate) async fn ask(stream: Stream, largest: usize) -> RedisResult<Vec<Vec<u8>>> {
    let info = RedisConnectionInfo::default();
    let (connection, driver) = MultiplexedConnection::new(&info, stream).await?;
    let asking = async move {
        let asks = values(largest).into_iter().enumerate().map(|(n, value)| {
            let mut connection = connection.clone();
            async move {
                let key = format!("key {n}");
                connection.set::<_, _, ()>(&key, &value).await?;
                connection.get::<_, Vec<u8>>(&key).await
            }
        });
        let mut answers = try_join_all(asks).await?;
        let mut pipeline = redis::pipe();
        pipeline
            .set("piped", "one")
            .ignore()
            .get("piped")
            .get("key 0");
        let piped: Vec<Vec<u8>> = pipeline.query_async(&mut connection.clone()).await?;
        answers.extend(piped);
        Ok(answers)
    };
    join(driver, asking).await.1
}

/// What [`ask`] has to return.
pub(crate) fn answers(largest: usize) -> Vec<Vec<u8>> {
    let mut answers = values(largest);
    answers.extend([b"one".to_vec(), answers[0].clone()]);
    answers
}

fn values(largest: usize) -> Vec<Vec<u8>> {
    [3, 0, 500, largest].map(|len| pattern(len, len)).into()
}

/// Many commands in one go, by hand; the answers come in their order.
pub(crate) async fn ask_by_hand(mut stream: Stream, count: usize) -> io::Result<()> {
    for n in 0..count {
        let (key, value) = (format!("hand {n}"), pattern(n, n));
        stream.write(command(&[b"SET", key.as_bytes(), &value]))?;
        stream.write(command(&[b"GET", key.as_bytes()]))?;
    }
    let (reader, writer) = stream.split();
    let receiving = async {
        for n in 0..count {
            assert_eq!(reader.read_line().await?, "+OK\r\n");
            assert_eq!(bulk(reader).await?, pattern(n, n));
        }
        Ok::<_, io::Error>(())
    };
    let (sent, received) = join(writer.drain(), receiving).await;
    sent?;
    received
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        push_bulk(&mut command, word);
    }
    command
}

fn push_bulk(out: &mut Vec<u8>, data: &[u8]) {
    out.extend(format!("${}\r\n", data.len()).into_bytes());
    out.extend(data);
    out.extend(b"\r\n");
}

/// A number behind a letter, up to the end of the line.
async fn number(reader: &mut StreamReader, letter: char) -> io::Result<usize> {
    let line = reader.read_until("\r\n").await?;
    let line = str::from_utf8(&line).map_err(io::Error::other)?;
    let digits = line.trim_end().strip_prefix(letter);
    let digits = digits.ok_or_else(|| io::Error::other(format!("no {letter}: {line:?}")))?;
    digits.parse().map_err(io::Error::other)
}

async fn bulk(reader: &mut StreamReader) -> io::Result<Bytes> {
    let len = number(reader, '$').await?;
    let data = reader.read_exactly(len + 2).await?;
    Ok(data.slice(..len))
}

/// Serves `SET` and `GET`, and calls everything else fine.
pub(crate) async fn serve(stream: Stream) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let mut stored: HashMap<Bytes, Bytes> = HashMap::new();
    loop {
        match reader.peek(1).await {
            Ok([]) => return Ok(()),
            peeked => peeked?,
        };
        let mut words = Vec::new();
        for _ in 0..number(&mut reader, '*').await? {
            words.push(bulk(&mut reader).await?);
        }
        let mut answer = Vec::new();
        match (&*words[0], &words[1..]) {
            (b"GET", [key]) => match stored.get(key) {
                Some(value) => push_bulk(&mut answer, value),
                None => answer.extend(b"$-1\r\n"),
            },
            (b"SET", [key, value]) => {
                stored.insert(key.clone(), value.clone());
                answer.extend(b"+OK\r\n");
            }
            _ => answer.extend(b"+OK\r\n"),
        }
        writer.write_all(answer).await?;
    }
}
