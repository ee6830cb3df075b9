//! A world: a kernel to call, the descriptors that were opened there, and the directory in which
//! everything happens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use unikernel::errno::Errno;
use unikernel::shim::dispatch::ENTRIES;

/// How many descriptors a run juggles.
pub const SLOTS: usize = 10;

/// How many directories above the scene exist in both worlds, so that `..` leads to the same
/// place: a path of this test has at most three `..`, forty links another two each.
pub const NESTING: usize = 100;

/// The name of each of them; no operation can say it.
pub const UP: &str = "up";

/// A system call: its number and arguments to its result, `-errno` for an error.
pub type Kernel = fn(u32, [usize; 6]) -> isize;

/// One of the two worlds.
pub struct World {
    /// What the difference report calls it.
    pub name: &'static str,
    kernel: Kernel,
    /// The descriptors that operations know by their index here; -1 for none.
    pub slots: [i32; SLOTS],
    /// The outermost directory of the run, an absolute path.
    pub top: String,
    /// The scene, which is the working directory at the start.
    pub scene: i32,
}

/// The kernel of the host.
pub fn host(number: u32, a: [usize; 6]) -> isize {
    // SAFETY: the arguments are numbers, or lead to buffers of this test as large as they say.
    let result = unsafe { libc::syscall(number.into(), a[0], a[1], a[2], a[3], a[4], a[5]) };
    match result {
        -1 => -(std::io::Error::last_os_error().raw_os_error().unwrap_or(0) as isize),
        result => result as isize,
    }
}

/// The library, by the door that an application's calls come in through.
pub fn library(number: u32, a: [usize; 6]) -> isize {
    let entry = ENTRIES[number as usize];
    // SAFETY: as above; and the seventh argument is the number, as the shim passes it.
    let call = || unsafe { entry(a[0], a[1], a[2], a[3], a[4], a[5], number as usize) };
    // The tests' harness has its own idea of panics; this test has to name the operation.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(PANICKED)
}

/// The "result" of a call that panicked.
pub const PANICKED: isize = isize::MIN;

/// A result for people.
pub fn name_of(code: isize) -> String {
    match code {
        PANICKED => "a panic".to_owned(),
        0.. => code.to_string(),
        _ => {
            let errno = u16::try_from(-code).ok().and_then(Errno::from_number);
            errno.map_or_else(|| code.to_string(), |errno| format!("{errno:?}"))
        }
    }
}

impl World {
    /// The world of this kernel: the library's, or another one on the host.
    pub fn other(kernel: Kernel, host_place: &str, run: &str) -> Self {
        let mut world = Self::empty("library", kernel, run.to_owned());
        if !world.is_library() {
            world.top = format!("{host_place}{run}-mirror");
        }
        world.set_up();
        world
    }

    /// Whether this is the world of the library.
    pub fn is_library(&self) -> bool {
        std::ptr::fn_addr_eq(self.kernel, library as Kernel)
    }

    /// Makes the directories `top/up/up/…` and goes there.
    pub fn new(name: &'static str, kernel: Kernel, top: String) -> Self {
        let mut world = Self::empty(name, kernel, top);
        world.set_up();
        world
    }

    fn empty(name: &'static str, kernel: Kernel, top: String) -> Self {
        Self {
            name,
            kernel,
            slots: [-1; SLOTS],
            top,
            scene: -1,
        }
    }

    fn set_up(&mut self) {
        // The library's process outlives a round, and its umask with it.
        self.call(libc::SYS_umask, &[0o022]);
        let top = self.top.clone();
        self.must("mkdir", self.path_call(libc::SYS_mkdirat, &top, 0o755));
        self.must("chdir", self.path_call(libc::SYS_chdir, &top, 0));
        for _ in 0..NESTING {
            self.must("mkdir", self.path_call(libc::SYS_mkdirat, UP, 0o755));
            self.must("chdir", self.path_call(libc::SYS_chdir, UP, 0));
        }
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        let scene = self.path_call(libc::SYS_openat, ".", flags as usize);
        self.scene = self.must("open", scene) as i32;
    }

    /// Gives all directories to a user: whose they are must not matter, because what a host lets
    /// one do with other people's files depends on its settings (`fs.protected_hardlinks`).
    pub fn give_to(&self, uid: usize, gid: usize) {
        let here = libc::AT_FDCWD as usize;
        let path = c".".as_ptr() as usize;
        self.must("chdir", self.path_call(libc::SYS_chdir, &self.top, 0));
        for level in 0..=NESTING {
            let given = self.call(libc::SYS_fchownat, &[here, path, uid, gid, 0]);
            self.must("chown", given);
            if level < NESTING {
                self.must("chdir", self.path_call(libc::SYS_chdir, UP, 0));
            }
        }
    }

    /// Makes a system call.
    pub fn call(&self, number: i64, args: &[usize]) -> isize {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        (self.kernel)(number as u32, all)
    }

    /// A call whose first arguments are a path (relative to the working directory where the call
    /// takes a directory) and a number.
    pub fn path_call(&self, number: i64, path: &str, value: usize) -> isize {
        let path = format!("{path}\0");
        match number {
            libc::SYS_chdir | libc::SYS_rmdir | libc::SYS_unlink => {
                self.call(number, &[path.as_ptr() as usize, value])
            }
            _ => {
                let here = libc::AT_FDCWD as usize;
                self.call(number, &[here, path.as_ptr() as usize, value])
            }
        }
    }

    /// The result, which must not be an error: for what the test itself needs.
    pub fn must(&self, what: &str, result: isize) -> usize {
        let failed = || panic!("{}: {what}: {}", self.name, name_of(result));
        usize::try_from(result).unwrap_or_else(|_| failed())
    }

    /// Closes a slot, if it is open.
    pub fn close(&mut self, slot: usize) {
        let fd = std::mem::replace(&mut self.slots[slot], -1);
        if fd >= 0 {
            self.call(libc::SYS_close, &[fd as usize]);
        }
    }

    /// Goes back to the scene.
    pub fn go_back(&self) {
        self.must(
            "fchdir",
            self.call(libc::SYS_fchdir, &[self.scene as usize]),
        );
    }

    /// Closes and removes everything. Needs the powers that made it.
    pub fn tear_down(&mut self) {
        (0..SLOTS).for_each(|slot| self.close(slot));
        self.call(libc::SYS_close, &[self.scene as usize]);
        self.must("chdir", self.path_call(libc::SYS_chdir, "/", 0));
        let top = self.top.clone();
        self.remove(libc::AT_FDCWD, top.as_bytes());
    }

    /// Removes `name` in the directory `dir`, and what is below it.
    fn remove(&self, dir: i32, name: &[u8]) {
        let mut path = name.to_vec();
        path.push(0);
        let path = path.as_ptr() as usize;
        if self.call(libc::SYS_unlinkat, &[dir as usize, path, 0]) == 0 {
            return;
        }
        self.call(libc::SYS_fchmodat, &[dir as usize, path, 0o700]);
        let flags = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW) as usize;
        let inner = self.call(libc::SYS_openat, &[dir as usize, path, flags]);
        let inner = self.must("open", inner) as i32;
        for entry in super::view::list(self, inner).unwrap_or_default() {
            if entry.name != b"." && entry.name != b".." {
                self.remove(inner, &entry.name);
            }
        }
        self.call(libc::SYS_close, &[inner as usize]);
        let flag = libc::AT_REMOVEDIR as usize;
        let removed = self.call(libc::SYS_unlinkat, &[dir as usize, path, flag]);
        self.must("rmdir", removed);
    }
}
