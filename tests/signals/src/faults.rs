//! Exceptions as signals: what they say, and handlers that go on.

use crate::handler::{dispose, install, of, register};
use libc::{REG_ERR, REG_RIP, REG_TRAPNO, SIG_DFL, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
use libc::{c_int, c_void, siginfo_t};
use std::arch::asm;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

/// Where the handler goes on.
static LANDING: AtomicI64 = AtomicI64::new(0);
/// Signal, code, address, rip, vector, error.
static SEEN: [AtomicI64; 6] = [const { AtomicI64::new(0) }; 6];

pub extern "C" fn landing(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's.
    let (info, uc) = unsafe { (&*info, of(context)) };
    // SAFETY: signals of exceptions have an address.
    let address = unsafe { info.si_addr() } as i64;
    let rip = *register(uc, REG_RIP);
    let values = [
        signal.into(),
        info.si_code.into(),
        address,
        rip,
        *register(uc, REG_TRAPNO),
        *register(uc, REG_ERR),
    ];
    for (place, value) in SEEN.iter().zip(values) {
        place.store(value, SeqCst);
    }
    *register(uc, REG_RIP) = LANDING.load(SeqCst);
}

/// Runs an instruction that faults, and goes on behind it.
macro_rules! faulting {
    ($name:literal, $address:expr, $($code:tt)*) => {{
        let address: u64 = $address;
        let at: i64;
        // SAFETY: the handler goes on at the second label; the registers are declared.
        unsafe {
            asm!(
                "lea {at}, [rip + 3f]",
                "mov [{landing}], {at}",
                "lea {at}, [rip + 2f]",
                "2:", $($code)*,
                "3:",
                at = out(reg) at,
                landing = in(reg) LANDING.as_ptr(),
                inout("rax") address => _, out("rcx") _, out("rdx") _,
            );
        }
        tell($name, address as i64, at);
    }};
}

fn tell(name: &str, address: i64, at: i64) {
    let [signal, code, found, rip, vector, error] =
        [0, 1, 2, 3, 4, 5].map(|i: usize| SEEN[i].swap(0, SeqCst));
    let place = match found {
        0 => "none",
        _ if found == address => "the address",
        _ if found == at => "the instruction",
        _ if found == rip => "rip",
        _ => "elsewhere",
    };
    let away = match rip - at {
        near @ 0..64 => near.to_string(),
        _ => "far".to_owned(),
    };
    // Whether a page that nobody touched is there already is the kernel's affair: the lowest bit.
    let error = error & !1;
    println!(
        "{name}: signal {signal} code {code} at {place}, rip + {away}, vector {vector}, error {error:#x}"
    );
}

fn page(protection: c_int) -> u64 {
    // SAFETY: new memory.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            protection,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    at as u64
}

pub fn faults() -> io::Result<()> {
    // Another stack, because the program's own guard handler has one, too.
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP] {
        install(signal, landing, libc::SA_ONSTACK, &[]);
    }
    faulting!("read nothing", 0, "mov al, [rax]");
    faulting!("write nothing", 0x10, "mov [rax], al");
    faulting!("read not canonical", 1 << 63, "mov al, [rax]");
    faulting!("write read-only", page(libc::PROT_READ), "mov [rax], al");
    let hidden = page(libc::PROT_NONE);
    faulting!("read without access", hidden, "mov al, [rax]");
    let text = faults as *const () as u64;
    faulting!("write text", text, "mov [rax], al");
    faulting!(
        "divide by zero",
        0,
        "xor ecx, ecx",
        "mov eax, 1",
        "cdq",
        "idiv ecx"
    );
    faulting!(
        "quotient too large",
        0,
        "mov eax, 0x80000000",
        "cdq",
        "mov ecx, -1",
        "idiv ecx"
    );
    faulting!("no instruction", 0, "ud2");
    faulting!("breakpoint", 0, "int3");
    faulting!("privileged", 0, "hlt");
    faulting!(
        "jump to data",
        page(libc::PROT_READ | libc::PROT_WRITE),
        "jmp rax"
    );
    faulting!("jump to nothing", 0x1000, "jmp rax");
    x87();
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP] {
        dispose(signal, SIG_DFL);
    }
    Ok(())
}

static STEPS: AtomicI64 = AtomicI64::new(0);

/// Notes code and distance of three steps, then clears the trap flag.
extern "C" fn stepping(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    const TRAP: i64 = 1 << 8;
    // SAFETY: the kernel's.
    let (info, uc) = unsafe { (&*info, of(context)) };
    let step = STEPS.fetch_add(1, SeqCst);
    crate::handler::note(info.si_code);
    crate::handler::note((*register(uc, REG_RIP) - LANDING.load(SeqCst)) as c_int);
    if step == 2 {
        *register(uc, libc::REG_EFL) &= !TRAP;
    }
}

/// The trap flag.
pub fn steps() -> io::Result<()> {
    install(SIGTRAP, stepping, 0, &[]);
    // SAFETY: the handler clears the flag at the third step.
    unsafe {
        asm!(
            "lea {at}, [rip + 2f]",
            "mov [{landing}], {at}",
            "pushfq", "or qword ptr [rsp], 0x100", "popfq",
            "2: nop", "nop", "nop", "nop", "nop",
            at = out(reg) _,
            landing = in(reg) LANDING.as_ptr(),
        );
    }
    println!(
        "steps: {} {:?}",
        STEPS.load(SeqCst),
        crate::handler::notes()
    );
    dispose(SIGTRAP, SIG_DFL);
    Ok(())
}

/// An unmasked exception of the x87.
fn x87() {
    let control = 0x037b_u16;
    faulting!(
        "x87 division by zero",
        &raw const control as u64,
        "fldcw [rax]",
        "fldz",
        "fld1",
        "fdivrp",
        "fwait"
    );
    // SAFETY: masks all exceptions.
    unsafe { asm!("fninit") };
}

/// An unmasked exception of SSE, which QEMU's emulator does not raise.
pub fn sse() -> io::Result<()> {
    install(SIGFPE, landing, libc::SA_ONSTACK, &[]);
    let (masked, open) = (0x1f80_u32, 0x1d00_u32);
    faulting!(
        "SSE division by zero",
        &raw const open as u64,
        "ldmxcsr [rax]",
        "xorps xmm0, xmm0",
        "mov eax, 1",
        "cvtsi2sd xmm1, eax",
        "divsd xmm1, xmm0"
    );
    // SAFETY: masks all exceptions.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const masked) };
    dispose(SIGFPE, SIG_DFL);
    crate::forged::mxcsr();
    Ok(())
}
