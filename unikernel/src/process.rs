//! The one process: how it starts and how it ends. [`record`] remembers how it was started.

pub mod record;

use crate::boot::BootInfo;
use crate::console;
use crate::control;
use crate::cpu::CPU;
use crate::elf::Elf;
use crate::fs;
use crate::mm::aslr::Aslr;
use crate::mm::frames::FRAMES;
use crate::mm::{self, PAGE, layout};
use crate::options::{self, Debug, Options, Stdin};
use crate::platform::{Platform, platform, register};
use crate::sync::SpinLock;
use crate::sys::prctl;
use crate::{fault, lower, profile, report, rng, sched, time, uaccess};
use core::arch::asm;
use core::fmt::Display;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

/// Exit code after a kernel panic or a fault in the library itself.
pub const PANIC_CODE: u8 = 255;

/// Exit code when the VM was given something it cannot boot with.
pub const BOOT_CODE: u8 = 254;

/// The process id: there is one process, and nobody above it.
pub const PID: i32 = 1;

/// How much of the main stack is there from the start, or a 64th of RAM if that is less; the rest comes
/// on demand.
const FIRST_STACK: usize = 64 << 10;

/// Ends the program with `code` and the VM with it.
pub fn exit(code: u8) -> ! {
    report::exit(code);
    platform().power_off(code)
}

/// Ends the VM because it cannot be booted: one line that says what to do.
pub fn refuse(why: impl Display) -> ! {
    control!("lintel: {why}");
    exit(BOOT_CODE)
}

/// Everything from the platform's hand-over to the application's first instruction.
pub fn start(machine: &'static &'static dyn Platform, boot: &BootInfo) -> ! {
    register(machine);
    uaccess::init(|leaf, subleaf| platform().cpuid(leaf, subleaf));
    let [kernel, interrupt, fault_stack] = boot.image.stacks;
    CPU.kernel_stack.store(kernel.top, Relaxed);
    sched::init(kernel.top, boot.entry_tsc);
    CPU.irq_stack.store(interrupt.top, Relaxed);
    CPU.fault_stack.store(fault_stack.top, Relaxed);
    fault::init(boot.image.text.clone());

    let mut room = ROOM.lock_no_irq();
    let mut options = Options::default();
    read_options(boot.command_line, &mut room[..], &mut options);
    console::init(&options);
    profile::set_port(options.profile_port);
    time::init(boot.entry_tsc, options.clock);
    let aslr = match options.aslr {
        true => Aslr::draw(boot.memory.iter().map(|ram| ram.len()).sum()),
        false => Aslr::default(),
    };
    if let Err(error) = layout::build(boot, &aslr) {
        refuse_memory(error);
    }
    platform().flush(0..usize::MAX);
    if let Some((address, line)) = options.console {
        platform().attach_console(address, line);
    }
    console::watch();
    mount(boot, &options);
    if let Err(why) = time::check_choice() {
        refuse(format_args!(
            "the clock asked for cannot be had: {why}; use lintel.clock=auto"
        ));
    }
    if let Some((port, line)) = options.doorbell.filter(|_| profile::ENABLED) {
        platform().attach_doorbell(port, line);
    }
    lower::init(boot.image.header, options.lower);
    report::boot(&options, boot.entry_tsc);
    if options.debug.has(Debug::PANIC) {
        panic!("asked for by lintel.debug=panic");
    }
    // SAFETY: the address is the image's own header.
    let elf = unsafe { Elf::at(boot.image.header) };
    let sp = build_stack(&options, &elf, aslr.words);
    record::write(|record| {
        record.command_line = boot.command_line;
        record.starts();
    });
    prctl::name_after(options.argv0);
    CPU.soft_if.store(1, Relaxed);
    if options.tick {
        sched::tick::start();
    }
    enter(elf.entry(), sp)
}

/// The unquoted words of the command line; too large for a stack.
static ROOM: SpinLock<[u8; options::MAX_LINE]> = SpinLock::new([0; options::MAX_LINE]);

fn read_options<'a>(line: &'a [u8], room: &'a mut [u8], options: &mut Options<'a>) {
    let parsed = match room.get_mut(..line.len()) {
        Some(room) => options::parse(line, room, options),
        None => Err(options::Error::TooLong),
    };
    if let Err(error) = parsed {
        // The channels are named by the very line that is wrong.
        options::channels(line, options);
        console::init(options);
        refuse(error)
    }
}

fn refuse_memory(error: layout::Error) -> ! {
    match error {
        layout::Error::TooSmall(kib) => refuse(format_args!(
            "not enough memory: {kib} KiB of RAM cannot hold this image; give the VM more \
             (cargo lintel run --mem MIB, qemu -m MIB)"
        )),
        layout::Error::Initrd => refuse(
            "the initrd does not lie in RAM; give the VM more memory (--mem MIB) or a smaller root",
        ),
    }
}

fn mount(boot: &BootInfo, options: &Options) {
    let archive = boot.initrd.clone().map(|range| {
        // SAFETY: the range is RAM that the loader filled, mapped, and reserved: for good, unless
        // nothing refers to it any more when the files are there.
        unsafe { core::slice::from_raw_parts(range.start as *const u8, range.len()) }
    });
    let stdin = match options.stdin {
        Stdin::File => fs::Stdin::File,
        Stdin::Null => fs::Stdin::Null,
        Stdin::Tty | Stdin::Pipe => fs::Stdin::Console,
    };
    if let Err(error) = fs::init(archive, stdin) {
        refuse(format_args!("the initrd cannot be used: {error}"));
    }
    if let Some(image) = &boot.initrd
        && !fs::vfs().borrows_image
    {
        give_back(image);
    }
    if options.cwd != b"/" && fs::change_dir(options.cwd).is_err() {
        refuse("lintel.cwd names no directory of the root file system");
    }
}

/// Frees the memory of an image of which nothing is used any more: it was compressed.
fn give_back(image: &Range<usize>) {
    let start = mm::page_up(image.start).unwrap_or(usize::MAX);
    let count = mm::page_down(image.end).saturating_sub(start) / PAGE;
    FRAMES.lock().free(start, count);
}

/// Auxiliary vector keys (getauxval(3)).
mod at {
    pub const NULL: usize = 0;
    pub const PHDR: usize = 3;
    pub const PHENT: usize = 4;
    pub const PHNUM: usize = 5;
    pub const PAGESZ: usize = 6;
    pub const BASE: usize = 7;
    pub const FLAGS: usize = 8;
    pub const ENTRY: usize = 9;
    pub const UID: usize = 11;
    pub const EUID: usize = 12;
    pub const GID: usize = 13;
    pub const EGID: usize = 14;
    pub const PLATFORM: usize = 15;
    pub const HWCAP: usize = 16;
    pub const CLKTCK: usize = 17;
    pub const SECURE: usize = 23;
    pub const RANDOM: usize = 25;
    pub const HWCAP2: usize = 26;
    pub const RSEQ_FEATURE_SIZE: usize = 27;
    pub const RSEQ_ALIGN: usize = 28;
    pub const EXECFN: usize = 31;
    pub const SYSINFO_EHDR: usize = 33;
    pub const MINSIGSTKSZ: usize = 51;
}

/// HWCAP2: FSGSBASE is usable in ring 3 (Linux's HWCAP2_FSGSBASE).
const HWCAP2_FSGSBASE: usize = 1 << 1;

/// Lays out the initial stack as Linux does (System V ABI, x86-64 supplement, 3.4.1).
struct StackBuilder {
    at: usize,
}

impl StackBuilder {
    /// Puts `bytes` and a NUL below what is there; returns the address.
    fn string(&mut self, bytes: &[u8]) -> usize {
        self.put(&[0]);
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        self.at -= bytes.len();
        // SAFETY: `build_stack` made the memory below STACK_TOP, and checked that all fits.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at as *mut u8, bytes.len()) };
        self.at
    }

    fn word(&mut self, word: usize) {
        self.put(&word.to_ne_bytes());
    }
}

/// Builds the initial stack, `shift` bytes (a multiple of 16) below the end of its memory; returns its
/// pointer. The strings stand in the order in which Linux has
/// them: arguments, environment, path of the program; some programs write a title over them.
fn build_stack(options: &Options, elf: &Elf, shift: usize) -> usize {
    let strings = options.args.iter().chain(&options.env).map(|s| s.len() + 9);
    let size = strings.sum::<usize>() + 2 * options.argv0.len() + 1024;
    let first = FIRST_STACK.min(FRAMES.lock().counts().0 * PAGE / 64);
    let top = mm::space::main_stack(size + shift + first)
        .unwrap_or_else(|_| refuse_memory(layout::Error::TooSmall(0)));
    let mut stack = StackBuilder {
        at: top - shift - 8,
    };
    let execfn = stack.string(options.argv0);
    // From the last to the first, since the stack goes down.
    let mut pointers = heapless::Vec::<usize, { 2 * options::MAX_WORDS + 1 }>::new();
    let args = core::iter::once(&options.argv0).chain(&options.args);
    for text in options.env.iter().rev() {
        // The capacity is that of both lists and the name.
        let _ = pointers.push(stack.string(text));
    }
    let environment = stack.at..execfn;
    for text in args.rev() {
        let _ = pointers.push(stack.string(text));
    }
    pointers.reverse();
    let args = stack.at..environment.start;
    let platform_name = stack.string(b"x86_64");
    let mut random = [0; 16];
    rng::bytes(&mut random);
    let random = stack.put(&random);
    let argc = 1 + options.args.len();
    let auxv = auxiliary(elf, random, execfn, platform_name);
    let words = 1 + argc + 1 + options.env.len() + 1 + auxv.len() * 2;
    stack.at = ((stack.at - words * 8) & !15) + words * 8;
    for &(key, value) in auxv.iter().rev() {
        stack.word(value);
        stack.word(key);
    }
    stack.word(0);
    pointers[argc..].iter().rev().for_each(|&p| stack.word(p));
    stack.word(0);
    pointers[..argc].iter().rev().for_each(|&p| stack.word(p));
    stack.word(argc);
    record::write(|record| {
        (record.args, record.environment) = (args, environment);
        (record.stack, record.auxiliary) = (stack.at, auxv);
        record.program.extend_from_slice(options.argv0);
    });
    stack.at
}

/// Pairs in the auxiliary vector.
const AUXV: usize = 23;

fn auxiliary(elf: &Elf, random: usize, execfn: usize, name: usize) -> [(usize, usize); AUXV] {
    let (phdr, phent, phnum) = elf.phdr();
    let hwcap = platform().cpuid(1, 0)[3] as usize;
    [
        (at::SYSINFO_EHDR, crate::shim::vdso::image()),
        (at::PHDR, phdr),
        (at::PHENT, phent),
        (at::PHNUM, phnum),
        (at::PAGESZ, PAGE),
        (at::BASE, 0),
        (at::FLAGS, 0),
        (at::ENTRY, elf.entry()),
        (at::UID, 0),
        (at::EUID, 0),
        (at::GID, 0),
        (at::EGID, 0),
        (at::SECURE, 0),
        (at::CLKTCK, 100),
        (at::HWCAP, hwcap),
        (at::HWCAP2, HWCAP2_FSGSBASE),
        (at::RANDOM, random),
        (at::EXECFN, execfn),
        (at::PLATFORM, name),
        (at::RSEQ_FEATURE_SIZE, sched::rseq::FEATURES),
        (at::RSEQ_ALIGN, sched::rseq::ALIGN),
        (at::MINSIGSTKSZ, 3632),
        (at::NULL, 0),
    ]
}

/// Leaves for the application: registers as execve(2) leaves them (zero), and its stack.
fn enter(entry: usize, sp: usize) -> ! {
    // SAFETY: `entry` is the image's e_entry, mapped executable; `sp` is the stack just built.
    // Nothing of this stack is used again: system calls start at its top.
    unsafe {
        asm!(
            "mov rsp, {sp}",
            "mov rcx, {entry}",
            "xor eax, eax",
            "xor ebx, ebx",
            "xor edx, edx",
            "xor esi, esi",
            "xor edi, edi",
            "xor ebp, ebp",
            "jmp rcx",
            sp = in(reg) sp,
            entry = in(reg) entry,
            options(noreturn)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_go_down_and_end_in_nul() {
        let mut memory = [0xffu8; 64];
        let mut stack = StackBuilder {
            at: memory.as_mut_ptr() as usize + 64,
        };
        let first = stack.string(b"one");
        let second = stack.string(b"two");
        assert_eq!(first - second, 4);
        stack.word(7);
        assert_eq!(&memory[56..], b"two\0one\0");
        assert_eq!(memory[48..56], 7usize.to_ne_bytes());
    }
}
