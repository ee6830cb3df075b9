//! The description of a file that stat(2) and statx(2) give.

use super::inode::{Inode, Kind};
use linux_raw_sys::general::{
    STATX_ATTR_MOUNT_ROOT, STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID, stat, statx,
    statx_timestamp,
};

const BLOCK_SIZE: u32 = 4096;
/// `st_blocks` of a page.
const BLOCKS: u64 = BLOCK_SIZE as u64 / 512;

#[inline]
fn special_device(inode: &Inode) -> (u32, u32) {
    match inode.kind {
        Kind::Device(device) => device.numbers(),
        _ => (0, 0),
    }
}

/// Blocks of 512 bytes in use: a file's pages.
#[inline]
fn blocks(inode: &Inode) -> u64 {
    match &inode.kind {
        Kind::File(store) => store.lock().pages() * BLOCKS,
        Kind::Symlink(link) => link.pages() * BLOCKS,
        _ => 0,
    }
}

/// A device number as the kernel passes it to applications (`new_encode_dev`).
pub const fn encode((major, minor): (u32, u32)) -> u64 {
    ((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)) as u64
}

/// The inverse of [`encode`], for mknod(2).
pub const fn decode(device: u32) -> (u32, u32) {
    (
        (device >> 8) & 0xfff,
        (device & 0xff) | ((device >> 12) & 0xfff00),
    )
}

/// Fills `struct stat`.
pub fn to_stat(inode: &Inode) -> stat {
    let (uid, gid) = inode.owner();
    let (atime, mtime, ctime) = (inode.atime.get(), inode.mtime.get(), inode.ctime.get());
    stat {
        st_dev: inode.sb.encoded_device,
        st_ino: inode.ino,
        st_nlink: inode.nlink().into(),
        st_mode: inode.mode(),
        st_uid: uid,
        st_gid: gid,
        __pad0: 0,
        st_rdev: encode(special_device(inode)),
        st_size: inode.size() as i64,
        st_blksize: BLOCK_SIZE.into(),
        st_blocks: blocks(inode) as i64,
        st_atime: atime.0 as u64,
        st_atime_nsec: atime.1.into(),
        st_mtime: mtime.0 as u64,
        st_mtime_nsec: mtime.1.into(),
        st_ctime: ctime.0 as u64,
        st_ctime_nsec: ctime.1.into(),
        __unused: [0; 3],
    }
}

const fn timestamp((seconds, nanoseconds): (i64, u32)) -> statx_timestamp {
    statx_timestamp {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
        __reserved: 0,
    }
}

/// Fills `struct statx`: the basic set and the number of the mount, as Linux does unasked; the birth
/// time if `mask` asks for it, of files that have one. `is_mount_root`: it is the root of a mount.
pub fn to_statx(inode: &Inode, mask: u32, is_mount_root: bool) -> statx {
    let (rdev, (uid, gid)) = (special_device(inode), inode.owner());
    let birth = mask & STATX_BTIME != 0 && inode.sb.fs_type.is_tmpfs();
    statx {
        stx_mask: STATX_BASIC_STATS | STATX_MNT_ID | if birth { STATX_BTIME } else { 0 },
        stx_blksize: BLOCK_SIZE,
        stx_attributes: if is_mount_root {
            STATX_ATTR_MOUNT_ROOT.into()
        } else {
            0
        },
        stx_nlink: inode.nlink(),
        stx_uid: uid,
        stx_gid: gid,
        stx_mode: inode.mode() as u16,
        __spare0: [0],
        stx_ino: inode.ino,
        stx_size: inode.size(),
        stx_blocks: blocks(inode),
        stx_attributes_mask: STATX_ATTR_MOUNT_ROOT.into(),
        stx_atime: timestamp(inode.atime.get()),
        stx_btime: timestamp(if birth { inode.btime } else { (0, 0) }),
        stx_ctime: timestamp(inode.ctime.get()),
        stx_mtime: timestamp(inode.mtime.get()),
        stx_rdev_major: rdev.0,
        stx_rdev_minor: rdev.1,
        stx_dev_major: 0,
        stx_dev_minor: inode.sb.device,
        stx_mnt_id: inode.sb.device.into(),
        stx_dio_mem_align: 0,
        stx_dio_offset_align: 0,
        stx_subvol: 0,
        stx_atomic_write_unit_min: 0,
        stx_atomic_write_unit_max: 0,
        stx_atomic_write_segments_max: 0,
        stx_dio_read_offset_align: 0,
        stx_atomic_write_unit_max_opt: 0,
        __spare2: [0],
        __spare3: [0; 8],
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::Device;
    use super::super::pages::PageStore;
    use super::super::testing::inode;
    use super::*;
    use crate::sync::Exclusive;

    #[test]
    fn both_descriptions_agree() {
        let store = PageStore::from_image(&[7; 5000]);
        let file = inode(Kind::File(Exclusive::new(store)), 0o100_644);
        file.set_owner((5, 6));
        file.mtime.set((1_700_000_000, 9));
        file.count_names(3);
        let (short, long) = (to_stat(&file), to_statx(&file, 0, false));
        assert_eq!(
            (short.st_ino, short.st_nlink, short.st_mode),
            (file.ino, 3, 0o100_644)
        );
        assert_eq!((short.st_size, short.st_blocks), (5000, 16));
        assert_eq!((short.st_mtime, short.st_mtime_nsec), (1_700_000_000, 9));
        assert_eq!((long.stx_ino, long.stx_nlink), (file.ino, 3));
        assert_eq!(
            (long.stx_size, long.stx_blocks, long.stx_uid),
            (5000, 16, 5)
        );
        assert_eq!(
            (long.stx_mtime.tv_sec, long.stx_mtime.tv_nsec),
            (1_700_000_000, 9)
        );
        assert_eq!((size_of_val(&short), size_of_val(&long)), (144, 256));
    }

    #[test]
    fn the_birth_time_comes_when_asked_for() {
        let file = inode(Kind::Dir, 0o040_755);
        assert_eq!(to_statx(&file, 0, false).stx_mask & STATX_BTIME, 0);
        let asked = to_statx(&file, STATX_BTIME, true);
        assert_eq!(asked.stx_mask & STATX_BTIME, STATX_BTIME);
        assert_eq!(asked.stx_btime.tv_sec, file.btime.0);
        assert_eq!(asked.stx_attributes, u64::from(STATX_ATTR_MOUNT_ROOT));
    }

    #[test]
    fn device_numbers_are_encoded_as_by_the_kernel() {
        let null = to_stat(&inode(Kind::Device(Device::Null), 0o020_666));
        assert_eq!((null.st_rdev, null.st_size, null.st_blocks), (0x103, 0, 0));
        assert_eq!(encode((0x123, 0x4_5678)), 0x4561_2378);
        assert_eq!(decode(0x4561_2378), (0x123, 0x4_5678));
        let other = to_statx(
            &inode(Kind::Device(Device::Other(8, 17)), 0o060_600),
            0,
            false,
        );
        assert_eq!((other.stx_rdev_major, other.stx_rdev_minor), (8, 17));
    }
}
