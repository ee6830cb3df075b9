use super::*;
use crate::errno::SysResult;
use crate::fs::Stdin;
use crate::fs::testing::{Packer, boot_with, cstr};
use crate::sys::dir::{chmod, link, unlink};
use crate::sys::file::open;
use crate::sys::xattr;
use linux_raw_sys::general::O_PATH;

fn boot() -> impl Sized {
    let packer = Packer::default().file("f", b"").link("l", "f");
    boot_with(Some(packer), Stdin::Null)
}

fn at(bytes: &[u8]) -> UserPtr<u8> {
    UserPtr::new(bytes.as_ptr() as usize)
}

fn set(path: &str, name: &str, value: &[u8]) -> SysResult {
    xattr::setxattr::<Files>(cstr(path), cstr(name), at(value), value.len(), 0)
}

fn get(path: &str, name: &str) -> Result<Vec<u8>, Errno> {
    let room = vec![0; 64];
    let len = xattr::getxattr::<Files>(cstr(path), cstr(name), at(&room), room.len())?;
    Ok(room[..len].to_vec())
}

fn inode(path: &str) -> Ref<Inode> {
    Files::by_path(cstr(path), false)
        .map(|named| named.inode)
        .unwrap()
}

#[test]
fn attributes_belong_to_the_inode() {
    let _fs = boot();
    assert_eq!(get("f\0", "user.a\0"), Err(Errno::ENODATA));
    assert!(inode("f\0").extras().is_none(), "asking costs nothing");
    assert_eq!(link(cstr("f\0"), cstr("g\0")), Ok(0));
    assert_eq!(set("l\0", "user.a\0", b"one"), Ok(0));
    assert_eq!(get("g\0", "user.a\0"), Ok(b"one".to_vec()));
    let removed = xattr::lremovexattr::<Files>(cstr("l\0"), cstr("user.a\0"));
    assert_eq!(removed, Err(Errno::EPERM), "the link itself has none");
    let fd = open(cstr("f\0"), 0, 0).unwrap() as i32;
    assert_eq!(xattr::fremovexattr::<Files>(fd, cstr("user.a\0")), Ok(0));
    assert_eq!(get("g\0", "user.a\0"), Err(Errno::ENODATA));
}

#[test]
fn only_files_in_memory_have_them() {
    let _fs = boot();
    assert_eq!(set("/proc/stat\0", "user.a\0", b""), Err(Errno::EOPNOTSUPP));
    assert_eq!(set("/dev/null\0", "user.a\0", b""), Err(Errno::EPERM));
    assert_eq!(set("none\0", "user.a\0", b""), Err(Errno::ENOENT));
    let place = open(cstr("f\0"), O_PATH, 0).unwrap() as i32;
    for fd in [place, 99] {
        let listed = xattr::flistxattr::<Files>(fd, UserPtr::new(0), 0);
        assert_eq!(listed, Err(Errno::EBADF));
    }
}

#[test]
fn they_take_room_and_give_it_back() {
    let _fs = boot();
    let quota = |inode: &Inode| inode.sb.quota.inodes().used;
    let file = inode("f\0");
    let before = quota(&file);
    assert_eq!(set("f\0", "user.a\0", &[0; 1024 - 46]), Ok(0));
    assert_eq!(quota(&file), before + 1);
    assert_eq!(set("f\0", "user.a\0", &[0; 1024 - 45]), Ok(0));
    assert_eq!(quota(&file), before + 2);
    assert_eq!(set("f\0", "user.b\0", &[0; 900]), Ok(0));
    assert_eq!(quota(&file), before + 2);
    let sb = file.sb.clone();
    drop(file);
    assert_eq!(unlink(cstr("f\0")), Ok(0));
    assert_eq!(sb.quota.inodes().used, before - 1);
}

#[test]
fn a_change_is_one_of_the_inode() {
    let _fs = boot();
    let file = inode("f\0");
    file.ctime.set((5, 0));
    assert_eq!(set("f\0", "user.a\0", b""), Ok(0));
    assert!(file.ctime.get() > (5, 0));
    assert_eq!(chmod(cstr("f\0"), 0o444), Ok(0));
    assert_eq!(set("f\0", "user.a\0", b"root may"), Ok(0));
}
