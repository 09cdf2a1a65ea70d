//! The core fed by hand: a parser (`src/message.rs`) and its input, with no socket and no runtime.
//! Its unit tests try it with every cut.
//!
//!     cargo run -p millpond-examples --bin fed_by_hand
//!     cargo test -p millpond-examples --lib

use std::io;

use millpond_core::{Reader, Status};
use millpond_examples::message::parse;

fn main() -> io::Result<()> {
    let pieces = [
        "POST /notes\r\nconte",
        "nt-length: 5\r\n\r\nhe",
        "lloGET /\r\n\r\nPUT",
        " /notes/1\r\n\r\n",
    ];
    let mut reader = Reader::with_limit(8 * 1024).with_cap(1 << 20);
    for piece in pieces {
        println!("feed     {piece:?}");
        reader.feed(piece.as_bytes());
        while let Status::Ready(message) = parse(&mut reader)? {
            let (method, target, body) = (message.method, message.target, message.body);
            println!("  ready  {method} {target} {body:?}");
        }
        println!("  wait   {} bytes buffered", reader.buffered().len());
    }
    Ok(())
}
