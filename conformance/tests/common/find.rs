//! Programs that are not Rust, and may not be there.

use std::{
    env, fs,
    process::{Command, Output},
};

/// What to run for `name`. `None` if it is not there, and is not required.
pub(crate) fn find(name: &str) -> Option<String> {
    // There are other programs of the name `nc`, which have other options.
    let (argument, signature) = match name {
        "curl" => ("--version", "curl "),
        "h2load" => ("--version", "h2load nghttp2/"),
        "nc" => ("-h", "OpenBSD netcat"),
        "nginx" => ("-v", "nginx/"),
        "openssl" => ("version", "OpenSSL "),
        "postgres" => ("--version", "postgres (PostgreSQL) "),
        "python3" => ("--version", "Python 3"),
        "redis-server" => ("--version", "Redis server "),
        "socat" => ("-V", "socat version"),
        _ => panic!("{name} is not known"),
    };
    let chosen = env::var("MILLPOND_PYTHON")
        .ok()
        .filter(|_| name == "python3");
    let required = env::var("MILLPOND_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|required| required.trim() == name));
    let must_be_there = chosen.is_some() || required;
    let program = chosen
        .or_else(|| debian_postgres().filter(|_| name == "postgres"))
        .unwrap_or_else(|| name.to_owned());
    match Command::new(&program).arg(argument).output() {
        Ok(output) if says(&output, signature) => Some(program),
        problem if must_be_there => panic!("{program} cannot be run: {problem:?}"),
        _ => {
            eprintln!("skipped: there is no {program}");
            None
        }
    }
}

/// Debian has each version in a folder that is in no path.
fn debian_postgres() -> Option<String> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let program = versions
        .flatten()
        .map(|it| it.path().join("bin/postgres"))
        .max()?;
    Some(program.to_str()?.to_owned())
}

fn says(output: &Output, signature: &str) -> bool {
    [&output.stdout, &output.stderr]
        .into_iter()
        .any(|text| String::from_utf8_lossy(text).contains(signature))
}
