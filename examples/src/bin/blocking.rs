//! The core without a runtime: forty lines make it a blocking stream on `std::net`, and any other
//! transport takes no more. A mail client and server talk over it.
//!
//!     cargo run -p millpond-examples --bin blocking

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use bytes::Bytes;
use millpond_core::{Reader, Request, Separator, Status};

/// The adapter.
struct BlockingStream {
    socket: TcpStream,
    reader: Reader,
}

impl BlockingStream {
    fn new(socket: TcpStream) -> Self {
        let reader = Reader::new().with_cap(1 << 20);
        Self { socket, reader }
    }

    fn read(&mut self, request: Request<'_>) -> io::Result<Bytes> {
        loop {
            match self.reader.poll(request)? {
                Status::Ready(n) => return Ok(self.reader.take(n)),
                Status::NeedData => self.fill(),
            }
        }
    }

    /// Reports to the core what happened. The core decides what that means for the request.
    fn fill(&mut self) {
        match self.socket.read(self.reader.spare()) {
            Ok(0) => self.reader.feed_eof(),
            Ok(n) => self.reader.commit(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.reader.fail(error),
        }
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.socket.write_all(data)
    }
}

/// Takes mail until the client quits.
fn serve(socket: TcpStream) -> io::Result<()> {
    let end_of_mail = Separator::new("\r\n.\r\n");
    let mut stream = BlockingStream::new(socket);
    stream.write(b"220 mail.example.org\r\n")?;
    loop {
        let command = stream.read(Request::Line)?;
        match command.trim_ascii_end() {
            b"DATA" => {
                stream.write(b"354 end with a dot\r\n")?;
                let mail = stream.read(Request::Until(&end_of_mail))?;
                stream.write(format!("250 got {} bytes\r\n", mail.len()).as_bytes())?;
            }
            b"QUIT" => return stream.write(b"221 good-bye\r\n"),
            _ if command.is_empty() => return Ok(()), // the end of the stream
            _ => stream.write(b"502 not implemented\r\n")?,
        }
    }
}

/// Sends a command and checks the code of the answer.
fn ask(stream: &mut BlockingStream, command: &str, code: &str) -> io::Result<()> {
    println!("C: {}", command.escape_debug());
    stream.write(command.as_bytes())?;
    expect(stream, code)
}

fn expect(stream: &mut BlockingStream, code: &str) -> io::Result<()> {
    let line = stream.read(Request::Line)?;
    let answer = String::from_utf8_lossy(line.trim_ascii_end());
    println!("S: {}", answer.escape_debug());
    if answer.starts_with(code) {
        Ok(())
    } else {
        Err(io::Error::other(format!("expected {code}")))
    }
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || serve(listener.accept()?.0));

    let mut stream = BlockingStream::new(TcpStream::connect(address)?);
    expect(&mut stream, "220")?;
    ask(&mut stream, "VRFY ada\r\n", "502")?;
    ask(&mut stream, "DATA\r\n", "354")?;
    ask(
        &mut stream,
        "Subject: lunch\r\n\r\nAt noon?\r\n.\r\n",
        "250 got 31",
    )?;
    ask(&mut stream, "QUIT\r\n", "221")?;
    server.join().expect("the server does not panic")
}
