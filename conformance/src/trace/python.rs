//! A CPython that is asked what its asyncio does.

use std::{
    ffi::OsStr,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    compare::UNKNOWN,
    types::{Line, Trace},
};

const SCRIPT: &str = include_str!("../../python/asyncio_answers.py");

/// A CPython, from 3.6 on, that runs conversations on its own `asyncio.StreamReader`.
///
/// It is one process for all of them, and ended when this is dropped.
///
/// # Examples
///
/// ```no_run
/// use millpond_conformance::trace::{Conversations, Python, compare};
///
/// let mut python = Python::start("python3")?;
/// let conversations = Conversations::new(1).with_sets(python.has_sets());
/// let traces: Vec<_> = conversations.take(100).collect();
/// for trace in python.answer(&traces)? {
///     println!("{:?}", compare(&trace));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Python {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    version: String,
    has_sets: bool,
}

impl Python {
    /// Starts the interpreter at this path.
    ///
    /// # Errors
    ///
    /// If it cannot be run, or is not CPython 3.6 or later.
    pub fn start(interpreter: impl AsRef<OsStr>) -> io::Result<Self> {
        let mut child = Command::new(interpreter)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped");
        };
        let mut python = Self {
            child,
            input: Some(input),
            output: BufReader::new(output),
            version: String::new(),
            has_sets: false,
        };
        let hello = python.line()?;
        python.version = hello["version"].as_str().unwrap_or_default().to_owned();
        python.has_sets = hello["sets"] == true;
        Ok(python)
    }

    /// `3.12.1` for instance.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it takes several separators at once.
    pub fn has_sets(&self) -> bool {
        self.has_sets
    }

    /// The same conversations with CPython's answers.
    ///
    /// # Errors
    ///
    /// If a trace asks what this CPython does not have, or the process has ended.
    pub fn answer(&mut self, traces: &[Trace]) -> io::Result<Vec<Trace>> {
        let answered = self.answer_and_pause(traces)?;
        Ok(answered.into_iter().map(|(trace, _)| trace).collect())
    }

    /// As [`answer`](Self::answer), and whether reading was paused after each line.
    ///
    /// # Errors
    ///
    /// As [`answer`](Self::answer).
    pub fn answer_and_pause(&mut self, traces: &[Trace]) -> io::Result<Vec<(Trace, Vec<bool>)>> {
        let conversations = traces
            .iter()
            .map(conversation)
            .collect::<io::Result<Vec<_>>>()?;
        let Some(input) = &mut self.input else {
            unreachable!("it is there until this is dropped");
        };
        let mut text = Value::from(conversations).to_string();
        text.push('\n');
        input.write_all(text.as_bytes())?;
        input.flush()?;
        let answers = self.line()?;
        let answers = answers.as_array().map_or(&[][..], Vec::as_slice);
        if answers.len() != traces.len() {
            return Err(invalid("the interpreter lost a conversation"));
        }
        let pairs = traces.iter().zip(answers);
        let answered = pairs.map(|(trace, came)| {
            let paused = came["paused"].as_array().map_or(&[][..], Vec::as_slice);
            let paused = paused.iter().map(|paused| *paused == true).collect();
            Ok((answered(trace, &came["answers"])?, paused))
        });
        answered.collect()
    }

    fn line(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            return Err(invalid(&format!("the interpreter ended with {status}")));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

fn conversation(trace: &Trace) -> io::Result<Value> {
    if !trace.is_known_to_asyncio() {
        return Err(invalid(UNKNOWN));
    }
    let lines = trace
        .lines()
        .iter()
        .map(|line| serde_json::from_str(&line.to_string()))
        .collect::<Result<Vec<Value>, _>>()?;
    Ok(json!({"limit": trace.limit(), "lines": lines}))
}

fn answered(trace: &Trace, answers: &Value) -> io::Result<Trace> {
    let mut answers = answers.as_array().map_or(&[][..], Vec::as_slice).iter();
    let mut problem = None;
    let answered = trace.with_answers(|line| {
        let parsed = answers
            .next()
            .ok_or_else(|| "the interpreter lost an answer".to_owned())
            .and_then(|answer| parse(line, answer));
        parsed.unwrap_or_else(|error| {
            problem = Some(error);
            line.clone()
        })
    });
    match problem {
        Some(problem) => Err(invalid(&problem)),
        None => Ok(answered),
    }
}

fn parse(line: &Line, answer: &Value) -> Result<Line, String> {
    let Value::Object(answer) = answer.clone() else {
        return Err(format!("expected an answer, found {answer}"));
    };
    match line {
        Line::Ask(request, _) => Ok(Line::Ask(request.clone(), super::json::answer(answer)?)),
        Line::Buffered(_)
        | Line::Consume(_)
        | Line::Fail(_)
        | Line::Feed(_)
        | Line::FeedEof
        | Line::SetLimit(_) => super::json::line(answer),
    }
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

impl Drop for Python {
    fn drop(&mut self) {
        // The end of its input is the end of the script.
        drop(self.input.take());
        // It fails if it has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
