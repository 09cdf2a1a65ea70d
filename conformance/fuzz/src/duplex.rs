//! A whole conversation of a client and a server, both of which speak and listen at once, in a world
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
    hearing::{End, Heard, listen},
    input::Input,
    speaking::{Ending, Spoken, finish, speak},
    speech,
};

/// More than anything takes that ends.
const TIME_LIMIT: Duration = Duration::from_secs(1000);

/// Less than a closed connection is waited for.
const STALL: Duration = Duration::from_secs(10);

/// Has two programs talk to each other: small and large writes, every kind of read, both given up at
/// any poll, on a calm network or a rough one, with a fault or without. Each has to hear what the
/// other one has said, all of it unless something went wrong, and nothing else; what went wrong has
/// to be told, and nothing may hang or be left over.
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

/// What a side has said and heard.
#[derive(Debug)]
struct Talk {
    spoken: Spoken,
    heard: Heard,
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

/// What both sides have said and heard; `None` if they did not get to know each other.
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
    let (listening, heard) = async move {
        let mut heard = Heard::default();
        let listening = listen(&mut heard, &mut reader, manners.answers);
        if timeout(TIME_LIMIT, listening).await.is_err() {
            heard.end = End::GivenUp;
        }
        heard.left = reader.buffered().len();
        heard
    }
    .remote_handle();
    world().spawn(listening);
    let mut spoken = Spoken::default();
    let speaking = async {
        // Much to say takes long where little fits.
        let largest = 20 * plan.buffers;
        let speech = speech::of(side);
        speak(&mut spoken, &mut writer, speech, manners.pieces, largest).await;
        finish(&mut spoken, writer, manners.ending).await
    };
    let (writer, heard) = join(timeout(TIME_LIMIT, speaking), heard).await;
    if let Ok(Some(mut writer)) = writer {
        // It was kept, so that the other direction could go on.
        writer.close();
        spoken.wait_closed(&mut writer).await;
    }
    Talk { spoken, heard }
}

/// What must be true of a conversation that is over.
impl Plan {
    /// What one side has said is what the other one has heard.
    fn check(&self, talks: &[Talk; 2], side: usize) {
        let other = 1 - side;
        let spoken = &talks[side].spoken;
        let heard = &talks[other].heard;
        let got = heard.check(speech::of(side), spoken.accepted, self.limit);
        let manners = self.sides[side];
        let listener = self.sides[other];

        // A side that has closed or aborted hears no more, and one may have heard enough.
        let listened =
            !matches!(listener.ending, Ending::Close | Ending::Abort) && heard.end != End::Enough;
        let delivers = !self.is_cut_off() && manners.ending != Ending::Abort;
        if listened && delivers {
            assert_eq!(heard.end, End::Eof, "the end was told");
        }
        let may_end_early = self.trouble == Trouble::Eof(direction_of(side));
        if listened && heard.end == End::Eof && !may_end_early {
            assert_eq!(got, spoken.accepted, "an end before everything was heard");
            assert_ne!(manners.ending, Ending::Abort, "a reset is no end");
        }
        self.check_failures(talks, side);
        if !matches!(self.trouble, Trouble::Silence(_)) {
            assert_ne!(heard.end, End::GivenUp, "a read hung");
        }
    }

    /// Speaking and hearing fail only if they have a reason, and say which.
    fn check_failures(&self, talks: &[Talk; 2], side: usize) {
        let [speaker, listener] = [self.sides[side].ending, self.sides[1 - side].ending];
        // If neither reads to the end, what both have left to say holds up their closing for good.
        let stuck = talks.iter().all(|talk| talk.heard.end == End::Enough);
        let aborts = [speaker, listener].contains(&Ending::Abort);
        let may_fail = self.is_cut_off() || aborts || stuck;
        let is_known = |kind| {
            let silent = stuck || matches!(self.trouble, Trouble::Silence(_));
            is_reset(kind) || (silent && kind == ErrorKind::TimedOut)
        };
        if let Some(kind) = talks[side].spoken.failure {
            assert!(may_fail && is_known(kind), "speaking failed: {kind}");
        }
        if let End::Failed(kind) = talks[1 - side].heard.end {
            let aborted = listener == Ending::Abort && kind == ErrorKind::ConnectionAborted;
            assert!(
                may_fail && (is_known(kind) || aborted),
                "hearing failed: {kind}"
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

/// A reset that was told to who ended a direction is `NotConnected`, and whoever writes or reads hears
/// of it later.
fn is_reset(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected
    )
}

fn direction_of(side: usize) -> Direction {
    [Direction::ToServer, Direction::ToClient][side]
}
