//! The headers that Python's `http.server` sends.

use std::{
    env, fs,
    process::{Command, Output},
};

use crate::program::{Program, RUNTIMES};

const PROGRAM: &str = env!("CARGO_BIN_EXE_http_headers");

/// It must be there if the environment variable `MILLPOND_REQUIRE`, a list with commas, names it.
fn there_is_python() -> bool {
    let required = env::var("MILLPOND_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|name| name.trim() == "python3"));
    match Command::new("python3").arg("--version").output() {
        Ok(output) if output.status.success() => true,
        problem if required => panic!("python3 cannot be run: {problem:?}"),
        _ => {
            eprintln!("skipped: there is no python3");
            false
        }
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

#[test]
fn headers_of_a_server_are_printed() {
    if !there_is_python() {
        return;
    }
    let args = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"];
    let server = Program::start("python3", &args);
    let line = server.line(); // Serving HTTP on 127.0.0.1 port 41234 (http://...
    let port = line.split(' ').nth(5).unwrap();
    for runtime in RUNTIMES {
        let url = format!("http://127.0.0.1:{port}/Cargo.toml?so#what");
        let headers = Program::start(PROGRAM, &["--runtime", runtime, &url]).output();
        assert_eq!(headers[0], "HTTP header> HTTP/1.0 200 OK");
        let len = fs::metadata("Cargo.toml").unwrap().len();
        let length = format!("HTTP header> Content-Length: {len}");
        assert!(headers.contains(&length), "{headers:#?}");

        let url = format!("http://localhost:{port}/nothing");
        let headers = Program::start(PROGRAM, &["--runtime", runtime, &url]).output();
        assert_eq!(headers[0], "HTTP header> HTTP/1.0 404 File not found");
    }
}

#[test]
fn what_is_no_http_url_is_refused() {
    for (url, why) in [
        ("https://example.org/", "https needs TLS"),
        ("ftp://example.org/", "does not begin with http://"),
        ("example.org", "does not begin with http://"),
        ("/path", "does not begin with http://"),
        ("http://ada:secret@127.0.0.1/", "a name or password"),
        ("http://127.0.0.1:99999/", "its port is no port"),
        ("http://127.0.0.1:/", "its port is no port"),
        ("http://127.0.0.1/a b\r\nx: y", "invalid uri character"),
    ] {
        let output = run(&[url]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{url}: {stderr}");
        assert!(stderr.contains(why), "{url}: {stderr}");
    }
}
