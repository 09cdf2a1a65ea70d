//! Headers over TLS, and what is no URL. What is printed without TLS: `documentation.rs`.

use std::{
    fs,
    process::{Command, Output},
};

use millpond_examples::tls;

use crate::program::{Program, RUNTIMES, there_is};

const PROGRAM: &str = env!("CARGO_BIN_EXE_http_headers");

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

/// Answers each question for headers over TLS; prints its port.
const HTTPS_SERVER: &str = "
import http.server, ssl, sys
server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

#[test]
fn headers_are_asked_for_over_tls() {
    if !there_is("python3", "--version") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(path("certificate"), made.cert.pem()).unwrap();
    fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    let other = path("other");
    let _ = tls::acceptor_for_localhost(other.as_ref()).unwrap();

    let (certificate, key) = (path("certificate"), path("key"));
    let server = Program::start("python3", &["-c", HTTPS_SERVER, &certificate, &key]);
    let url = format!("https://localhost:{}/Cargo.toml", server.line());
    let by_address = url.replace("localhost", "127.0.0.1");
    for runtime in RUNTIMES {
        let args = ["--runtime", runtime, "--ca", &certificate, &url];
        let headers = Program::start(PROGRAM, &args).output();
        assert_eq!(headers[0], "HTTP header> HTTP/1.0 200 OK");

        for (args, why) in [
            (vec!["--runtime", runtime, &url], "UnknownIssuer"),
            (
                vec!["--runtime", runtime, "--ca", &other, &url],
                "invalid peer certificate",
            ),
            // It is not the name in the certificate.
            (
                vec!["--runtime", runtime, "--ca", &certificate, &by_address],
                "is for another host name",
            ),
        ] {
            let output = run(&args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{args:?}");
            assert!(stderr.contains(why), "{args:?}: {stderr}");
            assert!(output.stdout.is_empty(), "{args:?}");
        }
    }
}

#[test]
fn what_is_no_http_url_is_refused() {
    for (url, why) in [
        ("ftp://example.org/", "does not begin with http"),
        ("example.org", "does not begin with http"),
        ("/path", "does not begin with http"),
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
