//! File systems: statfs(2) and sync(2).

use crate::errno::SysResult;
use crate::fs::fd;
use crate::fs::pages::Usage;
use crate::fs::path::PathBuf;
use crate::fs::super_block::SuperBlock;
use crate::fs::vfs;
use crate::mm::PAGE;
use crate::uaccess::UserPtr;
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general::{__kernel_fsid_t, AT_FDCWD, MS_NOATIME, NAME_MAX, statfs as Statfs};

/// The bit of `f_flags` that says that the others are valid (`ST_VALID`).
const ST_VALID: i64 = 0x20;
/// `ST_RELATIME`: access times are noted as with that mount option.
const ST_RELATIME: i64 = 0x1000;

/// statfs(2).
pub fn statfs(path: UserPtr<u8>, buffer: UserPtr<Statfs>) -> SysResult {
    let mut room = PathBuf::new();
    let path = room.read(path)?;
    let sb = {
        let mut vfs = vfs();
        let found = vfs.find(AT_FDCWD, path, 0)?;
        vfs.inode(found)?.sb.clone()
    };
    buffer.write(&describe(&sb))?;
    Ok(0)
}

/// fstatfs(2).
pub fn fstatfs(fd: i32, buffer: UserPtr<Statfs>) -> SysResult {
    let file = fd::get_any(fd)?;
    buffer.write(&describe(&file.inode().sb))?;
    Ok(0)
}

fn describe(sb: &SuperBlock) -> Statfs {
    let (pages, inodes) = (sb.quota.pages(), sb.quota.inodes());
    Statfs {
        f_type: sb.fs_type.magic(),
        f_bsize: PAGE as i64,
        f_blocks: limit(pages),
        f_bfree: free(pages),
        f_bavail: free(pages),
        f_files: limit(inodes),
        f_ffree: free(inodes),
        f_fsid: __kernel_fsid_t {
            val: [sb.device as i32, 0],
        },
        f_namelen: NAME_MAX.into(),
        f_frsize: PAGE as i64,
        f_flags: flags(sb.flags.load(Relaxed)),
        f_spare: [0; 4],
    }
}

/// `f_flags`: the numbers are those of mount(2), but for one.
fn flags(flags: u32) -> i64 {
    let relatime = match flags & MS_NOATIME {
        0 => ST_RELATIME,
        _ => 0,
    };
    i64::from(flags) | ST_VALID | relatime
}

/// How many there may be: 0, as on Linux, without a limit.
fn limit(usage: Usage) -> i64 {
    usage.limit.unwrap_or_default() as i64
}

fn free(usage: Usage) -> i64 {
    usage
        .limit
        .map_or(0, |limit| limit.saturating_sub(usage.used)) as i64
}

/// sync(2): nothing is ever dirty.
pub fn sync() -> SysResult {
    Ok(0)
}

/// syncfs(2).
pub fn syncfs(fd: i32) -> SysResult {
    fd::get(fd)?;
    Ok(0)
}
