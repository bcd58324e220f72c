//! Network file systems, told by the kernel's type numbers (`statfs`), on which neither `flock` nor the shared memory of
//! SQLite's write-ahead log can be relied on between hosts.

use std::{
    ffi::CString,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::StoreError;

/// FUSE hides what is behind it; the mount table says.
const FUSE: u64 = 0x6573_5546;

/// Type numbers of network and cluster file systems (Linux `magic.h` and the file systems' own sources).
///
/// 9p is not among them: although it is a network protocol, it is the root or the home folder of common virtual machines
/// and sandboxes (WSL, gVisor, QEMU shares), where one kernel alone uses it and locks work. If its shared memory does not
/// work, write-ahead logging is refused by SQLite, which is told as an error of its own.
const NETWORK: [(u64, &str); 15] = [
    (0x6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x517b, "smb"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x00c3_6400, "ceph"),
    (0x1983_0326, "beegfs"),
    (0xaad7_aaea, "panfs"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "kafs"),
    (0x7375_7245, "coda"),
    (0x2003_0528, "orangefs"),
];

/// FUSE file systems of the network, as the mount table names them (`fuse.<name>`).
const NETWORK_FUSE: [&str; 12] = [
    "sshfs",
    "s3fs",
    "rclone",
    "glusterfs",
    "ceph-fuse",
    "gcsfuse",
    "davfs",
    "curlftpfs",
    "smbnetfs",
    "juicefs",
    "goofys",
    "mount-s3",
];

/// Refuses a folder on a network file system.
///
/// # Errors
/// [`StoreError::NetworkFileSystem`], or [`StoreError::Io`] if the kernel does not answer.
pub(crate) fn refuse_network(folder: &Path) -> Result<(), StoreError> {
    let kind = file_system_type(folder)?;
    let mounts = if kind == FUSE { std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default() } else { String::new() };
    match network_kind(kind, &mounts, folder) {
        Some(kind) => Err(StoreError::NetworkFileSystem { kind, path: folder.to_path_buf() }),
        None => Ok(()),
    }
}

/// The kind of network file system that a folder, or the nearest one above it that is there, is on; none for local ones and
/// where the kernel does not answer.
pub fn network_file_system(folder: &Path) -> Option<String> {
    let absolute = std::path::absolute(folder).ok()?;
    let there = absolute.ancestors().find(|folder| folder.is_dir())?.canonicalize().ok()?;
    match refuse_network(&there) {
        Err(StoreError::NetworkFileSystem { kind, .. }) => Some(kind),
        _ => None,
    }
}

/// The name of the network file system, if it is one.
fn network_kind(kind: u64, mounts: &str, folder: &Path) -> Option<String> {
    if kind == FUSE {
        let mounted = mounted_type(mounts, folder)?;
        let name = mounted.strip_prefix("fuse.").unwrap_or(&mounted);
        return NETWORK_FUSE.contains(&name).then(|| format!("fuse.{name}"));
    }
    NETWORK.iter().find(|(number, _)| *number == kind).map(|(_, name)| (*name).to_owned())
}

/// The type that the mount table (`/proc/self/mountinfo`) gives for the deepest mount above the folder.
fn mounted_type(mounts: &str, folder: &Path) -> Option<String> {
    mounts
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let point = PathBuf::from(left.split(' ').nth(4)?.replace("\\040", " "));
            folder.starts_with(&point).then(|| (point.components().count(), right.split(' ').next().unwrap_or("").to_owned()))
        })
        // The last of equals: a later mount hides an earlier one.
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, kind)| kind)
}

fn file_system_type(folder: &Path) -> Result<u64, StoreError> {
    // For tests, as the points of `clmbench_protocol::fault` are.
    if let Some(number) = std::env::var(clmbench_protocol::fault::STATFS).ok().and_then(|text| parse_hex(&text)) {
        return Ok(number);
    }
    let failed = |source| StoreError::io(folder, source);
    let name = CString::new(folder.as_os_str().as_bytes()).map_err(|error| failed(error.into()))?;
    let mut answer = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `name` is a C string that lives through the call, and `answer` is writable memory of the right size.
    let status = unsafe { libc::statfs(name.as_ptr(), answer.as_mut_ptr()) };
    if status != 0 {
        return Err(failed(std::io::Error::last_os_error()));
    }
    // SAFETY: statfs returned 0, so it has filled in the whole structure.
    let kind = unsafe { answer.assume_init() }.f_type;
    // The numbers have 32 bits; the field's type and its sign differ between platforms.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, clippy::cast_possible_truncation)]
    Ok(u64::from(kind as u32))
}

fn parse_hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MOUNTS: &str = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        40 22 0:41 / /home/me/far\\040away rw - fuse.sshfs me@far:/ rw\n\
        41 22 0:42 / /home/me/usb rw - fuseblk /dev/sdb1 rw\n\
        42 22 0:43 / /home/me rw - fuse.gocryptfs x rw\n";

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        assert_eq!(network_kind(0x6969, "", Path::new("/x")).unwrap(), "nfs");
        assert_eq!(network_kind(0xff53_4d42, "", Path::new("/x")).unwrap(), "cifs");
        assert_eq!(network_kind(0xef53, "", Path::new("/x")), None, "ext4");
        assert_eq!(network_kind(0x0102_1997, "", Path::new("/x")), None, "9p");
        assert_eq!(network_kind(FUSE, MOUNTS, Path::new("/home/me/far away/store")).unwrap(), "fuse.sshfs");
        assert_eq!(network_kind(FUSE, MOUNTS, Path::new("/home/me/usb/store")), None);
        assert_eq!(network_kind(FUSE, MOUNTS, Path::new("/home/me/store")), None);
    }

    #[test]
    fn a_temporary_folder_has_a_known_type() {
        let folder = tempfile::tempdir().unwrap();
        assert_ne!(file_system_type(folder.path()).unwrap(), 0);
        assert!(refuse_network(&folder.path().join("absent")).is_err());
    }
}
