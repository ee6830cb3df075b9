use super::*;
use crate::fs::proc::Text;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::fs::{Stdin, facts};
use crate::sys::dir::{
    chmod, chown, ftruncate, getdents64, link, mkdir, readlink, rename, renameat2, rmdir, symlink,
    truncate, unlink, utimensat,
};
use crate::sys::file::{close, dup, fcntl, ioctl, lseek, open, pread64, read, write};
use crate::sys::{self, fast};
use linux_raw_sys::general::{
    __kernel_timespec as Time, F_GETFL, IN_ALL_EVENTS, IN_CREATE, IN_ISDIR, IN_MODIFY, IN_NONBLOCK,
    O_CREAT, O_PATH, O_RDWR, O_TMPFILE, O_TRUNC, RENAME_EXCHANGE, UTIME_OMIT,
};
use linux_raw_sys::ioctl::FIONREAD;

const NAMES: [(u32, &str); 14] = [
    (0x1, "ACCESS"),
    (0x2, "MODIFY"),
    (0x4, "ATTRIB"),
    (0x8, "CLOSE_WRITE"),
    (0x10, "CLOSE_NOWRITE"),
    (0x20, "OPEN"),
    (0x40, "MOVED_FROM"),
    (0x80, "MOVED_TO"),
    (0x100, "CREATE"),
    (0x200, "DELETE"),
    (0x400, "DELETE_SELF"),
    (0x800, "MOVE_SELF"),
    (0x2000, "UNMOUNT"),
    (0x8000, "IGNORED"),
];

fn boot() -> (impl Sized, i32) {
    let packer = Packer::default().file("d/f", b"hello").dir("d/s").dir("e");
    let fs = boot_with(Some(packer), Stdin::Null);
    (fs, inotify_init1(IN_NONBLOCK).unwrap() as i32)
}

fn at(bytes: &[u8]) -> UserPtr<u8> {
    UserPtr::new(bytes.as_ptr() as usize)
}

fn watch(fd: i32, path: &str, mask: u32) -> SysResult {
    inotify_add_watch(fd, cstr(path), mask)
}

/// What has happened since the last time: number of the watch, events, name.
fn seen(fd: i32) -> String {
    let room = vec![0; 4096];
    let Ok(len) = read(fd, at(&room), room.len()) else {
        return String::new();
    };
    let (mut rest, mut events) = (&room[..len], Vec::new());
    while !rest.is_empty() {
        let word = |at: usize| u32::from_ne_bytes(rest[at * 4..][..4].try_into().unwrap());
        let (mask, (name, next)) = (word(1), rest[16..].split_at(word(3) as usize));
        let mut text = word(0).to_string();
        for (_, bit) in NAMES.iter().filter(|(bit, _)| mask & bit != 0) {
            text += &format!(" {bit}");
        }
        if mask & IN_ISDIR != 0 {
            text += "/";
        }
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        if !name.is_empty() {
            text += &format!(" {}", name.escape_ascii());
        }
        events.push(text);
        rest = next;
    }
    events.join(", ")
}

fn file(path: &str, flags: u32) -> i32 {
    open(cstr(path), flags, 0o644).unwrap() as i32
}

#[test]
fn open_files_tell_their_directory_and_who_watches_them() {
    let (_fs, fd) = boot();
    assert_eq!(watch(fd, "d\0", IN_ALL_EVENTS), Ok(1));
    assert_eq!(watch(fd, "d/f\0", IN_ALL_EVENTS), Ok(2));
    let bytes = [b'x'; 8];
    let open = file("d/f\0", O_RDWR);
    assert_eq!(seen(fd), "1 OPEN f, 2 OPEN");
    assert_eq!(fast::read(open, at(&bytes), 1), None);
    assert_eq!(read(open, at(&bytes), 1), Ok(1));
    assert_eq!(seen(fd), "1 ACCESS f, 2 ACCESS");
    assert_eq!(fast::pread64(open, at(&bytes), 1, 0), None);
    assert_eq!(pread64(open, at(&bytes), 1, 0), Ok(1));
    assert_eq!(seen(fd), "1 ACCESS f, 2 ACCESS");
    assert_eq!(pread64(open, at(&bytes), 1, 99), Ok(0));
    assert_eq!(seen(fd), "");
    assert_eq!(write(open, at(&bytes), 1), Ok(1));
    assert_eq!(write(open, at(&bytes), 0), Ok(0));
    assert_eq!(ftruncate(open, 3), Ok(0));
    assert_eq!(seen(fd), "1 MODIFY f, 2 MODIFY, 1 MODIFY f, 2 MODIFY");
    let copy = dup(open).unwrap() as i32;
    assert_eq!((close(copy), seen(fd)), (Ok(0), String::new()));
    assert_eq!(close(open), Ok(0));
    assert_eq!(seen(fd), "1 CLOSE_WRITE f, 2 CLOSE_WRITE");
    close(file("d/f\0", O_PATH)).unwrap();
    assert_eq!(seen(fd), "");
    close(file("d/f\0", O_TRUNC)).unwrap();
    let wanted = "1 OPEN f, 2 OPEN, 1 MODIFY f, 2 MODIFY, 1 CLOSE_NOWRITE f, 2 CLOSE_NOWRITE";
    assert_eq!(seen(fd), wanted);
    let (list, room) = (file("d\0", 0), [0; 99]);
    assert!(getdents64(list, at(&room), 99).is_ok());
    close(list).unwrap();
    assert_eq!(seen(fd), "1 OPEN/, 1 ACCESS/, 1 CLOSE_NOWRITE/");
}

#[test]
fn attributes_tell_who_watches() {
    let (_fs, fd) = boot();
    assert_eq!(watch(fd, "d\0", IN_ALL_EVENTS), Ok(1));
    let omit = |which: usize| -> [Time; 2] {
        core::array::from_fn(|index| Time {
            tv_sec: 5,
            tv_nsec: if index == which { UTIME_OMIT.into() } else { 7 },
        })
    };
    let set_times = |times: [Time; 2]| {
        let times = UserPtr::new(times.as_ptr() as usize);
        utimensat(AT_FDCWD, cstr("d/f\0"), times, 0)
    };
    let path = || cstr("d/f\0");
    let rows: [(&dyn Fn() -> SysResult, &str); 8] = [
        (&|| chmod(path(), 0o600), "1 ATTRIB f"),
        (&|| chmod(cstr("d\0"), 0o700), "1 ATTRIB/"),
        (&|| chown(path(), u32::MAX, u32::MAX), ""),
        (&|| chown(path(), 5, u32::MAX), "1 ATTRIB f"),
        (&|| truncate(path(), 2), "1 MODIFY f"),
        (&|| set_times(omit(9)), "1 ATTRIB f"),
        (&|| set_times(omit(0)), "1 MODIFY f"),
        (&|| set_times(omit(1)), "1 ACCESS f"),
    ];
    for (act, wanted) in rows {
        assert_eq!((act(), &*seen(fd)), (Ok(0), wanted));
    }
}

#[test]
fn names_tell_their_directory() {
    let (_fs, fd) = boot();
    assert_eq!(watch(fd, "d\0", IN_ALL_EVENTS), Ok(1));
    assert_eq!(watch(fd, "d/f\0", IN_ALL_EVENTS), Ok(2));
    close(file("d/new\0", O_CREAT)).unwrap();
    assert_eq!(seen(fd), "1 CREATE new, 1 OPEN new, 1 CLOSE_NOWRITE new");
    mkdir(cstr("d/dir\0"), 0o755).unwrap();
    symlink(cstr("x\0"), cstr("d/sl\0")).unwrap();
    link(cstr("d/f\0"), cstr("d/g\0")).unwrap();
    assert_eq!(seen(fd), "1 CREATE/ dir, 1 CREATE sl, 2 ATTRIB, 1 CREATE g");
    rmdir(cstr("d/dir\0")).unwrap();
    unlink(cstr("d/g\0")).unwrap();
    assert_eq!(seen(fd), "1 DELETE/ dir, 2 ATTRIB, 1 DELETE g");
    unlink(cstr("d/f\0")).unwrap();
    let wanted = "2 ATTRIB, 2 DELETE_SELF, 2 IGNORED, 1 DELETE f";
    assert_eq!(seen(fd), wanted);
    for refused in [unlink(cstr("d/f\0")), mkdir(cstr("d/sl\0"), 0)] {
        assert!(refused.is_err() && seen(fd).is_empty());
    }
}

#[test]
fn an_open_file_is_deleted_when_it_is_closed() {
    let (_fs, fd) = boot();
    assert_eq!(watch(fd, "d/f\0", IN_ALL_EVENTS), Ok(1));
    assert_eq!(watch(fd, "d/s\0", IN_ALL_EVENTS), Ok(2));
    let (open, dir) = (file("d/f\0", O_RDWR), file("d/s\0", 0));
    unlink(cstr("d/f\0")).unwrap();
    rmdir(cstr("d/s\0")).unwrap();
    assert_eq!(seen(fd), "1 OPEN, 2 OPEN/, 1 ATTRIB");
    close(open).unwrap();
    close(dir).unwrap();
    let wanted = "1 CLOSE_WRITE, 1 DELETE_SELF, 1 IGNORED, \
                  2 CLOSE_NOWRITE/, 2 DELETE_SELF, 2 IGNORED";
    assert_eq!(seen(fd), wanted);
    assert_eq!(inotify_rm_watch(fd, 1), Err(Errno::EINVAL));
}

#[test]
fn moves_tell_both_directories() {
    let (_fs, fd) = boot();
    close(file("e/g\0", O_CREAT)).unwrap();
    for (number, path) in ["d\0", "e\0", "d/f\0", "e/g\0"].iter().enumerate() {
        assert_eq!(watch(fd, path, IN_ALL_EVENTS), Ok(number + 1));
    }
    rename(cstr("d/f\0"), cstr("d/h\0")).unwrap();
    assert_eq!(seen(fd), "1 MOVED_FROM f, 1 MOVED_TO h, 3 MOVE_SELF");
    let swap = renameat2(
        AT_FDCWD,
        cstr("d/h\0"),
        AT_FDCWD,
        cstr("e/g\0"),
        RENAME_EXCHANGE,
    );
    assert_eq!(swap, Ok(0));
    let wanted = "1 MOVED_FROM h, 2 MOVED_TO g, 3 MOVE_SELF, \
                  2 MOVED_FROM g, 1 MOVED_TO h, 4 MOVE_SELF";
    assert_eq!(seen(fd), wanted);
    rename(cstr("d/h\0"), cstr("e/g\0")).unwrap();
    let wanted = "1 MOVED_FROM h, 2 MOVED_TO g, 3 ATTRIB, 4 MOVE_SELF, 3 DELETE_SELF, 3 IGNORED";
    assert_eq!(seen(fd), wanted);
    rename(cstr("d/s\0"), cstr("e/s\0")).unwrap();
    assert_eq!(seen(fd), "1 MOVED_FROM/ s, 2 MOVED_TO/ s");
    assert!(rename(cstr("d/none\0"), cstr("e/x\0")).is_err());
    link(cstr("e/g\0"), cstr("e/h\0")).unwrap();
    let _ = seen(fd);
    rename(cstr("e/g\0"), cstr("e/h\0")).unwrap();
    assert_eq!(seen(fd), "", "two names of one file");
}

#[test]
fn descriptors_are_what_linux_makes_them() {
    let (_fs, fd) = boot();
    assert_eq!(inotify_init1(1), Err(Errno::EINVAL));
    assert_eq!(fcntl(fd, F_GETFL, 0), Ok(IN_NONBLOCK as usize));
    assert_eq!(write(fd, at(b"x"), 1), Err(Errno::EBADF));
    assert_eq!((lseek(fd, 5, 0), lseek(fd, 0, 1)), (Ok(0), Ok(0)));
    assert_eq!(pread64(fd, at(b"x"), 1, 0), Err(Errno::ESPIPE));
    let mut shown = Text::new();
    assert_eq!(watch(fd, "d\0", IN_MODIFY), Ok(1));
    facts::source()
        .files
        .descriptor_extra(fd as u32, &mut shown);
    let inode = fd::get(file("d\0", 0)).unwrap().inode().clone();
    let place = format!("ino:{:x} sdev:{:x}", inode.ino, inode.sb.device);
    let wanted = format!("inotify wd:1 {place} mask:2 ignored_mask:0 \n");
    assert_eq!(shown.as_bytes(), wanted.as_bytes());
    let mut count = 0i32;
    let argument = UserPtr::new(core::ptr::from_mut(&mut count) as usize);
    assert_eq!(watch(fd, "d\0", IN_CREATE), Ok(1));
    close(file("d/new\0", O_CREAT)).unwrap();
    assert_eq!((ioctl(fd, FIONREAD, argument), count), (Ok(0), 32));
    assert_eq!(read(fd, at(&[0; 31]), 31), Err(Errno::EINVAL));
    assert_eq!(seen(fd), "1 CREATE new");
    assert_eq!(read(fd, at(&[0; 31]), 31), Err(Errno::EAGAIN));
    assert_eq!(
        (inotify_rm_watch(fd, 1), seen(fd)),
        (Ok(0), "1 IGNORED".into())
    );
}

#[test]
fn watches_are_refused_in_the_order_of_linux() {
    let (_fs, fd) = boot();
    let plain = file("d/f\0", 0);
    for (number, path, mask, errno) in [
        (99, "none\0", 0, Errno::EINVAL),
        (99, "none\0", 0x1000, Errno::EINVAL),
        (99, "none\0", IN_MODIFY, Errno::EBADF),
        (plain, "none\0", IN_MODIFY, Errno::EINVAL),
        (
            fd,
            "none\0",
            IN_MODIFY | IN_MASK_ADD | IN_MASK_CREATE,
            Errno::EINVAL,
        ),
        (fd, "none\0", IN_MODIFY, Errno::ENOENT),
        (fd, "d/f\0", IN_MODIFY | IN_ONLYDIR, Errno::ENOTDIR),
        (fd, "\0", IN_MODIFY, Errno::ENOENT),
    ] {
        assert_eq!(watch(number, path, mask), Err(errno), "{path} {mask:#x}");
    }
    assert_eq!(inotify_rm_watch(99, 1), Err(Errno::EBADF));
    assert_eq!(inotify_rm_watch(plain, 1), Err(Errno::EINVAL));
    assert_eq!(inotify_rm_watch(fd, 1), Err(Errno::EINVAL));
}

#[test]
fn watches_end_with_the_last_descriptor() {
    let (_fs, fd) = boot();
    assert_eq!(watch(fd, "d\0", IN_ALL_EVENTS), Ok(1));
    let copy = dup(fd).unwrap() as i32;
    assert!(close(fd).is_ok() && crate::fs::notify::is_active());
    close(file("d/f\0", 0)).unwrap();
    assert_eq!(seen(copy), "1 OPEN f, 1 CLOSE_NOWRITE f");
    assert!(close(copy).is_ok() && !crate::fs::notify::is_active());
}

#[test]
fn files_without_names_have_numbers_for_them() {
    let (_fs, fd) = boot();
    assert_eq!(watch(fd, "d\0", IN_ALL_EVENTS), Ok(1));
    let open = file("d\0", O_TMPFILE | O_RDWR);
    let name = format!("#{}", fd::get(open).unwrap().inode().ino);
    write(open, at(b"x"), 1).unwrap();
    let path = format!("/proc/self/fd/{open}\0");
    let room = [0u8; 40];
    let len = readlink(cstr(&path), at(&room), 40).unwrap();
    assert_eq!(&room[..len], format!("/d/{name} (deleted)").as_bytes());
    assert_eq!(rmdir(cstr("d/s\0")), Ok(0));
    close(open).unwrap();
    let wanted = format!("1 OPEN {name}, 1 MODIFY {name}, 1 DELETE/ s, 1 CLOSE_WRITE {name}");
    assert_eq!(seen(fd), wanted);
}

#[test]
fn directories_do_not_learn_when_devices_are_used() {
    let (_fs, fd) = boot();
    assert_eq!(watch(fd, "/dev\0", IN_ALL_EVENTS), Ok(1));
    let null = file("/dev/null\0", O_RDWR);
    assert_eq!(fast::write(null, at(b"x"), 1), None);
    write(null, at(b"x"), 1).unwrap();
    assert_eq!(seen(fd), "1 OPEN null");
    assert_eq!(watch(fd, "/dev/null\0", IN_ALL_EVENTS), Ok(2));
    write(null, at(b"x"), 1).unwrap();
    close(null).unwrap();
    assert_eq!(seen(fd), "2 MODIFY, 1 CLOSE_WRITE null, 2 CLOSE_WRITE");
}

#[test]
fn watches_end_with_the_file_system() {
    let (_fs, fd) = boot();
    let mount = || {
        sys::mount::mount(
            cstr("x\0"),
            cstr("d\0"),
            cstr("tmpfs\0"),
            0,
            UserPtr::new(0),
        )
    };
    assert_eq!(mount(), Ok(0));
    mkdir(cstr("d/sub\0"), 0o755).unwrap();
    close(file("d/sub/file\0", O_CREAT)).unwrap();
    close(file("d/last\0", O_CREAT)).unwrap();
    let paths = ["d/sub/file\0", "d\0", "d/sub\0", "d/last\0", "e\0"];
    for (number, path) in paths.iter().enumerate() {
        assert_eq!(watch(fd, path, IN_CREATE), Ok(number + 1));
    }
    assert_eq!(sys::mount::umount2(cstr("d\0"), 0), Ok(0));
    let wanted = "4 UNMOUNT, 4 IGNORED, 1 UNMOUNT, 1 IGNORED, \
                  3 UNMOUNT/, 3 IGNORED, 2 UNMOUNT/, 2 IGNORED";
    assert_eq!(seen(fd), wanted);
    assert_eq!(
        (inotify_rm_watch(fd, 5), seen(fd)),
        (Ok(0), "5 IGNORED".into())
    );
}
