//! The sources of each crate are rooms in an order, and arrows go one way: a room imports only from
//! those below it. The order is in `order.toml`.

mod front;
mod house;
mod order;
mod planted;
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use house::House;
use order::Order;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn table() -> Vec<Order> {
    order::read(include_str!("order.toml"))
}

/// The sources of a crate, but for the files of another one in its folder.
fn files(of: &Order, all: &[Order]) -> Vec<(PathBuf, String)> {
    let folder = root().join(of.folder());
    let mut others: Vec<PathBuf> = all
        .iter()
        .map(|other| root().join(other.folder()))
        .filter(|other| *other != folder && other.starts_with(&folder))
        .collect();
    // Programs of one file.
    others.push(folder.join("bin"));
    let mut files = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend((!others.contains(&path)).then_some(path));
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(&folder).unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    files
}

fn house(of: &Order, all: &[Order]) -> House {
    let name = of.root.file_name().unwrap().to_str().unwrap();
    House::read(name, &files(of, all)).unwrap()
}

#[test]
fn arrows_go_down() {
    let table = table();
    let problems: Vec<String> = table
        .iter()
        .flat_map(|order| order.problems(&house(order, &table)))
        .collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn each_room_begins_with_what_it_is() {
    let table = table();
    for order in &table {
        let house = house(order, &table);
        for room in house.rooms() {
            let file = order.folder().join(house.front_of(room));
            let text = fs::read_to_string(root().join(&file)).unwrap();
            assert!(text.starts_with("//! "), "{}", file.display());
        }
    }
}

#[test]
fn the_driver_has_few_rooms() {
    let table = table();
    let driver = Path::new("adapters/driver/src/lib.rs");
    let order = table.iter().find(|order| order.root == driver).unwrap();
    let rooms = house(order, &table).rooms().len();
    assert!(rooms <= 15, "{rooms}");
}
