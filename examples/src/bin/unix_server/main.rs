//! A tally on a unix socket: clients add to it with lines, and one of them shuts the server down.
//!
//!     cargo run -p millpond-examples --bin unix_server -- serve /tmp/tally
//!     cargo run -p millpond-examples --bin unix_server -- ask /tmp/tally "add 2" "add 3" shutdown
//!
//! On Linux, `@tally` is an address that is in no directory.

#[cfg(unix)]
mod tally;

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    tally::main()
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("unix_server: unix sockets are not there on this system");
    std::process::ExitCode::FAILURE
}
