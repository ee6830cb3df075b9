//! chmod(2) and its family, by the owner.

use crate::fixture::build;
use libc::{AT_SYMLINK_NOFOLLOW, O_CREAT, O_RDONLY, O_RDWR};
use std::io;
use test_support::files::{Scratch, looks, lstat, stat};
use test_support::sys::{self, HERE, close, open};
use test_support::{call, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    build()?;
    // A file of one's own group: other set-group-ID bits need privileges.
    for mode in [
        0,
        0o777,
        0o644,
        0o4755,
        0o2755,
        0o1644,
        0o7777,
        0o10_644,
        u32::MAX,
        0o644,
    ] {
        for path in ["file", "dir", "link"] {
            report(
                format_args!("chmod {path} {mode:o}"),
                sys::chmod(path, mode),
            );
            report("    is", lstat(path).map(|stat| looks(&stat)));
        }
    }
    sys::chmod("dir", 0o755)?;
    by_descriptor()?;
    not_following()?;
    set_group_id()?;
    removed_bits()
}

fn by_descriptor() -> io::Result<()> {
    let file = open("file", O_RDONLY, 0)?;
    let dir = open("dir", O_RDONLY, 0)?;
    report("fchmod a file", sys::fchmod(file, 0o640));
    report("    is", stat("file").map(|stat| looks(&stat)));
    report("fchmod a directory", sys::fchmod(dir, 0o750));
    report("    is", stat("dir").map(|stat| looks(&stat)));
    let [reader, writer] = sys::pipe2(0)?;
    report("fchmod a pipe", sys::fchmod(reader, 0o600));
    report("fchmod closed", sys::fchmod(987, 0o600));
    for fd in [file, dir, reader, writer] {
        close(fd)?;
    }
    Ok(())
}

/// A link has no permissions of its own that could be changed.
fn not_following() -> io::Result<()> {
    for path in ["file", "link", "dir", "dangling"] {
        let outcome = sys::fchmodat2(HERE, path, 0o600, AT_SYMLINK_NOFOLLOW);
        report(format_args!("fchmodat2 {path} not following"), outcome);
        report("    is", lstat(path).map(|stat| looks(&stat)));
    }
    // fchmodat(2) has no flags: a fourth argument means nothing.
    let args = [
        HERE as u64,
        c"link".as_ptr() as u64,
        0o700,
        AT_SYMLINK_NOFOLLOW as u64,
    ];
    report("fchmodat link with a flag", call(libc::SYS_fchmodat, &args));
    report("file", stat("file").map(|stat| looks(&stat)));
    Ok(())
}

/// In a set-group-ID directory, files get its group and directories its bit.
fn set_group_id() -> io::Result<()> {
    build()?;
    report("chmod", sys::chmod("dir", 0o2775));
    sys::mkdir("dir/sub", 0o755)?;
    sys::mkdir("dir/sub/deeper", 0o700)?;
    open("dir/file", O_CREAT | O_RDWR, 0o644).and_then(close)?;
    open("dir/group", O_CREAT | O_RDWR, 0o2755).and_then(close)?;
    open("dir/not-executable", O_CREAT | O_RDWR, 0o2644).and_then(close)?;
    sys::mknod("dir/node", libc::S_IFREG | 0o2711, 0)?;
    sys::symlink("x", "dir/link")?;
    for name in [
        "",
        "sub",
        "sub/deeper",
        "file",
        "group",
        "not-executable",
        "node",
        "link",
    ] {
        let path = format!("dir/{name}");
        let path = path.trim_end_matches('/');
        report(path, lstat(path).map(|stat| looks(&stat)));
        let same = lstat(path).and_then(|stat| Ok(stat.st_gid == lstat("dir")?.st_gid));
        report("    in the directory's group", same);
    }
    sys::rename("dir/sub", "moved")?;
    report("moved out", stat("moved").map(|stat| looks(&stat)));
    sys::mkdir("plain", 0o755)?;
    sys::rename("plain", "dir/plain")?;
    report("moved in", stat("dir/plain").map(|stat| looks(&stat)));
    Ok(())
}

/// A change of owner takes the set-ID bits of an executable file away.
fn removed_bits() -> io::Result<()> {
    build()?;
    let (uid, gid) = (stat("file")?.st_uid.into(), stat("file")?.st_gid.into());
    for mode in [0o6755, 0o4644, 0o2644, 0o2755, 0o7711] {
        sys::chmod("file", mode)?;
        report(format_args!("{mode:o} chown"), sys::chown("file", uid, gid));
        report("    is", stat("file").map(|stat| looks(&stat)));
        sys::chmod("file", mode)?;
        report(
            format_args!("{mode:o} chown to nobody else"),
            sys::chown("file", -1, -1),
        );
        report("    is", stat("file").map(|stat| looks(&stat)));
    }
    sys::chmod("dir", 0o6755)?;
    report("chown a directory", sys::chown("dir", uid, gid));
    report("    is", stat("dir").map(|stat| looks(&stat)));
    Ok(())
}
