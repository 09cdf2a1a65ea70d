//! Peers that play a script, and what they say of those who depart from it.

use std::{error::Error, time::Duration};

use millpond_sim::{Script, ScriptError, Sim, StreamOptions, StreamWriter, pair, world};

/// What a script says of a client that does this and then waits.
fn departure(script: Script, client: impl FnOnce(&mut StreamWriter)) -> String {
    let played: Result<(), ScriptError> = Sim::new(1).run(async {
        let ((_reader, mut writer), server) = world().connection(&StreamOptions::new());
        client(&mut writer);
        script.play(server).await
    });
    let Err(departure) = played else {
        return String::new();
    };
    assert!(departure.source().is_none(), "its cause is in its text");
    departure.to_string()
}

#[test]
fn what_differs_is_told_though_less_has_come_than_was_expected() {
    let script = || Script::new().expect(b"GET /index.html\r\n");
    for (sent, came) in [
        ("GET /\r\n", r#""GET /\r\n" came"#),
        (
            "PUT /index.html and more\r\n",
            r#""PUT /index.html and more\r\n" came"#,
        ),
        ("X", r#""X" came"#),
    ] {
        let told = departure(script(), |writer| writer.write(sent.as_bytes()).unwrap());
        let expected = r#"step 1 of the script is to expect "GET /index.html\r\n", but "#;
        assert_eq!(told, format!("{expected}{came}"));
    }
}

#[test]
fn what_is_expected_may_come_in_pieces_and_have_something_behind_it() {
    let script = Script::new().expect(b"one").expect(b"two").expect_end();
    let told = departure(script, |writer| {
        writer.write(b"onetw").unwrap();
        writer.write(b"o").unwrap();
        writer.write_eof().unwrap();
    });
    assert_eq!(told, "");
}

#[test]
fn an_end_too_early_is_told_with_what_came_before() {
    let told = departure(Script::new().expect(b"hello"), |writer| {
        writer.write(b"hel").unwrap();
        writer.write_eof().unwrap();
    });
    assert!(told.ends_with(r#"but "hel" came"#), "{told}");
}

#[test]
fn a_reset_can_be_expected() {
    let script = || Script::new().expect_reset();
    assert_eq!(departure(script(), StreamWriter::abort), "");
    let told = departure(script(), |writer| writer.write_eof().unwrap());
    assert!(
        told.ends_with("is to expect a reset, but the end came"),
        "{told}"
    );
    let told = departure(script(), |writer| writer.write(b"x").unwrap());
    assert!(told.ends_with(r#"but "x" came"#), "{told}");
}

#[test]
fn who_unwraps_a_departure_reads_the_same_sentence() {
    Sim::new(1).run(async {
        let ((_reader, mut writer), peer) = pair();
        writer.write(b"howdy").unwrap();
        let departure = Script::new().expect(b"hello").play(peer).await.unwrap_err();
        assert_eq!(format!("{departure:?}"), departure.to_string());
    });
}

#[test]
fn a_script_takes_its_time() {
    Sim::new(1).run(async {
        let second = Duration::from_secs(1);
        let ((mut reader, _writer), server) = world().connection(&StreamOptions::new());
        let script = Script::new()
            .wait(5 * second)
            .send_slowly(b"abc", second)
            .close();
        world().spawn(async move { script.play(server).await.unwrap() });
        assert_eq!(reader.read_to_eof().await.unwrap(), "abc");
        assert_eq!(world().elapsed(), 8 * second);
    });
}
