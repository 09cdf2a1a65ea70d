//! What a runtime or a socket of a test does without.

/// The methods of a [`Runtime`](millpond::Runtime) that should not be called: they give this error.
#[allow(unused_macros, reason = "those of the driver lack nothing")]
macro_rules! lacks {
    (@connect $error:expr) => {
        fn connect<'a>(
            &'a self,
            _: &'a millpond::Address,
            _: &'a millpond::adapter::ConnectOptions,
        ) -> millpond::adapter::BoxFuture<'a, std::io::Result<Box<dyn millpond::adapter::Socket>>> {
            Box::pin(async { Err($error) })
        }
    };
    (@bind $error:expr) => {
        fn bind(
            &self,
            _: &millpond::Address,
            _: &millpond::adapter::ListenOptions,
        ) -> std::io::Result<Box<dyn millpond::adapter::Bound>> {
            Err($error)
        }
    };
    (@adopt $error:expr) => {
        fn adopt(&self, _: millpond::adapter::StdSocket) -> std::io::Result<Box<dyn millpond::adapter::Socket>> {
            Err($error)
        }
    };
    (@adopt_listener $error:expr) => {
        fn adopt_listener(
            &self,
            _: millpond::adapter::StdListener,
        ) -> std::io::Result<Box<dyn millpond::adapter::Listener>> {
            Err($error)
        }
    };
    (@resolve $error:expr) => {
        fn resolve<'a>(
            &'a self,
            _: &'a millpond::adapter::Lookup,
        ) -> millpond::adapter::BoxFuture<'a, std::io::Result<Vec<std::net::SocketAddr>>> {
            Box::pin(async { Err($error) })
        }
    };
    ($error:expr; $($method:ident)*) => {
        $( lacks! { @$method $error } )*
    };
}

/// The methods of a [`Socket`](millpond::adapter::Socket) that takes everything and gives nothing.
#[allow(unused_macros, reason = "not every test has such a socket")]
macro_rules! swallows {
    () => {
        fn poll_read(
            &self,
            _: &mut std::task::Context<'_>,
            _: &mut [u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::task::Poll::Ready(Ok(0))
        }

        fn poll_write(
            &self,
            _: &mut std::task::Context<'_>,
            buf: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::task::Poll::Ready(Ok(buf.len()))
        }

        fn poll_close(
            &self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
    };
}

#[allow(unused_imports, reason = "not every test has such a socket")]
pub(crate) use {lacks, swallows};
