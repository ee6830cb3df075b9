//! The description of a file that stat(2) and statx(2) give.

use super::device::Device;
use super::tree::{Inode, Kind};
use linux_raw_sys::general::{STATX_BASIC_STATS, stat, statx, statx_timestamp};

/// Device number of the root, major and minor: an anonymous one, as of every file system of Linux
/// that lives in memory.
const ROOT_DEVICE: (u32, u32) = (0, 2);
const BLOCK_SIZE: u32 = 4096;

fn special_device(inode: &Inode) -> (u32, u32) {
    match inode.kind {
        Kind::Device(device) => Device::numbers(device),
        _ => (0, 0),
    }
}

/// Blocks of 512 bytes in use: a file's whole pages, as of a file system in memory.
fn blocks(inode: &Inode) -> u64 {
    match inode.kind {
        Kind::File(bytes) => bytes.len().div_ceil(BLOCK_SIZE as usize) as u64 * 8,
        _ => 0,
    }
}

/// A device number as the kernel passes it to applications (`new_encode_dev`).
const fn encode((major, minor): (u32, u32)) -> u64 {
    ((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)) as u64
}

/// Fills `struct stat`. The three times are the same: nothing changes after the mount.
pub fn to_stat(inode: &Inode) -> stat {
    let (size, time) = (inode.size(), u64::from(inode.mtime));
    stat {
        st_dev: encode(ROOT_DEVICE),
        st_ino: inode.ino.into(),
        st_nlink: inode.nlink.into(),
        st_mode: inode.mode,
        st_uid: inode.uid,
        st_gid: inode.gid,
        __pad0: 0,
        st_rdev: encode(special_device(inode)),
        st_size: size as i64,
        st_blksize: BLOCK_SIZE.into(),
        st_blocks: blocks(inode) as i64,
        st_atime: time,
        st_atime_nsec: 0,
        st_mtime: time,
        st_mtime_nsec: 0,
        st_ctime: time,
        st_ctime_nsec: 0,
        __unused: [0; 3],
    }
}

/// Fills `struct statx`: always the basic set, whatever was asked for; there is no birth time.
pub fn to_statx(inode: &Inode) -> statx {
    let (rdev, size) = (special_device(inode), inode.size());
    let time = statx_timestamp {
        tv_sec: inode.mtime.into(),
        tv_nsec: 0,
        __reserved: 0,
    };
    let never = statx_timestamp {
        tv_sec: 0,
        tv_nsec: 0,
        __reserved: 0,
    };
    statx {
        stx_mask: STATX_BASIC_STATS,
        stx_blksize: BLOCK_SIZE,
        stx_attributes: 0,
        stx_nlink: inode.nlink,
        stx_uid: inode.uid,
        stx_gid: inode.gid,
        stx_mode: inode.mode as u16,
        __spare0: [0],
        stx_ino: inode.ino.into(),
        stx_size: size,
        stx_blocks: blocks(inode),
        stx_attributes_mask: 0,
        stx_atime: time,
        stx_btime: never,
        stx_ctime: time,
        stx_mtime: time,
        stx_rdev_major: rdev.0,
        stx_rdev_minor: rdev.1,
        stx_dev_major: ROOT_DEVICE.0,
        stx_dev_minor: ROOT_DEVICE.1,
        stx_mnt_id: 0,
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
    use super::*;

    fn inode(kind: Kind, mode: u32) -> Inode {
        Inode {
            kind,
            mode,
            uid: 5,
            gid: 6,
            mtime: 1_700_000_000,
            nlink: 3,
            ino: 42,
        }
    }

    #[test]
    fn both_descriptions_agree() {
        let file = inode(Kind::File(&[0; 5000]), 0o100_644);
        let (short, long) = (to_stat(&file), to_statx(&file));
        assert_eq!(
            (short.st_ino, short.st_nlink, short.st_mode),
            (42, 3, 0o100_644)
        );
        assert_eq!(
            (short.st_size, short.st_blocks, short.st_mtime),
            (5000, 16, 1_700_000_000)
        );
        assert_eq!(
            (long.stx_ino, long.stx_nlink, long.stx_mode),
            (42, 3, 0o100_644)
        );
        assert_eq!(
            (long.stx_size, long.stx_blocks, long.stx_uid),
            (5000, 16, 5)
        );
        assert_eq!(long.stx_mtime.tv_sec, 1_700_000_000);
        assert_eq!(
            (
                core::mem::size_of_val(&short),
                core::mem::size_of_val(&long)
            ),
            (144, 256)
        );
    }

    #[test]
    fn device_numbers_are_encoded_as_by_the_kernel() {
        let null = to_stat(&inode(Kind::Device(Device::Null), 0o020_666));
        assert_eq!((null.st_rdev, null.st_size, null.st_blocks), (0x103, 0, 0));
        assert_eq!(encode((0x123, 0x4_5678)), 0x4561_2378);
        let other = to_statx(&inode(Kind::Device(Device::Other(8, 17)), 0o060_600));
        assert_eq!((other.stx_rdev_major, other.stx_rdev_minor), (8, 17));
    }
}
