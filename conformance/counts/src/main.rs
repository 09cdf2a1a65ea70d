//! Instructions, allocations and system calls of the hot paths, counted by valgrind and compared with a table that is
//! kept beside this. See the README.

mod connecting;
mod echo;
mod exact;
mod growth;
mod lines;
mod memory;
mod table;
mod traits;
mod valgrind;
mod writes;

use std::process::ExitCode;

use crate::{
    memory::Row,
    table::{Entry, Table},
};

/// What this program is asked for when it runs itself under valgrind, before the names of rows.
const CHILD: &str = "run";

fn rows() -> Vec<Row> {
    let mut rows = lines::rows();
    rows.extend(exact::rows());
    rows.extend(writes::rows());
    rows.extend(growth::rows());
    rows.extend(traits::rows());
    rows.extend(echo::rows());
    rows.extend(connecting::rows());
    rows
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [CHILD, ref names @ ..] => {
            run(names);
            ExitCode::SUCCESS
        }
        ["--table"] => {
            let counted = count(&rows());
            Table::new(counted).write();
            ExitCode::SUCCESS
        }
        ref parts => check(parts),
    }
}

/// Compares the rows whose names have one of these parts, or all.
fn check(parts: &[&str]) -> ExitCode {
    let wanted = |row: &Row| parts.is_empty() || parts.iter().any(|part| row.name.contains(part));
    let rows: Vec<Row> = rows().into_iter().filter(wanted).collect();
    let known = Table::read();
    let mut failed = false;
    for entry in count(&rows) {
        let verdict = known.judge(&entry);
        println!("{entry} {verdict}");
        failed |= verdict.fails();
    }
    if parts.is_empty() {
        for name in known
            .names()
            .filter(|name| rows.iter().all(|row| row.name != *name))
        {
            println!("| {name} | is in the table alone |");
            failed = true;
        }
    }
    if failed {
        println!("\nIf this is meant, renew the table: conformance/counts/run --table");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A unit's share of the second pass of each row. The first one makes what is made once.
fn count(rows: &[Row]) -> Vec<Entry> {
    let names = rows.iter().map(|row| &row.name[..]);
    let parts = valgrind::parts([CHILD].into_iter().chain(names));
    assert_eq!(parts.len(), 2 * rows.len(), "callgrind has lost parts");
    rows.iter()
        .zip(parts.chunks(2))
        .map(|(row, passes)| Entry {
            name: row.name.clone(),
            per: row.per.into(),
            instructions: passes[1].instructions as f64 / row.units as f64,
            allocations: passes[1].allocations as f64 / row.units as f64,
            system_calls: passes[1].system_calls as f64 / row.units as f64,
        })
        .collect()
}

fn run(names: &[&str]) {
    for row in &mut rows() {
        if names.contains(&&row.name[..]) {
            for _ in 0..2 {
                let found = (row.pass)();
                assert_eq!(found, row.units, "{} counts something else", row.name);
                valgrind::end_of_part();
            }
        }
    }
}
