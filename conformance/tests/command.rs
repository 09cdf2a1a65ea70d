//! The command, as a user sees it.
#![cfg(feature = "cli")]

use std::{
    fs,
    io::{self, Write},
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use millpond_sim::{Direction, Fault, Sim, open_connection, start_server};

const RIGHT: &str = r#"{"trace":1,"limit":3}
{"feed":"610a"}
{"read_line":true,"ok":"610a"}
"#;

const WRONG: &str = r#"{"trace":1,"limit":3}
{"read":2,"pending":true}
{"feed":"61620a63"}
{"read_line":true,"ok":"61"}
{"feed_eof":true}
"#;

/// What CPython says of a line that is too long.
const OF_CPYTHON: &str = r#"{"trace":1,"limit":2}
{"feed":"616263"}
{"read_line":true,"overrun":true,"consumed":3}
{"feed":"640a"}
{"read_line":true,"ok":"640a"}
"#;

/// Runs the command with this on its standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_millpond-conformance"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn assert_prints(output: &Output, status: i32, expected: &str) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (&*printed, output.status.code()),
        (expected, Some(status)),
        "{complaint}"
    );
}

#[test]
fn nothing_to_replay_is_an_error() {
    for input in ["", "\n\n"] {
        let output = run(&["replay", "-"], input);
        assert_prints(&output, 2, "");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains("there is no trace in it"), "{complaint}");
    }
}

#[test]
fn a_replay_without_a_difference_succeeds() {
    let output = run(&["replay", "-"], &RIGHT.repeat(2));
    assert_prints(&output, 0, "2 traces, 4 lines: 0 differ\n");
}

#[test]
fn a_replay_prints_each_difference_with_its_line_and_fails() {
    let output = run(&["replay", "-"], &[RIGHT, WRONG].concat());
    let expected = r#"-:7
  expected {"read_line":true,"ok":"61"}
       got {"read_line":true,"ok":"61620a"}
2 traces, 6 lines: 1 differ
"#;
    assert_prints(&output, 1, expected);
}

#[test]
fn answers_of_cpython_may_differ_on_purpose() {
    let output = run(&["replay", "-"], OF_CPYTHON);
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["replay", "--cpython", "-"], OF_CPYTHON);
    assert_prints(
        &output,
        0,
        "1 traces, 4 lines: 0 differ, 1 differ on purpose\n",
    );
    let output = run(&["replay", "--cpython", "-"], WRONG);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn invalid_arguments_are_reported() {
    for (arguments, input, expected) in [
        (
            &["replay", "-"][..],
            "{",
            "error: -: line 1: expected one JSON object, but ",
        ),
        (&["replay", "/there/is/none"], "", "error: /there/is/none: "),
        (
            &["record", "--python", "/there/is/none"],
            "",
            "error: /there/is/none: ",
        ),
        (&["replay"], "", "error: "),
    ] {
        let output = run(arguments, input);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.starts_with(expected), "{complaint}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn shrinking_keeps_what_the_trace_does_not_expect() {
    let output = run(&["shrink", "-"], &[RIGHT, WRONG].concat());
    let expected = r#"{"trace":1,"limit":2}
{"feed":"61620a"}
{"read_line":true,"ok":"61"}
"#;
    assert_prints(&output, 0, expected);
    assert_prints(&run(&["shrink", "-"], RIGHT), 0, "");
}

#[test]
fn a_timeline_shows_levels_pauses_and_answers() {
    let output = run(
        &["show", "-"],
        "{\"trace\":1,\"limit\":1}\n{\"feed\":\"610a62\"}\n{\"read_line\":true,\"ok\":\"61\"}\n",
    );
    let expected = r#"limit 1, pauses above 2; a full bar is 3 bytes, | is the limit
    2 ███████┃████████████████      3 paused ⟵ "a\nb" (3)
    3 ███████┃················      1        read_line() → "a\n"
                                               expected: read_line() → "a"

"#;
    assert_prints(&output, 0, expected);
}

#[test]
fn a_page_needs_no_other_file_and_runs_nothing_from_a_trace() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let path = page.to_str().unwrap();
    let script = "{\"trace\":1,\"limit\":9}\n{\"feed\":\"3c7363726970743e\"}\n{\"fail\":\"<b>\"}\n";
    let output = run(&["show", "-", "--html", path], &[script, WRONG].concat());
    assert_prints(&output, 0, "");
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<svg").count(), 2);
    assert!(page.contains("expected: read_line() → &quot;a&quot;"));
    for not_there in ["<script", "<b>", "http:", "https:", "src=", "href=", "NaN"] {
        assert!(!page.contains(not_there), "{not_there}");
    }
}

#[test]
fn a_limit_that_is_never_reached_can_be_shown() {
    let largest = format!(
        "{{\"trace\":1,\"limit\":{}}}\n{{\"feed\":\"61\"}}\n{{\"read_line\":true,\"pending\":true}}\n",
        usize::MAX
    );
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    for arguments in [
        &["show", "-"][..],
        &["show", "--html", page.to_str().unwrap(), "-"],
    ] {
        let output = run(arguments, &largest);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
    }
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(&format!(": limit {},", usize::MAX)));
    // It has no place in a picture of one byte.
    assert!(!page.contains("class=\"limit-name\""));
}

#[test]
fn a_page_says_where_a_trace_is_wrong_and_when_the_limit_changes() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let changed = WRONG.replace("{\"feed_eof\":true}", "{\"set_limit\":2}");
    let output = run(
        &["show", "--html", page.to_str().unwrap(), "-"],
        &format!("\n{changed}"),
    );
    assert_prints(&output, 0, "");
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("class=\"differs\"").count(), 1);
    assert!(page.contains("limit 2<") && page.contains("pauses above 4<"));
    assert!(page.contains("<td class=\"n\">6</td>"), "as in the file");
}

/// A world knows what an end has received, and not what its reader was asked for.
#[test]
fn of_what_only_arrives_no_pause_and_no_limit_is_shown() {
    let received = "{\"trace\":1,\"limit\":1}\n{\"feed\":\"610a6263\"}\n{\"feed_eof\":true}\n";
    let expected = "what has arrived, for no request is recorded; a full bar is 4 bytes
    2 ████████████████████████      4        ⟵ \"a\\nbc\" (4)
    3 ████████████████████████      4        ⟵ end of the stream

";
    assert_prints(&run(&["show", "-"], received), 0, expected);
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    run(&["show", "-", "--html", page.to_str().unwrap()], received);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(": what has arrived, for no request is recorded, 2 lines"));
    for not_there in ["class=\"pause\"", ">paused<", "class=\"limit-name\""] {
        assert!(!page.contains(not_there), "{not_there}");
    }
}

#[test]
fn binary_data_fits_into_a_line() {
    let binary = format!(
        "{{\"trace\":1,\"limit\":9}}\n{{\"feed\":\"{}\"}}\n",
        "00ff".repeat(99)
    );
    let output = run(&["show", "-"], &binary);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\\xff…\" (198)\n"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 120),
        "{text}"
    );
}

/// A trace can come from anywhere, and what it says must not play with the terminal.
#[test]
fn what_a_file_says_is_printed_as_plain_text() {
    let header = r#"{"trace":1,"limit":3}"#;
    for line in [
        r#"{"fail":"\u001b[2J\u009b2J\n"}"#,
        r#"{"read_line":true,"failed":"\u001b[2J\u009b2J\n"}"#,
        "{\"fail\":\"\u{9b}2J\u{7f}\"}",
        r#"{"feed":"00","\u001b[2J\u009b2J":1}"#,
        r#"{"\u001b[2J\u009b2J":1}"#,
        r#"{"feed":"\u001b[2J\u009b2J"}"#,
        "{\u{9b}2J}",
    ] {
        for command in ["replay", "show", "shrink"] {
            let output = run(&[command, "-"], &format!("{header}\n{line}\n"));
            for printed in [output.stdout, output.stderr] {
                let printed = String::from_utf8(printed).unwrap();
                let odd = |it: char| it.is_control() && it != '\n';
                assert!(!printed.contains(odd), "{command} {line}: {printed:?}");
            }
        }
    }
}

/// Saves a world that fails, and says in which directory.
fn save_world(parent: &Path) -> PathBuf {
    let failed = catch_unwind(|| {
        let fault = Fault::reset().connection(2).after(Direction::ToServer, 3);
        Sim::new(1)
            .save_failures_in(parent)
            .fault(fault)
            .run(async {
                let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
                    let line = reader.read_line().await?;
                    writer.write_all(&line).await?;
                    Ok::<_, io::Error>(())
                });
                let _server = server.on_handler_error(|_| {}).await.unwrap();
                for _ in 0..2 {
                    let (mut reader, mut writer) = open_connection("127.0.0.1:7").await.unwrap();
                    writer.write(b"<hello>\n").unwrap();
                    reader.read_line().await.unwrap();
                }
            });
    });
    assert!(failed.is_err());
    let mut saved = fs::read_dir(parent).unwrap();
    saved.next().unwrap().unwrap().path()
}

#[test]
fn a_world_is_shown_by_its_directory_and_by_its_events() {
    let parent = tempfile::tempdir().unwrap();
    let directory = save_world(parent.path());
    let [shown, parent] = [&directory, parent.path()].map(|path| path.to_str().unwrap());
    let text = |arguments: &[&str], input: &str| {
        let output = run(arguments, input);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let events = fs::read_to_string(directory.join("events.txt")).unwrap();
    let of_events = text(&["show", "-", "--width", "80"], &events);
    for part in [
        "1: \"<hello>\\n\" 8 B",
        "✗ 2: reset after 3 bytes to the server, as planned",
    ] {
        assert!(of_events.contains(part), "{of_events}");
    }
    // With the traces behind it.
    let of_directory = text(&["show", shown, "--width", "80"], "");
    assert!(of_directory.contains(&of_events), "{of_directory}");
    assert!(
        of_directory.contains("connection-1-client.jsonl\n"),
        "{of_directory}"
    );
    let of_one = text(&["show", shown, "--connection", "2"], "");
    assert!(
        of_one.contains("2: connects") && !of_one.contains("1: connects"),
        "{of_one}"
    );

    let page = directory.join("page.html");
    text(&["show", shown, "--html", page.to_str().unwrap()], "");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("1: &quot;&lt;hello&gt;\\n&quot; 8 B") && !page.contains("<hello>"));

    // In the directory around it is none, which says where there are some.
    let output = run(&["show", parent], "");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        complaint.contains(&format!("there are in {shown}")),
        "{complaint}"
    );
    assert_eq!(output.status.code(), Some(2));
}
