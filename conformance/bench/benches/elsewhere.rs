//! The same servers in other languages, as processes of their own. What is not installed is left out, and a line says so.

use std::{
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{ChildStdin, Command, Stdio},
};

use tempfile::TempDir;

/// Servers that run as long as this.
#[derive(Default)]
pub(crate) struct Elsewhere {
    servers: Vec<(&'static str, SocketAddr)>,
    /// They end with them.
    inputs: Vec<ChildStdin>,
}

impl Elsewhere {
    pub(crate) fn start() -> Self {
        let mut this = Self::default();
        let python = env::var("MILLPOND_PYTHON").unwrap_or_else(|_| "python3".into());
        let script = sources().join("echo.py");
        this.add("asyncio start_server", Command::new(&python).arg(&script));
        let uvloop = "asyncio start_server on uvloop";
        this.add(uvloop, Command::new(&python).arg(&script).arg("uvloop"));

        let directory = TempDir::new().unwrap();
        let program = directory.path().join("echo");
        let mut build = Command::new("go");
        build.arg("build").arg("-o").arg(&program);
        // Whether it has succeeded, is found when it is started.
        let _ = build.arg(sources().join("echo.go")).status();
        this.add("Go bufio, flushed when idle", &mut Command::new(program));
        this
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        self.servers.iter().copied()
    }

    fn add(&mut self, name: &'static str, command: &mut Command) {
        match started(command) {
            None => println!("({name}: not installed, so not measured)"),
            Some((port, input)) => {
                self.servers.push((name, ([127, 0, 0, 1], port).into()));
                self.inputs.push(input);
            }
        }
    }
}

fn sources() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/elsewhere"))
}

/// Its port, which it prints first.
fn started(command: &mut Command) -> Option<(u16, ChildStdin)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?)
        .read_line(&mut line)
        .ok()?;
    Some((line.trim().parse().ok()?, child.stdin.take()?))
}
