//! A client of the standard library, and hyper.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::program::{RUNTIMES, Server};

#[test]
fn what_is_sent_comes_back_twice_on_one_connection() {
    for runtime in RUNTIMES {
        let server = Server::start(env!("CARGO_BIN_EXE_hyper_server"), runtime);
        let mut client = TcpStream::connect(&server.address).unwrap();
        let request =
            |more| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{more}\r\nhello");
        client.write_all(request("").as_bytes()).unwrap();
        client
            .write_all(request("Connection: close\r\n").as_bytes())
            .unwrap();
        let mut answers = String::new();
        client.read_to_string(&mut answers).unwrap();
        assert_eq!(
            answers.matches("HTTP/1.1 200 OK\r\n").count(),
            2,
            "{answers}"
        );
        assert_eq!(answers.matches("\r\n\r\nhello").count(), 2, "{answers}");
    }
}
