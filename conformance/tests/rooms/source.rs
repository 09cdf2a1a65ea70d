//! What one source file says: the names it has, and the paths it uses.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, File, Item, ItemMod, ItemUse, Macro, Meta, Path, UseTree, Visibility,
    ext::IdentExt,
    visit::{self, Visit},
};

/// The files and inline modules of one file.
#[derive(Default)]
pub(crate) struct Source {
    /// Behind it, those that stand in it.
    pub(crate) modules: Vec<Module>,
    /// The macros of its that are at the root of the crate.
    pub(crate) exported_macros: Vec<String>,
    /// The modules that are there only for tests, by name.
    pub(crate) test_modules: Vec<String>,
}

/// A module as it is written.
pub(crate) struct Module {
    /// Where it stands in its file; nothing for the file itself.
    pub(crate) inner: Vec<String>,
    pub(crate) names: Vec<(String, Name)>,
    pub(crate) globs: Vec<Vec<String>>,
    pub(crate) uses: Vec<Use>,
}

/// What a name of a module stands for.
pub(crate) enum Name {
    /// Something that is defined there.
    Item,
    /// What another path names.
    Import(Vec<String>),
}

/// A path that stands in a module.
pub(crate) struct Use {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// It is handed on, as by `pub use`.
    pub(crate) handed_on: bool,
}

/// Reads the text of a file. Code that is there only for tests does not count.
///
/// # Errors
///
/// The text is no Rust.
pub(crate) fn read(text: &str) -> syn::Result<Source> {
    let file: File = syn::parse_str(text)?;
    let mut reading = Reading::default();
    reading.module(Vec::new(), &file.items);
    Ok(reading.source)
}

#[derive(Default)]
struct Reading {
    source: Source,
    /// The index of the module that is read.
    here: usize,
}

impl Reading {
    fn module(&mut self, inner: Vec<String>, items: &[Item]) {
        let outside = self.here;
        self.here = self.source.modules.len();
        self.source.modules.push(Module {
            inner,
            names: Vec::new(),
            globs: Vec::new(),
            uses: Vec::new(),
        });
        for item in items {
            self.visit_item(item);
        }
        self.here = outside;
    }

    fn current(&mut self) -> &mut Module {
        &mut self.source.modules[self.here]
    }

    fn has(&mut self, name: String, what: Name) {
        self.current().names.push((name, what));
    }

    fn tree(&mut self, tree: &UseTree, before: &[String], handed_on: bool) {
        match tree {
            UseTree::Path(path) => {
                let longer = [before, &[path.ident.unraw().to_string()]].concat();
                self.tree(&path.tree, &longer, handed_on);
            }
            UseTree::Name(name) => {
                self.import(before, &name.ident, &name.ident, handed_on);
            }
            UseTree::Rename(name) => {
                self.import(before, &name.ident, &name.rename, handed_on);
            }
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.current().globs.push(before.to_vec());
                self.current().uses.push(Use {
                    path: before.to_vec(),
                    line,
                    handed_on,
                });
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, before, handed_on);
                }
            }
        }
    }

    fn import(&mut self, before: &[String], name: &syn::Ident, new: &syn::Ident, handed_on: bool) {
        let mut path = before.to_vec();
        if name != "self" {
            path.push(name.unraw().to_string());
        }
        let new = match new == "self" {
            true => path.last().cloned().unwrap_or_default(),
            false => new.unraw().to_string(),
        };
        self.has(new, Name::Import(path.clone()));
        let line = name.span().start().line;
        self.current().uses.push(Use {
            path,
            line,
            handed_on,
        });
    }

    /// Every path among tokens, whose meaning only a macro knows.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        // Whether `::` stands behind the path so far.
        let mut goes_on = false;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) => {
                    if !goes_on {
                        self.found(&mut path, line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.unraw().to_string());
                    goes_on = false;
                }
                TokenTree::Punct(colon) if colon.as_char() == ':' && is_colon(tokens.peek()) => {
                    tokens.next();
                    goes_on = true;
                }
                TokenTree::Group(group) if goes_on && group.delimiter() == Delimiter::Brace => {
                    let before = std::mem::take(&mut path);
                    for inner in split(group.stream()) {
                        let mut longer = before.clone();
                        longer.extend(inner);
                        self.found(&mut longer, line);
                    }
                    goes_on = false;
                }
                TokenTree::Group(group) => {
                    self.found(&mut path, line);
                    goes_on = false;
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.found(&mut path, line);
                    goes_on = false;
                }
            }
        }
        self.found(&mut path, line);
    }

    fn found(&mut self, path: &mut Vec<String>, line: usize) {
        let path = std::mem::take(path);
        if !path.is_empty() {
            self.current().uses.push(Use {
                path,
                line,
                handed_on: false,
            });
        }
    }
}

impl<'ast> Visit<'ast> for Reading {
    fn visit_item(&mut self, item: &'ast Item) {
        if attributes(item).iter().any(is_for_tests) {
            if let Item::Mod(module) = item {
                self.source
                    .test_modules
                    .push(module.ident.unraw().to_string());
            }
            return;
        }
        if let Some(name) = name_of(item) {
            if is_exported(item) {
                self.source.exported_macros.push(name.clone());
            }
            self.has(name, Name::Item);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if let Some((_, items)) = &module.content {
            let mut inner = self.current().inner.clone();
            inner.push(module.ident.unraw().to_string());
            self.module(inner, items);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let handed_on = !matches!(item.vis, Visibility::Inherited);
        self.tree(&item.tree, &[], handed_on);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let line = path.segments[0].ident.span().start().line;
        let mut segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.unraw().to_string())
            .collect();
        if path.leading_colon.is_none() {
            self.found(&mut segments, line);
        }
        visit::visit_path(self, path);
    }

    // Neither documentation nor visibility is a use.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// Paths between commas.
fn split(tokens: TokenStream) -> Vec<Vec<String>> {
    let mut paths = vec![Vec::new()];
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => paths.last_mut().unwrap().push(ident.unraw().to_string()),
            TokenTree::Punct(comma) if comma.as_char() == ',' => paths.push(Vec::new()),
            TokenTree::Punct(_) | TokenTree::Literal(_) | TokenTree::Group(_) => {}
        }
    }
    paths
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    let condition = list.tokens.to_string();
    let words: Vec<&str> = condition.split(|c: char| !c.is_alphanumeric()).collect();
    list.path.is_ident("cfg")
        && (words.contains(&"test") || words.contains(&"doctest"))
        && !words.contains(&"not")
}

fn is_exported(item: &Item) -> bool {
    let mut attributes = attributes(item).iter();
    attributes.any(|attribute| attribute.path().is_ident("macro_export"))
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(it) => &it.ident,
        Item::Enum(it) => &it.ident,
        Item::Fn(it) => &it.sig.ident,
        Item::Macro(it) => it.ident.as_ref()?,
        Item::Static(it) => &it.ident,
        Item::Struct(it) => &it.ident,
        Item::Trait(it) => &it.ident,
        Item::Type(it) => &it.ident,
        Item::Union(it) => &it.ident,
        // A module is found by its path.
        Item::ExternCrate(_)
        | Item::ForeignMod(_)
        | Item::Impl(_)
        | Item::Mod(_)
        | Item::TraitAlias(_)
        | Item::Use(_)
        | Item::Verbatim(_)
        | _ => return None,
    };
    Some(ident.unraw().to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        Item::ExternCrate(_)
        | Item::ForeignMod(_)
        | Item::TraitAlias(_)
        | Item::Union(_)
        | Item::Verbatim(_)
        | _ => &[],
    }
}
