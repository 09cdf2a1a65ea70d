//! [millpond] in a deterministic world, for tests: no thread, no socket, any fault, one seed.
//!
//! A program written against [millpond] runs here unchanged, and a test of it takes microseconds,
//! needs no port and no sleep, and fails the same way each time. Everything here is [millpond]'s,
//! with a simulated world as its runtime: see there for the streams and servers.
//!
//! | to test | use |
//! |---|---|
//! | a parser | [`testing::every_cut`]: no stream is needed |
//! | a function that reads and writes a stream | [`pair`] and a [`Script`]: no world is needed |
//! | a client, a server or both, with timeouts | [`Sim::run`] |
//! | what they do when the network is slow, partial or reordered | [`Sim::rough`], [`Sim::latency`], in [`check`] |
//! | what they do when it fails | [`Sim::fault`], [`Sim::random_faults`], [`World::inject`] |
//! | what they do when it fails at any byte, or they are given up at any poll | [`Sweep`] |
//! | what takes several steps | [`Check::explore_for`] |
//! | all of that, driven by a fuzzer | [`Sim::from_bytes`] |
//!
//! It is for tests, and so it belongs to these:
//!
//! ```toml
//! [dev-dependencies]
//! millpond-sim = "0.1"
//! ```
//!
//! # A first test
//!
//! A function that speaks a protocol over a stream needs a stream and a peer. [`pair`] gives two
//! connected streams in memory, and a [`Script`] plays the other side:
//!
//! ```
//! use std::io;
//!
//! use futures_util::future::join;
//! use millpond_sim::{Script, StreamReader, StreamWriter, pair};
//!
//! /// What is to be tested: asks for a name's number.
//! async fn look_up(reader: &mut StreamReader, writer: &mut StreamWriter) -> io::Result<u32> {
//!     writer.write(b"NUMBER alice\r\n")?;
//!     let line = reader.read_until(b"\r\n").await?;
//!     let text = std::str::from_utf8(&line).map_err(io::Error::other)?;
//!     text.trim_end().parse().map_err(io::Error::other)
//! }
//!
//! # let block_on = |future| millpond_sim::Sim::new(0).run(future);
//! // In a test, on any executor.
//! block_on(async {
//!     let ((mut reader, mut writer), peer) = pair();
//!     let script = Script::new().expect(b"NUMBER alice\r\n").send(b"42\r\n");
//!     let client = look_up(&mut reader, &mut writer);
//!     let (number, played) = join(client, script.play(peer)).await;
//!     played.unwrap();
//!     assert_eq!(number.unwrap(), 42);
//! });
//! ```
//!
//! # A client and a server
//!
//! [`Sim::run`] runs a program in a new world. In it, the functions of this crate connect and serve
//! on the world's network, and time passes only when nothing else can happen, or when tasks have run
//! ten thousand times without a pause: a test of a timeout of an hour takes no time. If a handler of a
//! server panics, because an assertion in it fails, so does the test.
//!
//! ```
//! use std::{io, time::Duration};
//!
//! use millpond_sim::{
//!     Sim, StreamReader, StreamWriter, open_connection, start_server, timeout, world,
//! };
//!
//! /// What is to be tested: a server that does not wait for ever.
//! async fn shout(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
//!     loop {
//!         let line = timeout(Duration::from_secs(3600), reader.read_line()).await??;
//!         if line.is_empty() {
//!             return Ok(());
//!         }
//!         writer.write_all(&line.to_ascii_uppercase()).await?;
//!     }
//! }
//!
//! Sim::new(1).run(async {
//!     let server = start_server("127.0.0.1:7", shout).on_handler_error(|_| {});
//!     let server = server.await.unwrap();
//!     let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
//!     writer.write(b"hello\n").unwrap();
//!     assert_eq!(reader.read_line().await.unwrap(), "HELLO\n");
//!
//!     // Silence for an hour.
//!     assert_eq!(reader.read_line().await.unwrap(), "");
//!     assert_eq!(world().elapsed(), Duration::from_secs(3600));
//! });
//! ```
//!
//! # A program that runs elsewhere, too
//!
//! It takes its runtime as an argument, from the crate `millpond` (the folder `adapters/driver`):
//!
//! ```
//! use std::{io, sync::Arc};
//!
//! use millpond::{Bytes, Runtime};
//!
//! /// The library. `main` calls it with `Arc::new(millpond_tokio::Tokio::current())`.
//! async fn ask(runtime: Arc<dyn Runtime>, address: &str) -> io::Result<Bytes> {
//!     let mut server = millpond::connect(runtime, address).await?;
//!     server.write(b"what time is it?\n")?;
//!     Ok(server.read_until(b"\n").await?)
//! }
//!
//! // Its test.
//! # use millpond_sim::{Sim, start_server, world};
//! Sim::new(1).run(async {
//!     let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
//!         reader.read_until(b"\n").await?;
//!         writer.write_all(b"late\n").await?;
//!         Ok::<_, io::Error>(())
//!     });
//!     let _server = server.await.unwrap();
//!     let answer = ask(world().runtime(), "127.0.0.1:7").await.unwrap();
//!     assert_eq!(answer, "late\n");
//! });
//! ```
//!
//! For this to work, time and the network have to be the world's: a program that sleeps by another
//! clock, or opens sockets itself, is not in the world ([`World::sleep`] and [`Runtime::sleep`] are). Its locks,
//! channels and futures may come from any crate.
//!
//! # Many worlds
//!
//! Which of several tasks runs next, how much a read gives and how long a packet takes are drawn from
//! the seed. [`check`] runs a test with many seeds:
//!
//! ```
//! # use std::time::Duration;
//! # use millpond_sim::{Sim, check, open_connection, start_server};
//! check(0..200, |sim| {
//!     let latency = Duration::from_millis(1)..=Duration::from_millis(200);
//!     sim.rough().latency(latency).no_leaks().run(async {
//!         let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
//!             let line = reader.read_line().await?;
//!             writer.write_all(&line).await?;
//!             Ok::<_, std::io::Error>(())
//!         });
//!         let server = server.await.unwrap();
//!         let (mut reader, mut writer) = open_connection(&server.sockets()[0]).await.unwrap();
//!         writer.write(b"hello\n").unwrap();
//!         assert_eq!(reader.read_to_eof().await.unwrap(), "hello\n");
//!     });
//! });
//! ```
//!
//! The first failure ends it. Its world is then made smaller, for two seconds or as many as `MILLPOND_SHRINK`
//! says: all that chance has decided and that does not matter is made calm, as long as the test fails at the same
//! place. Of the
//! smallest world the faults and the last events are printed, a [picture](#a-picture), and how to repeat it:
//!
//! ```text
//! to repeat it: MILLPOND_SEED=137 cargo test orders -- --exact
//!
//! the smallest world that fails like it, of 213 tried in 67.21ms: 4 choices are not calm
//! the faults in a world that failed:
//!     connection 1: end of the stream after 1 byte to the server, at 0.002000 s
//! the last of 48 events in a world that failed:
//!      0.002000 s  the client of connection 1 writes 4 bytes
//!      0.002000 s  fault on connection 1: end of the stream
//!      0.003000 s  the server of connection 1 reads 1 byte
//!      0.003000 s  the server of connection 1 reads the end
//!
//! to repeat the smallest: MILLPOND_SEED=calm+15:3,17:1,18:1,20:3 cargo test orders -- --exact
//! or with its faults alone: Sim::new(0).in_order(true).fault(Fault::eof().connection(1).after(Direction::ToServer, 1))
//! ```
//!
//! The last line is there if these faults are enough: a test with that world, in place of the one that
//! [`check`] gives, does not depend on the numbers of choices, which change when the program does. Since the
//! test is run again and again, it must not depend on how often that was.
//!
//! With `MILLPOND_TRACES=some/directory` beside it, all that happens until the failure is saved there, of the
//! first world that fails and of the smallest: every event (`events.txt`), a page that shows them
//! (`world.html`), and what each end of each connection has received, as traces that
//! any reader can be fed with. In a checkout of millpond, `cargo run -p millpond-conformance -- show DIRECTORY`
//! draws all that in a terminal.
//!
//! A world in which nothing can ever happen any more fails at once, and says which tasks wait for what.
//!
//! # A picture
//!
//! What has happened in a world is best seen: a [`Picture`] has a lane for each host or task, and arrows
//! between them that are as long as what they carry was on its way, with the bytes as text; faults, and what
//! they cut off; who has waited, and for how long. Time in which nothing happens is folded.
//!
//! ```
//! # use std::time::Duration;
//! # use millpond_sim::{Direction, Fault, Sim, open_connection, start_server};
//! let fault = Fault::reset().after(Direction::ToServer, 3);
//! let latency = Duration::from_millis(5)..=Duration::from_millis(20);
//! let sim = Sim::new(7).latency(latency).fault(fault).keep_picture();
//! let run = sim.record(async {
//!     let server = start_server("127.0.0.1:7", async |mut reader, _writer| {
//!         reader.read_line().await.map(drop)
//!     });
//!     let _server = server.on_handler_error(|_| {}).await.unwrap();
//!     let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
//!     writer.write(b"hello\n").unwrap();
//!     reader.read_line().await.unwrap_err();
//! });
//! println!("{}", run.picture().unwrap());
//! ```
//!
//! ```text
//!  line         time  main task                                                        task 2
//!     15 0.020532 s  ├──────────────────────── 1: "hel" 3 B ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌│
//!     18 0.020532 s  │       ✗ 1: reset after 3 bytes to the server, as planned           │
//!     20 0.020532 s  ├─────────────────────── 1: "lo\n" 3 B ✗ lost                        │
//!     22 0.037161 s  │╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1: "hel" 3 B ───────────────────────────▶│
//! ```
//!
//! [`Sim::picture`] writes it as a page for a browser, with filters by connection and a search; so does
//! `MILLPOND_TRACES` of a world that fails. Nothing is kept for it, and no world changes, where it is not asked
//! for.
//!
//! # Was it ever so?
//!
//! A test of a thousand worlds in which no program ever tries again proves nothing about trying again.
//! [`sometimes!`] is true in one of them at least, or the test fails; [`reachable!`] says that a place was
//! reached, and [`Check::must`] that one has to be; [`observe!`] keeps the least and the greatest of a
//! number; [`never!`] fails the world. They draw nothing, so they change no world.
//!
//! ```
//! # use millpond_sim::{Check, open_connection, reachable, start_server};
//! Check::new(0..100).must("it tries again").run(|sim| {
//!     sim.random_faults(2).run(async {
//!         let server = start_server("127.0.0.1:7", async |_, _| {});
//!         let _server = server.on_accept_error(|_| {}).await.unwrap();
//!         while open_connection("127.0.0.1:7").await.is_err() {
//!             reachable!("it tries again");
//!         }
//!     })
//! });
//! ```
//!
//! At the end there is a [`Report`], which also says how often each kind of fault has happened:
//!
//! ```text
//! 100 worlds in 3.14ms
//!   faults: reset 19, end of the stream 22, stall 9, refusal 16, no answer 15, accept error 20
//!   sometimes "it tries again" in 27 worlds, first 1
//! ```
//!
//! # Exploring
//!
//! A bug that needs three faults in turn, each at one place, is not met by luck. But what a test says of its
//! worlds by [`sometimes!`], [`reachable!`] and [`observe!`] shows the way: [`Check::explore_for`] looks for
//! worlds that show something new, and lets others begin as these did until that moment, and go on by other
//! choices. So it takes one step after the other, with no more than these words in the program:
//!
//! ```should_panic
//! # use millpond_sim::{Check, observe, world};
//! // One in a hundred million worlds opens this lock; it is found after some hundreds.
//! Check::new(0..100).explore_worlds(10_000).run(|sim| {
//!     sim.run(async {
//!         for (index, digit) in [13, 88, 4, 51].into_iter().enumerate() {
//!             if world().choose(100) != digit {
//!                 return;
//!             }
//!             observe!("digits", index + 1);
//!         }
//!         panic!("it is open");
//!     })
//! });
//! ```
//!
//! `MILLPOND_EXPLORE=30s cargo test orders -- --exact` lets the checks of one test explore for so long. A
//! world that was explored is repeated by its seed, and by after how many choices another seed has followed:
//! `MILLPOND_SEED=17,840:212,1031:980`. Where exploring has come to is kept in
//! `target/millpond/orders.worlds`, and taken up the next time.
//!
//! # Is it the same again?
//!
//! The same program and seed give the same events in the same order, byte by byte, on every machine. A
//! program that asks for the real time, iterates over a `HashMap`, draws random numbers, or has threads of
//! its own, makes choices that the seed does not decide, and its failures may not come again. [`check`] looks
//! for that: it runs worlds twice, those that fail and one in 64 that do not, and shows the first event that
//! differs, with its bytes. [`Check::run_twice`] and `MILLPOND_TWICE=1` make that a failure.
//!
//! | crate | what the seed does not decide | instead |
//! |---|---|---|
//! | hyper | the header `Date`, in HTTP/1 and HTTP/2 | `auto_date_header(false)` of the server's builder |
//! | hyper | time limits, which are off without a timer | a `hyper::rt::Timer` that sleeps by [`World::sleep`] |
//! | h2 | for how long it knows streams that were reset | a long `reset_stream_duration` of its builder |
//! | tonic | time limits, which need tokio's timer | [`timeout`] around the call |
//! | tungstenite | the masks and the key of a client | frames without masks, as `accept_unmasked_frames` allows |
//! | rustls | keys and random numbers of sessions | the module `tls` |
//! | any | `HashMap` with std's hasher | `BTreeMap`, or a hasher with a fixed key |
//!
//! # Every byte, every poll
//!
//! Random faults meet the byte that matters with luck. A [`Sweep`] meets every one: it runs a
//! conversation without a fault, counts its bytes, and then cuts it at each, by each fault, in a world of its
//! own; or it gives up a future at each poll at which it is pending.
//!
//! ```
//! # use std::time::Duration;
//! # use millpond_sim::{Fault, Sweep, open_connection, start_server, timeout};
//! async fn ask() -> Option<Vec<u8>> {
//!     let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.ok()?;
//!     writer.write(b"hello\n").ok()?;
//!     Some(reader.read_until(b"\n").await.ok()?.to_vec())
//! }
//!
//! let faults = [Fault::reset(), Fault::eof(), Fault::stall_forever()];
//! let summary = Sweep::every_byte(faults).run(|sim, cut| {
//!     sim.run(async {
//!         let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
//!             let line = timeout(Duration::from_secs(60), reader.read_until(b"\n")).await??;
//!             writer.write_all(&line).await?;
//!             Ok::<_, std::io::Error>(())
//!         });
//!         let _server = server.on_handler_error(|_| {}).await.unwrap();
//!         match timeout(Duration::from_secs(300), ask()).await {
//!             Ok(Some(answer)) => assert!(answer == b"hello\n" && cut.is_none()),
//!             Ok(None) | Err(_) => {} // an error, or given up
//!         }
//!     });
//! });
//! assert_eq!(summary.worlds(), 3 * 12);
//! ```
//!
//! # Faults
//!
//! A fault happens at a moment that does not depend on which tasks wait for what. Planned by hand, it
//! shows what the program does then:
//!
//! ```
//! # use millpond_sim::{Direction, Fault, Sim, open_connection, start_server};
//! let fault = Fault::reset().connection(1).after(Direction::ToClient, 3);
//! Sim::new(1).fault(fault).run(async {
//!     let server = start_server("127.0.0.1:17", async |_, mut writer| {
//!         let _ = writer.write(b"be excellent to each other\n");
//!     });
//!     let server = server.await.unwrap();
//!     let (mut reader, _writer) = open_connection(&server.sockets()[0]).await.unwrap();
//!     reader.read_line().await.unwrap_err();
//!     assert_eq!(reader.buffered(), b"be ");
//! });
//! ```
//!
//! Random faults show what holds whatever happens. Such a test allows several outcomes: the answer is
//! right, or there is an error, and nothing hangs or leaks. Hundreds of worlds, as here, run with every test;
//! what needs a fault at one certain byte is found by thousands, or by a [sweep](#every-byte-every-poll) at once.
//!
//! ```
//! # use std::{io, time::Duration};
//! # use millpond_sim::{check, open_connection, start_server, timeout, world};
//! async fn ask() -> io::Result<Vec<u8>> {
//!     let (mut reader, mut writer) = open_connection("127.0.0.1:7").await?;
//!     writer.write(b"hello\n")?;
//!     Ok(reader.read_until(b"\n").await?.to_vec())
//! }
//!
//! check(0..200, |sim| {
//!     sim.rough().random_faults(2).no_leaks().run(async {
//!         let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
//!             let line = timeout(Duration::from_secs(60), reader.read_line()).await??;
//!             writer.write_all(&line).await?;
//!             Ok::<_, io::Error>(())
//!         });
//!         let server = server.on_handler_error(|_| {}).on_accept_error(|_| {}).await.unwrap();
//!         for _ in 0..3 {
//!             match timeout(Duration::from_secs(300), ask()).await {
//!                 Ok(Ok(answer)) => assert_eq!(answer, b"hello\n"),
//!                 Ok(Err(_)) | Err(_) => {} // refused, reset, cut off, or stalled
//!             }
//!         }
//!         // When the network is fine again, so is the server.
//!         world().stop_faults();
//!         assert_eq!(ask().await.unwrap(), b"hello\n");
//!         server.close();
//!     });
//! });
//! ```
//!
//! [Hosts](Sim::host) can be [partitioned](World::partition), also [one way](World::partition_one_way),
//! [healed](World::heal), [killed](Host::kill) and [restarted](Host::restart), the network can
//! [become slow](World::set_latency), also [between two hosts](Sim::latency_between), attempts to connect can be
//! refused or get no answer, accepting can [fail](World::fail_accepts), a peer can
//! [trickle](Fault::trickle), and the clock can [jump](World::jump): by hand, [at a time](Sim::at), or at random
//! ([`Sim::random_jumps`]), or [drift](Sim::clock_drift) on one host. Bits change and bytes come twice only where
//! that is asked for ([`Fault::flip`], [`Sim::random_flips`], [`Fault::repeat`], [`Sim::random_repeats`]). In a
//! [swarm](Sim::swarm) each world has only some kinds of faults, and more of them.
//!
//! # TLS
//!
//! With the feature `tls`, connections and servers have TLS as everywhere. It draws random numbers, so
//! with an ordinary configuration the bytes of two runs differ, and so do their hashes. The module
//! `tls` has configurations that draw them from the seed: give them to the program that is tested.
//!
//! # A fuzzer
//!
//! [`Sim::from_bytes`] takes all choices from what a fuzzer gives, so that it looks for the worlds in
//! which something new happens. When the bytes are used up, the simplest choice is made.
//!
//! # Larger examples
//!
//! In the project's directory `examples` are programs with such tests: the echo server
//! (`src/bin/line_echo_server.rs`), and both sides of SMTP with STARTTLS (`src/smtp`), whose connection
//! is cut off at every few bytes, and into which a command is injected before TLS. A client of Redis
//! (`src/redis`) has tests of each kind, from its parser alone to worlds in which everything fails; the guide
//! `millpond::guide::writing_a_protocol` goes through them.
//!
//! # What is simulated
//!
//! Connections are as on Linux, which a test compares script by script with the system's own sockets:
//! what has arrived can be read before the reset is reported, which happens once; a close with unread
//! input resets; a write after a reset or a proper close is a broken pipe. Not simulated are
//! datagrams (UDP), which [millpond] does not have, storage, and single packets, whose loss and order TCP
//! hides, and the pauses after which it sends them again: what was sent during a partition arrives as soon as
//! it ends. A connection whose peer cannot be reached does
//! not fail by itself, which takes Linux a quarter of an hour, or two hours of `keep_alive`: that is
//! accepted and does nothing. Unix sockets have no delay. A read gives 2 KiB at the most.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod again;
mod branch;
mod check;
mod choice;
mod explore;
mod fault;
mod host;
mod picture;
mod run;
mod settings;
mod shrink;
mod sim;
mod struck;
mod sweep;
mod tally;
mod tape;
mod time;
mod trace;
mod twice;
mod world;

pub use millpond::adapter::front::*;
pub use millpond_core::testing;

/// What the macros call.
#[doc(hidden)]
pub use crate::tally::marks;

#[cfg(feature = "__tls")]
pub use crate::host::tls;
pub use crate::{
    check::{Check, check},
    fault::{Direction, Fault},
    host::{
        host::Host,
        script::{Script, ScriptError},
        world::{World, world},
    },
    picture::picture::Picture,
    run::{Run, Stuck},
    sim::Sim,
    sweep::{
        Sweep,
        bytes::{Cut, EveryByte},
        polls::{EveryPoll, GiveUp},
        summary::Summary,
    },
    tally::report::Report,
    trace::trace::Trace,
};

millpond::adapter::functions!(
    "millpond_sim",
    host::current::current_host().runtime(),
    /// # Panics
    ///
    /// Outside of [`Sim::run`], and on other threads.
);
