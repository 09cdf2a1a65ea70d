//! Peers that play a script, and their errors when the other side does something else.

use std::{error::Error, time::Duration};

use millpond_sim::{Script, ScriptError, Sim, StreamOptions, StreamWriter, pair, world};

/// What a script says of a client that does this and then waits.
fn error_of(script: Script, client: impl FnOnce(&mut StreamWriter)) -> String {
    let played: Result<(), ScriptError> = Sim::new(1).run(async {
        let ((_reader, mut writer), server) = world().connection(&StreamOptions::new());
        client(&mut writer);
        script.play(server).await
    });
    let Err(error) = played else {
        return String::new();
    };
    assert!(error.source().is_none(), "its cause is in its text");
    error.to_string()
}

#[test]
fn a_difference_is_reported_though_less_has_come_than_was_expected() {
    let script = || Script::new().expect(b"GET /index.html\r\n");
    for (sent, came) in [
        ("GET /\r\n", r#""GET /\r\n" came"#),
        (
            "PUT /index.html and more\r\n",
            r#""PUT /index.html and more\r\n" came"#,
        ),
        ("X", r#""X" came"#),
    ] {
        let error = error_of(script(), |writer| writer.write(sent.as_bytes()).unwrap());
        let expected = r#"step 1 of the script is to expect "GET /index.html\r\n", but "#;
        assert_eq!(error, format!("{expected}{came}"));
    }
}

#[test]
fn what_is_expected_may_come_in_pieces_and_have_something_behind_it() {
    let script = Script::new().expect(b"one").expect(b"two").expect_end();
    let error = error_of(script, |writer| {
        writer.write(b"onetw").unwrap();
        writer.write(b"o").unwrap();
        writer.write_eof().unwrap();
    });
    assert_eq!(error, "");
}

#[test]
fn an_early_end_is_reported_with_what_came_before() {
    let error = error_of(Script::new().expect(b"hello"), |writer| {
        writer.write(b"hel").unwrap();
        writer.write_eof().unwrap();
    });
    assert!(error.ends_with(r#"but "hel" came"#), "{error}");
}

#[test]
fn a_reset_can_be_expected() {
    let script = || Script::new().expect_reset();
    assert_eq!(error_of(script(), StreamWriter::abort), "");
    let error = error_of(script(), |writer| writer.write_eof().unwrap());
    assert!(
        error.ends_with("is to expect a reset, but the end came"),
        "{error}"
    );
    let error = error_of(script(), |writer| writer.write(b"x").unwrap());
    assert!(error.ends_with(r#"but "x" came"#), "{error}");
}

#[test]
fn the_debug_output_of_an_error_is_the_same_sentence() {
    Sim::new(1).run(async {
        let ((_reader, mut writer), peer) = pair();
        writer.write(b"howdy").unwrap();
        let error = Script::new().expect(b"hello").play(peer).await.unwrap_err();
        assert_eq!(format!("{error:?}"), error.to_string());
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
