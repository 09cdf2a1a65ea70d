//! TLS over a wire that the test looks at, slows down and cuts.

use std::{
    future::{Future, IntoFuture},
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    task::{Context, Poll, Waker},
};

use millpond::{
    Stream, TlsAcceptor, TlsConnector,
    adapter::Socket,
    rustls::{
        self, ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig,
        ServerConnection, SupportedProtocolVersion,
        client::Resumption,
        crypto::CryptoProvider,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
        version::{TLS12, TLS13},
    },
    types::ExtraInfo,
};

use super::world::World;

pub const NAME: &str = "example.org";

/// Where the ends of a wire are.
pub const SERVER: &str = "192.0.2.1:443";
pub const CLIENT: &str = "192.0.2.9:50000";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    Tls12,
    Tls13,
}

pub const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

impl Version {
    fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &TLS12,
            Self::Tls13 => &TLS13,
        }
    }
}

/// A server's certificate and key, made once. The signatures of this kind are all of one length.
pub fn identity() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    static MADE: OnceLock<(CertificateDer<'static>, PrivateKeyDer<'static>)> = OnceLock::new();
    let (certificate, key) = MADE.get_or_init(|| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let names = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap();
        let certificate = names.self_signed(&key).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (certificate, key)
    });
    (certificate.clone(), key.clone_key())
}

pub fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "tls-ring")]
    let provider = rustls::crypto::ring::default_provider();
    #[cfg(not(feature = "tls-ring"))]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    Arc::new(provider)
}

pub fn server_config(version: Version) -> ServerConfig {
    let (certificate, key) = identity();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version.supported()])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// No session is taken up again, so that all handshakes are alike.
pub fn client_config(version: Version) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(identity().0).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version.supported()])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

/// Both sides of one version, made once.
pub fn tls(version: Version) -> &'static (TlsAcceptor, TlsConnector) {
    static MADE: [OnceLock<(TlsAcceptor, TlsConnector)>; 2] = [OnceLock::new(), OnceLock::new()];
    MADE[version as usize].get_or_init(|| {
        (
            TlsAcceptor::from(Arc::new(server_config(version))),
            TlsConnector::from(Arc::new(client_config(version))),
        )
    })
}

/// Both sides, which know of each other that one direction can end alone, if the version can do so.
pub fn half_closing(version: Version) -> (TlsAcceptor, TlsConnector) {
    let (acceptor, connector) = tls(version).clone();
    (acceptor.half_close(true), connector.half_close(true))
}

/// From the client to the server, and back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    ToServer,
    ToClient,
}

pub const WAYS: [Way; 2] = [Way::ToServer, Way::ToClient];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    Fin,
    Reset,
    /// Only that bit of one byte arrives changed.
    Flip(u8),
}

/// How a direction moves what it is given.
#[derive(Clone, Copy, Debug, Default)]
pub enum Pace {
    #[default]
    Free,
    /// Each read and each write moves one byte.
    Bytewise,
    /// Writes wait.
    Busy,
    /// At most so much is on its way.
    Room(usize),
    /// As chance will have it, by this state: waits that are over at once, and parts of what is asked.
    Random(u64),
}

/// Both directions of a connection.
#[derive(Clone, Default)]
pub struct Wire(Arc<[Lane; 2]>);

#[derive(Default)]
struct Lane(Mutex<State>);

#[derive(Default)]
struct State {
    /// Everything, also what a cut has swallowed.
    sent: Vec<u8>,
    taken: usize,
    cut: Option<(usize, Cut)>,
    pace: Pace,
    /// The sender has ended the stream.
    ended: bool,
    /// The sender has broken it off.
    reset: bool,
    /// The receiver's end was dropped.
    left: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What chance decides on.
enum Lot {
    Wait,
    Move(usize),
}

impl State {
    fn draw(&mut self, len: usize) -> Lot {
        match &mut self.pace {
            Pace::Free | Pace::Busy | Pace::Room(_) => Lot::Move(len),
            Pace::Bytewise => Lot::Move(len.min(1)),
            Pace::Random(state) => {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                let drawn = usize::try_from(*state >> 33).unwrap();
                match drawn % 4 {
                    0 => Lot::Wait,
                    1 => Lot::Move(len.min(1 + drawn % 64)),
                    _ => Lot::Move(len.min(1 + drawn % 40_000)),
                }
            }
        }
    }

    fn room(&self) -> usize {
        let on_its_way = self.sent.len() - self.taken;
        match self.pace {
            Pace::Busy => 0,
            Pace::Room(room) => room.saturating_sub(on_its_way),
            Pace::Random(_) => 20_000_usize.saturating_sub(on_its_way),
            Pace::Free | Pace::Bytewise => usize::MAX,
        }
    }

    /// How much of what was sent can arrive.
    fn reach(&self) -> usize {
        match self.cut {
            Some((at, Cut::Fin | Cut::Reset)) => at.min(self.sent.len()),
            Some((_, Cut::Flip(_))) | None => self.sent.len(),
        }
    }

    /// Takes what arrives next.
    fn take(&mut self, buf: &mut [u8]) {
        let from = self.taken;
        self.taken += buf.len();
        buf.copy_from_slice(&self.sent[from..self.taken]);
        if let Some((at, Cut::Flip(bit))) = self.cut {
            if let Some(byte) = at.checked_sub(from).and_then(|at| buf.get_mut(at)) {
                *byte ^= 1 << bit;
            }
        }
    }
}

impl Wire {
    fn lane(&self, way: Way) -> MutexGuard<'_, State> {
        self.0[way as usize].0.lock().unwrap()
    }

    /// Both ends, the client's first.
    pub fn ends(&self) -> [Box<dyn Socket>; 2] {
        [
            (Way::ToClient, Way::ToServer),
            (Way::ToServer, Way::ToClient),
        ]
        .map(|(reads, writes)| {
            let wire = self.clone();
            Box::new(End {
                wire,
                reads,
                writes,
            }) as Box<dyn Socket>
        })
    }

    fn change(&self, way: Way, change: impl FnOnce(&mut State)) {
        let mut lane = self.lane(way);
        change(&mut lane);
        let wakers = [lane.reader.take(), lane.writer.take()];
        drop(lane);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Nothing arrives behind the first `at` bytes, or the next one arrives changed.
    pub fn cut(&self, way: Way, at: usize, cut: Cut) {
        self.change(way, |lane| lane.cut = Some((at, cut)));
    }

    pub fn pace(&self, way: Way, pace: Pace) {
        self.change(way, |lane| lane.pace = pace);
    }

    /// Says something in the sender's name.
    pub fn say(&self, way: Way, data: &[u8]) {
        self.change(way, |lane| lane.sent.extend(data));
    }

    /// The sender's end ends.
    pub fn end(&self, way: Way) {
        self.change(way, |lane| lane.ended = true);
    }

    pub fn sent(&self, way: Way) -> Vec<u8> {
        self.lane(way).sent.clone()
    }

    pub fn sent_len(&self, way: Way) -> usize {
        self.lane(way).sent.len()
    }

    pub fn has_ended(&self, way: Way) -> bool {
        self.lane(way).ended
    }

    pub fn was_reset(&self, way: Way) -> bool {
        self.lane(way).reset
    }

    /// How much the receiver has taken.
    pub fn taken(&self, way: Way) -> usize {
        self.lane(way).taken
    }
}

struct End {
    wire: Wire,
    reads: Way,
    writes: Way,
}

impl Socket for End {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut lane = self.wire.lane(self.reads);
        let there = lane.reach() - lane.taken;
        if there == 0 {
            return match lane.cut {
                Some((at, Cut::Fin)) if lane.taken >= at => Poll::Ready(Ok(0)),
                Some((at, Cut::Reset)) if lane.taken >= at => {
                    Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
                }
                _ if lane.reset => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
                _ if lane.ended => Poll::Ready(Ok(0)),
                _ => {
                    lane.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        let Lot::Move(n) = lane.draw(there.min(buf.len())) else {
            drop(lane);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        lane.take(&mut buf[..n]);
        let waker = lane.writer.take();
        drop(lane);
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut lane = self.wire.lane(self.writes);
        if lane.ended {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if lane.left {
            // As a system that has yet to learn of it.
            lane.sent.extend(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        let len = lane.room().min(buf.len());
        if len == 0 {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let Lot::Move(n) = lane.draw(len) else {
            drop(lane);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        lane.sent.extend(&buf[..n]);
        let waker = lane.reader.take();
        drop(lane);
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.change(self.writes, |lane| lane.ended = true);
        Poll::Ready(Ok(()))
    }

    fn abort(&self) {
        self.wire.change(self.writes, |lane| lane.reset = true);
    }

    fn extra_info(&self) -> ExtraInfo {
        let mut info = ExtraInfo::default();
        info.peer_addr = Some(match self.writes {
            Way::ToServer => SERVER.parse::<SocketAddr>().unwrap().into(),
            Way::ToClient => CLIENT.parse::<SocketAddr>().unwrap().into(),
        });
        info
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.wire.change(self.writes, |lane| lane.ended = true);
        self.wire.change(self.reads, |lane| lane.left = true);
    }
}

/// A stream over this socket, in this world, with the settings that `set` makes.
pub fn open_with(
    world: &World,
    socket: Box<dyn Socket>,
    set: impl FnOnce(millpond::types::Connect) -> millpond::types::Connect,
) -> Stream {
    let connecting = set(millpond::connect(world.connecting_to(socket), SERVER));
    finish(world, connecting.into_future()).unwrap()
}

pub fn open(world: &World, socket: Box<dyn Socket>) -> Stream {
    open_with(world, socket, |connect| connect)
}

/// A world, a wire and a stream at each end of it. What goes on in the world ends with this.
pub struct Scene {
    pub world: World,
    pub wire: Wire,
}

impl Scene {
    pub fn new() -> Self {
        Self {
            world: World::default(),
            wire: Wire::default(),
        }
    }

    /// The client's stream and the server's.
    pub fn streams(&self) -> (Stream, Stream) {
        let [client, server] = self.wire.ends();
        (open(&self.world, client), open(&self.world, server))
    }

    /// Both, with TLS on them.
    pub fn secured(&self, version: Version) -> (Stream, Stream) {
        self.secured_with(tls(version))
    }

    pub fn secured_with(&self, sides: &(TlsAcceptor, TlsConnector)) -> (Stream, Stream) {
        let (mut client, mut server) = self.streams();
        finish(&self.world, secure_with(sides, &mut client, &mut server));
        (client, server)
    }

    pub fn run<F: Future>(&self, future: F) -> F::Output {
        finish(&self.world, future)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.world.end();
    }
}

pub async fn secure(version: Version, client: &mut Stream, server: &mut Stream) {
    secure_with(tls(version), client, server).await;
}

pub async fn secure_with(
    (acceptor, connector): &(TlsAcceptor, TlsConnector),
    client: &mut Stream,
    server: &mut Stream,
) {
    let (one, other) = futures_util::future::join(
        client
            .start_tls(connector)
            .server_hostname(NAME)
            .into_future(),
        server.start_tls(acceptor).into_future(),
    )
    .await;
    one.unwrap();
    other.unwrap();
}

/// Runs `future` to its end, by the wakers alone: no time goes by.
///
/// # Panics
///
/// If it hangs or spins.
pub fn finish<F: Future>(world: &World, future: F) -> F::Output {
    let output = world.poll(pin!(future));
    output.expect("something is waited for that never comes")
}

/// The records in some ciphertext: the kind of each, and where it ends.
pub fn records(ciphertext: &[u8]) -> Vec<(u8, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some([kind, _, _, high, low]) = ciphertext.get(at..at + 5) {
        at += 5 + usize::from(u16::from_be_bytes([*high, *low]));
        found.push((*kind, at));
    }
    found
}

/// A peer that is rustls alone, moved by hand.
pub struct Raw {
    pub session: Connection,
    pub wire: Wire,
    pub way: Way,
    read: usize,
}

impl Raw {
    pub fn server(wire: &Wire, config: ServerConfig) -> Self {
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        Self::new(wire, session.into(), Way::ToClient)
    }

    pub fn client(wire: &Wire, config: ClientConfig) -> Self {
        let name = ServerName::try_from(NAME).unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        Self::new(wire, session.into(), Way::ToServer)
    }

    fn new(wire: &Wire, session: Connection, way: Way) -> Self {
        Self {
            session,
            wire: wire.clone(),
            way,
            read: 0,
        }
    }

    /// Takes what has come and gives what there is to say. Returns the plaintext.
    pub fn go_on(&mut self) -> Vec<u8> {
        let plaintext = self.try_go_on().unwrap();
        self.speak();
        plaintext
    }

    /// Takes what has come. Returns the plaintext.
    pub fn try_go_on(&mut self) -> Result<Vec<u8>, rustls::Error> {
        use std::io::Read;
        let all = self.wire.sent(match self.way {
            Way::ToServer => Way::ToClient,
            Way::ToClient => Way::ToServer,
        });
        let mut new = &all[self.read..];
        self.read = all.len();
        let mut plaintext = Vec::new();
        while !new.is_empty() {
            self.session.read_tls(&mut new).unwrap();
            self.session.process_new_packets()?;
            let mut part = [0; 4096];
            while let Ok(n @ 1..) = self.session.reader().read(&mut part) {
                plaintext.extend(&part[..n]);
            }
        }
        Ok(plaintext)
    }

    pub fn speak(&mut self) {
        let flight = self.say_nothing_yet();
        self.wire.say(self.way, &flight);
    }

    /// What there is to say.
    pub fn say_nothing_yet(&mut self) -> Vec<u8> {
        let mut flight = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut flight).unwrap();
        }
        flight
    }
}

/// A client of the driver's, and a server that is rustls alone.
pub fn against_raw(scene: &Scene, version: Version) -> (Stream, Raw, Box<dyn Socket>) {
    let (client, mut raw, server) =
        against_raw_with(scene, &tls(version).1, server_config(version));
    raw.go_on();
    assert!(!raw.session.is_handshaking());
    (client, raw, server)
}

/// The same, but the server has still to see the end of the handshake.
pub fn against_raw_with(
    scene: &Scene,
    connector: &TlsConnector,
    config: ServerConfig,
) -> (Stream, Raw, Box<dyn Socket>) {
    let [client, server] = scene.wire.ends();
    let mut client = open(&scene.world, client);
    let mut raw = Raw::server(&scene.wire, config);
    {
        let starting = client.start_tls(connector).server_hostname(NAME);
        let mut starting = pin!(async { starting.await.unwrap() });
        for _ in 0..5 {
            if scene.world.poll(starting.as_mut()).is_some() {
                break;
            }
            raw.go_on();
        }
    }
    (client, raw, server)
}
