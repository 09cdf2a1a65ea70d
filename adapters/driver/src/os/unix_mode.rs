//! Who may connect to the path of a unix socket.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use linux::{after_bind, before_bind};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use unknown::{after_bind, before_bind};

/// Linux makes the path with the mode that the socket has, less what the umask takes. So there is no
/// moment in which it is open to more, and what the umask has taken is given back afterwards.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::{
        fs::{self, File, OpenOptions, Permissions},
        io,
        os::{
            fd::{AsFd, AsRawFd},
            unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
        },
        path::Path,
    };

    use socket2::Socket;

    /// Gives the socket the mode of the path that it will be bound to.
    pub(crate) fn before_bind(socket: &Socket, mode: u32) -> io::Result<()> {
        // Setting a mode is all that this file is for.
        let descriptor = File::from(socket.as_fd().try_clone_to_owned()?);
        descriptor.set_permissions(Permissions::from_mode(mode))
    }

    /// Gives the path that was bound what the umask has taken.
    pub(crate) fn after_bind(path: &Path, mode: u32) -> io::Result<()> {
        // A link that another process has put in its place is not followed: by the path this would be.
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let socket = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(path)?;
        let metadata = socket.metadata()?;
        let is_right = metadata.permissions().mode() & 0o777 == mode;
        if is_right || !metadata.file_type().is_socket() {
            return Ok(());
        }
        let same = format!("/proc/self/fd/{}", socket.as_raw_fd());
        fs::set_permissions(same, Permissions::from_mode(mode))
    }

    #[cfg(test)]
    mod tests {
        use std::os::unix::fs::symlink;

        use super::*;

        #[test]
        fn what_a_link_in_place_of_the_socket_leads_to_stays_as_it_is() {
            let directory = tempfile::tempdir().unwrap();
            let theirs = directory.path().join("theirs");
            let _socket = std::os::unix::net::UnixListener::bind(&theirs).unwrap();
            fs::set_permissions(&theirs, Permissions::from_mode(0o600)).unwrap();
            let path = directory.path().join("socket");
            symlink(&theirs, &path).unwrap();
            after_bind(&path, 0o666).unwrap();
            let mode = fs::metadata(&theirs).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod unknown {
    use std::{io, path::Path};

    use socket2::Socket;

    pub(crate) fn before_bind(_: &Socket, _: u32) -> io::Result<()> {
        let why = "`unix_mode` is not supported by this system";
        Err(io::Error::new(io::ErrorKind::Unsupported, why))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as elsewhere")]
    pub(crate) fn after_bind(_: &Path, _: u32) -> io::Result<()> {
        Ok(())
    }
}
