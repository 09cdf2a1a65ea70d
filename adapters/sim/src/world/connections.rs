//! The connections of a world, found by number in no time.

use crate::world::link::Connection;

/// Those that are not over.
#[derive(Default)]
pub(crate) struct Connections(
    /// By number. What is over leaves an empty place, which costs less than looking for numbers does.
    Vec<Option<Box<Connection>>>,
);

impl Connections {
    pub(crate) fn get(&self, number: u32) -> Option<&Connection> {
        self.0.get(number as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Connection> {
        self.0.get_mut(number as usize)?.as_deref_mut()
    }

    pub(super) fn insert(&mut self, number: u32, connection: Connection) {
        let place = number as usize;
        if self.0.len() <= place {
            self.0.resize_with(place + 1, || None);
        }
        self.0[place] = Some(Box::new(connection));
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Box<Connection>> {
        self.0.get_mut(number as usize)?.take()
    }

    /// In the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Connection)> {
        let all = (0..).zip(&self.0);
        all.filter_map(|(number, it)| Some((number, it.as_deref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.0.iter_mut().filter_map(Option::as_deref_mut)
    }
}
