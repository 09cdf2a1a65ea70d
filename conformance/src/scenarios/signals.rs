//! A peer that has left is no reason for a signal.

use std::{
    env,
    io::IoSlice,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use signal_hook::{consts::SIGPIPE, flag};

use crate::setup::{Settings, Setup};

/// Set in the process that such a scenario has for itself.
const ALONE: &str = "MILLPOND_ALONE";

/// A signal is for the whole process, and scenarios about pipes raise it. So this program is started
/// once more, for this scenario alone.
pub(crate) async fn a_peer_that_has_left_is_an_error_and_no_signal(setup: Setup) {
    if !setup.has_system_sockets() {
        return;
    }
    if env::var_os(ALONE).is_some() {
        return write_to_closed_peers(setup).await;
    }
    let mut program = Command::new(env::current_exe().unwrap());
    let output = program.arg(setup.name).env(ALONE, "yes").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(!printed.contains("running 0 tests"), "{printed}");
}

async fn write_to_closed_peers(mut setup: Setup) {
    let raised = Arc::new(AtomicBool::new(false));
    flag::register(SIGPIPE, raised.clone()).unwrap();
    // Otherwise it stays a while, and takes what comes.
    let at_once = Settings::DEFAULT.close_timeout(Duration::ZERO);
    for pieces in [1, 2] {
        let ((_reader, mut writer), peer) = setup.connect_with(at_once).await;
        drop(peer);
        let pieces = vec![IoSlice::new(b"is there anybody"); pieces];
        while writer.write_vectored(&pieces).is_ok() {
            setup.sleep(1).await;
        }
        assert!(!raised.load(Ordering::Acquire));
    }
}
