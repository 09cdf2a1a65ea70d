//! In simulated worlds, in which anything may fail: the answer is right, or there is an error, and
//! nothing hangs or is left. The same seed gives the same world.

mod hyper;
mod redis;
mod websocket;

use std::{fmt::Debug, pin::Pin, time::Duration};

use millpond_sim::{Sim, Stream, StreamServer, check, connect, stream_server, timeout, world};

/// Worlds for each.
const SEEDS: u64 = 1000;

/// Longer than any conversation takes, unless something stalls.
const TIME_LIMIT: Duration = Duration::from_secs(600);

type Talk<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How one side behaves on its stream.
type Side<T, E> = fn(Stream) -> Talk<Result<T, E>>;

/// A conversation, and what the client has to get if it gets anything.
struct Conversation<T, E> {
    client: Side<T, E>,
    server: Side<(), E>,
    answer: fn() -> T,
}

impl<T: PartialEq + Debug, E: Debug + Send + Sync + 'static> Conversation<T, E> {
    async fn serve(&self) -> StreamServer {
        let side = self.server;
        let server = stream_server("127.0.0.1:80", move |stream| async move {
            // A client that stalls, or was cut off, is given up.
            let _ = timeout(TIME_LIMIT, side(stream)).await;
        });
        let server = server.on_handler_error(|error| panic!("{error}"));
        let server = server.on_accept_error(|_| {});
        server.start_serving().await.unwrap();
        server
    }

    /// `None` if there was an error.
    async fn ask(&self) -> Option<T> {
        let asking = async {
            let stream = connect("127.0.0.1:80").await.ok()?;
            (self.client)(stream).await.ok()
        };
        timeout(TIME_LIMIT, asking).await.ok().flatten()
    }

    /// Asks a few times while things fail, and once more when nothing does.
    async fn run(&self) -> usize {
        let server = self.serve().await;
        let mut errors = 0;
        for _ in 0..2 {
            match self.ask().await {
                Some(answer) => assert!(answer == (self.answer)(), "{answer:?}"),
                None => errors += 1,
            }
        }
        world().stop_faults();
        assert!(self.ask().await == Some((self.answer)()));
        server.shutdown().await;
        errors
    }

    /// In many worlds.
    fn check(&self) {
        let (mut failed, mut right) = (0, 0);
        check(0..SEEDS, |sim| {
            let errors = harsh(sim).run(self.run());
            failed += errors;
            right += 2 - errors;
        });
        let enough = SEEDS as usize / 10;
        assert!(
            failed > enough && right > enough,
            "{failed} failed, {right} did not"
        );
    }

    /// Two runs of each of a few seeds.
    fn check_same(&self) {
        for seed in 0..20 {
            let hash = || {
                let run = harsh(Sim::new(seed)).record(self.run());
                run.output.unwrap();
                run.trace.hash()
            };
            assert_eq!(hash(), hash(), "seed {seed}");
        }
    }
}

/// Slow, in pieces, with faults.
fn harsh(sim: Sim) -> Sim {
    let latency = Duration::from_millis(1)..=Duration::from_millis(50);
    sim.rough().latency(latency).random_faults(2).no_leaks()
}
