//! One conversation in as many worlds as it has bytes to be cut at, or polls to be given up at.

pub(crate) mod bytes;
pub(crate) mod polls;
pub(crate) mod summary;
mod worlds;

use crate::{
    fault::Fault,
    sweep::{bytes::EveryByte, polls::EveryPoll},
};

/// Tries a conversation with every place at which it can be interrupted.
///
/// A world of random faults meets the byte that matters with luck, a sweep meets every one.
///
/// # Examples
///
/// See [`every_byte`](Self::every_byte) and [`every_poll`](Self::every_poll).
#[derive(Debug)]
#[non_exhaustive]
pub struct Sweep;

impl Sweep {
    /// Faults at every byte that is sent on every connection, in either direction, one in each world. First
    /// the conversation is run without a fault, which counts the bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_sim::{Fault, Sweep, open_connection, start_server};
    ///
    /// /// What is to be tested: an answer that is cut off is no answer.
    /// async fn ask() -> Option<String> {
    ///     let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.ok()?;
    ///     writer.write(b"hello\n").ok()?;
    ///     let answer = reader.read_until(b"\n").await.ok()?;
    ///     Some(String::from_utf8_lossy(&answer).into_owned())
    /// }
    ///
    /// let faults = [Fault::reset(), Fault::eof()];
    /// let summary = Sweep::every_byte(faults).run(|sim, cut| {
    ///     let answer = sim.run(async {
    ///         let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
    ///             writer.write(&reader.read_until(b"\n").await?)?;
    ///             Ok::<_, std::io::Error>(())
    ///         });
    ///         let _server = server.on_handler_error(|_| {}).await.unwrap();
    ///         ask().await
    ///     });
    ///     assert!(answer.as_deref().is_none_or(|it| it == "hello\n"), "{answer:?} with {cut:?}");
    ///     assert!(answer.is_some() || cut.is_some());
    ///     answer.is_some()
    /// });
    /// assert_eq!(summary.worlds(), 2 * (6 + 6));
    /// assert_eq!(summary.count("false"), 2 * (6 + 6)); // a cut within the answer is an error
    /// ```
    pub fn every_byte(faults: impl IntoIterator<Item = Fault>) -> EveryByte {
        EveryByte::new(faults.into_iter().collect())
    }

    /// Gives up a future at every poll at which it is pending, one in each world. First the
    /// conversation is run to its end, which counts them.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_sim::{StreamOptions, Sweep, world};
    ///
    /// // What is to be tested: a read that is given up loses nothing.
    /// let summary = Sweep::every_poll().run(|sim, give_up| {
    ///     sim.rough().run(async {
    ///         let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
    ///         world().spawn(async move {
    ///             writer.write_all(b"one\n").await.unwrap();
    ///         });
    ///         let line = match give_up.around(reader.read_until(b"\n")).await {
    ///             Some(line) => line.unwrap(),
    ///             None => reader.read_until(b"\n").await.unwrap(), // again
    ///         };
    ///         assert_eq!(line, "one\n");
    ///     })
    /// });
    /// assert!(summary.worlds() >= 1);
    /// ```
    pub fn every_poll() -> EveryPoll {
        EveryPoll::new()
    }
}
