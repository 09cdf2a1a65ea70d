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
}

pub(crate) enum Step {
    /// A needle of `len` bytes ends at `end`.
    Match { end: usize, len: usize },
    /// No needle has ended. Go on from here.
    More(State),
}

/// Invariant: no needle contains another one, so at most one needle ends at any byte, and no
/// failure link of an inner node leads to the end of a needle.
pub(crate) struct Automaton {
    nodes: Box<[Node]>,
    /// All nodes' edges, each node's sorted by byte.
    edges: Box<[Edge]>,
    /// The bytes that lead away from the root.
    first: ByteSet,
}

struct Node {
    /// The node for the longest proper suffix of this one that is in the trie.
    fail: State,
    /// Length of the needle that ends here, or 0.
    needle_len: u32,
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
        let fail = trie.failure_links();
        let mut nodes = Vec::with_capacity(trie.children.len());
        let mut edges = Vec::with_capacity(trie.children.len() - 1);
        for (children, (fail, needle_len)) in
            trie.children.iter().zip(fail.iter().zip(&trie.needle_len))
        {
            nodes.push(Node {
                fail: *fail,
                needle_len: *needle_len,
                first_edge: to_u32(edges.len()),
                edge_count: to_u32(children.len()),
            });
            edges.extend_from_slice(children);
        }
        let first = trie.children[0].iter().map(|edge| edge.byte);
        Self {
            first: ByteSet::new(first),
            nodes: nodes.into(),
            edges: edges.into(),
        }
    }

    /// Reads `data` from `at` on, in the given state, up to the first match.
    pub(crate) fn scan(&self, data: &[u8], mut at: usize, mut state: State) -> Step {
        while at < data.len() {
            if state == State::ROOT {
                match self.first.find(&data[at..]) {
                    Some(skipped) => at += skipped,
                    None => return Step::More(State::ROOT),
                }
            }
            state = self.next(state, data[at]);
            at += 1;
            let needle_len = self.node(state).needle_len as usize;
            if needle_len > 0 {
                return Step::Match {
                    end: at,
                    len: needle_len,
                };
            }
        }
        Step::More(state)
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
        &self.nodes[state.0 as usize]
    }

    fn edges_of(&self, state: State) -> &[Edge] {
        let node = self.node(state);
        let first = node.first_edge as usize;
        &self.edges[first..first + node.edge_count as usize]
    }
}

struct Trie {
    /// Each node's edges, sorted by byte.
    children: Vec<Vec<Edge>>,
    /// For each node the length of the needle that ends there, or 0.
    needle_len: Vec<u32>,
}

impl Trie {
    fn new(needles: &[Box<[u8]>]) -> Self {
        let mut trie = Self {
            children: vec![Vec::new()],
            needle_len: vec![0],
        };
        for needle in needles {
            let mut state = State::ROOT;
            for &byte in needle {
                state = trie.child_or_insert(state, byte);
            }
            trie.needle_len[state.0 as usize] = to_u32(needle.len());
        }
        trie
    }

    fn child_or_insert(&mut self, state: State, byte: u8) -> State {
        let new = State(to_u32(self.children.len()));
        let edges = &mut self.children[state.0 as usize];
        match edges.binary_search_by_key(&byte, |edge| edge.byte) {
            Ok(at) => edges[at].to,
            Err(at) => {
                edges.insert(at, Edge { byte, to: new });
                self.children.push(Vec::new());
                self.needle_len.push(0);
                new
            }
        }
    }

    /// Breadth first, so that the links of all shorter prefixes are known.
    fn failure_links(&self) -> Vec<State> {
        let mut fail = vec![State::ROOT; self.children.len()];
        let mut queue: VecDeque<State> = self.children[0].iter().map(|edge| edge.to).collect();
        while let Some(state) = queue.pop_front() {
            for edge in &self.children[state.0 as usize] {
                let mut suffix = fail[state.0 as usize];
                fail[edge.to.0 as usize] = loop {
                    if let Some(to) = child(&self.children[suffix.0 as usize], edge.byte) {
                        break to;
                    }
                    if suffix == State::ROOT {
                        break State::ROOT;
                    }
                    suffix = fail[suffix.0 as usize];
                };
                queue.push_back(edge.to);
            }
        }
        fail
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
