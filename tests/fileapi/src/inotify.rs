//! inotify(7).

use libc::{
    IN_ACCESS, IN_ALL_EVENTS, IN_ATTRIB, IN_CLOEXEC, IN_CREATE, IN_DELETE, IN_DONT_FOLLOW,
    IN_EXCL_UNLINK, IN_MASK_ADD, IN_MODIFY, IN_MOVE, IN_NONBLOCK, IN_ONESHOT, IN_ONLYDIR, O_CREAT,
    O_RDONLY, O_RDWR, O_TRUNC,
};
use std::io;
use test_support::files::{Scratch, clear, make};
use test_support::sys::{self, close, inotify_add_watch, inotify_init1, inotify_rm_watch, open};
use test_support::{Outcome, call, errno_name, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    made_and_refused()?;
    one_file()?;
    a_directory()?;
    masks()?;
    reading()?;
    ends()
}

const NAMES: [(u32, &str); 15] = [
    (IN_ACCESS, "ACCESS"),
    (IN_MODIFY, "MODIFY"),
    (IN_ATTRIB, "ATTRIB"),
    (libc::IN_CLOSE_WRITE, "CLOSE_WRITE"),
    (libc::IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"),
    (libc::IN_OPEN, "OPEN"),
    (libc::IN_MOVED_FROM, "MOVED_FROM"),
    (libc::IN_MOVED_TO, "MOVED_TO"),
    (IN_CREATE, "CREATE"),
    (IN_DELETE, "DELETE"),
    (libc::IN_DELETE_SELF, "DELETE_SELF"),
    (libc::IN_MOVE_SELF, "MOVE_SELF"),
    (libc::IN_UNMOUNT, "UNMOUNT"),
    (libc::IN_IGNORED, "IGNORED"),
    (libc::IN_ISDIR, "ISDIR"),
];

/// The events in a buffer: watch, mask, name, and whether it belongs to the one before.
fn parse(mut bytes: &[u8]) -> Vec<String> {
    const HEAD: usize = 16;
    let mut last_cookie = 0;
    let mut events = Vec::new();
    while bytes.len() >= HEAD {
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap_or_default());
        let (watch, mask, cookie, length) = (word(0) as i32, word(4), word(8), word(12) as usize);
        let name = bytes[HEAD..HEAD + length].split(|&byte| byte == 0).next();
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let bits = NAMES
            .iter()
            .filter(|(bit, _)| mask & bit != 0)
            .map(|(_, name)| *name);
        let mut text = format!("{watch} {}", bits.collect::<Vec<_>>().join("|"));
        if !name.is_empty() {
            text += &format!(" {name:?} in {length}");
        }
        if cookie != 0 {
            text += if cookie == last_cookie {
                " (pair)"
            } else {
                " (moved)"
            };
        }
        last_cookie = cookie;
        events.push(text);
        bytes = &bytes[HEAD + length..];
    }
    events
}

/// Prints what has happened since the last time.
fn show(what: &str, fd: i64) {
    let mut room = [0; 4096];
    match sys::read(fd, &mut room) {
        Ok(length) => println!("{what}: {:?}", parse(&room[..length as usize])),
        Err(error) => println!("{what}: {}", errno_name(&error)),
    }
}

fn made_and_refused() -> io::Result<()> {
    make("file", b"content")?;
    sys::symlink("file", "link")?;
    sys::symlink("nowhere", "dangling")?;
    for flags in [0, IN_CLOEXEC, IN_NONBLOCK, 1, 4] {
        let made = inotify_init1(flags);
        if let Ok(fd) = made {
            let status = sys::fcntl(fd, libc::F_GETFL, 0)?;
            println!(
                "flags {flags:#o}: {status:#o} own {}",
                sys::fcntl(fd, libc::F_GETFD, 0)?
            );
            close(fd)?;
        } else {
            report(format_args!("flags {flags:#o}"), made);
        }
    }
    let fd = inotify_init1(IN_NONBLOCK)?;
    let file = open("file", O_RDONLY, 0)?;
    for path in ["", "missing", "file/x", "dangling", "file/"] {
        report(
            format_args!("watch {path:?}"),
            inotify_add_watch(fd, path, IN_MODIFY),
        );
    }
    report("no events", inotify_add_watch(fd, "file", 0));
    report("only flags", inotify_add_watch(fd, "file", IN_ONESHOT));
    report(
        "only a directory",
        inotify_add_watch(fd, "file", IN_MODIFY | IN_ONLYDIR),
    );
    report(
        "add and create",
        inotify_add_watch(fd, "file", IN_MODIFY | IN_MASK_ADD | 0x1000_0000),
    );
    report("not an inotify", inotify_add_watch(file, "file", IN_MODIFY));
    report("closed", inotify_add_watch(987, "file", IN_MODIFY));
    report("remove an unknown one", inotify_rm_watch(fd, 1));
    report("remove of a file", inotify_rm_watch(file, 1));
    report("remove of closed", inotify_rm_watch(987, 1));
    report("write", sys::write(fd, b"x"));
    report("seek", sys::lseek(fd, 0, 0));
    report("pread", sys::pread(fd, &mut [0; 100], 0));
    show("nothing yet", fd);
    report(
        "link itself",
        inotify_add_watch(fd, "link", IN_ATTRIB | IN_DONT_FOLLOW).map(|_| "ok"),
    );
    sys::unlink("link")?;
    show("link unlinked", fd);
    close(fd)?;
    close(file)?;
    Ok(())
}

fn one_file() -> io::Result<()> {
    let fd = inotify_init1(IN_NONBLOCK)?;
    report("watch", inotify_add_watch(fd, "file", IN_ALL_EVENTS));
    report(
        "watch again, same number",
        inotify_add_watch(fd, "./file", IN_ALL_EVENTS),
    );
    let file = open("file", O_RDWR, 0)?;
    show("open", fd);
    sys::read(file, &mut [0; 3])?;
    show("read", fd);
    sys::write(file, b"x")?;
    show("write", fd);
    sys::write(file, b"")?;
    show("write nothing", fd);
    sys::ftruncate(file, 2)?;
    show("ftruncate", fd);
    sys::truncate("file", 1)?;
    show("truncate", fd);
    sys::fallocate(file, 0, 0, 100)?;
    show("fallocate", fd);
    sys::fchmod(file, 0o600)?;
    show("fchmod", fd);
    sys::fchown(file, -1, -1)?;
    show("fchown", fd);
    call(libc::SYS_utimensat, &[file as u64, 0, 0, 0])?;
    show("utimens", fd);
    sys::link("file", "hard")?;
    show("link", fd);
    sys::unlink("hard")?;
    show("unlink the other name", fd);
    sys::rename("file", "renamed")?;
    show("rename", fd);
    close(file)?;
    show("close", fd);
    open("renamed", O_RDONLY, 0).and_then(close)?;
    show("open to read and close", fd);
    open("renamed", libc::O_PATH, 0).and_then(close)?;
    show("open as a place and close", fd);
    open("renamed", O_RDWR | O_TRUNC, 0).and_then(close)?;
    show("open with O_TRUNC and close", fd);
    let file = open("renamed", O_RDONLY, 0)?;
    sys::unlink("renamed")?;
    show("unlink while open", fd);
    close(file)?;
    show("close", fd);
    report("the watch is gone", inotify_rm_watch(fd, 1));
    close(fd)?;
    Ok(())
}

fn a_directory() -> io::Result<()> {
    sys::mkdir("dir", 0o755)?;
    sys::mkdir("other", 0o755)?;
    let fd = inotify_init1(IN_NONBLOCK)?;
    report("watch", inotify_add_watch(fd, "dir", IN_ALL_EVENTS));
    let file = open("dir/file", O_RDWR | O_CREAT, 0o644)?;
    show("create", fd);
    sys::write(file, b"text")?;
    show("write", fd);
    close(file)?;
    show("close", fd);
    sys::mkdir("dir/sub", 0o755)?;
    show("mkdir", fd);
    sys::symlink("x", "dir/soft")?;
    show("symlink", fd);
    sys::link("dir/file", "dir/a-longer-name-of-some-length")?;
    show("link", fd);
    sys::rename("dir/file", "dir/renamed")?;
    show("rename inside", fd);
    sys::rename("dir/renamed", "other/renamed")?;
    show("rename out", fd);
    sys::rename("other/renamed", "dir/back")?;
    show("rename in", fd);
    make("dir/victim", b"")?;
    show("make another", fd);
    sys::rename("dir/back", "dir/victim")?;
    show("rename over it", fd);
    sys::renameat2(
        sys::HERE,
        "dir/soft",
        sys::HERE,
        "dir/victim",
        libc::RENAME_EXCHANGE,
    )?;
    show("exchange", fd);
    sys::chmod("dir/sub", 0o700)?;
    show("chmod of an entry", fd);
    sys::chmod("dir", 0o700)?;
    show("chmod of itself", fd);
    test_support::files::names_in(sys::HERE, "dir")?;
    show("list", fd);
    sys::rmdir("dir/sub")?;
    show("rmdir", fd);
    sys::rename("dir", "moved")?;
    show("rename itself", fd);
    for name in ["victim", "soft", "a-longer-name-of-some-length"] {
        sys::unlink(&format!("moved/{name}"))?;
    }
    show("empty it", fd);
    sys::rmdir("moved")?;
    show("remove itself", fd);
    close(fd)?;
    clear()
}

fn masks() -> io::Result<()> {
    sys::mkdir("dir", 0o755)?;
    make("dir/file", b"")?;
    let fd = inotify_init1(IN_NONBLOCK)?;
    report("creations", inotify_add_watch(fd, "dir", IN_CREATE));
    make("dir/one", b"1")?;
    sys::unlink("dir/one")?;
    show("only those", fd);
    report(
        "and deletions",
        inotify_add_watch(fd, "dir", IN_DELETE | IN_MASK_ADD),
    );
    make("dir/one", b"1")?;
    sys::unlink("dir/one")?;
    show("both", fd);
    report("moves instead", inotify_add_watch(fd, "dir", IN_MOVE));
    make("dir/one", b"1")?;
    sys::rename("dir/one", "dir/two")?;
    show("only moves", fd);
    report(
        "another watch",
        inotify_add_watch(fd, "dir/file", IN_MODIFY | IN_ONESHOT),
    );
    make("dir/file", b"text")?;
    make("dir/file", b"text")?;
    show("once", fd);
    report("it is gone", inotify_rm_watch(fd, 2));
    report(
        "numbers are not used again",
        inotify_add_watch(fd, "dir/file", IN_ACCESS),
    );
    report("remove", inotify_rm_watch(fd, 3));
    show("removed", fd);
    report("once more", inotify_rm_watch(fd, 3));
    report(
        "without unlinked ones",
        inotify_add_watch(fd, "dir", IN_MODIFY | IN_EXCL_UNLINK),
    );
    let file = open("dir/file", O_RDWR, 0)?;
    sys::write(file, b"a")?;
    sys::unlink("dir/file")?;
    sys::write(file, b"b")?;
    show("one of two writes", fd);
    close(file)?;
    close(fd)?;
    clear()
}

/// Rooms, readiness, and events that are the same as the one before.
fn reading() -> io::Result<()> {
    make("file", b"content")?;
    let fd = inotify_init1(IN_NONBLOCK)?;
    let ready = || {
        let mut poll = libc::pollfd {
            fd: fd as i32,
            events: libc::POLLIN,
            revents: 0,
        };
        call(libc::SYS_poll, &[(&raw mut poll) as u64, 1, 0]).map(|_| poll.revents)
    };
    let waiting = || {
        let mut count = 0_i32;
        call(
            libc::SYS_ioctl,
            &[fd as u64, libc::FIONREAD, (&raw mut count) as u64],
        )
        .map(|_| count)
    };
    report(
        "watch",
        inotify_add_watch(fd, "file", IN_MODIFY | IN_ATTRIB),
    );
    report("ready", ready());
    report("waiting", waiting());
    let file = open("file", O_RDWR, 0)?;
    for _ in 0..5 {
        sys::write(file, b"x")?;
    }
    report("waiting after five equal ones", waiting());
    sys::fchmod(file, 0o600)?;
    sys::write(file, b"x")?;
    report("waiting after two others", waiting());
    report("ready", ready());
    let read = |room: usize| -> Outcome { sys::read(fd, &mut vec![0; room]) };
    report("room for none", read(15));
    report("no room", read(0));
    report("room for one", read(16));
    report("room for one and a half", read(24));
    report("room for all", read(100));
    report("room for more", read(100));
    report("ready", ready());
    close(file)?;
    close(fd)?;
    clear()
}

/// Events that nobody read go with the descriptor; another one has its own.
fn ends() -> io::Result<()> {
    make("file", b"content")?;
    let one = inotify_init1(IN_NONBLOCK)?;
    let two = inotify_init1(IN_NONBLOCK)?;
    let copy = sys::dup(one)?;
    inotify_add_watch(one, "file", IN_MODIFY)?;
    inotify_add_watch(two, "file", IN_MODIFY)?;
    sys::truncate("file", 1)?;
    show("two", two);
    close(one)?;
    show("the copy of one", copy);
    sys::truncate("file", 2)?;
    close(copy)?;
    show("two", two);
    sys::unlink("file")?;
    show("unlinked", two);
    close(two)?;
    Ok(())
}
