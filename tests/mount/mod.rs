//! A tmpfs of its own for a test: mounted in a mount namespace that only it and its children see.
#![allow(unsafe_code, reason = "a mount namespace")]
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn done(status: libc::c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Mounts it over a folder. Whoever is not root becomes it in a user namespace.
fn mount(folder: &CStr, options: &CStr) -> io::Result<()> {
    // SAFETY: geteuid has no arguments and cannot fail.
    let is_root = unsafe { libc::geteuid() } == 0;
    let flags = libc::CLONE_NEWNS | if is_root { 0 } else { libc::CLONE_NEWUSER };
    // SAFETY: unshare takes no pointers.
    done(unsafe { libc::unshare(flags) })?;
    let (none, null) = (c"none".as_ptr(), std::ptr::null());
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: all strings are NUL-terminated and live.
    done(unsafe { libc::mount(none, c"/".as_ptr(), null, private, null.cast()) })?;
    let tmpfs = c"tmpfs".as_ptr();
    // SAFETY: as above; a tmpfs reads its options as a string.
    done(unsafe { libc::mount(none, folder.as_ptr(), tmpfs, 0, options.as_ptr().cast()) })
}

/// Runs all tests of this binary again, with `variable` set to a folder that is a tmpfs mounted with
/// these options.
pub(crate) fn run_again(variable: &str, options: &'static CStr) {
    let folder = std::env::temp_dir().join(format!("shm-mount-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--test-threads=1", "--nocapture"]).env(variable, &folder);
    let name = CString::new(folder.to_str().unwrap()).unwrap();
    // SAFETY: the closure only makes system calls between fork and exec.
    unsafe { again.pre_exec(move || mount(&name, options)) };
    let output = again.output();
    std::fs::remove_dir(&folder).unwrap();
    let output = output.expect("a mount namespace: as root, or with user namespaces allowed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(" 0 failed"), "{text}");
}
