//! Sends commands to a Redis server and prints the answers as `redis-cli` does, or prints what is published.
//!
//!     cargo run -p millpond-examples --bin redis_client -- SET name Ada , GET name
//!     cargo run -p millpond-examples --bin redis_client -- --subscribe news

use std::{fmt::Write, io, time::Duration};

use clap::Parser;
use millpond::connect;
use millpond_examples::{
    On,
    redis::{Client, Value},
    run,
};

/// For resolving and connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    on: On,
    #[arg(long, default_value_t = 6379)]
    port: u16,
    /// Version 3 of the protocol
    #[arg(long)]
    resp3: bool,
    /// Prints what is published there, until the server leaves
    #[arg(long, value_name = "CHANNEL", conflicts_with = "words")]
    subscribe: Vec<String>,
    /// Commands, with a comma between them: they are sent together
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    words: Vec<String>,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    run(args.on.runtime, async |runtime| {
        let stream = connect(runtime, (args.on.host, args.port))
            .connect_timeout(CONNECT_TIMEOUT)
            .await?;
        let mut client = Client::new(stream);
        if args.resp3 {
            client.command(["HELLO", "3"]).await?.checked()?;
        }
        if args.subscribe.is_empty() {
            for answer in client
                .pipeline(args.words.split(|word| word == ","))
                .await?
            {
                println!("{}", shown(&answer));
            }
            return Ok(());
        }
        let mut subscription = client.subscribe(&args.subscribe).await?;
        println!("Listening to {}", args.subscribe.join(", "));
        while let Some(message) = subscription.message().await? {
            let (channel, payload) = (message.channel, message.payload);
            println!("{}: {}", channel.escape_ascii(), payload.escape_ascii());
        }
        Ok(())
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(nil)".to_owned(),
        Value::Text(text) => text.clone(),
        Value::Error(text) => format!("(error) {text}"),
        Value::Integer(number) => format!("(integer) {number}"),
        Value::Bulk(data) => format!("\"{}\"", data.escape_ascii()),
        Value::Boolean(truth) => format!("({truth})"),
        Value::Double(number) => format!("(double) {number}"),
        Value::Array(values) | Value::Push(values) => listed(values.iter().map(shown)),
        Value::Map(pairs) => listed(
            pairs
                .iter()
                .map(|(key, value)| format!("{} => {}", shown(key), shown(value))),
        ),
        other => format!("{other:?}"),
    }
}

/// One behind the other, each with its number.
fn listed(values: impl Iterator<Item = String>) -> String {
    let mut list = String::new();
    for (value, number) in values.zip(1..) {
        let indented = value.replace('\n', "\n   ");
        let _ = write!(
            list,
            "{}{number}) {indented}",
            if number > 1 { "\n" } else { "" }
        );
    }
    match list.is_empty() {
        true => "(empty)".to_owned(),
        false => list,
    }
}
