//! The two worlds side by side.

use super::op::{Arg, Call, Op};
use super::tree;
use super::view::Seen;
use super::world::{Kernel, NESTING, SLOTS, UP, World, host};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Where the host's side is: a tmpfs on every Linux.
const HOST: &str = "/dev/shm";

/// How often the whole tree is compared, in operations.
const LOOK_EVERY: usize = 250;

/// What was not the same.
#[derive(Clone)]
pub enum Difference {
    /// Operation number so and so was answered differently.
    Answer(usize, Seen, Seen),
    /// After operation number so and so something else was there.
    State(usize, String),
}

impl Difference {
    /// The number of the operation.
    pub fn index(&self) -> usize {
        match self {
            Self::Answer(index, ..) | Self::State(index, _) => *index,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(_, host, library) => {
                write!(f, "host:    {host:?}\nlibrary: {library:?}")
            }
            Self::State(_, text) => write!(f, "the worlds differ:\n{text}"),
        }
    }
}

/// Two worlds that have seen the same operations.
pub struct Pair {
    host: World,
    library: World,
}

impl Pair {
    /// Two new worlds: the host's, and one with this kernel.
    pub fn new(kernel: Kernel) -> Self {
        static RUN: AtomicUsize = AtomicUsize::new(0);
        let run = format!(
            "/model-{}-{}",
            std::process::id(),
            RUN.fetch_add(1, Relaxed)
        );
        Self {
            host: World::new("host", host, format!("{HOST}{run}")),
            library: World::other(kernel, HOST, &run),
        }
    }

    /// Both, for what the test itself has to do in each.
    pub fn each(&mut self) -> [&mut World; 2] {
        [&mut self.host, &mut self.library]
    }

    /// Performs all operations in both worlds, up to the first difference.
    pub fn run(&mut self, ops: &[Op]) -> Option<Difference> {
        for (index, op) in ops.iter().enumerate() {
            if self.is_undefined(op) {
                continue;
            }
            let (ours, theirs) = (op.run(&mut self.host), op.run(&mut self.library));
            if ours != theirs {
                return Some(Difference::Answer(index, ours, theirs));
            }
            self.confine(op);
            if index % LOOK_EVERY == LOOK_EVERY - 1 || index + 1 == ops.len() {
                let (ours, theirs) = (tree::look(&self.host), tree::look(&self.library));
                if let Some(text) = tree::difference(&ours, &theirs) {
                    return Some(Difference::State(index, text));
                }
            }
        }
        None
    }

    /// Whether Linux leaves open what comes of it: sendfile(2) within one file. What is sent are its
    /// pages, and each is copied when some of them have been written to, in whatever direction the
    /// CPU's fastest copy goes.
    fn is_undefined(&self, op: &Op) -> bool {
        let identity = |arg: &Arg| {
            let Arg::Fd(slot) = arg else { return None };
            // SAFETY: integers may all be 0; fstat(2) fills in what there is room for.
            unsafe {
                let mut stat: libc::stat = std::mem::zeroed();
                (libc::fstat(self.host.slots[*slot], &mut stat) == 0)
                    .then_some((stat.st_dev, stat.st_ino))
            }
        };
        op.call == Call::Number(libc::SYS_sendfile)
            && identity(&op.args[0]).is_some()
            && identity(&op.args[0]) == identity(&op.args[1])
    }

    /// Sees to it that no path of the next operation can lead out of what both worlds have in
    /// common: what is open or current above the scene is left.
    fn confine(&mut self, op: &Op) {
        const CHANGES: [i64; 4] = [
            libc::SYS_openat,
            libc::SYS_chdir,
            libc::SYS_fchdir,
            libc::SYS_renameat2,
        ];
        if !matches!(op.call, Call::Number(number) if CHANGES.contains(&number)) {
            return;
        }
        let scene = format!("{}{}", self.host.top, format!("/{UP}").repeat(NESTING));
        let inside = |link: &str| {
            let target = std::fs::read_link(link);
            target.is_ok_and(|target| target.starts_with(&scene))
        };
        if !inside("/proc/thread-self/cwd") {
            self.each().into_iter().for_each(|world| world.go_back());
        }
        for slot in 0..SLOTS {
            let fd = self.host.slots[slot];
            if fd >= 0 && !inside(&format!("/proc/self/fd/{fd}")) {
                self.each().into_iter().for_each(|world| world.close(slot));
            }
        }
    }
}
