//! A whole conversation of a client and a server, both of which send and receive at once, in a world
//! whose network does what the bytes say.

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, future::join};
use millpond_sim::{
    Direction, Fault, Sim, StreamReader, StreamWriter, open_connection, start_server, timeout,
    world,
};

use crate::{
    input::Input,
    receiving::{End, Received, receive},
    sending::{Ending, Sent, finish, send},
    speech,
};

/// More than anything takes that ends.
const TIME_LIMIT: Duration = Duration::from_secs(1000);

/// Less than a closed connection is waited for.
const STALL: Duration = Duration::from_secs(10);

/// Has two programs talk to each other: small and large writes, every kind of read, both cancelled at
/// any poll, on a network without faults or with them. Each has to receive what the other one has
/// sent, all of it unless something failed, and nothing else; failures have to be reported, and
/// nothing may hang or be left over.
///
/// # Panics
///
/// If it does not.
pub fn duplex(data: &[u8]) {
    let mut input = Input::new(data);
    let plan = Plan::new(&mut input);
    let sim = plan.network(Sim::from_bytes(input.rest()));
    if let Some(talks) = sim.no_leaks().run(converse(plan)) {
        plan.check(&talks, 0);
        plan.check(&talks, 1);
    }
}

/// What is decided beforehand.
#[derive(Clone, Copy, Debug)]
struct Plan {
    trouble: Trouble,
    /// After so many bytes.
    trouble_after: u64,
    rough: bool,
    /// What is on its way, in bytes, and for how long at most.
    buffers: usize,
    latency: Duration,
    limit: usize,
    high_water: usize,
    /// The client's and the server's.
    sides: [Manners; 2],
}

/// What goes wrong with the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trouble {
    None,
    Refusal,
    /// It passes.
    Stall(Direction),
    Silence(Direction),
    Reset(Direction),
    Eof(Direction),
}

/// How a side behaves.
#[derive(Clone, Copy, Debug)]
struct Manners {
    /// How often it writes.
    pieces: usize,
    ending: Ending,
    /// How often it reads.
    answers: usize,
}

/// What a side has sent and received.
#[derive(Debug)]
struct Talk {
    sent: Sent,
    received: Received,
}

impl Plan {
    fn new(input: &mut Input<'_>) -> Self {
        let direction = input.one_of(&[Direction::ToServer, Direction::ToClient]);
        Self {
            trouble: input.one_of(&[
                Trouble::None,
                Trouble::Reset(direction),
                Trouble::Eof(direction),
                Trouble::Silence(direction),
                Trouble::Stall(direction),
                Trouble::None,
                Trouble::Refusal,
            ]),
            trouble_after: input.below(1000) as u64,
            rough: input.below(2) == 1,
            buffers: input.one_of(&[64 * 1024, 1, 20, 500]),
            latency: Duration::from_micros(input.one_of(&[0, 1, 500])),
            limit: input.one_of(&[40, 1, 8, 64 * 1024]),
            high_water: input.one_of(&[64 * 1024, 0, 1, 50]),
            sides: [Manners::new(input), Manners::new(input)],
        }
    }

    fn network(&self, mut sim: Sim) -> Sim {
        if self.rough {
            sim = sim.rough();
        }
        let after = self.trouble_after;
        let fault = match self.trouble {
            Trouble::None => None,
            Trouble::Refusal => Some(Fault::refuse()),
            Trouble::Stall(direction) => Some(Fault::stall(STALL).after(direction, after)),
            Trouble::Silence(direction) => Some(Fault::stall_forever().after(direction, after)),
            Trouble::Reset(direction) => Some(Fault::reset().after(direction, after)),
            Trouble::Eof(direction) => Some(Fault::eof().after(direction, after)),
        };
        if let Some(fault) = fault {
            sim = sim.fault(fault);
        }
        sim.buffers(self.buffers, self.buffers)
            .latency(Duration::ZERO..=self.latency)
    }
}

impl Manners {
    fn new(input: &mut Input<'_>) -> Self {
        Self {
            pieces: input.below(12),
            ending: input.one_of(&[
                Ending::WriteEof,
                Ending::Drop,
                Ending::Close,
                Ending::Abort,
                Ending::WriteEof,
            ]),
            answers: input.one_of(&[usize::MAX, usize::MAX, usize::MAX, 3]),
        }
    }
}

/// What both sides have sent and received; `None` if they did not connect.
async fn converse(plan: Plan) -> Option<[Talk; 2]> {
    let at_server = Arc::new(Mutex::new(None));
    let served = at_server.clone();
    let server = start_server("127.0.0.1:7", move |reader, writer| {
        let served = served.clone();
        async move {
            let talk = talk(plan, 1, reader, writer).await;
            let other = served.lock().unwrap().replace(talk);
            assert!(other.is_none(), "served twice");
        }
    });
    let server = server.limit(plan.limit).watermarks(0, plan.high_water);
    let server = server.await.expect("there is a port");
    let opening = open_connection("127.0.0.1:7")
        .limit(plan.limit)
        .watermarks(0, plan.high_water);
    let at_client = match opening.await {
        Ok((reader, writer)) => {
            assert_ne!(plan.trouble, Trouble::Refusal);
            Some(talk(plan, 0, reader, writer).await)
        }
        Err(error) => {
            assert_eq!(plan.trouble, Trouble::Refusal, "{error}");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            None
        }
    };
    server.close();
    server.wait_closed().await;
    let at_server = at_server.lock().unwrap().take();
    Some([at_client?, at_server?])
}

/// What one side does, 0 being the client.
async fn talk(plan: Plan, side: usize, mut reader: StreamReader, mut writer: StreamWriter) -> Talk {
    let manners = plan.sides[side];
    let (receiving, received) = async move {
        let mut received = Received::default();
        let receiving = receive(&mut received, &mut reader, manners.answers);
        if timeout(TIME_LIMIT, receiving).await.is_err() {
            received.end = End::TimedOut;
        }
        received.left = reader.buffered().len();
        received
    }
    .remote_handle();
    world().spawn(receiving);
    let mut sent = Sent::default();
    let sending = async {
        // Much to say takes long where little fits.
        let largest = 20 * plan.buffers;
        let speech = speech::of(side);
        send(&mut sent, &mut writer, speech, manners.pieces, largest).await;
        finish(&mut sent, writer, manners.ending).await
    };
    let (writer, received) = join(timeout(TIME_LIMIT, sending), received).await;
    if let Ok(Some(mut writer)) = writer {
        // It was kept, so that the other direction could go on.
        writer.close();
        sent.wait_closed(&mut writer).await;
    }
    Talk { sent, received }
}

/// What must be true of a conversation that is over.
impl Plan {
    /// What one side has sent is what the other one has received.
    fn check(&self, talks: &[Talk; 2], side: usize) {
        let other = 1 - side;
        let sent = &talks[side].sent;
        let received = &talks[other].received;
        let got = received.check(speech::of(side), sent.accepted, self.limit);
        let manners = self.sides[side];
        let receiver = self.sides[other];

        // A side that has closed or aborted receives nothing more, and one may have stopped reading.
        let read_on = !matches!(receiver.ending, Ending::Close | Ending::Abort)
            && received.end != End::Enough;
        let delivers = !self.is_cut_off() && manners.ending != Ending::Abort;
        if read_on && delivers {
            assert_eq!(received.end, End::Eof, "the end was sent");
        }
        let may_end_early = self.trouble == Trouble::Eof(direction_of(side));
        if read_on && received.end == End::Eof && !may_end_early {
            assert_eq!(got, sent.accepted, "an end before everything was received");
            assert_ne!(manners.ending, Ending::Abort, "a reset is no end");
        }
        self.check_failures(talks, side);
        if !matches!(self.trouble, Trouble::Silence(_)) {
            assert_ne!(received.end, End::TimedOut, "a read hung");
        }
    }

    /// Sending and receiving fail only if they have a reason, and say which.
    fn check_failures(&self, talks: &[Talk; 2], side: usize) {
        let [sender, receiver] = [self.sides[side].ending, self.sides[1 - side].ending];
        // If neither reads to the end, what both have left to say holds up their closing for good.
        let stuck = talks.iter().all(|talk| talk.received.end == End::Enough);
        let aborts = [sender, receiver].contains(&Ending::Abort);
        let may_fail = self.is_cut_off() || aborts || stuck;
        let is_known = |kind| {
            let silent = stuck || matches!(self.trouble, Trouble::Silence(_));
            is_reset(kind) || (silent && kind == ErrorKind::TimedOut)
        };
        if let Some(kind) = talks[side].sent.failure {
            assert!(may_fail && is_known(kind), "sending failed: {kind}");
        }
        if let End::Failed(kind) = talks[1 - side].received.end {
            let aborted = receiver == Ending::Abort && kind == ErrorKind::ConnectionAborted;
            assert!(
                may_fail && (is_known(kind) || aborted),
                "receiving failed: {kind}"
            );
        }
    }

    /// Whether the connection may end otherwise than its two sides do it.
    fn is_cut_off(&self) -> bool {
        match self.trouble {
            Trouble::None | Trouble::Refusal | Trouble::Stall(_) => false,
            Trouble::Silence(_) | Trouble::Reset(_) | Trouble::Eof(_) => true,
        }
    }
}

/// A reset that a half-close meets first is `NotConnected`; writes and reads get the error later.
fn is_reset(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected
    )
}

fn direction_of(side: usize) -> Direction {
    [Direction::ToServer, Direction::ToClient][side]
}
