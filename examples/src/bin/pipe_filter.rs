//! A filter: it numbers the lines that come in, and waits for a slow reader. Its input and
//! output can be pipes, files or a terminal.
//!
//!     ls | cargo run -p millpond-examples --bin pipe_filter | less

#[cfg(unix)]
mod filter {
    use std::io::{self, ErrorKind, IoSlice};

    use clap::Parser;
    use millpond::{Stream, connect_read_pipe, connect_write_pipe};
    use millpond_examples::{RuntimeName, run};

    /// The longest line that it takes.
    const LIMIT: usize = 1024 * 1024;

    #[derive(Parser)]
    struct Args {
        #[arg(long, value_enum, default_value_t)]
        runtime: RuntimeName,
    }

    pub(crate) fn main() -> io::Result<()> {
        run(Args::parse().runtime, async |runtime| {
            let input = connect_read_pipe(runtime.clone(), io::stdin()).limit(LIMIT);
            let output = connect_write_pipe(runtime, io::stdout());
            match number_lines(input.await?, output.await?).await {
                // The reader has closed the pipe, as `head` does.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                result => result,
            }
        })
    }

    async fn number_lines(mut input: Stream, mut output: Stream) -> io::Result<()> {
        let mut lines = input.lines();
        let mut count = 0;
        while let Some(line) = lines.next().await {
            count += 1;
            let number = format!("{count:6}\t");
            output.write_vectored(&[IoSlice::new(number.as_bytes()), IoSlice::new(&line?)])?;
            output.drain().await?; // while this waits, no more is read
        }
        output.close();
        output.wait_closed().await?; // the process ends next, and all must be written by then
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    #[cfg(unix)]
    return filter::main();
    #[cfg(not(unix))]
    Err(std::io::ErrorKind::Unsupported.into())
}
