//! A host of its own: a network namespace of the system without a name, which ends with this process at
//! the latest, however that ends.

use std::{
    fs::{self, File},
    io,
    marker::PhantomData,
    os::fd::AsRawFd,
    path::PathBuf,
    process::{self, Command, Output},
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};

#[derive(Debug)]
pub(crate) struct Namespace(File);

/// This thread is in a namespace until it drops this.
pub(crate) struct Inside {
    before: File,
    /// It is this thread that goes back.
    _stays: PhantomData<*const ()>,
}

fn current() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

impl Namespace {
    pub(crate) fn new() -> io::Result<Self> {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            current()
        });
        Ok(Self(made.join().expect("the thread does not panic")?))
    }

    /// The sockets that this thread makes and the programs that it starts are in the namespace, until it
    /// drops what this returns.
    pub(crate) fn enter(&self) -> Inside {
        let before = current().unwrap();
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
        Inside {
            before,
            _stays: PhantomData,
        }
    }

    /// A path by which other programs find it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }

    /// Runs a command of words without spaces in it, which has to succeed. What it prints.
    pub(crate) fn run(&self, command: &str) -> String {
        let output = self.try_run(command).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn try_run(&self, command: &str) -> io::Result<Output> {
        let mut words = command.split(' ');
        let program = words.next().expect("there is one");
        let _inside = self.enter();
        Command::new(program).args(words).output()
    }

    /// A setting of the kernel for this host, `ipv4/tcp_retries2` for instance.
    pub(crate) fn set(&self, name: &str, value: u32) {
        let path = PathBuf::from("/proc/sys/net").join(name);
        let _inside = self.enter();
        fs::write(&path, value.to_string()).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    }

    /// How many of its TCP sockets a program holds open.
    pub(crate) fn open_sockets(&self) -> usize {
        let _inside = self.enter();
        let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        // The inode is 0 once no program has it.
        let inode = |line: &str| line.split_whitespace().nth(9) != Some("0");
        table.lines().skip(1).filter(|line| inode(line)).count()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        setns(&self.before, CloneFlags::CLONE_NEWNET).expect("a thread can go back");
    }
}
