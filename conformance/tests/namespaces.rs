//! What needs a network of its own: this program runs once more in one, with its loopback interface
//! alone. Where the system allows no such thing, as it does to root, this is skipped.
#![cfg(target_os = "linux")]

#[path = "common/tls_for.rs"]
mod tls_for;

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use millpond::{OpenError, Runtime, StreamReader, StreamWriter, open_connection, start_server};
use millpond_smol::Smol;
use millpond_tokio::Tokio;
use tls_for::tls_for;

/// Which runtime this process is to use, if it has a network of its own.
const RUN_ON: &str = "MILLPOND_RUN_ON";

/// How long anything may take on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// What a shell fails with if the network cannot be made as it is needed.
const NO_NETWORK: i32 = 77;

/// Runs the test of this name on each runtime in a network that `setup`, a line of shell, has prepared.
fn alone(test: &str, setup: &str) {
    let with = |command: &str, arguments: &[&str]| {
        let mut with = Command::new("unshare");
        with.args(["-m", "-n", "sh", "-c", command, "sh"])
            .args(arguments);
        with
    };
    let possible = with("ip link set lo up", &[])
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no network of its own can be made here");
        return;
    }
    let program = env::current_exe().unwrap();
    let arguments = [
        program.to_str().unwrap(),
        "--exact",
        test,
        "--ignored",
        "--nocapture",
    ];
    let command = format!("{{ ip link set lo up && {setup}; }} || exit {NO_NETWORK}; exec \"$@\"");
    for runtime in ["tokio", "smol"] {
        let mut child = with(&command, &arguments)
            .env(RUN_ON, runtime)
            .spawn()
            .unwrap();
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > TIME_LIMIT {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{test} on {runtime} does not end");
            }
            thread::sleep(Duration::from_millis(10));
        };
        if status.code() == Some(NO_NETWORK) {
            eprintln!("skipped: this network cannot be made here: {setup}");
            return;
        }
        assert!(status.success(), "{test} on {runtime}");
    }
}

/// Runs `program` as a `main` of that runtime does, which is ended behind it.
fn run<F: Future>(program: impl FnOnce(Arc<dyn Runtime>) -> F) -> F::Output {
    match &*env::var(RUN_ON).unwrap() {
        "tokio" => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let tokio = Tokio::new(runtime.handle().clone());
            runtime.block_on(program(Arc::new(tokio)))
        }
        _ => smol::block_on(program(Arc::new(Smol))),
    }
}

/// For a name that hangs: one lookup takes more than two minutes.
#[test]
fn a_program_ends_though_a_name_is_looked_up() {
    let resolver = env::temp_dir().join(format!("millpond-resolver-{}", std::process::id()));
    fs::write(
        &resolver,
        "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n",
    )
    .unwrap();
    let setup = format!("mount --bind {} /etc/resolv.conf", resolver.display());
    alone("a_program_whose_name_hangs", &setup);
    fs::remove_file(resolver).unwrap();
}

#[test]
#[ignore = "it is part of another test"]
fn a_program_whose_name_hangs() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap();
    silent.set_read_timeout(Some(TIME_LIMIT)).unwrap();
    run(async |runtime: Arc<dyn Runtime>| {
        let opening = open_connection(runtime, ("slow.example", 80));
        let error = opening
            .connect_timeout(Duration::from_millis(500))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    });
    // It is under way all the same.
    silent.recv_from(&mut [0; 512]).unwrap();
}

/// No server listens, and the ports from which connections begin are few.
#[test]
fn no_connection_is_made_to_itself() {
    let setup = "echo 40000 40009 > /proc/sys/net/ipv4/ip_local_port_range";
    alone("a_program_that_tries_again_and_again", setup);
}

#[test]
#[ignore = "it is part of another test"]
fn a_program_that_tries_again_and_again() {
    let silent = SocketAddr::from((Ipv4Addr::LOCALHOST, 40000));
    let mut to_itself = 0;
    run(async |runtime: Arc<dyn Runtime>| {
        for _ in 0..500 {
            match open_connection(runtime.clone(), silent).await {
                Err(OpenError::Connect { attempts }) => {
                    let error = &attempts[0].1;
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{error}");
                    to_itself += usize::from(error.to_string().contains("itself"));
                }
                other => panic!("{other:?}"),
            }
        }
    });
    assert!(to_itself > 0, "the system has not tried");
    TcpListener::bind(silent).unwrap();
}

/// An address of the local link is one only together with its zone.
#[test]
fn the_zone_of_an_address_is_kept() {
    alone("a_program_on_a_link", "ip addr add fe80::1/64 dev lo nodad");
}

async fn echo(mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let line = reader.read_line().await?;
    Ok(writer.write(&line)?)
}

#[test]
#[ignore = "it is part of another test"]
fn a_program_on_a_link() {
    let (acceptor, connector) = tls_for("fe80::1");
    run(async |runtime: Arc<dyn Runtime>| {
        // The second one gets the port of the first.
        let hosts = (["127.0.0.1", "fe80::1%lo"], 0);
        let server = start_server(runtime.clone(), hosts, echo)
            .tls(&acceptor)
            .await
            .unwrap();
        let address = server.sockets()[1].tcp().unwrap();
        let port = address.port();
        assert_eq!(address.to_string(), format!("[fe80::1%1]:{port}"));
        let open = |target: String| open_connection(runtime.clone(), target);
        for opening in [
            open_connection(runtime.clone(), address),
            open_connection(runtime.clone(), &server.sockets()[1]),
            open(address.to_string()),
            open(format!("[fe80::1%lo]:{port}")),
            open(format!("[fe80::1%lo]:{port}")).local_addr("[fe80::1%lo]:0"),
        ] {
            let (mut reader, mut writer) = opening.tls(&connector).await.unwrap();
            writer.write(b"hello\n").unwrap();
            assert_eq!(reader.read_line().await.unwrap(), "hello\n");
            let peer = writer.extra_info().peer_addr.as_ref().unwrap().tcp();
            assert_eq!(peer, Some(address));
        }
    });
}
