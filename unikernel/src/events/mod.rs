//! Debug events: what the program and the machine did, in order, in a ring in memory.
//!
//! Compiled in by the feature `events`; without it `absent.rs` stands here, where each hook is an
//! empty inline function. With it a hook costs one relaxed load while its source is off. On, it
//! fills a [`ring::Record`] with relaxed atomics: no lock, no allocation, no formatting, no vector
//! register (fast handlers are wrapped, too). Text is made later: JSON lines on their own channel
//! (`lintel.events=`), and the last events in a crash report. `docs/` describes both.

mod dump;
mod ring;
mod text;

pub use dump::{finish, report_last};

use crate::cpu::CPU;
use crate::errno::Errno;
use crate::options::{Debug, Options};
use crate::platform::Interrupt;
use crate::shim::on_kernel_stack;
use crate::time::tsc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use ring::{Kind, Record, Ring};
use text::Text;

/// Whether the events are compiled in; not so in unit tests without the feature.
pub const ENABLED: bool = cfg!(feature = "events");

/// Records kept; without the feature there is no ring.
const SIZE: usize = if ENABLED { 1024 } else { 0 };

/// From this many unwritten records on the ring is written out: three quarters.
const FULL: u64 = 768;

/// The sources that are on: the bits of [`Debug`].
static SOURCES: AtomicU32 = AtomicU32::new(0);

static RING: Ring<SIZE> = Ring::new();

/// The system call that is being made. It goes into the ring when it returns.
static CALL: Record = Record::new();

/// Turns on the sources that the command line asks for.
pub fn init(options: &Options) {
    if ENABLED {
        dump::set_port(options.events_port);
        SOURCES.store(options.debug.events().bits(), Relaxed);
    }
}

#[inline(always)]
fn wanted(source: Debug) -> bool {
    ENABLED && SOURCES.load(Relaxed) & source.bits() != 0
}

/// Runs the handler of `number`, and keeps an event of it when `strace` is on.
#[inline(always)]
pub fn around(number: u32, args: [usize; 6], run: impl FnOnce() -> isize) -> isize {
    let on = wanted(Debug::STRACE);
    if on {
        let [a, b, c, d, e, f] = args;
        called(number, a, b, c, d, e, f);
        // For a constant number nothing but the matching arm remains.
        match text::of(number) {
            Text::Path(at) => text::path(&CALL, args[at]),
            Text::In(at, len) => text::bytes(&CALL, args[at], args[len]),
            Text::Out(_) | Text::None => {}
        }
    }
    let result = run();
    if on {
        if let Text::Out(at) = text::of(number) {
            text::bytes(&CALL, args[at], result.max(0) as usize);
        }
        returned(result);
    }
    result
}

/// Kept out of line, arguments in registers: a fast handler grows by little more than a call.
#[inline(never)]
#[allow(clippy::too_many_arguments, reason = "six registers and a number")]
fn called(number: u32, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) {
    CALL.set(Kind::Syscall, number, tsc());
    for (to, from) in CALL.args.iter().zip([a, b, c, d, e, f]) {
        to.store(from as u64, Relaxed);
    }
}

#[inline(never)]
fn returned(result: isize) {
    CALL.complete(result as i64, tsc());
    RING.push(&CALL);
    CALL.clear();
    if RING.unwritten() >= FULL && dump::has_port() {
        lintel_fast_cold_events();
    }
}

/// Writes the ring out, from any handler.
#[cold]
#[inline(never)]
#[cfg_attr(feature = "events", unsafe(no_mangle))]
extern "C" fn lintel_fast_cold_events() {
    on_kernel_stack(dump::write_out);
}

/// Handles an interrupt, and keeps an event of it when `irqs` is on.
#[inline(always)]
pub fn irq(vector: u8, run: impl FnOnce() -> Interrupt) -> Interrupt {
    if !wanted(Debug::IRQS) {
        return run();
    }
    let start = tsc();
    let source = run();
    let number = u32::from(vector);
    RING.push(&Record::of(Kind::Irq, number, start, [0; 4], source as i64));
    source
}

/// Handles an exception, and keeps an event of it when `faults` is on. The result says whether the
/// program goes on.
#[inline(always)]
pub fn fault(vector: u64, error: u64, rip: u64, rsp: u64, run: impl FnOnce() -> bool) -> bool {
    if !wanted(Debug::FAULTS) {
        return run();
    }
    let (start, cr2) = (tsc(), CPU.cr2.load(Relaxed) as u64);
    let resolved = run();
    let args = [rip, error, cr2, rsp];
    RING.push(&Record::of(
        Kind::Fault,
        vector as u32,
        start,
        args,
        resolved.into(),
    ));
    resolved
}

/// Tries to lower `site`, and keeps an event of it when `lowering` is on.
#[inline(always)]
pub fn lowering(site: usize, run: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    if !wanted(Debug::LOWERING) {
        return run();
    }
    let start = tsc();
    let result = run();
    let outcome = result.map_or_else(|errno| -i64::from(errno.number()), |()| 0);
    let args = [site as u64, 0, 0, 0];
    RING.push(&Record::of(Kind::Lower, 0, start, args, outcome));
    result
}

/// Writes out what happened so far, the call that is being made included: the program is about to
/// wait, or has crashed.
pub fn write() {
    if ENABLED && SOURCES.load(Relaxed) != 0 && dump::has_port() {
        dump::write_with_call();
    }
}

/// The call that a thread is making, while it does not run.
#[derive(Debug)]
pub struct Call(Record);

impl Call {
    /// No call.
    #[allow(clippy::new_without_default, reason = "const, for statics")]
    pub const fn new() -> Self {
        Self(Record::new())
    }
}

/// Another thread gets the CPU, both with their ids: the call that is being made is that one's. Keeps
/// an event of it when `sched` is on.
#[inline(always)]
pub fn switched((from, leaves): (&Call, i32), (to, gets): (&Call, i32)) {
    if ENABLED {
        if wanted(Debug::SCHED) {
            let args = [leaves as u64, 0, 0, 0];
            RING.push(&Record::of(Kind::Sched, gets as u32, tsc(), args, 0));
        }
        from.0.copy(&CALL);
        CALL.copy(&to.0);
    }
}
