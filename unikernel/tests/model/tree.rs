//! Everything that exists in a world: the whole tree, and every open descriptor.

use super::view::{Stat, list, stat_at, stat_of};
use super::world::{SLOTS, World, name_of};
use std::collections::BTreeMap;

/// Something that exists: what is known of it, in words, and its number among the inodes in the
/// order of the walk.
type Thing = (String, usize);

/// Paths (or descriptors) to things.
pub type Everything = BTreeMap<String, Thing>;

/// Looks at everything.
pub fn look(world: &World) -> Everything {
    let mut look = Look {
        world,
        things: BTreeMap::new(),
        inodes: Vec::new(),
    };
    let top = format!("{}\0", world.top);
    look.thing(libc::AT_FDCWD, top.as_bytes(), String::new());
    for slot in 0..SLOTS {
        look.slot(slot);
    }
    look.things
}

/// The first things in which two worlds differ; `None` when they are the same.
pub fn difference(left: &Everything, right: &Everything) -> Option<String> {
    let mut lines = Vec::new();
    for path in left
        .keys()
        .chain(right.keys().filter(|path| !left.contains_key(*path)))
    {
        let (ours, theirs) = (left.get(path), right.get(path));
        if ours != theirs {
            let path = path.replace("/up", "");
            lines.push(format!(
                "  {path}\n    host:    {ours:?}\n    library: {theirs:?}"
            ));
        }
    }
    lines.truncate(8);
    (!lines.is_empty()).then(|| lines.join("\n"))
}

struct Look<'a> {
    world: &'a World,
    things: Everything,
    inodes: Vec<u64>,
}

impl Look<'_> {
    fn number(&mut self, inode: u64) -> usize {
        let known = self.inodes.iter().position(|&known| known == inode);
        known.unwrap_or_else(|| {
            self.inodes.push(inode);
            self.inodes.len() - 1
        })
    }

    /// Notes what `name` in the directory `dir` is, and what is below it.
    fn thing(&mut self, dir: i32, name: &[u8], path: String) {
        let (stat, inode) = match stat_at(self.world, dir, name, libc::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(error) => {
                self.things.insert(path, (name_of(error), 0));
                return;
            }
        };
        let number = self.number(inode);
        let inside = match stat.kind() {
            libc::S_IFDIR => self.directory(dir, name, &path),
            libc::S_IFREG => self.file(dir, name, &stat),
            libc::S_IFLNK => self.link(dir, name),
            _ => String::new(),
        };
        let text = format!("{stat:?} {inside}");
        self.things.insert(path, (text, number));
    }

    fn open(&self, dir: i32, name: &[u8], flags: i32) -> Result<i32, isize> {
        let flags = (libc::O_RDONLY | libc::O_NOFOLLOW | flags) as usize;
        let args = [dir as usize, name.as_ptr() as usize, flags];
        match self.world.call(libc::SYS_openat, &args) {
            fd @ 0.. => Ok(fd as i32),
            error => Err(error),
        }
    }

    fn close(&self, fd: i32) {
        self.world.call(libc::SYS_close, &[fd as usize]);
    }

    fn directory(&mut self, dir: i32, name: &[u8], path: &str) -> String {
        let fd = match self.open(dir, name, libc::O_DIRECTORY) {
            Ok(fd) => fd,
            Err(error) => return name_of(error),
        };
        let entries = list(self.world, fd);
        for entry in entries.iter().flatten() {
            if entry.name != b"." && entry.name != b".." {
                let name = [&entry.name, &b"\0"[..]].concat();
                self.thing(fd, &name, format!("{path}/{}", entry.name.escape_ascii()));
            }
        }
        self.close(fd);
        match entries {
            Ok(entries) => format!("{entries:?}"),
            Err(error) => name_of(error),
        }
    }

    fn link(&self, dir: i32, name: &[u8]) -> String {
        let mut room = [0_u8; libc::PATH_MAX as usize];
        let buffer = room.as_mut_ptr() as usize;
        let args = [dir as usize, name.as_ptr() as usize, buffer, room.len()];
        match self.world.call(libc::SYS_readlinkat, &args) {
            length @ 0.. => room[..length as usize].escape_ascii().to_string(),
            error => name_of(error),
        }
    }

    fn file(&self, dir: i32, name: &[u8], stat: &Stat) -> String {
        let fd = match self.open(dir, name, 0) {
            Ok(fd) => fd,
            Err(error) => return name_of(error),
        };
        let content = self.content(fd, stat.size());
        self.close(fd);
        content
    }

    /// Where a file of this size has data, with a checksum of each such part. Reads with pread(2).
    fn content(&self, fd: i32, size: i64) -> String {
        let seek = |at: i64, whence: i32| {
            let args = [fd as usize, at as usize, whence as usize];
            self.world.call(libc::SYS_lseek, &args) as i64
        };
        let (mut at, mut parts) = (0, Vec::new());
        while at < size {
            let start = seek(at, libc::SEEK_DATA);
            if start < at {
                parts.push(name_of(start as isize));
                break;
            }
            let end = seek(start, libc::SEEK_HOLE);
            if end <= start {
                parts.push(format!("no hole behind {start}: {}", name_of(end as isize)));
                break;
            }
            parts.push(format!(
                "{start:#x}..{end:#x}: {:x}",
                self.checksum(fd, start, end)
            ));
            at = end;
        }
        parts.join(", ")
    }

    /// An FNV-1a checksum of a part of a file; 0 when it cannot be read to its end.
    fn checksum(&self, fd: i32, mut at: i64, end: i64) -> u64 {
        let mut piece = [0_u8; 1 << 14];
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        while at < end {
            let length = piece.len().min((end - at) as usize);
            let args = [
                fd as usize,
                piece.as_mut_ptr() as usize,
                length,
                at as usize,
            ];
            let read = self.world.call(libc::SYS_pread64, &args);
            let Some(read) = usize::try_from(read).ok().filter(|&read| read > 0) else {
                return 0;
            };
            for &byte in &piece[..read] {
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
            at += read as i64;
        }
        sum
    }

    /// Notes what is behind a descriptor, whether it has a name or not, and its state.
    fn slot(&mut self, slot: usize) {
        let fd = self.world.slots[slot];
        let path = format!("fd{slot}");
        let (stat, inode) = match stat_of(self.world, fd) {
            Ok(found) => found,
            Err(error) => {
                self.things.insert(path, (name_of(error), 0));
                return;
            }
        };
        let number = self.number(inode);
        let mut text = format!("{stat:?}");
        for command in [libc::F_GETFL, libc::F_GETFD] {
            let flags = self
                .world
                .call(libc::SYS_fcntl, &[fd as usize, command as usize]);
            text += &format!(" {flags:#o}");
        }
        if stat.kind() == libc::S_IFREG {
            let at = self.world.call(libc::SYS_lseek, &[fd as usize, 0, 1]);
            text += &format!(" at {at} ");
            text += &self.content(fd, stat.size());
            self.world
                .call(libc::SYS_lseek, &[fd as usize, at as usize, 0]);
        }
        self.things.insert(path, (text, number));
    }
}
