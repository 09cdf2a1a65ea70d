//! A picture of a world.

use std::fmt;

use crate::picture::{build::build, model::Model, page, text};

/// So many columns wide is a picture in a terminal, unless the program says so.
const COLUMNS: usize = 100;

/// What happened in a world, as a diagram: a lane for each host, or for each task if there is one host and
/// these are few, and from top to bottom what was sent, what arrived, who has waited for how long, and the
/// faults.
///
/// Its `Display` is for a terminal: the line of the event as it is [saved](crate::Sim::save_failures_in), the
/// time, and what happened; each piece of text begins with the number of its connection.
/// [`page`](Self::page) is for a browser. Bytes are escaped in both.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use millpond_sim::{Direction, Fault, Sim, open_connection, start_server};
///
/// let second = Duration::from_secs(1);
/// let fault = Fault::eof().after(Direction::ToServer, 3);
/// let sim = Sim::new(1).latency(second..=second).fault(fault).keep_picture();
/// let run = sim.record(async {
///     let server = start_server("127.0.0.1:7", async |mut reader, _writer| {
///         reader.read_line().await.map(drop)
///     });
///     let server = server.on_handler_error(|_| {}).await.unwrap();
///     let (mut reader, mut writer) = open_connection(&server.sockets()[0]).await.unwrap();
///     writer.write(b"hello\n").unwrap();
///     reader.read_line().await.unwrap_err();
/// });
/// let picture = run.picture().unwrap().width(88).to_string();
/// let expected = r#"
///  line         time  main task                                                    task 2
///       3 0.000000 s  ├────────────────── 1: connects to 127.0.0.1:7 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌│
///       8 1.000000 s  │╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1: connects to 127.0.0.1:7 ──────────────────▶│
///      10 1.000000 s  │                                                     1: accepted ●
///      15 2.000000 s  ├───────────────────────── 1: "hel" 3 B ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌│
///      18 2.000000 s  │ ✗ 1: end of the stream after 3 bytes to the server, as planned  │
///      20 2.000000 s  ├───────────────────── 1: "lo\n" 3 B ✗ lost                       │
///      22 3.000000 s  │╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1: "hel" 3 B ─────────────────────────▶│
///      23 3.000000 s  │                             1: end ────────────────────────────▶│
///      24 3.000000 s  ○ 1: is reset                                                     │
///      26 3.000000 s  ○ 1: fails to read after 1 s                                      │
///      27 3.000000 s  ● 1: closes                                                       │
///      28 3.000000 s  │                                1: still waits to read after 2 s ●
/// "#;
/// assert_eq!(picture.trim(), expected.trim());
/// ```
#[derive(Clone)]
pub struct Picture {
    model: Model,
    columns: usize,
    has_colours: bool,
}

impl Picture {
    /// That of the lines of a file `events.txt`. Lines that say nothing are left out.
    ///
    /// ```
    /// use millpond_sim::Picture;
    ///
    /// let picture = Picture::of_events("0.000000 s  a comet passes\n");
    /// assert!(picture.to_string().contains("a comet passes"));
    /// ```
    pub fn of_events(lines: &str) -> Self {
        Self {
            model: build(lines),
            columns: COLUMNS,
            has_colours: false,
        }
    }

    /// How many columns its text has; 100 by default, and more if there are many lanes.
    ///
    /// See [`Picture`] for an example.
    #[must_use]
    pub fn width(mut self, columns: usize) -> Self {
        self.columns = columns;
        self
    }

    /// Leaves out what is about other connections than these.
    ///
    /// ```
    /// # use millpond_sim::Picture;
    /// let events = "0.000000 s  connection 1 is tried\n0.000000 s  connection 1 is refused\n\
    ///               0.000000 s  connection 2 is tried\n0.000000 s  connection 2 is refused\n";
    /// let text = Picture::of_events(events).only([2]).to_string();
    /// assert!(text.contains("2: is refused") && !text.contains("1: is refused"));
    /// ```
    #[must_use]
    pub fn only(mut self, connections: impl IntoIterator<Item = u32>) -> Self {
        self.model.keep_only(&connections.into_iter().collect());
        self
    }

    /// Whether its text has colours, as ANSI escapes; `false` by default.
    ///
    /// ```
    /// # use millpond_sim::Picture;
    /// let text = Picture::of_events("").colours(true).to_string();
    /// ```
    #[must_use]
    pub fn colours(mut self, colours: bool) -> Self {
        self.has_colours = colours;
        self
    }

    /// As a page for a browser, which needs nothing beside it.
    ///
    /// ```
    /// # use millpond_sim::Picture;
    /// let page = Picture::of_events("").page("<nothing>");
    /// assert!(page.contains("<title>&lt;nothing&gt;</title>"));
    /// ```
    pub fn page(&self, title: &str) -> String {
        page::page(&self.model, title)
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::draw(&self.model, self.columns, self.has_colours, f)
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture")
            .field("lanes", &self.model.lanes)
            .field("rows", &self.model.rows.len())
            .finish_non_exhaustive()
    }
}
