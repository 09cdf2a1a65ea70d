//! Pictures of worlds: nothing that happened is missing, and nothing from the wire does anything.

use std::{collections::BTreeMap, fs, io, time::Duration};

use futures_util::future::join_all;
use millpond_sim::{
    Direction, Fault, Picture, Run, Sim, StreamReader, StreamWriter, check, open_connection,
    start_server, timeout, world,
};
use proptest::prelude::*;

#[path = "support/alone.rs"]
mod alone;
#[path = "support/page.rs"]
mod page;

use alone::failing_alone;
use page::{Element, elements};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = timeout(60 * SECOND, reader.read_line()).await??;
        if line.is_empty() {
            return Ok(());
        }
        writer.write_all(&line).await?;
    }
}

async fn ask(number: usize) -> io::Result<()> {
    let (mut reader, mut writer) = open_connection("127.0.0.1:7").await?;
    for word in ["hello", "how do you do?", "farewell"] {
        writer.write(format!("{word} {number}\n"))?;
        timeout(90 * SECOND, reader.read_line()).await??;
        world().sleep(SECOND).await;
    }
    Ok(())
}

/// Some conversations at the same time.
async fn crowd(connections: usize) {
    let server = start_server("127.0.0.1:7", echo).on_handler_error(|_| {});
    let server = server.on_accept_error(|_| {}).await.unwrap();
    let clients = (0..connections).map(|number| async move {
        world().sleep(20 * MILLISECOND * number as u32).await;
        ask(number).await
    });
    join_all(clients).await;
    server.close();
}

/// A world in which a lot happens.
fn busy(seed: u64) -> Run<()> {
    let mut sim = Sim::new(seed).keep_picture().kept_events(usize::MAX);
    if seed % 2 > 0 {
        sim = sim.rough();
    }
    if seed % 3 > 0 {
        sim = sim.latency(MILLISECOND..=30 * MILLISECOND);
    }
    match seed % 5 {
        0 => sim = sim.random_jumps(30, 10 * SECOND),
        1 => {
            sim = sim
                .fault(Fault::trickle(MILLISECOND).connection(1))
                .random_flips(5)
        }
        2 => sim = sim.buffers(3, 5).random_repeats(4),
        _ => {}
    }
    sim.random_faults(3).record(crowd(1 + seed as usize % 4))
}

/// The lines that an event of this kind has in the trace.
fn count(trace: &str, is: impl Fn(&str) -> bool) -> usize {
    trace
        .lines()
        .filter(|line| is(line.split_once(" s  ").unwrap().1))
        .count()
}

/// How many bytes a piece of text speaks of, and which, if it shows them.
fn bytes(text: &str) -> Option<(u64, String)> {
    let text = text
        .trim_end_matches(" ✗ lost")
        .trim_end_matches(" ✗ closed");
    let text = text.trim_end_matches(" … on its way").strip_suffix(" B")?;
    let (_, text) = text.split_once(": ")?;
    let (shown, len) = text.rsplit_once(' ').unwrap_or(("", text));
    let shown = shown.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    Some((len.parse().ok()?, shown.unwrap_or_default().to_owned()))
}

fn is_arrow_of_bytes(element: &Element) -> bool {
    element.is("text")
        && ![": reads ", ": again "]
            .iter()
            .any(|it| element.text.contains(it))
        && bytes(&element.text).is_some()
}

#[test]
fn all_bytes_that_were_written_are_on_one_arrow_each() {
    for seed in 0..100 {
        let run = busy(seed);
        let trace = run.trace.to_string();
        let mut written: BTreeMap<u32, u64> = BTreeMap::new();
        for line in trace.lines().filter(|line| line.contains(" writes ")) {
            let (_, line) = line.split_once("connection ").unwrap();
            let (number, line) = line.split_once(" writes ").unwrap();
            let len: u64 = line.split_once(' ').unwrap().0.parse().unwrap();
            *written.entry(number.parse().unwrap()).or_default() += len;
        }
        let page = run.picture().unwrap().page("");
        let mut drawn: BTreeMap<u32, u64> = BTreeMap::new();
        for element in elements(&page).iter().filter(|it| is_arrow_of_bytes(it)) {
            *drawn.entry(element.connection.unwrap()).or_default() +=
                bytes(&element.text).unwrap().0;
        }
        assert_eq!(drawn, written, "{seed}\n{trace}");
    }
}

#[test]
fn arrows_show_what_was_written_in_its_order() {
    for seed in 0..50 {
        let sim = Sim::new(seed)
            .rough()
            .random_faults(2)
            .latency(MILLISECOND..=9 * MILLISECOND);
        let run = sim.keep_picture().record(async {
            let server = start_server("127.0.0.1:7", async |mut reader, _| {
                reader.read_to_eof().await.map(drop)
            });
            let server = server.on_handler_error(|_| {}).on_accept_error(|_| {});
            let server = server.await.unwrap();
            let Ok((_reader, mut writer)) = open_connection("127.0.0.1:7").await else {
                return Vec::new();
            };
            let mut written = Vec::new();
            for part in 0..9_u8 {
                let bytes = [part, b'\n', b'<', 0xff, b'"', b'\\', part];
                if writer.write_all(&bytes).await.is_err() {
                    break;
                }
                written.extend(bytes);
            }
            server.close();
            written
        });
        let Ok(written) = run.output.as_ref() else {
            continue;
        };
        let shown = elements(&run.picture().unwrap().page(""));
        let shown = shown.iter().filter(|it| is_arrow_of_bytes(it));
        let shown: String = shown.map(|it| bytes(&it.text).unwrap().1).collect();
        // The rest did not leave the program.
        let written = written.escape_ascii().to_string();
        assert!(written.starts_with(&shown), "{seed}: {shown}");
    }
}

#[test]
fn arrows_of_one_direction_do_not_cross() {
    for seed in 0..100 {
        let page = busy(seed).picture().unwrap().page("");
        let elements = elements(&page);
        let mut last: BTreeMap<(u32, bool), usize> = BTreeMap::new();
        let arrives = |it: &&Element| it.is("arrow") && !it.is("lost");
        for arrow in elements.iter().filter(arrives) {
            let last = last
                .entry((arrow.connection.unwrap(), arrow.is("s0")))
                .or_default();
            let [from, to] = arrow.rows[..] else {
                panic!("{arrow:?}")
            };
            assert!(
                from <= to && (*last <= to || arrow.is("bad")),
                "{seed}: {arrow:?}"
            );
            *last = to;
        }
    }
}

#[test]
fn all_that_happens_to_a_connection_is_in_the_picture() {
    for seed in 0..100 {
        let run = busy(seed);
        let trace = run.trace.to_string();
        let picture = run.picture().unwrap();
        let page = elements(&picture.page(""));
        let text = picture.width(200).to_string();
        let in_page = |part: &str| page.iter().filter(|it| it.text.contains(part)).count();
        for (event, shown) in [
            (" reads ", ": reads "),
            (" is accepted", ": accepted"),
            (" fails to read", ": fails to read"),
            (" fails to write", ": fails to write"),
            (" is closed", ": closes"),
            (" is reset", ": is reset"),
            (" is refused", ": is refused"),
            (" gets no answer", ": no answer"),
            ("accepting fails", "accepting fails"),
        ] {
            let mut happened = count(&trace, |line| line.contains(event));
            // A fault may be called like what it causes.
            let faults = page
                .iter()
                .filter(|it| it.is("fault") && it.text.contains(shown));
            happened += faults.count();
            assert_eq!(in_page(shown), happened, "{event} in {seed}\n{trace}");
            assert_eq!(
                text.matches(shown).count(),
                happened,
                "{event} in {seed}\n{text}"
            );
        }
        let faults = count(&trace, |line| line.starts_with("fault on "));
        let of_connections =
            |it: &&Element| it.is("fault") && it.is("text") && it.connection.is_some();
        assert_eq!(page.iter().filter(of_connections).count(), faults, "{seed}");
        assert_eq!(faults as u64, run.faults);
        let jumps = count(&trace, |line| line.starts_with("the clock jumps"));
        assert_eq!(in_page("the clock jumps"), jumps);
        // Only these are about no connection.
        for note in page
            .iter()
            .filter(|it| it.is("text") && it.connection.is_none())
        {
            let known = ["accepting fails", "the clock jumps"];
            assert!(known.iter().any(|it| note.text.starts_with(it)), "{note:?}");
        }
    }
}

#[test]
fn a_picture_changes_no_world() {
    for seed in 0..50 {
        let hash = |sim: Sim| {
            let sim = sim
                .rough()
                .random_faults(3)
                .latency(MILLISECOND..=9 * MILLISECOND);
            sim.record(crowd(3)).trace.hash()
        };
        assert_eq!(hash(Sim::new(seed)), hash(Sim::new(seed).keep_picture()));
    }
    assert!(Sim::new(1).record(crowd(1)).picture().is_none());
}

#[test]
fn hosts_have_lanes_and_partitions_are_seen() {
    let second = SECOND..=SECOND;
    let sim = Sim::new(1)
        .host("localhost", ["10.0.0.1".parse().unwrap()])
        .host("shop", ["10.0.0.80".parse().unwrap()])
        .latency(second);
    let run = sim.keep_picture().record(async {
        let shop = world().host("shop").runtime();
        let _server = millpond::start_server(shop, ":80", echo).await.unwrap();
        let (mut reader, mut writer) = open_connection("shop:80").await.unwrap();
        world().partition("localhost", "shop");
        writer.write(b"hello\n").unwrap();
        world().sleep(10 * SECOND).await;
        world().heal("localhost", "shop");
        reader.read_line().await.unwrap();
    });
    run.output.as_ref().unwrap();
    let text = run.picture().unwrap().width(90).to_string();
    let head = text.lines().next().unwrap();
    assert!(
        head.contains("localhost") && head.ends_with("shop"),
        "{text}"
    );
    for part in [
        "✗ localhost and shop are partitioned, as planned",
        "are connected again",
        "1: \"hello\\n\" 6 B",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_small_world_in_a_terminal() {
    let fault = Fault::eof().connection(2).after(Direction::ToServer, 3);
    let run = Sim::new(1)
        .in_order(true)
        .latency(10 * MILLISECOND..=10 * MILLISECOND);
    let run = run.fault(fault).keep_picture().record(async {
        let server = start_server("127.0.0.1:7", echo).on_handler_error(|_| {});
        let _server = server.await.unwrap();
        for _ in 0..2 {
            let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
            writer.write(b"hello\n").unwrap();
            let _ = reader.read_line().await;
        }
    });
    let text = run.picture().unwrap().width(90).to_string();
    assert_eq!(
        text.trim(),
        include_str!("support/small_world.txt").trim(),
        "{text}"
    );
}

/// Whether there is nothing in a page that could do something but its own script.
fn assert_is_harmless(page: &str) {
    const TAGS: [&str; 24] = [
        "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "h1", "p", "span", "b", "i",
        "ul", "li", "a", "div", "input", "button", "svg", "defs", "marker", "path", "line",
        "circle",
    ];
    let (page, script) = page.split_once("<script>").unwrap();
    let (head, body) = page.split_once("</style>").unwrap();
    for tag in head.split('<').skip(1).chain(body.split('<').skip(1)) {
        let name = tag
            .trim_start_matches('/')
            .split([' ', '>'])
            .next()
            .unwrap();
        assert!(TAGS.contains(&name), "{name:?} in {page}");
        let (attributes, _) = tag.split_once('>').unwrap();
        assert_eq!(attributes.matches('"').count() % 2, 0, "{tag}");
        let mut names = attributes.split('"').step_by(2);
        assert!(!names.any(|name| name.contains(" on")), "{tag}");
    }
    assert!(
        !page.chars().any(|it| it.is_control() && it != '\n'),
        "{page:?}"
    );
    assert_eq!(script, script_of_nothing());
}

fn script_of_nothing() -> String {
    let page = Picture::of_events("").page("");
    page.split_once("<script>").unwrap().1.to_owned()
}

const HOSTILE: [&str; 8] = [
    "</script><script>alert(1)</script>",
    "\" onload=\"alert(1)",
    "' onclick='x",
    "<img src=x onerror=alert(1)>",
    "\x1b[2J\x1b]0;title\x07",
    "\u{202e}gnp.exe\u{200b}",
    "-->\r\n<!--&lt;",
    "\0\u{85}\u{2028}",
];

fn assert_harmless(picture: &Picture, title: &str) {
    let page = picture.page(title);
    assert_is_harmless(&page);
    assert!(!page.contains('\u{202e}'));
    let text = picture.to_string();
    assert!(
        !text.chars().any(|it| it.is_control() && it != '\n'),
        "{text:?}"
    );
    assert!(!text.contains('\u{202e}'));
}

#[test]
fn hostile_bytes_and_names_do_nothing() {
    for hostile in HOSTILE {
        let sim = Sim::new(1)
            .host("localhost", ["10.0.0.1".parse().unwrap()])
            .host(hostile, ["10.0.0.80".parse().unwrap()])
            .keep_picture();
        let run = sim.record(async {
            let shop = world().host(hostile).runtime();
            let _server = millpond::start_server(shop, ":80", echo).await.unwrap();
            let (mut reader, mut writer) = open_connection("10.0.0.80:80").await.unwrap();
            writer.write(format!("{hostile}\n")).unwrap();
            let _ = reader.read_line().await;
            world().partition("localhost", hostile);
        });
        assert_harmless(&run.picture().unwrap(), hostile);
    }
}

/// A line as a file may have it.
fn line() -> impl Strategy<Value = String> {
    let end = prop_oneof![
        Just("the client of connection 1"),
        Just("the server of connection 2")
    ];
    let hostile = prop::sample::select(&HOSTILE[..]);
    let text = prop_oneof![
        any::<String>(),
        hostile.prop_map(str::to_owned),
        (0..200_u64).prop_map(|n| format!("writes {n} bytes")),
        (0..200_u64).prop_map(|n| format!("reads {n} bytes")),
        Just("waits to read".to_owned()),
        Just("is closed".to_owned()),
    ];
    let note = (
        0..99_u64,
        prop::sample::select(&["to its peer", "to a closed peer", "to nowhere"][..]),
    );
    prop_oneof![
        (end.clone(), text.clone()).prop_map(|(end, text)| format!("{end} {text}")),
        (end.clone(), note).prop_map(|(end, (n, to))| format!("· {n} bytes from {end} {to}")),
        (end.clone(), prop::bool::ANY).prop_map(|(end, arrives)| match arrives {
            true => format!("· an end from {end} arrives"),
            false => format!("· {end} sends an end"),
        }),
        text.clone()
            .prop_map(|text| format!("connection 1 to {text} is tried")),
        text.clone()
            .prop_map(|text| format!("· connection 1 goes from \"{text}\" to \"{text}\"")),
        text.clone()
            .prop_map(|text| format!("· fault: connection 2: {text}")),
        text.clone().prop_map(|text| format!("· \"{text}\"")),
        text,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_file_can_say_anything(lines in prop::collection::vec((0..3_u64, line()), 0..20), width in 0..120_usize) {
        let text: String = lines.iter().map(|(time, line)| format!("{time}.000000 s  {line}\n")).collect();
        let picture = Picture::of_events(&text).width(width);
        assert_harmless(&picture, &text);
    }
}

#[test]
fn a_page_is_written_when_the_world_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("new/world.html");
    Sim::new(1).picture(&page).run(crowd(1));
    assert!(fs::read_to_string(&page).unwrap().contains("hello 0"));
}

#[test]
fn the_page_of_a_check_that_fails_shows_the_smallest_world() {
    let test = "the_page_of_a_check_that_fails_shows_the_smallest_world";
    let directory = tempfile::tempdir().unwrap();
    let variable = ("MILLPOND_TRACES", directory.path().to_str().unwrap());
    let text = failing_alone(test, &[variable], || {
        check(0..100, |sim| {
            sim.rough().random_faults(2).run(async {
                let server = start_server("127.0.0.1:7", echo).on_handler_error(|_| {});
                let _server = server.on_accept_error(|_| {}).await.unwrap();
                ask(1).await.unwrap();
            });
        });
    });
    let page = directory.path().join(format!("{test}-smallest/world.html"));
    assert!(
        text.contains(&format!("as a page: {}\n", page.display())),
        "{text}"
    );
    let smallest = elements(&fs::read_to_string(&page).unwrap());
    let faults = smallest.iter().filter(|it| it.is("text") && it.is("fault"));
    assert_eq!(faults.count(), 1, "{text}");
    let (_, printed) = text.split_once("a picture of it:\n line ").unwrap();
    let (printed, _) = printed.split_once("to repeat the smallest").unwrap();
    assert!(printed.contains("✗ 1: "), "{text}");
}
