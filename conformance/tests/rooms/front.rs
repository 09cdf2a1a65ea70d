//! The front page of an adapter has few names: those that programs write.

use std::{collections::BTreeSet, fs};

use syn::{Ident, Item, UseTree, Visibility};

use crate::root;

/// With all features, modules included. What calls only take and return belongs in
/// `adapter/front/types.rs`, an error in `error.rs` beside it.
const MOST: usize = 49;

#[test]
fn the_root_of_an_adapter_has_few_names() {
    let mut names = public("adapters/driver/src/adapter/front/mod.rs");
    names.extend(public("adapters/tokio/src/lib.rs"));
    names.extend(made_by_the_macro());
    for asked in ["Tokio", "StreamReader", "spawn", "from_tokio", "types"] {
        assert!(names.contains(asked), "{asked} is not found");
    }
    assert!(names.len() <= MOST, "{} names: {names:#?}", names.len());
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// The public names of a file, but for what globs bring.
fn public(file: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in syn::parse_file(&read(file)).unwrap().items {
        let name: (&Visibility, &Ident) = match &item {
            Item::Const(it) => (&it.vis, &it.ident),
            Item::Enum(it) => (&it.vis, &it.ident),
            Item::Fn(it) => (&it.vis, &it.sig.ident),
            Item::Mod(it) => (&it.vis, &it.ident),
            Item::Struct(it) => (&it.vis, &it.ident),
            Item::Trait(it) => (&it.vis, &it.ident),
            Item::Type(it) => (&it.vis, &it.ident),
            Item::Use(it) if is_public(&it.vis) => {
                leaves(&it.tree, &mut names);
                continue;
            }
            Item::ExternCrate(_)
            | Item::ForeignMod(_)
            | Item::Impl(_)
            | Item::Macro(_)
            | Item::Static(_)
            | Item::TraitAlias(_)
            | Item::Union(_)
            | Item::Use(_)
            | Item::Verbatim(_)
            | _ => continue,
        };
        if is_public(name.0) {
            names.insert(name.1.to_string());
        }
    }
    names
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn leaves(tree: &UseTree, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => leaves(&path.tree, names),
        UseTree::Name(name) => drop(names.insert(name.ident.to_string())),
        UseTree::Rename(name) => drop(names.insert(name.rename.to_string())),
        UseTree::Glob(_) => {}
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, names)),
    }
}

/// The functions that every adapter has from `functions!`.
fn made_by_the_macro() -> Vec<String> {
    let text = read("adapters/driver/src/adapter/functions.rs");
    let names = text.split("pub fn ").skip(1);
    let end = |rest: &str| rest.find(['(', '<']).expect("a function");
    names.map(|rest| rest[..end(rest)].to_owned()).collect()
}
