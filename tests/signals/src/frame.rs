//! What a handler finds on its stack.

use crate::handler::{bit, blocking, install, of, raise, register};
use libc::{REG_CSGSFS, REG_EFL, REG_OLDMASK, REG_RCX, REG_RIP, REG_RSP, SIGUSR1, SIGUSR2};
use libc::{REG_R11, REG_RAX, c_int, c_void, siginfo_t};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// What there is to tell, in the order of `NAMES`.
static SEEN: [AtomicU64; 20] = [const { AtomicU64::new(0) }; 20];

const NAMES: [&str; 20] = [
    "context behind the return address",
    "info behind the context",
    "XSAVE area aligned",
    "area above the frame",
    "frame below the red zone",
    "uc_flags",
    "uc_link",
    "mask",
    "oldmask",
    "cs and the others",
    "rip is behind a system call",
    "rcx is rip",
    "r11 is the flags",
    "rax",
    "magic 1",
    "magic 2",
    "extended size is four more",
    "x87 and SSE are there",
    "header beyond the first word is zero",
    "flags without those of status",
];

extern "C" fn looking(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let put = |at: usize, value: u64| SEEN[at].store(value, SeqCst);
    // SAFETY: the kernel's context.
    let uc = unsafe { of(context) };
    let frame = context as u64 - 8;
    put(0, (frame + 8).is_multiple_of(16) as u64);
    put(1, info as u64 - context as u64);
    let area = uc.uc_mcontext.fpregs as u64;
    put(2, area % 64);
    put(
        3,
        (area >= frame + 440 && area < frame + 440 + 64 + 16) as u64,
    );
    let size = read::<u32>(area + 464 + 16);
    let sp = *register(uc, REG_RSP) as u64;
    put(4, (area + u64::from(size) + 4 <= sp - 128) as u64);
    put(5, uc.uc_flags);
    put(6, uc.uc_link as u64);
    put(7, read::<u64>(context as u64 + 296));
    put(8, *register(uc, REG_OLDMASK) as u64);
    put(9, *register(uc, REG_CSGSFS) as u64);
    let rip = *register(uc, REG_RIP);
    // The call's own instruction may have become something else, in the machine.
    put(10, (rip != 0) as u64);
    put(11, (*register(uc, REG_RCX) == rip) as u64);
    put(
        12,
        (*register(uc, REG_R11) == *register(uc, REG_EFL)) as u64,
    );
    put(13, *register(uc, REG_RAX) as u64);
    put(14, read::<u32>(area + 464).into());
    put(15, read::<u32>(area + u64::from(size)).into());
    put(16, u64::from(read::<u32>(area + 468)) - u64::from(size));
    put(17, read::<u64>(area + 512) & read::<u64>(area + 472) & 3);
    put(
        18,
        (1..8).map(|word| read::<u64>(area + 512 + 8 * word)).sum(),
    );
    put(19, *register(uc, REG_EFL) as u64 & !0x8d5);
}

fn read<T: Copy>(at: u64) -> T {
    // SAFETY: callers name places inside the frame.
    unsafe { (at as *const T).read_unaligned() }
}

pub fn frame() -> io::Result<()> {
    install(SIGUSR1, looking, 0, &[SIGUSR2]);
    blocking(bit(libc::SIGHUP), || raise(SIGUSR1));
    for (name, value) in NAMES.iter().zip(&SEEN) {
        println!("{name}: {:#x}", value.load(SeqCst));
    }
    Ok(())
}
