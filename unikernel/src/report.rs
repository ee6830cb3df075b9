//! What the kernel says to the runner: events, crash reports, and the mark at `main`.

mod memory;

pub use memory::out_of_memory;

use crate::console::{Control, Stream, has_control};
use crate::control;
use crate::cpu::CPU;
use crate::irq::Frame;
use crate::mm::{frames::FRAMES, page_down, paging};
use crate::options::{Debug, Options};
use crate::platform::platform;
use crate::shim::dispatch;
use crate::sync::SpinLock;
use crate::uaccess::{UserPtr, UserSlice};
use crate::{events, fault, lower, profile, time};
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Return addresses shown in a backtrace.
const MOST_FRAMES: usize = 24;

/// Stack words looked at for them.
const STACK_WORDS: usize = 512;

static ENTRY_TSC: AtomicU64 = AtomicU64::new(0);
static WAITING_FOR_WRITE: AtomicBool = AtomicBool::new(false);
static DEBUG: SpinLock<Debug> = SpinLock::new(Debug::ALL_OFF);
static MARK: SpinLock<Option<(usize, u8)>> = SpinLock::new(None);

/// Reports what boot found, if asked.
pub fn boot(options: &Options, entry_tsc: u64) {
    ENTRY_TSC.store(entry_tsc, Relaxed);
    *DEBUG.lock() = options.debug;
    events::init(options);
    if options.mark != 0 {
        set_mark(options.mark);
    }
    if options.debug.has(Debug::CLOCK) {
        clocks();
    }
    if !options.debug.has(Debug::BOOT) {
        return;
    }
    let (name, (total, free)) = (platform().name(), FRAMES.lock().counts());
    let (clock, khz) = time::source();
    control!(
        r#"{{"event":"boot","platform":"{name}","clock":"{clock}","tsc_khz":{khz},"entry_tsc":{entry_tsc},"ram_kib":{},"free_kib":{}}}"#,
        total * 4,
        free * 4
    );
}

/// Asks every clock source the machine has for the TSC's frequency, and reports how far they are
/// apart, in parts per million.
fn clocks() {
    let (mut count, mut lowest, mut highest) = (0, u64::MAX, 0);
    for (name, khz) in time::sources() {
        control!(r#"{{"event":"clock","source":"{name}","tsc_khz":{khz}}}"#);
        (count, lowest, highest) = (count + 1, lowest.min(khz), highest.max(khz));
    }
    let spread = highest.saturating_sub(lowest) * 1_000_000 / highest.max(1);
    control!(r#"{{"event":"clocks","sources":{count},"spread_ppm":{spread}}}"#);
}

/// Plants a `hlt` at `address` (the application's `main`): it raises #GP, which reports the time
/// and puts the byte back.
fn set_mark(address: usize) {
    let mut byte = [0];
    if UserSlice::new(address, 1).read(&mut byte) == Ok(1) && poke(address, 0xf4) {
        *MARK.lock() = Some((address, byte[0]));
        WAITING_FOR_WRITE.store(true, Relaxed);
    }
}

/// Writes one byte of text.
fn poke(address: usize, byte: u8) -> bool {
    lower::write_text(address, &[byte]).is_ok()
}

/// #GP at `rip`: whether it was the mark. Execution goes on at the same address.
pub fn mark_reached(rip: usize) -> Option<usize> {
    let tsc = time::tsc();
    let mut mark = MARK.try_lock()?;
    let (address, byte) = mark.take_if(|mark| mark.0 == rip)?;
    poke(address, byte);
    event_at("main", tsc);
    Some(address)
}

fn event_at(name: &str, tsc: u64) {
    let entry = ENTRY_TSC.load(Relaxed);
    control!(r#"{{"event":"{name}","tsc":{tsc},"entry_tsc":{entry}}}"#);
}

/// Called before each console write; reports the first one of a marked run.
pub fn first_write(stream: Stream) {
    if stream == Stream::Out && WAITING_FOR_WRITE.load(Relaxed) {
        WAITING_FOR_WRITE.store(false, Relaxed);
        event_at("first-write", time::tsc());
    }
}

/// The reports that are due at exit, the exit code last.
pub fn exit(code: u8) {
    profile::dump();
    events::finish();
    let debug = DEBUG.try_lock().map_or(Debug::ALL_OFF, |debug| *debug);
    if debug.has(Debug::LOWER) {
        lowering();
    }
    if debug.has(Debug::SYSCALLS) {
        for (nr, count) in dispatch::unknown_calls() {
            control!(r#"{{"event":"enosys","nr":{nr},"count":{count}}}"#);
        }
    }
    if debug.has(Debug::CONSOLE) {
        let c = platform().counts();
        control!(
            r#"{{"event":"console","monitor_calls":{},"lsr_reads":{},"bytes":{}}}"#,
            c.console_calls,
            c.lsr_reads,
            c.console_bytes
        );
    }
    if debug.has(Debug::IRQ) {
        control!(r#"{{"event":"irq","timer":{}}}"#, time::ticks());
    }
    if has_control() {
        control!(r#"{{"event":"exit","code":{code}}}"#);
    }
}

/// How the executed `syscall` sites fared, and which of them still trap.
fn lowering() {
    let s = lower::stats();
    control!(
        r#"{{"event":"lower","lowered_sites":{},"trapped_sites":{},"unsafe_sites":{},"known_sites":{},"executed_sites":{},"trapped_calls":{}}}"#,
        s.lowered,
        s.trapped,
        s.unproven,
        s.known,
        s.lowered + s.trapped,
        s.traps
    );
    for index in 0..s.trapped {
        if let Some(site) = lower::trapped_site(index) {
            control!("lintel:   #{index} {site:#018x} still traps");
        }
    }
}

/// Announces a crash report to a runner, so that it looks for addresses to name. What led to it is
/// written out before.
fn announce() {
    events::write();
    if has_control() {
        control!(r#"{{"event":"crash"}}"#);
    }
}

const VECTORS: [&str; 20] = [
    "divide error",
    "debug exception",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack-segment fault",
    "general protection fault",
    "page fault",
    "reserved exception",
    "x87 floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point error",
];

/// Prints the crash report of an exception that nobody handles.
pub fn crash(frame: &Frame) {
    announce();
    let name = VECTORS.get(frame.vector as usize).unwrap_or(&"exception");
    let place = if fault::in_library(frame.rip as usize) {
        "kernel: "
    } else {
        ""
    };
    control!(
        "lintel: {place}{name} (vector {}) error {:#x} cr2 {:#018x}",
        frame.vector,
        frame.error,
        CPU.cr2.load(Relaxed)
    );
    control!(
        "lintel:   rip {:#018x} rsp {:#018x} rflags {:#018x}",
        frame.rip,
        frame.rsp,
        frame.rflags
    );
    let f = frame;
    let rows = [
        ["rax", "rbx", "rcx", "rdx"],
        ["rsi", "rdi", "rbp", "r8 "],
        ["r9 ", "r10", "r11", "r12"],
        ["r13", "r14", "r15", ""],
    ];
    let values = [
        [f.rax, f.rbx, f.rcx, f.rdx],
        [f.rsi, f.rdi, f.rbp, f.r8],
        [f.r9, f.r10, f.r11, f.r12],
        [f.r13, f.r14, f.r15, 0],
    ];
    for (names, values) in rows.iter().zip(values) {
        let mut line = heapless::String::<160>::new();
        for (name, value) in names.iter().zip(values).filter(|pair| !pair.0.is_empty()) {
            let _ = write!(line, " {name} {value:#018x}");
        }
        control!("lintel:  {line}");
    }
    let rip = frame.rip as usize;
    backtrace(lower::original(rip).unwrap_or(rip), frame.rsp as usize);
    events::report_last();
}

/// Reports that a signal of the kind for which Linux writes a core file ends the program: where it
/// would have gone on.
pub fn killed(frame: &Frame, number: u32) {
    announce();
    control!("lintel: ended by signal {number}");
    backtrace(frame.rip as usize, frame.rsp as usize);
    events::report_last();
}

/// Prints `rip` and the words on the stack that are return addresses: they lie in executable
/// memory, behind a call instruction. Conservative, because neither libc nor std keeps frame
/// pointers; a stale word may appear, a live one is not missed.
pub fn backtrace(rip: usize, rsp: usize) {
    control!("lintel:   #0 {rip:#018x}");
    let mut shown = 1;
    for index in 0..STACK_WORDS {
        let Ok(word) = UserPtr::<usize>::peek(rsp.wrapping_add(index * 8)) else {
            break;
        };
        if is_return_address(word) {
            control!("lintel:   #{shown} {word:#018x}");
            shown += 1;
            if shown == MOST_FRAMES {
                break;
            }
        }
    }
}

fn is_return_address(word: usize) -> bool {
    const NO_EXECUTE: u64 = 1 << 63;
    if paging::lookup(page_down(word)).is_none_or(|(entry, _)| entry & NO_EXECUTE != 0) {
        return false;
    }
    let mut before = [0; 7];
    let Ok(7) = UserSlice::new(word.wrapping_sub(7), 7).peek(&mut before) else {
        return false;
    };
    // call rel32, or call r/m64 (FF /2) with the lengths its addressing forms can have.
    let indirect = |at: usize| before[at] == 0xff && before[at + 1] >> 3 & 7 == 2;
    before[2] == 0xe8 || indirect(5) || indirect(4) || indirect(3) || indirect(1) || indirect(0)
}

/// Prints where and why the kernel itself gave up. A panic while doing so ends the VM at once.
pub fn panicked(info: &core::panic::PanicInfo<'_>, rsp: usize) {
    static PANICKED: AtomicBool = AtomicBool::new(false);
    if PANICKED.swap(true, Relaxed) {
        platform().power_off(crate::process::PANIC_CODE);
    }
    announce();
    let _ = writeln!(Control, "lintel: kernel panic: {}", info.message());
    if let Some(place) = info.location() {
        control!("lintel:   at {place}");
    }
    backtrace(panicked as *const () as usize, rsp);
    events::report_last();
}
