//! The task of a client, from the accept until its connection is closed.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use millpond_core::Writer;

use super::{
    handler_error::{BoxError, HandlerError, HandlerErrorCause, panic_message},
    log, report,
    serving::{Client, Handling, Service, Serving},
};
use crate::{
    connection::{Connection, Idle, Waiting, Wakers},
    os,
    runtime::Background,
    socket::Socket,
    stream::{Cork, Opened, Stream, StreamReader, StreamWriter, upgrade},
    sync::{
        AtomicWaker,
        atomic::{AtomicBool, Ordering},
    },
    tls::Handshake,
};

impl Serving {
    /// Runs the handler for a connection that was accepted.
    pub(crate) fn serve(self: &Arc<Self>, socket: Box<dyn Socket>) {
        // If this fails, the peer has left already: the handler gets the error.
        if let Some(system) = socket.system_socket() {
            let _ = os::configure(&*system, &self.config.sockets);
        }
        let background = Background::Runtime(self.runtime.clone());
        let place = Some(self.places.take());
        self.places.make_room(self.config.max_connections);
        let options = &self.config.options;
        let opened = options.open_shared(socket, background, place, None);
        let Opened {
            reader,
            writer,
            connection,
            idle,
        } = opened;
        // Accepted while the server was closing: too late.
        let Some(task) = ClientTask::new(self.clone(), connection) else {
            return;
        };
        let id = task.id;
        let handling = match self.config.tls.clone() {
            None => self.hand_on(id, reader, writer),
            Some(handshake) => {
                Box::pin(self.clone().hand_on_over_tls(id, handshake, reader, writer))
            }
        };
        // Rarely there, and each client has room for it for as long as it stays.
        let idle = idle.map(Box::new);
        self.runtime.spawn(Box::pin(task.handle(handling, idle)));
    }

    /// Calls the handler, or lets the stream be taken.
    fn hand_on(&self, id: u64, reader: StreamReader, writer: StreamWriter) -> Handling {
        match &self.config.service {
            Service::Handler(handler) => handler(reader, writer),
            Service::Accept => {
                let connection = writer.connection().clone();
                self.offer(id, Stream::new((reader, writer)));
                Box::pin(async move {
                    poll_fn(|cx| connection.poll_released(cx)).await;
                    Ok(())
                })
            }
        }
    }

    fn offer(&self, id: u64, stream: Stream) {
        let (calls, refused) = self.lock().untaken.offer(id, stream);
        drop(refused);
        calls.wake();
    }

    async fn hand_on_over_tls(
        self: Arc<Self>,
        id: u64,
        handshake: Handshake,
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> Result<(), BoxError> {
        let begun = upgrade(&mut reader, &mut writer, &handshake, Bytes::new()).await;
        if let Err(error) = begun {
            log::handshake_error(&error);
            let peer_addr = writer.extra_info().peer_addr.as_ref();
            self.report(|| (self.config.on_handshake_error)(peer_addr, &error));
            return Ok(());
        }
        self.hand_on(id, reader, writer).await
    }
}

/// The task of a client. Its connection is counted until this is dropped, even by a runtime that shuts down.
struct ClientTask {
    serving: Arc<Serving>,
    id: u64,
    client: Arc<Client>,
}

impl ClientTask {
    /// `None` if the server is closed.
    fn new(serving: Arc<Serving>, connection: Arc<Connection>) -> Option<Self> {
        let client = Arc::new(Client {
            connection,
            cancelled: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        let mut state = serving.lock();
        if state.is_closed() {
            return None;
        }
        let id = state.next_client;
        state.next_client += 1;
        state.clients.insert(id, client.clone());
        if let Service::Accept = serving.config.service {
            state.untaken.expect(id);
        }
        drop(state);
        Some(Self {
            serving,
            id,
            client,
        })
    }

    async fn handle(self, handler: Handling, mut idle: Option<Box<Idle>>) {
        let outcome = self.run(handler, &mut idle).await;
        let connection = &self.client.connection;
        connection.close();
        let cause = match outcome {
            Outcome::Done => None,
            Outcome::Failed(cause) => Some(cause),
            // There is no handler; the owner of the stream finds its error there.
            _ if matches!(self.serving.config.service, Service::Accept) => None,
            Outcome::Cancelled => Some(HandlerErrorCause::Cancelled),
            Outcome::Idle(timeout) => Some(HandlerErrorCause::Idle { timeout }),
        };
        if let Some(cause) = cause {
            let peer_addr = connection.extra_info().peer_addr.clone();
            let client_has_left = match &cause {
                HandlerErrorCause::Failed(error) => report::client_has_left(connection, &**error),
                HandlerErrorCause::Idle { .. } => true,
                HandlerErrorCause::Cancelled | HandlerErrorCause::Panicked(_) => false,
            };
            self.serving.report_handler_error(HandlerError {
                peer_addr,
                cause,
                client_has_left,
            });
        }
        let mut waiting = Waiting::new(connection);
        poll_fn(|cx| {
            if let Some(idle) = &mut idle {
                let _ = idle.poll(connection, cx); // the handler has ended
            }
            connection.poll_until(&mut waiting.ticket, cx, is_closed)
        })
        .await;
    }

    /// Polls the handler until it ends or is cancelled, and drops it.
    async fn run(&self, handler: Handling, idle: &mut Option<Box<Idle>>) -> Outcome {
        let mut handler = AssertUnwindSafe(handler).catch_unwind();
        let client = &*self.client;
        poll_fn(|cx| {
            client.task.register(cx.waker());
            if client.cancelled.load(Ordering::Acquire) {
                return Poll::Ready(Outcome::Cancelled);
            }
            if let Some(idle) = idle {
                if idle.poll(&client.connection, cx).is_ready() {
                    return Poll::Ready(Outcome::Idle(idle.timeout()));
                }
            }
            // The writes of one poll leave together.
            let _cork = Cork::new(client.connection.clone());
            handler.poll_unpin(cx).map(|ended| match ended {
                Ok(Ok(())) => Outcome::Done,
                Ok(Err(error)) => Outcome::Failed(HandlerErrorCause::Failed(error)),
                Err(payload) => {
                    Outcome::Failed(HandlerErrorCause::Panicked(panic_message(&*payload)))
                }
            })
        })
        .await
    }
}

impl Drop for ClientTask {
    fn drop(&mut self) {
        let mut state = self.serving.lock();
        let full = state.clients.len() == self.serving.config.max_connections;
        let client = state.clients.remove(&self.id);
        let (calls, untaken) = state.untaken.withdraw(self.id);
        let waiters = match state.has_ended() {
            true => state.waiters.take(),
            false => Wakers::default(),
        };
        drop(state);
        drop((client, untaken));
        if full {
            self.serving.acceptor.wake();
        }
        waiters.wake();
        calls.wake();
    }
}

impl Serving {
    fn report_handler_error(&self, error: HandlerError) {
        log::handler_error(&error);
        if let HandlerErrorCause::Panicked(message) = &error.cause {
            self.runtime.caught_panic(message);
        }
        self.report(|| (self.config.on_handler_error)(error));
    }

    /// Calls a hook of the program. If it panics, the server goes on: the runtime has printed the panic.
    pub(crate) fn report(&self, hook: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(hook)) {
            self.runtime.caught_panic(&panic_message(&*payload));
        }
    }
}

enum Outcome {
    Done,
    Failed(HandlerErrorCause),
    Cancelled,
    /// Its connection was idle for so long, and it had not finished by itself.
    Idle(Duration),
}

fn is_closed(core: &Writer) -> Poll<()> {
    match core.is_closed() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    }
}
