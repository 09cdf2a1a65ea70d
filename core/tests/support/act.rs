//! What can happen to a writer, done to it and to its plain model.

use std::collections::VecDeque;

use bytes::Bytes;
use millpond_core::{Transmit, TransportError, WriteError, Writer};

/// Low and high ones that are worth trying.
pub(crate) const WATERMARKS: [(usize, usize); 8] = [
    (0, 0),
    (0, 1),
    (1, 1),
    (10, 40),
    (40, 40),
    (5_000, 9_000),
    (0, usize::MAX),
    (usize::MAX, usize::MAX),
];

/// Something that happens to a writer.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Abort,
    Close,
    Ended,
    Eof,
    Fail,
    PollEvent,
    Sent(usize),
    /// All of the first chunk.
    SentChunk,
    /// A low watermark, and how far the high one is above it.
    SetWatermarks(usize, usize),
    Write(usize),
    WriteBytes(usize),
}

/// The writer as a reference: what was asked for and what was reported, and the bytes.
#[derive(Debug)]
pub(crate) struct WriterModel {
    pub(crate) queue: VecDeque<u8>,
    pub(crate) low: usize,
    pub(crate) high: usize,
    cap: Option<usize>,
    paused: bool,
    eof_asked: bool,
    eof_sent: bool,
    close_asked: bool,
    abort_asked: bool,
    closed: bool,
    error: Option<TransportError>,
    /// The next byte to be written, so that each differs from its neighbours.
    next: u8,
}

impl WriterModel {
    pub(crate) fn new(low: usize, high: usize, cap: Option<usize>) -> Self {
        Self {
            queue: VecDeque::new(),
            low,
            high,
            cap,
            paused: false,
            eof_asked: false,
            eof_sent: false,
            close_asked: false,
            abort_asked: false,
            closed: false,
            error: None,
            next: 0,
        }
    }

    pub(crate) fn writable(&self) -> Result<(), WriteError> {
        match &self.error {
            Some(error) => Err(WriteError::Transport(error.clone())),
            None if self.close_asked || self.abort_asked => Err(WriteError::Closed),
            None if self.eof_asked => Err(WriteError::Finished),
            None => Ok(()),
        }
    }

    fn accepts(&self, len: usize) -> Result<(), WriteError> {
        self.writable()?;
        match self.cap {
            Some(cap) if len > 0 && self.queue.len() + len > cap => {
                Err(WriteError::CapExceeded { cap })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn is_over(&self) -> bool {
        self.closed || self.error.is_some()
    }

    /// The step that ends something, if it is time for one.
    fn end_step(&self) -> Option<Transmit<'static>> {
        if self.is_over() || !self.queue.is_empty() {
            None
        } else if self.abort_asked {
            Some(Transmit::Abort)
        } else if self.close_asked {
            Some(Transmit::Close)
        } else if self.eof_asked && !self.eof_sent {
            Some(Transmit::Shutdown)
        } else {
            None
        }
    }

    fn ended(&mut self) {
        if self.abort_asked || self.close_asked {
            self.closed = true;
        } else {
            self.eof_sent = true;
        }
    }

    /// The next `len` bytes to write; they are queued if that is allowed.
    fn write(&mut self, len: usize) -> Vec<u8> {
        let data: Vec<u8> = (0..len)
            .map(|_| {
                self.next = (self.next + 1) % 251;
                self.next
            })
            .collect();
        if self.accepts(len).is_ok() {
            self.queue.extend(&data);
            self.paused |= self.queue.len() > self.high;
        }
        data
    }

    fn sent(&mut self, n: usize) -> Vec<u8> {
        let sent = self.queue.drain(..n).collect();
        self.paused &= self.queue.len() > self.low;
        sent
    }

    fn set_watermarks(&mut self, low: usize, high: usize) {
        (self.low, self.high) = (low, high);
        let len = self.queue.len();
        self.paused = len > high || (self.paused && len > low);
    }

    fn forget_queue(&mut self) {
        self.queue.clear();
        self.paused = false;
    }
}

/// Does the same to both.
pub(crate) fn act(writer: &mut Writer, model: &mut WriterModel, act: &Act) {
    match act {
        Act::Abort => {
            writer.abort();
            if !model.is_over() && !model.abort_asked {
                model.abort_asked = true;
                model.forget_queue();
            }
        }
        Act::Close => {
            writer.close();
            model.close_asked |= !model.abort_asked && !model.is_over();
        }
        Act::Ended if model.end_step().is_some() => {
            writer.ended();
            model.ended();
        }
        Act::Eof => {
            writer.write_eof();
            model.eof_asked |= model.writable().is_ok();
        }
        Act::Fail => fail(writer, model),
        Act::Sent(n) => send(writer, model, n % (model.queue.len() + 1)),
        Act::SentChunk => {
            let n = writer.chunks().next().map_or(0, <[u8]>::len);
            send(writer, model, n);
        }
        Act::SetWatermarks(low, more) => {
            let (low, high) = (*low, low.saturating_add(*more));
            writer.set_watermarks(low, high);
            model.set_watermarks(low, high);
            assert_eq!(writer.watermarks(), (low, high));
        }
        Act::Write(len) => {
            let allowed = model.accepts(*len);
            assert_eq!(writer.accepts(*len), allowed);
            assert_eq!(writer.write(&model.write(*len)), allowed);
        }
        Act::WriteBytes(len) => {
            let allowed = model.accepts(*len);
            let data = Bytes::from(model.write(*len));
            assert_eq!(writer.write_bytes(data), allowed);
        }
        Act::Ended | Act::PollEvent => {}
    }
}

fn send(writer: &mut Writer, model: &mut WriterModel, n: usize) {
    let front = writer.chunks().flatten().copied().take(n);
    assert_eq!(front.collect::<Vec<u8>>(), model.sent(n));
    writer.sent(n);
}

fn fail(writer: &mut Writer, model: &mut WriterModel) {
    let error = TransportError::new("reset");
    writer.fail(error.clone());
    if !model.is_over() {
        model.error = Some(error);
        model.forget_queue();
    }
}

pub(crate) fn assert_same(writer: &mut Writer, model: &mut WriterModel) {
    let chunks: Vec<&[u8]> = writer.chunks().collect();
    assert!(chunks.iter().all(|chunk| !chunk.is_empty()));
    assert_eq!(chunks.concat(), *model.queue.make_contiguous());
    let first = chunks.first().map(|chunk| chunk.to_vec());
    assert_eq!(writer.queued(), model.queue.len());
    assert!(model.cap.is_none_or(|cap| writer.queued() <= cap));
    assert_eq!(writer.writable(), model.writable());
    assert_eq!(writer.is_paused(), model.paused);
    assert_eq!(writer.error(), model.error.as_ref());
    assert_eq!(writer.is_closed(), model.is_over());
    let closing = model.close_asked || model.abort_asked || model.error.is_some();
    assert_eq!(writer.is_closing(), closing);
    assert_eq!(
        writer.is_aborted(),
        model.abort_asked && model.error.is_none()
    );
    for _ in 0..2 {
        let data = first.as_deref().map(Transmit::Data);
        let expected = data.or_else(|| model.end_step());
        assert_eq!(
            writer.poll_transmit(),
            expected,
            "the same until it is done"
        );
    }
}

pub(crate) fn writer_and_model(
    (low, high): (usize, usize),
    cap: Option<usize>,
) -> (Writer, WriterModel) {
    let mut writer = Writer::with_watermarks(low, high);
    if let Some(cap) = cap {
        writer = writer.with_cap(cap);
    }
    (writer, WriterModel::new(low, high, cap))
}
