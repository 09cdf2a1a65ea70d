//! Says which tasks wait for what, and what is left open.

use std::{fmt, time::Duration};

use crate::{
    trace::event::End,
    world::{
        state::State,
        task::{Slot, Wait},
    },
};

/// Which tasks wait for what, as a sentence.
pub(crate) struct Waiting<'a>(pub(crate) &'a State);

impl fmt::Display for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alive = self.0.tasks.iter().filter(|slot| slot.alive);
        for (index, slot) in alive.enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            Task(self.0, slot).fmt(f)?;
        }
        Ok(())
    }
}

/// The tasks that have not ended and the ends that are not closed, a line each.
pub(crate) fn leaks(state: &State) -> Vec<String> {
    let tasks = state.live_tasks();
    let tasks = tasks.map(|slot| Task(state, slot).to_string());
    let ends = state.open_ends().map(|end| format!("{end} is open"));
    tasks.chain(ends).collect()
}

impl State {
    pub(crate) fn open_ends(&self) -> impl Iterator<Item = End> {
        let connections = self.connections.iter();
        let ends = connections.flat_map(|(number, connection)| {
            let [client, server] = &connection.ends;
            [(client, End::client(number)), (server, End::server(number))]
        });
        ends.filter(|(end, _)| end.is_held()).map(|(_, at)| at)
    }
}

/// What a task is, and what it waits for.
struct Task<'a>(&'a State, &'a Slot);

impl fmt::Display for Task<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(state, slot) = self;
        match slot.number {
            0 => f.write_str("the main task")?,
            number => write!(f, "task {number}")?,
        }
        if state.hosts.len() > 1 {
            write!(f, " on {}", state.hosts[slot.host as usize].name)?;
        }
        for (index, wait) in slot.waits.iter().enumerate() {
            if !slot.waits[..index].contains(wait) {
                f.write_str(if index == 0 { " waits " } else { ", " })?;
                describe(*wait, state, f)?;
            }
        }
        if slot.waits.is_empty() {
            f.write_str(" waits for something else than the network and the clock")?;
        }
        Ok(())
    }
}

fn describe(wait: Wait, state: &State, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match wait {
        Wait::Accept(id) => match state.port(id) {
            Some(port) => write!(f, "to accept at {}", port.address),
            None => f.write_str("to accept at an address that is closed"),
        },
        Wait::Connect(number) => write!(f, "for an answer to connection {number}"),
        Wait::Read(end) => {
            write!(f, "to read as {end}")?;
            describe_ends(end, state, f)
        }
        Wait::Sleep(nanos) => {
            let age = Duration::from_nanos(nanos);
            write!(f, "until the world is {age:?} old")
        }
        Wait::Write(end) => {
            write!(f, "to write as {end}")?;
            describe_ends(end, state, f)
        }
    }
}

fn describe_ends(end: End, state: &State, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match state.connections.get(end.connection) {
        Some(connection) => {
            let [client, server] = &connection.ends;
            write!(f, " ({} to {})", client.address, server.address)
        }
        None => Ok(()),
    }
}
