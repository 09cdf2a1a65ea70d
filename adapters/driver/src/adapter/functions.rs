//! The functions of an adapter that know its runtime.

/// Makes the functions of this crate that take a runtime for a crate that has one: the same, without
/// that argument.
///
/// The arguments are the name of the crate, for the documentation, what makes an `Arc<dyn Runtime>`,
/// and the documentation of its panics.
///
/// # Examples
///
/// How `millpond-smol` begins:
///
/// ```text
/// pub use millpond::adapter::front::*;
///
/// millpond::adapter::functions!("millpond_smol", std::sync::Arc::new(Smol));
/// ```
#[doc(hidden)] // it is `adapter::functions`
#[macro_export]
macro_rules! __functions {
    ($name:literal, $runtime:expr $(, $(#[doc = $panics:literal])+)?) => {
        /// [`millpond::open_connection`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let (mut reader, mut writer) = ", $name, "::open_connection((\"example.org\", 79)).await?;")]
        /// # Ok(()) }
        /// ```
        #[track_caller]
        pub fn open_connection(target: impl Into<$crate::Target>) -> $crate::types::OpenConnection {
            $crate::open_connection($runtime, target)
        }

        /// [`millpond::connect`](fn@millpond::connect) on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let mut stream = ", $name, "::connect((\"example.org\", 79)).await?;")]
        /// # Ok(()) }
        /// ```
        #[track_caller]
        pub fn connect(target: impl Into<$crate::Target>) -> $crate::types::Connect {
            $crate::connect($runtime, target)
        }

        /// [`millpond::start_server`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let server = ", $name, "::start_server(\"127.0.0.1:17\", async |_, mut writer| {")]
        ///     writer.write(b"be excellent to each other\n")
        /// })
        /// .await?;
        /// server.serve_forever().await?;
        /// # Ok(()) }
        /// ```
        #[track_caller]
        pub fn start_server<H, F>(
            target: impl Into<$crate::Target>,
            handler: H,
        ) -> $crate::types::StartServer
        where
            H: Fn($crate::StreamReader, $crate::StreamWriter) -> F // `start_server_with` takes what it captures
                + Send
                + Sync
                + 'static,
            F: Future<Output: $crate::types::HandlerOutput> + Send + 'static,
        {
            $crate::start_server($runtime, target, handler)
        }

        /// [`millpond::start_server_with`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        /// let motd: std::sync::Arc<str> = "be excellent to each other\n".into();
        #[doc = concat!("let server = ", $name, "::start_server_with(motd, \"127.0.0.1:17\", async |motd, _, mut writer| {")]
        ///     writer.write(motd.as_bytes())
        /// })
        /// .await?;
        /// # Ok(()) }
        /// ```
        #[track_caller]
        pub fn start_server_with<S, H, F>(
            state: S,
            target: impl Into<$crate::Target>,
            handler: H,
        ) -> $crate::types::StartServer
        where
            S: Clone + Send + Sync + 'static,
            H: Fn(S, $crate::StreamReader, $crate::StreamWriter) -> F + Send + Sync + 'static,
            F: Future<Output: $crate::types::HandlerOutput> + Send + 'static,
        {
            $crate::start_server_with($runtime, state, target, handler)
        }

        /// [`millpond::listen`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let server = ", $name, "::listen(\"127.0.0.1:17\").await?;")]
        /// while let Some(mut stream) = server.accept().await {
        ///     stream.write("be excellent to each other\n")?;
        /// }
        /// # Ok(()) }
        /// ```
        #[track_caller]
        pub fn listen(target: impl Into<$crate::Target>) -> $crate::types::StartServer {
            $crate::listen($runtime, target)
        }

        /// [`millpond::StreamServer::new`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let mut server = ", $name, "::stream_server(\"127.0.0.1:17\", async |mut stream| {")]
        ///     stream.write(b"be excellent to each other\n")
        /// });
        /// server.serve_forever().await?;
        /// # Ok(()) }
        /// ```
        #[track_caller]
        pub fn stream_server<H, F>(
            target: impl Into<$crate::Target>,
            handler: H,
        ) -> $crate::StreamServer
        where
            H: Fn($crate::Stream) -> F + Send + Sync + 'static,
            F: Future<Output: $crate::types::HandlerOutput> + Send + 'static,
        {
            $crate::StreamServer::new($runtime, target, handler)
        }

        /// [`millpond::open_unix_connection`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let (mut reader, mut writer) = ", $name, "::open_unix_connection(\"/run/motd.sock\").await?;")]
        /// # Ok(()) }
        /// ```
        #[cfg(unix)]
        #[track_caller]
        pub fn open_unix_connection(path: impl AsRef<std::path::Path>) -> $crate::types::OpenConnection {
            $crate::open_unix_connection($runtime, path)
        }

        /// [`millpond::connect_unix`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let mut stream = ", $name, "::connect_unix(\"/run/motd.sock\").await?;")]
        /// # Ok(()) }
        /// ```
        #[cfg(unix)]
        #[track_caller]
        pub fn connect_unix(path: impl AsRef<std::path::Path>) -> $crate::types::Connect {
            $crate::connect_unix($runtime, path)
        }

        /// [`millpond::start_unix_server`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let server = ", $name, "::start_unix_server(\"/run/motd.sock\", async |_, mut writer| {")]
        ///     writer.write(b"be excellent to each other\n")
        /// })
        /// .await?;
        /// # Ok(()) }
        /// ```
        #[cfg(unix)]
        #[track_caller]
        pub fn start_unix_server<H, F>(
            path: impl AsRef<std::path::Path>,
            handler: H,
        ) -> $crate::types::StartServer
        where
            H: Fn($crate::StreamReader, $crate::StreamWriter) -> F + Send + Sync + 'static,
            F: Future<Output: $crate::types::HandlerOutput> + Send + 'static,
        {
            $crate::start_unix_server($runtime, path, handler)
        }

        /// [`millpond::connect_read_pipe`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let mut stdin = ", $name, "::connect_read_pipe(std::io::stdin()).await?;")]
        /// let line = stdin.read_line().await?;
        /// # Ok(()) }
        /// ```
        #[cfg(unix)]
        #[track_caller]
        pub fn connect_read_pipe(pipe: impl Into<$crate::types::ReadPipe>) -> $crate::types::ConnectPipe {
            $crate::connect_read_pipe($runtime, pipe)
        }

        /// [`millpond::connect_write_pipe`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() -> std::io::Result<()> {
        #[doc = concat!("let mut stdout = ", $name, "::connect_write_pipe(std::io::stdout()).await?;")]
        /// stdout.write(b"hello\n")?;
        /// stdout.close();
        /// stdout.wait_closed().await?;
        /// # Ok(()) }
        /// ```
        #[cfg(unix)]
        #[track_caller]
        pub fn connect_write_pipe(pipe: impl Into<$crate::types::WritePipe>) -> $crate::types::ConnectPipe {
            $crate::connect_write_pipe($runtime, pipe)
        }

        /// [`millpond::from_io`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # fn example(channel: impl futures_io::AsyncRead + futures_io::AsyncWrite + Send + Unpin + 'static) {
        #[doc = concat!("let stream = ", $name, "::from_io(channel);")]
        /// # }
        /// ```
        #[track_caller]
        pub fn from_io<S>(io: S) -> $crate::Stream
        where
            S: $crate::adapter::futures_io::AsyncRead + $crate::adapter::futures_io::AsyncWrite + Send + Unpin + 'static,
        {
            $crate::from_io($runtime, io)
        }

        /// [`millpond::from_halves`] on this crate's runtime.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # fn example(
        /// #     output: impl futures_io::AsyncRead + Send + Unpin + 'static,
        /// #     input: impl futures_io::AsyncWrite + Send + Unpin + 'static,
        /// # ) {
        #[doc = concat!("let stream = ", $name, "::from_halves(output, input);")]
        /// # }
        /// ```
        #[track_caller]
        pub fn from_halves<R, W>(reader: R, writer: W) -> $crate::Stream
        where
            R: $crate::adapter::futures_io::AsyncRead + Send + Unpin + 'static,
            W: $crate::adapter::futures_io::AsyncWrite + Send + Unpin + 'static,
        {
            $crate::from_halves($runtime, reader, writer)
        }

        /// This crate's runtime, for functions that take one.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        #[doc = concat!("let runtime = ", $name, "::runtime();")]
        /// ```
        #[track_caller]
        pub fn runtime() -> std::sync::Arc<dyn $crate::Runtime> {
            $runtime
        }

        /// Waits for so long.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Cancel safety
        ///
        /// Yes.
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # async fn example() {
        #[doc = concat!($name, "::sleep(std::time::Duration::from_secs(1)).await;")]
        /// # }
        /// ```
        #[track_caller]
        pub fn sleep(duration: std::time::Duration) -> impl Future<Output = ()> + Send {
            runtime().sleep(duration)
        }

        /// Runs a task to its end in the background; asyncio's `create_task`.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Examples
        ///
        /// ```no_run
        #[doc = concat!($name, "::spawn(async { println!(\"in the background\") });")]
        /// ```
        #[doc(alias = "create_task")]
        #[track_caller]
        pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
            runtime().spawn(Box::pin(task));
        }

        /// [`millpond::timeout`] on this crate's runtime.
        ///
        /// # Errors
        ///
        /// [`TimedOut`](millpond::error::TimedOut) if the time is over first.
        ///
        $($(#[doc = $panics])+)?
        ///
        /// # Cancel safety
        ///
        /// That of `future`.
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # use std::time::Duration;
        #[doc = concat!("# async fn example(mut reader: ", $name, "::StreamReader) -> std::io::Result<()> {")]
        /// let read = reader.read_line();
        #[doc = concat!("let line = ", $name, "::timeout(Duration::from_secs(60), read).await??;")]
        /// # Ok(()) }
        /// ```
        #[track_caller]
        pub fn timeout<F: IntoFuture>(
            duration: std::time::Duration,
            future: F,
        ) -> impl Future<Output = Result<F::Output, $crate::error::TimedOut>> {
            // Here, not in the future: a panic names the caller.
            let runtime: std::sync::Arc<dyn $crate::Runtime> = $runtime;
            let future = future.into_future();
            async move { $crate::timeout(&*runtime, duration, future).await }
        }
    };
}
