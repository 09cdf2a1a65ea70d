//! Finds the first of some needles one byte at a time: Aho–Corasick over a sparse trie, which for
//! a single needle is Knuth–Morris–Pratt.
//!
//! It needs each byte once and remembers everything it must know of the past in one number, so a
//! search can stop at any byte and go on when more has arrived.

use alloc::{boxed::Box, collections::VecDeque, vec, vec::Vec};

use crate::byte_set::ByteSet;

/// What has been matched so far. For a single needle it is the length of the matched prefix.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct State(u32);

impl State {
    /// Nothing that has been seen can be the beginning of a match.
    pub(crate) const ROOT: Self = Self(0);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// Of needles that end together it finds the shortest.
pub(crate) struct Automaton {
    nodes: Box<[Node]>,
    /// All nodes' edges, each node's sorted by byte.
    edges: Box<[Edge]>,
    /// The bytes that lead away from the root.
    first: ByteSet,
    /// Length of the longest needle.
    longest: usize,
}

struct Node {
    /// The node for the longest proper suffix of this one that is in the trie.
    fail: State,
    /// Length of the shortest needle that ends here, or 0.
    needle_len: u32,
    /// How many bytes lead here from the root.
    depth: u32,
    first_edge: u32,
    edge_count: u32,
}

#[derive(Clone, Copy)]
struct Edge {
    byte: u8,
    to: State,
}

impl Automaton {
    /// Panics if the needles are too long for 32-bit node numbers, 4 GiB in all.
    pub(crate) fn new(needles: &[Box<[u8]>]) -> Self {
        let trie = Trie::new(needles);
        let links = trie.links();
        let mut nodes = Vec::with_capacity(trie.nodes.len());
        let mut edges = Vec::with_capacity(trie.nodes.len() - 1);
        for (node, Link { fail, needle_len }) in trie.nodes.iter().zip(links) {
            nodes.push(Node {
                fail,
                needle_len,
                depth: node.depth,
                first_edge: to_u32(edges.len()),
                edge_count: to_u32(node.children.len()),
            });
            edges.extend_from_slice(&node.children);
        }
        let first = trie.nodes[0].children.iter().map(|edge| edge.byte);
        Self {
            first: ByteSet::new(first),
            longest: needles.iter().map(|needle| needle.len()).max().unwrap_or(0),
            nodes: nodes.into(),
            edges: edges.into(),
        }
    }

    /// Length of the longest needle.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Reads `data` from `at` on, in the given state, up to the first match. Of that it does not read the
    /// last byte, so that it finds it again; returns its length.
    pub(crate) fn scan(&self, data: &[u8], at: &mut usize, state: &mut State) -> Option<usize> {
        while *at < data.len() {
            if *state == State::ROOT {
                match self.first.find(&data[*at..]) {
                    Some(skipped) => *at += skipped,
                    None => {
                        *at = data.len();
                        return None;
                    }
                }
            }
            let next = self.next(*state, data[*at]);
            let needle_len = self.node(next).needle_len as usize;
            if needle_len > 0 {
                return Some(needle_len);
            }
            *state = next;
            *at += 1;
        }
        None
    }

    /// The state of one that has read no more than the last `len` bytes.
    pub(crate) fn shortened(&self, mut state: State, len: usize) -> State {
        while self.node(state).depth as usize > len {
            state = self.node(state).fail;
        }
        state
    }

    /// Every failure link shortens what is matched and every byte lengthens it by at most one, so
    /// the links followed are at most as many as the bytes read.
    fn next(&self, mut state: State, byte: u8) -> State {
        loop {
            if let Some(to) = child(self.edges_of(state), byte) {
                return to;
            }
            if state == State::ROOT {
                return State::ROOT;
            }
            state = self.node(state).fail;
        }
    }

    fn node(&self, state: State) -> &Node {
        &self.nodes[state.index()]
    }

    fn edges_of(&self, state: State) -> &[Edge] {
        let node = self.node(state);
        let first = node.first_edge as usize;
        &self.edges[first..first + node.edge_count as usize]
    }
}

#[derive(Default)]
struct Trie {
    /// The first is the root.
    nodes: Vec<TrieNode>,
}

#[derive(Default)]
struct TrieNode {
    /// Sorted by byte.
    children: Vec<Edge>,
    /// Length of the needle that ends here, or 0.
    needle_len: u32,
    depth: u32,
}

/// What is known of a node when all are there.
#[derive(Clone, Copy)]
struct Link {
    /// The node for its longest proper suffix that is in the trie.
    fail: State,
    /// Length of the shortest needle that ends here, or 0.
    needle_len: u32,
}

impl Trie {
    fn new(needles: &[Box<[u8]>]) -> Self {
        let mut trie = Self::default();
        trie.nodes.push(TrieNode::default());
        for needle in needles {
            let mut state = State::ROOT;
            for &byte in needle {
                state = trie.child_or_insert(state, byte);
            }
            trie.nodes[state.index()].needle_len = to_u32(needle.len());
        }
        trie
    }

    fn child_or_insert(&mut self, state: State, byte: u8) -> State {
        let new = State(to_u32(self.nodes.len()));
        let node = &mut self.nodes[state.index()];
        match node.children.binary_search_by_key(&byte, |edge| edge.byte) {
            Ok(at) => node.children[at].to,
            Err(at) => {
                node.children.insert(at, Edge { byte, to: new });
                let depth = node.depth + 1;
                self.nodes.push(TrieNode {
                    depth,
                    ..TrieNode::default()
                });
                new
            }
        }
    }

    /// Breadth first, so that the links of all shorter prefixes are known.
    fn links(&self) -> Vec<Link> {
        let nothing = Link {
            fail: State::ROOT,
            needle_len: 0,
        };
        let mut links = vec![nothing; self.nodes.len()];
        let mut queue: VecDeque<State> = VecDeque::from([State::ROOT]);
        while let Some(state) = queue.pop_front() {
            let node = &self.nodes[state.index()];
            let suffix = links[state.index()].fail;
            // A suffix is shorter, and what ends there ends here, too.
            links[state.index()].needle_len = match links[suffix.index()].needle_len {
                0 => node.needle_len,
                shorter => shorter,
            };
            for edge in &node.children {
                if state != State::ROOT {
                    links[edge.to.index()].fail = self.longest_suffix(&links, suffix, edge.byte);
                }
                queue.push_back(edge.to);
            }
        }
        links
    }

    /// The node for the longest of the suffixes, `suffix` or one of its own, that goes on with `byte`.
    fn longest_suffix(&self, links: &[Link], mut suffix: State, byte: u8) -> State {
        loop {
            if let Some(to) = child(&self.nodes[suffix.index()].children, byte) {
                return to;
            }
            if suffix == State::ROOT {
                return State::ROOT;
            }
            suffix = links[suffix.index()].fail;
        }
    }
}

fn child(edges: &[Edge], byte: u8) -> Option<State> {
    match edges {
        [] => None,
        [edge] => (edge.byte == byte).then_some(edge.to),
        edges => edges
            .binary_search_by_key(&byte, |edge| edge.byte)
            .ok()
            .map(|at| edges[at].to),
    }
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).expect("separators are shorter than 4 GiB in all")
}
