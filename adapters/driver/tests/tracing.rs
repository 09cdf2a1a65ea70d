//! The events that `tracing` gets, when that feature is on: `cargo test -p millpond --features tracing`.

#![cfg(feature = "tracing")]

mod support;

use std::{
    fmt, io,
    sync::{Arc, Mutex},
};

use millpond::{StreamReader, start_server};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::support::world::{World, address};

/// Keeps the level and the text of each event: its message, and its error behind a colon.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<(Level, String)>>>);

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("millpond")
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let text = format!("{}: {}", text.message, text.error);
        self.0
            .lock()
            .unwrap()
            .push((*event.metadata().level(), text));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    error: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "error" => self.error = format!("{value:?}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_client_that_resets_its_connection_is_logged_at_debug_level() {
    let events = Events::default();
    let seen = events.clone();
    tracing::subscriber::with_default(events, || {
        let world = World::default();
        let handler = async |mut reader: StreamReader, _| reader.read_line().await.map(drop);
        let _server = world.serve(start_server(world.runtime(), address(1), handler));
        world.call().fail(io::ErrorKind::ConnectionReset);
        world.settle();
    });
    let seen = seen.0.lock().unwrap();
    let [(level, failed)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!(*level, Level::DEBUG);
    assert!(
        failed.starts_with("client disconnected: the handler for an unknown peer failed: "),
        "{failed}"
    );
}

#[test]
fn failed_handlers_and_accept_errors_are_logged() {
    let events = Events::default();
    let seen = events.clone();
    tracing::subscriber::with_default(events, || {
        let world = World::default();
        let handler = async |_, _| Err::<(), _>("on purpose");
        let _server = world.serve(start_server(world.runtime(), address(1), handler));
        let _peer = world.call();
        world.settle();
        // Too many open files: at first what lingers is closed, and there is no reason to pause.
        for _ in 0..2 {
            world.fail(io::Error::from_raw_os_error(24));
            world.settle();
        }
    });
    let seen = seen.0.lock().unwrap();
    let [(error, failed), (warning, pauses)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!((*error, *warning), (Level::ERROR, Level::WARN));
    let text = "handler failed: the handler for an unknown peer failed: on purpose";
    assert_eq!(failed, text);
    assert!(
        pauses.starts_with("accept failed, pausing: Too many open files"),
        "{pauses}"
    );
}
