//! asyncio's writer, in a Python that follows the steps.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    BUFFER, Side,
    deliberate::Version,
    peer::Address,
    step::{Level, Outcome, Step},
};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/python/writer_answers.py"
);

pub(crate) struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) version: Version,
}

impl Python {
    pub(crate) fn start(interpreter: &str) -> Self {
        let mut child = Command::new(interpreter)
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut this = Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            version: (0, 0, 0),
        };
        this.version = serde_json::from_value(this.answer()).unwrap();
        this
    }

    fn ask(&mut self, step: &Value) -> Value {
        writeln!(self.input, "{step}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    fn queue(&mut self) -> Outcome {
        let queued = number(&self.ask(&Step::Queue.to_json()));
        let limits = self.ask(&Step::Limits.to_json());
        Outcome::Queue(Level::of(queued, number(&limits[0]), number(&limits[1])))
    }
}

impl Side for Python {
    fn open(&mut self, address: &Address) {
        let address = match address {
            Address::Port(port) => json!(port),
            Address::Path(path) => json!(path),
        };
        assert_eq!(self.ask(&json!(["open", BUFFER, address])), "done");
    }

    fn does(&mut self, step: Step) -> Outcome {
        if step == Step::Queue {
            return self.queue();
        }
        let answer = self.ask(&step.to_json());
        if let Some(is) = answer.as_bool() {
            return Outcome::Is(is);
        }
        if answer.is_array() {
            let (low, high) = (number(&answer[0]), number(&answer[1]));
            return Outcome::Limits { low, high };
        }
        match answer.as_str() {
            Some("done") => Outcome::Done,
            Some("waits") => Outcome::Waits,
            Some("ended") => Outcome::Ended,
            Some("finished") => Outcome::Finished,
            Some("lost") => Outcome::Lost,
            Some("reset") => Outcome::Reset,
            Some("broken_pipe") => Outcome::BrokenPipe,
            Some("misuse") => Outcome::Misuse,
            Some("cancelled") => Outcome::Cancelled,
            Some("crash") => Outcome::Crash,
            Some("absent") => Outcome::Absent,
            _ => panic!("{step:?}: {answer}"),
        }
    }
}

fn number(value: &Value) -> usize {
    let number = value.as_u64().unwrap_or_else(|| panic!("{value}"));
    usize::try_from(number).unwrap()
}

impl Drop for Python {
    fn drop(&mut self) {
        // It fails if the interpreter has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
