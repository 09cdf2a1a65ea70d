//! From the parser alone to a client in a world in which everything may fail.

mod cuts;
mod script;
mod worlds;

use bytes::Bytes;

use super::Value;

fn bulk(text: &str) -> Value {
    Value::Bulk(Bytes::copy_from_slice(text.as_bytes()))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
