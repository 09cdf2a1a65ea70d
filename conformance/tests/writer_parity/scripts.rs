//! The table of conversations.

use crate::{
    deliberate::Deliberate,
    step::{
        Amount::{Bytes, Queued},
        Differs,
        Ending::{Eof, Reset as ByReset},
        Line,
        Outcome::{BrokenPipe, Cancelled, Crash, Done, Ended, Lost, Received, Reset, Waits},
        PeerStep::{Closes, Ends, Fills, Reads, ReadsToEnd, Resets, Writes},
        Script,
        Share::{All, More, Some},
        Step::{
            Abort, CanWriteEof, Close, Closed, Drain, Drained, Finish, FinishSoon, GiveUp,
            IsClosing, Limits, Peer, Queue, ReadEnd, ReadExactly, SetLimits, Settle, UntilEmpty,
            WaitClosed, Write, WriteEof, WriteLines, WriteUntilItFails,
        },
    },
};

/// Far more than the system takes, and than the high watermark above that.
const MUCH: usize = 1 << 20;

/// Steps, with the differences at them: `=> (WHY, OURS, THEIRS)`.
macro_rules! script {
    ($name:literal: $($step:expr $(=> ($why:ident, $ours:expr, $theirs:expr))*),+ $(,)?) => {
        Script {
            name: $name,
            lines: vec![$(Line {
                step: $step,
                differs: vec![$(Differs {
                    why: Deliberate::$why,
                    ours: $ours,
                    theirs: $theirs,
                }),*],
            }),+],
        }
    };
}

pub(crate) fn scripts() -> Vec<Script> {
    [
        writing(),
        pausing(),
        ending(),
        closing(),
        aborting(),
        waiting_for_the_end(),
        failing(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn writing() -> Vec<Script> {
    vec![
        script!("what is written arrives, and then the end":
            Write(5), Drain, Queue, IsClosing, Close, IsClosing, Closed,
            Peer(ReadsToEnd),
        ),
        script!("nothing is written and nothing arrives":
            Write(0), Queue, Drain, WriteLines(&[]), Queue, Drain, Close, Peer(ReadsToEnd),
        ),
        script!("pieces that are empty are nothing":
            WriteLines(&[0, 0]), Queue, Drain, Close,
            WaitClosed => (EmptyPiecesAreNothing, Done, Waits),
        ),
        script!("pieces arrive in their order":
            WriteLines(&[3, 100, 1]), Write(7), WriteLines(&[50_000]), Drain, Close,
            Peer(ReadsToEnd),
        ),
        script!("what is far more than the system takes arrives":
            Write(MUCH), Write(1), Write(MUCH), WriteLines(&[1, MUCH, 1]), Close,
            Peer(ReadsToEnd), Closed,
        ),
        script!("what the peer sends can be read between writes":
            Peer(Writes(10)), ReadExactly(5), Write(5), Peer(Reads(5)), ReadExactly(5),
            Peer(Ends), ReadEnd, Write(5), Drain, IsClosing, Close, Peer(ReadsToEnd),
        ),
    ]
}

fn pausing() -> Vec<Script> {
    vec![
        script!("the watermarks are 16 and 64 KiB":
            Limits, SetLimits { low: Bytes(10), high: Bytes(20) }, Limits,
            SetLimits { low: Bytes(0), high: Bytes(0) }, Limits,
            SetLimits { low: Bytes(20), high: Bytes(20) }, Limits,
        ),
        script!("a low watermark above the high one is misuse and changes nothing":
            SetLimits { low: Bytes(2), high: Bytes(1) }, Limits, Write(5), Drain, Close,
            Peer(ReadsToEnd),
        ),
        script!("a little does not pause":
            Write(5), Drain, Queue, Write(5), Drain, Queue, Close, Peer(ReadsToEnd),
        ),
        script!("a writer pauses above the high watermark until the low one":
            Write(MUCH), Queue, Drain, Peer(Reads(MUCH)), Finish, UntilEmpty, Queue, Drain,
            Close, Peer(ReadsToEnd),
        ),
        script!("exactly the high watermark does not pause, and one byte more does":
            SetLimits { low: Bytes(0), high: Bytes(2 * MUCH) }, Write(MUCH), Settle,
            SetLimits { low: Bytes(0), high: Queued(10) }, Drain, Write(10), Queue, Drain,
            Write(1), Queue, Drain, Close, Peer(ReadsToEnd), Finish,
        ),
        script!("lower watermarks pause a writer at once":
            SetLimits { low: Bytes(0), high: Bytes(2 * MUCH) }, Write(MUCH), Drain, Queue,
            SetLimits { low: Bytes(1), high: Bytes(100) }, Queue, Drain, Close,
            Peer(ReadsToEnd), Finish,
        ),
        script!("a writer whose low watermark is 0 goes on when everything is sent":
            SetLimits { low: Bytes(0), high: Bytes(0) }, Write(5), Drain, Write(MUCH), Drain,
            Peer(Reads(MUCH)), Finish, Queue, Drain, Close, Peer(ReadsToEnd),
        ),
        script!("higher watermarks let a writer go on":
            Write(MUCH), Drain, GiveUp, Settle,
            SetLimits { low: Bytes(2 * MUCH), high: Bytes(3 * MUCH) }, Queue,
            Drain => (LimitsHoldAtOnce, Done, Waits),
            GiveUp, Peer(Reads(MUCH)), UntilEmpty, Drained, Close, Peer(ReadsToEnd),
        ),
        script!("a paused writer takes what is written all the same":
            Write(MUCH), Drain, GiveUp, Write(MUCH), Write(5), Queue, Drain, Close,
            Peer(ReadsToEnd), Finish,
        ),
        script!("pieces count for the watermark as one does":
            WriteLines(&[1000, MUCH, 1000]), Queue,
            Drain => (WriteLinesPauses, Waits, Done),
            GiveUp, Peer(Reads(MUCH + 2000)), UntilEmpty, Drained, Close, Peer(ReadsToEnd),
        ),
        script!("small writes of a paused writer keep their order":
            Write(MUCH), Drain, GiveUp, Write(1), Write(0), WriteLines(&[2, 3]), Write(4), Queue,
            Peer(Reads(MUCH + 3)), Write(5), Close, Peer(ReadsToEnd),
        ),
        script!("a drain that is given up loses nothing":
            Write(MUCH), Drain, GiveUp, Drain, GiveUp, Drain, Peer(Reads(MUCH)), Finish, Write(5),
            Close, Peer(ReadsToEnd),
        ),
    ]
}

fn ending() -> Vec<Script> {
    vec![
        script!("write_eof ends one direction":
            CanWriteEof, Write(5), WriteEof, IsClosing, Drain, Peer(ReadsToEnd),
            Peer(Writes(5)), ReadExactly(5), IsClosing, Peer(Ends), ReadEnd, IsClosing, Close,
            Closed,
        ),
        script!("write_eof comes behind the queue":
            Write(MUCH), WriteEof, IsClosing, Queue, Drain, Peer(ReadsToEnd), Finish, UntilEmpty,
            IsClosing, Peer(Writes(5)), ReadExactly(5), Close,
        ),
        script!("write_eof is asked for twice":
            Write(5), WriteEof, WriteEof, Peer(ReadsToEnd), WriteEof, IsClosing,
        ),
        script!("write_eof after close does nothing":
            Write(5), Close, WriteEof, Peer(ReadsToEnd), Closed,
        ),
        script!("write_eof after close with a queue does nothing":
            Write(MUCH), Close, WriteEof, Peer(ReadsToEnd), Closed,
        ),
        script!("write_eof after abort does nothing": Abort, WriteEof, IsClosing),
        script!("nothing can be written after write_eof":
            Write(5), WriteEof, Write(1), Write(0), WriteLines(&[1, 1]), WriteLines(&[]),
            Drain, IsClosing, Peer(ReadsToEnd), Write(1), Drain,
        ),
        script!("nothing can be written behind an end that waits in the queue":
            Write(MUCH), WriteEof, Write(1), WriteLines(&[1]), Peer(ReadsToEnd),
        ),
        script!("the peer ends first and goes on reading":
            Peer(Writes(5)), Peer(Ends), ReadExactly(5), ReadEnd, IsClosing, Write(MUCH), Drain,
            Peer(Reads(MUCH)), Finish, Write(5), WriteEof, IsClosing, Peer(ReadsToEnd), Close,
            Closed,
        ),
    ]
}

fn closing() -> Vec<Script> {
    vec![
        script!("close delivers the queue and then ends":
            Write(MUCH), Close, IsClosing, Queue, WaitClosed, Peer(ReadsToEnd), Finish, Queue,
        ),
        script!("close is asked for twice":
            Write(5), Close, Close, Closed, Close, IsClosing, Peer(ReadsToEnd),
        ),
        script!("close after write_eof delivers the queue":
            Write(MUCH), WriteEof, Close, IsClosing, Peer(ReadsToEnd), Closed,
        ),
        script!("close after write_eof ends the other direction":
            Write(5), WriteEof, Peer(ReadsToEnd), Close, IsClosing, ReadEnd, Closed,
        ),
        script!("a drain that waits when the stream is closed succeeds":
            Write(MUCH), Drain, Close, Peer(ReadsToEnd), Finish, Closed,
        ),
        script!("a drain of a closed stream with a queue waits for it":
            Write(MUCH), Close, Drain, Peer(ReadsToEnd), Finish,
        ),
        script!("a drain after a close":
            Write(5), Close, Closed,
            Drain => (CloseIsNoLoss, Done, Lost),
            Peer(ReadsToEnd),
        ),
        script!("reads end with a close":
            Peer(Writes(5)), ReadExactly(5), Close, ReadEnd, IsClosing,
        ),
        script!("a write after a close":
            Write(5), Close, Closed,
            Write(5) => (WriteAfterCloseFails, Lost, Done),
            Write(0) => (WriteAfterCloseFails, Lost, Done),
            Drain => (CloseIsNoLoss, Done, Lost),
            Peer(ReadsToEnd) => (WriteAfterCloseFails, Received(All, Eof), Received(Some, Eof)),
        ),
        script!("pieces after a close":
            Write(5), Close, Closed,
            WriteLines(&[5, 5])
                => (WriteLinesAfterCloseFails, Lost, Crash)
                => (WriteAfterCloseFails, Lost, Done),
            Peer(ReadsToEnd)
                => (WriteLinesAfterCloseFails, Received(All, Eof), Received(All, Eof))
                => (WriteAfterCloseFails, Received(All, Eof), Received(Some, Eof)),
        ),
        script!("a write after a close with a queue":
            Write(MUCH), Close, Peer(Reads(10)),
            Write(5) => (WriteAfterCloseFails, Lost, Done),
            Peer(ReadsToEnd), Closed,
        ),
        script!("pieces after a close with a queue":
            Write(MUCH), Close, Peer(Reads(10)),
            WriteLines(&[5, 5])
                => (WriteLinesAfterCloseFails, Lost, Crash)
                => (WriteAfterCloseFails, Lost, Done),
            Peer(ReadsToEnd)
                => (WriteLinesAfterCloseFails, Received(All, Eof), Received(More, Eof)),
            Closed,
        ),
        script!("watermarks of a stream that closes":
            Write(MUCH), Close, SetLimits { low: Bytes(1), high: Bytes(3) }, Limits, Drain,
            Peer(ReadsToEnd), Finish, SetLimits { low: Bytes(0), high: Bytes(0) }, Limits,
        ),
        script!("a close while the peer sends what is not read":
            Peer(Fills), Write(1000), Close,
            Peer(ReadsToEnd) => (CloseLingers, Received(All, Eof), Received(All, ByReset)),
        ),
    ]
}

fn aborting() -> Vec<Script> {
    vec![
        script!("an abort ends a stream":
            Write(5), Peer(Reads(5)), Abort, IsClosing, Closed, Queue,
            Peer(ReadsToEnd) => (AbortResets, Received(All, ByReset), Received(All, Eof)),
        ),
        script!("an abort is asked for twice":
            Abort, Abort, IsClosing, Closed,
        ),
        script!("a close after an abort does nothing":
            Write(MUCH), Abort, Close, IsClosing, Closed,
            Peer(ReadsToEnd) => (AbortResets, Received(Some, ByReset), Received(Some, Eof)),
        ),
        script!("an abort drops the queue":
            Write(MUCH), Abort, Queue, Closed,
            Peer(ReadsToEnd) => (AbortResets, Received(Some, ByReset), Received(Some, Eof)),
        ),
        script!("an abort after a close drops the queue":
            Write(MUCH), Close, Abort, Queue, Closed,
            Peer(ReadsToEnd) => (AbortResets, Received(Some, ByReset), Received(Some, Eof)),
        ),
        script!("an abort after write_eof drops the queue":
            Write(MUCH), WriteEof, Abort, IsClosing, Queue,
            Peer(ReadsToEnd) => (AbortResets, Received(Some, ByReset), Received(Some, Eof)),
        ),
        script!("an abort after the queue of a closed stream was delivered":
            Write(MUCH), Close, Peer(ReadsToEnd), Closed,
            Abort => (AbortIsAlwaysAllowed, Done, Crash),
            IsClosing, Queue,
        ),
        script!("a drain that waits when the stream is aborted":
            Write(MUCH), Drain, Abort,
            Finish => (AbortIsNoEnd, Lost, Done),
            Drain,
        ),
        script!("a drain after an abort": Write(5), Abort, Closed, Drain),
        script!("a read after an abort":
            Abort, Closed,
            ReadEnd => (AbortIsNoEnd, Lost, Ended),
        ),
        script!("a write after an abort":
            Abort, Closed,
            Write(5) => (WriteAfterCloseFails, Lost, Done),
            Write(0) => (WriteAfterCloseFails, Lost, Done),
            WriteLines(&[5])
                => (WriteLinesAfterCloseFails, Lost, Crash)
                => (WriteAfterCloseFails, Lost, Done),
            Drain,
        ),
    ]
}

fn waiting_for_the_end() -> Vec<Script> {
    vec![
        script!("wait_closed is asked twice":
            Close, Closed, Closed, IsClosing,
        ),
        script!("wait_closed waits for a close":
            WaitClosed, Peer(Ends), ReadEnd, Close, Finish, Closed,
        ),
        script!("wait_closed waits for an abort": WaitClosed, Abort, Finish, Closed),
        script!("wait_closed waits for the queue":
            Write(MUCH), Close, WaitClosed, Peer(Reads(1000)), Peer(ReadsToEnd), Finish,
        ),
        script!("wait_closed is given up and asked again":
            WaitClosed, GiveUp, Close,
            Closed => (WaitClosedCanBeGivenUp, Done, Cancelled),
        ),
        script!("a reset ends wait_closed":
            Write(5), WaitClosed, Peer(Resets), ReadEnd, Finish, Closed,
        ),
    ]
}

fn failing() -> Vec<Script> {
    vec![
        script!("a reset is met by a read, and reported by every call from then on":
            Write(5), IsClosing, Peer(Resets), ReadEnd, IsClosing, Drain, Drain, ReadEnd,
            Closed, Close, Abort, IsClosing, Closed,
            WriteEof => (WriteTellsOfFailures, Reset, Done),
        ),
        script!("a write after a reset":
            Write(5), Peer(Resets), ReadEnd,
            Write(5) => (WriteTellsOfFailures, Reset, Done),
            Write(0) => (WriteTellsOfFailures, Reset, Done),
            WriteLines(&[5])
                => (WriteLinesAfterCloseFails, Reset, Crash)
                => (WriteTellsOfFailures, Reset, Done),
            Drain,
        ),
        script!("a reset ends a drain that waits":
            Write(MUCH), Drain, Peer(Resets),
            Finish => (FailuresAreMetByWriting, BrokenPipe, Reset),
            Drained => (FailuresAreMetByWriting, BrokenPipe, Reset),
            Closed => (FailuresAreMetByWriting, BrokenPipe, Reset),
            IsClosing, Queue,
        ),
        script!("a reset that no call meets":
            Write(5), WaitClosed, Peer(Resets),
            FinishSoon => (FailuresHaveToBeMet, Waits, Reset),
            ReadEnd, Closed,
        ),
        script!("a reset drops the queue of a stream that is closed":
            Write(MUCH), Close, WaitClosed, Peer(Resets), Finish, Closed, Queue,
        ),
        script!("a peer that has closed resets what is written":
            Peer(Closes), ReadEnd, IsClosing,
            WriteUntilItFails => (FailuresHaveReasons, BrokenPipe, Lost),
            IsClosing, Drained, Closed,
            Write(1) => (WriteTellsOfFailures, BrokenPipe, Done),
        ),
        script!("a peer that has closed without reading has reset":
            Write(MUCH), Drain, Peer(Closes),
            Finish => (FailuresAreMetByWriting, BrokenPipe, Reset),
            ReadEnd, IsClosing,
        ),
    ]
}
