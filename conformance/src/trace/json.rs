//! Traces as lines of JSON.

use std::{
    fmt,
    io::{self, BufRead, Write},
    str::FromStr,
};

use serde_json::{Map, Value};

use super::{
    hex,
    types::{Answer, Kind, Line, Request, Trace},
};

/// Why a text is not a trace: where, and what was expected there.
///
/// ```
/// use millpond_conformance::trace::Trace;
///
/// let error = "{\"trace\":1,\"limit\":10}\n{\"feed\":\"0A\"}".parse::<Trace>().unwrap_err();
/// assert_eq!(error.line(), 2);
/// assert_eq!(error.to_string(), "line 2: expected lower-case hex in \"feed\", found \"0A\"");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseError {
    line: usize,
    problem: String,
}

impl ParseError {
    /// The number of the line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl Trace {
    /// Reads one trace, up to the end of the input. Empty lines are skipped.
    ///
    /// # Errors
    ///
    /// A [`ParseError`], as `InvalidData`, or that of the input.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_conformance::trace::Trace;
    ///
    /// let trace = Trace::read(&b"{\"trace\":1,\"limit\":10}\n"[..])?;
    /// assert_eq!(trace.limit(), 10);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read(input: impl BufRead) -> io::Result<Self> {
        let traces = Self::read_all(input)?;
        let [trace] = <[Self; 1]>::try_from(traces).map_err(|traces| {
            let problem = format!("expected one trace, found {}", traces.len());
            io::Error::new(io::ErrorKind::InvalidData, problem)
        })?;
        Ok(trace)
    }

    /// Reads traces that follow each other; each begins with its own first line.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_all(input: impl BufRead) -> io::Result<Vec<Self>> {
        let numbered = Self::read_numbered(input)?;
        Ok(numbered.into_iter().map(|(trace, _)| trace).collect())
    }

    /// As [`read_all`](Self::read_all), with the number of each of a trace's lines in the input,
    /// from 1.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_numbered(input: impl BufRead) -> io::Result<Vec<(Self, Vec<usize>)>> {
        let mut traces = Vec::new();
        for (number, text) in input.lines().enumerate() {
            let line = number + 1;
            let in_line =
                |error: io::Error| io::Error::new(error.kind(), format!("line {line}: {error}"));
            let text = text.map_err(in_line)?;
            parse_into(&mut traces, line, &text).map_err(|problem| {
                io::Error::new(io::ErrorKind::InvalidData, ParseError { line, problem })
            })?;
        }
        Ok(traces)
    }

    /// Writes the trace, with a line feed behind each line.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn write(&self, mut output: impl Write) -> io::Result<()> {
        write!(output, "{self}")
    }
}

impl FromStr for Trace {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut traces = Vec::new();
        let mut last = 1;
        for (number, text) in text.lines().enumerate() {
            last = number + 1;
            parse_into(&mut traces, last, text).map_err(|problem| ParseError {
                line: last,
                problem,
            })?;
        }
        <[(Self, _); 1]>::try_from(traces)
            .map(|[(trace, _)]| trace)
            .map_err(|traces| ParseError {
                line: last,
                problem: format!("expected one trace, found {}", traces.len()),
            })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"trace":1,"limit":{}"#, self.limit())?;
        if let Some(cap) = self.cap() {
            write!(f, r#","cap":{cap}"#)?;
        }
        writeln!(f, "}}")?;
        self.lines()
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(request, answer) => write!(f, "{{{request},{answer}}}"),
            Self::Buffered(data) => write!(f, r#"{{"buffered":"{}"}}"#, hex::encode(data)),
            Self::Consume(n) => write!(f, r#"{{"consume":{n}}}"#),
            Self::Fail(kind) => write!(f, r#"{{"fail":{}}}"#, quoted(kind)),
            Self::Feed(data) => write!(f, r#"{{"feed":"{}"}}"#, hex::encode(data)),
            Self::FeedEof => write!(f, r#"{{"feed_eof":true}}"#),
            Self::SetLimit(n) => write!(f, r#"{{"set_limit":{n}}}"#),
        }
    }
}

/// The fields, without braces.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(n) => write!(f, r#""read_exactly":{n}"#),
            Self::Line => write!(f, r#""read_line":true"#),
            Self::Peek(n) => write!(f, r#""peek":{n}"#),
            Self::ToEof => write!(f, r#""read":-1"#),
            Self::Until(needles) => {
                let needles: Vec<_> = needles
                    .iter()
                    .map(|needle| format!("\"{}\"", hex::encode(needle)))
                    .collect();
                write!(f, r#""read_until":[{}]"#, needles.join(","))
            }
            Self::UpTo(n) => write!(f, r#""read":{n}"#),
        }
    }
}

/// The fields, without braces.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CapExceeded { cap } => write!(f, r#""cap_exceeded":{cap}"#),
            Self::Failed(kind) => write!(f, r#""failed":{}"#, quoted(kind)),
            Self::Incomplete { partial, expected } => {
                write!(f, r#""incomplete":"{}","expected":"#, hex::encode(partial))?;
                match expected {
                    Some(n) => write!(f, "{n}"),
                    None => f.write_str("null"),
                }
            }
            Self::Ok(data) => write!(f, r#""ok":"{}""#, hex::encode(data)),
            Self::Overrun { consumed } => write!(f, r#""overrun":true,"consumed":{consumed}"#),
            Self::Pending => write!(f, r#""pending":true"#),
            Self::Ready(n) => write!(f, r#""ready":{n}"#),
        }
    }
}

/// As JSON that can be shown on a terminal.
fn quoted(kind: &Kind) -> String {
    plain(&Value::from(kind.as_str()).to_string())
}

/// What a file says goes to terminals: JSON leaves some control characters as they are, above all the
/// short form of ESC [.
fn plain(json: &str) -> String {
    let mut plain = String::new();
    for character in json.chars() {
        match character.is_control() {
            true => plain += &format!("\\u{:04x}", u32::from(character)),
            false => plain.push(character),
        }
    }
    plain
}

fn parse_into(
    traces: &mut Vec<(Trace, Vec<usize>)>,
    number: usize,
    text: &str,
) -> Result<(), String> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("expected one JSON object, but {error}"))?;
    let Value::Object(fields) = value else {
        return Err(format!("expected a JSON object, found {value}"));
    };
    let mut fields = Fields(fields);
    if fields.0.contains_key("trace") {
        traces.push((fields.header()?, Vec::new()));
    } else {
        let (trace, numbers) = traces
            .last_mut()
            .ok_or("expected the first line of a trace: {\"trace\":1,\"limit\":N}")?;
        trace.try_push(fields.line()?)?;
        numbers.push(number);
    }
    fields.nothing_left()
}

/// One line that is not the first.
pub(crate) fn line(fields: Map<String, Value>) -> Result<Line, String> {
    let mut fields = Fields(fields);
    let line = fields.line()?;
    fields.nothing_left()?;
    Ok(line)
}

/// What came of a request.
pub(crate) fn answer(fields: Map<String, Value>) -> Result<Answer, String> {
    let mut fields = Fields(fields);
    let answer = fields.answer()?;
    fields.nothing_left()?;
    Ok(answer)
}

/// What is left to be understood of a line.
struct Fields(Map<String, Value>);

impl Fields {
    fn header(&mut self) -> Result<Trace, String> {
        match self.take_number("trace")? {
            1 => {}
            other => return Err(format!("expected version 1 in \"trace\", found {other}")),
        }
        if !self.0.contains_key("limit") {
            return Err("expected \"limit\"".to_owned());
        }
        let limit = self.take_number("limit")?;
        if limit == 0 {
            return Err("expected at least 1 in \"limit\", found 0".to_owned());
        }
        let trace = Trace::new(limit);
        Ok(if self.0.contains_key("cap") {
            trace.with_cap(self.take_number("cap")?)
        } else {
            trace
        })
    }

    fn line(&mut self) -> Result<Line, String> {
        let names = [
            "feed",
            "feed_eof",
            "fail",
            "buffered",
            "consume",
            "set_limit",
        ];
        let known = names.into_iter().find(|name| self.0.contains_key(*name));
        Ok(match known {
            Some(name @ "feed") => Line::Feed(self.take_bytes(name)?),
            Some(name @ "feed_eof") => {
                self.take_true(name)?;
                Line::FeedEof
            }
            Some(name @ "fail") => Line::Fail(self.take_kind(name)?),
            Some(name @ "buffered") => Line::Buffered(self.take_bytes(name)?),
            Some(name @ "consume") => Line::Consume(self.take_number(name)?),
            Some(name) => Line::SetLimit(self.take_number(name)?),
            None => Line::Ask(self.request()?, self.answer()?),
        })
    }

    fn request(&mut self) -> Result<Request, String> {
        let names = ["read_until", "read_line", "read_exactly", "read", "peek"];
        let known = names.into_iter().find(|name| self.0.contains_key(*name));
        Ok(match known {
            Some(name @ "read_until") => Request::Until(self.take_needles(name)?),
            Some(name @ "read_line") => {
                self.take_true(name)?;
                Request::Line
            }
            Some(name @ "read_exactly") => Request::Exactly(self.take_number(name)?),
            Some(name @ "read") if self.0[name] == -1 => {
                self.0.remove(name);
                Request::ToEof
            }
            Some(name @ "read") => Request::UpTo(self.take_number(name)?),
            Some(name) => Request::Peek(self.take_number(name)?),
            None => {
                return Err(format!(
                    "expected an input, a request or a statement, found {}",
                    Value::Object(self.0.clone())
                ));
            }
        })
    }

    fn answer(&mut self) -> Result<Answer, String> {
        let names = [
            "ok",
            "pending",
            "incomplete",
            "overrun",
            "failed",
            "ready",
            "cap_exceeded",
        ];
        let known = names.into_iter().find(|name| self.0.contains_key(*name));
        Ok(match known {
            Some(name @ "ok") => Answer::Ok(self.take_bytes(name)?),
            Some(name @ "pending") => {
                self.take_true(name)?;
                Answer::Pending
            }
            Some(name @ "incomplete") => Answer::Incomplete {
                partial: self.take_bytes(name)?,
                expected: match self.0.get("expected") {
                    Some(Value::Null) => {
                        self.0.remove("expected");
                        None
                    }
                    _ => Some(self.take_number("expected")?),
                },
            },
            Some(name @ "overrun") => {
                self.take_true(name)?;
                Answer::Overrun {
                    consumed: self.take_number("consumed")?,
                }
            }
            Some(name @ "failed") => Answer::Failed(self.take_kind(name)?),
            Some(name @ "ready") => Answer::Ready(self.take_number(name)?),
            Some(name) => Answer::CapExceeded {
                cap: self.take_number(name)?,
            },
            None => {
                return Err(format!(
                    "expected what came of the request, one of {}",
                    names.map(|name| format!("\"{name}\"")).join(", ")
                ));
            }
        })
    }

    fn take_number(&mut self, name: &str) -> Result<usize, String> {
        let value = self.take(name)?;
        let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
        number.ok_or_else(|| expected("a number of bytes", name, &value))
    }

    fn take_true(&mut self, name: &str) -> Result<(), String> {
        let value = self.take(name)?;
        if value == true {
            return Ok(());
        }
        Err(expected("true", name, &value))
    }

    fn take_bytes(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let value = self.take(name)?;
        bytes(name, &value)
    }

    fn take_needles(&mut self, name: &str) -> Result<Vec<Vec<u8>>, String> {
        let value = self.take(name)?;
        let Some(needles) = value.as_array() else {
            return Err(expected("a list of separators", name, &value));
        };
        needles.iter().map(|value| bytes(name, value)).collect()
    }

    fn take_kind(&mut self, name: &str) -> Result<Kind, String> {
        let value = self.take(name)?;
        let kind = value.as_str().map(Kind::new);
        kind.ok_or_else(|| expected("the name of a failure", name, &value))
    }

    fn take(&mut self, name: &str) -> Result<Value, String> {
        let value = self.0.remove(name);
        value.ok_or_else(|| format!("expected \"{name}\""))
    }

    fn nothing_left(&self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(name) => Err(format!("expected nothing else, found {name:?}")),
            None => Ok(()),
        }
    }
}

fn bytes(name: &str, value: &Value) -> Result<Vec<u8>, String> {
    let decoded = value.as_str().and_then(hex::decode);
    decoded.ok_or_else(|| expected("lower-case hex", name, value))
}

fn expected(what: &str, name: &str, found: &Value) -> String {
    format!("expected {what} in \"{name}\", found {found}")
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, plain(&self.problem))
    }
}

impl std::error::Error for ParseError {}
