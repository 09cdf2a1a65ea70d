//! The other side: a plain blocking socket, the same for both writers.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;

use crate::{
    BUFFER, LONG, QUIET, data,
    step::{Ending, Outcome, PeerStep, Share},
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Tcp,
    Unix,
}

/// Where the peer waits for a writer.
pub(crate) struct Meeting {
    listener: Socket,
    directory: TempDir,
    place: Place,
}

#[derive(Clone, Debug)]
pub(crate) enum Address {
    Port(u16),
    Path(PathBuf),
}

pub(crate) struct Peer {
    /// `None` once it was closed.
    socket: Option<Socket>,
    received: usize,
}

impl Meeting {
    pub(crate) fn new(place: Place) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (domain, address) = match place {
            Place::Tcp => {
                let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                (Domain::IPV4, SockAddr::from(any))
            }
            Place::Unix => (Domain::UNIX, SockAddr::unix(directory.path().join("peer"))?),
        };
        let listener = Socket::new(domain, Type::STREAM, None)?;
        // What it accepts inherits them.
        listener.set_recv_buffer_size(BUFFER)?;
        listener.set_send_buffer_size(BUFFER)?;
        listener.bind(&address)?;
        listener.listen(1)?;
        Ok(Self {
            listener,
            directory,
            place,
        })
    }

    pub(crate) fn address(&self) -> io::Result<Address> {
        match self.place {
            Place::Tcp => {
                let address = self.listener.local_addr()?.as_socket();
                let address = address.ok_or(ErrorKind::AddrNotAvailable)?;
                Ok(Address::Port(address.port()))
            }
            Place::Unix => Ok(Address::Path(self.directory.path().join("peer"))),
        }
    }

    pub(crate) fn accept(&self) -> io::Result<Peer> {
        let (socket, _) = self.listener.accept()?;
        socket.set_read_timeout(Some(LONG))?;
        Ok(Peer {
            socket: Some(socket),
            received: 0,
        })
    }
}

impl Peer {
    /// `written` is how much the writer has reported as written.
    pub(crate) fn does(&mut self, step: PeerStep, written: usize) -> io::Result<Outcome> {
        let socket = self.socket.as_mut().ok_or(ErrorKind::NotConnected)?;
        match step {
            PeerStep::Writes(n) => socket.write_all(&vec![b'p'; n])?,
            PeerStep::Fills => fill(socket)?,
            PeerStep::Reads(n) => {
                let mut block = vec![0; n];
                socket.read_exact(&mut block)?;
                self.came(&block);
            }
            PeerStep::ReadsToEnd => return self.reads_to_end(written),
            PeerStep::Ends => socket.shutdown(std::net::Shutdown::Write)?,
            PeerStep::Closes => self.socket = None,
            PeerStep::Resets => {
                socket.set_linger(Some(Duration::ZERO))?;
                self.socket = None;
            }
        }
        Ok(Outcome::Done)
    }

    fn reads_to_end(&mut self, written: usize) -> io::Result<Outcome> {
        let mut block = vec![0; 1 << 16];
        loop {
            let socket = self.socket.as_mut().ok_or(ErrorKind::NotConnected)?;
            let ending = match socket.read(&mut block) {
                Ok(0) => Ending::Eof,
                Ok(n) => {
                    self.came(&block[..n]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => Ending::Reset,
                Err(error) => return Err(error),
            };
            return Ok(Outcome::Received(Share::of(self.received, written), ending));
        }
    }

    fn came(&mut self, block: &[u8]) {
        let expected = &data()[self.received..][..block.len()];
        assert!(block == expected, "behind {} bytes", self.received);
        self.received += block.len();
    }
}

fn fill(socket: &mut Socket) -> io::Result<()> {
    socket.set_write_timeout(Some(QUIET))?;
    loop {
        match socket.write(&[b'p'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
