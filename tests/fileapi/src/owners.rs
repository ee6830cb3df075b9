//! Who owns what, who may change that, and what only root may do.

use crate::identity::{EXTRA, GROUP, OTHER, USER, as_user, mark};
use libc::{O_CREAT, O_NOATIME, O_RDONLY, O_RDWR, O_WRONLY};
use std::io;
use test_support::files::{Scratch, looks, make, stat};
use test_support::sys::{self, HERE, close, open};
use test_support::{Outcome, call, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let scratch = Scratch::enter()?;
    sys::chmod(scratch.path(), 0o777)?;
    owners()?;
    times_and_attributes()?;
    made()?;
    privileged()
}

/// Who may give a file away, and what that takes from it.
fn owners() -> io::Result<()> {
    for (whose, group) in [(USER, GROUP), (USER, OTHER), (OTHER, GROUP)] {
        for (uid, gid) in [
            (-1, -1),
            (USER, -1),
            (OTHER, -1),
            (-1, GROUP),
            (-1, EXTRA),
            (-1, OTHER),
            (0, 0),
        ] {
            make("file", b"content")?;
            sys::chown("file", whose, group)?;
            sys::chmod("file", 0o6755)?;
            let outcome = as_user(|| sys::chown("file", uid, gid))?;
            let now = stat("file")?;
            report(
                format_args!("file of {whose}:{group} to {uid}:{gid}"),
                outcome,
            );
            println!("    {}:{} {}", now.st_uid, now.st_gid, looks(&now));
        }
        for mode in [0o644, 0o2755, 0o4755] {
            sys::chmod("file", 0o600)?;
            report(
                format_args!("chmod {mode:o}"),
                as_user(|| sys::chmod("file", mode))?,
            );
            println!("    {}", looks(&stat("file")?));
        }
        sys::unlink("file")?;
    }
    // Root's change takes the bits, too.
    make("file", b"content")?;
    sys::chmod("file", 0o6755)?;
    report("root gives it away", sys::chown("file", USER, GROUP));
    println!("    {}", looks(&stat("file")?));
    // A write by somebody without the power takes them.
    for mode in [0o6777, 0o2767, 0o4666] {
        for (what, deed) in [
            (
                "write",
                (|| {
                    open("file", O_WRONLY, 0).and_then(|fd| {
                        let done = sys::write(fd, b"x");
                        close(fd)?;
                        done
                    })
                }) as fn() -> Outcome,
            ),
            ("truncate", || sys::truncate("file", 1)),
            ("fallocate", || {
                open("file", O_WRONLY, 0).and_then(|fd| {
                    let done = sys::fallocate(fd, 0, 0, 10);
                    close(fd)?;
                    done
                })
            }),
        ] {
            sys::chmod("file", mode)?;
            report(format_args!("{mode:o} {what} by the owner"), as_user(deed)?);
            println!("    {}", looks(&stat("file")?));
            sys::chmod("file", mode)?;
            report(format_args!("{mode:o} {what} by root"), deed());
            println!("    {}", looks(&stat("file")?));
        }
    }
    sys::unlink("file")?;
    Ok(())
}

fn times_and_attributes() -> io::Result<()> {
    make("file", b"content")?;
    let past = [[1_u64, 0], [2, 0]];
    let touch = |times: u64| {
        call(
            libc::SYS_utimensat,
            &[HERE as u64, c"file".as_ptr() as u64, times, 0],
        )
    };
    let omit = [[0_u64, libc::UTIME_OMIT as u64]; 2];
    let now = [[0_u64, libc::UTIME_NOW as u64]; 2];
    for (whose, mode) in [(USER, 0o400), (OTHER, 0o644), (OTHER, 0o666)] {
        sys::chown("file", whose, whose)?;
        sys::chmod("file", mode)?;
        println!("file of {whose}, mode {mode:03o}");
        let tried = || {
            [
                ("touch", touch(0)),
                ("touch by two nows", touch(now.as_ptr() as u64)),
                ("set", touch(past.as_ptr() as u64)),
                ("set nothing", touch(omit.as_ptr() as u64)),
                (
                    "open quietly",
                    open("file", O_RDONLY | O_NOATIME, 0).and_then(close),
                ),
                (
                    "set an attribute",
                    sys::setxattr("file", "user.a", b"1", 1, 0),
                ),
                ("get it", sys::getxattr("file", "user.a", &mut [0; 4], 4)),
                ("list them", sys::listxattr("file", &mut [0; 512], 512)),
                ("remove it", sys::removexattr("file", "user.a")),
            ]
        };
        for (what, outcome) in as_user(tried)? {
            println!("    {what} {}", mark(outcome));
        }
    }
    let fd = open("file", O_RDONLY, 0)?;
    let quiet = as_user(|| sys::fcntl(fd, libc::F_SETFL, O_NOATIME.into()))?;
    report("quiet by F_SETFL", quiet);
    close(fd)?;
    sys::unlink("file")?;
    Ok(())
}

/// Who owns what is made.
fn made() -> io::Result<()> {
    for (mode, gid) in [(0o777, OTHER), (0o2777, OTHER), (0o2777, EXTRA)] {
        sys::mkdir("dir", 0o755)?;
        sys::chown("dir", OTHER, gid)?;
        sys::chmod("dir", mode)?;
        let deeds = || -> io::Result<()> {
            open("dir/file", O_CREAT | O_RDWR, 0o666).and_then(close)?;
            open("dir/set", O_CREAT | O_RDWR, 0o2775).and_then(close)?;
            sys::mknod("dir/node", libc::S_IFREG | 0o2775, 0)?;
            sys::mkdir("dir/sub", 0o755)?;
            sys::symlink("x", "dir/soft")?;
            Ok(())
        };
        report(
            format_args!("in a directory {mode:o} of group {gid}"),
            as_user(deeds)?.map(|()| "done"),
        );
        for name in ["file", "set", "node", "sub", "soft"] {
            let about = test_support::files::lstat(&format!("dir/{name}"))?;
            println!(
                "    {name} {}:{} {}",
                about.st_uid,
                about.st_gid,
                looks(&about)
            );
        }
        std::fs::remove_dir_all("dir")?;
    }
    Ok(())
}

/// What only root may do.
fn privileged() -> io::Result<()> {
    sys::mkdir("place", 0o777)?;
    let tried = || {
        [
            (
                "character device",
                sys::mknod("null", libc::S_IFCHR | 0o666, libc::makedev(1, 3)),
            ),
            (
                "block device",
                sys::mknod("block", libc::S_IFBLK | 0o600, libc::makedev(7, 0)),
            ),
            ("whiteout", sys::mknod("white", libc::S_IFCHR, 0)),
            ("fifo", sys::mknod("fifo", libc::S_IFIFO | 0o600, 0)),
            ("chroot", sys::chroot("place")),
            ("mount", sys::mount("none", "place", "tmpfs", 0, "")),
            ("umount", sys::umount2("place", 0)),
            ("setgroups", call(libc::SYS_setgroups, &[0, 0])),
            (
                "trusted attribute",
                sys::setxattr("fifo", "trusted.a", b"1", 1, 0),
            ),
            (
                "sethostname",
                call(libc::SYS_sethostname, &[0x6000_0000_0000, 4]),
            ),
        ]
    };
    for (what, outcome) in as_user(tried)? {
        println!("{what} {}", mark(outcome));
    }
    for name in ["white", "fifo"] {
        report(
            name,
            test_support::files::lstat(name).map(|stat| looks(&stat)),
        );
        let _ = sys::unlink(name);
    }
    sys::rmdir("place")?;
    report(
        "character device by root",
        sys::mknod("null", libc::S_IFCHR | 0o666, libc::makedev(1, 3)),
    );
    report("its number", stat("null").map(|stat| stat.st_rdev));
    sys::unlink("null")?;
    Ok(())
}
