//! Contexts that cannot be returned to.

use crate::handler::{dispose, install, note, notes, of, raise, register};
use libc::{REG_CSGSFS, REG_EFL, REG_RIP, SIG_DFL, SIGSEGV, SIGUSR1, c_int, c_void, siginfo_t};
use std::io;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};

static KIND: AtomicUsize = AtomicUsize::new(0);
/// Where the program goes on.
static GOOD: AtomicI64 = AtomicI64::new(0);

type Forgery = (&'static str, fn(&mut libc::ucontext_t));

/// Of no interest to QEMU's emulator.
const MXCSR: &str = "bad MXCSR";

const FORGERIES: [Forgery; 12] = [
    ("nothing", |_| {}),
    ("rip not canonical", |uc| *register(uc, REG_RIP) = 1 << 62),
    ("rip high", |uc| *register(uc, REG_RIP) = -4096),
    ("rip nowhere", |uc| *register(uc, REG_RIP) = 0x10),
    ("flags", |uc| {
        *register(uc, REG_EFL) |= 0x7ffe_f000 & !0x5_0000
    }),
    ("data segment for code", |uc| {
        *register(uc, REG_CSGSFS) = (*register(uc, REG_CSGSFS) & !0xffff) | 0x2b;
    }),
    ("area nowhere", |uc| uc.uc_mcontext.fpregs = 0x40 as *mut _),
    ("area elsewhere", |uc| elsewhere(uc, 0)),
    ("area not aligned", |uc| elsewhere(uc, 8)),
    ("no area", |uc| uc.uc_mcontext.fpregs = std::ptr::null_mut()),
    ("no magic", |uc| put(uc, 464, 0)),
    (MXCSR, |uc| put(uc, 24, 0xffff_1f80)),
];

/// Moves the XSAVE area, which is valid there but for its place.
fn elsewhere(uc: &mut libc::ucontext_t, off: usize) {
    #[repr(align(64))]
    struct Room(std::cell::UnsafeCell<[u8; 16384]>);
    // SAFETY: one thread.
    unsafe impl Sync for Room {}
    static ROOM: Room = Room(std::cell::UnsafeCell::new([0; 16384]));
    let to = ROOM.0.get().cast::<u8>().wrapping_add(off);
    let from = uc.uc_mcontext.fpregs.cast::<u8>();
    // SAFETY: the area says how long it is.
    unsafe {
        let size = from.add(480).cast::<u32>().read() as usize + 4;
        to.copy_from(from, size);
    }
    uc.uc_mcontext.fpregs = to.cast();
}

fn put(uc: &mut libc::ucontext_t, at: usize, value: u32) {
    // SAFETY: inside of the area.
    unsafe { *uc.uc_mcontext.fpregs.cast::<u8>().add(at).cast() = value };
}

extern "C" fn forging(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's context.
    let uc = unsafe { of(context) };
    GOOD.store(*register(uc, REG_RIP), SeqCst);
    (FORGERIES[KIND.load(SeqCst)].1)(uc);
}

extern "C" fn mending(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's.
    let (info, uc) = unsafe { (&*info, of(context)) };
    note(signal);
    note(info.si_code);
    let good = GOOD.load(SeqCst);
    note((*register(uc, REG_RIP) == good) as c_int);
    *register(uc, REG_RIP) = good;
    *register(uc, REG_CSGSFS) = (*register(uc, REG_CSGSFS) & !0xffff) | 0x33;
}

pub fn forged() -> io::Result<()> {
    forge(|name| name != MXCSR);
    Ok(())
}

/// The one that needs a CPU.
pub fn mxcsr() {
    forge(|name| name == MXCSR);
}

fn forge(wanted: impl Fn(&str) -> bool) {
    install(SIGUSR1, forging, 0, &[]);
    install(SIGSEGV, mending, 0, &[]);
    let forgeries = FORGERIES.iter().enumerate();
    for (kind, (name, _)) in forgeries.filter(|(_, forgery)| wanted(forgery.0)) {
        KIND.store(kind, SeqCst);
        raise(SIGUSR1);
        println!("{name}: {:?}", notes());
    }
    dispose(SIGSEGV, SIG_DFL);
}
