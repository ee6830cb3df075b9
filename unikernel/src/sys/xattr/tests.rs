use super::*;
use core::cell::Cell;
use linux_raw_sys::general::{S_IFLNK, S_IFREG};
use std::rc::Rc;
use std::thread_local;

/// A file system of three files: `f`, the link `l` to it, and `none` without attributes.
struct Files;

struct File {
    mode: u32,
    slot: Option<Slot>,
    room: Cell<usize>,
    changes: Cell<u32>,
    read_only: Cell<bool>,
}

impl File {
    fn new(mode: u32, slot: Option<Slot>) -> Rc<Self> {
        Rc::new(Self {
            mode,
            slot,
            room: Cell::new(1 << 20),
            changes: Cell::new(0),
            read_only: Cell::new(false),
        })
    }
}

thread_local! {
    static FILES: [Rc<File>; 3] = [
        File::new(S_IFREG | 0o600, Some(Slot::new())),
        File::new(S_IFLNK | 0o777, Some(Slot::new())),
        File::new(S_IFREG | 0o600, None),
    ];
}

fn file(index: usize) -> Rc<File> {
    FILES.with(|files| files[index].clone())
}

impl Target for Rc<File> {
    fn attributes(&self) -> Attributes {
        Attributes {
            mode: self.mode,
            uid: 10,
            gid: 10,
        }
    }

    fn xattrs(&self) -> Option<&Slot> {
        self.slot.as_ref()
    }

    fn own_xattrs(&self) -> Result<&Slot, Errno> {
        self.slot.as_ref().ok_or(Errno::EOPNOTSUPP)
    }

    fn check_writable(&self) -> Result<(), Errno> {
        if self.read_only.get() {
            return Err(Errno::EROFS);
        }
        Ok(())
    }

    fn charge(&self, bytes: usize) -> Result<(), Errno> {
        let left = self.room.get().checked_sub(bytes);
        self.room.set(left.ok_or(Errno::ENOSPC)?);
        Ok(())
    }

    fn release(&self, bytes: usize) {
        self.room.set(self.room.get() + bytes);
    }

    fn changed(&self) {
        self.changes.set(self.changes.get() + 1);
    }
}

impl Find for Files {
    type Target = Rc<File>;

    fn by_path(path: UserPtr<u8>, follow: bool) -> Result<Self::Target, Errno> {
        match path.read()? {
            b'l' if !follow => Ok(file(1)),
            b'f' | b'l' => Ok(file(0)),
            b'n' => Ok(file(2)),
            _ => Err(Errno::ENOENT),
        }
    }

    fn by_descriptor(fd: i32) -> Result<Self::Target, Errno> {
        if fd == 0 {
            Ok(file(0))
        } else {
            Err(Errno::EBADF)
        }
    }
}

fn at(text: &str) -> UserPtr<u8> {
    assert!(text.ends_with('\0'));
    UserPtr::new(text.as_ptr() as usize)
}

fn bytes(bytes: &[u8]) -> UserPtr<u8> {
    UserPtr::new(bytes.as_ptr() as usize)
}

const BAD: UserPtr<u8> = UserPtr::new(usize::MAX);

fn put(path: &str, name: &str, value: &[u8]) -> SysResult {
    setxattr::<Files>(at(path), at(name), bytes(value), value.len(), 0)
}

/// The value of an attribute of `f`.
fn value(name: &str) -> Result<Vec<u8>, Errno> {
    let mut room = vec![0u8; 70_000];
    let place = UserPtr::new(room.as_mut_ptr() as usize);
    let len = getxattr::<Files>(at("f\0"), at(name), place, room.len())?;
    room.truncate(len);
    Ok(room)
}

#[test]
fn values_go_in_and_out() {
    assert_eq!(put("f\0", "user.a\0", b"value"), Ok(0));
    assert_eq!(value("user.a\0").as_deref(), Ok(&b"value"[..]));
    let name = at("user.a\0");
    assert_eq!(getxattr::<Files>(at("f\0"), name, BAD, 0), Ok(5));
    assert_eq!(
        getxattr::<Files>(at("l\0"), name, BAD, 4),
        Err(Errno::ERANGE)
    );
    assert_eq!(fgetxattr::<Files>(0, name, BAD, 5), Err(Errno::EFAULT));
    assert_eq!(
        lgetxattr::<Files>(at("l\0"), name, BAD, 0),
        Err(Errno::ENODATA)
    );
    assert_eq!(fgetxattr::<Files>(9, name, BAD, 5), Err(Errno::EBADF));
    // An empty value is one, wherever it is.
    assert_eq!(fsetxattr::<Files>(0, name, BAD, 0, XATTR_REPLACE), Ok(0));
    assert_eq!(value("user.a\0").as_deref(), Ok(&b""[..]));
    assert_eq!(fgetxattr::<Files>(0, name, BAD, 5), Ok(0));
    assert_eq!(fremovexattr::<Files>(0, name), Ok(0));
    assert_eq!(removexattr::<Files>(at("l\0"), name), Err(Errno::ENODATA));
    assert_eq!(lremovexattr::<Files>(at("l\0"), name), Err(Errno::EPERM));
    assert_eq!(file(0).changes.get(), 3);
}

#[test]
fn sizes_have_limits() {
    let big = vec![7u8; 65_537];
    assert_eq!(put("f\0", "user.a\0", &big), Err(Errno::E2BIG));
    assert_eq!(put("f\0", "user.a\0", &big[1..]), Ok(0));
    assert_eq!(value("user.a\0").map(|value| value.len()), Ok(65_536));
    let name = |len: usize| format!("user.{}\0", "n".repeat(len - 5));
    assert_eq!(put("f\0", &name(255), b""), Ok(0));
    assert_eq!(put("f\0", &name(256), b""), Err(Errno::ERANGE));
    assert_eq!(value(&name(256)), Err(Errno::ERANGE));
    assert_eq!(put("f\0", "\0", b""), Err(Errno::ERANGE));
    let set = |value, flags| setxattr::<Files>(at("f\0"), at("user.b\0"), value, 1, flags);
    assert_eq!(set(BAD, 0), Err(Errno::EFAULT));
    assert_eq!(set(bytes(b"x"), 4), Err(Errno::EINVAL));
    assert_eq!(set(bytes(b"x"), XATTR_REPLACE), Err(Errno::ENODATA));
    assert_eq!(
        setxattr::<Files>(at("f\0"), BAD, BAD, 0, 0),
        Err(Errno::EFAULT)
    );
    assert_eq!(put("x\0", "user.a\0", b""), Err(Errno::ENOENT));
}

#[test]
fn lists_are_names_with_a_nul() {
    let mut room = [1u8; 32];
    let place = UserPtr::new(room.as_mut_ptr() as usize);
    assert_eq!(listxattr::<Files>(at("f\0"), BAD, 9), Ok(0));
    for name in ["user.b\0", "user.a\0", "trusted.t\0"] {
        assert_eq!(put("f\0", name, b"v"), Ok(0));
    }
    assert_eq!(flistxattr::<Files>(0, BAD, 0), Ok(24));
    assert_eq!(flistxattr::<Files>(0, place, 23), Err(Errno::ERANGE));
    assert_eq!(flistxattr::<Files>(0, BAD, 24), Err(Errno::EFAULT));
    assert_eq!(listxattr::<Files>(at("l\0"), place, 32), Ok(24));
    assert_eq!(&room[..25], b"trusted.t\0user.a\0user.b\0\x01");
    assert_eq!(llistxattr::<Files>(at("l\0"), place, 32), Ok(0));
    assert_eq!(crate::sys::identity::setuid(10), Ok(0));
    assert_eq!(listxattr::<Files>(at("f\0"), place, 32), Ok(14));
    assert_eq!(&room[..14], b"user.a\0user.b\0");
}

#[test]
fn space_is_charged_and_given_back() {
    let file = file(0);
    file.room.set(100);
    assert_eq!(put("f\0", "user.a\0", &[0; 55]), Err(Errno::ENOSPC));
    assert_eq!(put("f\0", "user.a\0", &[0; 54]), Ok(0));
    assert_eq!(file.room.get(), 0);
    // The new value is charged before the old one is given back, as on Linux.
    assert_eq!(put("f\0", "user.a\0", b""), Err(Errno::ENOSPC));
    file.room.set(60);
    let create = setxattr::<Files>(at("f\0"), at("user.a\0"), BAD, 0, XATTR_CREATE);
    assert_eq!((create, file.room.get()), (Err(Errno::EEXIST), 60));
    assert_eq!(put("f\0", "user.a\0", b""), Ok(0));
    assert_eq!(file.room.get(), 60 + 100 - 46);
    assert_eq!(removexattr::<Files>(at("f\0"), at("user.a\0")), Ok(0));
    assert_eq!(file.room.get(), 160);
}

#[test]
fn some_files_have_none() {
    let no = Err(Errno::EOPNOTSUPP);
    assert_eq!(put("n\0", "user.a\0", b"v"), no);
    assert_eq!(getxattr::<Files>(at("n\0"), at("user.a\0"), BAD, 0), no);
    assert_eq!(removexattr::<Files>(at("n\0"), at("user.a\0")), no);
    assert_eq!(listxattr::<Files>(at("n\0"), BAD, 9), Ok(0));
    assert_eq!(put("f\0", "system.a\0", b"v"), no);
    assert_eq!(put("f\0", "a\0", b"v"), no);
    assert_eq!(put("f\0", "user.\0", b"v"), Err(Errno::EINVAL));
    file(0).read_only.set(true);
    assert_eq!(put("f\0", "user.a\0", b"v"), Err(Errno::EROFS));
    assert_eq!(
        removexattr::<Files>(at("f\0"), at("user.a\0")),
        Err(Errno::EROFS)
    );
}

#[test]
fn others_may_not() {
    assert_eq!(put("f\0", "user.a\0", b"v"), Ok(0));
    assert_eq!(put("f\0", "trusted.a\0", b"v"), Ok(0));
    assert_eq!(crate::sys::identity::setuid(11), Ok(0));
    assert_eq!(put("f\0", "user.a\0", b"v"), Err(Errno::EACCES));
    assert_eq!(put("f\0", "trusted.a\0", b"v"), Err(Errno::EPERM));
    assert_eq!(value("user.a\0"), Err(Errno::EACCES));
    assert_eq!(value("trusted.a\0"), Err(Errno::ENODATA));
}
