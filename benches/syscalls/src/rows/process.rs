//! Calls about processes: who one is, limits, children.

use super::{Row, row};
use crate::errno::{Stop, verify};
use crate::fixture::{self, Fixture};
use crate::meter::{Meter, Outcome};
use crate::sys::{Answer, call};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::null;

pub const ROWS: &[Row] = &[
    row(
        "empty_loop",
        "nothing: the loop that all rows have",
        empty_loop,
    ),
    row("getpid", "getpid()", getpid),
    row("gettid", "gettid()", gettid),
    row("getuid", "getuid()", getuid),
    row("getsid", "getsid(0)", getsid),
    row("getpriority", "getpriority(PRIO_PROCESS, 0)", getpriority),
    row(
        "sched_yield",
        "sched_yield() with nobody else to run",
        sched_yield,
    ),
    row("uname", "uname(&name)", uname),
    row("getrlimit", "getrlimit(RLIMIT_NOFILE, &limit)", getrlimit),
    row(
        "setrlimit",
        "setrlimit(RLIMIT_NOFILE, &limit) to what it is",
        setrlimit,
    ),
    row(
        "prlimit64",
        "prlimit64(0, RLIMIT_NOFILE, NULL, &limit)",
        prlimit64,
    ),
    row("fork_exit", "fork; the child exits; wait4", fork_exit),
    row(
        "exec",
        "fork; the child executes a program that exits; wait4",
        exec,
    ),
    row(
        "waitid",
        "waitid(P_PID, child, WNOHANG) for a child that lives",
        waitid,
    ),
];

fn empty_loop(meter: &mut Meter) -> Outcome {
    meter.measure(|| {
        black_box(());
        Ok(())
    })
}

/// Measures a call that always gives what it gave the first time.
fn constant(meter: &mut Meter, call: impl Fn() -> Answer) -> Outcome {
    let first = call().ok()?;
    meter.measure(move || call().is(first))
}

fn getpid(meter: &mut Meter) -> Outcome {
    // SAFETY: `getpid` has no arguments and changes nothing.
    constant(meter, || unsafe { call!(SYS_getpid) })
}

fn gettid(meter: &mut Meter) -> Outcome {
    // SAFETY: `gettid` has no arguments and changes nothing.
    constant(meter, || unsafe { call!(SYS_gettid) })
}

fn getuid(meter: &mut Meter) -> Outcome {
    // SAFETY: `getuid` has no arguments and changes nothing.
    constant(meter, || unsafe { call!(SYS_getuid) })
}

fn getsid(meter: &mut Meter) -> Outcome {
    // SAFETY: `getsid` takes a number and changes nothing.
    constant(meter, || unsafe { call!(SYS_getsid, 0) })
}

fn getpriority(meter: &mut Meter) -> Outcome {
    let process = libc::PRIO_PROCESS;
    // SAFETY: `getpriority` takes two numbers and changes nothing.
    let call = move || unsafe { call!(SYS_getpriority, process, 0) };
    constant(meter, call)
}

fn sched_yield(meter: &mut Meter) -> Outcome {
    // SAFETY: `sched_yield` has no arguments; it changes who runs, not what memory holds.
    meter.measure(move || unsafe { call!(SYS_sched_yield) }.is(0))
}

fn uname(meter: &mut Meter) -> Outcome {
    // SAFETY: a `utsname` is arrays of characters, for which 0 is a value.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    let to = &raw mut name;
    // SAFETY: `uname` writes one `utsname`, and `name` is one.
    let sample = meter.measure(move || unsafe { call!(SYS_uname, to) }.is(0))?;
    verify(
        name.sysname[..6] == b"Linux\0".map(|c| c as libc::c_char),
        "uname",
    )?;
    Ok(sample)
}

/// Room for a limit that no limit is.
const NO_LIMIT: libc::rlimit = libc::rlimit {
    rlim_cur: 1,
    rlim_max: 0,
};

fn is_limit(limit: &libc::rlimit) -> bool {
    limit.rlim_cur <= limit.rlim_max
}

fn getrlimit(meter: &mut Meter) -> Outcome {
    let mut limit = NO_LIMIT;
    let to = &raw mut limit;
    // SAFETY: `getrlimit` writes one `rlimit`, and `limit` is one.
    let call = move || unsafe { call!(SYS_getrlimit, libc::RLIMIT_NOFILE, to) }.is(0);
    let sample = meter.measure(call)?;
    verify(is_limit(&limit), "getrlimit")?;
    Ok(sample)
}

fn setrlimit(meter: &mut Meter) -> Outcome {
    let mut limit = NO_LIMIT;
    let at = &raw mut limit;
    // SAFETY: `getrlimit` writes one `rlimit`, and `limit` is one.
    unsafe { call!(SYS_getrlimit, libc::RLIMIT_NOFILE, at) }.is(0)?;
    // SAFETY: `setrlimit` reads one `rlimit`; the limit stays what it is.
    meter.measure(move || unsafe { call!(SYS_setrlimit, libc::RLIMIT_NOFILE, at) }.is(0))
}

fn prlimit64(meter: &mut Meter) -> Outcome {
    let mut limit = NO_LIMIT;
    let to = &raw mut limit;
    let new = null::<libc::rlimit>();
    // SAFETY: without a new limit `prlimit64` only writes the old one, to `limit`.
    let call = move || unsafe { call!(SYS_prlimit64, 0, libc::RLIMIT_NOFILE, new, to) }.is(0);
    let sample = meter.measure(call)?;
    verify(is_limit(&limit), "prlimit64")?;
    Ok(sample)
}

fn fork_exit(meter: &mut Meter) -> Outcome {
    meter.measure(|| {
        // SAFETY: the child does nothing and exits.
        let child = unsafe { fork(|| 0) }?;
        verify(wait(child)? == 0, "exit_group")
    })
}

fn exec(meter: &mut Meter) -> Outcome {
    let _program = Fixture::program();
    let path = fixture::PROGRAM.as_ptr();
    let arguments = [path, null()];
    let environment = [null::<libc::c_char>()];
    let (arguments, environment) = (arguments.as_ptr(), environment.as_ptr());
    // The child says with its exit code why it could not become the program.
    let execute = || {
        // SAFETY: the path is a C string, the arrays end with a null pointer, and all of it is in
        // the parent's frame, which the child has a copy of.
        let answer = unsafe { call!(SYS_execve, path, arguments, environment) };
        answer.errno()
    };
    meter.measure(move || {
        // SAFETY: the child makes one system call; it is replaced by the program, or exits.
        let child = unsafe { fork(execute) }?;
        match wait(child)? {
            0 => Ok(()),
            error => Err(Stop::with_errno("execve", error)),
        }
    })
}

fn waitid(meter: &mut Meter) -> Outcome {
    let child = Child::start()?;
    let number = child.0;
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    let to = info.as_mut_ptr();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let usage = null::<libc::rusage>();
    meter.measure(move || {
        // SAFETY: `waitid` writes one `siginfo_t`, for which there is room at `to`.
        unsafe { call!(SYS_waitid, libc::P_PID, number, to, flags, usage) }.is(0)
    })
}

/// A process that sleeps until it is killed, at the latest when this one ends.
struct Child(i64);

impl Child {
    fn start() -> Result<Self, Stop> {
        let sleep = || {
            // SAFETY: the call has numbers for arguments, and is the child's own affair.
            let _ = unsafe { call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            loop {
                // SAFETY: `pause` has no arguments.
                let _ = unsafe { call!(SYS_pause) };
            }
        };
        // SAFETY: the child makes only system calls, and never returns.
        unsafe { fork(sleep) }.map(Self)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: the number is that of a child that nobody has waited for, so of no other process.
        let killed = unsafe { call!(SYS_kill, self.0, libc::SIGKILL) };
        if killed.is(0).is_ok() {
            let _ = wait(self.0);
        }
    }
}

/// Starts a process that is a copy of this one, does `child` and exits with what it returns.
/// Returns the number of the process.
///
/// # Safety
/// `child` makes nothing but system calls: of other threads, locks and the allocator the copy has
/// only what they were like at this moment.
#[inline(always)]
unsafe fn fork(child: impl FnOnce() -> i32) -> Result<i64, Stop> {
    // SAFETY: without CLONE_VM and without a stack of its own the child is a copy of this process,
    // and what it does is the caller's promise.
    let number = unsafe { call!(SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) }.ok()?;
    if number == 0 {
        exit(child());
    }
    Ok(number)
}

/// Ends this process at once: no destructors, no buffers.
fn exit(code: i32) -> ! {
    loop {
        // SAFETY: nothing of this process is left that could be unsound.
        let _ = unsafe { call!(SYS_exit_group, code) };
    }
}

/// Waits for the end of a child and returns its exit code, or 128 and the signal that killed it.
#[inline(always)]
fn wait(child: i64) -> Result<i32, Stop> {
    let mut status = 0_i32;
    let usage = null::<libc::rusage>();
    // SAFETY: `wait4` writes one integer; the usage is not asked for.
    unsafe { call!(SYS_wait4, child, &raw mut status, 0, usage) }.is(child)?;
    if libc::WIFEXITED(status) {
        Ok(libc::WEXITSTATUS(status))
    } else {
        Ok(128 + libc::WTERMSIG(status))
    }
}
