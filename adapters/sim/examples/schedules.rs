//! Runs a short conversation in as many worlds as it is told, with faults and cancellations, and
//! tells how fast: `cargo run --release -p millpond-sim --example schedules -- 1000000`.

use std::{env, io, task::Poll, time::Instant};

use millpond_sim::{
    Sim, StreamOptions, StreamReader, StreamWriter, check, open_connection, start_server, world,
};

const LINES: [&[u8]; 3] = [b"one\n", b"two and a half\n", b"three\n"];

/// Polls a future a few times, by chance; `None` if that was not enough.
async fn cancelled<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = world().choose(3);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = reader.read_line().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write_all(&line).await?;
    }
}

/// With a server, and everything that belongs to it.
async fn call() -> io::Result<usize> {
    let server = start_server("127.0.0.1:7", echo)
        .on_handler_error(|_| {})
        .await?;
    let client = open_connection("127.0.0.1:7").await?;
    let count = converse(client).await;
    server.close();
    count
}

/// Between two streams.
async fn meet() -> io::Result<usize> {
    let (client, (reader, writer)) = world().connection(&StreamOptions::new());
    world().spawn(async { drop(echo(reader, writer).await) });
    converse(client).await
}

/// How many lines came back, before the end or a failure.
async fn converse((mut reader, mut writer): (StreamReader, StreamWriter)) -> io::Result<usize> {
    let mut count = 0;
    for line in LINES {
        writer.write(line)?;
        let echoed = loop {
            if let Some(read) = cancelled(reader.read_line()).await {
                break read?;
            }
        };
        if echoed != line {
            // Cut off by the end of the stream.
            assert!(line.starts_with(&echoed), "{echoed:?}");
            break;
        }
        count += 1;
    }
    Ok(count)
}

fn main() {
    let count = env::args().nth(1);
    let count = count.map_or(100_000, |text| text.parse().expect("a number of worlds"));
    measure("two streams", count, meet);
    measure("a client and a server", count, call);
}

fn measure<F: Future<Output = io::Result<usize>>>(name: &str, count: u64, program: impl Fn() -> F) {
    let began = Instant::now();
    let (mut complete, mut cut_off, mut polls) = (0_u64, 0_u64, 0);
    check(0..count, |sim: Sim| {
        let run = sim.rough().random_faults(4).record(program());
        polls += run.polls;
        match run.output {
            Ok(Ok(n)) if n == LINES.len() => complete += 1,
            Ok(_) | Err(_) => cut_off += 1, // a stall for ever leaves a world stuck
        }
    });
    let time = began.elapsed();
    let rate = count as f64 / time.as_secs_f64();
    println!(
        "{name}: {count} worlds in {time:.1?}, {rate:.0} a second, {} polls each",
        polls / count
    );
    println!("    {complete} conversations to the end, {cut_off} cut off by a fault");
}
