//! What is on the page of a picture, for tests.

use std::collections::BTreeMap;

/// An element of a page that shows something.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) classes: Vec<String>,
    pub(crate) connection: Option<u32>,
    /// Where it begins and where it ends.
    pub(crate) rows: Vec<usize>,
    /// What is written in it.
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn is(&self, class: &str) -> bool {
        self.classes.iter().any(|it| it == class)
    }
}

/// All that have a row, in their order.
pub(crate) fn elements(page: &str) -> Vec<Element> {
    let lines = page.lines().filter(|line| line.contains(" data-r=\""));
    lines.map(element).collect()
}

fn element(line: &str) -> Element {
    let (tag, rest) = line.split_once('>').unwrap();
    let attributes: BTreeMap<&str, &str> = tag
        .split("\" ")
        .filter_map(|it| it.trim_end_matches('"').split_once("=\""))
        .map(|(name, value)| (name.rsplit(' ').next().unwrap(), value))
        .collect();
    let text = rest
        .strip_prefix("<i>")
        .and_then(|it| it.strip_suffix("</i></div>"));
    Element {
        classes: attributes["class"].split(' ').map(str::to_owned).collect(),
        connection: attributes.get("data-c").map(|it| it.parse().unwrap()),
        rows: attributes["data-r"]
            .split(' ')
            .map(|it| it.parse().unwrap())
            .collect(),
        text: unescaped(text.unwrap_or_default()),
    }
}

fn unescaped(html: &str) -> String {
    html.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}
