//! In simulated worlds, in which anything may fail: the answer is right, or there is an error, and
//! nothing hangs or is left. The same seed gives the same world.
//!
//! `MILLPOND_WORLDS` sets in how many worlds each conversation is held.

mod hyper;
mod redis;
#[path = "../../../../../adapters/sim/tests/support/size.rs"]
mod size;
mod websocket;

use std::{fmt::Debug, pin::Pin, time::Duration};

use millpond_sim::{
    Sim, Stream, StreamServer, TlsAcceptor, TlsConnector, check, connect, stream_server, timeout,
    tls, world,
};

/// For each conversation.
const WORLDS: u64 = 100;

/// Longer than any conversation takes, unless something stalls.
const TIME_LIMIT: Duration = Duration::from_secs(600);

type Talk<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How one side behaves on its stream.
type Side<T, E> = fn(Stream) -> Talk<Result<T, E>>;

/// A conversation, and what the client has to get if it gets anything.
struct Conversation<T, E> {
    over: Over,
    client: Side<T, E>,
    server: Side<(), E>,
    answer: fn() -> T,
}

#[derive(Clone, Copy, Debug)]
enum Over {
    Tcp,
    Tls,
}

type Tls = Option<(TlsConnector, TlsAcceptor)>;

impl Over {
    /// Made within a world, for it draws on the seed and remembers sessions.
    fn tls(self) -> Tls {
        match self {
            Self::Tcp => None,
            Self::Tls => Some(tls::localhost()),
        }
    }
}

impl<T: PartialEq + Debug, E: Debug + Send + Sync + 'static> Conversation<T, E> {
    async fn serve(&self, tls: &Tls) -> StreamServer {
        let side = self.server;
        let server = stream_server("127.0.0.1:80", move |stream| async move {
            // A client that stalls, or was cut off, is given up.
            let _ = timeout(TIME_LIMIT, side(stream)).await;
        });
        let server = server.on_handler_error(|error| panic!("{error}"));
        let mut server = server.on_accept_error(|_| {});
        if let Some((_, acceptor)) = tls {
            server = server.tls(acceptor);
        }
        server.start_serving().await.unwrap();
        server
    }

    /// `None` if there was an error.
    async fn ask(&self, tls: &Tls) -> Option<T> {
        let asking = async {
            let mut connecting = connect("127.0.0.1:80");
            if let Some((connector, _)) = tls {
                connecting = connecting.tls(connector);
            }
            (self.client)(connecting.await.ok()?).await.ok()
        };
        timeout(TIME_LIMIT, asking).await.ok().flatten()
    }

    /// Asks a few times while things fail, and once more when nothing does.
    async fn run(&self) -> usize {
        let tls = self.over.tls();
        let server = self.serve(&tls).await;
        let mut errors = 0;
        for _ in 0..2 {
            match self.ask(&tls).await {
                Some(answer) => assert!(answer == (self.answer)(), "{answer:?}"),
                None => errors += 1,
            }
        }
        world().stop_faults();
        assert!(self.ask(&tls).await == Some((self.answer)()));
        server.shutdown().await;
        errors
    }

    /// In many worlds.
    fn check(&self) {
        let worlds = size::of("MILLPOND_WORLDS", WORLDS);
        let (mut failed, mut right) = (0, 0);
        check(0..worlds, |sim| {
            let errors = harsh(sim).run(self.run());
            failed += errors;
            right += 2 - errors;
        });
        println!("in {worlds} worlds {failed} failed, {right} did not");
        let enough = worlds as usize / 10;
        assert!(failed > enough && right > enough);
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
