//! What is told to `tracing`, when that feature is on: `cargo test -p millpond --features tracing`.

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

/// Keeps the level and the error of each event.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<(Level, String)>>>);

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("millpond")
    }

    fn event(&self, event: &Event<'_>) {
        let mut error = Error(String::new());
        event.record(&mut error);
        let event = (*event.metadata().level(), error.0);
        self.0.lock().unwrap().push(event);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Error(String);

impl Visit for Error {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "error" {
            self.0 = format!("{value:?}");
        }
    }
}

#[test]
fn a_client_that_resets_its_connection_is_an_event_for_who_looks_closely() {
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
        failed.contains("the handler of an unknown peer failed"),
        "{failed}"
    );
}

#[test]
fn handlers_that_fail_and_accepting_that_pauses_are_events() {
    let events = Events::default();
    let seen = events.clone();
    tracing::subscriber::with_default(events, || {
        let world = World::default();
        let handler = async |_, _| Err::<(), _>("it was told to");
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
    assert!(failed.ends_with("failed: it was told to"), "{failed}");
    assert!(pauses.contains("Too many open files"), "{pauses}");
}
