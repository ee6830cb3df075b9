//! Pipes, events, and threads that wait for each other.

use super::{Row, row};
use crate::errno::{Stop, verify};
use crate::meter::{Meter, Outcome};
use crate::sys::{call, open};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};

pub const ROWS: &[Row] = &[
    row("pipe", "write of 1 byte to a pipe; read of it", pipe),
    row("pipe_4k", "the same with 4096 bytes", pipe_4k),
    row("eventfd", "write to an eventfd; read of it", eventfd),
    row(
        "epoll_wait",
        "epoll_wait with one descriptor, which is ready",
        epoll_wait,
    ),
    row(
        "poll",
        "poll of one descriptor (/dev/null), which is ready",
        poll,
    ),
    row(
        "pingpong_pipe",
        "a byte to another thread and back, through two pipes",
        pingpong_pipe,
    ),
    row(
        "pingpong_crowd",
        "the same while 100 other threads wait to read pipes of their own",
        pingpong_crowd,
    ),
    row(
        "pingpong_futex",
        "a turn to another thread and back: FUTEX_WAKE and FUTEX_WAIT in each",
        pingpong_futex,
    ),
];

/// The two ends of a pipe.
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    fn new() -> Result<Self, Stop> {
        let mut ends = [-1_i32; 2];
        // SAFETY: `pipe2` writes two integers.
        unsafe { call!(SYS_pipe2, ends.as_mut_ptr(), libc::O_CLOEXEC) }.is(0)?;
        // SAFETY: both descriptors are new and nobody else's.
        let [read, write] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        Ok(Self { read, write })
    }
}

/// Writes one byte.
#[inline(always)]
fn put(fd: i32) -> Result<(), Stop> {
    let byte = b'x';
    // SAFETY: `write` reads the one byte that there is.
    unsafe { call!(SYS_write, fd, &raw const byte, 1) }.is(1)
}

/// Reads one byte.
#[inline(always)]
fn get(fd: i32) -> Result<(), Stop> {
    let mut byte = 0_u8;
    // SAFETY: `read` writes at most the one byte that there is room for.
    unsafe { call!(SYS_read, fd, &raw mut byte, 1) }.is(1)
}

fn pipe(meter: &mut Meter) -> Outcome {
    through_pipe::<1>(meter)
}

fn pipe_4k(meter: &mut Meter) -> Outcome {
    through_pipe::<4096>(meter)
}

fn through_pipe<const SIZE: usize>(meter: &mut Meter) -> Outcome {
    let pipe = Pipe::new()?;
    let (read, write) = (pipe.read.as_raw_fd(), pipe.write.as_raw_fd());
    let (message, mut received) = ([b'x'; SIZE], [0_u8; SIZE]);
    let (from, to) = (message.as_ptr(), received.as_mut_ptr());
    let sample = meter.measure(move || {
        // SAFETY: `write` reads the SIZE bytes of the message.
        unsafe { call!(SYS_write, write, from, SIZE) }.is(SIZE as i64)?;
        // SAFETY: `read` writes at most SIZE bytes to a buffer of that size.
        unsafe { call!(SYS_read, read, to, SIZE) }.is(SIZE as i64)
    })?;
    verify(received == message, "read")?;
    Ok(sample)
}

/// An eventfd with this value.
fn event(value: u32) -> Result<OwnedFd, Stop> {
    // SAFETY: `eventfd2` takes two numbers and makes a new descriptor.
    unsafe { call!(SYS_eventfd2, value, libc::EFD_CLOEXEC).descriptor() }
}

fn eventfd(meter: &mut Meter) -> Outcome {
    const SIZE: usize = size_of::<u64>();
    let event = event(0)?;
    let fd = event.as_raw_fd();
    let (one, mut value) = (1_u64, 0_u64);
    let (from, to) = (&raw const one, &raw mut value);
    let sample = meter.measure(move || {
        // SAFETY: `write` reads the SIZE bytes of an integer.
        unsafe { call!(SYS_write, fd, from, SIZE) }.is(SIZE as i64)?;
        // SAFETY: `read` writes the SIZE bytes of an integer.
        unsafe { call!(SYS_read, fd, to, SIZE) }.is(SIZE as i64)
    })?;
    verify(value == 1, "read")?;
    Ok(sample)
}

fn epoll_wait(meter: &mut Meter) -> Outcome {
    // SAFETY: `epoll_create1` takes flags and makes a new descriptor.
    let epoll = unsafe { call!(SYS_epoll_create1, libc::EPOLL_CLOEXEC).descriptor() }?;
    let ready = event(1)?;
    let mut wanted = libc::epoll_event {
        events: libc::EPOLLIN as u32,
        u64: 7,
    };
    let (set, fd) = (epoll.as_raw_fd(), ready.as_raw_fd());
    // SAFETY: `epoll_ctl` reads one `epoll_event`.
    unsafe { call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, fd, &raw mut wanted) }.is(0)?;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
    let to = events.as_mut_ptr();
    // SAFETY: `epoll_wait` writes at most the four events that there is room for.
    let sample = meter.measure(move || unsafe { call!(SYS_epoll_wait, set, to, 4, 0) }.is(1))?;
    verify({ events[0].u64 } == 7, "epoll_wait")?;
    Ok(sample)
}

fn poll(meter: &mut Meter) -> Outcome {
    let null = open(c"/dev/null", libc::O_RDONLY)?;
    let mut wanted = libc::pollfd {
        fd: null.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let at = &raw mut wanted;
    // SAFETY: `poll` reads and writes the one `pollfd` that there is.
    let sample = meter.measure(move || unsafe { call!(SYS_poll, at, 1, 0) }.is(1))?;
    verify(wanted.revents == libc::POLLIN, "poll")?;
    Ok(sample)
}

/// Starts a thread. Where there are none, the error is that of `clone3`, the call that the C
/// library tries first.
fn thread(body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Stop> {
    let builder = Builder::new().stack_size(64 << 10);
    let started = builder.spawn(body);
    started.map_err(|error| Stop::from_io("clone3", &error))
}

fn pingpong_pipe(meter: &mut Meter) -> Outcome {
    let (there, back) = (Pipe::new()?, Pipe::new()?);
    let (get_there, put_back) = (there.read, back.write);
    // The end of the pipe, when this side closes it, is the end of the thread; when the thread
    // ends before, for whatever reason, this side reads the end of the other pipe.
    let peer =
        thread(
            move || {
                while get(get_there.as_raw_fd()).is_ok() && put(put_back.as_raw_fd()).is_ok() {}
            },
        )?;
    let (to, from) = (there.write.as_raw_fd(), back.read.as_raw_fd());
    let sample = meter.measure(move || {
        put(to)?;
        get(from)
    });
    drop(there.write);
    let _ = peer.join();
    sample
}

fn pingpong_crowd(meter: &mut Meter) -> Outcome {
    const CROWD: usize = 100;
    let mut crowd = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        let pipe = Pipe::new()?;
        let read = pipe.read;
        let waiting = thread(move || {
            let _ = get(read.as_raw_fd());
        })?;
        crowd.push((pipe.write, waiting));
    }
    let sample = pingpong_pipe(meter);
    for (write, waiting) in crowd {
        drop(write);
        let _ = waiting.join();
    }
    sample
}

/// Whose turn it is.
#[derive(Default)]
struct Turn(AtomicU32);

/// The thread that measures.
const MAIN: u32 = 0;
/// The other one.
const PEER: u32 = 1;
/// Nobody's any more.
const OVER: u32 = 2;

impl Turn {
    /// Gives the turn to `next`, who may be asleep.
    #[inline(always)]
    fn give(&self, next: u32) -> Result<(), Stop> {
        self.0.store(next, Ordering::Release);
        let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: waking takes nothing from anybody; the word lives as long as `self`.
        unsafe { call!(SYS_futex, self.0.as_ptr(), wake, 1) }.ok()?;
        Ok(())
    }

    /// Sleeps while it is the turn of `other`; returns whose it is then.
    #[inline(always)]
    fn wait_while(&self, other: u32) -> Result<u32, Stop> {
        let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        let timeout = null::<libc::timespec>();
        loop {
            let now = self.0.load(Ordering::Acquire);
            if now != other {
                return Ok(now);
            }
            // SAFETY: the kernel reads the word, which lives as long as `self`.
            let answer = unsafe { call!(SYS_futex, self.0.as_ptr(), wait, other, timeout) };
            // The turn may have changed before the call: EAGAIN. A signal ends it: EINTR.
            if !matches!(answer.errno(), 0 | libc::EAGAIN | libc::EINTR) {
                answer.ok()?;
            }
        }
    }
}

fn pingpong_futex(meter: &mut Meter) -> Outcome {
    let turn = Arc::new(Turn::default());
    let theirs = Arc::clone(&turn);
    let peer = thread(move || {
        while theirs.wait_while(MAIN) == Ok(PEER) && theirs.give(MAIN).is_ok() {}
        // Whatever ended it, nobody waits for this thread any more.
        let _ = theirs.give(OVER);
    })?;
    let ours = &*turn;
    let sample = meter.measure(move || {
        ours.give(PEER)?;
        match ours.wait_while(PEER)? {
            MAIN => Ok(()),
            other => Err(Stop::new("SYS_futex", other.into())),
        }
    });
    let _ = turn.give(OVER);
    let _ = peer.join();
    sample
}
