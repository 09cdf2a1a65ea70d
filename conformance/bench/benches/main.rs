//! Benchmarks of millpond beside its peers: `cargo bench -p millpond-bench -- lines`.
//!
//! See the README beside this.

mod adversarial;
mod bulk;
mod connecting;
mod echo;
mod elsewhere;
mod exact;
mod idle;
mod lines;
mod many;
mod measured;
mod memory;
mod plot;
mod separators;
mod stalled;
mod table;
mod tls;
mod traits;
mod write;

use crate::{measured::Measured, table::Options};

type Bench = (&'static str, fn(&Options) -> Vec<Measured>);

/// In the order in which all of them run.
const BENCHES: [Bench; 13] = [
    ("lines", lines::run),
    ("separators", separators::run),
    ("adversarial", adversarial::run),
    ("exact", exact::run),
    ("write", write::run),
    ("traits", traits::run),
    ("echo", echo::run),
    ("many", many::run),
    ("connecting", connecting::run),
    ("bulk", bulk::run),
    ("idle", idle::run),
    ("tls", tls::run),
    ("stalled", stalled::run),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some(idle::CHILD) => return idle::run_child(arguments),
        Some(stalled::CHILD) => return stalled::run_child(arguments),
        _ => {}
    }
    // Cargo passes `--bench` for `cargo bench` and not for `cargo test --all-targets`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("run with: cargo bench -p millpond-bench");
    }
    let options = Options::from_arguments();
    for name in &options.benches {
        assert!(
            BENCHES.iter().any(|(known, _)| known == name),
            "there is no benchmark {name}, only {:?}",
            BENCHES.map(|(known, _)| known)
        );
    }
    let mut tables = Vec::new();
    for (name, run) in BENCHES {
        if options.benches.is_empty() || options.benches.iter().any(|wanted| wanted == name) {
            tables.extend(run(&options));
        }
    }
    if let Some(path) = &options.plot {
        plot::draw(path, &tables);
    }
}
