//! What the programs in `src/bin` share.

use std::{io, net::SocketAddr, sync::Arc};

use clap::{Args, ValueEnum};
use millpond::{Address, Runtime};
use millpond_smol::Smol;
use millpond_tokio::Tokio;

#[cfg(unix)]
pub mod event_loop;
pub mod http1;
pub mod message;
pub mod redis;
pub mod smtp;
pub mod tls;

/// A runtime by its name; the value of `--runtime`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
#[non_exhaustive]
pub enum RuntimeName {
    /// One thread, or as many as the environment variable `SMOL_THREADS` says
    Smol,
    /// As many threads as there are processors
    #[default]
    Tokio,
}

/// The options of every program that connects or listens: on which runtime, and where.
#[derive(Args, Debug)]
#[non_exhaustive]
pub struct On {
    /// The runtime
    #[arg(long, value_enum, default_value_t)]
    pub runtime: RuntimeName,
    /// The host
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
}

/// Runs `program` on a runtime and waits for its end.
///
/// # Errors
///
/// What the program fails with, or why the runtime could not be started.
pub fn run<F, T, E>(name: RuntimeName, program: impl FnOnce(Arc<dyn Runtime>) -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: From<io::Error>,
{
    match name {
        RuntimeName::Smol => smol::block_on(program(Arc::new(Smol))),
        RuntimeName::Tokio => {
            let tokio = tokio::runtime::Runtime::new()?;
            let runtime = Tokio::new(tokio.handle().clone());
            tokio.block_on(program(Arc::new(runtime)))
        }
    }
}

/// An address as Python prints it but for the quotes, such as `("127.0.0.1", 8888)`.
pub fn socket_name(address: &Address) -> String {
    let Address::Tcp(tcp) = address else {
        return format!("{:?}", address.to_string());
    };
    let (ip, port) = (tcp.ip().to_string(), tcp.port());
    match tcp {
        SocketAddr::V4(_) => format!("{:?}", (ip, port)),
        SocketAddr::V6(v6) => format!("{:?}", (ip, port, v6.flowinfo(), v6.scope_id())),
    }
}

// The code of each README is compiled and run with the tests.
#[cfg(doctest)]
mod readme {
    #[doc = include_str!("../../README.md")]
    struct Workspace;
    #[doc = include_str!("../../core/README.md")]
    struct Core;
    #[doc = include_str!("../../adapters/driver/README.md")]
    struct Driver;
    #[doc = include_str!("../../adapters/tokio/README.md")]
    struct OnTokio;
    #[doc = include_str!("../../adapters/smol/README.md")]
    struct OnSmol;
    #[doc = include_str!("../../adapters/sim/README.md")]
    struct Simulator;
    #[doc = include_str!("../../conformance/README.md")]
    struct Conformance;
    #[doc = include_str!("../../adapters/driver/docs/writing_a_protocol.md")]
    struct WritingAProtocol;
}
