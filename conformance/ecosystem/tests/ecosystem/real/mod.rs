//! Over real sockets on loopback, on each runtime, plain and over TLS.

mod axum;
mod codecs;
mod copying;
mod curl;
mod gzip;
mod h2load;
mod hyper;
#[cfg(unix)]
mod nginx;
#[cfg(unix)]
mod postgres;
mod program;
mod redis;
mod setup;
mod websocket;

/// A test for each function, on tokio and smol, plain and over TLS.
macro_rules! everywhere {
    ($($name:ident,)*) => {
        crate::real::on!(on_tokio, OnTokio, [$($name,)*]);
        crate::real::on!(on_smol, OnSmol, [$($name,)*]);
    };
}

/// As [`everywhere`], for crates that need tokio itself.
macro_rules! on_tokio {
    ($($name:ident,)*) => {
        crate::real::on!(on_tokio, OnTokio, [$($name,)*]);
    };
}

macro_rules! on {
    ($module:ident, $harness:ident, $names:tt) => {
        mod $module {
            crate::real::on!(@plain $harness, $names);
            crate::real::on!(@tls $harness, $names);
        }
    };
    (@$how:ident $harness:ident, [$($name:ident,)*]) => {
        mod $how {
            use crate::{common::$harness, real::setup};

            $(
                #[test]
                fn $name() {
                    setup::$how::<$harness, _>(stringify!($name), super::super::$name);
                }
            )*
        }
    };
}

pub(crate) use everywhere;
pub(crate) use on;
pub(crate) use on_tokio;
